"""
What the system does with files beyond reading and writing: room, locks, names that are not taken, all durable at once.
"""
from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ...durable import BINARY
from ..errors import DiskFullError, InUseError, StoreError, reason, shown

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
NOT_HERE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.EMLINK})
"""What systems say when they can't do a thing at all."""
HERE: Final = -100
NO_REPLACE: Final = 1


def failed(error: OSError, path: Path) -> StoreError:
    """
    Get what is told to the user of an error of the system.
    """
    if error.errno in FULL:
        return DiskFullError(f"no room on the disk for {shown(str(path))}: {reason(error)}")
    if error.errno == errno.EFBIG:
        return StoreError(f"the file system of {shown(str(path))} can't hold files of that size")
    return StoreError(f"cannot write to {shown(str(path))}: {reason(error)}")


@cache
def _linux(name: str) -> Any:  # noqa: ANN401 (a function of the C library has no type)
    if sys.platform != "linux":
        return None
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name, None)
    except OSError:
        return None


def _call(name: str, *arguments: Any) -> bool:  # noqa: ANN401
    """
    Call the C library; False when it can't do this here at all.

    :raises OSError: when it could and did not.
    """
    function = _linux(name)
    if function is None:
        return False
    while function(*arguments):
        number = ctypes.get_errno()
        if number in NOT_HERE:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True


def allocate(file: int, size: int) -> None:
    """
    Give an open file its size, and its room on the disk where the file system can. Python's own `posix_fallocate` would
    write to every block where it can't.

    :raises OSError: when there is no room.
    """
    if size and os.fstat(file).st_size <= size:
        _call("fallocate64", file, 0, ctypes.c_int64(0), ctypes.c_int64(size))
    os.ftruncate(file, size)


def _write_at(file: int, data: bytes | bytearray | memoryview, at: int) -> int:
    os.lseek(file, at, os.SEEK_SET)
    return os.write(file, data)


write_at: Final = getattr(os, "pwrite", _write_at)
"""Writes to an open file at a place: `write_at(file, data, at)` gets the bytes written. Windows takes two calls."""


def room(folder: Path) -> int:
    """
    Get the bytes that are free for us on the disk of a folder.
    """
    return shutil.disk_usage(folder).free


def sync_all(file: int) -> bool:
    """
    Make everything durable on the file system of an open file; False where that can't be asked for.
    """
    return _call("syncfs", file)


def ignores_case(file: Path) -> bool:
    """
    Tell whether the case of letters does not count where this file is.
    """
    return file.with_name(file.name.swapcase()).exists()


def rename_new(old: Path, new: Path) -> None:
    """
    Rename a file or folder; nothing is replaced.

    :raises FileExistsError: when the name is taken.
    """
    if _call("renameat2", HERE, os.fsencode(old), HERE, os.fsencode(new), NO_REPLACE):
        return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
    if sys.platform != "win32" and not old.is_dir():
        try:
            # Unlike renaming, this fails when somebody took the name just now.
            os.link(old, new, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
        else:
            old.unlink()
            return
    old.rename(new)


class Lock:
    """
    The lock of one place: the system takes it away when the process ends, however it ends.
    """

    def __init__(self, path: Path, what: Path) -> None:
        """
        Take it; `what` is what the user knows the place by.

        :raises InUseError: when somebody else has it.
        :raises FileNotFoundError: when the folder of the lock went away: its owner is done.
        :raises StoreError: when there can be no lock.
        """
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise failed(error, path) from None
        try:
            _lock(self._file)
            held = os.fstat(self._file)
            if not os.path.samestat(held, path.stat()):
                raise FileNotFoundError(errno.ENOENT, "removed by its owner")
        except FileNotFoundError:
            self.release()
            raise
        except OSError as error:
            self.release()
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise InUseError(f"another transfer is receiving to {shown(str(what))}") from None
            raise failed(error, path) from None

    def release(self) -> None:
        """
        Give it back.
        """
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _lock(file: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
