"""
The layout of the file, its versions, and the way from each to the next.

Made, migrated and cleaned in one transaction: a process killed in the middle leaves the file as it was, usable by
the version that wrote it. Plain ``sqlite3``, because Pony knows only the newest layout.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from .limits import MAX_SET_ASIDE
from .record import PeerRecord

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 5

CREATE: Final = (
    """CREATE TABLE "Meta" ("name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL)""",
    """CREATE TABLE "Peer" (
        "public_key" BLOB NOT NULL PRIMARY KEY,
        "mid" BLOB NOT NULL,
        "nickname" TEXT NOT NULL,
        "first_seen" REAL NOT NULL,
        "last_seen" REAL NOT NULL,
        "addresses" TEXT NOT NULL,
        "interface" TEXT,
        "rtt_ms" REAL,
        "is_local" BOOLEAN NOT NULL,
        "was_local" BOOLEAN NOT NULL,
        "friend" TEXT NOT NULL,
        "total_up" INTEGER NOT NULL,
        "total_down" INTEGER NOT NULL,
        "capabilities" TEXT NOT NULL DEFAULT '[]',
        "friend_refused" BOOLEAN NOT NULL DEFAULT 0,
        "friend_serial" INTEGER NOT NULL DEFAULT 0,
        "friend_their_serial" INTEGER NOT NULL DEFAULT 0,
        "friend_acked" INTEGER NOT NULL DEFAULT 0,
        "helped_up" INTEGER NOT NULL DEFAULT 0,
        "helped_down" INTEGER NOT NULL DEFAULT 0,
        "named_at" REAL,
        "receipt_given" INTEGER NOT NULL DEFAULT 0,
        "receipt_given_signature" TEXT NOT NULL DEFAULT '',
        "receipt_taken" INTEGER NOT NULL DEFAULT 0,
        "receipt_taken_signature" TEXT NOT NULL DEFAULT '')""",
)

MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    # Version 1 did not remember what a peer can do.
    1: ("""ALTER TABLE "Peer" ADD COLUMN "capabilities" TEXT NOT NULL DEFAULT '[]'""",),
    # Version 2 did not remember which decision about a friend is the newest, and who knows of it. An ask of ours gets
    # the serial 1, which the other does not know yet: it is told.
    2: ("""ALTER TABLE "Peer" ADD COLUMN "friend_refused" BOOLEAN NOT NULL DEFAULT 0""",
        """ALTER TABLE "Peer" ADD COLUMN "friend_serial" INTEGER NOT NULL DEFAULT 0""",
        """ALTER TABLE "Peer" ADD COLUMN "friend_their_serial" INTEGER NOT NULL DEFAULT 0""",
        """ALTER TABLE "Peer" ADD COLUMN "friend_acked" INTEGER NOT NULL DEFAULT 0""",
        """UPDATE "Peer" SET "friend_serial" = 1 WHERE "friend" IN ('sent', 'mutual')"""),
    # Version 3 did not remember who gave as a helper, nor who sent bad data.
    3: ("""ALTER TABLE "Peer" ADD COLUMN "helped_up" INTEGER NOT NULL DEFAULT 0""",
        """ALTER TABLE "Peer" ADD COLUMN "helped_down" INTEGER NOT NULL DEFAULT 0""",
        """ALTER TABLE "Peer" ADD COLUMN "named_at" REAL"""),
    # Version 4 knew no receipts.
    4: tuple(f"""ALTER TABLE "Peer" ADD COLUMN "receipt_{column}""" for column in (
        """given" INTEGER NOT NULL DEFAULT 0""", """given_signature" TEXT NOT NULL DEFAULT ''""",
        """taken" INTEGER NOT NULL DEFAULT 0""", """taken_signature" TEXT NOT NULL DEFAULT ''""")),
}
"""What brings a file of version N to version N + 1. Only ever add to this table."""


class DatabaseTooNewError(Exception):
    """
    The file was written by a newer version of this program. The message is one line for the user.
    """


class DamagedError(Exception):
    """
    The file is damaged, or is no database of this program.
    """


def prepare(path: Path, patience: float) -> None:
    """
    Make the file ready for this version: made where missing, checked, migrated, every ``is_local`` cleared.

    ``patience``: seconds to wait for another program's lock. Raises DamagedError, DatabaseTooNewError, and OSError or
    sqlite3.Error where the disk or a lock is in the way; then the file is as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made here for the mode: it tells who was on whose network. SQLite gives its side files the same one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
            _check(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                _bring_up(connection, path)
                # Nobody is local until it was verified in this run.
                connection.execute('UPDATE "Peer" SET "is_local" = 0 WHERE "is_local"')
                connection.execute("COMMIT")
                # Last, because it marks the file: one that is too new for us stays as it was.
                connection.execute("PRAGMA journal_mode = WAL")
            except BaseException:
                # SQLite may have rolled back by itself (a full disk): the error to tell is the first one.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
    except sqlite3.DatabaseError as error:
        # The extended codes have the kind of error in the lowest byte.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedError(str(error)) from error
        raise


def _check(connection: sqlite3.Connection) -> None:
    problems = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        raise DamagedError(" ".join(problems).replace("\n", " "))


def _bring_up(connection: sqlite3.Connection, path: Path) -> None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        for statement in CREATE:
            connection.execute(statement)
        connection.execute("""INSERT INTO "Meta" VALUES ('version', ?)""", (str(VERSION),))
        return
    if not tables >= {"Meta", "Peer"}:
        message = "it has not the tables of this program"
        raise DamagedError(message)
    version = _version(connection)
    if version > VERSION:
        message = (f"{path} was written by a newer version of this program (layout {version}, this one knows "
                   f"{VERSION}): update the program, or move the file away")
        raise DatabaseTooNewError(message)
    for older in range(version, VERSION):
        for statement in MIGRATIONS[older]:
            connection.execute(statement)
    connection.execute("""UPDATE "Meta" SET "value" = ? WHERE "name" = 'version'""", (str(VERSION),))
    columns = {row[1] for row in connection.execute('PRAGMA table_info("Peer")')}
    if not columns >= {column.name for column in fields(PeerRecord)}:
        message = "its table of peers lacks columns"
        raise DamagedError(message)


def _version(connection: sqlite3.Connection) -> int:
    row = connection.execute("""SELECT "value" FROM "Meta" WHERE "name" = 'version'""").fetchone()
    with suppress(TypeError, ValueError):
        version = int(row[0])
        if version >= 1:
            return version
    message = "it has no version"
    raise DamagedError(message)


def set_aside(path: Path, now: float) -> Path:
    """
    Rename a damaged file, its side files with it, to ``<name>.corrupt-<Unix seconds>``; returns the new path.

    Raises OSError where that is not allowed.
    """
    for number in range(MAX_SET_ASIDE):
        aside = path.with_name(f"{path.name}.corrupt-{int(now)}" + (f"-{number}" if number else ""))
        if not aside.exists():
            break
    # The side files first: a new database must never meet the journal of the old one.
    for ending in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{aside}{ending}")
    return aside
