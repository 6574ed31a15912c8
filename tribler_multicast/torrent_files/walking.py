"""
The files of a folder, to be read without following a symbolic link anywhere on the way.

Where the system can (not on Windows), everything is opened below an open folder, so that a folder that is replaced by
a link in the meantime leads nowhere.
"""
from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..client import ClientError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILES: Final = 50_000
"""Files in a torrent: a home folder named by mistake would keep a processor busy and memory full for hours."""
MAX_DEPTH: Final = 64
"""Folders in folders."""

NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
BINARY: Final = getattr(os, "O_BINARY", 0)
NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)  # a pipe in place of the file would otherwise wait for a writer
BY_FOLDER: Final = os.open in os.supports_dir_fd and os.scandir in os.supports_fd


class Cancelled(Exception):
    """
    Nobody wants the torrent any more.
    """


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    A file as it was found: path below the folder (empty: it is the content itself), size, time of change in
    nanoseconds.
    """

    parts: tuple[str, ...]
    size: int
    mtime: int
    inode: tuple[int, int]


def as_utf8(name: str, path: Path) -> bytes:
    """
    The name as a torrent holds it.
    """
    try:
        return name.encode()
    except UnicodeEncodeError:
        message = f"{str(path)!a} has a name that is not valid UTF-8: rename it first"
        raise ClientError(message, 400) from None


def unreadable(path: Path, error: OSError) -> ClientError:
    """
    What to say when something can't be read.
    """
    if isinstance(error, FileNotFoundError):
        return ClientError(f"there is no {path}", 404)
    if error.errno == errno.ELOOP or (isinstance(error, NotADirectoryError) and path.is_symlink()):
        return ClientError(f"{path} is a symbolic link: name what it points to", 400)
    return ClientError(f"can't read {path}: {error.strerror}", 403)


@contextlib.contextmanager
def open_folder(path: Path | str, shown: Path, parent: int | None = None, *, follow: bool = False) -> Iterator[int |
None]:
    """
    An open folder, to look in without following a link; None where the system opens no folders.
    """
    if not BY_FOLDER:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | (0 if follow else NOFOLLOW), dir_fd=parent)
    except OSError as error:
        raise unreadable(shown, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def find_files(path: Path, parent: int | None, cancelled: threading.Event) -> tuple[bool, list[SourceFile]]:
    """
    Whether it is a folder, and the files in it, in order.
    """
    try:
        found = os.stat(path.name if BY_FOLDER else path, dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISLNK(found.st_mode):
        raise unreadable(path, OSError(errno.ELOOP, ""))
    if stat.S_ISREG(found.st_mode):
        return False, [source_of((), found)]
    if not stat.S_ISDIR(found.st_mode):
        message = f"{path} is neither a file nor a folder"
        raise ClientError(message, 400)
    files: list[SourceFile] = []
    with open_folder(path.name, path, parent) as descriptor:
        _walk(path, descriptor, (), files, cancelled)
    files.sort(key=lambda file: tuple(part.encode() for part in file.parts))
    return True, files


def _walk(path: Path, folder: int | None, parts: tuple[str, ...], files: list[SourceFile],
          cancelled: threading.Event) -> None:
    """
    Add the files of a folder and of those in it.
    """
    if len(parts) > MAX_DEPTH:
        message = f"{path} is more than {MAX_DEPTH} folders deep"
        raise ClientError(message, 400)
    try:
        with os.scandir(path if folder is None else folder) as entries:
            found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError as error:
        raise unreadable(path, error) from None
    for name, status in found:
        if cancelled.is_set():
            raise Cancelled
        as_utf8(name, path / name)
        if stat.S_ISDIR(status.st_mode):
            with open_folder(name, path / name, folder) as below:
                _walk(path / name, below, (*parts, name), files, cancelled)
        elif stat.S_ISREG(status.st_mode):
            files.append(source_of((*parts, name), status))
        if len(files) > MAX_FILES:
            message = f"there are more than {MAX_FILES:,} files: too many for one torrent"
            raise ClientError(message, 413)


def source_of(parts: tuple[str, ...], found: os.stat_result) -> SourceFile:
    """
    A file as the system describes it.
    """
    return SourceFile(parts, found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino))


def open_below(path: Path, parent: int | None, parts: tuple[str, ...]) -> int:
    """
    Open a file below an open folder, with no link on the way.
    """
    flags = os.O_RDONLY | NOFOLLOW | BINARY | NONBLOCK
    if parent is None:
        return os.open(path, flags)
    with contextlib.ExitStack() as stack:
        for part in parts[:-1]:
            parent = os.open(part, os.O_RDONLY | os.O_DIRECTORY | NOFOLLOW, dir_fd=parent)
            stack.callback(os.close, parent)
        return os.open(parts[-1], flags, dir_fd=parent)


def check_unchanged(path: Path, parent: int | None, files: list[SourceFile]) -> None:
    """
    Check that all files are as they were when each was hashed: the last may have taken an hour.
    """
    for file in files:
        shown = path.joinpath(*file.parts)
        try:
            descriptor = open_below(shown, parent, (path.name, *file.parts))
        except OSError as error:
            raise changed(shown, error) from None
        try:
            if source_of(file.parts, os.fstat(descriptor)) != file:
                raise changed(shown)
        finally:
            os.close(descriptor)


def changed(path: Path, error: OSError | None = None) -> ClientError:
    """
    What to say when a file is not what it was, or can't be opened any more.
    """
    if error is not None and not isinstance(error, FileNotFoundError):
        return unreadable(path, error)
    return ClientError(f"{path} {'vanished' if error else 'changed'} while it was read: try again", 409)
