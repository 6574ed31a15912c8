"""
Who gave whom how much: totals of sessions, told to the courier as what was added since.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .courier import Courier


class Credit:
    """
    Of one session. Its totals only grow; whoever is not told of any more keeps what was counted.
    """

    def __init__(self, courier: Courier) -> None:
        """
        Nothing was given nor taken.
        """
        self._courier = courier
        self._told: dict[tuple[bytes, bool], tuple[int, int]] = {}

    def total(self, mid: bytes, *, up: int = 0, down: int = 0, helped: bool = False) -> None:
        """
        Take what went to a peer and came from it in this session so far; `helped`: from one receiver to another.
        """
        before = self._told.get((mid, helped), (0, 0))
        more = max(0, up - before[0]), max(0, down - before[1])
        if any(more):
            self._told[mid, helped] = before[0] + more[0], before[1] + more[1]
            self._courier.count(mid, up=more[0], down=more[1], helped=helped)

    def forget(self, mid: bytes) -> None:
        """
        Take it that totals of a peer begin anew.
        """
        self._told.pop((mid, False), None)

    def helped(self, given: Mapping[bytes, int], taken: Mapping[bytes, int]) -> None:
        """
        Take the same of cooperation: bytes by peer (`Cooperation.given`, `Cooperation.taken`).
        """
        for mid in given.keys() | taken.keys():
            self.total(mid, up=given.get(mid, 0), down=taken.get(mid, 0), helped=True)
