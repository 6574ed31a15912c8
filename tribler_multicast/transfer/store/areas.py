"""
The files of one content while it is received: its index, its data, and what came before the index.
"""
from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, overload

from ..content.names import LocalNames
from ..content.scan import STAMP
from ..errors import StoreError
from ..limits import SEGMENT_SIZE
from .area import Area, Dirty
from .place import EARLY, INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..content.index import Entry
    from ..content.manifest import Content
    from .place import Place
    from .progress import Progress


def check_encodable(name: str) -> None:
    """
    See that this system can write a name.

    :raises StoreError: when its encoding has no such characters.
    """
    try:
        os.fsencode(name)
    except UnicodeError:
        raise StoreError(f"the encoding of this system ({sys.getfilesystemencoding()}) has no name like "
                         f"{name!a}") from None


class Rules(NamedTuple):
    """
    What names must be like on this disk.
    """

    windows: bool
    ignores_case: bool


class Below(Sequence[Path]):
    """
    Paths in a folder. They are made when they are asked for: 100,000 of them would take 50 MB.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        """
        Take the folder, and the names with / in them.
        """
        self.folder = folder
        self.names = names

    def __len__(self) -> int:
        """
        Get how many there are.
        """
        return len(self.names)

    @overload
    def __getitem__(self, number: int) -> Path: ...

    @overload
    def __getitem__(self, number: slice) -> list[Path]: ...

    def __getitem__(self, number: int | slice) -> Path | list[Path]:
        """
        Get one, or some.
        """
        if isinstance(number, slice):
            return [self.folder / name for name in self.names[number]]
        return self.folder / self.names[number]


class Areas:
    """
    Where each segment is. Of a single file there is the data only; of a folder its index and, until that is known, one
    file for what comes before it.
    """

    def __init__(self, content: Content, place: Place, doubt: Callable[[range], None]) -> None:
        """
        Touch nothing yet. `doubt` is called with segments that somebody else has changed.
        """
        self.content = content
        self.place = place
        self.layout = content.layout
        self.doubt = doubt
        self.rules = Rules(False, False)
        self.entries: list[Entry] | None = None
        self.local: list[str] = []
        """What the entries are called on this disk."""
        self.index: Area | None = None
        self.early: Area | None = None
        self.data: Area | None = None
        self._dirty = Dirty()
        if content.is_folder:
            self.index = Area([place.state / INDEX], [content.index_size], self._doubt_index, preallocate=False)
            self.early = Area([place.state / EARLY], [content.size], self.doubt_data, preallocate=False)
        else:
            self.entries, self.local = content.entries(b""), [content.name]
            self.data = Area([place.part], [content.size], self.doubt_data)

    def of(self, segment: int) -> Area:
        """
        Get where a segment is.
        """
        area = self.index if self.layout.is_index(segment) else self.data or self.early
        assert area is not None
        return area

    def write(self, pieces: Iterable[tuple[int, int, bytes | bytearray | memoryview]], *, cached: bool = True) -> None:
        """
        Write parts of segments (segment, offset, data). As `Area.write_many`.
        """
        first = self.layout.index_segments
        index: list[tuple[int, bytes | bytearray | memoryview]] = []
        data: list[tuple[int, bytes | bytearray | memoryview]] = []
        for segment, offset, piece in pieces:
            if segment < first:
                index.append((segment * SEGMENT_SIZE + offset, piece))
            else:
                data.append(((segment - first) * SEGMENT_SIZE + offset, piece))
        if index:
            self.of(0).write_many(index, cached=cached)
        if data:
            self.of(first).write_many(data, cached=cached)

    def read(self, segment: int, offset: int = 0, length: int | None = None) -> bytes:
        """
        Read a part of a segment. Errors as `Area.read`.
        """
        left = self.layout.length(segment) - offset
        length = left if length is None else max(0, min(length, left))
        return self.of(segment).read(self.layout.start(segment) + offset, length)

    def doubt_data(self, start: int, length: int) -> None:
        """
        Have a part of the data checked again.
        """
        self.doubt(self.layout.of_data(start, length))

    def _doubt_index(self, _start: int, _length: int) -> None:
        self.doubt(range(self.layout.index_segments))

    def read_index(self) -> bytes:
        """
        Get the index as it is on the disk.
        """
        return self.index.read(0, self.layout.index_size) if self.index and self.layout.index_size else b""

    def set_entries(self) -> Area:
        """
        Take the files from the index.

        :raises ContentError: when it is none that fits the manifest.
        """
        entries = self.content.entries(self.read_index())
        names = LocalNames(windows=self.rules.windows, ignores_case=self.rules.ignores_case)
        self.local = []
        for entry in entries:
            local = names.place(entry.path)
            check_encodable(local)
            self.local.append(entry.path if local == entry.path else local)
        self.data = Area(Below(self.place.part, self.local), [entry.size for entry in entries], self.doubt_data)
        self.entries = entries
        return self.data

    def unset_entries(self) -> None:
        """
        Go back to where they were not known.
        """
        if self.data is not None:
            self.data.close()
        self.data, self.entries = None, None

    def move_early(self, progress: Progress) -> None:
        """
        Copy what came before the index to where it belongs. Errors as `Area.write`.
        """
        assert self.data is not None
        assert self.early is not None
        for segment in range(self.layout.index_segments, self.layout.segments):
            start, end, units = self.layout.start(segment), self.layout.length(segment), progress.units(segment)
            for number in range(units.bit_length()):
                if units >> number & 1:
                    at = number * progress.unit
                    self.data.write(start + at, self.early.read(start + at, min(progress.unit, end - at)))

    def drop_early(self) -> None:
        """
        Delete what came before the index, once it is where it belongs.
        """
        if self.early is not None:
            self.early.close()
            with contextlib.suppress(OSError):
                self.early.paths[0].unlink(missing_ok=True)
            self.early.dirty = Dirty()
            self._dirty.files.discard(self.early.paths[0])
            self.early = None

    def stamps(self) -> bytes:
        """
        Get the stamps of all files of the data, for the journal.
        """
        data = self.data
        return b"" if data is None else b"".join(STAMP.pack(*data.stamp(n)) for n in range(len(data.paths)))

    def take_dirty(self) -> Dirty:
        """
        Take what is to be made durable.
        """
        for area in (self.index, self.early, self.data):
            if area is not None:
                self._dirty.add(area.take_dirty())
        dirty, self._dirty = self._dirty, Dirty()
        return dirty

    def put_back(self, dirty: Dirty) -> None:
        """
        Have it made durable next time.
        """
        self._dirty.add(dirty)

    def close(self) -> None:
        """
        Close the files.
        """
        for area in (self.index, self.early, self.data):
            if area is not None:
                area.close()
