"""
At the source: tells receivers of each other, so that they can help each other, also when the source is gone.
"""
from __future__ import annotations

from math import inf

from .coop_limits import MEMBERS_AGAIN, MEMBERS_EACH
from .coop_messages import MIDS_EACH, Members


class Introducer:
    """
    Who takes part in one session, and who knows of whom. A newcomer is told of all, the others of it only.
    """

    def __init__(self, tag: bytes) -> None:
        """
        Nobody is there yet.
        """
        self.tag = tag
        self._members: dict[bytes, tuple[float, int]] = {}
        """Those who were told, when they were told all, and how often since."""
        self._new: dict[bytes, None] = {}
        self._next = float("-inf")

    def joined(self, mid: bytes) -> None:
        """
        Note that somebody takes part, or does so anew.
        """
        self._members.pop(mid, None)
        self._new[mid] = None

    def left(self, mid: bytes) -> None:
        """
        Note that somebody does not take part any more. Others find that out when they ask it.
        """
        self._members.pop(mid, None)
        self._new.pop(mid, None)

    def next_timer(self) -> float:
        """
        Get when `take` may have something.
        """
        again = [at + MEMBERS_AGAIN[times] for at, times in self._members.values() if times < len(MEMBERS_AGAIN)]
        return min([*again, self._next if self._new else inf])

    def take(self, now: float) -> list[tuple[bytes, Members]]:
        """
        Take what is to be told now, and to whom.
        """
        found = []
        if self._new and now >= self._next:
            self._next = now + MEMBERS_EACH
            new, self._new = list(self._new), {}
            for mid in self._members:
                found += self._to(mid, new, is_all=False)
            self._members |= dict.fromkeys(new, (now, 0))
            for mid in new:
                found += self._all_to(mid)
        for mid, (at, times) in self._members.items():
            if times < len(MEMBERS_AGAIN) and now >= at + MEMBERS_AGAIN[times]:
                self._members[mid] = at, times + 1
                found += self._all_to(mid)
        return found

    def _all_to(self, mid: bytes) -> list[tuple[bytes, Members]]:
        return self._to(mid, [each for each in self._members if each != mid], is_all=True)

    def _to(self, mid: bytes, others: list[bytes], *, is_all: bool) -> list[tuple[bytes, Members]]:
        return [(mid, Members(self.tag, is_all and not at, others[at:at + MIDS_EACH]))
                for at in range(0, len(others), MIDS_EACH)]
