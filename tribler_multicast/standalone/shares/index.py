"""
The index as its one writer sees it: what is on the disk goes in, in transactions of a few milliseconds.

File ids are BLAKE2b with 256 bits over the file's true path, keyed with a secret of this index: the same at each start,
and nothing can be told from one. What others ask for is looked up in the index, never made into a path.
"""
from __future__ import annotations

import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import KEEP_HASHES, MAX_HASHES
from .listing import join
from .names import index_words, shown
from .schema import MARK

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from .listing import Entry

FILE_ID_SIZE: Final = 32


def file_id_of(path: bytes, secret: bytes) -> bytes:
    """
    Get the id of the file with this true path.
    """
    return blake2b(path, key=secret, digest_size=FILE_ID_SIZE).digest()


class Folder(NamedTuple):
    """
    A folder in the index: `path` is from the root's own on, empty for that.
    """

    id: int
    root: int
    parent: int
    name: bytes
    path: bytes
    mtime_ns: int
    unreadable: int


FOLDER: Final = "SELECT id, root, parent, name, path, mtime_ns, unreadable FROM folder "


class Index:
    """
    The open index. Used from one thread; changes only between `begin` and `commit`.
    """

    def __init__(self, connection: sqlite3.Connection, secret: bytes) -> None:
        """
        Write with this connection.
        """
        self.connection = connection
        self.secret = secret
        self.execute = connection.execute
        self.gone: list[bytes] = []
        self.back: list[bytes] = []
        self.grown: dict[int, list[int]] = {}
        self.room = 0
        self._read_numbers()

    def _read_numbers(self) -> None:
        [(last,)] = self.execute("SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'file'), 0), "
                                 "ifnull((SELECT max(id) FROM file), 0))")
        self.last_file: int = last
        [(self.hashes,)] = self.execute("SELECT EXISTS (SELECT 1 FROM hashed)")

    # --- Transactions.

    def begin(self) -> None:
        """
        Begin a transaction, and take one back that was left open.
        """
        if self.connection.in_transaction:
            self.rollback()
        self.gone, self.back, self.grown = [], [], {}
        self.execute("BEGIN IMMEDIATE")
        if not self.hashes:
            [(self.hashes,)] = self.execute("SELECT EXISTS (SELECT 1 FROM hashed)")

    def commit(self) -> None:
        """
        Make it last. `gone`, `back` and `grown` tell then what it did: infohashes of files, and by root the change of
        files and bytes.
        """
        self.execute("COMMIT")

    def rollback(self) -> None:
        """
        Take it back.
        """
        if self.connection.in_transaction:
            self.execute("ROLLBACK")
        self._read_numbers()
        self.gone, self.back, self.grown = [], [], {}

    # --- Roots and folders.

    def roots(self) -> dict[bytes, int]:
        """
        Get all roots: path -> id.
        """
        return dict(self.execute("SELECT path, id FROM root"))

    def add_root(self, path: bytes) -> int:
        """
        Add a shared folder.
        """
        root = int(self.execute("INSERT INTO root (path) VALUES (?)", (path,)).lastrowid or 0)
        self.add_folder(root, 0, b"", b"")
        return root

    def remove_root(self, root: int) -> None:
        """
        Remove a root that has no folders any more.
        """
        self.execute("DELETE FROM root WHERE id = ?", (root,))

    def top(self, root: int) -> int:
        """
        Get the number of a root's own folder.
        """
        row = self.execute("SELECT id FROM folder WHERE parent = 0 AND name = x'' AND root = ?", (root,)).fetchone()
        return self.add_folder(root, 0, b"", b"") if row is None else int(row[0])

    def add_folder(self, root: int, parent: int, name: bytes, path: bytes) -> int:
        """
        Add a folder with nothing in it yet.
        """
        return int(self.execute("INSERT INTO folder (root, parent, name, path) VALUES (?, ?, ?, ?)",
                                (root, parent, name, path)).lastrowid or 0)

    def folder(self, number: int) -> Folder | None:
        """
        Get a folder by its number.
        """
        row = self.execute(FOLDER + "WHERE id = ?", (number,)).fetchone()
        return None if row is None else Folder(*row)

    def folders(self, root: int, after: int, most: int) -> list[Folder]:
        """
        Get some folders of a root: those with higher numbers than `after`.
        """
        return [Folder(*row) for row in self.execute(
            FOLDER + "WHERE root = ? AND id > ? ORDER BY id LIMIT ?", (root, after, most))]

    def numbers(self, root: int) -> Iterator[int]:
        """
        Get the numbers of all folders of a root.
        """
        return (number for (number,) in self.execute("SELECT id FROM folder WHERE root = ?", (root,)))

    def child(self, parent: int, name: bytes) -> int | None:
        """
        Get the number of a folder in a folder.
        """
        row = self.execute("SELECT id FROM folder WHERE parent = ? AND name = ?", (parent, name)).fetchone()
        return None if row is None else int(row[0])

    def children(self, parent: int, names: Sequence[bytes]) -> dict[bytes, int]:
        """
        Get the numbers of folders in a folder by their names.
        """
        return dict(self.execute(_in("SELECT name, id FROM folder WHERE parent = ? AND name IN (*)", names),
                                 (parent, *names)))

    def all_children(self, parent: int) -> list[int]:
        """
        Get the numbers of all folders in a folder.
        """
        return [number for (number,) in self.execute("SELECT id FROM folder WHERE parent = ?", (parent,))]

    def finish_folder(self, number: int, mtime_ns: int, unreadable: int) -> None:
        """
        Note that a folder was read: its time (0: look again), and how much in it can't be.
        """
        self.execute("UPDATE folder SET mtime_ns = ?, unreadable = ? WHERE id = ? AND (mtime_ns, unreadable) != (?, ?)",
                     (mtime_ns, unreadable, number, mtime_ns, unreadable))

    def remove_folder(self, number: int) -> None:
        """
        Remove a folder that has nothing in it any more.
        """
        self.execute("DELETE FROM folder WHERE id = ?", (number,))

    def count(self, root: int) -> tuple[int, int, int, int]:
        """
        Count the files of a root, their bytes, its folders, and what in it can't be read.
        """
        [(files, size)] = self.execute("SELECT count(*), ifnull(sum(size), 0) FROM folder CROSS JOIN file "
                                       "ON file.folder = folder.id WHERE root = ?", (root,))
        [(folders, unreadable)] = self.execute("SELECT count(*), ifnull(sum(unreadable), 0) FROM folder "
                                               "WHERE root = ?", (root,))
        return files, size, folders, unreadable

    # --- Files.

    def put_files(self, folder: Folder, base: bytes, entries: Sequence[Entry], *, new: bool = False) -> list[int]:
        """
        Bring files of a folder up to date, `base` being its path; get their numbers. With `new` none of the folder is
        there yet. No more than `room` are added.
        """
        if not entries:
            return []
        names = [entry.name for entry in entries]
        there = {} if new else {name: values for name, *values in self.execute(
            _in("SELECT name, id, size, mtime_ns, infohash, file_id FROM file WHERE folder = ? AND name IN (*)", names),
            (folder.id, *names))}
        numbers, added = [], []
        for entry in entries:
            values = there.get(entry.name)
            if values is None:
                added.append(entry)
                continue
            numbers.append(values[0])
            if (entry.size, entry.mtime_ns) != (values[1], values[2]):
                self._change(folder.root, entry, *values)
        numbers += self._insert(folder, base, added[:max(0, self.room)])
        return numbers

    def _insert(self, folder: Folder, base: bytes, added: Sequence[Entry]) -> list[int]:
        if not added:
            return []
        numbers = range(self.last_file + 1, self.last_file + 1 + len(added))
        ids = [file_id_of(join(base, entry.name), self.secret) for entry in added]
        known: dict[bytes, tuple[bytes, int, int]] = {}
        if self.hashes:
            known = {file_id: (infohash, size, mtime) for file_id, infohash, size, mtime in self.execute(
                _in("SELECT file_id, infohash, size, mtime_ns FROM hashed WHERE file_id IN (*)", ids), ids)}
        rows, words, above = [], [], index_words(shown(folder.path))
        for number, entry, file_id in zip(numbers, added, ids, strict=True):
            infohash, size, mtime = known.get(file_id, (None, 0, 0))
            if infohash is not None:
                if (size, mtime) == (entry.size, entry.mtime_ns):
                    self.back.append(infohash)
                    self.execute("UPDATE hashed SET gone = NULL WHERE file_id = ?", (file_id,))
                else:
                    self.execute("DELETE FROM hashed WHERE file_id = ?", (file_id,))
                    infohash = None
            rows.append((number, folder.id, entry.name, entry.size, entry.mtime_ns, file_id, infohash))
            words.append((number, index_words(shown(entry.name)), above, MARK if infohash is not None else ""))
        self.connection.executemany("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self.connection.executemany("INSERT INTO words (rowid, name, folders, mark) VALUES (?, ?, ?, ?)", words)
        self.last_file = numbers[-1]
        self.room -= len(added)
        self._grow(folder.root, len(added), sum(entry.size for entry in added))
        return list(numbers)

    def _change(self, root: int, entry: Entry, number: int, size: int, _: int, infohash: bytes | None,
                file_id: bytes) -> None:
        self.execute("UPDATE file SET size = ?, mtime_ns = ?, infohash = NULL WHERE id = ?",
                     (entry.size, entry.mtime_ns, number))
        if infohash is not None:
            self.execute("UPDATE words SET mark = '' WHERE rowid = ?", (number,))
            self.execute("DELETE FROM hashed WHERE file_id = ?", (file_id,))
            self.gone.append(infohash)
        self._grow(root, 0, entry.size - size)

    def files_in(self, folder: int, most: int) -> list[int]:
        """
        Get the numbers of some files of a folder.
        """
        return [number for (number,) in self.execute("SELECT id FROM file WHERE folder = ? LIMIT ?", (folder, most))]

    def all_files_in(self, folder: int) -> Iterator[int]:
        """
        Get the numbers of all files of a folder.
        """
        return (number for (number,) in self.execute("SELECT id FROM file WHERE folder = ?", (folder,)))

    def named(self, folder: int, name: bytes) -> list[int]:
        """
        Get the number of a file by its name, in a list; an empty one when it is not there.
        """
        return [number for (number,) in self.execute("SELECT id FROM file WHERE folder = ? AND name = ?",
                                                     (folder, name))]

    def remove_files(self, root: int, numbers: Sequence[int]) -> None:
        """
        Remove files; their hashes are kept for a while.
        """
        if not numbers:
            return
        [(count, size)] = self.execute(
            _in("SELECT total(1), ifnull(sum(size), 0) FROM file WHERE id IN (*)", numbers), numbers)
        hashed = self.execute(
            _in("SELECT infohash, file_id FROM file WHERE infohash IS NOT NULL AND id IN (*)", numbers), numbers)
        for infohash, file_id in hashed.fetchall():
            self.gone.append(infohash)
            self.execute("UPDATE hashed SET gone = ? WHERE file_id = ?", (time.time(), file_id))
        one = [(number,) for number in numbers]
        self.connection.executemany("DELETE FROM words WHERE rowid = ?", one)
        self.connection.executemany("DELETE FROM file WHERE id = ?", one)
        self._grow(root, -int(count), -size)

    def _grow(self, root: int, files: int, size: int) -> None:
        grown = self.grown.setdefault(root, [0, 0])
        grown[0] += files
        grown[1] += size

    # --- Hashes.

    def hashed_in(self, root: int) -> list[bytes]:
        """
        Get the infohashes of a root's files.
        """
        return [infohash for (infohash,) in self.execute(
            "SELECT infohash FROM file CROSS JOIN folder ON folder.id = file.folder "
            "WHERE infohash IS NOT NULL AND root = ?", (root,))]

    def hashed_still(self, infohashes: Sequence[bytes]) -> list[bytes]:
        """
        Get those of some infohashes that a file has.
        """
        return [infohash for infohash in dict.fromkeys(infohashes)
                if self.execute("SELECT 1 FROM file WHERE infohash = ?", (infohash,)).fetchone()]

    def forget_hashes(self, now: float) -> None:
        """
        Forget the hashes of files that are gone for long, and of the longest gone when they are too many.
        """
        self.execute("DELETE FROM hashed WHERE gone < ?", (now - KEEP_HASHES,))
        self.execute("DELETE FROM hashed WHERE file_id IN (SELECT file_id FROM hashed WHERE gone IS NOT NULL "
                     "ORDER BY gone DESC LIMIT -1 OFFSET ?)", (MAX_HASHES,))


def _in(statement: str, values: Sequence[object]) -> str:
    """
    Get a statement with a place for each value where it has a star in parentheses.
    """
    return statement.replace("(*)", f"({','.join('?' * len(values))})")


def true_path(path: os.PathLike[str]) -> bytes:
    """
    Get the absolute path of a folder, symbolic links on the way resolved.
    """
    return os.fsencode(os.path.realpath(os.fspath(path)))
