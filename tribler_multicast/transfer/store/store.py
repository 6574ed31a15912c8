"""
The receiver's storage of one content, from the first byte to the result under its name.

What comes is written in place at once (`write`: units of a segment, not checked yet; `write_segment`: a whole one,
checked before). A segment counts once its hash is right (`verify`). In groups (`is_due`, `commit`) all that was written
is made durable, then the journal says what there is; so what the journal says is true whatever happens. After a start
that follows a crash, and when somebody else writes to the files, what it says is looked at again all the same
(`recheck`, as long as something is `unchecked`).

Any thread may call; calls read and write the disk. A commit waits for the disk without holding up the others.
"""
from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ..errors import ChangedError, StoreError, shown
from ..limits import SEGMENTS_KEPT
from .areas import Areas
from .commits import Commits
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..content.index import Entry
    from ..content.manifest import Manifest
    from .disk import Lock
    from .place import Place


class Store:
    """
    A content that is being received. Get it from `opening.receive_to`; end it by `ending.finish`, `ending.discard` or
    `close`.
    """

    def __init__(self, manifest: Manifest, place: Place, unit: int, lock: Lock) -> None:
        """
        Begin with nothing, in a state folder of which we hold the lock.
        """
        self.manifest = manifest
        self.content = manifest.content
        self.layout = self.content.layout
        self.place = place
        self.unit = unit
        self.lock = lock
        self.tree = self.content.tree()
        self.progress = Progress(self.layout, unit)
        self.areas = Areas(self.content, place, self._doubt)
        self.commits = Commits(manifest, self.areas, self.progress, self.tree)
        self.keep = SEGMENTS_KEPT
        """How many segments stay in memory for reading again in parts, 1 MiB each."""
        self._mutex = self.commits.mutex
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._full: list[int] = []

    # --- What there is.

    @property
    def entries(self) -> list[Entry] | None:
        """
        The files, once the index is here and they are made.
        """
        return self.areas.entries

    @property
    def is_whole(self) -> bool:
        """
        Whether all of it is here and checked.
        """
        return self.progress.whole == self.layout.segments

    @property
    def bytes_whole(self) -> int:
        """
        Bytes of all segments that are here and checked, the index's too.
        """
        return self.progress.bytes

    @property
    def unchecked(self) -> int:
        """
        How many segments are to be looked at by `recheck`.
        """
        return self.progress.unchecked + len(self._full)

    def has(self, segment: int) -> bool:
        """
        Tell whether a segment is here and checked.
        """
        return self.progress.is_whole(segment)

    def units(self, segment: int) -> int:
        """
        Get which units of a segment are here: a bit each, the first lowest. Not checked while the segment is not whole.
        """
        return self.progress.units(segment)

    def available(self, start: int, length: int) -> int:
        """
        Get how many of so many bytes of the data (all files, one behind the other) can be read from `start` on.
        """
        length = max(0, min(length, self.layout.data_size - start))
        segments = self.layout.of_data(start, length)
        end = self.progress.next_not_whole(segments.start, segments.stop)
        return length if end == segments.stop else max(0, self.layout.start(end) - start)

    def file_range(self, path: str) -> tuple[int, int] | None:
        """
        Get where in the data a file of the index begins, and its size; None when it is none, or the index is not here.
        """
        for number, entry in enumerate(self.entries or ()):
            if entry.path == path and not entry.is_folder and self.areas.data is not None:
                return self.areas.data.spans.starts[number], entry.size
        return None

    # --- Proofs and writing.

    def add_proof(self, first: int, height: int, proof: bytes) -> bool:
        """
        Check a proof off the wire and keep it; False when it is wrong. Never raises, never waits for the disk.
        """
        return self.tree.add(first, height, proof)

    def write(self, segment: int, offset: int, data: bytes | bytearray | memoryview) -> bool:
        """
        Write units of a segment that nobody checked yet. False, and nothing is written, when the segment is here
        already. Errors as `write_many`.
        """
        return bool(self.write_many(((segment, offset, data),)))

    def write_many(self, pieces: Iterable[tuple[int, int, bytes | bytearray | memoryview]]) -> int:
        """
        Write units of segments (segment, offset, data) that nobody checked yet: offset and length are multiples of the
        unit, but for the end of a segment. Get how many were written: not those of segments that are here already.

        One call for all that came at once takes a third of the time of one call each.

        :raises ValueError: when they are not multiples.
        :raises DiskFullError: when there is no room; once there is, the same call succeeds.
        :raises LostError: when the file was deleted or replaced.
        :raises StoreError: when it can't be written.
        """
        unit, progress = self.unit, self.progress
        with self._mutex:
            self._check_open()
            new = []
            for piece in pieces:
                segment, offset, data = piece
                end = offset + len(data)
                if offset < 0 or offset % unit or (end % unit and end != progress.length(segment)) \
                        or not offset < end <= progress.length(segment):
                    raise ValueError("not whole units of the segment")
                if progress.is_missing(segment):
                    new.append(piece)
            self.areas.write(new)
            for segment, offset, data in new:
                progress.add_units(segment, offset // unit, -(-len(data) // unit))
                self.commits.unsaved += len(data)
        return len(new)

    def write_segment(self, segment: int, data: bytes | bytearray | memoryview, *, cached: bool = True) -> bool | None:
        """
        Write a whole segment when its hash is right: False when it is not, None when the hash is not known. Errors as
        `write`.

        :param cached: as `Area.write_many`.
        """
        with self._mutex:
            self._check_open()
            if self.progress.is_whole(segment):
                return True
            fits = self.tree.check(segment, data)
            if fits:
                self.areas.write(((segment, 0, data),), cached=cached)
                self.progress.set_whole(segment)
                self.commits.unsaved += len(data)
            return fits

    def verify(self, segment: int) -> bool | None:
        """
        Check a segment all units of which are written: from True on it counts; False when its hash is wrong (`drop`
        what is bad of it); None when units, or the hash, are missing.

        :raises LostError: when the file was deleted or replaced.
        :raises StoreError: when it can't be read.
        """
        with self._mutex:
            self._check_open()
            if self.progress.is_whole(segment):
                return True
            if not self.progress.is_full(segment) or self.tree.leaf(segment) is None:
                return None
            fits = self.tree.check(segment, self.areas.read(segment))
            if fits:
                self.progress.set_whole(segment)
            return fits

    def drop(self, segment: int, units: int | None = None) -> None:
        """
        Forget units (bits; None: all) of a segment that is not whole.
        """
        with self._mutex:
            if not self.progress.is_whole(segment):
                self.progress.drop_units(segment, units)

    # --- Reading.

    def read_units(self, segment: int, offset: int, length: int) -> bytes:
        """
        Read back what was written, checked or not: to decode from, and to find what is bad. Errors as `verify`.
        """
        with self._mutex:
            self._check_open()
            return self.areas.read(segment, offset, length)

    def read(self, segment: int) -> bytes:
        """
        Get a segment that is whole, checked again as it is read: to serve and to recode from. The last few are kept in
        memory.

        :raises KeyError: when it is not here.
        :raises ChangedError: when somebody else has changed it; it counts as missing from now on.
        :raises LostError: when the file was deleted or replaced.
        :raises StoreError: when it can't be read.
        """
        with self._mutex:
            self._check_open()
            if not self.progress.is_whole(segment):
                raise KeyError(segment)
            if segment in self._kept:
                self._kept.move_to_end(segment)
                return self._kept[segment]
            data = self.areas.read(segment)
            if not self.tree.check(segment, data):
                self.progress.drop_units(segment)
                raise ChangedError(f"{shown(str(self.place.part))} was changed by another program")
            # Reading may have shown that the file is not as it was: then it is to be checked with all the rest of it.
            if self.progress.is_whole(segment):
                self._kept[segment] = data
                if len(self._kept) > self.keep:
                    self._kept.popitem(last=False)
            return data

    def read_data(self, start: int, length: int) -> bytes:
        """
        Get a part of the data (all files, one behind the other), up to the first segment that is not here. Errors as
        `read`.
        """
        with self._mutex:
            length = self.available(start, length)
            parts = []
            for segment in self.layout.of_data(start, length):
                first = max(0, start - self.layout.start(segment))
                if not self.progress.is_whole(segment):
                    break
                parts.append(self.read(segment)[first:start + length - self.layout.start(segment)])
            return b"".join(parts)

    def _check_open(self) -> None:
        if self.commits.journal is None:
            raise StoreError(f"{shown(str(self.place.part))} is closed")

    # --- Looked at again.

    def _doubt(self, segments: range) -> None:
        for segment in segments:
            self.progress.doubt(segment)
            self._kept.pop(segment, None)

    def doubt_full(self) -> None:
        """
        Have partial segments that are full looked at by `recheck`.
        """
        self._full = [segment for segment in self.progress.partial() if self.progress.is_full(segment)]

    def recheck(self) -> int:
        """
        Look at one more segment that is to be checked again, and get how many are left. Bad ones are forgotten.

        :raises LostError: when the file was deleted or replaced.
        :raises StoreError: when it can't be read.
        """
        with self._mutex:
            self._check_open()
            segment = self.progress.next_unchecked()
            if segment is None and self._full:
                segment = self._full.pop()
            if segment is not None and not self.progress.is_whole(segment):
                if self.tree.check(segment, self.areas.read(segment)):
                    self.progress.set_whole(segment)
                elif self.progress.is_unchecked(segment) or self.tree.leaf(segment) is not None:
                    self.progress.drop_units(segment)
            return self.unchecked

    # --- Made durable.

    def is_due(self, now: float) -> bool:
        """
        Tell whether a `commit` is due: enough bytes, seconds since there was something to say, or the index came.
        """
        return self.commits.is_due(now)

    def commit(self) -> None:
        """
        Make durable what was written, then what the journal says of it. Once the whole index is here, the files are
        made, and what came before them is moved there.

        :raises ContentError: when the index is none, or does not fit the manifest: nothing can come of this content.
        :raises DiskFullError: when there is no room for it. What can't be made durable is forgotten, the rest told next
            time.
        :raises LostError: when a file was deleted.
        :raises StoreError: when it can't be.
        """
        self._check_open()
        self.commits.commit()

    def close(self) -> None:
        """
        Make durable what there is, and give the place free. A start after this need not check again what is untouched.

        :raises TransferError: as `commit`; the place is free all the same.
        """
        if self.commits.journal is None:
            return
        try:
            self.commits.commit()
            self.commits.end()
        finally:
            self.release()

    def release(self) -> None:
        """
        Close all files and give the place free, as it is.
        """
        self.commits.release()
        self._kept.clear()
        self.lock.release()
