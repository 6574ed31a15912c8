"""
Where data is: a download grows in a folder of its own, ``.incomplete/<infohash>`` in the download folder, and is moved
to its name when it is whole and checked. So a file that has its name is complete, whoever looks at the folder; the move
is a rename, because both places are on one file system; and two downloads never share a file.

A name that is taken is never used: ``name (2)``. The name is reserved by making the file or folder exclusively, so that
nothing that comes between is overwritten.
"""
from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...client import ClientError
from .library import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INCOMPLETE: Final = ".incomplete"
MAX_NAMES: Final = 10_000
"""Names that are tried: who has that many of one name has another problem."""

CLOCK_STEP: Final = 5.0
"""Seconds by which times of files may differ from the clock: file systems of network disks and memory cards."""

File = tuple[str, int, int]
"""Path below the folder, size, time of change in nanoseconds."""


def incomplete_folder(folder: Path, infohash: bytes) -> Path:
    """
    Where a download grows.
    """
    return folder / INCOMPLETE / infohash.hex()


def make_room(folder: Path, infohash: bytes, size: int | None) -> None:
    """
    Make the folder for a download; see whether what is to come fits, if that is known. It blocks.

    :raises ClientError: with one line.
    """
    place = incomplete_folder(folder, infohash)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass  # it can be written
        there = sum(_taken(Path(below, name)) for below, _, names in os.walk(place) for name in names)
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise unusable(folder, error) from None
    if size is not None and size - there > free:
        message = f"{amount(size)} don't fit: {amount(free + there)} are free in {folder}"
        raise ClientError(message, 507)


def _taken(path: Path) -> int:
    """
    Bytes of the disk that a file takes: less than its size where nothing was written yet.
    """
    try:
        found = path.lstat()
    except OSError:
        return 0
    return getattr(found, "st_blocks", 0) * 512


def unusable(folder: Path, error: OSError) -> ClientError:
    """
    What to say when a folder can't be written.
    """
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return ClientError(f"can't download to {folder}: {error.strerror}", 507 if full else 403)


def names(folder: Path, name: str, *, is_folder: bool) -> Iterator[Path]:
    """
    Places for something in a folder: its name, or that with a number, as far as nothing is there. It blocks.
    """
    stem, suffix = (name, "") if is_folder else _split(name)
    for number in range(1, MAX_NAMES):
        place = folder / (name if number == 1 else f"{stem} ({number}){suffix}")
        if not os.path.lexists(place):
            yield place


def reserve(place: Path, *, is_folder: bool) -> None:
    """
    Take a name that nothing has: make an empty file or folder there. It blocks. Raises OSError.
    """
    if is_folder:
        place.mkdir()
    else:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def _split(name: str) -> tuple[str, str]:
    """
    A name and its suffix, short enough that a number fits between.
    """
    stem, suffix = os.path.splitext(name)
    if len(suffix.encode()) > 32:
        stem, suffix = name, ""
    while len(stem.encode()) + len(suffix.encode()) > 245:
        stem = stem[:-1]
    return stem, suffix


def release(place: Path) -> None:
    """
    Give a reserved name back, if nothing is in it. It blocks.
    """
    with contextlib.suppress(OSError):
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        elif place.lstat().st_size == 0:
            place.unlink()


def clear(folder: Path, infohash: bytes) -> None:
    """
    Remove what a download left in its folder, and the folder of all when it was the last. It blocks.
    """
    place = incomplete_folder(folder, infohash)
    shutil.rmtree(place, ignore_errors=True)
    with contextlib.suppress(OSError):
        place.parent.rmdir()


def take_back(folder: Path, infohash: bytes, moved: Path, paths: Iterable[str]) -> None:
    """
    Undo a move that a crash cut short: bring the files of a download back to where it grew. It blocks.

    :param moved: the name they were moved to.
    :param paths: theirs, below the download's folder; the first part is the name they had.
    """
    place = incomplete_folder(folder, infohash)
    for path in paths:
        first, _, rest = path.partition("/")
        home = place / path
        there = [moved / rest if rest else moved, place / moved.name / rest if rest else place / moved.name]
        for found in there:
            if found == home or not is_file(found):
                continue
            with contextlib.suppress(OSError):
                if home.exists() and found.stat().st_size == 0 < home.stat().st_size:
                    continue  # only the reserved name
                home.parent.mkdir(parents=True, exist_ok=True)
                found.replace(home)
    for root in (moved, place / moved.name):
        if root.is_dir() and not root.is_symlink() and root != place / first:
            for below, _, _ in os.walk(root, topdown=False):
                with contextlib.suppress(OSError):
                    Path(below).rmdir()
    release(moved)


def is_file(path: Path) -> bool:
    """
    Is it a file itself, not a link to one?
    """
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def look_at(folder: Path, paths: Iterable[str], *, durable: bool = False) -> list[File]:
    """
    Sizes and times of files; `durable` has what is in them written to the disk first. It blocks. Raises OSError.
    """
    found = []
    for path in paths:
        if durable:
            sync_file(folder / path)
        status = (folder / path).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a file", str(folder / path))
        found.append((path, status.st_size, status.st_mtime_ns))
    return found


def sync_file(path: Path) -> None:
    """
    Have what is in a file written to the disk; one that can't is an affair of whoever reads it. It blocks.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def difference(folder: Path, files: Sequence[File]) -> str:
    """
    What is wrong with files that were seen before, as one line; empty when all are as they were. It blocks.
    """
    for path, size, mtime in files:
        try:
            status = (folder / path).lstat()
        except OSError as error:
            gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            return f"{folder / path} is gone" if gone else f"can't read {folder / path}: {error.strerror}"
        if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (size, mtime):
            return f"{folder / path} has changed since it was shared"
    return ""


def sync_changed(folder: Path, since: float) -> None:
    """
    Have the files of a folder that changed since a time (Unix seconds) written to the disk. It blocks.
    """
    for below, _, names in os.walk(folder):
        for path in (Path(below, name) for name in names):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime >= since - CLOCK_STEP:
                    sync_file(path)
