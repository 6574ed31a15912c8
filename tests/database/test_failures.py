"""What fails around the database, and what it does then: damage, locks, full and read-only disks, kill -9."""
from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
from contextlib import closing
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.database import PeerDatabase

from ..hostile_disk import kill, run, run_on_small_disk, start
from .common import NOW, OPEN, key, known, meet, reopened, rows

if TYPE_CHECKING:
    from pathlib import Path


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
