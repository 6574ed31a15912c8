"""
A file or folder is offered as it is, or not at all; and what is given out later is what was offered.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast.transfer.content import scan as scan_module
from tribler_multicast.transfer.content.index import Entry, read_index
from tribler_multicast.transfer.content.record import forget, load, save
from tribler_multicast.transfer.content.scan import scan
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.content.tree import EMPTY_ROOT
from tribler_multicast.transfer.errors import CancelledError, ChangedError, ContentError
from tribler_multicast.transfer.limits import OPEN_FILES

from ..hostile_disk import ROOT
from .trees import FOLDER, MIB, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def everything(source: Source) -> bytes:
    return b"".join(source.read(segment) for segment in range(source.layout.index_segments, source.layout.segments))


@pytest.mark.parametrize("size", [0, 1, 10_000, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_file_of_any_size_is_cut_into_segments_that_are_its_bytes(tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    (tmp_path / "file").write_bytes(data)
    source = Source.publish(tmp_path / "file")
    assert source.content.name == "file"
    assert source.content.layout.segments == -(-size // MIB)
    assert everything(source) == data
    assert source.tree.is_whole
    assert (source.content.root == EMPTY_ROOT) == (size == 0)
    if 0 < size <= MIB:
        assert source.content.root == sha256(b"\0" + data).digest()


def test_folder_is_its_index_and_then_the_bytes_of_its_files_in_order(tmp_path: Path) -> None:
    source = Source.publish(make(tmp_path / "folder", FOLDER))
    index = b"".join(source.read(segment) for segment in range(source.layout.index_segments))
    assert source.content.entries(index) == [
        Entry("a/b/deep", 1000), Entry("a-b", 1), Entry("big", 2 * MIB + 77), Entry("empty"),
        Entry("none", is_folder=True), Entry("z", MIB)]
    assert everything(source) == b"".join(FOLDER[entry.path] or b"" for entry in read_index(index))
    assert source.content.files == 6


def test_empty_folder_is_a_content_of_no_segments(tmp_path: Path) -> None:
    source = Source.publish(make(tmp_path / "folder", {}))
    assert source.content.layout.segments == 0
    assert source.content.entries(b"") == []


def test_thousands_of_small_files_are_as_many_segments_as_one_of_their_size(tmp_path: Path) -> None:
    source = Source.publish(make(tmp_path / "folder", {f"{n % 7}/{n}": some_bytes(10_000, n) for n in range(300)}))
    assert source.layout.segments == 1 + 3
    assert len(source._files._open) <= OPEN_FILES
    everything(source)
    assert len(source._files._open) <= OPEN_FILES


def test_id_is_the_same_wherever_whenever_and_in_whatever_order_the_files_were_made(tmp_path: Path) -> None:
    one = Source.publish(make(tmp_path / "1" / "folder", FOLDER))
    two = Source.publish(make(tmp_path / "2" / "folder", dict(reversed(FOLDER.items()))))
    assert one.content.id == two.content.id
    assert Source.publish(make(tmp_path / "other", FOLDER)).content.id != one.content.id


@posix
def test_id_does_not_depend_on_how_a_disk_writes_letters_nor_on_modes(tmp_path: Path) -> None:
    name = "caf\u00e9"
    one = Source.publish(make(tmp_path / "1" / "x", {name: b"1"}))
    two = Source.publish(make(tmp_path / "2" / "x", {unicodedata.normalize("NFD", name): b"1"}))
    (tmp_path / "2" / "x" / unicodedata.normalize("NFD", name)).chmod(0o755)
    assert one.content.id == two.content.id
    assert everything(two) == b"1"


@posix
def test_names_that_are_no_text_are_offered_under_one_that_is(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", {})
    for name in (b"bad\xff", b"new\nline", b"ord"):
        (folder / os.fsdecode(name)).write_bytes(name)
    source = Source.publish(folder)
    assert [entry.path for entry in source.entries] == ["bad\ufffd", "new_line", "ord"]
    assert everything(source) == b"bad\xffnew\nlineord"


@posix
def test_two_files_that_would_have_one_name_are_an_error_that_tells_both(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"a\\nb and a_b would have the same name"):
        scan(make(tmp_path / "x", {"a\nb": b"", "a_b": b""}))


@posix
def test_links_and_what_is_no_file_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", {"file": b"1", "sub/file": b"2"})
    make(tmp_path / "secret", {"key": b"secret"})
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "key").symlink_to(tmp_path / "secret" / "key")
    (folder / "in").symlink_to("file")
    (folder / "sub" / "loop").symlink_to("..")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listing = scan(folder)
    assert [entry.path for entry in listing.entries] == ["file", "sub/file"]
    assert listing.skipped == 7


@posix
def test_link_given_by_the_user_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(make(tmp_path / "x", {"file": b"1"}))
    assert Source.publish(tmp_path / "link").content.name == "x"


@posix
@pytest.mark.skipif(not scan_module.BY_HANDLE, reason="needs folders opened by handle")
def test_folder_exchanged_for_a_link_during_the_scan_is_not_entered(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    folder, secret = make(tmp_path / "x", {"a/1": b"", "b/2": b""}), make(tmp_path / "secret", {"key": b""})
    walk = scan_module._Walk.folder

    def exchange(self: scan_module._Walk, name: str, *rest: object) -> None:
        if name == "b":
            shutil.rmtree(folder / "b")
            (folder / "b").symlink_to(secret)
        walk(self, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(scan_module._Walk, "folder", exchange)
    with pytest.raises(ContentError, match=r"cannot read .*b"):
        scan(folder)


@pytest.mark.parametrize("name", ["nothing", "nothing/below", "file/below", "a\0b"])
def test_path_that_is_not_there_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ContentError, match="cannot offer") as error:
        scan(tmp_path / name)
    assert "\n" not in str(error.value)


@posix
def test_device_is_not_offered_and_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "/dev/null"):
        with pytest.raises(ContentError, match="neither a file nor a folder"):
            scan(path)


@posix
def test_what_can_not_be_read_is_an_error_not_a_gap(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", {"file": b"1", "sub/file": b"2"})
    code = ("import os, sys\nfrom pathlib import Path\nfrom tribler_multicast.transfer.content.source import Source\n"
            "from tribler_multicast.transfer.errors import ContentError\n"
            "try:\n    if os.getuid() == 0: os.setuid(65534)\nexcept OSError: sys.exit(7)\n"
            "try: Source.publish(Path(sys.argv[1]))\nexcept ContentError as error: print(error)\n")
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(path.stat().st_mode | 0o755)
    for hidden in (folder / "sub" / "file", folder / "sub"):
        hidden.chmod(0)
        said = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False,
                              cwd=ROOT, timeout=60)
        hidden.chmod(0o755)
        if said.returncode == 7:
            pytest.skip("nobody but root here, who may read everything")
        assert said.stdout == f"cannot read {hidden}: Permission denied\n", said.stderr


def test_too_many_files_names_and_levels_end_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "x", {str(n): b"" for n in range(10)})
    with pytest.raises(ContentError, match="more than 9 files"):
        scan(folder, most=9)
    monkeypatch.setattr(scan_module, "MAX_SCANNED", 5)
    with pytest.raises(ContentError, match="more than 5 names"):
        scan(folder)
    monkeypatch.undo()
    with pytest.raises(ContentError, match="32 folders deep"):
        scan(make(tmp_path / "deep", {"d/" * 32 + "file": b""}))
    make(tmp_path / "fits", {"d/" * 31 + "file": b""})
    assert len(scan(tmp_path / "fits").entries) == 1


def test_path_with_too_many_bytes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="more than 1024 bytes"):
        scan(make(tmp_path / "x", {"/".join(["y" * 200] * 6): b""}))


def test_sparse_file_is_offered_as_what_it_reads_like(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(5 * MIB)
    source = Source.publish(tmp_path / "sparse")
    assert everything(source) == bytes(5 * MIB)


def test_progress_is_told_and_the_caller_can_end_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3 * MIB + 5))
    told: list[tuple[int, int]] = []
    Source.publish(tmp_path / "file", lambda *done: told.append(done))
    assert told == [(MIB, 3 * MIB + 5), (2 * MIB, 3 * MIB + 5), (3 * MIB, 3 * MIB + 5), (3 * MIB + 5, 3 * MIB + 5)]
    calls = iter([False, False, True])
    with pytest.raises(CancelledError):
        Source.publish(tmp_path / "file", cancelled=lambda: next(calls))
    with pytest.raises(CancelledError):
        Source.publish(make(tmp_path / "x", {"y/z": b""}), cancelled=lambda: True)


def rewrite(path: Path) -> None:
    """
    Change one byte, and leave size and time as they were.
    """
    before = path.stat()
    with path.open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes((byte[0] ^ 1,)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {"deleted": lambda path: path.unlink(), "cut": lambda path: os.truncate(path, 5),
           "grown": lambda path: path.open("ab").write(b"x"), "touched": lambda path: os.utime(path, (1, 1)),
           "replaced": lambda path: (path.rename(path.with_name("old")), path.write_bytes(b"\0" * 9)),
           "link": lambda path: (path.rename(path.with_name("old")), path.symlink_to("old")),
           "pipe": lambda path: (path.unlink(), os.mkfifo(path)), "rewritten in secret": rewrite}


@posix
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_file_that_changes_while_it_is_offered_gives_an_error_never_other_bytes(tmp_path: Path, change: str,
                                                                                is_open: bool) -> None:
    make(tmp_path / "x", {"file": some_bytes(2 * MIB), "more": some_bytes(MIB, 2)})
    source = Source.publish(tmp_path / "x")
    first = source.layout.index_segments
    if is_open:
        source.read(first + 1)
    CHANGES[change](tmp_path / "x" / "file")
    if is_open and change in {"deleted", "replaced", "link", "pipe"}:
        # The file that was offered is still open, unchanged; that its name is gone is seen when it is opened again.
        assert source.read(first) == some_bytes(2 * MIB)[:MIB]
        source.close()
    with pytest.raises(ChangedError, match="file was changed or deleted since it was offered"):
        source.read(first)
    assert source.read(first + 2) == some_bytes(MIB, 2)


def test_file_that_changes_while_it_is_hashed_is_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB))

    def change(done: int, _: int) -> None:
        if done == MIB:
            with path.open("r+b") as file:
                file.write(b"x")

    with pytest.raises(ChangedError):
        Source.publish(path, change)


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5 * MIB), st.integers(0, 3 * MIB))
def test_any_part_of_the_data_can_be_read(tmp_path: Path, start: int, length: int) -> None:
    folder = tmp_path / "x"
    if not folder.exists():
        make(folder, FOLDER)
    source = Source.publish(folder)
    data = b"".join(FOLDER[entry.path] or b"" for entry in source.entries)
    assert source.read_data(start, length) == data[start:start + length]


def test_what_was_hashed_once_is_known_again_while_it_is_unchanged(tmp_path: Path) -> None:
    folder, records = make(tmp_path / "x", FOLDER), tmp_path / "records"
    source = Source.publish(folder)
    save(records, source)
    again = load(records, source.content.id)
    assert again is not None
    assert again.content == source.content
    assert again.entries == source.entries
    assert everything(again) == everything(source)
    (folder / "z").write_bytes(some_bytes(MIB))
    assert load(records, source.content.id) is None
    forget(records, source.content.id)
    forget(records, source.content.id)
    assert not list(records.iterdir())


@posix
def test_record_knows_files_with_odd_names_and_a_single_file(tmp_path: Path) -> None:
    make(tmp_path / "x", {os.fsdecode(b"bad\xff"): b"1"})
    (tmp_path / os.fsdecode(b"single\xff")).write_bytes(b"12")
    for path in (tmp_path / "x", tmp_path / os.fsdecode(b"single\xff")):
        source = Source.publish(path)
        save(tmp_path / "records", source)
        again = load(tmp_path / "records", source.content.id)
        assert again is not None
        assert everything(again) == everything(source)


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_record_is_none(tmp_path: Path, data: st.DataObject) -> None:
    folder, records = tmp_path / "x", tmp_path / "records"
    source = Source.publish(folder if folder.exists() else make(folder, {"a": b"1", "b": b"2"}))
    save(records, source)
    file = records / source.content.id.hex()
    good = file.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    file.write_bytes(good[:at] + (b"" if data.draw(st.booleans()) else bytes((good[at] ^ 1,)) + good[at + 1:]))
    assert load(records, source.content.id) is None
    assert load(records, bytes(32)) is None
