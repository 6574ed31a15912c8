"""Counts of every kind of message sent, received and dropped, for `/status`."""
from __future__ import annotations

from collections import Counter


class Counters:
    """
    Message counts; all keys are known words of the protocol, so their number is bounded.
    """

    def __init__(self) -> None:
        """
        Start from zero.
        """
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.verification: Counter[str] = Counter()

    def drop(self, reason: str) -> None:
        """
        Count one datagram that had no effect, by reason.
        """
        self.dropped[reason] += 1

    def as_dict(self) -> dict[str, dict[str, int]]:
        """
        Get plain dictionaries, sorted by name.
        """
        return {name: dict(sorted(getattr(self, name).items()))
                for name in ("sent", "received", "dropped", "verification")}
