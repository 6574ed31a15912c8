"""Names: what is never shared, and by which words a name is found."""
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribler_multicast.standalone.shares.names import (
    index_words,
    is_shared_file,
    is_shared_folder,
    query_terms,
    shown,
    words_of,
)


@pytest.mark.parametrize("name", [
    b".hidden", b"film.mkv.part", b"x.!ut", b"x.!qB", b"x.aria2", b"x.crdownload", b"x.TMP", b"Thumbs.db", b"~$x.docx",
    b"x~", b"x.opdownload", b".part", b"desktop.ini", b"notes.txt.swp"])
def test_hidden_files_and_unfinished_downloads_are_not_shared(name: bytes) -> None:
    assert not is_shared_file(name)


@pytest.mark.parametrize("name", [b"part", b"film part 1.mkv", b"tmp", b"x.partition", b"~x", b"a", b"\xff\n", b"-rf"])
def test_other_files_are(name: bytes) -> None:
    assert is_shared_file(name)


def test_trash_and_previews_of_systems_are_not_shared() -> None:
    for name in (b"$RECYCLE.BIN", b"@eaDir", b"System Volume Information", b"lost+found", b".Trash-1000", b"#recycle"):
        assert not is_shared_folder(name)
    assert is_shared_folder(b"Recycled songs")


@pytest.mark.parametrize(("text", "words"), [
    ("Holiday 2024/IMG_1.jpg", ["holiday", "2024", "img", "1", "jpg"]),
    ("CAFÉ", ["cafe"]),
    (unicodedata.normalize("NFD", "Café"), ["cafe"]),
    ("Straße ﬁn", ["strasse", "fin"]),
    ("ΣΊΣΥΦΟΣ", ["σισυφοσ"]),
    ("Ёлка", ["елка"]),
    ("\uff26\uff35\uff2c\uff2c \uff57\uff49\uff44\uff54\uff48", ["full", "width"]),
    ("東京物語", ["東", "京", "物", "語"]),
    ("がガ", ["が", "ガ"]),
    ("שָׁלוֹם", ["שלום"]),
    ("😀party", ["😀", "party"]),
    ("हिन्दी", ["हिन्दी"]),
    ("...!?", []),
    ("", []),
])
def test_words_are_folded(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_written_as_one_are_found_one_by_one_too() -> None:
    assert index_words("HolidayPhotos2024.jpg").split() == ["holidayphotos2024", "jpg", "holiday", "photos", "2024"]
    assert index_words("plain.jpg").split() == ["plain", "jpg"]


def test_nothing_in_a_query_is_syntax_of_the_index() -> None:
    assert query_terms('a" OR name:b* NEAR(c, 2) -d ^e {f}') == [
        '"a"', '"or"', '"name"', '"b"', '"near"', '"c"', '"2"', '"d"', '"e"', '"f"']


def test_unspaced_neighbours_are_one_phrase() -> None:
    assert query_terms("東京 tower 物語") == ['"東 京"', '"tower"', '"物 語"']


@given(st.binary(max_size=255))
def test_any_name_can_be_shown_and_has_words(name: bytes) -> None:
    text = shown(name)
    text.encode()
    assert len(text.splitlines()) <= 1
    assert not any(character in text + index_words(text) for character in "\n\r\0\x1b")


@given(st.text(max_size=128))
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    words = words_of(text)
    assert words_of(" ".join(words)) == words
