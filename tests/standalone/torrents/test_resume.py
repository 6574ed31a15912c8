"""
Torrents go on after a stop, a kill at any moment, and a disk that was full: nothing is lost, and nothing believed that is not so.
"""
from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile_disk import namespace
from tribler_multicast.standalone.torrents import engine as engine_module
from tribler_multicast.standalone.torrents import placing

from .engines import data_of, until
from .runner import Runner
from .test_engine import share

if TYPE_CHECKING:
    from .conftest import StartEngine
    from .engines import Engine

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")


async def test_a_download_goes_on_where_it_stood_when_the_node_was_stopped(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(3_000_000))
    await a.limit(infohash, 1_500_000, None)
    await b.fetch(infohash, [a.address])
    await until(lambda: b.of(infohash).progress > 0.4)
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
    assert (b.downloads / "x").read_bytes() == data_of(3_000_000)
    await until(lambda: b.of(infohash).total_down == 3_000_000, shown=lambda: b.of(infohash))


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


def test_killed_again_and_again_it_loses_seconds_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the kills strike where a download is moved to its name."""
    size, random_ = 12_000_000, random.Random(5)
    (tmp_path / "src").mkdir()
    for name, content in (("one.bin", data_of(size)), ("two.bin", data_of(size // 3, seed=2))):
        (tmp_path / "src" / name).write_bytes(content)
    seeder = Runner(tmp_path / "seeder")
    infohash = seeder.make(tmp_path / "src")
    seeder.do("limit", infohash=infohash, up=6_000_000, down=None)
    magnet, peers = f"magnet:?xt=urn:btih:{infohash}", [["127.0.0.1", seeder.port]]
    kills, before = 0, 0.0
    try:
        while True:
            victim = Runner(tmp_path / "victim")
            victim.do("fetch", magnet=magnet, peers=peers)
            began, lasting = time.monotonic(), random_.uniform(0.05, 1.3)
            while time.monotonic() - began < lasting:
                time.sleep(0.005)
                if (victim.downloads / "src").exists() and kills < 40:
                    break  # it is being moved
            told = victim.told.get(infohash, {})
            assert told.get("state") != "failed", told
            if told.get("state") == "seeding" or kills > 60:
                break
            victim.kill()
            kills += 1
            before = max(before, told.get("progress", 0.0))
        victim.wait(infohash)
        assert kills >= 3
        assert victim.stop() < 2
        for name in ("one.bin", "two.bin"):
            assert (victim.downloads / "src" / name).read_bytes() == (tmp_path / "src" / name).read_bytes()
        assert sorted(path.name for path in victim.downloads.iterdir()) == ["src"]
        again = Runner(tmp_path / "victim")
        again.wait(infohash)
        again.kill()
    finally:
        for one in (victim, seeder):
            one.kill()


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
    found = {str(path.relative_to(b.downloads)): path.read_bytes() for path in b.downloads.rglob("*") if path.is_file()}
    expected = {second: data_of(50_000, seed=2)} if name == "film.mkv" else {
        f"{second}/2": data_of(50_000, seed=2), f"{second}/cd/1": data_of(60_000)}
    assert found == {**expected, name: b"mine"}


async def test_what_the_record_believes_and_the_disk_does_not_have_is_fetched_again(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 1_000_000, None)
    await b.fetch(infohash, [a.address])
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
import asyncio, os, sys
from pathlib import Path
from tests.standalone.torrents.engines import Engine, data_of, until
DISK = Path(sys.argv[1])

async def main():
    os.system(f"mount -t tmpfs -o size=3m tmpfs {DISK}")
    a = await Engine(DISK.parent / "a").run()
    b = Engine(DISK.parent / "b", download_folder=str(DISK))
    await b.run()
    (a.folder / "x").write_bytes(data_of(5_000_000))
    (a.folder / "y").write_bytes(data_of(2_000_000))
    made = [(await a.make(a.folder / name)).infohash for name in "xy"]
    full = b"\\0" * 2_500_000
    await b.fetch(made[0], [a.address])
    print((await b.reaches(made[0], "failed")).error)
    os.system(f"mount -o remount,size=40m {DISK}")
    await b.fetch(made[0], [a.address])
    await b.reaches(made[0], "seeding")
    assert (DISK / "x").read_bytes() == data_of(5_000_000)
    os.system(f"mount -o remount,size=6m {DISK}")
    (DISK / "filler").write_bytes(bytes(500_000))
    await a.limit(made[1], 300_000, None)
    await b.fetch((await a.make(a.folder / "y", seed=False)).data, [a.address], folder=DISK / "sub") if False else None
    await a.close(); await b.close()

asyncio.run(main())
"""


def test_a_full_disk_is_said_in_one_line_and_when_there_is_room_it_goes_on(tmp_path: Path) -> None:
    if not (prefix := namespace()):
        pytest.skip("a disk of its own needs root or a namespace")
    (tmp_path / "disk").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([*prefix, sys.executable, "-c", SMALL, str(tmp_path / "disk")], cwd=root, text=True,
                          capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(root)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"5.0 MB don't fit: 3.1 MB are free in {tmp_path / 'disk'}"
