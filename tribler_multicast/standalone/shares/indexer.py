"""
The thread that keeps the index: what is on the disk, and what changes there.

Whatever hints at a change (an event of the system, the time of a folder, somebody who looked for a file in vain) only
says where to look: a name in a folder, or a folder. Each look compares what is there with what the index has, so that
no hint can be wrong, and one that is lost is made up for by the next.
"""
from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from ...database.schema import DamagedError, DatabaseTooNewError, set_aside
from .index import Index
from .inotify import NoWatcher, create_watcher
from .limits import (
    LOG_INTERVAL,
    MAX_WATCHES,
    MOST_REST,
    PAGE_OF_FOLDERS,
    REST,
    RETRY,
    SETTLE,
)
from .listing import join, network_devices
from .names import shown
from .reader import Reader
from .roots import Roots
from .schema import check, is_damage, open_index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .inotify import Watcher
    from .lookup import Lookup
    from .roots import Root

logger = logging.getLogger(__name__)


class StoppedError(Exception):
    """
    The thread is to end.
    """


class Indexer(threading.Thread):
    """
    Reads the shared folders into the index, and follows their changes until it is stopped.
    """

    def __init__(self, path: Path, folders: Sequence[Path], lookup: Lookup,
                 tell: Callable[[list[bytes], list[bytes]], None]) -> None:
        """
        Keep the index at `path`. `tell` gets the infohashes of files that went or changed, and of those that came back.
        """
        super().__init__(name="multicast-shares", daemon=True)
        self.path = path
        self.lookup = lookup
        self.tell = tell
        self.roots = Roots(path, folders)
        self.ready = threading.Event()
        self.stopping = threading.Event()
        self.damaged = threading.Event()
        self.answering = threading.Lock()
        self.refused: DatabaseTooNewError | None = None
        self.problem = ""
        self.said = -LOG_INTERVAL
        self.index: Index | None = None
        self.reader: Reader | None = None
        self.create_watcher: Callable[[], Watcher] = lambda: create_watcher(MAX_WATCHES)
        self.watcher: Watcher = NoWatcher("not begun")
        self.hints: deque[tuple[int, bytes]] = deque()
        self.turns: dict[Root, None] = {}
        self.worked = 0.0

    # --- From other threads.

    def stop(self) -> None:
        """
        Ask the thread to end.
        """
        self.stopping.set()
        with self.answering:
            self.lookup.roots = {}
        index = self.index
        if index is not None:
            with suppress(sqlite3.Error):  # it was just closed
                index.connection.interrupt()
        self.watcher.wake()

    def hint(self, folder: int, name: bytes) -> None:
        """
        Have a look at a name in a folder soon.
        """
        self.hints.append((folder, name))
        self.watcher.wake()

    def damage(self) -> None:
        """
        The index turned out to be damaged.
        """
        self.damaged.set()
        self.watcher.wake()

    def set_folders(self, folders: Sequence[Path]) -> None:
        """
        Share these folders from now on. What is shared no more is not found from this moment on.
        """
        with self.answering:
            self.roots.want(folders)
            wanted = self.roots.still_wanted()
            self.lookup.roots = {number: path for number, path in self.lookup.roots.items() if number in wanted}
        self.watcher.wake()

    # --- The thread.

    def run(self) -> None:
        """
        Work until stopped. Nothing that goes wrong ends it but that.
        """
        # Here and not before: what is never started takes nothing of the few watchers that a user may have.
        self.watcher = self.create_watcher()
        while not self.stopping.is_set():
            try:
                if self.index is None or self.reader is None:
                    self._open()
                else:
                    self._work(self.index, self.reader)
            except StoppedError:
                break
            except DatabaseTooNewError as error:
                self.refused = error
                break
            except Exception as error:
                if not self.stopping.is_set():
                    self._failed(error)
        self.ready.set()
        self._close()
        self.watcher.close()

    def _open(self) -> None:
        """
        Open the index, a new one in the place of a damaged one, and let what it knows be found.
        """
        self.damaged.clear()
        try:
            connection, secret = open_index(self.path)
        except DamagedError as error:
            self._set_aside(error)
            connection, secret = open_index(self.path)
        index = self.index = Index(connection, secret)
        reader = self.reader = Reader(index, self.watcher, self.roots, self.stopping, self.tell)
        self.turns, self.worked = {}, 0.0
        self._configure(index, reader)
        self.ready.set()
        try:
            check(self.path)
        except DamagedError as error:
            self._set_aside(error)
            return
        for root in self.roots.all():
            root.files, root.size, root.folders, root.unreadable = index.count(root.id)
        index.begin()
        index.forget_hashes(time.time())
        reader.commit()

    def _close(self) -> None:
        """
        Close the index.
        """
        if self.reader is not None:
            self.reader.close()
        if self.index is not None:
            self.index.connection.close()
        self.reader = self.index = None
        self.roots.forget()

    def _set_aside(self, error: Exception) -> None:
        """
        Put a damaged index out of the way.
        """
        self._close()
        self.watcher.clear()
        self.hints.clear()
        self.lookup.roots = {}
        self.lookup.close()
        aside = set_aside(self.path, time.time())
        logger.warning("The index of shared files %s is damaged (%s): set aside as %s, starting with a new one",
                       self.path, error, aside.name)

    def _failed(self, error: Exception) -> None:
        """
        Say once what keeps the index from being written, and wait.
        """
        if isinstance(error, sqlite3.Error) and is_damage(error):
            try:
                self._set_aside(error)
                return
            except OSError as failed:
                error = failed
        self.problem = f"The index of shared files {self.path} can't be brought up to date: {error}"
        now = time.monotonic()
        if now - self.said >= LOG_INTERVAL:
            self.said = now
            expected = isinstance(error, sqlite3.Error | OSError)
            logger.warning("%s; trying again every %g seconds", self.problem, RETRY,
                           exc_info=None if expected else error)
        self.ready.set()
        self.stopping.wait(RETRY)

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise StoppedError

    def _work(self, index: Index, reader: Reader) -> None:
        """
        Do the next thing, or wait for one.
        """
        if self.damaged.is_set():
            self._set_aside(DamagedError("found out by a search"))
            return
        now = time.monotonic()
        if self.roots.is_changed():
            self._configure(index, reader)
        if now >= self.roots.next_check:
            self._check_roots(index, reader)
        for number, name in self.watcher.take():
            reader.note(number, name, now)
        while self.hints:
            reader.note(*self.hints.popleft(), now)
        if reader.batch(now):
            self._well()
            took = time.monotonic() - now
            self.worked += took
            self._pause(min(MOST_REST, REST * took))
            return
        self._finish(index)
        if self._poll(index, reader, now):
            return
        if reader.names:
            self._pause(SETTLE)
        elif not self.stopping.is_set():
            self.watcher.wait(self.roots.next_due() - time.monotonic())

    def _well(self) -> None:
        """
        The index was written.
        """
        if self.problem:
            self.problem = ""
            logger.info("The index of shared files %s is brought up to date again", self.path)

    # --- Roots.

    def _configure(self, index: Index, reader: Reader) -> None:
        """
        Bring the roots in line with the folders of the setting.
        """
        there = index.roots()
        wanted = self.roots.resolve()
        index.begin()
        try:
            for path in wanted:
                if path not in there:
                    there[path] = index.add_root(path)
            for path, number in there.items():
                if path not in wanted:
                    reader.removals.add_folder(index.top(number))
            reader.commit()
        except BaseException:
            index.rollback()
            self.roots.want_again()
            raise
        for path in wanted:
            reader.removals.keep_root(self.roots.put(path, there[path], index.top(there[path])).top)
        self._answer()

    def _answer(self) -> None:
        """
        Let the roots that are there be found.
        """
        with self.answering:
            if not self.stopping.is_set():
                wanted = self.roots.still_wanted()
                self.lookup.roots = {root.id: root.path for root in self.roots.all()
                                     if root.present and root.id in wanted}

    def _check_roots(self, index: Index, reader: Reader) -> None:
        """
        See which shared folders are there, and whether they are what they were.
        """
        for root in self.roots.check():
            if root.present:
                reader.devices = network_devices()
                reader.read_all(root)
            else:
                logger.warning("The shared folder %s is %s%s: nothing in it can be found now",
                               shown(root.path), root.state, f" ({root.error})" if root.error else "")
                self.tell(index.hashed_in(root.id), [])
                root.tell_back = True
        self._answer()

    def _finish(self, index: Index) -> None:
        """
        All is read: count, and say what could not be.
        """
        for root in self.turns:
            root.turned(time.monotonic(), self.worked)
        for root in self.roots.all():
            if root.indexing and root.identity is not None:
                root.files, root.size, root.folders, root.unreadable = index.count(root.id)
                self._end(index, root)
        self.turns, self.worked = {}, 0.0

    def _end(self, index: Index, root: Root) -> None:
        """
        A root was read as a whole.
        """
        root.indexing = False
        root.polled_at(time.monotonic(), 0.0)
        root.next_turn = root.next_poll
        path = shown(root.path)
        logger.info("Shared: %s, %d files in %d folders, %d bytes", path, root.files, root.folders, root.size)
        if root.unreadable and not root.said_unreadable:
            root.said_unreadable = True
            logger.warning("%d files or folders in the shared folder %s can't be read, among others in %s",
                           root.unreadable, path, shown(root.first_unreadable or root.path))
        if root.tell_back:
            root.tell_back = False
            self.tell([], index.hashed_in(root.id))

    # --- Polling.

    def _poll(self, index: Index, reader: Reader, now: float) -> bool:
        """
        Look at the times of folders, where and when that is due; get whether there was anything to do.
        """
        due = self.roots.due(now)
        if due:
            reader.devices = network_devices()
        for root in due:
            if now >= root.next_poll:
                took = self._look_at_folders(index, reader, root)
                root.polled_at(time.monotonic(), took)
                if root.polled:
                    reader.read_hot(root)
            if now >= root.turn():
                page = index.folders(root.id, root.cursor, root.turn_size)
                root.cursor = page[-1].id if len(page) == root.turn_size else 0
                reader.todo.update(dict.fromkeys(folder.id for folder in page))
                self.turns[root] = None
                root.next_turn = float("inf")  # until it is known how long this took
        return bool(due)

    def _look_at_folders(self, index: Index, reader: Reader, root: Root) -> float:
        """
        Look at the times of all folders of a root; those that changed are to be read. Get how long that took.
        """
        after, took = 0, 0.0
        while page := index.folders(root.id, after, PAGE_OF_FOLDERS):
            begin = time.monotonic()
            for folder in page:
                try:
                    mtime = os.stat(join(root.path, folder.path), follow_symlinks=False).st_mtime_ns
                except OSError:
                    mtime = -1
                if mtime != folder.mtime_ns:
                    reader.todo[folder.id] = None
            after = page[-1].id
            once = time.monotonic() - begin
            took += once
            self._pause(min(MOST_REST, REST * once))
        return took
