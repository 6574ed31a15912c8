"""
What is remembered of the parts: exactly what was written, with any unit, through any journal.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast.transfer.content.layout import Layout
from tribler_multicast.transfer.content.tree import Node
from tribler_multicast.transfer.limits import SEGMENT_SIZE
from tribler_multicast.transfer.store import disk
from tribler_multicast.transfer.store.journal import Commit
from tribler_multicast.transfer.store.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

MIB = SEGMENT_SIZE
UNITS = st.integers(256, 5000) | st.just(MIB)


@examples(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 2**32 - 2), max_size=30),
       st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**4096 - 1), max_size=5),
       st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32)),
                max_size=5))
def test_record_of_a_commit_comes_back(whole: set[int], partial: dict[int, int],
                                       nodes: list[tuple[int, int, bytes]]) -> None:
    commit = Commit(sorted(whole), partial, [Node(*node) for node in nodes])
    assert Commit.unpack(commit.pack()) == commit


@examples(max_examples=200, deadline=None)
@given(st.integers(1, MIB), UNITS, UNITS, st.data())
def test_units_of_another_size_are_those_that_are_covered(length: int, before: int, after: int,
                                                          data: st.DataObject) -> None:
    old, new = (Progress(Layout(0, length), unit) for unit in (before, after))
    count = old.units_of(0)
    for number in data.draw(st.lists(st.integers(0, count - 1), max_size=8)):
        old.add_units(0, number, min(data.draw(st.integers(1, 40)), count - number))
    new.restore(old.changes(), before)
    there = set()
    for number in range(count):
        if old.units(0) >> number & 1:
            there |= set(range(number * before, min((number + 1) * before, length), 1))
    for number in range(new.units_of(0)):
        covered = all(at in there for at in range(number * after, min((number + 1) * after, length)))
        assert bool(new.units(0) >> number & 1) == covered


def done(progress: Progress, what: str, segment: int, number: int) -> list[Commit]:
    """
    Do one step, and get what it has for the journal.
    """
    if what == "add" and progress.is_missing(segment):
        progress.add_units(segment, number % progress.units_of(segment), 1)
    elif what in ("drop", "drop some"):
        progress.drop_units(segment, None if what == "drop" else 1 << number)
    elif what == "whole":
        progress.set_whole(segment)
    elif what == "doubt":
        progress.doubt(segment)
    elif what == "commit":
        return [progress.changes()]
    elif what == "lose":
        progress.undo(progress.changes())
    return []


@examples(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "drop some", "whole", "doubt", "commit", "lose"]),
                          st.integers(0, 3), st.integers(0, 700)), max_size=40))
def test_journal_tells_the_same_as_what_is_remembered(steps: list[tuple[str, int, int]]) -> None:
    layout = Layout(1000, 2 * MIB + 5)
    now = Progress(layout, 1344)
    told = [commit for step in steps for commit in done(now, *step)]
    told.append(now.changes())
    for commits in (told, [now.all()]):
        again = Progress(layout, 1344)
        for commit in commits:
            again.restore(Commit.unpack(commit.pack()), 1344)
        assert again.whole == 0, "nothing counts before it was looked at"
        again.trust()
        assert [again.units(segment) for segment in range(4)] == [now.units(segment) for segment in range(4)]
        assert again.whole == now.whole + now.unchecked
    assert now.bytes == sum(layout.length(segment) for segment in range(4) if now.is_whole(segment))
    for start in range(5):
        not_whole = [segment for segment in range(start, 4) if not now.is_whole(segment)]
        assert now.next_not_whole(start, 4) == min([*not_whole, 4])
    assert now.unchecked == sum(map(now.is_unchecked, range(4)))


def test_journal_of_a_larger_content_is_no_harm() -> None:
    progress = Progress(Layout(0, MIB), 1344)
    progress.restore(Commit([0, 5, 2**31], {7: 1}), 1344)
    assert progress.unchecked == 1


def refused(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no second names here")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one way only")
@pytest.mark.parametrize("way", ["at once", "by link", "plainly"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_renaming_replaces_nothing_on_any_system(tmp_path: Path, way: str, kind: str,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "at once":
        monkeypatch.setattr(disk, "_linux", lambda _: None)
    if way == "plainly":
        monkeypatch.setattr(os, "link", refused)
    old = tmp_path / "old"
    old.mkdir() if kind == "folder" else old.write_bytes(b"old")
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(FileExistsError):
            disk.rename_new(old, tmp_path / name)
    assert (tmp_path / "file").read_bytes() == b"precious"
    disk.rename_new(old, tmp_path / "new")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "link", "new"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one way only")
def test_link_taken_at_the_last_moment_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_linux", lambda _: None)
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        disk.rename_new(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == b"precious"
