from __future__ import annotations

import hashlib
import logging
import os
import signal
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from ipv8.keyvault.crypto import default_eccrypto
from ipv8.peer import Peer
from pony import orm

from tribler_multicast.database import PeerDatabase, limits

from ..hostile_disk import kill, run, run_on_small_disk, start

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sqlite" / "multicast.db"


def reopened(database: PeerDatabase, now: float = NOW + 100) -> PeerDatabase:
    database.close()
    return PeerDatabase.open(database.path, now)


def rows(path: Path, query: str = 'SELECT * FROM "Peer"') -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def known(database: PeerDatabase) -> set[int]:
    return {int.from_bytes(record.public_key[10:], "big") for record in database.peers()}


def test_new_database_is_empty_and_its_folders_are_made(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    assert database.peers() == []
    assert database.peer(key(1)) is None
    assert database.write_errors == 0
    assert path.exists()
    database.close()


def test_file_is_for_its_owner_only_with_write_ahead_log(path: Path) -> None:
    before = os.umask(0)
    try:
        database = PeerDatabase.open(path, NOW)
        meet(database, 1)
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    database.close()


def test_write_does_not_wait_for_the_disk(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    assert database._store is not None
    with orm.db_session:
        # 1 is NORMAL: with a write-ahead log the disk is waited for at checkpoints only.
        assert database._store._db.execute("PRAGMA synchronous").fetchone() == (1,)
    database.close()


def test_peer_is_local_when_verified_and_everything_about_it_is_remembered(path: Path) -> None:
    public_key = default_eccrypto.generate_key("curve25519").pub().key_to_bin()
    database = PeerDatabase.open(path, NOW)
    addresses = [("ipv4", "192.0.2.7", 32110), ("ipv6", "fe80::1", 65535)]
    database.set_local(public_key, nickname="  Zoë\n\0\U0001f600 ", addresses=addresses, interface="Ethernet 2",
                       rtt_ms=0.25, capabilities=frozenset({"weather", "search"}), now=NOW)
    record = database.peer(public_key)
    assert record is not None
    assert record.mid == Peer(public_key).mid
    assert (record.is_local, record.was_local) == (True, True)
    assert (record.first_seen, record.last_seen) == (NOW, NOW)
    assert database.peers() == [record]
    database = reopened(database)
    again = database.peer(public_key)
    assert again is not None
    assert again.nickname == "  Zoë\n\0\U0001f600 "
    assert again.addresses == addresses
    assert (again.interface, again.rtt_ms, again.capabilities) == ("Ethernet 2", 0.25, ["search", "weather"])
    assert (again.first_seen, again.last_seen, again.mid) == (NOW, NOW, record.mid)
    assert (again.friend, again.total_up, again.total_down) == ("none", 0, 0)
    database.close()


def test_nobody_is_local_after_a_restart_but_everybody_was(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database = reopened(database)
    assert [(record.is_local, record.was_local) for record in database.peers()] == [(False, True)]
    assert rows(path, 'SELECT "is_local", "was_local" FROM "Peer"') == [(0, 1)]
    database.close()


def test_flag_is_cleared_when_peer_is_gone_and_its_last_sign_of_life_stays(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database.clear_local(key(1), NOW + 15)
    database.clear_local(key(2), NOW + 15)
    assert rows(path, 'SELECT "is_local", "was_local", "last_seen" FROM "Peer"') == [(0, 1, NOW)]
    record = database.peer(key(1))
    assert record is not None
    assert (record.is_local, record.was_local, record.last_seen) == (False, True, NOW)
    database.close()


def test_peer_that_comes_back_keeps_its_first_time_and_takes_what_is_new(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database = reopened(database)
    meet(database, 1, NOW + 200, nickname="", addresses=[], interface=None, rtt_ms=None, capabilities=[])
    database = reopened(database)
    record = database.peer(key(1))
    assert record is not None
    assert (record.first_seen, record.last_seen) == (NOW, NOW + 200)
    assert (record.nickname, record.addresses, record.interface, record.rtt_ms, record.capabilities) == (
        "", [], None, None, [])
    database.close()


def test_times_of_many_peers_are_remembered_at_once_and_strangers_left_out(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    meet(database, 2)
    database.touch({key(1): (NOW + 1, 7.5), key(2): (NOW + 2, None), key(3): (NOW + 3, 1.0)})
    database = reopened(database)
    assert {(record.public_key, record.last_seen, record.rtt_ms, record.nickname) for record in database.peers()} == {
        (key(1), NOW + 1, 7.5, "peer 1"), (key(2), NOW + 2, None, "peer 2")}
    database.close()


@pytest.mark.parametrize("wrong", [
    {"now": float("nan")}, {"now": float("inf")}, {"rtt_ms": float("nan")}, {"rtt_ms": float("inf")},
    {"addresses": [("ipv4", "192.0.2.1")]}, {"addresses": [(4, "192.0.2.1", 1)]},
    {"addresses": [("ipv4", "x", "port")]}])
def test_nonsense_is_refused_and_does_not_spoil_later_writes(path: Path, wrong: dict[str, Any]) -> None:
    database = PeerDatabase.open(path, NOW)
    with pytest.raises((ValueError, TypeError, AttributeError)):
        meet(database, 1, **wrong)
    assert database.peers() == []
    meet(database, 2)
    with pytest.raises(ValueError, match="not a time"):
        database.touch({key(2): (float("nan"), None)})
    database = reopened(database)
    assert known(database) == {2}
    assert database.peer(key(2)).last_seen == NOW  # type: ignore[union-attr]
    database.close()


@pytest.mark.parametrize("public_key", [b"", b"x" * 73, b"x" * 75, "x" * 74])
def test_what_is_no_public_key_is_refused(path: Path, public_key: Any) -> None:  # noqa: ANN401
    database = PeerDatabase.open(path, NOW)
    with pytest.raises(ValueError, match="74 bytes"):
        database.set_local(public_key, nickname="", addresses=[], interface=None, rtt_ms=None, capabilities=(),
                           now=NOW)
    database.close()


def test_names_that_no_file_can_hold_are_mended(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1, nickname="a\ud800b", interface="eth\udcff", capabilities=["\ud800"])
    assert database.write_errors == 0
    database = reopened(database)
    record = database.peer(key(1))
    assert record is not None
    assert (record.nickname, record.interface, record.capabilities) == ("a?b", "eth?", ["?"])
    database.close()


def test_longest_unseen_peers_go_first_but_local_ones_and_friends_stay(
        path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = PeerDatabase.open(path, NOW)
    for number in range(6):
        meet(database, number, NOW + number)
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("""UPDATE "Peer" SET "friend" = 'mutual' WHERE "public_key" = ?""", (key(0),))
        connection.execute("""UPDATE "Peer" SET "friend" = 'received' WHERE "public_key" = ?""", (key(1),))
        connection.commit()
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 5)
    database = PeerDatabase.open(path, NOW)
    assert known(database) == {0, 2, 3, 4, 5}
    meet(database, 2, NOW)
    meet(database, 10, NOW - 1000)
    assert known(database) == {0, 2, 4, 5, 10}
    database = reopened(database)
    assert known(database) == {0, 2, 4, 5, 10}
    database.close()


def test_number_of_peers_is_bounded_even_when_all_are_local(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 5)
    database = PeerDatabase.open(path, NOW)
    for number in range(20):
        meet(database, number, NOW + number)
        assert len(database.peers()) <= 5
    assert known(database) == set(range(15, 20))
    assert len(rows(path)) == 5
    database.close()


def test_peer_that_was_pushed_out_and_comes_back_is_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 1)
    database = PeerDatabase.open(path, NOW)
    for number in (1, 2, 1):
        meet(database, number, NOW)
    database = reopened(database)
    assert known(database) == {1}
    database.close()


def test_peer_that_was_pushed_out_and_came_back_while_the_file_was_locked_is_in_the_file(
        path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 1)
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        meet(database, 2)
        meet(database, 1)
        other.execute("ROLLBACK")
    database = reopened(database)
    assert known(database) == {1}
    database.close()


def test_two_databases_in_one_process_are_two(tmp_path: Path) -> None:
    one, two = PeerDatabase.open(tmp_path / "1" / "p.db", NOW), PeerDatabase.open(tmp_path / "2" / "p.db", NOW)
    meet(one, 1)
    meet(two, 2)
    one, two = reopened(one), reopened(two)
    assert (known(one), known(two)) == ({1}, {2})
    one.close()
    two.close()


def test_changes_after_close_are_kept_in_memory_and_are_no_error(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database.close()
    database.close()
    database.clear_local(key(1), NOW)
    meet(database, 2)
    assert known(database) == {1, 2}
    assert len(rows(path)) == 1


def test_write_is_in_the_file_at_once_even_inside_a_session_of_the_host(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    with orm.db_session:
        meet(database, 1)
        assert len(rows(path)) == 1
        database.clear_local(key(1), NOW)
        assert rows(path, 'SELECT "is_local" FROM "Peer"') == [(0,)]
    database.close()


def damage(path: Path, way: str) -> None:
    content = path.read_bytes()
    if way in STATEMENTS:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(STATEMENTS[way])
            connection.commit()
    elif way == "index":
        # What a plain reading of the rows never meets.
        [(page, size)] = rows(path, "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
                                    """WHERE name = 'sqlite_autoindex_Peer_1'""")
        path.write_bytes(content[:(page - 1) * size] + os.urandom(size) + content[page * size:])
    elif way == "garbage":
        path.write_bytes(os.urandom(5000))
    elif way == "cut":
        path.write_bytes(content[:len(content) // 2])
    else:
        path.write_bytes(content[:4096] + os.urandom(len(content) - 8192) + content[-4096:])


STATEMENTS = {
    "lost table": 'DROP TABLE "Peer"',
    "no version": 'DELETE FROM "Meta"',
    "bad version": 'UPDATE "Meta" SET "value" = \'x\'',
    "lost column": 'ALTER TABLE "Peer" DROP COLUMN "friend"',
    "bad json": 'UPDATE "Peer" SET "addresses" = \'[\'',
    "bad number": 'UPDATE "Peer" SET "last_seen" = \'soon\'',
    "endless number": 'UPDATE "Peer" SET "last_seen" = 9e999',
    "wrong mid": 'UPDATE "Peer" SET "mid" = x\'00\'',
    "bad friend": 'UPDATE "Peer" SET "friend" = \'enemy\'',
    "bad key": 'UPDATE "Peer" SET "public_key" = x\'00\' WHERE rowid = (SELECT max(rowid) FROM "Peer")',
    "bad capabilities": 'UPDATE "Peer" SET "capabilities" = \'[1]\'',
}


@pytest.mark.parametrize("way", ["garbage", "cut", "middle", "index", *STATEMENTS])
def test_damaged_file_is_set_aside_and_said_once(path: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    database = PeerDatabase.open(path, NOW)
    for number in range(200):
        meet(database, number)
    database.close()
    damage(path, way)
    content = path.read_bytes()
    with caplog.at_level(logging.INFO):
        database = PeerDatabase.open(path, NOW + 0.5)
    assert database.peers() == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "damaged" in caplog.text
    aside = path.with_name("multicast.db.corrupt-1700000000")
    assert aside.name in caplog.text
    # Where SQLite could read the file, the change to its layout or to is_local was taken back or came first.
    assert aside.read_bytes() == content or way in STATEMENTS
    meet(database, 7)
    database = reopened(database)
    assert known(database) == {7}
    assert database.write_errors == 0
    database.close()


def test_second_damaged_file_of_a_second_does_not_replace_the_first(path: Path) -> None:
    path.parent.mkdir()
    for number in range(3):
        path.write_bytes(b"damage %d" % number * 1000)
        PeerDatabase.open(path, NOW).close()
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "multicast.db", "multicast.db.corrupt-1700000000", "multicast.db.corrupt-1700000000-1",
        "multicast.db.corrupt-1700000000-2"]


def test_empty_file_left_by_a_killed_first_start_is_filled(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    assert [file.name for file in path.parent.iterdir() if "corrupt" in file.name] == []
    database = reopened(database)
    assert known(database) == {1}
    database.close()


@pytest.mark.parametrize("place", ["below a file", "a folder"])
def test_database_works_in_memory_where_no_file_can_be_and_moves_in_when_it_can(
        path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    (path if place == "a folder" else path.parent.parent).mkdir(parents=True, exist_ok=True)
    if place == "below a file":
        path.parent.write_bytes(b"")
    database = PeerDatabase.open(path, NOW)
    for number in range(10):
        meet(database, number)
    database.touch({key(0): (NOW + 5, 3.0)})
    assert known(database) == set(range(10))
    assert database.write_errors == 12
    assert len(caplog.records) == 1
    path.rmdir() if place == "a folder" else path.parent.unlink()
    database.clear_local(key(1), NOW)
    assert database.write_errors == 12
    assert len(rows(path)) == 10
    database = reopened(database)
    assert database.peer(key(0)).last_seen == NOW + 5  # type: ignore[union-attr]
    database.close()


def test_file_that_another_program_locks_never_stops_the_node_and_is_written_later(
        path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    other = start(f"""
import sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
""", path.parent)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        database.clear_local(key(1), NOW)
        meet(database, 2)
        database.touch({key(2): (NOW + 9, 1.0)})
        assert known(database) == {1, 2}
        assert database.write_errors == 3
        assert len(caplog.records) == 1
        late = PeerDatabase.open(path, NOW)
        assert late.write_errors == 1
    finally:
        kill(other)
    meet(database, 3)
    assert database.write_errors == 3
    assert {(row[0], row[1]) for row in rows(path, 'SELECT "public_key", "last_seen" FROM "Peer"')} == {
        (key(1), NOW), (key(2), NOW + 9), (key(3), NOW)}
    database.close()


def test_writes_that_keep_failing_do_not_hold_up_the_event_loop(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = PeerDatabase.open(path, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        caplog.clear()
        began = perf_counter()
        for number in range(50):
            meet(database, number)
        # The first waits a tenth of a second, the other 49 would have waited five more.
        assert perf_counter() - began < 2.5
        assert database.write_errors == 50
        assert [record.getMessage() for record in caplog.records] == [
            f"Cannot write the database {path} (database is locked): 1 changes kept in memory until it can be written"]
        other.execute("ROLLBACK")
    database.close()
    assert len(rows(path)) == 50


def test_short_lock_of_another_program_is_waited_for(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    locked = threading.Event()

    def lock() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            threading.Event().wait(0.02)
            other.execute("ROLLBACK")

    thread = threading.Thread(target=lock)
    thread.start()
    assert locked.wait(5)
    meet(database, 1)
    thread.join()
    assert database.write_errors == 0
    database.close()


def test_peers_met_while_there_was_no_file_keep_what_the_file_knew_of_them(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    meet(database, 2)
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("""UPDATE "Peer" SET "friend" = 'mutual', "total_up" = 5000000000""")
        other.execute("BEGIN EXCLUSIVE")
        database = PeerDatabase.open(path, NOW + 100)
        assert database.peers() == []
        meet(database, 1, NOW + 100, nickname="new")
        other.execute("ROLLBACK")
    meet(database, 3, NOW + 100)
    record = database.peer(key(1))
    assert record is not None
    assert (record.first_seen, record.nickname, record.friend, record.total_up) == (NOW, "new", "mutual", 5_000_000_000)
    assert {number: database.peer(key(number)).is_local for number in (1, 2, 3)} == {  # type: ignore[union-attr]
        1: True, 2: False, 3: True}
    database.close()


def test_full_disk_never_stops_the_node_and_is_written_once_there_is_room(tmp_path: Path) -> None:
    script = OPEN + """
database = PeerDatabase.open(path, 1.0)
for number in range(50):
    meet(database, number)
assert database.write_errors == 0
fill()
for number in range(50, 250):
    meet(database, number)
database.touch({key(number): (1_700_000_001.0, None) for number in range(250)})
assert database.write_errors > 100, database.write_errors
assert len(database.peers()) == 250
(folder / "filler").unlink()
failed = database.write_errors
database.clear_local(key(0), 1.0)
assert database.write_errors == failed
database.close()
database = PeerDatabase.open(path, 2.0)
assert len(database.peers()) == 250
assert len([p for p in database.peers() if p.last_seen == 1_700_000_001.0]) == 249
database.close()
assert [file.name for file in path.parent.iterdir()] == ["multicast.db"]
"""
    result = run_on_small_disk(script, tmp_path, "1m")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Cannot write the database") == 1
    assert "Traceback" not in result.stderr


def test_database_on_a_disk_that_is_full_from_the_start_works_in_memory(tmp_path: Path) -> None:
    script = OPEN + """
fill()
database = PeerDatabase.open(path, 1.0)
meet(database, 1)
assert len(database.peers()) == 1 and database.write_errors == 2
(folder / "filler").unlink()
meet(database, 2)
assert database.write_errors == 2
database.close()
assert len(PeerDatabase.open(path, 2.0).peers()) == 2
"""
    result = run_on_small_disk(script, tmp_path)
    assert result.returncode == 0, result.stderr


def test_read_only_disk_never_stops_the_node_and_is_written_once_it_can_be(tmp_path: Path) -> None:
    script = OPEN + """
database = PeerDatabase.open(path, 1.0)
meet(database, 1)
database.close()
read_only(True)
database = PeerDatabase.open(path, 2.0)
meet(database, 2)
database.clear_local(key(2), 2.0)
assert database.write_errors == 3
read_only(False)
meet(database, 3)
assert database.write_errors == 3
assert len(database.peers()) == 3
database.close()
assert len(PeerDatabase.open(path, 3.0).peers()) == 3
"""
    result = run_on_small_disk(script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Cannot write the database") == 1


def test_killed_at_random_nothing_that_was_written_is_lost(tmp_path: Path) -> None:
    script = OPEN + """
database = PeerDatabase.open(path, 1.0)
number = len(database.peers())
while True:
    meet(database, number)
    print(number, flush=True)
    number += 1
"""
    written = -1
    for delay in range(8):
        writer = start(script, tmp_path)
        try:
            assert writer.stdout is not None
            written = int(writer.stdout.readline())
            threading.Event().wait(delay / 200)
        finally:
            rest, errors = kill(writer)
        assert errors == ""
        written = max([written] + [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")])
        database = PeerDatabase.open(tmp_path / "sqlite" / "multicast.db", NOW)
        assert known(database) in (set(range(written + 1)), set(range(written + 2)))
        assert database.write_errors == 0
        assert not any(record.is_local for record in database.peers())
        database.close()
    assert [file.name for file in (tmp_path / "sqlite").iterdir()] == ["multicast.db"]


def test_killed_in_the_middle_of_a_transaction_leaves_the_one_before(tmp_path: Path) -> None:
    killed = run(OPEN + """
database = PeerDatabase.open(path, 1.0)
meet(database, 1)
database._store._db.commit = die
meet(database, 2)
""", tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    database = PeerDatabase.open(tmp_path / "sqlite" / "multicast.db", NOW)
    assert known(database) == {1}
    database.close()


def test_opening_again_and_again_leaks_no_files(path: Path) -> None:
    PeerDatabase.open(path, NOW).close()
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(20):
        database = PeerDatabase.open(path, NOW)
        meet(database, 1)
        database.close()
    after = len(list(Path("/proc/self/fd").iterdir())) if before else 0
    assert after <= before


def test_member_id_is_the_hash_of_the_key(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    assert database.peers()[0].mid == hashlib.sha1(key(1)).digest()
    database.close()
