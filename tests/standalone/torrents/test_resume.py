"""
Torrents go on after a stop, a kill at any moment, and a disk that was full: nothing is lost, and nothing believed that
is not so.
"""
from __future__ import annotations

import logging
import os
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile_disk import run_on_small_disk
from tribler_multicast.standalone.torrents import placing

from .engines import data_of, until
from .runner import Runner
from .test_engine import share, torrent

if TYPE_CHECKING:
    from .conftest import StartEngine

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")


async def test_a_download_goes_on_where_it_stood_when_the_node_was_stopped(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 1_000_000, None)
    await b.fetch(torrent(a, "x"), [a.address])
    await until(lambda: b.of(infohash).progress > 0.2)
    await b.close()
    before = b.of(infohash).progress
    a_gone = a.address
    await a.close()
    b = await engine("b")
    await b.reaches(infohash, "downloading")
    await until(lambda: b.of(infohash).progress >= before - 0.05)
    assert "checking_files" not in str(b.core.torrents[infohash].progress.state)
    a = await engine("a")
    assert a.address == a_gone
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    assert (b.downloads / "x").read_bytes() == data_of(2_000_000)
    assert b.of(infohash).total_down < 2_300_000, "next to nothing was fetched twice"


async def test_metadata_is_kept_so_that_it_need_not_be_found_again(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "film.mkv", data_of(3_000_000))
    await a.limit(infohash, 100_000, None)
    await b.fetch(infohash, [a.address], lan_only=True)
    await until(lambda: b.of(infohash).size == 3_000_000)
    await until(lambda: b.core.torrents[infohash].record.content)
    await b.close()
    await a.close()
    b = await engine("b")
    status = await b.reaches(infohash, "downloading")
    assert (status.name, status.size) == ("film.mkv", 3_000_000)
    assert int(b.core.torrents[infohash].handle.flags()) & int(b.core.lt.torrent_flags.disable_pex), "still LAN only"


async def test_limits_and_totals_are_kept(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(100_000))
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    await until(lambda: a.of(infohash).total_up == b.of(infohash).total_down == 100_000)
    await a.limit(infohash, 5000, 6000)
    for one in (a, b):
        await one.close()
    a, b = await engine("a"), await engine("b")
    assert (a.of(infohash).up_limit, a.of(infohash).down_limit, a.of(infohash).total_up) == (5000, 6000, 100_000)
    assert b.of(infohash).total_down == 100_000
    assert a.core.torrents[infohash].handle.upload_limit() == 5000


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.soak)])
def test_killed_again_and_again_it_loses_seconds_at_most(kills: int, tmp_path: Path) -> None:
    """A second, here, where progress is saved once a second. When it is moved to its name, it is killed at once."""
    size, luck = 3_000_000 * kills, random.Random(5)
    (tmp_path / "src").mkdir()
    for name, content in (("one.bin", data_of(size)), ("two.bin", data_of(size // 3, seed=2))):
        (tmp_path / "src" / name).write_bytes(content)
    seeder = Runner(tmp_path / "seeder")
    infohash = seeder.make(tmp_path / "src")
    seeder.do("limit", infohash=infohash, up=5_000_000, down=None)
    killed, best = 0, 0.0
    while True:
        victim = Runner(tmp_path / "victim", save_interval=1)
        try:
            victim.do("fetch", magnet=f"magnet:?xt=urn:btih:{infohash}", peers=[["127.0.0.1", seeder.port]])
            began, lasting = time.monotonic(), luck.choice((0.01, 0.3)) if killed % 2 else 1.3
            while time.monotonic() - began < lasting and not (killed < kills and (victim.downloads / "src").exists()):
                time.sleep(0.003)
            told = victim.told.get(infohash, {})
            assert told.get("state") != "failed", told
            if killed >= kills:
                break
            best = max(best, told.get("progress", 0.0))
        finally:
            victim.kill()
        killed += 1
    seeder.kill()  # from here on nobody has anything to give
    last = Runner(tmp_path / "victim")
    assert best > 0.1
    last.wait(infohash, str(max(0.05, best - 0.4)))
    last.kill()
    seeder = Runner(tmp_path / "seeder")
    last = Runner(tmp_path / "victim")
    last.do("fetch", magnet=f"magnet:?xt=urn:btih:{infohash}", peers=[["127.0.0.1", seeder.port]])
    last.wait(infohash)
    assert last.stop() < 2
    seeder.kill()
    for name in ("one.bin", "two.bin"):
        assert (last.downloads / "src" / name).read_bytes() == (tmp_path / "src" / name).read_bytes()
    assert sorted(path.name for path in last.downloads.iterdir()) == ["src"]


@pytest.mark.parametrize("name", ["film.mkv", "album"])
@pytest.mark.parametrize("moment", ["reserved", "renamed", "moved"])
async def test_a_kill_while_it_gets_its_name_leaves_a_whole_download(
        moment: str, name: str, engine: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is left as it stands (as a kill does) after each step of the move, with a name that is taken."""
    a, b = await engine("a"), await engine("b")
    path = a.folder / name
    path.parent.mkdir(exist_ok=True)
    if name == "album":
        (path / "cd").mkdir(parents=True)
        (path / "cd" / "1").write_bytes(data_of(60_000))
        path = path / "2"
    path.write_bytes(data_of(50_000, seed=2))
    infohash = (await a.make(a.folder / name)).infohash
    b.downloads.mkdir(parents=True)
    (b.downloads / name).write_text("mine")
    halted = []

    async def halt(*arguments: object) -> str:
        halted.append(1)
        b.core.closing = True
        return "halted"

    if moment == "reserved":
        monkeypatch.setattr(b.lives, "_rename", halt)
    else:
        monkeypatch.setattr(placing, "look_at", lambda *_, **__: halted.append(1) or (_ for _ in ()).throw(OSError))
    if moment == "renamed":
        renamed = b.lives._rename

        async def rename(*arguments: object) -> str:
            await renamed(*arguments)  # type: ignore[arg-type]
            return await halt()

        monkeypatch.setattr(b.lives, "_rename", rename)
    monkeypatch.setattr(placing, "release", lambda place: None)
    kept = b.core.keep

    async def keep(record: object) -> str:
        return "" if halted else await kept(record)  # type: ignore[arg-type]

    monkeypatch.setattr(b.core, "keep", keep)
    await b.fetch(infohash, [a.address])
    await until(lambda: halted)
    record = b.core.records.path(infohash).read_bytes()
    b.core.closing = False
    await b.close()
    b.core.records.path(infohash).write_bytes(record)
    monkeypatch.undo()
    again = await engine("b")
    assert again.core.torrents[infohash].record.moving == ""
    status = await again.reaches(infohash, "seeding")
    second = "film (2).mkv" if name == "film.mkv" else "album (2)"
    assert status.path == str(b.downloads / second)
    assert (b.downloads / name).read_text() == "mine"
    # Emptied folders are deleted a moment after the files have their names: os.walk bears that, rglob does not.
    files = [Path(folder) / each for folder, _, names in os.walk(b.downloads) for each in names]
    found = {str(path.relative_to(b.downloads)): path.read_bytes() for path in files}
    expected = {second: data_of(50_000, seed=2)} if name == "film.mkv" else {
        f"{second}/2": data_of(50_000, seed=2), f"{second}/cd/1": data_of(60_000)}
    assert found == {**expected, name: b"mine"}


async def test_what_the_record_believes_and_the_disk_does_not_have_is_fetched_again(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 1_000_000, None)
    await b.fetch(torrent(a, "x"), [a.address])
    await until(lambda: b.of(infohash).progress > 0.3)
    await b.close()
    (b.downloads / ".incomplete" / infohash.hex() / "x").unlink()
    b = await engine("b")
    await a.limit(infohash, None, None)
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    assert (b.downloads / "x").read_bytes() == data_of(2_000_000)


async def test_a_damaged_record_costs_one_torrent_and_is_set_aside(
        engine: StartEngine, caplog: pytest.LogCaptureFixture) -> None:
    a = await engine("a")
    infohashes = [await share(a, name, data_of(50_000, seed=seed)) for seed, name in enumerate("abcdef")]
    await a.close()
    folder = a.folder / "state" / "torrents"
    good = (folder / f"{infohashes[5].hex()}.record").read_bytes()
    damages = [b"", good[:100], b"\xff" * 50, b"d7:versioni99ee", good]
    for infohash, damage in zip(infohashes, damages, strict=False):
        (folder / f"{infohash.hex()}.record").write_bytes(damage)
    (folder / "totals").write_bytes(b"rubbish")
    (folder / "port").write_bytes(b"rubbish")
    a = await engine("a")
    assert (await a.reaches(infohashes[5], "seeding")).infohash == infohashes[5]
    assert len(a.status()) == 1
    assert len(list(folder.glob("*.damaged"))) == 5
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 5


SMALL = """
import asyncio
from tests.standalone.torrents.engines import Engine, data_of, until

async def main():
    a = await Engine(folder.parent / "a").run()
    b = await Engine(folder.parent / "b", download_folder=str(folder)).run()
    (a.folder / "x").write_bytes(data_of(50_000_000))
    (a.folder / "y").write_bytes(data_of(2_000_000))
    x, y = [(await a.make(a.folder / name)).infohash for name in "xy"]

    await b.fetch(x, [a.address])  # by its infohash: its size is seen when its metadata is there
    print((await b.reaches(x, "failed")).error)
    await b.stop(x, delete=True)

    await a.limit(y, 500_000, None)
    await b.fetch((await a.make(a.folder / "y")).data, [a.address])
    await until(lambda: b.of(y).progress > 0)
    fill()
    print((await b.reaches(y, "failed")).error)
    (folder / "filler").unlink()
    for attempt in range(100):  # as long as a file is open for writing it is not allowed
        try:
            read_only(True)
            break
        except OSError:
            await asyncio.sleep(0.05)
    try:
        await b.fetch(y, [a.address])
    except Exception as error:
        print(error)
    print(b.of(y).state)
    read_only(False)
    await a.limit(y, None, None)
    await b.fetch(y, [a.address])
    await b.reaches(y, "seeding")
    assert (folder / "y").read_bytes() == data_of(2_000_000)
    await a.close()
    await b.close()

asyncio.run(main())
"""


def test_a_full_or_read_only_disk_is_said_in_one_line_and_when_there_is_room_it_goes_on(tmp_path: Path) -> None:
    for name in ("disk", "a", "b"):
        (tmp_path / name).mkdir()
    disk = tmp_path / "disk"
    done = run_on_small_disk(SMALL, disk, "3m")
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    # Pieces may come faster than the look at the size.
    assert re.fullmatch(rf"50\.0 MB don't fit: \d\.\d MB are free in {disk}|{disk}: no space left on device", first)
    assert others == [f"{disk}: no space left on device", f"can't download to {disk}: Read-only file system", "failed"]
