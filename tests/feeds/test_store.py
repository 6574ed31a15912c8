"""What feeds remember, on a disk that is damaged, full, or of another version, and when the process is killed."""
from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile_disk import ROOT, run_on_small_disk
from tribler_multicast.feeds import store as store_module
from tribler_multicast.feeds.rows import FeedRow, ItemRow
from tribler_multicast.feeds.store import Store
from tribler_multicast.torrents import MadeTorrent

from .conftest import Node, refusal, until
from .web import WebServer, torrent_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE, TWO, THREE = torrent_of("one"), torrent_of("two"), torrent_of("three")


def row(number: int, state: str, present: float) -> ItemRow:
    return ItemRow("f", f"k{number}", "title", "", "http://h/x", 0, None, state, present, present)


async def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node = Node(tmp_path / "feeds")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "feeds.db").write_bytes(b"no database" * 1000)
    await node.start()
    assert node.feeds.list() == []
    assert "is damaged" in caplog.text
    assert (tmp_path / "feeds" / "feeds.db.damaged-1").read_bytes().startswith(b"no database")
    await node.feeds.close()


async def test_a_newer_version_is_left_alone(tmp_path: Path, server: WebServer) -> None:
    (tmp_path / "feeds").mkdir()
    path = tmp_path / "feeds" / "feeds.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    node = Node(tmp_path / "feeds")
    await node.start()
    status, line = await refusal(node.feeds.add(server.url))
    assert status == 503
    assert line == f"the state of feeds can't be used: {path} was written by a newer version of this program"
    await node.feeds.close()
    assert [file.name for file in path.parent.iterdir() if "damaged" in file.name] == []


async def test_without_a_folder_there_are_no_feeds_and_that_is_said(tmp_path: Path, server: WebServer,
                                                                    caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    node = Node(tmp_path / "file" / "feeds")
    feeds = await node.start()
    assert "No feeds: " in caplog.text
    assert feeds.list() == []
    assert feeds.torrent_file(bytes(20)) is None
    made = MadeTorrent(ONE[0], "one", 7, "/one", ONE[1])
    for call in (feeds.add(server.url), feeds.publish(made)):
        status, line = await refusal(call)
        assert status == 503
        assert line.startswith("the state of feeds can't be used: ")
    await feeds.close()


@pytest.mark.skipif(os.name != "posix", reason="rights of files")
async def test_nobody_else_reads_the_file(node: Node) -> None:
    for path in node.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_disk_that_takes_nothing_loses_nothing(node: Node, server: WebServer,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    feed = (await node.feeds.add(server.url)).id
    server.add("one", ONE[1])

    def full(*_: object, **__: object) -> None:
        message = "database or disk is full"
        raise sqlite3.OperationalError(message)

    with monkeypatch.context() as patch:
        for method in ("looked", "publish", "remove"):
            patch.setattr(Store, method, full)
        assert (await node.feeds.check(feed)).error == "can't be stored: database or disk is full"
        line = (503, "the state of feeds can't be used: database or disk is full")
        assert await refusal(node.feeds.add(server.answer("/2", body=server.feed()))) == line
        assert await refusal(node.feeds.remove(feed)) == line
        assert len(node.feeds.list()) == 1
    assert node.downloads.begun == []
    assert (await node.feeds.check(feed)).error == ""
    assert node.downloads.begun == [ONE[0]]


def test_a_look_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    feed = FeedRow("f", "http://h/f", "", 0, etag="before")
    store.looked(feed)
    damaged = row(2, "waiting", 1.0)
    damaged.title = None  # type: ignore[assignment]
    with pytest.raises(sqlite3.IntegrityError):
        store.looked(FeedRow("f", "http://h/f", "", 0, etag="after"), [row(1, "waiting", 1.0), damaged], [], 1.0)
    assert [found.etag for found in store.feeds()] == ["before"]
    assert store.known("f") == {}
    store.close()


def test_what_is_no_longer_in_the_feed_is_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_SEEN", 4)
    store = Store(tmp_path)
    feed = FeedRow("f", "http://h/f", "", 0)
    store.looked(feed, [row(1, "begun", 1.0), row(2, "waiting", 1.0), row(3, "old", 1.0)], [], 1.0)
    store.looked(feed, [row(4, "old", 2.0), row(5, "old", 2.0), row(6, "old", 2.0)], ["k3", "k4"], 2.0)
    # Six are known: of those that may go, only one is no longer in the feed.
    assert sorted(store.known("f")) == ["k2", "k3", "k4", "k5", "k6"]
    store.looked(feed, [], ["k6"], 3.0)
    assert sorted(store.known("f")) == ["k2", "k4", "k5", "k6"]
    store.close()


class _CrashError(Exception):
    pass


async def test_a_crash_at_any_step_loses_nothing_and_begins_nothing_twice(tmp_path: Path, server: WebServer) -> None:
    """
    Every call of the store, of the web and of the client is a step. Before and after each of them everything stops, as
    if the machine had: nothing after it runs. Then the node starts again on what was on the disk.
    """
    step, last = 0, 10**6
    while step <= last:
        server.items.clear()
        server.requests.clear()
        node = Node(tmp_path / f"{step}")
        await node.start()
        feed = (await node.feeds.add(server.url)).id
        server.add("two", TWO[1])
        server.add("three", THREE[1])
        count = _stop_at(node, step)
        await node.feeds.check(feed)
        if count() <= step:
            last = step
        await node.feeds.close()
        del node.downloads.fetch
        await node.start()
        await node.feeds.check(feed)
        if node.feeds.list()[0].waiting:
            node.ahead = 300.0
            await node.feeds.check(feed)
        begun = Counter(node.downloads.begun)
        view = node.feeds.list()[0]
        assert set(begun) == {TWO[0], THREE[0]}, step
        assert (view.begun, view.waiting, view.seen, view.error) == (2, 0, 2, ""), step
        # Only who dies between beginning a download and noting it begins it again: which changes nothing in a client.
        assert sum(begun.values()) <= 3, step
        # Only who dies between receiving a file and noting it receives it again.
        assert sum(server.requests[item.enclosure.removeprefix(server.base)] for item in server.items) <= 3, step
        await node.feeds.close()
        step += 1
    assert step > 15


def _stop_at(node: Node, step: int) -> Callable[[], int]:
    """Let everything fail from a step on."""
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps > step:
            raise _CrashError

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        async def stopping(*values: object, **named: object) -> object:
            tick()
            got = await call(*values, **named)
            tick()
            return got

        return stopping

    feeds = node.feeds
    feeds._thread.do = around(feeds._thread.do)
    feeds.web.get = around(feeds.web.get)
    node.downloads.fetch = around(node.downloads.fetch)

    def count() -> int:
        return steps

    return count


NODE = """
import asyncio, json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.feeds.conftest import Downloads
from tribler_multicast.feeds.feeds import Feeds
from tribler_multicast.feeds.store import Store
from tribler_multicast.settings import Settings

folder, url, mode = Path(sys.argv[2]), sys.argv[3], sys.argv[4]
log = folder / "begun"

class Durable(Downloads):
    async def fetch(self, source, *_, **__):
        infohash = await super().fetch(source)
        known = log.read_text().split() if log.exists() else []
        if infohash.hex() not in known:
            with log.open("a") as file:
                file.write(infohash.hex() + "\\n")
        if mode == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return infohash

async def engine(options):
    from tribler_multicast.standalone.torrents.engine import TorrentEngine
    made = TorrentEngine(folder, options)
    made.set_addresses(["127.0.0.1"])
    await made.start()
    fetch = made.fetch
    async def killed(*values, **named):
        await fetch(*values, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "engine":
        made.fetch = killed
    return made

async def main():
    options = Settings({"feed_interval": 10080.0, "interfaces": ["lo"]})
    downloads = await engine(options) if mode.startswith("engine") else Durable()
    feeds = Feeds(folder / "feeds", lambda: downloads, options)
    await feeds.start()
    feed = await feeds.add(url)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    feed = await feeds.check(feed.id)
    print(json.dumps([feed.begun, feed.waiting, feed.error]), flush=True)
    await feeds.close()
    if mode.startswith("engine"):
        print(json.dumps(sorted(status.infohash.hex() for status in downloads.status())), flush=True)
        await downloads.close()

asyncio.run(main())
"""


async def process_of(folder: Path, server: WebServer, mode: str) -> asyncio.subprocess.Process:
    """Start a node of its own, that subscribes, says so, and looks again when it is told a line."""
    return await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, str(ROOT), str(folder), server.url, mode,
                                                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


@pytest.mark.soak
async def test_kill_9_at_any_moment_again_and_again(tmp_path: Path, server: WebServer) -> None:
    """A process lives for some ms after it was told to look, fifty times; the feed gains the hundred of a day."""
    lot = random.Random(1)
    for number in range(50):
        process = await process_of(tmp_path, server, "")
        assert process.stdin is not None
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
        for more in range(2):
            name = f"{number}-{more}"
            server.add(name, torrent_of(name)[1])
        process.stdin.write(b"\n")
        await asyncio.sleep(lot.uniform(0, 0.12))
        process.kill()
        await process.wait()
    last = await process_of(tmp_path, server, "")
    out, _ = await asyncio.wait_for(last.communicate(b"\n"), 60)
    # The log has each infohash once, as a client has: who begins one that is there changes nothing.
    assert json.loads(out.splitlines()[-1])[1:] == [0, ""]
    begun = (tmp_path / "begun").read_text().split()
    assert len(begun) == len(set(begun)) == 100
    files = [server.requests[item.enclosure.removeprefix(server.base)] for item in server.items]
    print(f"{sum(files)} files fetched for 100 items, {server.full} times the whole feed")
    assert max(files) <= 3


async def test_kill_9_when_the_real_client_has_just_begun(tmp_path: Path, server: WebServer) -> None:
    pytest.importorskip("libtorrent")
    process = await process_of(tmp_path, server, "engine")
    assert process.stdin is not None
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    server.add("two", TWO[1])
    server.add("three", THREE[1])
    process.stdin.write(b"\n")
    assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGKILL
    again = await process_of(tmp_path, server, "engine again")
    out, _ = await asyncio.wait_for(again.communicate(b"\n"), 20)
    counts, torrents = map(json.loads, out.splitlines()[1:])
    assert counts == [2, 0, ""]
    assert torrents == sorted([TWO[0].hex(), THREE[0].hex()])
    assert all(server.requests[item.enclosure.removeprefix(server.base)] == 1 for item in server.items)


@pytest.mark.parametrize("mode", ["looking", "fetching", "after"])
async def test_kill_9_during_an_update_loses_nothing(tmp_path: Path, server: WebServer, mode: str) -> None:
    """A process of its own, and a real SIGKILL: while the feed comes, while a file does, when a download has begun."""
    async def hang(_: object) -> Any:  # noqa: ANN401
        await asyncio.sleep(60)

    process = await process_of(tmp_path, server, mode)
    assert process.stdin is not None
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    item = server.add("two", TWO[1])
    server.add("three", THREE[1])
    path = {"looking": "/feed.xml", "fetching": item.enclosure.removeprefix(server.base)}.get(mode, "")
    before = server.requests[path]
    if path:
        server.answers[path] = hang
    process.stdin.write(b"\n")
    if path:
        await until(lambda: server.requests[path] > before)
        process.send_signal(signal.SIGKILL)
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGKILL
    server.answers.clear()
    server.requests.clear()

    again = await process_of(tmp_path, server, "")
    out, _ = await asyncio.wait_for(again.communicate(b"\n"), 20)
    assert json.loads(out.splitlines()[-1]) == [2, 0, ""]
    assert (tmp_path / "begun").read_text().split() == [TWO[0].hex(), THREE[0].hex()]
    # What had come before the kill is not asked for again.
    assert server.requests[item.enclosure.removeprefix(server.base)] == (0 if mode == "after" else 1)


FULL = """
import asyncio
from tests.feeds.conftest import Node, refusal
from tests.feeds.web import WebServer, torrent_of
from tribler_multicast.torrents import MadeTorrent

async def main():
    one, two = torrent_of("one"), torrent_of("two")
    node = Node(folder / "feeds")
    await node.start()
    async with WebServer() as server:
        feed = (await node.feeds.add(server.url)).id
        fill()
        server.add("one", one[1])
        for name in ("more " * 50 + str(number) for number in range(5)):
            server.add(name, b"d4:infod6:lengthi1e4:name4:" + name[-4:].encode() + b"ee")
        print((await node.feeds.check(feed)).error)
        print(await refusal(node.feeds.publish(MadeTorrent(two[0], "two", 7, "/two", two[1] + bytes(100_000)))))
        (folder / "filler").unlink()
        node.ahead = 10**5
        print((await node.feeds.check(feed)).error or "well", one[0] in node.downloads.begun)
        print((await node.feeds.publish(MadeTorrent(two[0], "two", 7, "/two", two[1]))).title)
    await node.feeds.close()

asyncio.run(main())
"""


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    done = run_on_small_disk(FULL, tmp_path, "4m")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "can't be stored: database or disk is full",
        "(503, \"the state of feeds can't be used: database or disk is full\")", "well True", "two"]
