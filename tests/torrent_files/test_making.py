"""
Torrents are made of files and folders: the same for the same, whole, of nothing that is not there.
"""
from __future__ import annotations

import os
import threading
import time
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import pytest

from tests.standalone.torrents.engines import data_of
from tribler_multicast.client import ClientError
from tribler_multicast.torrent_files import making
from tribler_multicast.torrent_files.making import bencode, make_torrent, piece_size, write_output
from tribler_multicast.torrent_files.walking import Cancelled

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast.torrents import MadeTorrent


def make(path: Path, *trackers: str) -> MadeTorrent:
    return make_torrent(path, trackers, lambda done: None, threading.Event()).torrent


def refused(path: Path, *trackers: str) -> str:
    with pytest.raises(ClientError) as caught:
        make(path, *trackers)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def libtorrent() -> Any:  # noqa: ANN401
    return pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    A folder with what folders have in them.
    """
    root = tmp_path / "programme"
    (root / "sub" / "deep").mkdir(parents=True)
    for name, size in (("b", 100_000), ("sub/a", 70_000), ("sub.x", 5), ("C", 7), ("empty", 0), ("sub/deep/é", 3)):
        (root / name).write_bytes(data_of(size))
    return root


def test_pieces_are_as_large_as_libtorrent_makes_them() -> None:
    lt = libtorrent()
    for limit in making.LARGEST_SIZES:
        for size in (limit - 1, limit, limit + 1):
            files = lt.file_storage()
            files.add_file("a", size)
            assert piece_size(size) == lt.create_torrent(files, 0, lt.create_torrent.v1_only).piece_length(), size
    assert piece_size(1) == 1 << 14
    assert piece_size(1 << 50) == 1 << 24


def test_a_file_gets_the_infohash_that_libtorrent_and_so_tribler_gives_it(tmp_path: Path) -> None:
    lt = libtorrent()
    file = tmp_path / "film.mkv"
    file.write_bytes(data_of(3_000_001))
    files = lt.file_storage()
    files.add_file("film.mkv", 3_000_001)
    made = lt.create_torrent(files, 0, lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, str(tmp_path))
    ours = make(file)
    assert ours.infohash == sha1(lt.bencode(made.generate()[b"info"])).digest()
    assert ours.infohash == lt.load_torrent_buffer(ours.data).ti.info_hashes().v1.to_bytes()
    assert (ours.name, ours.size, ours.path, ours.file) == ("film.mkv", 3_000_001, str(file), None)


def test_equal_names_and_content_make_equal_torrents_whatever_the_date_the_mode_and_the_order(
        folder: Path, tmp_path: Path) -> None:
    first = make(folder)
    other = tmp_path / "elsewhere" / "programme"
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            copy = other / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o755)
            os.utime(copy, (1, 1))
    assert make(other).data == first.data
    (other / "b").write_bytes(data_of(100_000, seed=2))
    assert make(other).infohash != first.infohash


def test_libtorrent_reads_the_folder_as_it_is(folder: Path) -> None:
    lt = libtorrent()
    made = make(folder, "http://tracker.example/announce", "udp://tracker.example:80")
    read = lt.load_torrent_buffer(made.data)
    files = read.ti.files()
    found = {files.file_path(index): files.file_size(index) for index in range(files.num_files())}
    assert found == {str(path.relative_to(folder.parent)): path.stat().st_size
                     for path in folder.rglob("*") if path.is_file()}
    assert read.trackers == ["http://tracker.example/announce", "udp://tracker.example:80"]
    assert made.size == sum(found.values()) == 170_015


def test_links_and_pipes_are_left_out_and_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    before = make(folder)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("do not share")
    (folder / "sub" / "file-link").symlink_to(secret / "key")
    (folder / "folder-link").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    assert make(folder).infohash == before.infohash
    (tmp_path / "link").symlink_to(secret / "key")
    assert "is a symbolic link" in refused(tmp_path / "link")
    (tmp_path / "folder-link").symlink_to(secret)
    assert "is a symbolic link" in refused(tmp_path / "folder-link")
    assert "neither a file nor a folder" in refused(folder / "pipe")


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(
        folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = tmp_path / "secret"
    (folder / "sub").rename(twin)  # the same files, so that only the link itself can give it away
    (folder / "sub").symlink_to(twin)
    (folder / "sub").unlink()
    twin.rename(folder / "sub")
    looked = making.find_files

    def swap(*arguments: Any) -> Any:  # noqa: ANN401
        found = looked(*arguments)
        (folder / "sub").rename(twin)
        (folder / "sub").symlink_to(twin)
        return found

    monkeypatch.setattr(making, "find_files", swap)
    assert "can't read" in (line := refused(folder)) or "symbolic link" in line


def test_what_cannot_be_made_is_said_in_one_line(folder: Path, tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == f"there is no {tmp_path / 'none'}"
    (tmp_path / "nothing").touch()
    assert "there is nothing in" in refused(tmp_path / "nothing")
    (tmp_path / "hollow").mkdir()
    assert "there is nothing in" in refused(tmp_path / "hollow")
    for tracker in ("file:///etc/passwd", "http://", "nonsense", "http://a b/", "http://a/\n", "http://[", "x" * 3000):
        assert "is no tracker" in refused(folder, tracker)
    assert "too many" in refused(folder, *["http://a/"] * 65)
    (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
    assert "not valid UTF-8" in refused(folder)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_said(folder: Path) -> None:
    (folder / "b").chmod(0)
    assert "Permission denied" in refused(folder)


def test_too_many_and_too_deep_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.torrent_files.walking.MAX_FILES", 5)
    assert "more than 5 files" in refused(folder)
    monkeypatch.setattr("tribler_multicast.torrent_files.walking.MAX_FILES", 50)
    monkeypatch.setattr("tribler_multicast.torrent_files.walking.MAX_DEPTH", 1)
    assert "folders deep" in refused(folder)


@pytest.mark.parametrize("what", ["changes", "grows", "shrinks", "vanishes", "is replaced", "changes after that"])
def test_a_file_that_is_not_what_it_was_is_an_error(what: str, folder: Path) -> None:
    """Each happens when the first file is read and the others are not; the last when that file was read."""
    victim = folder / ("b" if what == "changes after that" else "sub/a")
    content = victim.read_bytes()
    done = threading.Event()

    asked: list[int] = []
    moment = 17 if what == "changes after that" else 9  # 8 entries are found, then each piece of C, b, empty, sub.x ...

    class Meddler(threading.Event):
        def is_set(self) -> bool:  # asked after each piece
            asked.append(1)
            if not done.is_set() and making_began.is_set() and len(asked) >= moment:
                done.set()
                if what in ("vanishes", "is replaced"):
                    victim.unlink()
                if what != "vanishes":
                    victim.write_bytes({"grows": content + b"x", "shrinks": content[:-1]}.get(what, content))
                    os.utime(victim, ns=(1, 1) if what != "is replaced" else (2, 2))
            return False

    making_began = threading.Event()
    original = making.find_files

    def find(*arguments: Any) -> Any:  # noqa: ANN401
        found = original(*arguments)
        making_began.set()
        return found

    making.find_files, stored = find, making.find_files
    try:
        with pytest.raises(ClientError, match=f"{victim.name} (changed|vanished) while it was read") as caught:
            make_torrent(folder, (), lambda done: None, Meddler())
        assert caught.value.status == 409
    finally:
        making.find_files = stored


def test_progress_rises_to_one_and_cancelling_ends_it_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "PROGRESS_INTERVAL", 0.0)
    file = tmp_path / "large"
    file.write_bytes(data_of(10_000_000))
    told: list[float] = []
    make_torrent(file, (), told.append, threading.Event())
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10
    cancelled = threading.Event()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        make_torrent(file, (), lambda done: cancelled.set(), cancelled)
    assert time.monotonic() - began < 1


def test_output_is_written_whole_or_not_at_all_and_nothing_else_is_overwritten(folder: Path, tmp_path: Path) -> None:
    made = make(folder)
    out = tmp_path / "out"
    out.mkdir()
    assert write_output(made, out) == str(out / "programme.torrent")
    assert (out / "programme.torrent").read_bytes() == made.data
    assert write_output(made, out) == str(out / "programme.torrent")  # equal: nothing to do
    (out / "programme.torrent").write_bytes(b"x" * len(made.data))
    with pytest.raises(ClientError, match="exists already and is something else"):
        write_output(made, out)
    assert (out / "programme.torrent").read_bytes() == b"x" * len(made.data)
    for place, said in ((folder / "in.torrent", "inside"), (folder / "sub", "inside"),
                        (tmp_path / "none" / "x", "No such file")):
        with pytest.raises(ClientError, match=said):
            write_output(made, place)
    assert [path.name for path in out.iterdir()] == ["programme.torrent"]


def test_bencoding_sorts_keys() -> None:
    assert bencode({b"b": [1, b"x"], b"a": -5}) == b"d1:ai-5e1:bli1e1:xee"
