"""
Files that are on the disk when a call returns.
"""
from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

FULL_SYNC: Final[int | None] = None if sys.platform == "win32" else getattr(fcntl, "F_FULLFSYNC", None)
BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
"""What every open takes: bytes as they are, and not for programs that we start."""
NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
"""A link that somebody put there is not followed."""


def sync_file(file: int) -> None:
    """
    Make an open file durable. macOS leaves it in the drive's own memory unless it is asked for more than the usual.
    """
    if FULL_SYNC is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(file, FULL_SYNC)
            return
    os.fsync(file)


def sync_folder(path: Path) -> None:
    """
    Make new names in a folder durable. Windows has no such call, and needs none on NTFS.
    """
    if sys.platform == "win32":
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | BINARY)
    try:
        sync_file(folder)
    except OSError as error:
        # Some network file systems have no such call either. Any other error is a true one.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(folder)


def write_new(path: Path, parts: Iterable[bytes], mode: int = 0o600) -> None:
    """
    Make a file that is not there yet, durable but for its name. Closed to others from the first byte on, with `mode`.
    """
    # Exclusive: what somebody put there, a link included, is not followed.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, mode), "wb") as file:
        file.writelines(parts)
        file.flush()
        sync_file(file.fileno())


def write_durably(path: Path, parts: Iterable[bytes], mode: int = 0o600) -> None:
    """
    Put a file in place, whole and durable; after an error (OSError) the old one is there. Two at a time must not write
    the same file: the new content always has the same name until then, so that killed writers do not litter.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        write_new(new, parts, mode)
        os.replace(new, path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
