"""
The index: names and sizes of what is in a folder, byte by byte.

    offset  size  field
         0     1  0 a file, 1 an empty folder
         1     2  length of the path
         3     n  path: names in UTF-8 (NFC) with / between them
       3+n     6  size in bytes; of files only

One entry behind the other, ordered by their paths as lists of names, each name as bytes. So there is one way only to
write the same folder. A single file has no index.
"""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ContentError
from ..limits import MAX_CONTENT_SIZE, MAX_FILES, MAX_INDEX_SIZE
from .names import checked_path

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE: Final = 0
EMPTY_FOLDER: Final = 1
HEAD: Final = struct.Struct(">BH")
SIZE_BYTES: Final = 6
LEAST_ENTRY: Final = HEAD.size + 1


class Entry(NamedTuple):
    """
    A file, or an empty folder, below the content's folder; for a single file, that file.
    """

    path: str
    size: int = 0
    is_folder: bool = False


def order(path: str) -> list[bytes]:
    """
    Get what entries are ordered by.
    """
    return path.encode().split(b"/")


def pack_index(entries: Iterable[Entry]) -> bytes:
    """
    Write the index; the entries must be in order.

    :raises ContentError: when it gets too large.
    """
    parts = []
    for entry in entries:
        path = entry.path.encode()
        parts.append(HEAD.pack(EMPTY_FOLDER if entry.is_folder else FILE, len(path)) + path)
        if not entry.is_folder:
            parts.append(entry.size.to_bytes(SIZE_BYTES, "big"))
    index = b"".join(parts)
    if len(index) > MAX_INDEX_SIZE:
        raise ContentError(f"the names of all files together take more than {MAX_INDEX_SIZE >> 20} MiB")
    return index


def read_index(index: bytes) -> list[Entry]:
    """
    Read an index off the wire: what comes back is in order, every path once, none below a file or an empty folder.

    :raises ContentError: when it is none that `pack_index` writes.
    """
    if len(index) > MAX_INDEX_SIZE:
        raise ContentError("the index is too long")
    entries: list[Entry] = []
    before: list[bytes] = []
    at = total = 0
    while at < len(index):
        entry, at = _read_entry(index, at)
        parts = order(entry.path)
        if before and (parts <= before or parts[:len(before)] == before):
            raise ContentError("the index has names that are out of order, twice, or below a file")
        entries.append(entry)
        before = parts
        total += entry.size
        if len(entries) > MAX_FILES or total > MAX_CONTENT_SIZE:
            raise ContentError("the index has too many files or bytes")
    return entries


def _read_entry(index: bytes, at: int) -> tuple[Entry, int]:
    start = at + HEAD.size
    if start > len(index):
        raise ContentError("the index ends within an entry")
    kind, length = HEAD.unpack_from(index, at)
    if kind not in (FILE, EMPTY_FOLDER):
        raise ContentError("the index has an entry of unknown kind")
    end = start + length
    stop = end if kind == EMPTY_FOLDER else end + SIZE_BYTES
    if stop > len(index):
        raise ContentError("the index ends within an entry")
    return Entry(checked_path(index[start:end]), int.from_bytes(index[end:stop], "big"), kind == EMPTY_FOLDER), stop
