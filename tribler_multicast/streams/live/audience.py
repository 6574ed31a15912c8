"""
Who views a stream of ours, and how it arrives there.
"""
from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from .limits import CONGESTED_DELAY, CONGESTED_LOSS, DEAF_AFTER, LOSSY_DELAY, MAX_DEAF, VIEWER_GONE

if TYPE_CHECKING:
    from .messages import Arrived

MIN_SAMPLE = 20
"""Datagrams over which a loss counts."""

SMOOTH = 0.3
"""The weight of a new loss beside what was known."""


class Viewing:
    """
    What a source knows of a viewer.
    """

    def __init__(self, now: float) -> None:
        """
        It came just now.
        """
        self.joined = self.heard = now
        self.deaf = False
        """Whether nothing of the group comes there: it gets the stream by unicast."""
        self.loss = self.queue = 0.0
        self._arrived: Arrived | None = None

    def report(self, arrived: Arrived, now: float) -> None:
        """
        Take how the group's stream arrives.
        """
        self.heard = now
        before = self._arrived
        self.queue = arrived.queue
        self.deaf = not arrived.came and now - self.joined > DEAF_AFTER
        if before is None or arrived.highest < before.highest or arrived.came < before.came:
            self._arrived = arrived
            return
        sent, came = arrived.highest - before.highest, arrived.came - before.came
        if sent >= MIN_SAMPLE:
            self.loss += SMOOTH * (max(0.0, 1 - came / sent) - self.loss)
            self._arrived = arrived


class Audience(dict[bytes, Viewing]):
    """
    All of them, by mid.
    """

    @property
    def loss(self) -> float:
        """
        What most viewers lose of the group's stream.
        """
        return median([viewing.loss for viewing in self.values()] or [0.0])

    @property
    def congested(self) -> bool:
        """
        Whether most viewers see a queue or a loss that the pace makes.
        """
        return self.queue > CONGESTED_DELAY or (self.queued and self.loss > CONGESTED_LOSS)

    @property
    def queue(self) -> float:
        """
        Seconds of queue that all viewers see: in front of our own link. What one of them sees more is before its own.
        """
        return min([viewing.queue for viewing in self.values()] or [0.0])

    @property
    def queued(self) -> bool:
        """
        Whether what leaves makes a queue: then no more than the stream leaves.
        """
        return self.queue > LOSSY_DELAY

    def deaf(self) -> list[bytes]:
        """
        Get those whom the group does not reach, as many as get the stream by unicast.
        """
        return [who for who, viewing in self.items() if viewing.deaf][:MAX_DEAF]

    def silent(self, now: float) -> list[bytes]:
        """
        Get who said nothing for too long.
        """
        return [who for who, viewing in self.items() if now - viewing.heard > VIEWER_GONE]
