"""
Made durable in groups: first the data, then what the journal says of it.
"""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..errors import LostError, StoreError
from ..limits import COMMIT_BYTES, COMMIT_TIME, COMPACT
from .disk import failed
from .journal import HEAD, MAGIC, Commit, Journal, Kind
from .place import JOURNAL

if TYPE_CHECKING:
    from ..content.manifest import Manifest
    from ..content.tree import HashTree, Node
    from .area import Dirty
    from .areas import Areas
    from .progress import Progress


class Commits:
    """
    The journal of one store, and what it is still to say.

    Two locks: `mutex` guards what the store has in memory, and is given free while a commit waits for the disk;
    `committing` is held by the one commit under way, and taken first.
    """

    def __init__(self, manifest: Manifest, areas: Areas, progress: Progress, tree: HashTree) -> None:
        """
        There is no journal yet: write it (`write_journal`), or set `journal` to an open one.
        """
        self.manifest = manifest
        self.areas = areas
        self.progress = progress
        self.tree = tree
        self.mutex = threading.RLock()
        self.committing = threading.Lock()
        self.journal: Journal | None = None
        self.unsaved = 0
        """Bytes written since the last commit."""
        self._base = 0
        self._nodes: list[Node] = []
        self._since: float | None = None

    def has_index(self) -> bool:
        """
        Tell whether the whole index is here, and its files are not made yet.
        """
        return self.areas.entries is None and all(map(self.progress.is_whole, range(self.areas.layout.index_segments)))

    def is_due(self, now: float) -> bool:
        """
        Tell whether a commit is due (`Store.is_due`).
        """
        with self.mutex:
            if self.has_index():
                return True
            if not self.progress.is_changed:
                self._since = None
                return False
            if self._since is None:
                self._since = now
            return self.unsaved >= COMMIT_BYTES or now - self._since >= COMMIT_TIME

    def commit(self) -> None:
        """
        Commit (`Store.commit`).
        """
        with self.committing:
            with self.mutex:
                if self.has_index():
                    self._open_index()
                if self._is_long():
                    self._commit_now()
                    return
                commit, dirty = self._taken()
            self._sync(commit, dirty)
            self._tell(commit)

    def _commit_now(self) -> None:
        """
        Commit while nobody writes; a journal that has become long is written anew.
        """
        commit, dirty = self._taken()
        self._sync(commit, dirty)
        if not self._is_long():
            self._tell(commit)
            return
        try:
            self.write_journal()
        except StoreError:
            self._untell(commit)
            raise

    def _is_long(self) -> bool:
        return self.journal is not None and self.journal.size > self._base + max(COMPACT, self._base)

    def _open_index(self) -> None:
        """
        Make the files that the index tells of, and move to them what came before it. What fails is tried again by the
        next commit.
        """
        data = self.areas.set_entries()
        try:
            data.prepare()
            self.areas.move_early(self.progress)
            self._commit_now()
            self.say(Kind.PLACED, bytes(self.areas.rules))
        except StoreError:
            self.areas.unset_entries()
            raise
        self.areas.drop_early()

    def _taken(self) -> tuple[Commit, Dirty]:
        commit = self.progress.changes()
        commit.nodes, self._nodes = self._nodes + self.tree.learned(), []
        self._since, self.unsaved = None, 0
        return commit, self.areas.take_dirty()

    def _sync(self, commit: Commit, dirty: Dirty) -> None:
        try:
            dirty.sync()
        except StoreError as error:
            with self.mutex:
                if not isinstance(error, LostError):
                    self.areas.put_back(dirty)
                self._nodes = commit.nodes + self._nodes
                # After this the system may take for written what is not: only writing it again helps (Rebello et al.,
                # "Can applications recover from fsync failures?", 2020).
                for segment in (*commit.whole, *commit.partial):
                    self.progress.drop_units(segment)
            raise

    def _tell(self, commit: Commit) -> None:
        if commit:
            try:
                self.say(Kind.COMMIT, commit.pack())
            except StoreError:
                self._untell(commit)
                raise

    def _untell(self, commit: Commit) -> None:
        with self.mutex:
            self.progress.undo(commit)
            self._nodes = commit.nodes + self._nodes

    def say(self, kind: Kind, body: bytes) -> None:
        """
        Append to the journal.

        :raises StoreError: when it can't be written; it says nothing more than before then.
        """
        try:
            if self.journal is not None:
                self.journal.append(kind, body)
        except OSError as error:
            raise failed(error, self.areas.place.state) from None

    def write_journal(self) -> None:
        """
        Write the journal anew, with all there is. Nothing that is not durable may be under way.

        :raises StoreError: when it can't be written; the old one is there then.
        """
        told = self.progress.all()
        told.nodes = self.tree.nodes()
        records = [(Kind.HEAD, HEAD.pack(MAGIC, self.progress.unit) + self.manifest.pack())]
        if self.areas.index is not None and self.areas.data is not None and self.areas.early is None:
            records.append((Kind.PLACED, bytes(self.areas.rules)))
        records.append((Kind.COMMIT, told.pack()))
        path = self.areas.place.state / JOURNAL
        try:
            self.journal = Journal.create(path, self.manifest.content.id, records, self.journal)
        except OSError as error:
            raise failed(error, path) from None
        self._base = self.journal.size

    def end(self) -> None:
        """
        Say that nothing is under way, when that is so.

        :raises StoreError: when it can't be written.
        """
        with self.committing, self.mutex:
            if self.areas.data is not None and not (self.progress.unchecked or self.progress.is_changed):
                self.say(Kind.CLEAN, self.areas.stamps())

    def release(self) -> None:
        """
        Close all files.
        """
        with self.committing, self.mutex:
            self.areas.close()
            if self.journal is not None:
                self.journal.close()
                self.journal = None
