"""
What feeds remember, in an SQLite file: feeds, items, what is published. Each call is one transaction, durable when it
returns: whatever kills the process, what was begun is known, and what was not is still to be done.
"""
from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from .limits import BUSY_TIMEOUT, MAX_PUBLISHED, MAX_SEEN, MAX_SET_ASIDE
from .rows import FeedRow, ItemRow, OwnRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

FILE: Final = "feeds.db"
VERSION: Final = 1


CREATE: Final = (
    """CREATE TABLE feeds (id TEXT PRIMARY KEY, url TEXT NOT NULL UNIQUE, title TEXT NOT NULL, near INTEGER NOT NULL,
        etag TEXT NOT NULL, modified TEXT NOT NULL, hint REAL, last_check REAL, next_check REAL NOT NULL,
        failures INTEGER NOT NULL, error TEXT NOT NULL, seen INTEGER NOT NULL, begun INTEGER NOT NULL)""",
    """CREATE TABLE items (feed TEXT NOT NULL REFERENCES feeds(id) ON DELETE CASCADE, key TEXT NOT NULL,
        title TEXT NOT NULL, link TEXT NOT NULL, source TEXT NOT NULL, near INTEGER NOT NULL, published REAL,
        state TEXT NOT NULL, found REAL NOT NULL, present REAL NOT NULL, tries INTEGER NOT NULL, next_try REAL NOT NULL,
        error TEXT NOT NULL, infohash BLOB, torrent BLOB, PRIMARY KEY (feed, key))""",
    """CREATE INDEX waiting ON items (feed, next_try) WHERE state = 'waiting'""",
    """CREATE TABLE own (infohash BLOB PRIMARY KEY, title TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
        length INTEGER NOT NULL, published REAL NOT NULL, upload TEXT NOT NULL, tries INTEGER NOT NULL,
        next_try REAL NOT NULL, error TEXT NOT NULL)""",
    """CREATE TABLE files (infohash BLOB PRIMARY KEY REFERENCES own(infohash) ON DELETE CASCADE, data BLOB NOT NULL)""",
    f"PRAGMA user_version = {VERSION}",
)


def _names(row: type) -> str:
    return ", ".join(item.name for item in fields(row))


def _marks(row: type) -> str:
    return ", ".join("?" for _ in fields(row))


# The names in these are those of the classes above: nothing of them comes from outside.
FEEDS: Final = f"SELECT {_names(FeedRow)} FROM feeds ORDER BY rowid"  # noqa: S608
PUT_FEED: Final = (f"INSERT INTO feeds ({_names(FeedRow)}) VALUES ({_marks(FeedRow)}) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
                   + ", ".join(f"{item.name} = excluded.{item.name}" for item in fields(FeedRow) if item.name != "id"))
SHORT_ITEM: Final = _names(ItemRow).replace("torrent", "NULL")
WAITING: Final = f"SELECT {SHORT_ITEM} FROM items WHERE feed = ? AND state = 'waiting' ORDER BY found, rowid"  # noqa: S608
NEWEST: Final = (f"SELECT {SHORT_ITEM} FROM items WHERE feed = ? AND state != 'old' "  # noqa: S608
                 "ORDER BY found DESC, rowid DESC LIMIT ?")
PUT_ITEM: Final = f"INSERT OR REPLACE INTO items ({_names(ItemRow)}) VALUES ({_marks(ItemRow)})"  # noqa: S608
OWN: Final = f"SELECT {_names(OwnRow)} FROM own ORDER BY published DESC, rowid DESC"  # noqa: S608
PUT_OWN: Final = f"INSERT INTO own ({_names(OwnRow)}) VALUES ({_marks(OwnRow)})"  # noqa: S608


class Store:
    """
    The open file. Any thread may call, one at a time. Raises sqlite3.Error when the disk does not do its part.
    """

    def __init__(self, folder: Path) -> None:
        """
        Open the file in this folder, made where it is missing; a damaged one is set aside and a new one made.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / FILE
        self._lock = threading.Lock()
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise  # the disk, or a lock: the file may be good
        except sqlite3.DatabaseError as error:
            aside = _set_aside(self._path)
            logger.warning("The database %s is damaged (%s): set aside as %s, starting with a new one",
                           self._path, error, aside.name)
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        # Closed to others from the first byte on: URLs of feeds often hold keys.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            # FULL: what is committed is on the disk, also after a power cut. Some commits a minute can afford it.
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            # A .torrent file of 10 MB must not leave a log of 10 MB behind for good.
            database.execute("PRAGMA wal_autocheckpoint = 200")
            database.execute("PRAGMA journal_size_limit = 1048576")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                message = f"{self._path} was written by a newer version of this program"
                raise sqlite3.OperationalError(message)
            if version == 0:
                with _Transaction(database):
                    for statement in CREATE:
                        database.execute(statement)
            elif (said := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(str(said)[:80])
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """
        Close the file. Nothing is lost without.
        """
        with self._lock:
            self._db.close()

    def _many(self, row: Callable[..., Any], query: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, closing(self._db.execute(query, values)) as cursor:
            return [row(*found) for found in cursor]

    def feeds(self) -> list[FeedRow]:
        """
        All feeds, in the order in which they were added.
        """
        return self._many(FeedRow, FEEDS)

    def waiting(self, feed: str) -> list[ItemRow]:
        """
        The items of a feed that are to be fetched, the oldest first, without what was fetched of them.
        """
        return self._many(ItemRow, WAITING, (feed,))

    def items(self, feed: str, most: int) -> list[ItemRow]:
        """
        The newest items of a feed that were new when they came.
        """
        return self._many(ItemRow, NEWEST, (feed, most))

    def known(self, feed: str) -> dict[str, tuple[str, str]]:
        """
        The items of a feed by key: their states and sources.
        """
        return {key: (state, source) for key, state, source in
                self._many(lambda *found: found, "SELECT key, state, source FROM items WHERE feed = ?", (feed,))}

    def torrent_of(self, feed: str, key: str) -> bytes | None:
        """
        The ``.torrent`` file that was fetched for an item.
        """
        found = self._many(lambda data: data, "SELECT torrent FROM items WHERE feed = ? AND key = ?", (feed, key))
        return found[0] if found else None

    def begun_since(self, feed: str, time: float) -> int:
        """
        How many downloads were begun for a feed since then (`next_try` of one that is begun is when it was).
        """
        return int(self._many(lambda count: count, "SELECT COUNT(*) FROM items WHERE feed = ? AND state = 'begun' "
                                                   "AND next_try > ?", (feed, time))[0])

    def has_begun(self, feed: str, infohash: bytes) -> bool:
        """
        Was this torrent begun for this feed before?
        """
        return bool(self._many(lambda one: one, "SELECT 1 FROM items WHERE feed = ? AND state = 'begun' "
                                                "AND infohash = ? LIMIT 1", (feed, infohash)))

    def looked(self, feed: FeedRow, items: Iterable[ItemRow] = (), present: Iterable[str] = (),
               now: float = 0.0) -> None:
        """
        Keep how a look at a feed went, and the items that are new, all at once: the next look never misses what this
        one did not keep. `present` are the keys of all items that are in the feed.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute(PUT_FEED, astuple(feed))
            self._db.executemany("UPDATE items SET present = ? WHERE feed = ? AND key = ?",
                                 [(now, feed.id, key) for key in present])
            self._db.executemany(PUT_ITEM, [astuple(item) for item in items])
            self._db.execute("DELETE FROM items WHERE feed = :feed AND rowid IN (SELECT rowid FROM items WHERE "
                             "feed = :feed AND state != 'waiting' AND present < :now ORDER BY present, rowid LIMIT "
                             "max(0, (SELECT COUNT(*) FROM items WHERE feed = :feed) - :most))",
                             {"feed": feed.id, "now": now, "most": MAX_SEEN})

    def keep_item(self, item: ItemRow, feed: FeedRow | None = None) -> None:
        """
        Keep how an item goes on, and its feed's number of downloads; an item or a feed that is gone stays gone.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute("UPDATE items SET state = ?, tries = ?, next_try = ?, error = ?, infohash = ?, "
                             "torrent = ? WHERE feed = ? AND key = ?",
                             (item.state, item.tries, item.next_try, item.error, item.infohash, item.torrent,
                              item.feed, item.key))
            if feed is not None:
                self._db.execute("UPDATE feeds SET begun = ? WHERE id = ?", (feed.begun, feed.id))

    def remove(self, feed: str) -> None:
        """
        Forget a feed and its items.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute("DELETE FROM feeds WHERE id = ?", (feed,))

    def own(self) -> list[OwnRow]:
        """
        What is published, the newest first.
        """
        return self._many(OwnRow, OWN)

    def torrent_file(self, infohash: bytes) -> bytes | None:
        """
        The ``.torrent`` file of what is published.
        """
        found = self._many(lambda data: data, "SELECT data FROM files WHERE infohash = ?", (infohash,))
        return found[0] if found else None

    def torrent_part(self, infohash: bytes, start: int, most: int) -> bytes:
        """
        A part of that file, b"" behind its end, or when it is gone.
        """
        with self._lock:
            found = self._db.execute("SELECT rowid FROM files WHERE infohash = ?", (infohash,)).fetchone()
            if found is None:
                return b""
            with self._db.blobopen("files", "data", found[0], readonly=True) as blob:
                blob.seek(min(start, len(blob)))
                return blob.read(most)

    def publish(self, row: OwnRow, data: bytes) -> None:
        """
        Keep what is published, anew if it was before; the oldest goes when there is too much.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute("DELETE FROM own WHERE infohash = ?", (row.infohash,))
            self._db.execute(PUT_OWN, astuple(row))
            self._db.execute("INSERT INTO files VALUES (?, ?)", (row.infohash, data))
            self._db.execute("DELETE FROM own WHERE rowid IN (SELECT rowid FROM own "
                             "ORDER BY published DESC, rowid DESC LIMIT -1 OFFSET ?)", (MAX_PUBLISHED,))

    def keep_own(self, row: OwnRow) -> None:
        """
        Keep how an upload goes on; what is withdrawn stays withdrawn.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute("UPDATE own SET upload = ?, tries = ?, next_try = ?, error = ? WHERE infohash = ?",
                             (row.upload, row.tries, row.next_try, row.error, row.infohash))

    def withdraw(self, infohash: bytes) -> None:
        """
        Forget what was published.
        """
        with self._lock, _Transaction(self._db):
            self._db.execute("DELETE FROM own WHERE infohash = ?", (infohash,))


class StoreThread:
    """
    The store, and the one thread in which its calls run, one after the other: a disk may take its time.
    """

    def __init__(self, folder: Path) -> None:
        """
        Remember the folder; `open` opens the file.
        """
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "feeds store")
        self.store: Store | None = None
        self.problem = "not started"

    async def open(self) -> None:
        """
        Open the file. Raises OSError or sqlite3.Error, as does everything else then.
        """
        try:
            self.store = await asyncio.get_running_loop().run_in_executor(self._thread, Store, self._folder)
        except (OSError, sqlite3.Error) as error:
            self.problem = str(error)
            raise

    async def do(self, method: Callable[Concatenate[Store, P], T], *values: P.args, **named: P.kwargs) -> T:
        """
        Run a method of the store in its thread: ``await thread.do(Store.known, feed_id)``.
        """
        def call() -> T:
            if self.store is None:
                raise sqlite3.OperationalError(self.problem)
            return method(self.store, *values, **named)

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def close(self) -> None:
        """
        Close the file when what runs has ended; nobody waits for it.
        """
        store, self.store, self.problem = self.store, None, "closed"
        if store is not None:
            self._thread.submit(store.close)
        self._thread.shutdown(wait=False)


class _Transaction:
    """
    All of it or nothing.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            try:
                self._database.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # SQLite may have done so itself, as with a full disk.
        with suppress(sqlite3.Error):
            self._database.execute("ROLLBACK")


def _set_aside(path: Path) -> Path:
    """
    Give a damaged file, and what belongs to it, another name. Raises OSError when that can't be done.
    """
    for number in range(1, MAX_SET_ASIDE + 1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            break
    os.replace(path, aside)
    for suffix in ("-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()
    return aside
