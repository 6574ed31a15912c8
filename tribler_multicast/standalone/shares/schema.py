"""
The layout of the index on disk, its version, and how it is opened.

    meta       the version, and the secret that file ids are made with
    root       a shared folder, by its true path (no symbolic links)
    folder     the root's own folder and each one below, with its path from there
    file       a file that may be found; infohash only while it is known and the file unchanged
    words      FTS5: the words of file.id, those of the folders it is in, and a mark when its infohash is known
    hashed     what is known of files by their hash, kept a while after they are gone: a drive may come back
"""
from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ...database.schema import DamagedError, DatabaseTooNewError
from .limits import BUSY_TIMEOUT, CACHE

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1
SECRET_SIZE: Final = 32

CREATE: Final = (
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE root (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE)",
    """CREATE TABLE folder (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root INTEGER NOT NULL,
        parent INTEGER NOT NULL,
        name BLOB NOT NULL,
        path BLOB NOT NULL,
        mtime_ns INTEGER NOT NULL DEFAULT 0,
        unreadable INTEGER NOT NULL DEFAULT 0,
        UNIQUE (parent, name, root))""",
    "CREATE INDEX folder_root ON folder (root, id)",
    """CREATE TABLE file (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        folder INTEGER NOT NULL,
        name BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        file_id BLOB NOT NULL,
        infohash BLOB,
        UNIQUE (folder, name))""",
    "CREATE INDEX file_file_id ON file (file_id)",
    "CREATE INDEX file_infohash ON file (infohash) WHERE infohash IS NOT NULL",
    "CREATE VIRTUAL TABLE words USING fts5 (name, folders, mark, tokenize = 'ascii', prefix = '2')",
    """CREATE TABLE hashed (
        file_id BLOB NOT NULL PRIMARY KEY,
        infohash BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        gone REAL) WITHOUT ROWID""",
)

TABLES: Final = frozenset({"meta", "root", "folder", "file", "words", "hashed"})

MARK: Final = "hashedfile"
"""The word in the column `mark` of a file whose infohash is known."""


def is_damage(error: sqlite3.Error) -> bool:
    """
    Does this error mean that the file is damaged, or no database? Not that the disk is full or somebody has a lock.
    """
    # The extended codes have the kind of error in the lowest byte.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: Path) -> sqlite3.Connection:
    """
    Open the file, which must be there; the connection may be passed from thread to thread.

    :raises sqlite3.Error: when it can't be opened.
    """
    return sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=rw", uri=True, timeout=BUSY_TIMEOUT,
                           isolation_level=None, check_same_thread=False)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """
    Open the file to read only.

    :raises sqlite3.Error: when it can't be opened.
    """
    connection = connect(path)
    connection.execute("PRAGMA query_only = 1")
    return connection


def open_index(path: Path) -> tuple[sqlite3.Connection, bytes]:
    """
    Open the file to write, made where it is missing, and read the secret.

    :raises DamagedError: when it is damaged, or not ours.
    :raises DatabaseTooNewError: when a newer version wrote it.
    :raises OSError: , or sqlite3.Error: when the disk or a lock is in the way; then the file is as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made here for the mode: it has the names of all shared files, and the secret. SQLite's side files get the same.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = connect(path)
    try:
        secret = _bring_up(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut may take the last writes, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        return connection, secret
    except sqlite3.Error as error:
        connection.close()
        if is_damage(error):
            raise DamagedError(str(error)) from error
        raise
    except BaseException:
        connection.close()
        raise


def _bring_up(connection: sqlite3.Connection, path: Path) -> bytes:
    """
    Make the tables where there are none, in one transaction; get the secret.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            for statement in CREATE:
                connection.execute(statement)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", (
                ("version", str(VERSION)), ("secret", secrets.token_bytes(SECRET_SIZE))))
        elif not tables >= TABLES:
            message = "it has not the tables of this program"
            raise DamagedError(message)
        values = dict(connection.execute("SELECT name, value FROM meta"))
        version, secret = values.get("version"), values.get("secret")
        if not isinstance(version, str) or not version.isdecimal():
            message = "it has no version"
            raise DamagedError(message)
        if int(version) > VERSION:
            message = (f"{path} was written by a newer version of this program (layout {version}, this one knows "
                       f"{VERSION}): update the program, or move the file away")
            raise DatabaseTooNewError(message)
        if not isinstance(secret, bytes) or len(secret) != SECRET_SIZE:
            message = "it has no secret"
            raise DamagedError(message)
        connection.execute("COMMIT")
        return secret
    except BaseException:
        # SQLite may have rolled back by itself (a full disk): the error to tell is the first one.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def check(path: Path) -> None:
    """
    Read the whole file to see whether it is sound.

    :raises DamagedError: when it is not.
    """
    try:
        with closing(connect_to_read(path)) as connection:
            problems = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedError(str(error)) from error
        raise
    if problems != ["ok"]:
        raise DamagedError(" ".join(problems).replace("\n", " "))
