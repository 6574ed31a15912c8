"""Changes are seen: with inotify, without, and beyond its limits."""
from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.standalone.shares.inotify import Inotify, NoWatcher
from tribler_multicast.standalone.shares.listing import Listing

from .common import HASH, check_index, found, hashed, heard, one, settled, sharing, until, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tribler_multicast.standalone.shares import Shares


def with_inotify(shares: Shares) -> None:
    if heard() == "polled":
        pytest.skip("other programs have all inotify instances of this user")


def without(shares: Shares) -> None:
    shares.indexer.create_watcher = lambda: NoWatcher("changes are polled for: a test")


def with_too_little(shares: Shares) -> None:
    with_inotify(shares)
    shares.indexer.create_watcher = lambda: Inotify(2)


@pytest.fixture(params=[with_inotify, without, with_too_little])
def change(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Shares], None]:
    monkeypatch.setattr("tribler_multicast.standalone.shares.roots.POLL", 0.3)
    chosen: Callable[[Shares], None] = request.param
    return chosen


async def test_files_and_folders_that_come_change_and_go_are_seen(
        database: Path, share: Path, change: Callable[[Shares], None]) -> None:
    write(share / "old" / "one.txt")
    write(share / "old" / "deep" / "two.txt")
    async with sharing(database, share, change=change) as shares:
        [status] = shares.status().folders
        assert status.state == ("watched" if change is with_inotify else "polled")
        assert (status.files, status.bytes, bool(status.error)) == (2, 2, change is not with_inotify)
        write(share / "new.txt", b"123")
        await until(lambda: found(shares, "new"))
        write(share / "old" / "deep" / "three.txt")
        write(share / "fresh" / "deeper" / "four.txt")
        await until(lambda: found(shares, "three") and found(shares, "fresh deeper"))
        (share / "old" / "one.txt").rename(share / "old" / "uno.txt")
        await until(lambda: found(shares, "uno") and not found(shares, "one"))
        (share / "old").rename(share / "ancient")
        await until(lambda: len(found(shares, "ancient")) == 3 and not found(shares, "old"))
        write(share / "ancient" / "deep" / "after the rename.txt")
        await until(lambda: found(shares, "after"))
        # Written in place: its folder does not change.
        with (share / "new.txt").open("ab") as file:
            file.write(b"45")
        await until(lambda: one(shares, "new").size == 5)
        shutil.rmtree(share / "ancient")
        await until(lambda: not found(shares, "ancient"))
        (share / "new.txt").unlink()
        await until(lambda: found(shares, "txt") == ["four.txt"])
        await until(lambda: shares.status().folders[0].files == 1)
    assert check_index(database) == 1


async def test_folder_in_the_place_of_another_is_read_anew(database: Path, share: Path) -> None:
    write(share / "a" / "x.txt")
    write(share / "b" / "y.txt")
    async with sharing(database, share) as shares:
        for _ in range(5):
            (share / "a").rename(share / "c")
            (share / "b").rename(share / "a")
            (share / "c").rename(share / "b")
        await until(lambda: found(shares, "a") == ["y.txt"] and found(shares, "b") == ["x.txt"])
        write(share / "a" / "z.txt")
        await until(lambda: found(shares, "a z"))
        write(share / "b" / "w.txt")
        await until(lambda: found(shares, "b w"))
    assert check_index(database) == 4


async def test_file_becomes_a_folder_and_back(database: Path, share: Path) -> None:
    write(share / "thing")
    async with sharing(database, share) as shares:
        (share / "thing").unlink()
        write(share / "thing" / "inside.txt")
        await until(lambda: found(shares, "thing") == ["inside.txt"])
        shutil.rmtree(share / "thing")
        write(share / "thing")
        await until(lambda: found(shares, "thing") == ["thing"])
    assert check_index(database) == 1


async def test_folder_removed_and_made_again_at_once_is_found(database: Path, share: Path) -> None:
    for round_ in range(4):
        for number in range(50):
            write(share / "tree" / f"{number % 5}" / f"{number} of {round_}.txt")
        if round_ == 0:
            async with sharing(database, share) as shares:
                for again in range(1, 4):
                    shutil.rmtree(share / "tree")
                    for number in range(50):
                        write(share / "tree" / f"{number % 5}" / f"{number} of {again}.txt")
                await until(lambda: len(found(shares, "of 3", most=100)) == 50 == len(found(shares, "of", most=100)))
            break
    assert check_index(database) == 50


async def test_flood_of_events_loses_nothing(database: Path, share: Path) -> None:
    async with sharing(database, share) as shares:
        for number in range(300):
            path = write(share / f"flooded {number}.txt")
            for _ in range(20):
                os.utime(path)
                path.chmod(0o600)
        await until(lambda: len(found(shares, "flooded", most=500)) == 300, 10)


async def test_only_regular_files_with_something_in_them_are_shared(database: Path, share: Path) -> None:
    write(share / "real.bin")
    write(share / "empty.bin", b"")
    with (share / "sparse.bin").open("wb") as file:
        file.truncate(1 << 40)
    os.mkfifo(share / "fifo.bin")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(share)  # the whole path may be too long for a socket
        bound.bind("socket.bin")
    if os.geteuid() == 0:
        os.mknod(share / "device.bin", 0o600 | 0o020000, os.makedev(1, 3))
    write(share / ".hidden.bin")
    write(share / ".folder" / "hidden too.bin")
    write(share / "half.bin.part")
    async with sharing(database, share) as shares:
        assert sorted(found(shares, "bin")) == ["real.bin", "sparse.bin"]
        assert one(shares, "sparse").size == 1 << 40
        write(share / "empty.bin", b"no more")
        await until(lambda: found(shares, "empty"))
        write(share / "real.bin", b"")
        await until(lambda: not found(shares, "real"))


async def test_download_is_found_once_it_is_finished(database: Path, share: Path) -> None:
    write(share / "one.iso.part")
    write(share / "two.iso")
    write(share / "two.iso.aria2")
    write(share / "marker.txt")
    async with sharing(database, share) as shares:
        assert found(shares, "iso") == []
        (share / "one.iso.part").rename(share / "one.iso")
        (share / "two.iso.aria2").unlink()
        await until(lambda: sorted(found(shares, "iso")) == ["one.iso", "two.iso"])
        write(share / "two.iso.aria2")
        await until(lambda: found(shares, "iso") == ["one.iso"])


async def test_links_are_never_followed(database: Path, share: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret.txt")
    write(share / "inside" / "public.txt")
    (share / "link to folder").symlink_to(tmp_path / "outside")
    (share / "link to file.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (share / "inside" / "loop").symlink_to(share)
    (share / "self").symlink_to("self")
    (share / "twin.txt").symlink_to(share / "inside" / "public.txt")
    async with sharing(database, share) as shares:
        assert found(shares, "txt") == ["public.txt"]
        assert found(shares, "secret") == []


async def test_file_whose_folder_becomes_a_link_resolves_to_nothing(
        database: Path, share: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "passwd")
    write(share / "inside" / "passwd")
    async with sharing(database, share) as shares:
        file_id = one(shares, "passwd").id
        (share / "inside").rename(tmp_path / "moved away")
        (share / "inside").symlink_to(tmp_path / "outside")
        assert shares.find(file_id) is None
        assert not shares.set_infohash(file_id, HASH, 1, (tmp_path / "outside" / "passwd").stat().st_mtime_ns)
        await until(lambda: not found(shares, "passwd"))
        (share / "inside").unlink()
        (tmp_path / "moved away").rename(share / "inside")
        await until(lambda: found(shares, "passwd"))
        (share / "inside" / "passwd").unlink()
        (share / "inside" / "passwd").symlink_to(tmp_path / "outside" / "passwd")
        assert shares.find(file_id) is None


async def test_share_may_be_named_by_a_link_and_follows_it(database: Path, tmp_path: Path) -> None:
    write(tmp_path / "disk one" / "a.txt")
    write(tmp_path / "disk two" / "b.txt")
    (tmp_path / "link").symlink_to(tmp_path / "disk one")
    async with sharing(database, tmp_path / "link") as shares:
        assert found(shares, "txt") == ["a.txt"]
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(tmp_path / "disk two")
        await until(lambda: found(shares, "txt") == ["b.txt"])
        assert [folder.path for folder in shares.status().folders] == [tmp_path / "link"]


async def test_file_that_is_looked_for_in_vain_is_looked_at_again(database: Path, share: Path) -> None:
    write(share / "a.txt")
    async with sharing(database, share, change=without) as shares:
        file_id = one(shares, "a").id
        (share / "a.txt").unlink()
        assert shares.find(file_id) is None
        await until(lambda: not found(shares, "a"), 1.0)


async def test_hashed_file_is_a_torrent_until_it_changes(database: Path, share: Path) -> None:
    write(share / "song.mp3")
    gone: list[bytes] = []
    async with sharing(database, share) as shares:
        shares.subscribe_gone(lambda _: 1 // 0)
        shares.subscribe_gone(gone.append)
        file_id = hashed(shares, "song")
        assert (one(shares, "song").kind, one(shares, "song").id) == ("torrent", HASH)
        file = shares.find(file_id)
        assert file == shares.find_torrent(HASH)
        assert file is not None
        assert file.infohash == HASH
    async with sharing(database, share) as shares:
        shares.subscribe_gone(gone.append)
        assert one(shares, "song").kind == "torrent"
        write(share / "song.mp3", b"another song")
        assert shares.find_torrent(HASH) is None
        await until(lambda: gone == [HASH])
        assert (one(shares, "song").kind, one(shares, "song").id) == ("file", file_id)


async def test_file_that_changes_while_it_is_hashed_is_no_torrent(database: Path, share: Path) -> None:
    write(share / "song.mp3")
    async with sharing(database, share) as shares:
        file = shares.find(one(shares, "song").id)
        assert file is not None
        write(share / "song.mp3", b"longer")
        assert not shares.set_infohash(file.file_id, HASH, file.size, file.mtime_ns)
        assert not shares.set_infohash(file.file_id, b"short", file.size, file.mtime_ns)
        assert not shares.set_infohash(bytes(32), HASH, file.size, file.mtime_ns)
        await until(lambda: one(shares, "song").size == 6)
        assert one(shares, "song").kind == "file"
        hashed(shares, "song")


async def test_file_that_changed_a_moment_before_it_is_hashed_is_a_torrent(database: Path, share: Path) -> None:
    write(share / "song.mp3")
    gone: list[bytes] = []
    async with sharing(database, share, change=without) as shares:
        shares.subscribe_gone(gone.append)
        file_id = hashed(shares, "song")
        write(share / "song.mp3", b"longer")
        assert shares.find_torrent(HASH) is None
        file = shares.find(file_id)
        assert file is not None
        assert (file.size, file.infohash) == (6, None), "it is told as it is now, not as the index has it"
        assert shares.set_infohash(file.file_id, b"another one".ljust(20), file.size, file.mtime_ns)
        assert (one(shares, "song").id, one(shares, "song").size) == (b"another one".ljust(20), 6)
        assert shares.status().folders[0].bytes == 6
        await until(lambda: gone == [HASH])


async def test_change_while_the_node_was_off_is_seen_at_its_start(database: Path, share: Path) -> None:
    for name in ("same", "changed", "removed"):
        write(share / "folder" / name)
    async with sharing(database, share) as shares:
        for name in ("same", "changed", "removed"):
            hashed(shares, name, name.ljust(20).encode())
    write(share / "folder" / "changed", b"by somebody")
    (share / "folder" / "removed").unlink()
    write(share / "folder" / "new")
    gone: list[bytes] = []
    async with sharing(database, share) as shares:
        shares.subscribe_gone(gone.append)
        assert sorted(found(shares, "folder")) == ["changed", "new", "same"]
        assert [one(shares, name).kind for name in ("same", "changed", "new")] == ["torrent", "file", "file"]
    check_index(database)


async def test_torrent_goes_and_comes_with_its_file(database: Path, share: Path, tmp_path: Path) -> None:
    write(share / "song.mp3")
    gone: list[bytes] = []
    back: list[bytes] = []
    async with sharing(database, share) as shares:
        shares.subscribe_gone(gone.append)
        shares.subscribe_back(back.append)
        hashed(shares, "song")
        (share / "song.mp3").rename(tmp_path / "song.mp3")
        await until(lambda: gone == [HASH])
        (tmp_path / "song.mp3").rename(share / "song.mp3")
        await until(lambda: back == [HASH])
        assert one(shares, "song").kind == "torrent"


async def test_same_content_at_two_places_stays_a_torrent_when_one_goes(database: Path, share: Path) -> None:
    told: list[tuple[str, bytes]] = []
    write(share / "a" / "song.mp3")
    write(share / "b" / "song.mp3")
    async with sharing(database, share) as shares:
        shares.subscribe_gone(lambda infohash: told.append(("gone", infohash)))
        shares.subscribe_back(lambda infohash: told.append(("back", infohash)))
        hashed(shares, "a song")
        hashed(shares, "b song")
        assert found(shares, "song") == ["song.mp3"], "one thing is told once"
        (share / "a" / "song.mp3").unlink()
        await until(lambda: told == [("gone", HASH), ("back", HASH)])
        file = shares.find_torrent(HASH)
        assert file is not None
        assert file.path == share / "b" / "song.mp3"


async def test_settled_index_is_left_alone(database: Path, share: Path) -> None:
    for number in range(20):
        write(share / f"{number}.txt")
    async with sharing(database, share) as shares:
        await settled(shares)
        before = database.with_name("shares.db-wal").stat().st_mtime_ns
        for number in range(20):
            assert (share / f"{number}.txt").read_bytes()
            assert found(shares, str(number))
        await until(lambda: not shares.indexer.hints)
        assert database.with_name("shares.db-wal").stat().st_mtime_ns == before


def test_folder_behind_a_link_is_not_read(share: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "below" / "secret.txt")
    (share / "link").symlink_to(tmp_path / "outside")
    for path in (share / "link", share / "link" / "below"):
        with pytest.raises(OSError, match=r"link|directory"):
            Listing(os.fsencode(path), os.fsencode(share))
    write(share / "real" / "below" / "public.txt")
    listing = Listing(os.fsencode(share / "real" / "below"), os.fsencode(share))
    assert [[entry.name for entry in part.entries] for part in listing.parts(10)] == [[b"public.txt"]]
    listing.close()


def test_more_events_than_the_kernel_keeps_are_told_as_anything_may_have_changed(tmp_path: Path) -> None:
    if heard() == "polled":
        pytest.skip("other programs have all inotify instances of this user")
    watcher = Inotify(10)
    assert watcher.add(os.fsencode(tmp_path), 7)
    paths = [write(tmp_path / name) for name in ("a", "b")]
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    for _ in range(most // 2 + 10):
        for path in paths:
            os.utime(path)
    events = list(watcher.take())
    assert (7, b"a") in events
    assert events[-1] == (-1, b"")
    watcher.close()


async def test_when_anything_may_have_changed_all_is_read(database: Path, share: Path) -> None:
    write(share / "a" / "b" / "one.txt")
    async with sharing(database, share, change=without) as shares:
        write(share / "a" / "b" / "two.txt")
        shares.indexer.hint(-1, b"")
        await until(lambda: found(shares, "two"), 2.0)


async def test_file_that_grows_where_nobody_tells_is_followed(
        database: Path, share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.standalone.shares.roots.POLL", 0.3)
    write(share / "growing.txt")
    os.utime(share, (1, 1))  # whose own time says that nothing happened
    async with sharing(database, share, change=without) as shares:
        shares.indexer.roots.all()[0].next_turn = float("inf")
        for size in (2, 3):
            with (share / "growing.txt").open("ab") as file:
                file.write(b"x")
            await until(lambda size=size: one(shares, "growing").size == size, 2.0)
