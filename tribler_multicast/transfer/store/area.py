"""
Files that a part of a content is written to, in place: one file, or all files of a folder.

Somebody else who writes to them, cuts or deletes them is noticed by their stamps, looked at around each access: then
the owner (`doubt`) has what is there checked again.
"""
from __future__ import annotations

import os
import stat as modes
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ...durable import BINARY, NO_FOLLOW, sync_file, sync_folder
from ..content.layout import Spans
from ..content.scan import Stamp
from ..errors import LostError, shown
from ..limits import LARGE_FILE, OPEN_FILES, PREALLOCATE, SYNC_EACH
from .direct import Direct
from .disk import allocate, failed, sync_all, write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from io import FileIO
    from pathlib import Path

NO_STAMP: Final = Stamp(0, 0, 0)


class Dirty:
    """
    Files and folders that were changed since they were last made durable.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self.files: set[Path] = set()
        self.folders: set[Path] = set()

    def add(self, other: Dirty) -> None:
        """
        Put others to these.
        """
        self.files |= other.files
        self.folders |= other.folders

    def sync(self) -> None:
        """
        Make them durable.

        :raises LostError: when one is not there any more.
        :raises StoreError: when they can't be.
        """
        paths = [*self.files, *sorted(self.folders, reverse=True)]
        for number, path in enumerate(paths):
            try:
                if path in self.folders:
                    sync_folder(path)
                    continue
                # By its name, not by a handle that may be long gone: one deleted meanwhile is not durable.
                file = os.open(path, os.O_RDWR | BINARY | NO_FOLLOW)
                try:
                    if not number and len(paths) > SYNC_EACH and sync_all(file):
                        return
                    sync_file(file)
                finally:
                    os.close(file)
            except FileNotFoundError:
                raise lost(path) from None
            except OSError as error:
                raise failed(error, path) from None


def lost(path: Path) -> LostError:
    """
    Get the error for a file that went away.
    """
    return LostError(f"{shown(str(path))} was moved or deleted while it was received")


class Area:
    """
    Files, one behind the other. A file is made when it is first written to.
    """

    def __init__(self, paths: Sequence[Path], sizes: Sequence[int], doubt: Callable[[int, int], None],
                 preallocate: bool = True) -> None:
        """
        :param doubt: is called with start and length of what somebody else has changed.
        :param preallocate: large files get all their room at once.
        """
        self.paths = paths
        self.sizes = sizes
        self.spans = Spans(sizes)
        self.dirty = Dirty()
        self._doubt = doubt
        self._preallocate = preallocate
        self._open: OrderedDict[int, FileIO] = OrderedDict()
        self._direct = Direct()
        self._stamps = array("Q", bytes(8 * 3 * len(paths)))
        self._made: set[Path] = set()

    def stamp(self, number: int) -> Stamp:
        """
        Get the stamp that a file had after our last access; zeros when we never had any.
        """
        return Stamp(*self._stamps[3 * number:3 * number + 3])

    def set_stamp(self, number: int, stamp: Stamp) -> None:
        """
        Have a file known by this stamp.
        """
        self._stamps[3 * number:3 * number + 3] = array("Q", stamp)

    def prepare(self) -> None:
        """
        Make the large files, with their room.

        :raises StoreError: when there is none, or they can't be made.
        """
        if self._preallocate:
            for number, size in enumerate(self.sizes):
                if size >= PREALLOCATE:
                    self._file(number, make=True)

    def found(self, number: int) -> Stamp:
        """
        Get the stamp that a file has now; zeros where there is none.
        """
        try:
            stat = self.paths[number].lstat()
        except OSError:
            return NO_STAMP
        return Stamp.of(stat) if modes.S_ISREG(stat.st_mode) else NO_STAMP

    def look(self, number: int) -> bool:
        """
        Tell whether a file is there with the stamp that is known; else what is in it is doubted.
        """
        found = self.found(number)
        if found != self.stamp(number):
            self._close(number)
            self._changed(number, found)
            return False
        return True

    def write(self, start: int, data: bytes | bytearray | memoryview) -> None:
        """
        Write at a place. Errors as `write_many`.
        """
        self.write_many(((start, data),))

    def write_many(self, pieces: Iterable[tuple[int, bytes | bytearray | memoryview]], *, cached: bool = True) -> None:
        """
        Write at many places (start, data). The files are looked at once for all of them.

        :param cached: by the system's page cache; else past it where that can be done (`direct.py`).
        :raises LostError: when a file was deleted or replaced.
        :raises StoreError: when it can't be written.
        """
        starts, handles = self.spans.starts, dict[int, int]()
        number = 0
        try:
            for start, data in pieces:
                number = bisect_right(starts, start) - 1
                if start + len(data) <= starts[number + 1]:
                    handle = handles.get(number)
                    if handle is None:
                        handle = self._begin(number, handles)
                    at, written = start - starts[number], 0
                    if not cached and self.sizes[number] >= LARGE_FILE:
                        written = self._direct.write(number, self.paths[number], handle, data, at)
                    if (written := written or write_at(handle, data, at)) != len(data):
                        self._rest(handle, data, at, written)
                    continue
                view = memoryview(data)
                for span in self.spans.of(start, len(view)):
                    number = span.file
                    self._rest(self._begin(number, handles), view[:span.length], span.start, 0)
                    view = view[span.length:]
        except OSError as error:
            raise failed(error, self.paths[number]) from None
        finally:
            self._end(handles)

    def _begin(self, number: int, handles: dict[int, int]) -> int:
        if number not in handles:
            if len(handles) == OPEN_FILES:
                # One more would have the first of them closed.
                self._end(handles)
            handles[number] = self._file(number, make=True).fileno()
            self.dirty.files.add(self.paths[number])
        return handles[number]

    def _end(self, handles: dict[int, int]) -> None:
        for number, handle in handles.items():
            self.set_stamp(number, Stamp.of(os.fstat(handle)))
        handles.clear()

    @staticmethod
    def _rest(handle: int, data: bytes | bytearray | memoryview, at: int, written: int) -> None:
        """
        Write what one call did not.
        """
        left = memoryview(data)[written:]
        at += written
        while left:
            written = write_at(handle, left, at)
            left, at = left[written:], at + written

    def read(self, start: int, length: int) -> bytes:
        """
        Read at a place; zeros where nothing was written.

        :raises LostError: when a file was deleted or replaced.
        :raises StoreError: when it can't be read.
        """
        data = bytearray(length)
        view = memoryview(data)
        for span in self.spans.of(start, length):
            if self.stamp(span.file) != NO_STAMP:
                file = self._file(span.file, make=False)
                try:
                    file.seek(span.start)
                    left = view[:span.length]
                    while left and (count := file.readinto(left)):
                        left = left[count:]
                except OSError as error:
                    raise failed(error, self.paths[span.file]) from None
            view = view[span.length:]
        return bytes(data)

    def _file(self, number: int, *, make: bool) -> FileIO:
        path = self.paths[number]
        file = self._open.get(number)
        try:
            if file is None:
                file = self._opened(number, make)
            else:
                self._open.move_to_end(number)
            stat = os.fstat(file.fileno())
        except FileNotFoundError:
            raise lost(path) from None
        except OSError as error:
            raise failed(error, path) from None
        found = Stamp.of(stat)
        if not stat.st_nlink or found.inode != self.stamp(number).inode:
            self._close(number)
            raise lost(path)
        if found != self.stamp(number):
            self._changed(number, found)
        return file

    def _opened(self, number: int, make: bool) -> FileIO:
        path, is_new = self.paths[number], self.stamp(number) == NO_STAMP
        flags = os.O_RDWR | BINARY | NO_FOLLOW
        if is_new and make:
            self._make_folder(path.parent)
            # What is left there from a start that came to nothing is not written to: it may be a second name of
            # somebody's file.
            path.unlink(missing_ok=True)
            flags |= os.O_CREAT | os.O_EXCL
            self.dirty.folders.add(path.parent)
        file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
        try:
            if is_new:
                if self._preallocate and self.sizes[number] >= PREALLOCATE:
                    allocate(file.fileno(), self.sizes[number])
                self.set_stamp(number, Stamp.of(os.fstat(file.fileno())))
                self.dirty.files.add(path)
        except OSError:
            file.close()
            raise
        self._open[number] = file
        if len(self._open) > OPEN_FILES:
            self._close(next(iter(self._open)))
        return file

    def _make_folder(self, folder: Path) -> None:
        if folder in self._made:
            return
        missing = [folder]
        while not missing[-1].exists():
            missing.append(missing[-1].parent)
        folder.mkdir(parents=True, exist_ok=True)
        self.dirty.folders.update(missing)
        self._made.add(folder)

    def _changed(self, number: int, found: Stamp) -> None:
        self.set_stamp(number, found)
        self._doubt(self.spans.starts[number], self.sizes[number])

    def _close(self, number: int) -> None:
        self._direct.close(number)
        if number in self._open:
            self._open.pop(number).close()

    def complete(self, folders: set[Path]) -> None:
        """
        Make what nothing was written to: empty files and folders; and give every file its size.

        :raises StoreError: when that can't be done.
        """
        for number, size in enumerate(self.sizes):
            path = self.paths[number]
            if path in folders:
                continue
            if self.stamp(number) == NO_STAMP:
                self._file(number, make=True)
            if self.stamp(number).size != size:
                file = self._file(number, make=True)
                try:
                    os.ftruncate(file.fileno(), size)
                except OSError as error:
                    raise failed(error, path) from None
                self.set_stamp(number, Stamp.of(os.fstat(file.fileno())))
                self.dirty.files.add(path)
        for folder in sorted(folders):
            try:
                self._make_folder(folder)
            except OSError as error:
                raise failed(error, folder) from None

    def take_dirty(self) -> Dirty:
        """
        Take what is to be made durable.
        """
        dirty, self.dirty = self.dirty, Dirty()
        return dirty

    def close(self) -> None:
        """
        Close the files.
        """
        while self._open:
            self._close(next(iter(self._open)))

