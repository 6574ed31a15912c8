"""
What arrives is kept in place, counts when it is checked, and has its name when it is whole.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.content.index import Entry, pack_index
from tribler_multicast.transfer.content.manifest import Content, Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.content.tree import HashTree, leaf_hash
from tribler_multicast.transfer.errors import ChangedError, ContentError, LostError, StoreError
from tribler_multicast.transfer.limits import COMMIT_BYTES, COMMIT_TIME, SEGMENT_SIZE
from tribler_multicast.transfer.store import area as area_module
from tribler_multicast.transfer.store import commits as commits_module
from tribler_multicast.transfer.store.ending import discard, finish
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

from .stores import PUBLISHER, UNIT, Offer, recheck_all
from .trees import contents, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

MIB = SEGMENT_SIZE
FOLDER: dict[str, bytes | None] = {"a/b/deep": b"1" * 1000, "a-b": b"2", "big": some_bytes(2 * MIB + 77), "empty": b"",
                                   "none": None, "z": some_bytes(MIB)}
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Offer:
    (tmp_path / "film.mkv").write_bytes(some_bytes(3 * MIB + 5))
    return Offer(tmp_path / "film.mkv")


@pytest.fixture
def folder(tmp_path: Path) -> Offer:
    return Offer(make(tmp_path / "album", FOLDER))


@pytest.mark.parametrize("size", [0, 1, 1344, 10_000, MIB, MIB + 1, 3 * MIB])
def test_file_of_any_size_arrives_whole(tmp_path: Path, out: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(some_bytes(size))
    offer = Offer(tmp_path / "file")
    store = offer.open(out)
    offer.give_all(store, Random(1))
    source = finish(store)
    assert source.listing.path == out / "file"
    assert (out / "file").read_bytes() == some_bytes(size)
    assert os.listdir(out) == ["file"]


@pytest.mark.parametrize("seed", range(6))
def test_folder_arrives_whole_in_any_order(folder: Offer, out: Path, seed: int) -> None:
    store = folder.open(out)
    random = Random(seed)
    folder.give_all(store, random)
    finish(store)
    assert contents(out / "album") == FOLDER
    assert os.listdir(out) == ["album"]


@pytest.mark.parametrize("files", [{}, {"empty": b""}, {"none": None}, {"a/none": None, "b": b""}])
def test_folders_of_nothing_arrive(tmp_path: Path, out: Path, files: dict[str, bytes | None]) -> None:
    offer = Offer(make(tmp_path / "x", files))
    store = offer.open(out)
    offer.give_all(store)
    assert store.is_whole
    finish(store)
    assert (out / "x").is_dir()
    assert contents(out / "x") == files


def test_result_has_no_name_before_it_is_whole(file: Offer, out: Path) -> None:
    store = file.open(out)
    file.give(store, 0)
    store.commit()
    assert sorted(os.listdir(out)) == ["film.mkv.part", "film.mkv.part.state"]
    with pytest.raises(StoreError, match="is not whole"):
        finish(store)


@posix
def test_room_is_taken_at_the_start(file: Offer, out: Path) -> None:
    file.open(out)
    assert (out / "film.mkv.part").stat().st_size == 3 * MIB + 5
    assert (out / "film.mkv.part").stat().st_blocks * 512 >= 3 * MIB


def test_segment_counts_only_when_its_hash_is_known_and_right(file: Offer, out: Path) -> None:
    store = file.open(out)
    data = file.source.read(1)
    assert store.write_segment(1, data) is None
    file.prove(store, 1)
    assert store.write_segment(1, data[:-1] + bytes((data[-1] ^ 1,))) is False
    assert store.write_segment(1, data[:-1]) is False
    assert not store.has(1)
    assert store.write_segment(1, data) is True
    assert store.write_segment(1, b"") is True, "it is here: nothing is written"
    assert store.read(1) == data


def test_units_that_nobody_checked_are_remembered_but_do_not_count(file: Offer, out: Path) -> None:
    store = file.open(out)
    units = file.units(store, 2)
    for at, unit in units[1:]:
        assert store.write(2, at, unit)
    file.prove(store, 2)
    assert store.verify(2) is None
    assert store.units(2) == (1 << len(units)) - 2
    assert store.read_units(2, *(units[5][0], UNIT)) == units[5][1]
    with pytest.raises(KeyError):
        store.read(2)
    assert store.write(2, *units[0])
    assert store.verify(2) is True
    assert not store.write(2, *units[0]), "a whole segment is not written to"


def test_wrong_unit_is_found_dropped_and_written_again(file: Offer, out: Path) -> None:
    store = file.open(out)
    units = file.units(store, 0)
    for at, unit in units:
        store.write(0, at, unit if at != 7 * UNIT else bytes(UNIT))
    assert store.verify(0) is None, "no hash is known yet"
    file.prove(store, 0)
    assert store.verify(0) is False
    store.drop(0, 1 << 7)
    assert store.verify(0) is None
    store.write(0, *units[7])
    assert store.verify(0) is True
    store.drop(0)
    assert store.has(0)


@pytest.mark.parametrize(("offset", "size"), [(1, UNIT), (-UNIT, UNIT), (0, UNIT - 1), (780 * UNIT, UNIT), (MIB, 1),
                                              (0, MIB + 1)])
def test_what_is_no_unit_is_a_mistake_of_the_caller(file: Offer, out: Path, offset: int, size: int) -> None:
    store = file.open(out)
    with pytest.raises(ValueError, match="not whole units"):
        store.write(0, offset, bytes(size))
    assert store.units(0) == 0


def test_forged_proof_changes_nothing(file: Offer, out: Path) -> None:
    store = file.open(out)
    proof = bytearray(file.source.tree.proof(0) or b"")
    proof[40] ^= 1
    assert not store.add_proof(0, 0, bytes(proof))
    assert store.tree.leaf(0) is None


def test_what_is_here_can_be_read_while_the_rest_arrives(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    whole = b"".join(FOLDER[entry.path] or b"" for entry in folder.source.entries)
    assert store.file_range("big") is None
    for segment in range(folder.source.layout.index_segments + 2):
        folder.give(store, segment)
    assert store.is_due(0.0), "the index is here"
    store.commit()
    start, size = store.file_range("big") or (0, 0)
    assert (start, size) == (1001, 2 * MIB + 77)
    assert store.file_range("none") is None
    assert store.available(start, size) == 2 * MIB - start
    assert store.read_data(start + 5, 100) == whole[start + 5:start + 105]
    assert store.read_data(start, size) == whole[start:2 * MIB]
    assert store.read_data(3 * MIB, 10) == b""
    assert store.read_data(len(whole) + 5, 10) == b""


def test_data_that_comes_before_the_index_finds_its_files(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    first = folder.source.layout.index_segments
    folder.give(store, first)
    for at, unit in folder.units(store, first + 1)[::3]:
        store.write(first + 1, at, unit)
    store.commit()
    store.close()
    store = folder.open(out)
    recheck_all(store)
    assert folder.claims(store) == [first]
    assert (out / "album.part.state" / "early").exists()
    assert not (out / "album.part").exists()
    for segment in range(first):
        folder.give(store, segment)
    store.commit()
    assert not (out / "album.part.state" / "early").exists()
    assert folder.claims(store) == [*range(first), first]
    assert store.units(first + 1).bit_count() == len(folder.units(store, first + 1)[::3])
    folder.give_all(store)
    finish(store)
    assert contents(out / "album") == FOLDER


def test_index_that_is_none_is_an_error_and_everything_can_be_discarded(out: Path) -> None:
    index = pack_index([Entry("a", 3)])[:-1] + b"\4"
    data = b"123"
    tree = HashTree.of_leaves(leaf_hash(index) + leaf_hash(data))
    manifest = Manifest.sign(Content(True, "x", 3, len(index), 1, tree.root), PUBLISHER, 1)
    store = receive_to(manifest, out)
    assert isinstance(store, Store)
    for segment, what in enumerate((index, data)):
        assert store.add_proof(segment, 0, tree.proof(segment) or b"")
        assert store.write_segment(segment, what)
    with pytest.raises(ContentError, match="does not fit its manifest"):
        store.commit()
    with pytest.raises(ContentError, match="does not fit its manifest"):
        finish(store)
    discard(store)
    assert not os.listdir(out)


def test_path_in_an_index_that_leads_out_is_refused_with_nothing_written(tmp_path: Path, out: Path) -> None:
    for path in ("../evil", "/evil", "a/../../evil", "a\0b"):
        index = pack_index([Entry(path, 3)])
        tree = HashTree.of_leaves(leaf_hash(index) + leaf_hash(b"123"))
        store = receive_to(Manifest.sign(Content(True, "x", 3, len(index), 1, tree.root), PUBLISHER, 1), out)
        assert isinstance(store, Store)
        assert store.add_proof(0, 0, tree.proof(0) or b"")
        assert store.write_segment(0, index)
        with pytest.raises(ContentError):
            store.commit()
        discard(store)
    assert {entry.name for entry in tmp_path.rglob("*")} == {"out"}


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


def test_discarding_leaves_nothing(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    folder.give_all(store)
    store.commit()
    discard(store)
    assert not os.listdir(out)


def test_what_was_received_can_be_offered_at_once(folder: Offer, out: Path) -> None:
    store = folder.open(out)
    folder.give_all(store)
    source = finish(store)
    assert source.content == folder.source.content
    assert all(source.read(segment) == folder.source.read(segment) for segment in range(folder.segments))
    assert Source.publish(out / "album").content.id == folder.source.content.id
