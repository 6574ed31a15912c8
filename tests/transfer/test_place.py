"""
What is there is never overwritten, two never write to the same place, and what is there already is known again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tribler_multicast.transfer.content.manifest import Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.errors import CancelledError, ExistsError, InUseError, StoreError
from tribler_multicast.transfer.limits import MAX_CLASHES, SEGMENT_SIZE
from tribler_multicast.transfer.store import disk, opening
from tribler_multicast.transfer.store.areas import Rules
from tribler_multicast.transfer.store.ending import finish
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

from ..hostile_disk import kill, start
from .stores import PUBLISHER, Offer, recheck_all
from .trees import contents, make, some_bytes

DATA = some_bytes(SEGMENT_SIZE + 99)
FOLDER: dict[str, bytes | None] = {"a/b": b"1", "c": some_bytes(5000)}


@pytest.fixture
def file(tmp_path: Path) -> Offer:
    (tmp_path / "film.mkv").write_bytes(DATA)
    return Offer(tmp_path / "film.mkv")


@pytest.fixture
def folder(tmp_path: Path) -> Offer:
    return Offer(make(tmp_path / "album", FOLDER))


def receive(offer: Offer, output: Path, records: Path | None = None) -> Path:
    """
    Receive all of it and get where it is.
    """
    found = receive_to(offer.manifest, output, records=records)
    if isinstance(found, Store):
        recheck_all(found)
        offer.give_all(found)
        found = finish(found, records)
    return found.listing.path


def test_existing_folder_is_received_into_and_anything_else_is_the_name(file: Offer, folder: Offer, out: Path) -> None:
    assert receive(file, out) == out / "film.mkv"
    assert receive(folder, out) == out / "album"
    assert receive(file, out / "other name") == out / "other name"
    assert receive(folder, out / "other folder") == out / "other folder"
    assert (out / "other name").read_bytes() == DATA
    assert contents(out / "other folder") == FOLDER
    assert len(os.listdir(out)) == 4


def test_output_is_meant_from_where_the_user_is(file: Offer, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out)
    assert receive(file, type(out)("name")) == out / "name"
    assert receive(file, type(out)()) == out / "film.mkv"


def test_output_in_a_folder_that_is_not_there_is_one_line(file: Offer, out: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*no$"):
        receive_to(file.manifest, out / "no" / "name")


def test_something_else_with_the_offered_name_stays_and_the_result_gets_a_number(file: Offer, folder: Offer,
                                                                                   out: Path) -> None:
    (out / "film.mkv").write_bytes(b"precious")
    make(out / "album", {"precious": b"1"})
    assert receive(file, out) == out / "film (2).mkv"
    assert receive(folder, out) == out / "album (2)"
    assert (out / "film.mkv").read_bytes() == b"precious"
    assert contents(out / "album") == {"precious": b"1"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
def test_links_to_nowhere_are_names_too(file: Offer, out: Path) -> None:
    (out / "film.mkv").symlink_to("nowhere")
    (out / "film (2).mkv.part").symlink_to("nowhere")
    assert receive(file, out) == out / "film (3).mkv"
    assert (out / "film.mkv").is_symlink()
    assert not (out / "nowhere").exists()


@pytest.mark.parametrize("name", ["result", "result.part"])
def test_something_else_with_the_given_name_is_an_error_of_one_line(file: Offer, out: Path, name: str) -> None:
    (out / name).write_bytes(b"precious")
    with pytest.raises(ExistsError, match=rf"{name} exists already, and is something else"):
        receive_to(file.manifest, out / "result")
    assert os.listdir(out) == [name]


def test_a_folder_full_of_copies_is_an_error(file: Offer, out: Path) -> None:
    for number in range(1, MAX_CLASHES + 1):
        (out / (f"film ({number}).mkv" if number > 1 else "film.mkv")).touch()
    with pytest.raises(ExistsError, match=r"has 100 of film.mkv already"):
        receive_to(file.manifest, out)


@pytest.mark.parametrize("exact", [True, False])
def test_name_that_was_taken_meanwhile_stays_with_who_took_it(file: Offer, out: Path, exact: bool) -> None:
    store = file.open(out / "film.mkv" if exact else out)
    file.give_all(store)
    (out / "film.mkv").write_bytes(b"precious")
    if exact:
        with pytest.raises(ExistsError, match=r"all of film.mkv is in .*film.mkv.part$"):
            finish(store)
        (out / "film.mkv").unlink()
    source = finish(store)
    assert source.listing.path == out / ("film.mkv" if exact else "film (2).mkv")
    assert source.listing.path.read_bytes() == DATA
    assert exact or (out / "film.mkv").read_bytes() == b"precious"


def test_two_contents_of_one_name_get_two_places(tmp_path: Path, file: Offer, out: Path) -> None:
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "film.mkv").write_bytes(b"another film")
    other = Offer(tmp_path / "2" / "film.mkv")
    one, two = file.open(out), other.open(out)
    assert two.place.result == out / "film (2).mkv"
    file.give(one, 0)
    one.close()
    other.give_all(two)
    two.close()
    # Each goes on where it was, whatever the order.
    two, one = other.open(out), file.open(out)
    assert (one.place.result, two.place.result) == (out / "film.mkv", out / "film (2).mkv")
    with pytest.raises(ExistsError):
        receive_to(other.manifest, out / "film.mkv")


def test_second_store_for_the_same_place_is_told_so_in_one_line(file: Offer, out: Path) -> None:
    store = file.open(out)
    file.give(store, 0)
    with pytest.raises(InUseError, match=r"^another transfer is receiving to .*film.mkv$"):
        receive_to(file.manifest, out)
    store.close()
    file.open(out).close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_where_nothing_can_be_written_the_reason_is_told_and_no_other_transfer_blamed(file: Offer) -> None:
    with pytest.raises(StoreError, match=r"^cannot write to /proc/film.mkv.part.state: (No such|Permission)"):
        receive_to(file.manifest, Path("/proc/film.mkv"))


def test_second_process_is_told_and_may_once_the_first_was_killed(file: Offer, out: Path) -> None:
    script = ("from tribler_multicast.transfer.store.opening import receive_to\n"
              "from tribler_multicast.transfer.content.manifest import Manifest\n"
              f"store = receive_to(Manifest.read(bytes.fromhex('{file.manifest.pack().hex()}')), folder)\n"
              "print('open', flush=True)\nsys.stdin.read()\n")
    other = start(script, out)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(InUseError, match="another transfer is receiving to"):
            receive_to(file.manifest, out)
    finally:
        kill(other)
    assert receive(file, out) == out / "film.mkv"


def test_what_is_there_already_is_known_by_its_bytes(file: Offer, folder: Offer, out: Path) -> None:
    for offer in (file, folder):
        first = receive(offer, out)
        before = first.stat().st_mtime_ns
        again = receive_to(offer.manifest, out)
        assert isinstance(again, Source)
        assert again.listing.path == first
        assert first.stat().st_mtime_ns == before
        exact = receive(offer, out / f"name of {offer.source.content.name}")
        assert isinstance(receive_to(offer.manifest, exact), Source), "also as the name given"


def test_what_is_there_is_known_by_its_record_without_reading_it(file: Offer, folder: Offer, tmp_path: Path, out: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    records = tmp_path / "records"
    first = [receive(offer, out, records) for offer in (file, folder)]
    monkeypatch.setattr(Source, "of", None)
    assert [receive(offer, out, records) for offer in (file, folder)] == first


def test_result_that_was_changed_is_received_again_beside_it(file: Offer, out: Path, tmp_path: Path) -> None:
    first = receive(file, out, tmp_path / "records")
    first.write_bytes(DATA[:-1] + b"x")
    assert receive(file, out, tmp_path / "records") == out / "film (2).mkv"
    first.unlink()
    assert receive(file, out, tmp_path / "records") == out / "film (2).mkv"


def test_looking_whether_it_is_there_can_be_ended(file: Offer, out: Path) -> None:
    receive(file, out)
    told: list[tuple[int, int]] = []
    assert isinstance(receive_to(file.manifest, out, progress=lambda *done: told.append(done)), Source)
    assert told[-1] == (len(DATA), len(DATA))
    with pytest.raises(CancelledError):
        receive_to(file.manifest, out, cancelled=lambda: True)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX names")
def test_longest_name_has_room_for_what_is_beside_it(file: Offer, out: Path, tmp_path: Path) -> None:
    (tmp_path / ("\u00e9" * 125 + ".mkv")).write_bytes(DATA)
    offer = Offer(tmp_path / ("\u00e9" * 125 + ".mkv"))
    (out / offer.source.content.name).touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / offer.source.content.name).write_bytes(b"another")
    another = Offer(tmp_path / "other" / offer.source.content.name)
    store = another.open(out)
    assert receive(offer, out).name.endswith(" (3).mkv")
    another.give_all(store)
    assert finish(store).listing.path.name.endswith(" (2).mkv")
    assert len(os.listdir(out)) == 3


def test_state_of_a_start_that_was_ended_at_once_is_no_obstacle(file: Offer, out: Path) -> None:
    (out / "film.mkv.part.state").mkdir()
    (out / "film.mkv.part.state" / "lock").touch()
    assert receive(file, out) == out / "film.mkv"


def refused(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no second names here")


@pytest.mark.parametrize("rename", ["at once", "by link", "plainly"])
def test_kill_at_the_very_end_is_no_harm(file: Offer, folder: Offer, out: Path, tmp_path: Path, rename: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    if rename != "at once":
        monkeypatch.setattr(disk, "_linux", lambda _: None)
    if rename == "plainly":
        monkeypatch.setattr(os, "link", refused)
    for offer in (file, folder):
        store = offer.open(out)
        offer.give_all(store)
        with monkeypatch.context() as patch:
            patch.setattr("tribler_multicast.transfer.store.ending.remember", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                finish(store)
        store.release()
        result = receive_to(offer.manifest, out, records=tmp_path / "records")
        assert isinstance(result, Source)
        assert result.listing.path.parent == out
        assert all(result.read(segment) == offer.source.read(segment) for segment in range(offer.segments))
    assert sorted(os.listdir(out)) == ["album", "film.mkv"]
    assert len(os.listdir(tmp_path / "records")) == 2


@pytest.mark.parametrize("deleted", range(5))
@pytest.mark.parametrize("recorded", [True, False])
def test_kill_while_the_state_is_deleted_leaves_nothing_for_ever(
        folder: Offer, out: Path, tmp_path: Path, deleted: int, recorded: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    store, left = folder.open(out), iter(range(deleted))
    folder.give_all(store)
    unlink = os.unlink

    def stop(path: Path, **_: object) -> None:
        if (out / "album").exists() and path.parent.name.endswith(".state") and next(left, None) is None:
            raise ZeroDivisionError
        with contextlib.suppress(FileNotFoundError):
            unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", stop)
        patch.setattr("pathlib.Path.rmdir", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finish(store, tmp_path / "records" if recorded else None)
    store.release()
    assert (out / "album.part.state").exists()
    assert isinstance(receive_to(folder.manifest, out, records=tmp_path / "records"), Source)
    assert os.listdir(out) == ["album"]


def test_result_taken_away_right_after_a_kill_is_received_again(tmp_path: Path, out: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    for files in (FOLDER, {}):
        offer = Offer(make(tmp_path / f"of {len(files)}", files))
        store = offer.open(out)
        offer.give_all(store)
        with monkeypatch.context() as patch:
            patch.setattr("tribler_multicast.transfer.store.ending.remember", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                finish(store)
        store.release()
        result = out / offer.source.content.name
        result.rename(tmp_path / "elsewhere")
        assert receive(offer, out) == result
        assert contents(result) == files
        (tmp_path / "elsewhere").rename(tmp_path / f"old {len(files)}")
    assert len(os.listdir(out)) == 2


def test_journal_that_is_none_is_one_line(file: Offer, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = file.open(out)
    store.close()
    monkeypatch.setattr("tribler_multicast.transfer.store.journal.MAX_JOURNAL", 10)
    with pytest.raises(StoreError, match=r"journal is too long for a journal$"):
        receive_to(file.manifest, out)
    monkeypatch.undo()
    file.open(out).close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_kill_between_the_two_names_of_a_file_is_no_harm(file: Offer, out: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    store = file.open(out)
    file.give_all(store)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_linux", lambda _: None)
        patch.setattr("pathlib.Path.unlink", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finish(store)
    store.release()
    assert sorted(os.listdir(out)) == ["film.mkv", "film.mkv.part", "film.mkv.part.state"]
    assert isinstance(receive_to(file.manifest, out), Source)
    assert os.listdir(out) == ["film.mkv"]


def test_result_changed_right_after_a_kill_is_received_again(file: Offer, out: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    store = file.open(out)
    file.give_all(store)
    with monkeypatch.context() as patch:
        patch.setattr("tribler_multicast.transfer.store.ending.remember", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finish(store)
    store.release()
    (out / "film.mkv").write_bytes(b"mine now")
    assert receive(file, out) == out / "film (2).mkv"
    assert sorted(os.listdir(out)) == ["film (2).mkv", "film.mkv"]


def test_names_that_fit_no_windows_are_made_to_fit_there(tmp_path: Path, out: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    offer = Offer(make(tmp_path / "x", {"CON": b"1", "a:b": b"2", "README": b"3", "readme": b"4"}))
    monkeypatch.setattr(opening, "rules_of", lambda _: Rules(windows=True, ignores_case=False))
    store = offer.open(out)
    monkeypatch.undo()
    offer.give_all(store)
    store.close()
    store = offer.open(out)  # the same names after a start with other rules
    source = finish(store, tmp_path / "records")
    assert contents(out / "x") == {"_CON": b"1", "a_b": b"2", "README": b"3", "readme (2)": b"4"}
    assert source.content.id == offer.source.content.id
    again = receive_to(offer.manifest, out, records=tmp_path / "records")
    assert isinstance(again, Source)
    assert again.read(1) == offer.source.read(1)


def test_manifest_of_another_publisher_goes_on_with_the_same_content(file: Offer, out: Path) -> None:
    store = file.open(out)
    file.give(store, 0)
    store.close()
    file.manifest = Manifest.sign(replace(file.source.content), PUBLISHER, 99)
    assert file.claims(file.open(out)) == [0]
