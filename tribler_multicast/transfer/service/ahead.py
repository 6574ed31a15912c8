"""
Where a content that still arrives is read, and which segments are needed soon because of that.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..session.coop_limits import SOON_MOST
from .limits import READ_LATELY, READERS_FOLLOWED

if TYPE_CHECKING:
    from collections.abc import Callable


class Ahead:
    """
    Follows those who read, by the segments that they read last.
    """

    def __init__(self) -> None:
        """
        Nobody reads.
        """
        self._read: dict[int, float] = {}

    def reads(self, segment: int, now: float) -> None:
        """
        Note that somebody reads in a segment: whoever read in it or in the one before lately is the same.
        """
        self._read.pop(segment - 1, None)
        self._read.pop(segment, None)
        self._read[segment] = now
        while len(self._read) > READERS_FOLLOWED:
            del self._read[next(iter(self._read))]

    def segments(self, now: float, has: Callable[[int], bool]) -> list[int]:
        """
        Get what is needed soon and is not here, the most urgent first: for each reader the same, who read last first.
        """
        self._read = {segment: at for segment, at in self._read.items() if now - at < READ_LATELY}
        readers = list(reversed(self._read))
        found: dict[int, None] = {}
        for distance in range(SOON_MOST):
            found |= {segment + distance: None for segment in readers if not has(segment + distance)}
        return list(found)[:SOON_MOST]
