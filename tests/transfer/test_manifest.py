"""
Index and manifest: one way to write each, and nothing believed that is not true.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.identity import Identity
from tribler_multicast.transfer.content.index import Entry, order, pack_index, read_index
from tribler_multicast.transfer.content.layout import Layout, Spans
from tribler_multicast.transfer.content.manifest import MAX_MANIFEST, Content, Manifest
from tribler_multicast.transfer.content.tree import EMPTY_ROOT
from tribler_multicast.transfer.errors import ContentError
from tribler_multicast.transfer.limits import MAX_CONTENT_SIZE, MAX_FILES, MAX_INDEX_SIZE, SEGMENT_SIZE

ME = Identity(default_eccrypto.generate_key("curve25519"))
SINGLE = Content(False, "film.mkv", 3 << 20, 0, 1, bytes(range(32)))
NAMES = st.sampled_from(["a", "b", "a-b", "a b", "\u00e9", "z" * 255, "A", "\U0001f600", "a.b"])


@st.composite
def listings(draw: st.DrawFn) -> list[Entry]:
    """
    Entries as a scan gives them: in order, each path once, none below a file.
    """
    entries: list[Entry] = []
    for path in sorted(draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=15)), key=order):
        parts = order(path)
        if any(parts[:len(order(entry.path))] == order(entry.path) for entry in entries):
            continue
        folder = draw(st.booleans())
        entries.append(Entry(path, 0 if folder else draw(st.integers(0, 1 << 36)), folder))
    return entries


@examples(max_examples=200, deadline=None)
@given(listings())
def test_index_comes_back_as_it_was_written(entries: list[Entry]) -> None:
    assert read_index(pack_index(entries)) == entries


@examples(max_examples=400, deadline=None)
@given(listings(), st.data())
def test_index_that_was_tampered_with_is_refused_or_canonical(entries: list[Entry], data: st.DataObject) -> None:
    index = bytearray(pack_index(entries)) or bytearray(b"\0")
    for _ in range(data.draw(st.integers(1, 3))):
        index[data.draw(st.integers(0, len(index) - 1))] = data.draw(st.integers(0, 255))
    index = index[:data.draw(st.integers(0, len(index)))]
    try:
        read = read_index(bytes(index))
    except ContentError as error:
        assert "\n" not in str(error)
        return
    assert pack_index(read) == index


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"], ["a", "a/b"], ["a/b", "a/b/c"], ["a/b", "a"],
                                   ["a b", "a/b"]])
def test_paths_out_of_order_twice_or_below_a_file_are_refused(paths: list[str]) -> None:
    with pytest.raises(ContentError, match="out of order, twice, or below a file"):
        read_index(pack_index(Entry(path, 1) for path in paths))


def test_file_in_an_empty_folder_is_refused() -> None:
    with pytest.raises(ContentError):
        read_index(pack_index([Entry("a", is_folder=True), Entry("a/b", 1)]))


def test_folder_comes_before_a_name_that_only_looks_smaller() -> None:
    entries = [Entry("a/b", 1), Entry("a-b", 1)]
    assert read_index(pack_index(entries)) == entries


def test_too_many_files_are_refused_in_an_index_and_too_long_ones_when_it_is_written() -> None:
    index = pack_index(Entry(f"{number:06}", 0) for number in range(MAX_FILES + 1))
    with pytest.raises(ContentError, match="too many"):
        read_index(index)
    with pytest.raises(ContentError, match="names of all files"):
        pack_index(Entry(f"{number:06}" + "x" * 240, 0) for number in range(MAX_FILES))


def test_sizes_that_sum_up_to_too_much_are_refused() -> None:
    with pytest.raises(ContentError, match="too many files or bytes"):
        read_index(pack_index(Entry(name, MAX_CONTENT_SIZE // 2 + 1) for name in "ab"))


@examples(max_examples=200, deadline=None)
@given(st.integers(0, 3 * SEGMENT_SIZE), st.integers(0, 5 * SEGMENT_SIZE))
def test_segments_cover_index_and_data_with_no_gap_and_none_is_empty(index_size: int, data_size: int) -> None:
    layout = Layout(index_size, data_size)
    ends = {True: 0, False: 0}
    for segment in range(layout.segments):
        where = layout.is_index(segment)
        assert layout.start(segment) == ends[where]
        assert 0 < layout.length(segment) <= SEGMENT_SIZE
        ends[where] += layout.length(segment)
    assert (ends[True], ends[False]) == (index_size, data_size)


@examples(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=12), st.data())
def test_spans_are_the_bytes_of_the_files_one_behind_the_other(sizes: list[int], data: st.DataObject) -> None:
    spans, stream = Spans(sizes), [(file, at) for file, size in enumerate(sizes) for at in range(size)]
    start = data.draw(st.integers(0, len(stream)))
    length = data.draw(st.integers(0, len(stream) - start))
    found = list(spans.of(start, length))
    assert [(s.file, s.start + at) for s in found for at in range(s.length)] == stream[start:start + length]
    assert all(span.length for span in found)


def test_content_id_is_of_names_sizes_and_bytes() -> None:
    others = [replace(SINGLE, name="film.mk"), replace(SINGLE, size=SINGLE.size + 1), replace(SINGLE, root=bytes(32)),
              replace(SINGLE, is_folder=True, files=2, index_size=40)]
    assert len({content.id for content in [SINGLE, *others]}) == 5
    assert replace(SINGLE).id == SINGLE.id


def test_manifest_comes_back_and_any_publisher_gives_the_same_id() -> None:
    manifest = Manifest.sign(SINGLE, ME, 1_700_000_000.7)
    other = Manifest.sign(SINGLE, Identity(default_eccrypto.generate_key("curve25519")), 5)
    assert Manifest.read(manifest.pack()) == manifest
    assert Manifest.read(manifest.pack(), SINGLE.id).time == 1_700_000_000
    assert manifest.content.id == other.content.id
    assert manifest.pack() != other.pack()


def test_longest_manifest_fits_one_datagram() -> None:
    longest = Manifest.sign(replace(SINGLE, name="x" * 255), ME, 2.0**60).pack()
    assert len(longest) == MAX_MANIFEST == 442
    assert Manifest.read(longest).content.name == "x" * 255
    with pytest.raises(ContentError, match="too long"):
        Manifest.read(longest + b"\0")


@examples(max_examples=150, deadline=None)
@given(st.data())
def test_manifest_with_any_bit_changed_is_refused(data: st.DataObject) -> None:
    packed = bytearray(Manifest.sign(SINGLE, ME, 1_700_000_000).pack())
    kind = data.draw(st.sampled_from(["flip", "cut", "more"]))
    if kind == "flip":
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        packed = packed[:data.draw(st.integers(0, len(packed) - 1))]
    else:
        packed += data.draw(st.binary(min_size=1, max_size=200))
    with pytest.raises(ContentError) as error:
        Manifest.read(bytes(packed))
    assert "\n" not in str(error.value)


def test_manifest_of_another_content_is_refused() -> None:
    packed = Manifest.sign(replace(SINGLE, name="other"), ME, 1).pack()
    with pytest.raises(ContentError, match="another content"):
        Manifest.read(packed, SINGLE.id)


def test_manifest_signed_for_something_else_is_refused() -> None:
    manifest = Manifest.sign(SINGLE, ME, 1)
    signature = ME.sign(manifest.pack()[:-64])
    with pytest.raises(ContentError, match="not signed by its publisher"):
        Manifest.read(replace(manifest, signature=signature).pack())


@pytest.mark.parametrize("claim", [
    replace(SINGLE, size=MAX_CONTENT_SIZE + 1), replace(SINGLE, index_size=10), replace(SINGLE, files=2),
    replace(SINGLE, files=0), replace(SINGLE, is_folder=True, files=1, index_size=MAX_INDEX_SIZE + 1),
    replace(SINGLE, is_folder=True, files=MAX_FILES + 1, index_size=MAX_INDEX_SIZE),
    replace(SINGLE, is_folder=True, files=10, index_size=39), replace(SINGLE, is_folder=True, files=0),
    replace(SINGLE, is_folder=True, files=0, index_size=5, size=0), replace(SINGLE, size=0), replace(SINGLE, name=".."),
    replace(SINGLE, name="a/b"), replace(SINGLE, name=""), replace(SINGLE, name="a\nb")])
def test_claims_that_can_not_be_are_refused_whoever_signed_them(claim: Content) -> None:
    with pytest.raises(ContentError):
        Manifest.read(Manifest.sign(claim, ME, 1).pack())


def test_content_of_nothing_is_fine() -> None:
    for content in (Content(False, "empty", 0, 0, 1, EMPTY_ROOT), Content(True, "empty", 0, 0, 0, EMPTY_ROOT)):
        assert Manifest.read(Manifest.sign(content, ME, 1).pack()).content == content
        assert content.tree().is_whole
        assert len(content.entries(b"")) == content.files


@pytest.mark.parametrize("change", [{"size": 4}, {"files": 2}, {"index_size": 11}])
def test_index_that_does_not_fit_its_manifest_is_refused(change: dict[str, int]) -> None:
    index = pack_index([Entry("a", 3)])
    content = Content(True, "folder", 3, len(index), 1, bytes(32))
    assert content.entries(index) == [Entry("a", 3)]
    with pytest.raises(ContentError, match="does not fit its manifest"):
        replace(content, **change).entries(index)
