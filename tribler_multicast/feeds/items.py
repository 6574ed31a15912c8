"""
The items of feeds: which are new, and how each is fetched and its download begun.
"""
from __future__ import annotations

import logging
import math
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..client import ClientError
from .addresses import MACHINE
from .limits import DAY, HOUR, MAX_BEGUN_PER_DAY, MAX_ITEM_TRIES, MAX_TORRENT_SIZE, MINUTE
from .metainfo import infohash_of, infohash_of_magnet
from .model import FeedError, FeedItem, shown_url
from .rows import FeedRow, ItemRow
from .schedule import mended, next_try
from .store import Store
from .web import checked_url

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..settings import Settings
    from ..torrents import Torrents
    from .parse import ParsedFeed
    from .store import StoreThread
    from .web import Answer, Web

logger = logging.getLogger(__name__)

NOT_IMPLEMENTED: Final = 501
"""Status of a client without its library of BitTorrent: no fault of the item, and mended by installing it."""

NO_TORRENTS: Final = "there is no BitTorrent here: new items wait for it"


@dataclass(slots=True, eq=False)
class Live:
    """
    A feed at work. `next_item` is when one of its waiting items is due, `note` why one waits.
    """

    row: FeedRow
    waiting: int = 0
    next_item: float = 0.0
    checking: bool = False
    looked: bool = False
    note: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def due(self) -> float:
        """
        When there is something to do.
        """
        return min(self.row.next_check, self.next_item)


def new_items(row: FeedRow, parsed: ParsedFeed, answer: Answer, known: dict[str, tuple[str, str]],
              now: float) -> list[ItemRow]:
    """
    The items that were not there before, from the bottom of the feed up: from the oldest to the newest.

    One that was given up and has another torrent now is new again. One that was begun is not, whatever became of
    its text or link: it was downloaded.
    """
    new = []
    for item in reversed(parsed.items):
        state, source = known.get(item.key, ("", ""))
        if state and not (state == "failed" and source != item.source):
            continue
        try:
            near = MACHINE if item.source.startswith("magnet:") else answer.place.bound(checked_url(item.source))
        except FeedError:
            continue  # a port of 99999, a host that can't be one
        new.append(ItemRow(row.id, item.key, item.title, item.link, item.source, near, item.published, "waiting",
                           now, now))
    return new


class Items:
    """
    Fetches what waits, begins it, and tells who wants to know.
    """

    def __init__(self, store: StoreThread, web: Web, torrents: Callable[[], Torrents | None],
                 options: Settings) -> None:
        """
        Remember where things are.
        """
        self._store = store
        self._web = web
        self._torrents = torrents
        self._options = options
        self.clock: Callable[[], float] = time.time
        self.lot: Callable[[], float] = random.random
        self.handlers: list[Callable[[FeedItem], None]] = []

    @property
    def interval(self) -> float:
        """
        The user's interval in seconds.
        """
        return float(self._options["feed_interval"]) * MINUTE

    async def count(self, live: Live) -> list[ItemRow]:
        """
        Get the waiting items, and note how many there are and when the first is due.
        """
        waiting = await self._store.do(Store.waiting, live.row.id)
        live.waiting = len(waiting)
        live.next_item = min((mended(self.clock(), item.next_try, 0) for item in waiting), default=math.inf)
        if not waiting:
            live.note = ""
        return waiting

    async def fetch(self, live: Live) -> None:
        """
        Fetch and begin the waiting items that are due.
        """
        for item in await self.count(live):
            now = self.clock()
            if live.row.next_check <= now:
                break
            if mended(now, item.next_try, 0) > now:
                continue
            torrents = self._torrents()
            if torrents is None:
                live.note = NO_TORRENTS
                live.next_item = now + MINUTE / 2
                return
            if await self._store.do(Store.begun_since, live.row.id, now - DAY) >= MAX_BEGUN_PER_DAY:
                live.note = f"more than {MAX_BEGUN_PER_DAY} new items in a day: the others wait"
                live.next_item = now + HOUR
                return
            if not await self._begin(live, item, torrents):
                live.next_item = now + MINUTE / 2
                return
        await self.count(live)

    async def _begin(self, live: Live, item: ItemRow, torrents: Torrents) -> bool:
        """
        Fetch and begin an item, or note what became of it. False if the client can begin none at all.
        """
        try:
            source = await self._source(item)
            infohash = infohash_of_magnet(source) if isinstance(source, str) else infohash_of(source)
            if await self._store.do(Store.has_begun, item.feed, infohash):
                # The same torrent under another id: the user may have ended it since.
                await self._store.do(Store.keep_item, replace(item, state="old", infohash=infohash, torrent=None))
                return True
            infohash = await torrents.fetch(source)
        except ClientError as error:
            if error.status == NOT_IMPLEMENTED:
                live.note = f"new items wait: {error}"
                return False
            await self._failed(live, item, error)
            return True
        live.row = replace(live.row, begun=live.row.begun + 1)
        item = replace(item, state="begun", infohash=infohash, torrent=None, error="", next_try=self.clock())
        await self._store.do(Store.keep_item, item, live.row)
        live.waiting -= 1
        self._tell(event_of(item))
        return True

    async def _source(self, item: ItemRow) -> bytes | str:
        """
        What to give to the client: a magnet link, or the content of the ``.torrent`` file, which is kept first.
        """
        if item.source.startswith("magnet:"):
            return item.source
        data = await self._store.do(Store.torrent_of, item.feed, item.key)
        if data is None:
            answer = await self._web.get(item.source, MAX_TORRENT_SIZE, item.near)
            data = answer.body or b""
            try:
                infohash_of(data)
            except FeedError as error:
                message = f"{shown_url(answer.url)} {error}"
                raise FeedError(message, error.status, again=error.again) from None
            item.torrent = data
            await self._store.do(Store.keep_item, item)
        return data

    async def _failed(self, live: Live, item: ItemRow, error: ClientError) -> None:
        again = error.again if isinstance(error, FeedError) else error.status >= 500
        now = self.clock()
        item = replace(item, tries=item.tries + 1, error=str(error))
        if again and item.tries < MAX_ITEM_TRIES:
            wait = error.retry_after if isinstance(error, FeedError) else None
            item.next_try = next_try(now, item.tries, self.lot(), wait, self.interval)
            live.note = f"an item waits: {error}"
            item.torrent = await self._store.do(Store.torrent_of, item.feed, item.key)
            await self._store.do(Store.keep_item, item)
            return
        await self._store.do(Store.keep_item, replace(item, state="failed", torrent=None))
        self._tell(event_of(item))

    def _tell(self, item: FeedItem) -> None:
        for handler in list(self.handlers):
            try:
                handler(item)
            except Exception:
                # One listener that fails must not keep the others from it.
                logger.exception("A listener failed to take an item of a feed")


def event_of(row: ItemRow) -> FeedItem:
    """
    Get what users see of an item.
    """
    return FeedItem(row.feed, row.title, row.link, row.infohash, row.published, row.error)
