from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.database import DatabaseTooNewError, PeerDatabase
from tribler_multicast.database.schema import CREATE, MIGRATIONS, VERSION

from ..hostile_disk import run

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000.0

# The layout of version 1, as it was.
VERSION_1 = """
CREATE TABLE "Meta" ("name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL);
INSERT INTO "Meta" VALUES ('version', '1');
CREATE TABLE "Peer" (
    "public_key" BLOB NOT NULL PRIMARY KEY, "mid" BLOB NOT NULL, "nickname" TEXT NOT NULL,
    "first_seen" REAL NOT NULL, "last_seen" REAL NOT NULL, "addresses" TEXT NOT NULL, "interface" TEXT, "rtt_ms" REAL,
    "is_local" BOOLEAN NOT NULL, "was_local" BOOLEAN NOT NULL, "friend" TEXT NOT NULL,
    "total_up" INTEGER NOT NULL, "total_down" INTEGER NOT NULL);
"""
KEY = b"LibNaCLPK:" + bytes(64)


VERSION_2 = VERSION_1.replace("'1'", "'2'").replace(
    '"total_down" INTEGER NOT NULL)', """"total_down" INTEGER NOT NULL, "capabilities" TEXT NOT NULL DEFAULT '[]')""")


def old_file(path: Path, script: str = VERSION_1) -> None:
    from hashlib import sha1  # noqa: PLC0415

    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        connection.execute('INSERT INTO "Peer" ("public_key", "mid", "nickname", "first_seen", "last_seen", '
                           '"addresses", "interface", "rtt_ms", "is_local", '
                           '"was_local", "friend", "total_up", "total_down") '
                           "VALUES (?, ?, 'old friend', 1.5, 2.5, '[[\"ipv4\", \"192.0.2.1\", 5]]', 'eth0', 3.5, 1, 1, "
                           "'mutual', 7, 5000000000)", (KEY, sha1(KEY).digest()))
        connection.commit()


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def columns(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(row[1:] for row in connection.execute('PRAGMA table_info("Peer")'))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sqlite" / "multicast.db"


def test_file_of_version_1_is_migrated_with_its_data(path: Path) -> None:
    old_file(path)
    database = PeerDatabase.open(path, NOW)
    [record] = database.peers()
    assert (record.public_key, record.nickname, record.first_seen, record.last_seen) == (KEY, "old friend", 1.5, 2.5)
    assert (record.addresses, record.interface, record.rtt_ms) == ([("ipv4", "192.0.2.1", 5)], "eth0", 3.5)
    assert (record.friend, record.total_up, record.total_down) == ("mutual", 7, 5_000_000_000)
    assert (record.is_local, record.was_local, record.capabilities) == (False, True, [])
    database.set_local(KEY, nickname="n", addresses=[], interface=None, rtt_ms=None, capabilities=["search"], now=NOW)
    assert database.write_errors == 0
    database.close()
    database = PeerDatabase.open(path, NOW)
    assert [record.capabilities for record in database.peers()] == [["search"]]
    database.close()


@pytest.mark.parametrize(("friend", "serial"), [("none", 0), ("received", 0), ("sent", 1), ("mutual", 1)])
def test_file_of_version_2_keeps_its_friends_and_tells_them_anew(path: Path, friend: str, serial: int) -> None:
    old_file(path, VERSION_2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('UPDATE "Peer" SET "friend" = ?', (friend,))
        connection.commit()
    database = PeerDatabase.open(path, NOW)
    [record] = database.peers()
    assert (record.nickname, record.friend, record.total_down) == ("old friend", friend, 5_000_000_000)
    assert (record.friend_refused, record.friend_serial, record.friend_their_serial, record.friend_acked) == (
        False, serial, 0, 0)
    database.set_friend(KEY, friend="sent", refused=False, serial=8, their_serial=2**63 - 1, acked=7, now=NOW)
    assert database.write_errors == 0
    database.close()
    database = PeerDatabase.open(path, NOW)
    [record] = database.peers()
    assert (record.friend, record.friend_serial, record.friend_their_serial, record.friend_acked) == (
        "sent", 8, 2**63 - 1, 7)
    database.close()


def test_migrated_file_has_the_layout_of_a_new_one(path: Path, tmp_path: Path) -> None:
    old_file(path)
    PeerDatabase.open(path, NOW).close()
    PeerDatabase.open(tmp_path / "new.db", NOW).close()

    def unordered(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        return set(rows)

    assert unordered(columns(path)) == unordered(columns(tmp_path / "new.db"))


def test_every_older_version_has_a_way_up() -> None:
    assert sorted(MIGRATIONS) == list(range(1, VERSION))


@pytest.mark.parametrize("when", ["after the first change", "before the commit"])
def test_migration_killed_in_the_middle_leaves_the_old_file_to_the_next_start(path: Path, when: str) -> None:
    old_file(path)
    before = dump(path)
    step = {"after the first change": "SELECT die()", "before the commit": 'UPDATE "Peer" SET "nickname" = die()'}[when]
    killed = run(f"""
import sqlite3
from tribler_multicast.database import PeerDatabase, schema
connect = sqlite3.connect
def connecting(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.create_function("die", 0, die)
    return connection
sqlite3.connect = connecting
schema.MIGRATIONS[1] += ({step!r},)
PeerDatabase.open(folder / "multicast.db", 1.0)
""", path.parent)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert dump(path) == before
    database = PeerDatabase.open(path, NOW)
    assert [record.nickname for record in database.peers()] == ["old friend"]
    assert [file.name for file in path.parent.iterdir() if "corrupt" in file.name] == []
    database.close()


def test_migration_that_fails_leaves_the_old_file_and_the_node_running(
        path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_file(path)
    before = dump(path)
    monkeypatch.setitem(MIGRATIONS, 1, (*MIGRATIONS[1], "SELECT no_such_function()"))
    database = PeerDatabase.open(path, NOW)
    assert database.peers() == []
    assert database.write_errors == 1
    database.close()
    assert dump(path) == before


def test_file_of_a_newer_version_is_refused_in_one_line_and_left_as_it_is(path: Path) -> None:
    old_file(path, "".join(statement + ";" for statement in CREATE))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("""INSERT INTO "Meta" VALUES ('version', ?)""", (str(VERSION + 1),))
    before = path.read_bytes()
    with pytest.raises(DatabaseTooNewError) as error:
        PeerDatabase.open(path, NOW)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["multicast.db"]


def test_first_start_killed_in_the_middle_is_followed_by_a_good_one(path: Path) -> None:
    killed = run("""
from tribler_multicast.database import PeerDatabase, schema
class Dying(tuple):
    def __iter__(self):
        yield from list(tuple.__iter__(self))[:1]
        die()
schema.CREATE = Dying(schema.CREATE)
PeerDatabase.open(folder / "sqlite" / "multicast.db", 1.0)
""", path.parent.parent)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    database = PeerDatabase.open(path, NOW)
    assert database.peers() == []
    assert database.write_errors == 0
    database.close()
    assert [file.name for file in path.parent.iterdir()] == ["multicast.db"]
