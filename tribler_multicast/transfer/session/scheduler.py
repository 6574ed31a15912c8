"""
Several sessions on one link: fair by weight, at one common rate.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): whoever got least, by its weight, is next. Who had nothing to
send for a while begins where the others are.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from .limits import CATCH_UP, FRAME
from .rate import Pacer

if TYPE_CHECKING:
    from .geometry import Geometry
    from .rate import RateControl
    from .sender import Batch

MOST: Final = 44
"""Datagrams of one batch, what systems take at once: a batch costs more than what is in it, here and at receivers."""
BATCH_TIME: Final = 0.001
"""Seconds of the rate in one batch: what others' packets may have to wait for."""


class Turn(Protocol):
    """
    What takes turns: a `Sender`, or somebody in front of one.
    """

    @property
    def geometry(self) -> Geometry:
        """
        Its cut.
        """

    def make(self, now: float, count: int) -> Batch | None:
        """
        Make what is to be sent next, as `Sender.make`.
        """

    def next_timer(self) -> float:
        """
        Get when there will be something to make, as `Sender.next_timer`.
        """


class Outgoing(NamedTuple):
    """
    A batch and whose it is.
    """

    sender: Turn
    batch: Batch


class Scheduler:
    """
    Takes turns between senders.
    """

    def __init__(self, rate: RateControl, now: float) -> None:
        """
        Begin with none.
        """
        self.rate = rate
        self.pacer = Pacer(now, CATCH_UP)
        self._weights: dict[Turn, float] = {}
        self._served: dict[Turn, float] = {}
        self._clock = 0.0

    def add(self, sender: Turn, weight: float = 1.0) -> None:
        """
        Let a sender take part, or change its weight.
        """
        self._weights[sender] = weight
        self._served.setdefault(sender, self._clock)

    def remove(self, sender: Turn) -> None:
        """
        Let a sender go.
        """
        self._weights.pop(sender, None)
        self._served.pop(sender, None)

    def take(self, now: float) -> list[Outgoing]:
        """
        Take all that may leave now.
        """
        self.rate.run(now)
        found = []
        while self.pacer.is_due(now):
            outgoing = self._next(now)
            if outgoing is None:
                break
            found.append(outgoing)
        return found

    def _next(self, now: float) -> Outgoing | None:
        for sender in sorted(self._served, key=self._served.__getitem__):
            symbol = sender.geometry.symbol + FRAME
            batch = sender.make(now, min(MOST, max(1, int(self.rate.rate * BATCH_TIME / symbol))))
            if batch is None:
                continue
            size = len(batch.datagrams) + FRAME * (len(batch.datagrams) // batch.size)
            self._clock = max(self._served[sender], self._clock)
            self._served[sender] = self._clock + size / self._weights[sender]
            self.rate.on_sent(now, size)
            self.pacer.sent(now, size, self.rate.rate)
            return Outgoing(sender, batch)
        return None

    def next_timer(self, now: float) -> float:
        """
        Get when `take` should be called: at once when something waits for the pace, else at the next heartbeat.
        """
        if not self.pacer.is_due(now):
            return self.pacer.due
        return min((max(now, sender.next_timer()) for sender in self._served), default=now + 1.0)
