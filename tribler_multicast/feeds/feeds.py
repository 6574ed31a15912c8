"""
Feeds of a node, as those who use them see them.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sqlite3
from typing import TYPE_CHECKING

from .items import Items
from .model import FeedError, clean_line
from .own import torrent_path
from .publisher import Publisher
from .server import FeedServer
from .store import Store, StoreThread
from .subscriptions import Subscriptions
from .web import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
    from pathlib import Path
    from typing import Any, TypeAlias

    from ..settings import Settings
    from ..torrents import MadeTorrent, Torrents
    from .model import Feed, FeedItem, Published

    FeedList: TypeAlias = list[Feed]
    ItemList: TypeAlias = list[FeedItem]
    PublishedList: TypeAlias = list[Published]

logger = logging.getLogger(__name__)

SERVER_SETTINGS = frozenset({"feed_port", "interfaces", "ipv4", "ipv6"})
UPLOAD_SETTINGS = frozenset({"feed_upload_url", "feed_upload_method", "feed_upload_token"})

FIRST_BIND_PAUSE = 1.0
LAST_BIND_PAUSE = 60.0
"""Seconds until a port that could not be had is tried again, at first and at last."""

MOST_FIRST = 100
"""Items that can be asked for with a subscription."""


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    """
    Say in one line what the disk did not do.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        message = f"the state of feeds can't be used: {clean_line(str(error))}"
        raise FeedError(message) from None


class Feeds:
    """
    The feeds subscribed to, and the own one. Everything runs on the event loop that `start` was called on; all state is
    in the folder. What can't be done raises `ClientError` with one line and the HTTP status that fits.
    """

    def __init__(self, folder: Path, torrents: Callable[[], Torrents | None], options: Settings,
                 addresses: Callable[[], Collection[str]] | None = None) -> None:
        """
        Prepare; nothing is read or opened before `start`.

        `torrents` gets the client's BitTorrent, None while there is none. `addresses` gets the IP addresses (without
        scope) at which the own feed is to be reached; without it those are all, or with `interfaces` only `lo` set,
        those of the machine alone.
        """
        self._options = options
        self._addresses = addresses
        self._thread = StoreThread(folder)
        self.web = Web()
        self._items = Items(self._thread, self.web, torrents, options)
        self._subscriptions = Subscriptions(self._thread, self.web, self._items)
        self._publisher = Publisher(self._thread, self.web, options)
        self._server = FeedServer(self._publisher.feed, self._file, self._part, self._allowed)
        self._serving = asyncio.Event()
        self._server_error = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """
        Go on where it was left. If the state can't be read, that is said in the log, there are no feeds, and everything
        else raises ClientError with the reason; this doesn't: a node is of use without.
        """
        try:
            await self._thread.open()
            await self._subscriptions.load(await self._thread.do(Store.feeds))
            self._publisher.load(await self._thread.do(Store.own))
        except (sqlite3.Error, OSError) as error:
            logger.warning("No feeds: %s", clean_line(str(error)))
            return
        self._options.subscribe(self._settings_changed)
        self._begin(self._subscriptions.run())
        self._begin(self._publisher.run())
        await self._serve_once()
        self._begin(self._serve())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="feeds"))

    async def close(self) -> None:
        """
        Stop, within half a second. What is under way goes on at the next start.
        """
        self._options.unsubscribe(self._settings_changed)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._server.stop()
        self._thread.close()

    def _settings_changed(self, names: set[str]) -> None:
        if "feed_interval" in names:
            self._subscriptions.interval_changed()
        if names & UPLOAD_SETTINGS:
            self._publisher.settings_changed()
        if names & SERVER_SETTINGS:
            self._serving.set()

    async def add(self, url: str, first: int = 0) -> Feed:
        """
        Subscribe to a feed, after a look at it; one that is subscribed to already is only got.

        Its `first` newest items are downloaded, and all that are new later.
        """
        if not 0 <= first <= MOST_FIRST:
            message = f"first must be from 0 to {MOST_FIRST}"
            raise FeedError(message, 400, again=False)
        with _stored():
            return await self._subscriptions.add(url, first)

    async def remove(self, feed_id: str) -> None:
        """
        End a subscription; the downloads that it began stay. Raises ClientError (404).
        """
        with _stored():
            await self._subscriptions.remove(feed_id)

    async def check(self, feed_id: str) -> Feed:
        """
        Look at a feed now, and begin what is new. Raises ClientError (404) only: what went wrong is in its `error`.
        """
        return await self._subscriptions.check(feed_id)

    async def items(self, feed_id: str, most: int = 100) -> ItemList:
        """
        Get the newest items that came after the subscription: without `infohash` those that wait or were given up.
        """
        with _stored():
            return await self._subscriptions.items(feed_id, most)

    def subscribe(self, handler: Callable[[FeedItem], None]) -> None:
        """
        Call the handler, on the event loop, when the download of a new item was begun, or when it was given up.
        """
        self._subscriptions.subscribe(handler)

    def unsubscribe(self, handler: Callable[[FeedItem], None]) -> None:
        """
        Call it no more.
        """
        self._subscriptions.unsubscribe(handler)

    async def publish(self, made: MadeTorrent, title: str | None = None) -> Published:
        """
        Put a torrent into the own feed, under its name if no title is given, and upload it where that is set.

        An upload that fails is told and tried again later. Publishing again renews the date.
        """
        with _stored():
            return await self._publisher.publish(made, title, self._url(made.infohash))

    async def withdraw(self, infohash: bytes) -> None:
        """
        Take a torrent out of the own feed. Raises ClientError (404).
        """
        with _stored():
            await self._publisher.withdraw(infohash)

    def published(self) -> PublishedList:
        """
        Get what is in the own feed, the newest first.
        """
        return [self._publisher.view(row, self._url(row.infohash)) for row in self._publisher.rows()]

    def own_feed(self, base: str | None = None) -> bytes:
        """
        Get the own feed (RSS 2.0). `base` is what the paths of its files are put behind; None: where it is served.
        """
        return self._publisher.feed(self._base() if base is None else base)

    def torrent_file(self, infohash: bytes) -> bytes | None:
        """
        Get the ``.torrent`` file of what is in the own feed.
        """
        with _stored():
            return self._thread.store.torrent_file(infohash) if self._thread.store is not None else None

    def serving(self) -> tuple[str, str]:
        """
        Get where the own feed is served, "" if nowhere, and in one line what keeps it from that, "" if nothing.
        """
        base = self._base()
        return (f"{base}/feed.xml" if base else ""), self._server_error

    def list(self) -> FeedList:
        """
        Get the feeds subscribed to, in the order in which they were added.
        """
        return self._subscriptions.views()

    def _file(self, infohash: bytes) -> tuple[str, int] | None:
        row = self._publisher.row(infohash)
        return None if row is None else (row.name, row.length)

    async def _part(self, infohash: bytes, start: int, most: int) -> bytes:
        return await self._thread.do(Store.torrent_part, infohash, start, most)

    def _allowed(self) -> Collection[str] | None:
        return None if self._addresses is None else self._addresses()

    def _base(self) -> str:
        """
        The URL that the own feed's paths are put behind, "" while it is not served.
        """
        if not self._server.port:
            return ""
        known = sorted(self._addresses(), key=lambda address: (":" in address, address)) if self._addresses else []
        host = known[0] if known else self._hosts()[0]
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        return f"http://[{host}]:{self._server.port}" if ":" in host else f"http://{host}:{self._server.port}"

    def _url(self, infohash: bytes) -> str:
        base = self._base()
        return base + torrent_path(infohash) if base else ""

    def _hosts(self) -> Sequence[str]:
        alone = self._options["interfaces"] == ["lo"]
        return [address for address, family in ((("127.0.0.1" if alone else "0.0.0.0"), "ipv4"),
                                                (("::1" if alone else "::"), "ipv6")) if self._options[family]]

    async def _serve(self) -> None:
        """
        Serve anew whenever the settings change, and try again where the port could not be had.
        """
        pause = FIRST_BIND_PAUSE
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause if self._server_error else None):
                    await self._serving.wait()
            pause = FIRST_BIND_PAUSE if self._serving.is_set() else min(2 * pause, LAST_BIND_PAUSE)
            self._serving.clear()
            await self._serve_once()

    async def _serve_once(self) -> None:
        await self._server.stop()
        port, before, self._server_error = self._options["feed_port"], self._server_error, ""
        if not port:
            return
        try:
            await self._server.start(self._hosts(), port)
        except OSError as error:
            self._server_error = f"the feed can't be served at port {port}: {clean_line(error.strerror or str(error))}"
            if self._server_error != before:
                logger.warning("%s; trying again", self._server_error)
