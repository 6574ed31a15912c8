"""Bytes given to and taken from each peer, and who was caught sending bad data: kept, bounded, expired."""
from __future__ import annotations

import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.database import PeerDatabase, PeerRecord, Traffic, limits

from ..hostile_disk import kill, start
from .common import NOW, OPEN, key, meet, reopened, rows

if TYPE_CHECKING:
    from pathlib import Path


def record(database: PeerDatabase, number: int) -> PeerRecord:
    found = database.peer(key(number))
    assert found is not None
    return found


def totals(database: PeerDatabase, number: int) -> Traffic:
    found = record(database, number)
    return Traffic(found.total_up, found.total_down, found.helped_up, found.helped_down)


def test_bytes_add_up_and_survive_a_restart(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    meet(database, 2)
    database.add_traffic({key(1): Traffic(5_000_000_000, 1, 40, 0), key(2): Traffic(down=7, helped_down=7)})
    database.add_traffic({key(1): Traffic(1, 2, 3, 0)})
    for again in (database, reopened(database)):
        assert totals(again, 1) == Traffic(5_000_000_001, 3, 43, 0)
        assert totals(again, 2) == Traffic(0, 7, 0, 7)
    assert again.write_errors == 0
    again.close()


def test_what_is_said_of_a_peer_leaves_its_totals_and_the_other_way_round(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database.add_traffic({key(1): Traffic(10, 20, 3, 4)})
    meet(database, 1, NOW + 1, nickname="another")
    database.touch({key(1): (NOW + 2, 9.0)})
    database.set_named(key(1), NOW + 3)
    database.set_friend(key(1), friend="sent", refused=False, serial=1, their_serial=0, acked=0, now=NOW + 4)
    database.clear_local(key(1), NOW + 5)
    database.add_traffic({key(1): Traffic(1, 1, 1, 1)})
    database = reopened(database)
    assert totals(database, 1) == Traffic(11, 21, 4, 5)
    assert (record(database, 1).nickname, record(database, 1).friend, record(database, 1).last_seen,
            record(database, 1).named_at) == ("another", "sent", NOW + 2, NOW + 3)
    database.close()


def test_strangers_have_no_totals_and_make_no_rows(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    database.add_traffic({key(number): Traffic(1, 1) for number in range(1000)})
    database.set_named(key(1), NOW)
    assert database.peers() == []
    assert rows(path) == []
    database.close()


def test_a_batch_is_one_transaction(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    for number in range(50):
        meet(database, number)
    with closing(sqlite3.connect(path)) as other:
        [(before,)] = other.execute("PRAGMA data_version")
        database.add_traffic({key(number): Traffic(number, 2 * number) for number in range(50)})
        assert other.execute('SELECT "total_up", "total_down" FROM "Peer" ORDER BY "total_up"').fetchall() == [
            (number, 2 * number) for number in range(50)]
        [(after,)] = other.execute("PRAGMA data_version")
    assert after != before
    database.add_traffic({})
    database.add_traffic({key(1): Traffic()})
    database.close()


def test_totals_do_not_overflow(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database.add_traffic({key(1): Traffic(limits.MAX_TOTAL, limits.MAX_TOTAL - 1)})
    database.add_traffic({key(1): Traffic(2, 2)})
    assert database.write_errors == 0
    database = reopened(database)
    assert totals(database, 1) == Traffic(limits.MAX_TOTAL, limits.MAX_TOTAL, 0, 0)
    database.close()


def test_what_was_counted_while_the_file_was_locked_is_in_it_later(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        database.add_traffic({key(1): Traffic(1, 2)})
        database.add_traffic({key(1): Traffic(10, 20)})
        other.execute("ROLLBACK")
    assert database.write_errors >= 1
    database.add_traffic({key(1): Traffic(100, 200)})
    assert rows(path, 'SELECT "total_up", "total_down" FROM "Peer"') == [(111, 222)]
    database.close()


def test_what_was_counted_before_the_file_could_be_opened_is_added_to_it(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    database.add_traffic({key(1): Traffic(1000, 2000, 30, 40)})
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        late = PeerDatabase.open(path, NOW + 9)
        meet(late, 1, NOW + 9)
        late.add_traffic({key(1): Traffic(1, 2, 3, 4)})
        late.set_named(key(1), NOW + 9)
        assert late.write_errors
        other.execute("ROLLBACK")
    meet(late, 1, NOW + 10)
    late = reopened(late)
    assert totals(late, 1) == Traffic(1001, 2002, 33, 44)
    assert record(late, 1).named_at == NOW + 9
    late.close()


def test_totals_survive_kill_9_at_any_moment(tmp_path: Path) -> None:
    """What a batch was told to be written is there, whole; the batch that was being written is there or not."""
    code = OPEN + """
from tribler_multicast.database import Traffic
database = PeerDatabase.open(path, 1_700_000_000.0)
for number in range(20):
    meet(database, number)
for turn in range(1, 1_000_000):
    database.add_traffic({key(number): Traffic(1, 2, 1, 0) for number in range(20)})
    print(turn, flush=True)
"""
    random = Random(1)
    least = 0
    for _ in range(4):
        process = start(code, tmp_path)
        assert process.stdout is not None
        for _ in range(random.randrange(1, 60)):
            line = process.stdout.readline()
        least += int(line)
        kill(process)
        database = PeerDatabase.open(tmp_path / "sqlite" / "multicast.db", NOW)
        found = {totals(database, number) for number in range(20)}
        database.close()
        [total] = found
        assert total.up >= least
        assert total == Traffic(total.up, 2 * total.up, total.up, 0)
        least = total.up


def test_who_was_caught_is_known_for_a_while_and_over_a_restart(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    for number in (1, 2, 3):
        meet(database, number)
    database.set_named(key(1), NOW)
    database.set_named(key(2), NOW + 100)
    database.set_named(key(2), NOW + 200)
    for again in (database, reopened(database)):
        assert {each.public_key for each in again.named(NOW + 300)} == {key(1), key(2)}
        assert {each.public_key for each in again.named(NOW + limits.NAMED_FOR + 1)} == {key(2)}
        assert again.named(NOW + limits.NAMED_FOR + 200) == []
        assert again.named(NOW - 50) == [], "a clock that was set back condemns nobody for ever"
    again.close()


def test_who_was_caught_is_forgotten_with_its_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 5)
    database = PeerDatabase.open(path, NOW)
    for number in range(30):
        meet(database, number, NOW + number)
        database.set_named(key(number), NOW + number)
    assert len(database.named(NOW + 40)) == 5
    assert rows(path, 'SELECT count(*) FROM "Peer"') == [(5,)]
    database.close()


def test_a_time_that_is_none_names_nobody(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    with pytest.raises(ValueError, match="not a time"):
        database.set_named(key(1), float("nan"))
    assert database.named(NOW) == []
    database.close()
