"""
What arrives is kept in place, counts when it is checked, and has its name when it is whole.
"""

from __future__ import annotations

import os
import sys
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.content.index import Entry, pack_index
from tribler_multicast.transfer.content.manifest import Content, Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.content.tree import HashTree, leaf_hash
from tribler_multicast.transfer.errors import ContentError, StoreError
from tribler_multicast.transfer.store.ending import discard, finish
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

from .stores import PUBLISHER, UNIT, Offer, recheck_all
from .trees import FOLDER, MIB, contents, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


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


@pytest.mark.parametrize("batch", [7, 100, 5000])
def test_units_of_many_segments_and_files_are_written_with_one_call(tmp_path: Path, out: Path, batch: int) -> None:
    files: dict[str, bytes | None] = {**{f"{n:02}": some_bytes(3000, n) for n in range(50)}, "z": some_bytes(2 * MIB)}
    offer = Offer(make(tmp_path / "x", files))
    store = offer.open(out)
    offer.give(store, 0)
    store.commit()
    units = [(segment, at, unit) for segment in range(offer.segments) for at, unit in offer.units(store, segment)]
    Random(batch).shuffle(units)
    written = sum(store.write_many(units[at:at + batch]) for at in range(0, len(units), batch))
    assert written == len(units) - len(offer.units(store, 0)), "the index was here"
    for segment in range(1, offer.segments):
        offer.prove(store, segment)
        assert store.verify(segment)
    assert store.unchecked == 0, "our own writing is no change by others"
    finish(store)
    assert contents(out / "x") == files


def test_batch_with_one_bad_piece_writes_nothing(file: Offer, out: Path) -> None:
    store = file.open(out)
    for bad in ((0, 1, b"x" * UNIT), (9, 0, b"x" * UNIT), (-1, 0, b"x" * UNIT), (1, 0, b"")):
        with pytest.raises(ValueError):
            store.write_many([(0, 0, b"x" * UNIT), bad])
    assert store.units(0) == 0
    assert store.write_many([]) == 0


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
    assert store.bytes_whole == folder.source.content.index_size + 2 * MIB
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
    start, size = source.file_range("big") or (0, 0)
    assert source.read_data(start, size) == FOLDER["big"]
    assert source.file_range("none") is None
    assert source.available(start, 10**9) == source.content.size - start
    assert source.has(0)
    assert not source.has(folder.segments)
