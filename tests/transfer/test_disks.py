"""
Disks that are full, small or read-only: one clear line, nothing lost, and on it goes once there is room.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.errors import DiskFullError, StoreError
from tribler_multicast.transfer.limits import SEGMENT_SIZE
from tribler_multicast.transfer.store import area, disk
from tribler_multicast.transfer.store.ending import finish
from tribler_multicast.transfer.store.opening import receive_to

from ..hostile_disk import ROOT, run, run_on_small_disk
from .stores import Offer, recheck_all
from .trees import contents, make, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

MIB = SEGMENT_SIZE

PRELUDE = f"""
sys.path.insert(0, {str(ROOT)!r})
from tests.transfer.stores import Offer, recheck_all
from tests.transfer.trees import make, some_bytes
from tribler_multicast.transfer.errors import DiskFullError, StoreError
from tribler_multicast.transfer.store.ending import finish
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store import disk
import tempfile
elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
def offer_of(size):
    (elsewhere / "film").write_bytes(some_bytes(size))
    return Offer(elsewhere / "film")
def failing(call, *rest):
    try:
        call(*rest)
    except StoreError as error:
        assert "\\n" not in str(error)
        print(type(error).__name__, error)
        return True
    return False
import atexit, shutil
atexit.register(shutil.rmtree, elsewhere)
"""


def on_small_disk(script: str, folder: Path, size: str) -> list[str]:
    done = run_on_small_disk(PRELUDE + script, folder, size)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_content_that_has_no_room_is_refused_before_anything_is_written(out: Path) -> None:
    said = on_small_disk("offer = offer_of(3 << 20)\nassert failing(offer.open, folder)\nprint(os.listdir(folder))\n",
                         out, "2m")
    assert said[0].startswith("DiskFullError no room on the disk for film: 3145728 bytes are needed, ")
    assert said[1:] == ["[]"]


@pytest.mark.parametrize("preallocated", [True, False])
def test_disk_that_gets_full_meanwhile_loses_nothing_and_goes_on_with_room(out: Path, preallocated: bool) -> None:
    said = on_small_disk(f"""
offer = offer_of((2 << 20) + 5000)
if not {preallocated}:
    disk._linux = lambda name: None  # a file system that gives no room in advance
store = offer.open(folder)
offer.give(store, 0)
store.commit()
fill()
errors = 0
for segment in (1, 2):
    for at, unit in offer.units(store, segment):
        errors += failing(store.write, segment, at, unit)
    offer.prove(store, segment)
    store.verify(segment)
errors += failing(store.commit)
assert errors or {preallocated}
assert offer.claims(store)[0] == 0
if failing(store.close):
    print("closed with an error")
failing(lambda: offer.open(folder).close())
(folder / "filler").unlink()
store = offer.open(folder)
recheck_all(store)
print("kept", offer.claims(store))
offer.give_all(store)
finish(store)
assert (folder / "film").read_bytes() == some_bytes((2 << 20) + 5000)
print(os.listdir(folder))
""", out, "4m")
    if preallocated:
        assert "kept [0, 1, 2]" in said, "it had all its room"
    else:
        assert any(line.startswith("DiskFullError no room on the disk for ") for line in said)
        assert next(line for line in said if line.startswith("kept")).startswith("kept [0")
    assert said[-1] == "['film']"


def test_full_disk_while_the_files_of_a_folder_are_made_keeps_what_came(out: Path) -> None:
    said = on_small_disk("""
offer = Offer(make(elsewhere / "x", {"a": some_bytes(1 << 20), "b": some_bytes(2 << 20, 2), "c/d": b"1"}))
store = offer.open(folder)
for segment in (1, 2, 0):
    offer.give(store, segment)
fill()
assert failing(store.commit)
assert failing(store.commit)
assert offer.claims(store) == [0, 1, 2]
(folder / "filler").unlink()
store.commit()
offer.give_all(store)
finish(store)
for name in ("a", "b", "c/d"):
    assert (folder / "x" / name).read_bytes() == (elsewhere / "x" / name).read_bytes()
print(os.listdir(folder))
""", out, "7m")
    assert said[-1] == "['x']"
    assert said[0].startswith("DiskFullError no room on the disk for ")


def test_read_only_target_is_one_line(out: Path) -> None:
    said = on_small_disk("offer = offer_of(5000)\nread_only(True)\nassert failing(offer.open, folder)\n", out, "4m")
    assert said == [f"StoreError cannot write to {out}/film.part.state: Read-only file system"]


def test_disk_that_becomes_read_only_says_so_and_loses_nothing(out: Path) -> None:
    said = on_small_disk("""
offer = offer_of(2 << 20)
store = offer.open(folder)
offer.give(store, 0)
store.close()
read_only(True)
assert failing(offer.open, folder)
read_only(False)
store = offer.open(folder)
print(offer.claims(store))
""", out, "4m")
    assert said[0].endswith("Read-only file system")
    assert said[1] == "[0]"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_folder_without_the_right_to_write_is_one_line(out: Path) -> None:
    said = on_small_disk("""
offer = offer_of(5000)
for path in (folder, folder.parent):
    if os.getuid() == 0 and os.fork() == 0:
        try:
            path.chmod(0o555 if path == folder else 0)
            os.setresuid(65534, 65534, 65534)
            failing(offer.open, folder)
            sys.stdout.flush()
        finally:
            os._exit(0)
    elif os.getuid() == 0:
        os.wait()
folder.parent.chmod(0o700)
""", out, "4m")
    assert all(line.startswith(f"StoreError cannot write to {out}") for line in said)
    assert all(line.endswith("Permission denied") for line in said)


def failing_once(real: object, number: int) -> object:
    """
    Fail the first time with this number of the system, then work.
    """
    calls = iter([True])

    def call(*arguments: object) -> object:
        if next(calls, False):
            raise OSError(number, os.strerror(number))
        return real(*arguments)  # type: ignore[operator]

    return call


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_could_not_be_made_durable_is_received_again(tmp_path: Path, out: Path, number: int,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB))
    offer = Offer(tmp_path / "film")
    store = offer.open(out)
    offer.give(store, 0)
    store.commit()
    offer.give(store, 1)
    store.write(2, 0, offer.units(store, 2)[0][1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_once(os.fsync, number))
        with pytest.raises(DiskFullError if number == errno.ENOSPC else StoreError, match=r"film\.part: "):
            store.commit()
    assert offer.claims(store) == [0], "nobody knows what of the rest is on the disk"
    assert store.units(2) == 0
    offer.give_all(store)
    store.commit()
    store.release()
    store = offer.open(out)
    assert offer.claims(store) == [0, 1, 2]


def test_what_the_journal_could_not_say_is_said_the_next_time(tmp_path: Path, out: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB))
    offer = Offer(tmp_path / "film")
    store = offer.open(out)
    offer.give(store, 0)
    store.write(2, 0, offer.units(store, 2)[0][1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing_once(os.write, errno.ENOSPC))
        with pytest.raises(DiskFullError):
            store.commit()
    assert offer.claims(store) == [0]
    store.commit()
    store.release()
    store = offer.open(out)
    assert offer.claims(store) == [0]
    assert store.units(2) == 1
    assert store.tree.wanted(1) is None, "hashes are said again, too"


def test_file_too_large_for_the_file_system_is_one_line(tmp_path: Path, out: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB))
    monkeypatch.setattr(area, "allocate", failing_once(disk.allocate, errno.EFBIG))
    with pytest.raises(StoreError, match="can't hold files of that size"):
        receive_to(Offer(tmp_path / "film").manifest, out)
    assert not os.listdir(out)


def test_system_that_can_not_write_a_name_says_so(tmp_path: Path, out: Path) -> None:
    offer = Offer(make(tmp_path / "caf\u00e9", {"a": b"1"}))
    script = ("from tribler_multicast.transfer.store.opening import receive_to\n"
              "from tribler_multicast.transfer.content.manifest import Manifest\n"
              "from tribler_multicast.transfer.errors import StoreError\n"
              "os.fsencode = lambda name: name.encode('ascii')\n"
              f"try: receive_to(Manifest.read(bytes.fromhex('{offer.manifest.pack().hex()}')), folder)\n"
              "except StoreError as error: print(error)\n")
    assert run(script, out).stdout == "the encoding of this system (utf-8) has no name like 'caf\\xe9'\n"


def test_system_without_any_of_the_special_calls_works_the_same(tmp_path: Path, out: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_linux", lambda _: None)
    files: dict[str, bytes | None] = {f"a/{n}": some_bytes(100, n) for n in range(20)}
    offer = Offer(make(tmp_path / "x", {**files, "big": some_bytes(2 * MIB)}))
    store = offer.open(out)
    offer.give_all(store)
    store.release()
    store = offer.open(out)
    recheck_all(store)
    offer.give_all(store)
    finish(store)
    assert contents(out / "x") == contents(tmp_path / "x")
