"""
Feeds with a real store and a real web server, and a BitTorrent that only remembers what it was asked for.
"""
from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.feeds.feeds import Feeds
from tribler_multicast.feeds.metainfo import infohash_of, infohash_of_magnet
from tribler_multicast.settings import Settings
from tribler_multicast.torrents import MadeTorrent

from .web import WebServer, torrent_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tribler_multicast.client import ClientError
    from tribler_multicast.feeds.model import Feed, FeedItem
    from tribler_multicast.torrents import Torrents


@dataclass
class Downloads:
    """
    The part of `Torrents` that feeds use. `fail` is raised instead, `absent` means there is no BitTorrent.
    """

    begun: list[bytes] = field(default_factory=list)
    sources: list[bytes | str] = field(default_factory=list)
    fail: ClientError | None = None
    absent: bool = False

    async def fetch(self, source: bytes | str, addresses: object = (), **_: object) -> bytes:
        if self.fail is not None:
            raise self.fail
        infohash = infohash_of_magnet(source) if isinstance(source, str) else infohash_of(source)
        self.sources.append(source)
        self.begun.append(infohash)
        return infohash

    def __call__(self) -> Torrents | None:
        return None if self.absent else self


class Node:
    """
    Feeds in a folder, that can be ended and started again.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.downloads = Downloads()
        # Days between two looks: what happens in a test happens because the test asks for it.
        self.options = Settings({"feed_interval": 10080.0, "interfaces": ["lo"], **settings})
        self.told: list[FeedItem] = []
        # Seconds by which the clock of feeds is ahead.
        self.ahead = 0.0

    async def start(self) -> Feeds:
        self.feeds = Feeds(self.folder, self.downloads, self.options)
        self.feeds._items.lot = self.feeds._publisher.lot = lambda: 0.5
        self.feeds._items.clock = self.feeds._publisher.clock = lambda: time.time() + self.ahead
        self.feeds.subscribe(self.told.append)
        await self.feeds.start()
        return self.feeds

    async def restart(self) -> Feeds:
        await self.feeds.close()
        return await self.start()


async def subscribed(node: Node, server: WebServer, first: int = 0) -> str:
    """Subscribe to the feed of a server, and get its id."""
    return (await node.feeds.add(server.url, first)).id


def only(node: Node) -> Feed:
    """Get the one feed there is."""
    (feed,) = node.feeds.list()
    return feed


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def refusal(call: Awaitable[object]) -> tuple[int, str]:
    """Get the status and the one line of a refusal."""
    from tribler_multicast.client import ClientError  # noqa: PLC0415

    with pytest.raises(ClientError) as caught:
        await call
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 300
    return caught.value.status, line


def made(name: str) -> MadeTorrent:
    """Get a torrent as a client makes it."""
    infohash, data = torrent_of(name)
    return MadeTorrent(infohash, name, 7, f"/data/{name}", data)


def free_port() -> int:
    """Get a port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with WebServer() as web_server:
        yield web_server


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "feeds")
    await made.start()
    yield made
    await made.feeds.close()
