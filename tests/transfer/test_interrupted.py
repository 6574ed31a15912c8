"""
Stopped, killed, or meddled with: what a store has counts again once it was looked at.
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.errors import ChangedError, LostError, StoreError
from tribler_multicast.transfer.limits import COMMIT_BYTES, COMMIT_TIME
from tribler_multicast.transfer.store import area as area_module
from tribler_multicast.transfer.store import commits as commits_module
from tribler_multicast.transfer.store.ending import finish

from .stores import Offer, recheck_all
from .trees import FOLDER, MIB, contents, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def test_stop_and_start_again_loses_nothing_and_checks_nothing_twice(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    for segment in (0, 2, 3):
        folder.give(store, segment)
    for at, unit in folder.units(store, 1)[:5]:
        store.write(1, at, unit)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.write(1, 0, b"")
    store = folder.open(out)
    assert store.unchecked == 0
    assert folder.claims(store) == [0, 2, 3]
    assert store.units(1) == 0b11111
    assert store.tree.wanted(2) is None
    assert store.tree.wanted(1) is None, "the hash of its neighbour came with it"
    folder.give_all(store)
    finish(store)
    assert contents(out / "album") == FOLDER


def test_start_after_a_crash_checks_what_there_is(file: Offer, out: Path) -> None:
    store = file.open(out)
    file.give(store, 0)
    file.give(store, 1)
    store.commit()
    file.give(store, 2)
    store.release()  # as a kill does: nothing is said any more
    store = file.open(out)
    assert store.unchecked == 2
    assert not store.has(0)
    assert store.available(0, MIB) == 0
    recheck_all(store)
    assert file.claims(store) == [0, 1]


def test_other_units_after_a_restart_keep_what_they_cover(file: Offer, out: Path) -> None:
    store = file.open(out)
    for at, unit in file.units(store, 0)[10:30]:
        store.write(0, at, unit)
    store.close()
    store = file.open(out, unit=1280)
    assert file.claims(store) == []
    assert store.units(0).bit_count() == (30 * 1344) // 1280 - -(-10 * 1344 // 1280)
    store.close()
    assert file.open(out, unit=1344).units(0).bit_count() >= 15


def test_journal_is_written_anew_when_it_got_long(file: Offer, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits_module, "COMPACT", 1000)
    store = file.open(out)
    journal, sizes = out / "film.mkv.part.state" / "journal", []
    for at, unit in file.units(store, 0)[:60]:
        store.write(0, at, unit)
        store.commit()
        sizes.append(journal.stat().st_size)
    file.give(store, 1)
    store.commit()
    assert max(sizes) < 2500
    assert any(one > two for one, two in pairwise(sizes))
    store.release()
    store = file.open(out)
    recheck_all(store)
    assert file.claims(store) == [1]
    assert store.units(0).bit_count() == 60


def test_commit_is_due_after_a_second_or_enough_bytes_and_not_without_need(file: Offer, out: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    store = file.open(out)
    assert not store.is_due(5.0)
    store.write(0, 0, file.units(store, 0)[0][1])
    assert not store.is_due(10.0)
    assert not store.is_due(10.0 + COMMIT_TIME - 0.01)
    assert store.is_due(10.0 + COMMIT_TIME)
    store.commit()
    assert not store.is_due(20.0)
    monkeypatch.setattr(commits_module, "COMMIT_BYTES", 2 * MIB)
    file.give(store, 0)
    assert not store.is_due(20.0)
    file.give(store, 1)
    assert store.is_due(20.0)
    assert COMMIT_BYTES >= 16 * MIB


def test_many_changed_files_are_made_durable_at_once(tmp_path: Path, out: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    offer = Offer(make(tmp_path / "x", {f"{n}": some_bytes(100, n) for n in range(200)}))
    store, synced, real = offer.open(out), [], os.fsync
    offer.give_all(store)
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(file) or real(file))  # type: ignore[func-returns-value]
    store.commit()
    finish(store)
    if sys.platform == "linux":
        assert len(synced) < 20
    monkeypatch.setattr(area_module, "sync_all", lambda _: False)
    store, before = offer.open(tmp_path / "two"), len(synced)
    offer.give_all(store)
    store.commit()
    assert len(synced) - before >= 200


CHANGES = {"written to": lambda path: path.write_bytes(b"x" * 3 * MIB), "cut": lambda path: os.truncate(path, MIB + 5),
           "touched": lambda path: os.utime(path, (1, 1))}


@posix
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("noticed_by", ["write", "read", "finish"])
def test_file_that_another_program_changed_is_checked_again_and_mended(file: Offer, out: Path, change: str,
                                                                       noticed_by: str) -> None:
    store = file.open(out)
    for segment in range(4 if noticed_by == "finish" else 3):
        file.give(store, segment)
    store.commit()
    CHANGES[change](out / "film.mkv.part")
    if noticed_by == "write":
        store.write(3, 0, file.source.read(3))
    elif noticed_by == "read" and change != "touched":
        with pytest.raises(ChangedError, match="changed by another program"):
            store.read(2)
    elif noticed_by == "read":
        store.read(2)
    else:
        with pytest.raises(ChangedError, match="changed by another program"):
            finish(store)
    assert store.unchecked
    recheck_all(store)
    kept = {"written to": [], "cut": [0], "touched": [0, 1, 2, 3] if noticed_by == "finish" else [0, 1, 2]}[change]
    assert file.claims(store) == kept
    file.give_all(store)
    finish(store)
    assert (out / "film.mkv").read_bytes() == some_bytes(3 * MIB + 5)


@posix
@pytest.mark.parametrize("change", ["deleted", "replaced", "link"])
@pytest.mark.parametrize("call", ["write", "read", "commit", "finish"])
def test_file_that_was_taken_away_is_an_error_and_the_next_start_begins_anew(file: Offer, out: Path, change: str,
                                                                             call: str) -> None:
    store, part = file.open(out), out / "film.mkv.part"
    file.give_all(store) if call == "finish" else file.give(store, 0)
    part.unlink() if change == "deleted" else part.rename(out / "old")
    if change == "replaced":
        part.write_bytes(bytes(MIB))
    elif change == "link":
        (out / "precious").write_bytes(bytes(5 * MIB))
        part.symlink_to("precious")
    store.areas.close()  # so that it is opened by its name again
    with pytest.raises((LostError, StoreError, ChangedError)) as error:
        {"write": lambda: store.write(1, 0, file.source.read(1)), "read": lambda: store.read(0), "commit": store.commit,
         "finish": lambda: finish(store)}[call]()
        finish(store)
    assert "\n" not in str(error.value)
    store.release()
    if change == "link":
        assert (out / "precious").read_bytes() == bytes(5 * MIB)
        part.unlink()
    store = file.open(out)
    recheck_all(store)
    assert file.claims(store) == []
    file.give_all(store)
    finish(store)
    assert (out / "film.mkv").read_bytes() == some_bytes(3 * MIB + 5)


@posix
def test_file_deleted_while_it_is_open_is_noticed_at_the_next_write(file: Offer, out: Path) -> None:
    store = file.open(out)
    file.give(store, 0)
    (out / "film.mkv.part").unlink()
    with pytest.raises(LostError, match=r"film.mkv.part was moved or deleted while it was received"):
        store.write(1, 0, file.source.read(1))


def test_secret_change_is_never_served(file: Offer, out: Path) -> None:
    store, part = file.open(out), out / "film.mkv.part"
    file.give(store, 0)
    before = part.stat()
    with part.open("r+b") as other:
        other.write(b"xyz")
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ChangedError):
        store.read(0)
    assert not store.has(0)
    file.give(store, 0)
    assert store.read(0) == file.source.read(0)


def test_changed_while_stopped_is_noticed_at_the_start(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    folder.give_all(store)
    store.close()
    (out / "album.part" / "z").write_bytes(bytes(MIB))
    (out / "album.part" / "a-b").unlink()
    store = folder.open(out)
    assert store.unchecked
    recheck_all(store)
    assert not store.is_whole
    folder.give_all(store)
    finish(store)
    assert contents(out / "album") == FOLDER


def test_commits_of_one_thread_go_with_writes_of_others(tmp_path: Path, out: Path) -> None:
    (tmp_path / "film").write_bytes(some_bytes(12 * MIB))
    offer = Offer(tmp_path / "film")
    store = offer.open(out)
    for segment in range(12):
        offer.prove(store, segment)

    def write(segments: range) -> None:
        for segment in segments:
            for at, unit in offer.units(store, segment):
                store.write(segment, at, unit)
            assert store.verify(segment)

    threads = [threading.Thread(target=write, args=(range(n, 12, 3),)) for n in range(3)]
    for thread in threads:
        thread.start()
    commits = 0
    while any(thread.is_alive() for thread in threads):
        store.commit()
        commits += 1
    for thread in threads:
        thread.join()
    assert store.is_whole
    store.release()
    assert commits > 2
    store = offer.open(out)
    assert len(offer.claims(store)) >= 1
    recheck_all(store)
    offer.give_all(store)
    finish(store)
    assert (out / "film").read_bytes() == some_bytes(12 * MIB)
