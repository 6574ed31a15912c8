"""
No name leads out of its folder, no odd name stops an honest sender.
"""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast.transfer.content.names import (
    LocalNames,
    checked_name,
    checked_path,
    numbered,
    windows_name,
    wire_name,
)
from tribler_multicast.transfer.errors import ContentError, shown

HOSTILE = [b"", b".", b"..", b"/", b"a/b", b"/etc/passwd", b"a\0b", b"a\nb", b"a\x1b[2Jb", b"\x7f", b"\xff",
           b"\xc0\xaf", b"\xed\xa0\x80", b"x" * 256, "a\u202egpj.exe".encode(), "\u2066a".encode(), "a\u2028b".encode(),
           "a\u200bb".encode(), "\ufeffa".encode(), "\u0085".encode(), "e\u0301".encode(), "\u212b".encode(),
           "\u200e".encode()]
ORDINARY = ["a", "...", ".hidden", "a b", "C:", "CON", "a\\b", "caf\u00e9", "\u65e5\u672c\u8a9e.txt", "\U0001f600",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "x" * 255,
            "what?.txt", "a'b\"c", "-rf", "~", "$HOME", "%2e%2e"]


@pytest.mark.parametrize("raw", HOSTILE)
def test_names_that_no_publisher_sends_are_refused(raw: bytes) -> None:
    with pytest.raises(ContentError) as error:
        checked_name(raw)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_in_all_languages_are_taken_as_they_are(name: str) -> None:
    assert checked_name(name.encode()) == name
    assert wire_name(name) == name


@pytest.mark.parametrize("path", [b"/a", b"a/", b"a//b", b"../a", b"a/../b", b"a/./b", b"a/..", b"",
                                  b"/".join([b"a"] * 33), b"/".join([b"x" * 255] * 5)])
def test_paths_that_lead_elsewhere_or_nowhere_are_refused(path: bytes) -> None:
    with pytest.raises(ContentError):
        checked_path(path)


@examples(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=12).map(lambda text: text.encode(errors="surrogatepass")))
def test_whatever_comes_is_refused_or_stays_inside_its_folder(raw: bytes) -> None:
    try:
        path = checked_path(raw)
    except ContentError:
        return
    for windows in (False, True):
        local = LocalNames(windows=windows, ignores_case=windows).place(path)
        assert os.path.normpath("/t/" + local) == "/t/" + local
        if windows:
            assert not set('<>:"\\|?*') & set(local)
            assert all(part[-1] not in ". " for part in local.split("/"))


@examples(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=300).filter(lambda raw: not {0, 47} & set(raw) and raw not in (b".", b"..")))
def test_every_name_that_a_disk_can_hold_can_be_offered(raw: bytes) -> None:
    name = wire_name(os.fsdecode(raw))
    assert checked_name(name.encode()) == name
    assert wire_name(name) == name


def test_both_forms_of_one_name_are_the_same_on_the_wire() -> None:
    name = "Z\u00fcrich caf\u00e9"
    assert wire_name(unicodedata.normalize("NFD", name)) == name


def test_long_name_keeps_its_suffix_when_it_is_cut() -> None:
    name = wire_name("\u00e9" * 200 + ".mkv")
    assert name.endswith("\u00e9.mkv")
    assert len(name.encode()) <= 255


@pytest.mark.parametrize(("name", "safe"), [
    ("CON", "_CON"), ("con.txt", "_con.txt"), ("COM1", "_COM1"), ("com\u00b9.x", "_com\u00b9.x"), ("aux", "_aux"),
    ("NUL .txt", "_NUL .txt"), ("CONSOLE", "CONSOLE"), ("a:b", "a_b"), ("C:", "C_"), ("a\\..\\b", "a_.._b"),
    ("a.", "a_"), ("a. .", "a___"), ("...", "___"), (" ", "_"), ("what?.txt", "what_.txt"), ("CONIN$", "_CONIN$"),
    ("a.txt", "a.txt")])
def test_windows_gets_names_it_can_take(name: str, safe: str) -> None:
    assert windows_name(name) == safe


def test_names_that_differ_in_case_only_become_two_files_where_case_does_not_count() -> None:
    names = LocalNames(windows=False, ignores_case=True)
    paths = ["A/x", "README", "ReadMe", "a/x", "a/y", "readme", "readme (2)"]
    placed = [names.place(path) for path in paths]
    assert placed[:5] == ["A/x", "README", "ReadMe (2)", "a (2)/x", "a (2)/y"]
    assert len({path.casefold() for path in placed}) == len(paths)
    kept = LocalNames(windows=False, ignores_case=False)
    assert [kept.place(path) for path in paths] == paths


@examples(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "A", "a (2)", "A (2)", "a.", "a:", "a?", "a_", "CON", "_con"]),
                         min_size=1, max_size=3).map("/".join), unique=True, max_size=12), st.booleans())
def test_no_two_files_become_one_and_the_same_list_gives_the_same_names(paths: list[str], windows: bool) -> None:
    paths = sorted(paths, key=lambda path: path.split("/"))
    one, two = (LocalNames(windows=windows, ignores_case=True) for _ in range(2))
    placed = [one.place(path) for path in paths]
    assert placed == [two.place(path) for path in paths]
    assert len({path.casefold() for path in placed}) == len(paths)


def test_hundred_thousand_spellings_of_a_name_take_no_time_without_end() -> None:
    names = LocalNames(windows=False, ignores_case=True)
    spelt = ["".join(c.upper() if number >> bit & 1 else c for bit, c in enumerate("abcdefghijklmn"))
             for number in range(16384)]
    assert len({names.place(name).casefold() for name in spelt}) == len(spelt)


@pytest.mark.parametrize(("name", "number", "result"), [
    ("a.txt", 2, "a (2).txt"), ("a", 3, "a (3)"), (".hidden", 2, ".hidden (2)"), ("a.txt", 1, "a.txt"),
    ("Mr. Smith goes", 2, "Mr. Smith goes (2)")])
def test_numbers_go_before_the_suffix(name: str, number: int, result: str) -> None:
    assert numbered(name, number) == result
    assert numbered("v1.2", 2, is_folder=True) == "v1.2 (2)"
    assert len(numbered("x" * 251 + ".txt", 12).encode()) == 255


def test_no_name_writes_more_than_itself_into_a_message() -> None:
    assert shown("a\nb\x1b[2J\udc80\u202e") == "a\\nb\\x1b[2J\\udc80\\u202e"
