"""
Writing past the system's page cache (O_DIRECT of open(2): Linux, FreeBSD).

What comes in by a fast link is written once and read much later, if at all. The cache copies it first, into memory that
it has to find: at 1 Gbit/s more work than all that the session does. A whole segment of a large file that begins at a
multiple of ALIGNED, in memory that does, too, goes to the disk from where it lies instead. The cache and such writes
agree: whoever reads sees what was written, whichever way. Durable it is as always, after `fsync`.
"""
from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from ...durable import BINARY, NO_FOLLOW
from ..limits import ALIGNED, LEAST_DIRECT
from .disk import write_at

if TYPE_CHECKING:
    from pathlib import Path

O_DIRECT: Final = getattr(os, "O_DIRECT", 0)


class Direct:
    """
    Second handles of files that are open already.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self._handles: dict[int, int] = {}
        """By the number of the file; -1: not here."""

    def write(self, number: int, path: Path, file: int, data: bytes | bytearray | memoryview, at: int) -> int:
        """
        Write some of it, if that can be done: get how many bytes, 0 for none. The rest is to be written as usual.

        :param file: the handle that the file is known by.
        """
        if not O_DIRECT or at % ALIGNED or len(data) % ALIGNED or len(data) < LEAST_DIRECT:
            return 0
        handle = self._handles.get(number)
        if handle is None:
            handle = self._handles[number] = self._opened(path, file)
        if handle < 0:
            return 0
        # Whatever is in the way (EINVAL: memory that is not aligned, a file system that takes other multiples), the
        # usual way is tried then, and says what is wrong.
        with contextlib.suppress(OSError):
            return write_at(handle, data, at)
        return 0

    @staticmethod
    def _opened(path: Path, file: int) -> int:
        try:
            handle = os.open(path, os.O_WRONLY | O_DIRECT | BINARY | NO_FOLLOW)
        except OSError:
            return -1
        if os.path.samestat(os.fstat(handle), os.fstat(file)):
            return handle
        os.close(handle)
        return -1

    def close(self, number: int) -> None:
        """
        Close that of a file.
        """
        if (handle := self._handles.pop(number, -1)) >= 0:
            os.close(handle)
