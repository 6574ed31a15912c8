"""
The file itself: opened, read whole, written in one transaction per call.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .entities import define_entities
from .limits import BUSY_TIMEOUT
from .record import PeerRecord, from_columns, to_columns
from .schema import DamagedError, prepare, set_aside

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

logger = logging.getLogger(__name__)


class PeerStore:
    """
    An open database file. Used from one thread. Every method may raise whatever Pony, SQLite or the disk raises.
    """

    def __init__(self, path: Path) -> None:
        """
        Bind Pony to a file that ``prepare`` has made ready.
        """
        from pony import orm  # noqa: PLC0415 (50 ms that nobody pays before a file is opened)

        self._session = orm.db_session
        self._patience = BUSY_TIMEOUT
        self._db = orm.Database()

        def on_connect(_: Any, connection: sqlite3.Connection) -> None:  # noqa: ANN401
            # WAL is in the file already. NORMAL: a power cut may take the last writes, never the file.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")

        # Pony takes no bound method here: it would leave it out without a word.
        self._db.on_connect(provider="sqlite")(on_connect)
        self._peer, _ = define_entities(self._db)
        try:
            self._db.bind(provider="sqlite", filename=str(path.absolute()), create_db=False, timeout=BUSY_TIMEOUT)
            self._db.generate_mapping(create_tables=False, check_tables=True)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path, now: float, patience: float = BUSY_TIMEOUT) -> tuple[PeerStore, list[PeerRecord]]:
        """
        Open the file and read it. A damaged one is set aside, said once in the log, and a new one made.
        """
        try:
            return cls._open(path, patience)
        except DamagedError as error:
            aside = set_aside(path, now)
            logger.warning("The database %s is damaged (%s): set aside as %s, starting with a new one",
                           path, error, aside.name)
            return cls._open(path, patience)

    @classmethod
    def _open(cls, path: Path, patience: float) -> tuple[PeerStore, list[PeerRecord]]:
        prepare(path, patience)
        store = cls(path)
        try:
            return store, store._load()
        except (TypeError, ValueError) as error:
            store.close()
            raise DamagedError(str(error)) from error
        except BaseException:
            store.close()
            raise

    def _load(self) -> list[PeerRecord]:
        with self._session:
            return [from_columns(row.to_dict()) for row in self._peer.select()]

    def write(self, changed: Iterable[PeerRecord], seen: Iterable[PeerRecord], removed: Iterable[bytes]) -> None:
        """
        Write whole rows, then of others what changes often (``last_seen``, ``rtt_ms``, bytes given and taken), then
        remove rows: all of it or nothing.
        """
        try:
            with self._session:
                try:
                    self._write(changed, seen, removed)
                    # Said and not left to the end of the session: a host's own session may be around this one.
                    self._db.commit()
                except BaseException:
                    self._db.rollback()
                    raise
        except BaseException:
            self._be_patient(0.0)
            raise
        self._be_patient(BUSY_TIMEOUT)

    def _write(self, changed: Iterable[PeerRecord], seen: Iterable[PeerRecord], removed: Iterable[bytes]) -> None:
        for record in changed:
            columns = to_columns(record)
            row = self._peer.get(public_key=record.public_key)
            if row is None:
                self._peer(**columns)
            else:
                del columns["public_key"]
                row.set(**columns)
        self._db.flush()
        # Past the entities: every peer of a large LAN at once, some 25 times faster on the event loop's thread.
        connection = self._db.get_connection()
        connection.executemany('UPDATE "Peer" SET "last_seen" = ?, "rtt_ms" = ?, "total_up" = ?, "total_down" = ?, '
                               '"helped_up" = ?, "helped_down" = ? WHERE "public_key" = ?',
                               [(record.last_seen, record.rtt_ms, record.total_up, record.total_down,
                                 record.helped_up, record.helped_down, record.public_key) for record in seen])
        connection.executemany('DELETE FROM "Peer" WHERE "public_key" = ?', [(key,) for key in removed])

    def _be_patient(self, patience: float) -> None:
        """
        Set how long the next write waits for a lock. Who waited in vain once does not wait again until it went well.
        """
        if patience != self._patience:
            self._patience = patience
            self.close()

    def close(self) -> None:
        """
        Close the file; another write would open it again.
        """
        with suppress(Exception):
            self._db.disconnect()
