"""
Memory for open segments. It begins at a page, so that a disk can be written from it (`store/direct.py`), and is used
again: at a high rate, getting new memory from the system would take a receiver a fifth of its time.
"""
from __future__ import annotations

import mmap
import sys
from typing import Final

SMALL: Final = 1 << 16
"""Bytes below which nobody cares where it is."""

KEPT: Final = 16
"""Rooms that are kept for using them again, 1 MiB each: more are rarely open or waiting for the disk at once."""

OPTIONS: Final = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def is_unused(room: mmap.mmap) -> bool:
    """
    Tell whether there is no view of it, nor any view of such a view: only then it may be given another size, and is
    given the one that it has (a call of mremap that changes nothing). Elsewhere than on Linux nobody can tell.
    """
    try:
        room.resize(len(room))
    except BufferError:
        return False
    return True


class Rooms:
    """
    Gives rooms away, and again once nobody has a view of them any more.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self._kept: list[mmap.mmap] = []

    def room(self, size: int) -> memoryview:
        """
        Get so many bytes, of anything.
        """
        if size < SMALL:
            return memoryview(bytearray(size))
        for kept in self._kept:
            if len(kept) == size and is_unused(kept):
                return memoryview(kept)
        room = mmap.mmap(-1, size, **OPTIONS)
        if len(self._kept) < KEPT and sys.platform == "linux":
            self._kept.append(room)
        return memoryview(room)
