"""
The segments that a sender has in memory, and those it waits for.
"""
from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING

from .limits import READ_AHEAD, SEGMENTS_HELD

if TYPE_CHECKING:
    from collections.abc import Iterable


class Held:
    """
    Some segments, the least recently used go first.
    """

    def __init__(self) -> None:
        """
        Hold nothing.
        """
        self._held: OrderedDict[int, bytes] = OrderedDict()
        self._missed: OrderedDict[int, None] = OrderedDict()

    def wanted(self, ahead: Iterable[int]) -> list[int]:
        """
        Get what should be handed over, the most urgent first.

        :param ahead: what will be due next.
        """
        found = [*islice(self._missed, SEGMENTS_HELD // 3), *islice(ahead, READ_AHEAD)]
        return [segment for segment in dict.fromkeys(found) if segment not in self._held]

    def give(self, segment: int, data: bytes) -> None:
        """
        Hold a segment.
        """
        self._missed.pop(segment, None)
        self._held[segment] = data
        self._held.move_to_end(segment)
        while len(self._held) > SEGMENTS_HELD:
            self._held.popitem(last=False)

    def lost(self, segment: int) -> None:
        """
        Want a segment no more: it can't be had.
        """
        self._missed.pop(segment, None)

    def has(self, segment: int) -> bool:
        """
        Tell whether a segment is here.
        """
        return segment in self._held

    def get(self, segment: int) -> bytes | None:
        """
        Get a segment; one that is not here is wanted from now on.
        """
        data = self._held.get(segment)
        if data is None:
            self._missed[segment] = None
        else:
            self._held.move_to_end(segment)
        return data
