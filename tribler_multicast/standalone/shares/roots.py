"""
The shared folders: which there are, which of them are inside each other, and how each does.

A folder is known by its true path. What is inside another shared folder and is read with it is none of its own, so that
no file is there twice; a hidden one is.
"""
from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .index import true_path
from .limits import (
    FOLDER_CHECK,
    MAX_FILES,
    MAX_FOLDERS,
    MOST_IN_TURN,
    POLL,
    POLL_SHARE,
    SAFETY,
    TURN,
    TURN_SHARE,
)
from .listing import SEPARATOR
from .names import is_shared_folder, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

STATES = ("indexing", "watched", "polled", "missing", "unreadable")
"""How a shared folder does: it is read for the first time or again, the system tells what changes in it, it is looked
at every few seconds, it is not there, it can't be read (or is refused). Nothing is found in the last two."""


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """
    How a folder of the setting does: one of STATES, how many files are found in it and their bytes, and what is wrong
    with it or why it is polled, one line.
    """

    path: Path
    state: str
    files: int = 0
    bytes: int = 0
    error: str = ""


@dataclass(eq=False)
class Root:
    """
    A shared folder that is in the index, `top` being the number of its own folder.
    """

    id: int
    path: bytes
    top: int
    present: bool = True
    state: str = ""
    error: str = ""
    identity: tuple[int, int] | None = None
    indexing: bool = True
    polled: str = ""
    files: int = 0
    size: int = 0
    folders: int = 0
    unreadable: int = 0
    first_unreadable: bytes = b""
    said_unreadable: bool = False
    said_polled: bool = False
    tell_back: bool = False
    full: bool = False
    next_poll: float = 0.0
    next_turn: float = 0.0
    turn_size: int = 100
    cursor: int = 0

    def look(self) -> bool:
        """
        See whether it is there, and the same folder as before; get whether that changed.
        """
        state, error, identity = "", "", None
        try:
            found = os.stat(self.path)
            if not stat.S_ISDIR(found.st_mode):
                state, error = "missing", "it is not a folder"
            elif not os.access(self.path, os.R_OK | os.X_OK):
                state, error = "unreadable", "permission denied"
            else:
                identity = found.st_dev, found.st_ino
        except (FileNotFoundError, NotADirectoryError):
            state = "missing"
        except OSError as failed:
            state, error = "unreadable", failed.strerror or str(failed)
        changed = (not state) != self.present or (identity is not None and identity != self.identity)
        self.state, self.error, self.present = state, error, not state
        self.identity = identity or self.identity
        return changed

    def begin(self, polled: str) -> None:
        """
        All of it is read from now on; with the reason why it is polled, if it is.
        """
        self.indexing = True
        self.polled = polled
        self.full = False
        self.first_unreadable = b""

    def see_unreadable(self, path: bytes) -> None:
        """
        Note that something there can't be read.
        """
        if not self.first_unreadable:
            self.first_unreadable = path

    def turn(self) -> float:
        """
        Get when some of its folders are to be read again as a whole: never, where the system tells of changes.
        """
        return self.next_turn if self.polled else float("inf")

    def polled_at(self, now: float, took: float) -> None:
        """
        Note that its folders were looked at.
        """
        self.next_poll = now + max(POLL if self.polled else SAFETY, POLL_SHARE * took)

    def turned(self, now: float, took: float) -> None:
        """
        Note that some of its folders were read again; the next time so many that it takes TURN.
        """
        self.next_turn = now + max(POLL, TURN_SHARE * took)
        self.turn_size = min(MOST_IN_TURN, max(10, int(self.turn_size * min(2.0, TURN / max(took, 0.001)))))

    def status(self, path: Path) -> FolderStatus:
        """
        Get how it does, as the folder of the setting that it is.
        """
        if not self.present:
            return FolderStatus(path, self.state, error=self.error)
        notes = [self.polled] if self.polled else []
        if self.full:
            notes.append(f"more than {MAX_FILES} files or {MAX_FOLDERS} folders: the rest is not shared")
        if self.unreadable:
            notes.append(f"{self.unreadable} files or folders in it can't be read, among others in "
                         f"{shown(self.first_unreadable)}")
        state = "indexing" if self.indexing else "polled" if self.polled else "watched"
        return FolderStatus(path, state, self.files, self.size, "; ".join(notes))


class Roots:
    """
    The folders of the setting, and the roots that they come to. `want` and what reads may be called from any thread.
    """

    def __init__(self, database: Path, folders: Sequence[Path]) -> None:
        """
        Share these; the state of the node, where `database` is, never.
        """
        self.wanted = tuple(folders)
        self.changed = True
        self.database = true_path(database.parent)
        self.private = os.path.dirname(self.database) if database.parent.name == "sqlite" else self.database
        self.by_id: dict[int, Root] = {}
        self.by_path: dict[bytes, Root] = {}
        self.paths: dict[Path, bytes] = {}
        self.true: dict[Path, bytes] = {}
        self.refused: dict[Path, str] = {}
        self.next_check = 0.0

    def want(self, folders: Sequence[Path]) -> None:
        """
        Share these from now on.
        """
        self.wanted = tuple(folders)
        self.changed = True

    def want_again(self) -> None:
        """
        The roots are not yet as they should be.
        """
        self.changed = True

    def is_changed(self) -> bool:
        """
        Are the roots to be brought in line?
        """
        return self.changed

    def resolve(self) -> set[bytes]:
        """
        Get the true paths of the roots that there should be.
        """
        self.changed = False
        wanted = self.wanted
        self.true = {folder: true_path(folder) for folder in wanted}
        self.refused = {folder: "it belongs to the state of this node, with its keys: never shared"
                        for folder, path in self.true.items() if self.is_private(path)}
        paths = sorted({path for folder, path in self.true.items() if folder not in self.refused}, key=len)
        roots: list[bytes] = []
        for path in paths:
            if not any(self.covers(outer, path) for outer in roots):
                roots.append(path)
        self.paths = {folder: next(root for root in roots if self.covers(root, path))
                      for folder, path in self.true.items() if folder not in self.refused}
        for root in list(self.by_id.values()):
            if root.path not in roots:
                del self.by_id[root.id]
                del self.by_path[root.path]
        self.next_check = 0.0
        return set(roots)

    def is_private(self, path: bytes) -> bool:
        """
        Is this a folder with the keys of this node?
        """
        return path in (self.private, self.database) or path.startswith(self.database + SEPARATOR)

    def covers(self, outer: bytes, inner: bytes) -> bool:
        """
        Does who reads the outer folder come by the inner one? Not when that is hidden, or in the state of the node.
        """
        start = outer if outer.endswith(SEPARATOR) else outer + SEPARATOR
        if not (inner + SEPARATOR).startswith(start):
            return False
        below = inner[len(start):]
        if self.private.startswith(start) and (inner + SEPARATOR).startswith(self.private + SEPARATOR):
            return False
        return all(is_shared_folder(name) for name in below.split(SEPARATOR))

    def put(self, path: bytes, number: int, top: int) -> Root:
        """
        Note the number of a root in the index.
        """
        root = self.by_path.get(path)
        if root is None or root.id != number:
            root = self.by_path[path] = Root(number, path, top)
            self.by_id = {each.id: each for each in self.by_path.values()}
        return root

    def forget(self) -> None:
        """
        Forget the roots: there is no index any more.
        """
        self.by_id, self.by_path = {}, {}
        self.changed = True

    def get(self, number: int) -> Root | None:
        """
        Get a root by its number.
        """
        return self.by_id.get(number)

    def all(self) -> list[Root]:
        """
        Get all roots.
        """
        return list(self.by_id.values())

    def still_wanted(self) -> set[int]:
        """
        Get the numbers of the roots that are wanted right now themselves, not only for a folder inside.
        """
        paths = {self.true.get(folder) for folder in self.wanted}
        return {root.id for root in self.all() if root.path in paths}

    def check(self) -> list[Root]:
        """
        Look at all roots; get those that came, went, or are another folder than before.
        """
        self.next_check = time.monotonic() + FOLDER_CHECK
        if any(true_path(folder) != path for folder, path in self.true.items()):
            self.changed = True
        return [root for root in self.all() if root.look()]

    def due(self, now: float) -> list[Root]:
        """
        Get the roots whose folders are to be looked at now.
        """
        return [root for root in self.all() if root.present and now >= min(root.next_poll, root.turn())]

    def next_due(self) -> float:
        """
        Get when the next of all looks is due.
        """
        if self.changed:
            return 0.0
        return min([self.next_check, *(min(root.next_poll, root.turn()) for root in self.all() if root.present)])

    def status(self) -> list[FolderStatus]:
        """
        Get how the folders of the setting do.
        """
        return [self._status(folder) for folder in self.wanted]

    def _status(self, folder: Path) -> FolderStatus:
        if folder in self.refused:
            return FolderStatus(folder, "unreadable", error=self.refused[folder])
        path = self.paths.get(folder)
        root = None if path is None else self.by_path.get(path)
        if root is None or path is None:
            return FolderStatus(folder, "indexing")
        status = root.status(folder)
        first = next((each for each in self.wanted if self.true.get(each) == path), folder)
        if self.true.get(folder) == path and first == folder:
            return status
        inside = f"it is counted with {shown(path)}, which is shared too"
        return FolderStatus(folder, status.state, error=inside)


def folders_of(paths: Iterable[Path]) -> tuple[bytes, ...]:
    """
    Get paths as they are compared with those in the index.
    """
    return tuple(true_path(path) for path in paths)
