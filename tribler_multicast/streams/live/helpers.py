"""
Fellow viewers: who is there, who answers, and how fast.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .limits import (
    ANSWER_FIRST,
    ANSWER_LEAST,
    ANSWER_MOST,
    AVOIDED,
    MAX_ROSTER,
    OUTSTANDING_EACH,
    POLLUTED,
    SILENT_ANSWERS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from random import Random


SLOWER = 1.15
"""By so much the time that an answer takes is taken for longer when there was none: what comes late is not seen."""


class Helper:
    """
    One who may be asked: a fellow viewer, or the source.
    """

    def __init__(self) -> None:
        """
        Nothing is known.
        """
        self.trip: float | None = None
        self.silent = 0
        self.avoided = float("-inf")
        """Until when it is not asked."""
        self.heard = float("-inf")
        """When something of it came last."""
        self.outstanding = 0
        """Symbols that it was asked for and did not give yet."""

    @property
    def patience(self) -> float:
        """
        How long its answer is waited for.
        """
        return ANSWER_FIRST if self.trip is None else min(max(3 * self.trip, ANSWER_LEAST), ANSWER_MOST)

    def answered(self, trip: float) -> None:
        """
        It answered after so long.
        """
        self.trip = trip if self.trip is None else self.trip + 0.25 * (trip - self.trip)
        self.silent = 0

    def was_silent(self, now: float) -> bool:
        """
        It did not answer; tell whether it is avoided from now on.
        """
        self.trip = min(ANSWER_MOST, SLOWER * (self.trip or ANSWER_FIRST / 3))
        self.silent += 1
        if self.silent < SILENT_ANSWERS:
            return False
        self.silent, self.avoided = 0, now + AVOIDED
        return True


class Helpers:
    """
    Those that the source told of.
    """

    def __init__(self, random: Random) -> None:
        """
        Know nobody.
        """
        self.random = random
        self.source = Helper()
        self.known: dict[bytes, Helper] = {}

    def set(self, mids: Iterable[bytes]) -> None:
        """
        Take who is there now.
        """
        known = self.known
        self.known = {mid: known.get(mid) or Helper() for mid in list(mids)[:MAX_ROSTER]}

    def of(self, who: bytes | None) -> Helper:
        """
        Get one; None is the source, who is gone is somebody new.
        """
        return self.source if who is None else self.known.get(who) or Helper()

    def choose(self, tried: Collection[bytes | None], now: float) -> bytes | None:
        """
        Get who is to be asked next: the one that owes least, of several any; None when there is nobody.
        """
        free = [mid for mid, helper in self.known.items() if mid not in tried and now >= helper.avoided
                and helper.outstanding < OUTSTANDING_EACH]
        if not free:
            return None
        least = min(self.known[mid].outstanding for mid in free)
        return self.random.choice([mid for mid in free if self.known[mid].outstanding == least])

    def polluted(self, mids: Iterable[bytes | None], now: float) -> None:
        """
        Avoid those who gave symbols of a block that turned out false.
        """
        for mid in mids:
            if mid in self.known:
                self.known[mid].avoided = now + POLLUTED
