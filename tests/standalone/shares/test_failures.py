"""What fails around the index, and what it does then: damage, kill -9, full disks, no file descriptors."""
from __future__ import annotations

import itertools
import logging
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.database import DatabaseTooNewError
from tribler_multicast.standalone.shares import Shares
from tribler_multicast.standalone.shares.index import Index

from ...hostile_disk import kill, run, run_on_small_disk, start
from .common import SCRIPT, check_index, found, one, settled, sharing, until, write

if TYPE_CHECKING:
    from pathlib import Path


def damage(path: Path, way: str) -> None:
    content = path.read_bytes()
    if way == "garbage":
        path.write_bytes(os.urandom(50_000))
    elif way == "cut":
        path.write_bytes(content[:len(content) // 2])
    elif way == "middle":
        path.write_bytes(content[:8192] + os.urandom(len(content) - 12288) + content[-4096:])
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(way)
            connection.commit()


@pytest.mark.parametrize("way", ["garbage", "cut", "middle", "DROP TABLE file", "DELETE FROM meta",
                                 "UPDATE meta SET value = 'x'"])
async def test_damaged_index_is_set_aside_said_once_and_made_anew(
        database: Path, share: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(200):
        write(share / f"file {number}.txt")
    async with sharing(database, share):
        pass
    damage(database, way)
    with caplog.at_level(logging.WARNING):
        async with sharing(database, share) as shares:
            await until(lambda: len(found(shares, "file", most=500)) == 200)
    assert [record.getMessage().count("is damaged") for record in caplog.records] == [1]
    assert len(list(database.parent.glob("shares.db.corrupt-*"))) >= 1
    assert check_index(database) == 200


async def test_index_damaged_while_it_is_used_is_made_anew(
        database: Path, share: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(500):
        write(share / f"file {number}.txt")
    async with sharing(database, share) as shares:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = database.stat().st_size
        with database.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        for number in range(5):
            write(share / f"another file {number}.txt")
            found(shares, "file")
        await until(lambda: len(found(shares, "file", most=999)) == 505, 10)
    assert "is damaged" in caplog.text
    assert check_index(database) == 505


async def test_index_of_a_newer_version_is_refused_in_one_line_and_left_as_it_is(database: Path, share: Path) -> None:
    async with sharing(database, share):
        pass
    damage(database, "UPDATE meta SET value = '999' WHERE name = 'version'")
    shares = Shares(database, [share])
    with pytest.raises(DatabaseTooNewError) as error:
        await shares.start()
    assert str(database) in str(error.value)
    assert "\n" not in str(error.value)
    await shares.close()
    assert [file.name for file in database.parent.iterdir() if "corrupt" in file.name] == []


def test_index_is_only_for_its_owner(database: Path, share: Path, tmp_path: Path) -> None:
    done = run(SCRIPT + """
import stat
os.umask(0)
write(folder / "share" / "a.txt")
async def main(shares):
    await settled(shares)
    for file in (folder / "state" / "sqlite").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE((folder / "state" / "sqlite").stat().st_mode) == 0o700
run(main)
""", tmp_path)
    assert done.returncode == 0, done.stderr


def test_killed_at_any_moment_the_index_is_sound_and_goes_on(tmp_path: Path) -> None:
    share = tmp_path / "share"
    for number in range(2000):
        write(share / f"{number % 50}" / f"file {number}.txt")
    database = tmp_path / "state" / "sqlite" / "shares.db"
    script = SCRIPT + """
async def main(shares):
    print("started", flush=True)
    await settled(shares)
    print("all", shares.status().folders[0].files, flush=True)
    await asyncio.sleep(60)
run(main)
"""
    before = 0
    for delay in (0.0, 0.03, 0.06, 0.1):
        process = start(script, tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        threading.Event().wait(delay)
        _, errors = kill(process)
        assert errors == ""
        now = check_index(database)
        assert now >= before, "what was read is not read again"
        before = now
    process = start(script, tmp_path)
    assert process.stdout is not None
    assert [process.stdout.readline(), process.stdout.readline()] == ["started\n", "all 2000\n"]
    assert kill(process)[1] == ""
    assert check_index(database) == 2000
    assert [file.name for file in database.parent.iterdir() if "corrupt" in file.name] == []


def test_full_disk_is_said_once_the_old_index_answers_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    script = SCRIPT + """
import shutil, tempfile
from tribler_multicast.standalone.shares import indexer
indexer.RETRY = 0.2
async def main(shares):
    await settled(shares)
    assert found(shares, "old") == ["old.txt"]
    fill()
    shutil.rmtree(share / "doomed")
    for number in range(2000):
        write(share / str(number % 10) / f"new {number}.txt")
    await until(lambda: "full" in shares.status().error, 20)
    assert found(shares, "old") == ["old.txt"]
    await asyncio.sleep(0.5)
    (folder / "filler").unlink()
    await until(lambda: len(found(shares, "new", most=4000)) == 2000, 20)
    await until(lambda: not shares.status().error and not found(shares, "doomed"))
with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
    from pathlib import Path
    share = Path(elsewhere)
    write(share / "old.txt")
    for number in range(2000):
        write(share / "doomed" / str(number % 50) / f"{number}.txt")
    run(main, share)
"""
    done = run_on_small_disk(script, tmp_path, "6m")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("can't be brought up to date") == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_disk_that_is_full_from_the_start_shares_once_there_is_room(tmp_path: Path) -> None:
    script = SCRIPT + """
import tempfile
from tribler_multicast.standalone.shares import indexer
indexer.RETRY = 0.2
async def main(shares):
    assert found(shares, "old") == []
    assert shares.status().error
    (folder / "filler").unlink()
    await until(lambda: found(shares, "old") == ["old.txt"])
fill()
with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
    from pathlib import Path
    write(Path(elsewhere) / "old.txt")
    run(main, Path(elsewhere))
"""
    done = run_on_small_disk(script, tmp_path, "6m")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("can't be brought up to date") == 1, done.stderr


def test_node_without_file_descriptors_takes_no_folder_for_gone(tmp_path: Path) -> None:
    script = SCRIPT + """
import resource
from tribler_multicast.standalone.shares import indexer
indexer.RETRY = 0.2
async def main(shares):
    await settled(shares)
    used = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 4096))
    with contextlib.suppress(OSError):
        while True:
            used.append(os.open("/", os.O_RDONLY))
    for number in range(20):
        (folder / "share" / str(number)).touch()
        (folder / "share" / str(number)).chmod(0o755)
    await until(lambda: "Too many open files" in shares.status().error)
    for descriptor in used:
        os.close(descriptor)
    await until(lambda: not shares.status().error)
    await settled(shares)
    assert len(found(shares, "file", most=50)) == 20
    write(folder / "share" / "new.txt")
    await until(lambda: found(shares, "new"))
for number in range(20):
    write(folder / "share" / str(number) / f"file {number}.txt")
run(main)
"""
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


async def test_search_that_takes_too_long_tells_what_it_has(
        database: Path, share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(500):
        write(share / f"word {number}.txt")
    async with sharing(database, share) as shares:
        monkeypatch.setattr("tribler_multicast.standalone.shares.lookup.SEARCH_TIME", 0.0)
        monkeypatch.setattr("tribler_multicast.standalone.shares.lookup.STEPS_BETWEEN_LOOKS", 1)
        assert len(found(shares, "word txt")) < 50
        monkeypatch.undo()
        assert len(found(shares, "word txt")) == 50


async def test_shares_of_more_files_than_the_index_takes_are_said_to_be(
        database: Path, share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.standalone.shares.reader.MAX_FILES", 50)
    monkeypatch.setattr("tribler_multicast.standalone.shares.reader.MAX_FOLDERS", 20)
    for number in range(40):
        for name in ("inside.dat", "inside.too", "inside.also"):
            write(share / f"folder {number}" / name)
    async with sharing(database, share) as shares:
        assert len(found(shares, "inside", most=500)) == 50
        assert shares.indexer.roots.all()[0].folders == 20
        assert "the rest is not shared" in shares.status().folders[0].error


async def test_file_name_of_another_user_is_no_result_twice(database: Path, share: Path) -> None:
    write(share / "a" / "same.txt")
    write(share / "b" / "same.txt")
    async with sharing(database, share) as shares:
        ids = {result.id for result in shares.search("same", frozenset({"file"}), 10)}
        assert len(ids) == 2
        assert one(shares, "a same").id in ids


def test_what_is_never_started_or_is_closed_holds_nothing(tmp_path: Path) -> None:
    script = SCRIPT + """
def open_files(): return sorted(os.listdir("/proc/self/fd"))
async def main(shares):
    await settled(shares)
(folder / "share").mkdir()
run(main)
before = open_files()
never = [Shares(folder / "state" / "sqlite" / "shares.db", [folder / "share"]) for _ in range(10)]
asyncio.run(never[0].close())
assert open_files() == before
for _ in range(3):
    run(main)
assert open_files() == before, (before, open_files())
"""
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr


async def test_whatever_fails_to_be_written_is_done_again(
        database: Path, share: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each second transaction fails at its end, as on a disk that is all but full."""
    monkeypatch.setattr("tribler_multicast.standalone.shares.indexer.RETRY", 0.02)
    commit, count = Index.commit, itertools.count()

    def commit_at_times(self: Index) -> None:
        if next(count) % 2:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)
        commit(self)

    monkeypatch.setattr(Index, "commit", commit_at_times)
    for number in range(200):
        write(share / f"old {number % 10}" / str(number % 3) / f"{number}.txt")
    async with sharing(database, share) as shares:
        await until(lambda: len(found(shares, "old", most=999)) == 200)
        for number in range(9):
            shutil.rmtree(share / f"old {number}")
        for number in range(100):
            write(share / f"new {number % 10}" / f"{number}.txt")
        (share / "old 9").rename(share / "older")
        await until(lambda: len(found(shares, "new", most=999)) == 100)
        await until(lambda: len(found(shares, "older", most=999)) == 20 == len(found(shares, "old", most=999)))
        await until(lambda: shares.status().folders[0].files == 120)
        await settled(shares)
    assert check_index(database) == 120
    assert len([record for record in caplog.records if "disk I/O error" in record.getMessage()]) == 1
