"""
What is found in the index, from any thread: each look takes a connection of its own, and sees what was written last.
"""
from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ...client import Result
from .index import FILE_ID_SIZE
from .limits import CANDIDATES, SEARCH_TIME
from .listing import SEPARATOR, as_entry, is_plain, join
from .names import query_terms, shown
from .schema import MARK, connect, connect_to_read, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

INFOHASH_SIZE: Final = 20
MOST_IDLE: Final = 4
"""Connections kept for the next look."""

STEPS_BETWEEN_LOOKS: Final = 20_000
"""Steps of SQLite's machine, half a millisecond, after which it is looked whether a search takes too long."""

FOUND: Final = """SELECT file.file_id, file.infohash, file.size, file.name, folder.path, folder.root
    FROM words CROSS JOIN file ON file.id = words.rowid CROSS JOIN folder ON folder.id = file.folder
    WHERE words MATCH ? AND folder.root IN ({roots}) ORDER BY words.rowid DESC LIMIT ?"""
ONE: Final = """SELECT file.id, file.folder, folder.root, folder.path, file.name, file.size, file.mtime_ns,
    file.infohash, file.file_id FROM file CROSS JOIN folder ON folder.id = file.folder
    WHERE file.{column} = ? AND folder.root IN ({roots})"""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """
    A file that is shared: where it is, its path inside the share as text, its size in bytes and time in ns as they are
    on the disk now, and the infohash of the torrent that was made of it, if it did not change since.
    """

    file_id: bytes
    path: Path
    name: str
    size: int
    mtime_ns: int
    infohash: bytes | None = None


class Noted(NamedTuple):
    """
    What noting an infohash changed besides: how many bytes the file of which root has more than the index knew, and the
    other infohash that it had before, if any.
    """

    root: int
    grown: int
    before: bytes | None


class Lookup:
    """
    Looks into the index.
    """

    def __init__(self, path: Path, hint: Callable[[int, bytes], None], damaged: Callable[[], None]) -> None:
        """
        Look into this file. Call `hint` with the number of a folder and a name that is not any more as the index has
        it, and `damaged` when the file turns out to be.
        """
        self.path = path
        self.hint = hint
        self.damaged = damaged
        self.roots: dict[int, bytes] = {}
        """The roots that may be told of, by number; replaced as a whole, never changed."""
        self.left_out: tuple[bytes, ...] = ()
        """What is being written: neither told of nor found, nor what is below."""
        self.lock = threading.Lock()
        self.idle: list[sqlite3.Connection] = []
        self.used: set[sqlite3.Connection] = set()
        self.generation = 0

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            generation = self.generation
            connection = self.idle.pop() if self.idle else connect_to_read(self.path)
            self.used.add(connection)
        try:
            yield connection
        except sqlite3.Error as error:
            if is_damage(error):
                self.damaged()
            raise
        finally:
            with self.lock:
                self.used.discard(connection)
                keep = generation == self.generation and len(self.idle) < MOST_IDLE
                if keep:
                    self.idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """
        Close all connections; those in use are interrupted, and closed by who uses them.
        """
        with self.lock:
            self.generation += 1
            idle, self.idle = self.idle, []
            for connection in self.used:
                connection.interrupt()
        for connection in idle:
            connection.close()

    # --- Searching.

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Get the best results for some words; none when nothing can be found.
        """
        roots = self.roots
        terms = query_terms(text)
        if not terms or not roots or most <= 0 or not kinds & {"file", "torrent"}:
            return []
        found: dict[bytes, Result] = {}
        with suppress(sqlite3.Error), self._connection() as connection:
            try:
                self._search(connection, roots, _queries(terms, kinds), most, found)
            except sqlite3.OperationalError as error:
                # Interrupted: it took too long. What was found by then is told.
                if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                    logger.warning("Cannot search the shared files: %s", error)
            finally:
                connection.set_progress_handler(None, 0)
        return list(found.values())[:most]

    def _search(self, connection: sqlite3.Connection, roots: dict[int, bytes], queries: list[str], most: int,
                found: dict[bytes, Result]) -> None:
        end = time.monotonic() + SEARCH_TIME
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
        statement = FOUND.format(roots=",".join(str(root) for root in roots))
        for query in queries:
            step = []
            for file_id, infohash, size, raw, folder, root in connection.execute(
                    statement, (query, max(CANDIDATES, most) + len(found))):
                if not self.left_out or not self._is_left_out(join(join(roots[root], folder), raw)):
                    name = shown(raw)
                    step.append(Result("file", file_id, name, size) if infohash is None else
                                Result("torrent", infohash, name, size))
            # Among what fits as well, the shorter name has less in it that was not asked for.
            for result in sorted(step, key=lambda result: (len(result.name), result.name)):
                found.setdefault(result.id, result)
            if len(found) >= most:
                return

    def _is_left_out(self, path: bytes) -> bool:
        return any(path == out or path.startswith(out + SEPARATOR) for out in self.left_out)

    # --- Finding one.

    def find(self, file_id: bytes) -> SharedFile | None:
        """
        Get the file with this id, as it is on the disk now.
        """
        return self._first("file_id", file_id) if len(file_id) == FILE_ID_SIZE else None

    def find_torrent(self, infohash: bytes) -> SharedFile | None:
        """
        Get a file that a torrent was made of, unchanged since.
        """
        found = self._first("infohash", infohash) if len(infohash) == INFOHASH_SIZE else None
        return found if found is not None and found.infohash == infohash else None

    def _first(self, column: str, value: bytes) -> SharedFile | None:
        roots = self.roots
        statement = ONE.format(column=column, roots=",".join(str(root) for root in roots))
        try:
            with self._connection() as connection:
                rows = connection.execute(statement, (value,)).fetchall()
        except sqlite3.Error as error:
            logger.warning("Cannot look into the index of shared files: %s", error)
            return None
        found = [file for row in rows if (file := self._on_disk(row, roots)) is not None]
        # Of several with the same content and name, one that did not change.
        return next((file for file in found if file.infohash is not None), found[0] if found else None)

    def _on_disk(self, row: tuple[int, int, int, bytes, bytes, int, int, bytes | None, bytes],
                 roots: dict[int, bytes]) -> SharedFile | None:
        """
        Get the file of a row if it is still there, and nothing on the way to it became a link.
        """
        _, folder, root, below, name, size, mtime_ns, infohash, file_id = row
        relative = join(below, name) if below else name
        path = join(roots[root], relative)
        if self._is_left_out(path):
            return None
        try:
            entry = as_entry(name, os.lstat(path)) if is_plain(path, roots[root]) else None
        except OSError:
            entry = None
        if entry is None or entry.is_folder:
            self.hint(folder, name)
            return None
        if (entry.size, entry.mtime_ns) != (size, mtime_ns):
            self.hint(folder, name)
            infohash = None
        return SharedFile(file_id, Path(os.fsdecode(path)), "/".join(shown(part) for part in relative.split(SEPARATOR)),
                          entry.size, entry.mtime_ns, infohash)

    # --- The one thing that is written besides.

    def set_infohash(self, file_id: bytes, infohash: bytes, size: int, mtime_ns: int) -> Noted | None:
        """
        Note the infohash of a file that had this size and time before it was hashed and has them still; None when it
        has not.

        :raises sqlite3.Error: when it can't be written.
        """
        roots = self.roots
        if len(infohash) != INFOHASH_SIZE:
            return None
        connection = connect(self.path)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            for row in connection.execute(
                    ONE.format(column="file_id", roots=",".join(str(root) for root in roots)), (file_id,)).fetchall():
                file = self._on_disk(row, roots)
                if file is None or (file.size, file.mtime_ns) != (size, mtime_ns):
                    continue
                connection.execute("UPDATE file SET infohash = ?, size = ?, mtime_ns = ? WHERE id = ?",
                                   (infohash, size, mtime_ns, row[0]))
                connection.execute("UPDATE words SET mark = ? WHERE rowid = ?", (MARK, row[0]))
                connection.execute("INSERT OR REPLACE INTO hashed VALUES (?, ?, ?, ?, NULL)",
                                   (file_id, infohash, size, mtime_ns))
                connection.execute("COMMIT")
                return Noted(row[2], size - row[5], row[7] if row[7] != infohash else None)
            return None
        finally:
            connection.close()


def _queries(terms: list[str], kinds: frozenset[str]) -> list[str]:
    """
    Get the queries to try one after the other: all words in the name; begun in the name; begun anywhere.
    """
    whole, begun = " AND ".join(terms), " AND ".join(f"{term} *" for term in terms)
    queries = [f"name : ({whole})", f"name : ({begun})", f"{{name folders}} : ({begun})"]
    if "file" not in kinds:
        return [f"mark : {MARK} AND ({query})" for query in queries]
    if "torrent" not in kinds:
        return [f"({query}) NOT mark : {MARK}" for query in queries]
    return queries
