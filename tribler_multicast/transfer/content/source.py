"""
The publisher's side: hashes files once, and gives their segments as they were then, or an error.

That a file is still the same is looked at around each read (inode, size, time of change), and by the hash of the
segment, because time stamps are coarse and can be set. So who receives never gets a byte that was not offered.
"""
from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ...durable import BINARY, NO_FOLLOW
from ..errors import CancelledError, ChangedError, ContentError, reason
from ..limits import HASHERS, OPEN_FILES, SEGMENT_SIZE, SEGMENTS_KEPT
from .index import pack_index
from .layout import Layout, Spans
from .manifest import Content
from .scan import Listing, Stamp, scan
from .tree import HashTree, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

    from .index import Entry


GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""What the system says where a file was and something else is now, or nothing."""


class Files:
    """
    The files of a listing, for reading; some of them open.
    """

    def __init__(self, listing: Listing) -> None:
        """
        Open nothing yet.
        """
        self.listing = listing
        self.spans = Spans(entry.size for entry in listing.entries)
        self._open: OrderedDict[int, FileIO] = OrderedDict()

    def read_into(self, view: memoryview, start: int) -> None:
        """
        Fill `view` with the data from `start` on.

        :raises ChangedError: when a file is not what it was when it was listed.
        :raises ContentError: when one can't be read.
        """
        at = 0
        for span in self.spans.of(start, len(view)):
            try:
                file = self._file(span.file)
                file.seek(span.start)
                end = at + span.length
                while at < end and (count := file.readinto(view[at:end])):
                    at += count
                # After the read, too: what was written meanwhile may be in it.
                is_whole = at == end and Stamp.of(os.fstat(file.fileno())) == self.listing.stamp(span.file)
            except OSError as error:
                if error.errno in GONE:
                    raise self.changed(span.file) from None
                raise ContentError(f"cannot read {self.listing.shown(span.file)}: {reason(error)}") from None
            if not is_whole:
                raise self.changed(span.file)

    def look(self) -> None:
        """
        See that the files read last are still what they were.

        :raises ChangedError: when one is not.
        """
        for number, file in list(self._open.items()):
            if Stamp.of(os.fstat(file.fileno())) != self.listing.stamp(number):
                raise self.changed(number)

    def changed(self, number: int) -> ChangedError:
        """
        Get the error that says that a file was changed, and forget that it is open.
        """
        if number in self._open:
            self._open.pop(number).close()
        return ChangedError(f"{self.listing.shown(number)} was changed or deleted since it was offered")

    def _file(self, number: int) -> FileIO:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        # Not blocking: a pipe that was put in place of the file must not hold us until somebody writes to it.
        flags = os.O_RDONLY | NO_FOLLOW | BINARY | getattr(os, "O_NONBLOCK", 0)
        file = os.fdopen(os.open(self.listing.real(number), flags), "rb", buffering=0)
        if Stamp.of(os.fstat(file.fileno())) != self.listing.stamp(number):
            file.close()
            raise self.changed(number)
        self._open[number] = file
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file

    def close(self) -> None:
        """
        Close them all.
        """
        while self._open:
            self._open.popitem()[1].close()


def hash_all(layout: Layout, read_into: Callable[[memoryview, int], None], hashed: Callable[[int], None]) -> bytearray:
    """
    Hash all segments, several at a time: one processor reads faster than it hashes.

    :param read_into: fills a buffer with a segment; `hashed` is told of each, in order.
    """
    workers = min(HASHERS, os.cpu_count() or 1, layout.segments)
    leaves, size = bytearray(), min(SEGMENT_SIZE, max(layout.index_size, layout.data_size))
    free = [memoryview(bytearray(size)) for _ in range(workers + 1)]
    under_way: deque[tuple[int, memoryview, Future[bytes]]] = deque()

    def take() -> None:
        segment, buffer, done = under_way.popleft()
        leaves.extend(done.result())
        free.append(buffer)
        hashed(segment)

    with ThreadPoolExecutor(max(1, workers), "transfer-hash") as pool:
        for segment in range(layout.segments):
            if not free:
                take()
            buffer = free.pop()
            view = buffer[:layout.length(segment)]
            read_into(view, segment)
            under_way.append((segment, buffer, pool.submit(leaf_hash, view)))
        while under_way:
            take()
    return leaves


class Source:
    """
    A content that is here: what it is (`content`), its whole hash tree, and its segments. Any thread may read.
    """

    def __init__(self, listing: Listing, content: Content, tree: HashTree, index: bytes) -> None:
        """
        Use `publish` instead, or `load` of `record`.
        """
        self.listing = listing
        self.content = content
        self.tree = tree
        self.index = index
        self.layout = content.layout
        self.keep = SEGMENTS_KEPT
        """How many segments stay in memory for reading again in parts, 1 MiB each."""
        self._files = Files(listing)
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def publish(cls, path: Path, progress: Callable[[int, int], None] | None = None,
                cancelled: Callable[[], bool] | None = None) -> Source:
        """
        List and hash what is at a path: takes as long as reading it. Calls `progress(bytes done, bytes of all)` and
        `cancelled()` once for each segment.

        :raises ContentError: when it can't be offered.
        :raises ChangedError: when a file changes meanwhile.
        :raises CancelledError: when `cancelled` said so.
        """
        return cls.of(scan(path, cancelled), progress, cancelled)

    @classmethod
    def of(cls, listing: Listing, progress: Callable[[int, int], None] | None = None,
           cancelled: Callable[[], bool] | None = None, index_size: int | None = None) -> Source:
        """
        Hash what was listed. As `publish`; with another `index_size` than it has, it is an error before that.
        """
        index = pack_index(listing.entries) if listing.is_folder else b""
        if index_size not in (None, len(index)):
            raise ContentError("the index has another length")
        layout = Layout(len(index), listing.size)
        files = Files(listing)

        def read_into(view: memoryview, segment: int) -> None:
            if cancelled is not None and cancelled():
                raise CancelledError("cancelled")
            start = layout.start(segment)
            if layout.is_index(segment):
                view[:] = index[start:start + len(view)]
            else:
                files.read_into(view, start)

        def hashed(segment: int) -> None:
            if progress is not None and not layout.is_index(segment):
                progress(layout.start(segment) + layout.length(segment), layout.data_size)

        try:
            leaves = hash_all(layout, read_into, hashed)
            files.look()
        finally:
            files.close()
        tree = HashTree.of_leaves(leaves)
        content = Content(listing.is_folder, listing.name, listing.size, len(index), len(listing.entries), tree.root)
        return cls(listing, content, tree, index)

    @property
    def entries(self) -> list[Entry]:
        """
        The files, as the index has them.
        """
        return self.listing.entries

    def is_unchanged(self) -> bool:
        """
        Tell whether every file is where and as it was, by its stamp, without reading it.
        """
        try:
            if self.listing.path.is_dir() != self.content.is_folder:
                return False
            for number, entry in enumerate(self.entries):
                path = self.listing.real(number)
                if not (path.is_dir() if entry.is_folder else Stamp.of(path.lstat()) == self.listing.stamp(number)):
                    return False
        except OSError:
            return False
        return True

    def has(self, segment: int) -> bool:
        """
        Tell whether a segment is here, as `Store.has`: all are.
        """
        return 0 <= segment < self.layout.segments

    def available(self, start: int, length: int) -> int:
        """
        Get how many of so many bytes of the data can be read from `start` on, as `Store.available`.
        """
        return max(0, min(length, self.layout.data_size - start))

    def file_range(self, path: str) -> tuple[int, int] | None:
        """
        Get where in the data a file of the index begins, and its size; None when it is none.
        """
        for number, entry in enumerate(self.entries):
            if entry.path == path and not entry.is_folder:
                return self._files.spans.starts[number], entry.size
        return None

    def read(self, segment: int) -> bytes:
        """
        Get a segment, checked. The last few are kept in memory.

        :raises ChangedError: when it is not what it was when it was hashed.
        :raises ContentError: when it can't be read.
        """
        with self._lock:
            if segment in self._kept:
                self._kept.move_to_end(segment)
                return self._kept[segment]
            start, length = self.layout.start(segment), self.layout.length(segment)
            if self.layout.is_index(segment):
                return self.index[start:start + length]
            buffer = bytearray(length)
            self._files.read_into(memoryview(buffer), start)
            data = bytes(buffer)
            if not self.tree.check(segment, data):
                raise self._files.changed(self._files.spans.files_of(start, length)[0])
            self._kept[segment] = data
            if len(self._kept) > self.keep:
                self._kept.popitem(last=False)
            return data

    def read_data(self, start: int, length: int) -> bytes:
        """
        Get any part of the data (all files, one behind the other); less at the end. Errors as `read`.
        """
        length = self.available(start, length)
        parts = []
        for segment in self.layout.of_data(start, length):
            first = max(0, start - self.layout.start(segment))
            parts.append(self.read(segment)[first:start + length - self.layout.start(segment)])
        return b"".join(parts)

    def close(self) -> None:
        """
        Close the files. Reading opens them again.
        """
        with self._lock:
            self._files.close()
            self._kept.clear()
