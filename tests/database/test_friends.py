"""What the database remembers of friends, and whom it never forgets."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.community.befriending import DatabaseBook
from tribler_multicast.database import PeerDatabase, limits
from tribler_multicast.protocol.friends import NOTHING, Bond, Verdict
from tribler_multicast.protocol.identity import mid_of

from ..hostile_disk import run, run_on_small_disk
from .common import NOW, OPEN, key, known, meet, reopened, rows

if TYPE_CHECKING:
    from pathlib import Path

BONDS = [Bond(mine, serial, theirs, 5, 7) for mine in Verdict for theirs in (False, True)
         for serial in (1, 2**63 - 1) if not (theirs and mine is Verdict.NO)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sqlite" / "multicast.db"


def wire_key(number: int) -> bytes:
    return key(number)[10:]


def test_every_bond_outlasts_a_restart(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    for number, bond in enumerate(BONDS):
        meet(database, number)
        DatabaseBook(database).write(wire_key(number), bond)
    database = reopened(database)
    book = DatabaseBook(database)
    assert [book.read(wire_key(number)) for number in range(len(BONDS))] == BONDS
    assert book.read(wire_key(99)) == NOTHING
    assert book.all() == {wire_key(number): bond for number, bond in enumerate(BONDS) if bond.state != "none"}
    database.close()


def test_meeting_and_losing_a_peer_leaves_the_bond_alone(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    meet(database, 1)
    book = DatabaseBook(database)
    book.write(wire_key(1), BONDS[2])
    meet(database, 1, nickname="new")
    database.clear_local(key(1), NOW + 1)
    database.touch({key(1): (NOW + 2, 3.0)})
    assert book.read(wire_key(1)) == BONDS[2]
    record = database.peer_with_mid(mid_of(wire_key(1)))
    assert record is not None
    assert (record.nickname, record.last_seen) == ("new", NOW + 2)
    assert database.peer_with_mid(bytes(20)) is None
    database.close()


def test_who_asks_is_listed_the_longest_unseen_first(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    book = DatabaseBook(database)
    for number in range(5):
        meet(database, number, NOW - number)
        book.write(wire_key(number), Bond(theirs=number != 2, their_serial=1))
    assert book.asking() == [wire_key(number) for number in (4, 3, 1, 0)]
    database.close()


def test_no_crowd_pushes_out_a_friend(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KNOWN_PEERS", 3)
    database = PeerDatabase.open(path, NOW)
    book = DatabaseBook(database)
    for number in range(5):
        meet(database, number, NOW - 1000)
        book.write(wire_key(number), Bond(Verdict.YES, 1, bool(number % 2)))
    for number in range(100, 120):
        meet(database, number, NOW + number)
        book.write(wire_key(number), Bond(theirs=True, their_serial=1))
    assert known(database) == {0, 1, 2, 3, 4, 119}
    database = reopened(database)
    assert known(database) >= {0, 1, 2, 3, 4}
    assert len(rows(path)) <= 6
    database.close()


def test_a_friend_that_the_database_had_forgotten_gets_a_row(path: Path) -> None:
    database = PeerDatabase.open(path, NOW)
    DatabaseBook(database).write(wire_key(1), BONDS[2])
    database = reopened(database)
    assert DatabaseBook(database).read(wire_key(1)) == BONDS[2]
    database.close()


@pytest.mark.parametrize("wrong", [{"friend": "enemy"}, {"public_key": b"short"}, {"now": float("nan")}])
def test_what_is_no_friendship_is_refused_and_changes_nothing(path: Path, wrong: dict[str, object]) -> None:
    database = PeerDatabase.open(path, NOW)
    values = {"public_key": key(1), "friend": "sent", "now": NOW, **wrong}
    with pytest.raises(ValueError, match=r".+"):
        database.set_friend(refused=False, serial=1, their_serial=0, acked=0, **values)  # type: ignore[arg-type]
    assert database.peers() == []
    database.close()


def test_a_decision_is_in_the_file_at_once(tmp_path: Path) -> None:
    killed = run(OPEN + """
database = PeerDatabase.open(path, 1.0)
meet(database, 1)
database.set_friend(key(1), friend="sent", refused=False, serial=7, their_serial=0, acked=0, now=2.0)
die()
""", tmp_path)
    assert killed.returncode == -9, killed.stderr
    database = PeerDatabase.open(tmp_path / "sqlite" / "multicast.db", NOW)
    assert DatabaseBook(database).read(wire_key(1)) == Bond(Verdict.YES, 7)
    database.close()


def test_decisions_on_a_full_disk_are_kept_and_written_when_there_is_room(tmp_path: Path) -> None:
    said = run_on_small_disk(OPEN + """
database = PeerDatabase.open(path, 1.0)
meet(database, 1)
fill()
for number in range(2, 200):
    meet(database, number)
for serial in range(1, 60):
    database.set_friend(key(1), friend="sent", refused=False, serial=serial, their_serial=0, acked=0, now=2.0)
assert database.write_errors > 10, database.write_errors
assert database.peer(key(1)).friend_serial == 59
(folder / "filler").unlink()
database.close()
again = PeerDatabase.open(path, 3.0)
assert again.peer(key(1)).friend_serial == 59
again.close()
""", tmp_path, "1m")
    assert said.returncode == 0, said.stderr


def test_a_decision_made_before_the_file_came_counts_and_older_friends_come_with_the_file(path: Path) -> None:
    import sqlite3  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    database = PeerDatabase.open(path, NOW)
    book = DatabaseBook(database)
    for number in (1, 2):
        meet(database, number)
        book.write(wire_key(number), Bond(Verdict.YES, 5, True, 6, 5))
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        database = PeerDatabase.open(path, NOW + 1)
        book = DatabaseBook(database)
        meet(database, 1)
        meet(database, 2)
        book.write(wire_key(1), Bond(Verdict.NO, 9))
        other.execute("ROLLBACK")
    meet(database, 3)
    assert database.write_errors > 0
    assert book.read(wire_key(1)) == Bond(Verdict.NO, 9)
    assert book.read(wire_key(2)) == Bond(Verdict.YES, 5, True, 6, 5)
    database.close()
