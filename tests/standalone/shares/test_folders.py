"""The shared folders themselves: several, inside each other, gone, back, changed by a setting."""
from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from tribler_multicast.standalone.shares import Shares

from ...hostile_disk import namespace, run
from .common import HASH, SCRIPT, check_index, found, hashed, heard, one, settled, sharing, until, write


async def test_same_folder_twice_is_shared_once(database: Path, share: Path) -> None:
    write(share / "a.txt")
    (share.parent / "link").symlink_to(share)
    async with sharing(database, share, share, share.parent / "link", Path(f"{share}/../share")) as shares:
        assert found(shares, "a") == ["a.txt"]
        first, *others = shares.status().folders
        assert (first.state, first.files) == (heard(), 1)
        assert [(other.files, "counted with" in other.error) for other in others[1:]] == [(0, True), (0, True)]
    assert check_index(database) == 1


async def test_folder_inside_another_is_shared_once_with_the_words_of_the_outer(database: Path, share: Path) -> None:
    write(share / "music" / "live" / "song.mp3")
    write(share / ".hidden" / "shared on purpose.txt")
    async with sharing(database, share / "music" / "live", share, share / ".hidden") as shares:
        assert found(shares, "music live song") == ["song.mp3"]
        assert found(shares, "purpose") == ["shared on purpose.txt"]
        file_id = one(shares, "song").id
        inner, outer, hidden = shares.status().folders
        assert (inner.state, inner.files, inner.error) == (
            heard(), 0, f"it is counted with {share}, which is shared too")
        assert (outer.files, hidden.files) == (1, 1)
        await shares.set_folders([share / "music" / "live"])
        await until(lambda: found(shares, "song") == ["song.mp3"])
        await settled(shares)
        assert found(shares, "music") == []
        assert one(shares, "song").id == file_id, "the id hangs on the file, not on the share"
        await shares.set_folders([share])
        await until(lambda: found(shares, "music song") == ["song.mp3"])
    assert check_index(database) == 1


async def test_folder_that_is_shared_no_more_is_not_found_from_then_on(
        database: Path, share: Path, tmp_path: Path) -> None:
    write(share / "a.txt")
    write(tmp_path / "second" / "b.txt")
    gone: list[bytes] = []
    back: list[bytes] = []
    async with sharing(database, share, tmp_path / "second") as shares:
        shares.subscribe_gone(gone.append)
        shares.subscribe_back(back.append)
        file_id = hashed(shares, "a")
        await shares.set_folders([tmp_path / "second"])
        assert found(shares, "txt") == ["b.txt"]
        assert shares.find(file_id) is None
        assert shares.find_torrent(HASH) is None
        await until(lambda: gone == [HASH])
        await until(lambda: check_index(database) == 1)
        await shares.set_folders([share, tmp_path / "second"])
        await until(lambda: one(shares, "a").kind == "torrent" if found(shares, "a") else None)
        await until(lambda: back == [HASH])
        await shares.set_folders([])
        assert found(shares, "txt") == []
        assert shares.status().folders == []


async def test_share_removed_from_the_setting_while_the_node_was_off_is_not_found_at_its_start(
        database: Path, share: Path, tmp_path: Path) -> None:
    write(share / "a.txt")
    write(tmp_path / "second" / "b.txt")
    async with sharing(database, share, tmp_path / "second"):
        pass
    shares = Shares(database, [tmp_path / "second"])
    await shares.start()
    assert found(shares, "txt") == ["b.txt"]
    await until(lambda: check_index(database) == 1)
    await shares.close()


async def test_setting_that_changes_again_and_again_while_indexing_ends_right(database: Path, tmp_path: Path) -> None:
    folders = [tmp_path / f"share {number}" for number in range(3)]
    for folder in folders:
        for number in range(300):
            write(folder / f"{number % 40}" / f"{folder.name} {number}.txt")
    shares = Shares(database, [])
    await shares.start()
    for number in range(40):
        await shares.set_folders([folders[number % 3], folders[(number * 7) % 3]] if number % 5 else [])
        await asyncio.sleep(0.02 * (number % 3))
    await shares.set_folders([folders[1], folders[0]])
    await until(lambda: len(found(shares, "share", most=2000)) == 600, 10)
    await until(lambda: check_index(database) == 600, 10)
    await settled(shares)
    assert [(status.state, status.files) for status in shares.status().folders] == [(heard(), 300)] * 2
    await shares.close()


async def test_folder_that_is_shared_again_while_it_is_removed_is_found_whole(database: Path, share: Path) -> None:
    for number in range(1500):
        write(share / f"{number % 300}" / f"file {number}.txt")
    async with sharing(database, share) as shares:
        for pause in (0.02, 0.06, 0.1):
            await shares.set_folders([])
            await asyncio.sleep(pause)
            await shares.set_folders([share])
            await until(lambda: len(found(shares, "file", most=2000)) == 1500, 10)
            await settled(shares)
    assert check_index(database) == 1500


async def test_share_that_is_not_there_is_said_and_found_when_it_comes(
        database: Path, share: Path, caplog: pytest.LogCaptureFixture) -> None:
    share.rmdir()
    async with sharing(database, share) as shares:
        await until(lambda: shares.status().folders[0].state == "missing")
        write(share)
        await until(lambda: shares.status().folders[0].error == "it is not a folder")
        share.unlink()
        write(share / "a.txt")
        await until(lambda: found(shares, "a") == ["a.txt"])
        await until(lambda: shares.status().folders[0].state == heard())
        write(share / "b.txt")
        await until(lambda: found(shares, "b") == ["b.txt"])
    assert len([record for record in caplog.records if "missing" in record.getMessage()]) == 1


async def test_share_removed_while_it_is_indexed_leaves_nothing(database: Path, share: Path) -> None:
    for number in range(1500):
        write(share / f"{number % 100}" / f"file {number}.txt")
    shares = Shares(database, [share])
    await shares.start()
    await until(lambda: shares.search("file", frozenset({"file"}), 1))
    shutil.rmtree(share)
    await until(lambda: shares.status().folders[0].state == "missing" and not found(shares, "file"))
    share.mkdir()
    write(share / "new.txt")
    await until(lambda: found(shares, "new") and shares.status().folders[0].files == 1)
    await until(lambda: check_index(database) == 1)
    await shares.close()


async def test_share_that_comes_back_has_its_hashes(database: Path, share: Path, tmp_path: Path) -> None:
    write(share / "one" / "a.txt")
    write(share / "b.txt")
    gone: list[bytes] = []
    back: list[bytes] = []
    async with sharing(database, share) as shares:
        shares.subscribe_gone(gone.append)
        shares.subscribe_back(back.append)
        hashed(shares, "a")
        share.rename(tmp_path / "away")
        await until(lambda: gone == [HASH] and not found(shares, "txt"))
        share.mkdir()  # as an empty mount point
        await until(lambda: shares.status().folders[0].state == heard())
        await until(lambda: check_index(database) == 0)
        share.rmdir()
        (tmp_path / "away").rename(share)
        await until(lambda: sorted(found(shares, "txt")) == ["a.txt", "b.txt"])
        await until(lambda: back == [HASH])
        assert one(shares, "a").kind == "torrent"


async def test_state_of_the_node_is_never_shared(share: Path) -> None:
    state = share / "state"
    write(state / "identity.key")
    write(state / "downloads" / "film.mkv")
    write(share / "public.txt")
    async with sharing(state / "sqlite" / "shares.db", share, state, state / "sqlite",
                       state / "downloads") as shares:
        assert sorted(found(shares, "identity") + found(shares, "shares") + found(shares, "public")) == ["public.txt"]
        assert found(shares, "film") == ["film.mkv"], "a folder in it may be shared if it is said by name"
        states = [status.state for status in shares.status().folders]
        assert states == [heard(), "unreadable", "unreadable", heard()]
        assert "never shared" in shares.status().folders[1].error


async def test_close_is_quick_whatever_is_under_way(database: Path, share: Path) -> None:
    for number in range(2000):
        write(share / f"{number}.txt")
    for pause in (0.0, 0.02, 0.2):
        shares = Shares(database, [share])
        await shares.start()
        await asyncio.sleep(pause)
        began = time.monotonic()
        await shares.close()
        assert time.monotonic() - began < 0.5
        assert not shares.indexer.is_alive()
    check_index(database)


def test_what_cannot_be_read_is_said_once_and_the_rest_is_shared(tmp_path: Path) -> None:
    script = SCRIPT + """
async def main(shares):
    share = folder / "share"
    await settled(shares)
    assert found(shares, "txt") == ["fine.txt"], found(shares, "txt")
    [status] = shares.status().folders
    assert (status.state, status.files) == (heard(), 1)
    assert "2 files or folders in it can't be read" in status.error, status
    (share / "closed").chmod(0o700)
    (share / "closed.txt").chmod(0o600)
    await until(lambda: sorted(found(shares, "txt")) == ["closed.txt", "fine.txt", "inside.txt"])
    await until(lambda: "can't be read" not in shares.status().folders[0].error)
    (share / "closed").chmod(0)
    await until(lambda: "inside.txt" not in found(shares, "txt"))
    share.chmod(0)
    await until(lambda: shares.status().folders[0].state == "unreadable" and not found(shares, "txt"))
    assert shares.status().folders[0].error == "permission denied"
    share.chmod(0o700)
    await until(lambda: found(shares, "fine"))
    (share / "closed").chmod(0o700)

share = folder / "share"
write(share / "closed" / "inside.txt")
write(share / "closed.txt").chmod(0)
write(share / "fine.txt")
(share / "closed").chmod(0)
drop_rights()
run(main)
"""
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "can't be read" in line]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr


needs_mounts = pytest.mark.skipif(not namespace(), reason="needs Linux and the right to mount")


@needs_mounts
def test_drive_that_is_unmounted_and_mounted_again_costs_no_hashes(tmp_path: Path) -> None:
    script = SCRIPT + """
import subprocess
def mount(): subprocess.run(["mount", "--bind", folder / "data", folder / "share" / "drive"], check=True)
def unmount(): subprocess.run(["umount", "-l", folder / "share" / "drive"], check=True)
async def main(shares):
    gone, back = [], []
    shares.subscribe_gone(gone.append)
    shares.subscribe_back(back.append)
    await settled(shares)
    assert found(shares, "drive") == ["film.mkv"]
    file = shares.find(shares.search("film", frozenset({"file"}), 1)[0].id)
    assert shares.set_infohash(file.file_id, HASH, file.size, file.mtime_ns)
    unmount()
    # Nothing tells of a mount inside a share: it is found by the times of the folders.
    await until(lambda: gone == [HASH] and not found(shares, "film"))
    mount()
    await until(lambda: back == [HASH] and found(shares, "film"))
from tribler_multicast.standalone.shares import roots
roots.SAFETY = 0.5
write(folder / "data" / "film.mkv")
write(folder / "share" / "drive" / "x").unlink()
mount()
run(main)
"""
    done = run(script, tmp_path, *namespace())
    assert done.returncode == 0, done.stderr


@needs_mounts
def test_folder_mounted_into_itself_is_no_endless_tree(tmp_path: Path) -> None:
    script = SCRIPT + """
import subprocess
share = folder / "share"
write(share / "deep" / "a.txt")
for name in ("loop", "deep/loop"):
    (share / name).mkdir()
    subprocess.run(["mount", "--bind", share, share / name], check=True)
async def main(shares):
    await settled(shares)
    assert found(shares, "a") == ["a.txt"], found(shares, "a")
run(main)
"""
    done = run(script, tmp_path, *namespace())
    assert done.returncode == 0, done.stderr


async def test_folders_deeper_than_any_collection_are_left_out(database: Path, share: Path) -> None:
    path = share
    for _ in range(100):
        path /= "d"
    write(path / "too deep.txt")
    write(share / "d" / "fine.txt")
    async with sharing(database, share) as shares:
        assert found(shares, "txt") == ["fine.txt"]
    assert os.path.exists(path)
