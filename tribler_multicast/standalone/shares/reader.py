"""
Brings into the index what is on the disk, in transactions of some milliseconds each.

What is to be done: `todo`, folders to be read, by their numbers; `names`, single names in folders, after a change;
`removals`, what is gone.
"""
from __future__ import annotations

import errno
import logging
import os
import time
from array import array
from typing import TYPE_CHECKING, Final

from .inotify import WatchLimitError
from .limits import (
    BATCH_ENTRIES,
    BATCH_TIME,
    HOT,
    LOG_INTERVAL,
    MAX_FILES,
    MAX_FOLDERS,
    MOST_HOT,
    MOST_NAMES,
    SETTLE,
)
from .listing import Listing, Part, is_loop, join, network_devices
from .names import CONTROL, shown
from .removals import Removals
from .work import Look, Reading

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from .index import Folder, Index
    from .inotify import Watcher
    from .listing import Entry
    from .roots import Root, Roots

logger = logging.getLogger(__name__)

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that say nothing about the folder that was to be opened."""



class Reader:
    """
    Reads folders into an index, a part at a time.
    """

    def __init__(self, index: Index, watcher: Watcher, roots: Roots, stopping: threading.Event,
                 tell: Callable[[list[bytes], list[bytes]], None]) -> None:
        """
        Begin with nothing to do, and read no more once it is `stopping`. `tell` as in Indexer.
        """
        self.index = index
        self.watcher = watcher
        self.roots = roots
        self.stopping = stopping
        self.tell = tell
        self.todo: dict[int, None] = {}
        self.fresh: set[int] = set()
        self.names: dict[int, set[bytes]] = {}
        self.names_since = 0.0
        self.removals = Removals(index, watcher)
        self.reading: Reading | None = None
        self.shortage: OSError | None = None
        self.crowded = 0.0
        self.hot: dict[int, tuple[int, float]] = {}
        self.devices = network_devices()

    def close(self) -> None:
        """
        Close the folder that is being read.
        """
        if self.reading is not None:
            self.reading.close()
            self.reading = None

    def read_all(self, root: Root) -> None:
        """
        Read all folders of a root again, its own first.
        """
        if root.top in self.removals:
            return
        root.begin("" if self.watcher.watched else self.watcher.why)
        self.todo.update(dict.fromkeys(self.index.numbers(root.id)))
        self.todo.pop(root.top, None)
        self.todo[root.top] = None

    def read_hot(self, root: Root) -> None:
        """
        Read those folders of a root again in which files were written a moment ago.
        """
        now = time.time()
        self.hot = {number: (owner, end) for number, (owner, end) in self.hot.items() if now < end}
        self.todo.update((number, None) for number, (owner, _) in self.hot.items() if owner == root.id)

    def _heat(self, folder: Folder, files: Sequence[Entry]) -> None:
        """
        Note when the files of a folder were written last, if just now.
        """
        last = max((entry.mtime_ns for entry in files), default=0) / 1e9
        if abs(time.time() - last) < HOT:
            self.hot.pop(folder.id, None)
            self.hot[folder.id] = folder.root, last + HOT
            if len(self.hot) > MOST_HOT:
                del self.hot[next(iter(self.hot))]

    def note(self, number: int, name: bytes, now: float) -> None:
        """
        Something happened to a name in a folder, or (empty) to the folder; with the number -1, to anything.
        """
        if number == -1:
            for root in self.roots.all():
                self.read_all(root)
        elif number in self.removals:
            pass
        elif name:
            if not self.names:
                self.names_since = now
            names = self.names.setdefault(number, set())
            names.add(name)
            if name.endswith(CONTROL):
                names.add(name[:-len(CONTROL)])
            if len(names) > MOST_NAMES:
                del self.names[number]
                self.todo[number] = None
        else:
            self.todo[number] = None

    # --- Batches.

    def batch(self, now: float) -> bool:
        """
        Bring a part of what is to be done into the index, in one transaction; get whether there was anything.
        """
        parts: list[tuple[Reading, Part]] = []
        looks: list[Look] = []
        removing = bool(self.removals)
        if not removing and self.names and now - self.names_since >= SETTLE:
            looks = self._look()
        elif not removing:
            parts = self._read(now + BATCH_TIME)
        if not (removing or looks or parts):
            self._complain()
            return bool(self.todo)
        self._write(removing, looks, parts)
        self._complain()
        return True

    def _complain(self) -> None:
        """
        Say what the system is short of, so that folders can't be opened: it says nothing about them.
        """
        if self.shortage is not None:
            error, self.shortage = self.shortage, None
            raise error

    def _write(self, removing: bool, looks: list[Look], parts: list[tuple[Reading, Part]]) -> None:
        """
        Write what was found. When that fails, nothing of it is lost: it is done again.
        """
        index = self.index
        removals = self.removals.copy()
        index.room = MAX_FILES - sum(root.files for root in self.roots.all())
        index.begin()
        try:
            if removing:
                self._remove()
            for look in looks:
                self._apply_look(look)
            for reading, part in parts:
                self._apply(reading, part)
            self.commit()
        except BaseException:
            index.rollback()
            self.removals = removals
            for reading, _ in parts:
                self.todo[reading.folder.id] = None
            for look in looks:
                self.todo[look.folder.id] = None
            if self.reading is not None:
                self.todo[self.reading.folder.id] = None
                self.close()
            raise

    def commit(self) -> None:
        """
        End a transaction, and tell what it did.
        """
        index = self.index
        index.commit()
        for root in self.roots.all():
            files, size = index.grown.get(root.id, (0, 0))
            root.files += files
            root.size += size
        if index.gone or index.back:
            self.tell(index.gone, index.back + index.hashed_still(index.gone))

    def _read(self, deadline: float) -> list[tuple[Reading, Part]]:
        """
        Read folders, as much as goes into one transaction.
        """
        parts: list[tuple[Reading, Part]] = []
        count = 0
        while count < BATCH_ENTRIES and time.monotonic() < deadline and not self.stopping.is_set():
            if self.shortage is not None:
                break
            if self.reading is None:
                if not self.todo:
                    break
                self.reading = self._begin_reading(self.todo.popitem()[0])
                count += 1
                continue
            reading = self.reading
            try:
                part = next(reading.parts)
            except OSError as error:
                part = self._unreadable(reading.root, reading.base, error)
            parts.append((reading, part))
            count += len(part.entries)
            if part.last:
                reading.close()
                self.reading = None
        return parts

    def _begin_reading(self, number: int) -> Reading | None:
        """
        Open a folder to read it.
        """
        folder = self.index.folder(number)
        root = None if folder is None else self.roots.get(folder.root)
        fresh = number in self.fresh
        self.fresh.discard(number)
        if folder is None or root is None or not root.present or number in self.removals:
            return None
        base = join(root.path, folder.path)
        reading = Reading(folder, root, base, fresh)
        try:
            if fresh and is_loop(base, root.path):
                reading.parts = iter((Part([], 0, True),))
                return reading
            self._watch(base, number, root)  # before it is read, so that nothing is missed in between
            reading.listing = Listing(base, root.path)
            reading.mtime_ns = reading.listing.mtime_ns
            reading.parts = reading.listing.parts(BATCH_ENTRIES)
            if reading.listing.device in self.devices and not root.polled:
                root.polled = f"changes are polled for: the file system is {self.devices[reading.listing.device]}"
        except OSError as error:
            if error.errno in SHORTAGES:
                self.shortage = error
                self.todo[number] = None
                return None
            if not os.access(root.path, os.R_OK | os.X_OK):
                self.roots.next_check = 0.0
                return None
            if number != root.top and (not os.path.isdir(base) or os.path.islink(base)):
                self.note(folder.parent, folder.name, time.monotonic())
                return None
            reading.parts = iter((self._unreadable(root, base, error),))
        return reading

    def _unreadable(self, root: Root, base: bytes, error: OSError) -> Part:
        """
        Get what is in a folder that can't be read: nothing.
        """
        logger.debug("Cannot read %s: %s", shown(base), error.strerror)
        root.see_unreadable(base)
        return Part([], 1, True)

    def _watch(self, base: bytes, number: int, root: Root) -> None:
        """
        Have the system tell of changes in a folder; poll the root when it can't.
        """
        now = time.monotonic()
        if not self.watcher.watched or now < self.crowded:
            root.polled = root.polled or self.watcher.why
            return
        try:
            self.watcher.add(base, number)
        except WatchLimitError as error:
            self.crowded = now + LOG_INTERVAL
            self.watcher.why = root.polled = f"changes are polled for: {error}"
            if not root.said_polled:
                root.said_polled = True
                logger.warning("%s: %s", shown(root.path), root.polled)

    def _apply(self, reading: Reading, part: Part) -> None:
        """
        Bring a part of a folder into the index.
        """
        index = self.index
        folder, root = reading.folder, reading.root
        if not reading.fresh and index.folder(folder.id) is None:
            return
        files = [entry for entry in part.entries if not entry.is_folder]
        reading.files.extend(index.put_files(folder, reading.base, files, new=reading.fresh))
        if index.room <= 0:
            root.full = True
        if root.polled:
            self._heat(folder, files)
        names = [entry.name for entry in part.entries if entry.is_folder]
        if names:
            known = {} if reading.fresh else index.children(folder.id, names)
            reading.folders.update(known.values())
            for name in names:
                if name not in known and (number := self._add_folder(folder, root, name)) is not None:
                    reading.folders.add(number)
        reading.unreadable += part.unreadable
        root.unreadable += part.unreadable
        if part.unreadable:
            root.see_unreadable(reading.base)
        if part.last:
            self._end(reading)

    def _end(self, reading: Reading) -> None:
        """
        A folder was read to its end: what the index has besides is gone.
        """
        index, folder, root = self.index, reading.folder, reading.root
        root.unreadable -= folder.unreadable
        if not reading.fresh:
            there = set(reading.files)
            gone = array("q", (number for number in index.all_files_in(folder.id) if number not in there))
            self.removals.add_files(root.id, gone)
            for number in index.all_children(folder.id):
                if number not in reading.folders:
                    self.removals.add_folder(number)
        index.finish_folder(folder.id, reading.mtime_ns, reading.unreadable)

    def _add_folder(self, folder: Folder, root: Root, name: bytes) -> int | None:
        if sum(each.folders for each in self.roots.all()) >= MAX_FOLDERS:
            root.full = True
            return None
        path = join(folder.path, name) if folder.path else name
        if join(root.path, path) == self.roots.private:
            return None
        number = self.index.add_folder(root.id, folder.id, name, path)
        root.folders += 1
        self.todo[number] = None
        self.fresh.add(number)
        return number

    # --- Single names.

    def _look(self) -> list[Look]:
        """
        Look at names that something happened to.
        """
        looks: list[Look] = []
        count = 0
        while self.names and count < BATCH_ENTRIES:
            number, names = self.names.popitem()
            folder = self.index.folder(number)
            root = None if folder is None else self.roots.get(folder.root)
            if folder is None or root is None or not root.present:
                continue
            count += len(names)
            base = join(root.path, folder.path)
            try:
                listing = Listing(base, root.path)
            except OSError:
                self.todo[number] = None
                continue
            try:
                found = []
                for name in names:
                    entry, unreadable = listing.look(name)
                    found.append((name, entry))
                    if unreadable or folder.unreadable:
                        self.todo[number] = None
            finally:
                listing.close()
            looks.append(Look(folder, root, base, found))
        self.names_since = time.monotonic()
        return looks

    def _apply_look(self, look: Look) -> None:
        """
        Bring what is now under some names of a folder into the index.
        """
        index, (folder, root, base, found) = self.index, look
        for name, entry in found:
            child = index.child(folder.id, name)
            if entry is None or entry.is_folder:
                index.remove_files(root.id, index.named(folder.id, name))
            if entry is not None and entry.is_folder:
                if child is None:
                    self._add_folder(folder, root, name)
                elif child not in self.removals:
                    self.todo[child] = None
            elif child is not None:
                self.removals.add_folder(child)
        files = [entry for _, entry in found if entry is not None and not entry.is_folder]
        index.put_files(folder, base, files)
        if root.polled:
            self._heat(folder, files)

    # --- What is gone.

    def _remove(self) -> None:
        """
        Remove some of what is gone.
        """
        for folder in self.removals.step():
            root = self.roots.get(folder.root)
            if root is not None:
                root.folders -= 1
            elif folder.parent == 0:
                self.index.remove_root(folder.root)
            self.todo.pop(folder.id, None)
            self.fresh.discard(folder.id)
            self.names.pop(folder.id, None)
