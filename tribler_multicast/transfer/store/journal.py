"""
The journal: what is on the disk for sure. It is appended to after the data it speaks of was made durable.

    offset  size  field
         0     4  length of the body
         4     1  kind
         5     n  body
       5+n    16  BLAKE2b over the check of the record before (at first the content id) and all of this record

A record that was not written whole, and what comes behind it, does not count: each check needs the one before. Kinds:

    1  HEAD    version (4: "tmj1"), bytes of a unit (4), manifest
    2  COMMIT  number of ranges of whole segments (4), each first and count (4, 4);
               number of partial segments (4), each segment (4), length (2) and bits of its units, first unit highest;
               number of nodes of the hash tree (4), each level (1), number (4), hash (32)
    3  PLACED  the index is known, and all data is in its files: 1 if they have names for Windows (1), 1 if the case of
               letters does not count there (1)
    4  CLEAN   nothing was written since: inode, size, time of change in ns (8 each) of every file of the data (zeros
               where there is none yet)
    5  FINISH  about to be renamed, to this name
"""
from __future__ import annotations

import os
import struct
import threading
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from ...durable import BINARY, NO_FOLLOW, sync_file, write_durably
from ..content.tree import HASH_SIZE, Node
from ..errors import StoreError, shown
from ..limits import MAX_JOURNAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAGIC: Final = b"tmj1"
CHECK_SIZE: Final = 16
HEAD: Final = struct.Struct(">4sI")
RECORD: Final = struct.Struct(">IB")
COUNT: Final = struct.Struct(">I")
RANGE: Final = struct.Struct(">II")
PARTIAL: Final = struct.Struct(">IH")
NODE: Final = struct.Struct(f">BI{HASH_SIZE}s")


class Kind(IntEnum):
    """
    What a record says.
    """

    HEAD = 1
    COMMIT = 2
    PLACED = 3
    CLEAN = 4
    FINISH = 5


@dataclass
class Commit:
    """
    What changed: segments that are whole and checked, the units there of those that are not (a bit each, the first unit
    lowest), hashes that are known.
    """

    whole: list[int] = field(default_factory=list)
    partial: dict[int, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def __bool__(self) -> bool:
        """
        Tell whether anything did.
        """
        return bool(self.whole or self.partial or self.nodes)

    def pack(self) -> bytes:
        """
        Write it.
        """
        ranges = list(_ranges(self.whole))
        parts = [COUNT.pack(len(ranges)), *(RANGE.pack(*found) for found in ranges), COUNT.pack(len(self.partial))]
        for segment, units in self.partial.items():
            size = (units.bit_length() + 7) // 8
            parts += (PARTIAL.pack(segment, size), units.to_bytes(size, "little"))
        parts += (COUNT.pack(len(self.nodes)), *(NODE.pack(*node) for node in self.nodes))
        return b"".join(parts)

    @classmethod
    def unpack(cls, body: bytes) -> Commit:
        """
        Read what `pack` wrote.

        :raises struct.error: when it is none.
        """
        commit, at = cls(), COUNT.size
        for _ in range(COUNT.unpack_from(body, 0)[0]):
            first, count = RANGE.unpack_from(body, at)
            commit.whole += range(first, first + count)
            at += RANGE.size
        partials, at = COUNT.unpack_from(body, at)[0], at + COUNT.size
        for _ in range(partials):
            segment, size = PARTIAL.unpack_from(body, at)
            at += PARTIAL.size
            commit.partial[segment] = int.from_bytes(body[at:at + size], "little")
            at += size
        nodes, at = COUNT.unpack_from(body, at)[0], at + COUNT.size
        commit.nodes = [Node(*NODE.unpack_from(body, at + number * NODE.size)) for number in range(nodes)]
        return commit


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -2
    for number in sorted(numbers):
        if number != last + 1:
            if last >= 0:
                yield first, last - first + 1
            first = number
        last = number
    if last >= 0:
        yield first, last - first + 1


class Journal:
    """
    An open journal.
    """

    def __init__(self, path: Path, content_id: bytes) -> None:
        """
        Use `create` or `open`.
        """
        self.path = path
        self.size = 0
        self._content_id = content_id
        self._check = content_id
        self._file = -1
        self._appending = threading.Lock()

    @classmethod
    def create(cls, path: Path, content_id: bytes, records: Iterable[tuple[Kind, bytes]],
               old: Journal | None = None) -> Journal:
        """
        Write a journal anew, whole and durable, in place of the old one, which is closed.

        :raises OSError: when it can't be written; the old one is there then, as open as it was.
        """
        journal = cls(path, content_id)
        if old is not None:
            # Windows replaces no file that is open.
            old.close()
        try:
            write_durably(path, journal._chained(records))
        except OSError:
            if old is not None:
                old.reopen()
            raise
        journal.reopen()
        return journal

    def reopen(self) -> None:
        """
        Open the file again.
        """
        self._file = os.open(self.path, os.O_RDWR | BINARY | NO_FOLLOW)

    def _chained(self, records: Iterable[tuple[Kind, bytes]]) -> Iterator[bytes]:
        for kind, body in records:
            data = self._record(kind, body)
            self._check = data[-CHECK_SIZE:]
            self.size += len(data)
            yield data

    def _record(self, kind: Kind, body: bytes) -> bytes:
        data = RECORD.pack(len(body), kind) + body
        return data + blake2b(self._check + data, digest_size=CHECK_SIZE).digest()

    @classmethod
    def open(cls, path: Path, content_id: bytes) -> tuple[Journal, list[tuple[Kind, bytes]]]:
        """
        Open a journal and get its records, up to the first that is not whole.

        :raises OSError: when it can't be read or written.
        :raises StoreError: when it is none.
        """
        journal = cls(path, content_id)
        journal.reopen()
        try:
            if os.fstat(journal._file).st_size > MAX_JOURNAL:
                raise StoreError(f"{shown(str(path))} is too long for a journal")
            with os.fdopen(os.dup(journal._file), "rb") as file:
                data = file.read()
            records = []
            for kind, body, check in read_records(data, content_id):
                journal.size += RECORD.size + len(body) + CHECK_SIZE
                journal._check = check
                records.append((kind, body))
            # What is behind was never true: it must not come back behind what is written next.
            os.ftruncate(journal._file, journal.size)
        except (OSError, StoreError):
            journal.close()
            raise
        return journal, records

    def append(self, kind: Kind, body: bytes) -> None:
        """
        Append a record and make it durable.

        :raises OSError: when it can't be; then it does not count, and can be appended again.
        """
        with self._appending:
            self._append(self._record(kind, body))

    def _append(self, data: bytes) -> None:
        try:
            view, at = memoryview(data), self.size
            while view:
                os.lseek(self._file, at, os.SEEK_SET)
                written = os.write(self._file, view)
                view, at = view[written:], at + written
            sync_file(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)
        self._check = data[-CHECK_SIZE:]

    def close(self) -> None:
        """
        Close the file.
        """
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_records(data: bytes, content_id: bytes) -> Iterator[tuple[Kind, bytes, bytes]]:
    """
    Get kind, body and check of each record that is whole.
    """
    at, before = 0, content_id
    while at + RECORD.size <= len(data):
        length, kind = RECORD.unpack_from(data, at)
        end = at + RECORD.size + length
        check = data[end:end + CHECK_SIZE]
        if check != blake2b(before + data[at:end], digest_size=CHECK_SIZE).digest() or kind not in tuple(Kind):
            return
        yield Kind(kind), data[at + RECORD.size:end], check
        at, before = end + CHECK_SIZE, check
