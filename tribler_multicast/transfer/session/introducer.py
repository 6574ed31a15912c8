"""
At the source: tells receivers of each other, so that they can help each other, also when the source is gone.
"""
from __future__ import annotations

from .coop_limits import MEMBERS_EACH
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
        self._members: dict[bytes, None] = {}
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

    def next_timer(self) -> float | None:
        """
        Get when `take` will have something; None: not before somebody joins.
        """
        return self._next if self._new else None

    def take(self, now: float) -> list[tuple[bytes, Members]]:
        """
        Take what is to be told now, and to whom.
        """
        if not self._new or now < self._next:
            return []
        self._next = now + MEMBERS_EACH
        new, self._new = list(self._new), {}
        before = list(self._members)
        self._members |= dict.fromkeys(new)
        found = []
        for mid in before:
            found += self._to(mid, new, is_all=False)
        for mid in new:
            found += self._to(mid, [each for each in self._members if each != mid], is_all=True)
        return found

    def _to(self, mid: bytes, others: list[bytes], *, is_all: bool) -> list[tuple[bytes, Members]]:
        return [(mid, Members(self.tag, is_all and not at, others[at:at + MIDS_EACH]))
                for at in range(0, len(others), MIDS_EACH)]
