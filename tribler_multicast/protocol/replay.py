"""Replay protection: each sequence number counts once, within a sliding window (RFC 4303 section 3.4.3)."""
from __future__ import annotations

from .limits import REPLAY_WINDOW


class ReplayWindow:
    """
    The sequence numbers seen of one sender in one epoch.
    """

    __slots__ = ("highest", "seen")

    def __init__(self, start: int = -1) -> None:
        """
        Start behind a number: it and all before it count as seen.
        """
        self.highest = start
        self.seen = (1 << REPLAY_WINDOW) - 1

    def is_fresh(self, sequence: int) -> bool:
        """
        Tell whether this number has not been seen and is not too old to know. Changes nothing.
        """
        behind = self.highest - sequence
        if behind < 0:
            return True
        return behind < REPLAY_WINDOW and not self.seen >> behind & 1

    def add(self, sequence: int) -> None:
        """
        Mark this number as seen; call it only after the signature was checked.
        """
        behind = self.highest - sequence
        if behind < 0:
            self.seen = (self.seen << min(-behind, REPLAY_WINDOW) | 1) & ((1 << REPLAY_WINDOW) - 1)
            self.highest = sequence
        elif behind < REPLAY_WINDOW:
            self.seen |= 1 << behind
