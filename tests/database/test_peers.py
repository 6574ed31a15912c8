from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ipv8.keyvault.crypto import default_eccrypto
from ipv8.peer import Peer
from pony import orm

from tribler_multicast.database import PeerDatabase, limits

from .common import NOW, key, known, meet, reopened, rows


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
