"""
What is in a folder that is to be offered: looked at without following a link, without opening a file.

Links are left out, wherever they lead: so nothing outside the folder is ever offered, and nothing is offered twice.
Sockets, pipes and devices are left out too. What can't be read is an error: a folder is offered whole or not at all.
"""
from __future__ import annotations

import os
import stat as modes
import struct
import sys
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from ...durable import BINARY, NO_FOLLOW
from ..errors import CancelledError, ContentError, reason, shown
from ..limits import MAX_CONTENT_SIZE, MAX_DEPTH, MAX_FILES, MAX_PATH, MAX_SCANNED
from .index import Entry
from .names import wire_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BY_HANDLE: Final = os.scandir in os.supports_fd and os.open in os.supports_dir_fd
"""Folders are opened from the folder above, so that none is exchanged for a link meanwhile. Not on Windows."""
JUNCTION: Final = 0xA0000003
"""A Windows folder that is somewhere else."""
STAMP: Final = struct.Struct(">QQQ")
"""A stamp on the disk."""


class Stamp(NamedTuple):
    """
    By which a file is known to be the same, and unchanged: inode, size, time of change in ns. (The number of a device
    may be another one after a restart.)
    """

    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Stamp:
        """
        Take it from what the system says of a file.
        """
        return cls(stat.st_ino & 2**64 - 1, stat.st_size, stat.st_mtime_ns & 2**64 - 1)


class Listing:
    """
    The files of one content and where they are. `skipped` counts links, sockets, pipes and devices left out.
    """

    def __init__(self, path: Path, is_folder: bool, most: int = MAX_FILES, most_bytes: int = MAX_CONTENT_SIZE) -> None:
        """
        Begin with nothing in it, and at most so many entries and bytes to come.
        """
        self._most = most
        self._most_bytes = most_bytes
        self.path = path
        self.is_folder = is_folder
        self.name = wire_name(path.name)
        self.entries: list[Entry] = []
        self.renamed: dict[int, str] = {}
        """Paths of those that are called something else on the wire."""
        self.skipped = 0
        self.size = 0
        self._stamps = array("Q")

    def add(self, entry: Entry, real: str, stamp: Stamp) -> None:
        """
        Put the next entry to the others.

        :raises ContentError: when it is one too many.
        """
        if len(self.entries) == self._most:
            raise ContentError(f"{shown(str(self.path))} has more than {self._most} files")
        if len(entry.path.encode()) > MAX_PATH:
            raise ContentError(f"cannot offer {shown(real)}: its path has more than {MAX_PATH} bytes")
        self.size += entry.size
        if self.size > self._most_bytes:
            raise ContentError(f"{shown(str(self.path))} has more than {self._most_bytes} bytes")
        if real != entry.path:
            self.renamed[len(self.entries)] = real
        self.entries.append(entry)
        self._stamps.extend((stamp.inode, stamp.changed))

    def stamp(self, number: int) -> Stamp:
        """
        Get by which a file is known.
        """
        inode, changed = self._stamps[2 * number:2 * number + 2]
        return Stamp(inode, self.entries[number].size, changed)

    def real(self, number: int) -> Path:
        """
        Get where a file is.
        """
        return self.path / self.renamed.get(number, self.entries[number].path) if self.is_folder else self.path

    def shown(self, number: int) -> str:
        """
        Get how a file is called in a message.
        """
        return shown(str(self.real(number)))


def scan(path: Path, cancelled: Callable[[], bool] | None = None, *, most: int = MAX_FILES,
         most_bytes: int = MAX_CONTENT_SIZE) -> Listing:
    """
    List what is at a path: at most so many entries and bytes. A link given by the user is followed, those below are
    not.

    :raises ContentError: when it can't be offered.
    :raises CancelledError: when `cancelled` said so.
    """
    try:
        path = path.resolve(strict=True)
        found = path.stat()
    except (OSError, RuntimeError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "no such path"
        raise ContentError(f"cannot offer {shown(str(path))}: {why}") from None
    if modes.S_ISREG(found.st_mode):
        listing = Listing(path, False, most, most_bytes)
        listing.add(Entry(listing.name, found.st_size), listing.name, Stamp.of(found))
    elif modes.S_ISDIR(found.st_mode):
        listing = Listing(path, True, most, most_bytes)
        _Walk(listing, cancelled or bool).folder(str(path), None, "", "", 0)
    else:
        raise ContentError(f"cannot offer {shown(str(path))}: it is neither a file nor a folder")
    return listing


class _Walk:
    """
    A walk through a folder, in the order of the index: each folder by the names on the wire.
    """

    def __init__(self, listing: Listing, cancelled: Callable[[], bool]) -> None:
        self.listing = listing
        self.cancelled = cancelled
        self.seen = 0

    def folder(self, name: str, above: int | None, wire: str, real: str, depth: int) -> None:
        """
        List a folder: `wire` and `real` are its path below the content's, with a / at the end; "" for itself.
        """
        where = shown(str(self.listing.path / real))
        if depth >= MAX_DEPTH:
            raise ContentError(f"cannot offer {where}: more than {MAX_DEPTH} folders deep")
        if self.cancelled():
            raise CancelledError("cancelled")
        try:
            with self._opened(name, above) as handle:
                before = len(self.listing.entries)
                for wire_part, entry in sorted(self._named(handle, where).items(), key=lambda item: item[0].encode()):
                    self._entry(entry, handle, (wire + wire_part, real + entry.name), depth)
                if len(self.listing.entries) == before and wire:
                    self.listing.add(Entry(wire[:-1], is_folder=True), real[:-1], Stamp(0, 0, 0))
        except OSError as error:
            raise ContentError(f"cannot read {where}: {reason(error)}") from None

    @staticmethod
    @contextmanager
    def _opened(name: str, above: int | None) -> Iterator[int | str]:
        if not BY_HANDLE:
            yield name
            return
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NO_FOLLOW | BINARY, dir_fd=above)
        try:
            yield handle
        finally:
            os.close(handle)

    def _named(self, handle: int | str, where: str) -> dict[str, os.DirEntry[str]]:
        named: dict[str, os.DirEntry[str]] = {}
        with os.scandir(handle) as found:
            for entry in found:
                self.seen += 1
                if self.seen > MAX_SCANNED:
                    raise ContentError(f"{shown(str(self.listing.path))} has more than {MAX_SCANNED} names in it")
                wire = wire_name(entry.name)
                if wire in named:
                    both = sorted((shown(entry.name), shown(named[wire].name)))
                    raise ContentError(f"cannot offer {where}: {both[0]} and {both[1]} would have the same name")
                named[wire] = entry
        return named

    def _entry(self, entry: os.DirEntry[str], handle: int | str, paths: tuple[str, str], depth: int) -> None:
        wire, real = paths
        stat = os.lstat(entry.path) if sys.platform == "win32" else entry.stat(follow_symlinks=False)
        if modes.S_ISDIR(stat.st_mode) and getattr(stat, "st_reparse_tag", 0) != JUNCTION:
            if isinstance(handle, int):
                self.folder(entry.name, handle, wire + "/", real + "/", depth + 1)
            else:
                self.folder(entry.path, None, wire + "/", real + "/", depth + 1)
        elif modes.S_ISREG(stat.st_mode):
            self.listing.add(Entry(wire, stat.st_size), real, Stamp.of(stat))
        else:
            self.listing.skipped += 1
