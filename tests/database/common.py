"""Peers and files for the tests of the database."""
from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tribler_multicast.database import PeerDatabase

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000.0

# The same, for processes of their own.
OPEN = """
from tribler_multicast.database import PeerDatabase
path = folder / "sqlite" / "multicast.db"
def key(number):
    return b"LibNaCLPK:" + number.to_bytes(64, "big")
def meet(database, number, now=1_700_000_000.0):
    database.set_local(key(number), nickname="n" * 60, addresses=[("ipv4", "192.0.2.1", number % 60000)],
                       interface="eth0", rtt_ms=1.5, capabilities=["tribler"], now=now)
"""


def key(number: int) -> bytes:
    return b"LibNaCLPK:" + number.to_bytes(64, "big")


def meet(database: PeerDatabase, number: int, now: float = NOW, **changes: Any) -> None:  # noqa: ANN401
    values: dict[str, Any] = {"nickname": f"peer {number}", "addresses": [("ipv4", "192.0.2.1", 32110)],
                              "interface": "eth0", "rtt_ms": 1.5, "capabilities": ["tribler"], "now": now}
    database.set_local(key(number), **{**values, **changes})


def reopened(database: PeerDatabase, now: float = NOW + 100) -> PeerDatabase:
    database.close()
    return PeerDatabase.open(database.path, now)


def rows(path: Path, query: str = 'SELECT * FROM "Peer"') -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def known(database: PeerDatabase) -> set[int]:
    return {int.from_bytes(record.public_key[10:], "big") for record in database.peers()}
