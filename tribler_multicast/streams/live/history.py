"""
Proved blocks, kept for a while to be given to others.
"""
from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from .limits import HISTORY, HISTORY_TIME
from .records import Leaf, is_head

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kept(NamedTuple):
    """
    A block, its leaf, a signed record that has the leaf, and when it came.
    """

    data: bytes
    leaf: Leaf
    record: bytes
    at: float


class History:
    """
    The newest blocks, and the head. Numbers go up.
    """

    def __init__(self, room: int = HISTORY, seconds: float = HISTORY_TIME) -> None:
        """
        Keep at most so many bytes, for so long.
        """
        self.room = room
        self.seconds = seconds
        self.size = 0
        self.head: tuple[int, Kept] | None = None
        self._blocks: OrderedDict[int, Kept] = OrderedDict()

    def add(self, number: int, kept: Kept) -> None:
        """
        Keep a block.
        """
        if is_head(number):
            if self.head is None or number > self.head[0]:
                self.head = number, kept
            return
        if number in self._blocks:
            return
        self._blocks[number] = kept
        self.size += len(kept.data)
        while len(self._blocks) > 1:
            oldest = next(iter(self._blocks.values()))
            if self.size <= self.room and kept.at - oldest.at <= self.seconds:
                break
            self.size -= len(self._blocks.popitem(last=False)[1].data)

    def get(self, number: int) -> Kept | None:
        """
        Get a block; None when it is not here.
        """
        if is_head(number):
            return self.head[1] if self.head is not None and self.head[0] == number else None
        return self._blocks.get(number)

    def newest_first(self) -> Iterator[tuple[int, Kept]]:
        """
        Go through them.
        """
        yield from reversed(self._blocks.items())

    def __len__(self) -> int:
        """
        Get how many there are, without the head.
        """
        return len(self._blocks)
