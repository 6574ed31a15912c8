"""The heart of the subscribe story with the real BitTorrent: a feed gains an item, and the file is there."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.feeds.feeds import Feeds
from tribler_multicast.settings import Settings

from .conftest import free_port, until

pytest.importorskip("libtorrent")
from tribler_multicast.standalone.torrents.engine import TorrentEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tribler_multicast.feeds.model import FeedItem

    from .web import WebServer


class Machine:
    """BitTorrent and feeds of a node, without the node around them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.downloads = folder / "downloads"
        self.options = Settings({"download_folder": str(self.downloads), "interfaces": ["lo"],
                                 "feed_interval": 10080.0})
        self.engine = TorrentEngine(folder, self.options)
        self.engine.set_addresses(["127.0.0.1"])
        self.feeds = Feeds(folder / "feeds", lambda: self.engine, self.options)
        self.items: list[FeedItem] = []
        self.feeds.subscribe(self.items.append)

    async def start(self) -> None:
        await self.engine.start()
        await self.feeds.start()

    async def close(self) -> None:
        await asyncio.gather(self.feeds.close(), self.engine.close())


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncIterator[tuple[Machine, Machine]]:
    one, other = Machine(tmp_path / "one"), Machine(tmp_path / "other")
    await asyncio.gather(one.start(), other.start())
    yield one, other
    await asyncio.gather(one.close(), other.close())


async def test_a_feed_gains_an_item_and_the_file_is_there(machines: tuple[Machine, Machine], server: WebServer,
                                                          tmp_path: Path) -> None:
    publisher, viewer = machines
    episode = tmp_path / "Episode 1.mp4"
    episode.write_bytes(bytes(range(256)) * 4000)
    feed = await viewer.feeds.add(server.url)
    made = await publisher.engine.make(episode)
    server.add("Episode 1", made.data)
    await viewer.feeds.check(feed.id)
    assert [(item.title, item.infohash) for item in viewer.items] == [("Episode 1", made.infohash)]
    # On a LAN the nodes know each other; here the test introduces them.
    port = publisher.engine.listen_port
    assert port is not None
    await viewer.engine.fetch(made.infohash, [("127.0.0.1", port)])
    await until(lambda: viewer.engine.status()[0].state == "seeding", 20)
    assert (viewer.downloads / "Episode 1.mp4").read_bytes() == episode.read_bytes()


async def test_what_one_node_publishes_another_subscribes_to(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    publisher, viewer = machines
    (tmp_path / "song").write_bytes(b"la" * 50_000)
    publisher.options.update({"feed_port": free_port()})
    await until(lambda: publisher.feeds.serving()[0])
    feed = await viewer.feeds.add(publisher.feeds.serving()[0])
    published = await publisher.feeds.publish(await publisher.engine.make(tmp_path / "song"))
    await viewer.feeds.check(feed.id)
    assert [item.infohash for item in viewer.items] == [published.infohash]
    assert viewer.engine.status()[0].name == "song"


async def test_a_hostile_torrent_of_a_feed_is_refused_in_one_line(machines: tuple[Machine, Machine],
                                                                  server: WebServer) -> None:
    _, viewer = machines
    feed = await viewer.feeds.add(server.url)
    server.add("hostile", b"d4:infod6:lengthi-5e4:name1:x12:piece lengthi16384e6:pieces0:ee")
    await viewer.feeds.check(feed.id)
    assert [item.infohash for item in viewer.items] == [None]
    assert viewer.items[0].error.startswith("this is no .torrent file that can be used: ")
    assert viewer.engine.status() == []
