"""
The feeds subscribed to: looked at when it is time, their new items fetched and begun.

What a look found is kept in one transaction with the feed's ETag: a process that is killed before it asks for the
same again, one that is killed after it knows the items. Each item then goes its own way: its ``.torrent`` file is
fetched and kept, its download begun, and that kept. Killed anywhere in between, it goes on there: nothing is fetched
twice, and to begin a torrent that is there already changes nothing.

On the first look nothing is begun but the newest `first` items, none by default: who subscribes to a programme wants
what comes, and a feed may hold years of it.
"""
from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from .addresses import MACHINE
from .items import Items, Live, event_of, new_items
from .limits import (
    LOG_INTERVAL,
    MAX_AT_ONCE,
    MAX_FEED_SIZE,
    MAX_FEEDS,
    MAX_WAITING,
    MINUTE,
)
from .model import Feed, FeedError, FeedItem, shown_url
from .parse import ParsedFeed, parse_feed
from .rows import FeedRow, ItemRow
from .schedule import mended, next_look, next_try
from .store import Store
from .web import checked_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

    from .store import StoreThread
    from .web import Answer, Web

logger = logging.getLogger(__name__)

class Subscriptions:
    """
    Looks at feeds and begins downloads until it is cancelled.
    """

    def __init__(self, store: StoreThread, web: Web, items: Items) -> None:
        """
        Begin with no feeds.
        """
        self._store = store
        self._web = web
        self._items = items
        self.live: dict[str, Live] = {}
        self._adding: dict[str, asyncio.Lock] = {}
        self._wake = asyncio.Event()
        self._logged = -math.inf

    def subscribe(self, handler: Callable[[FeedItem], None]) -> None:
        """
        Call the handler, on the event loop, for each new item.
        """
        self._items.handlers.append(handler)

    def unsubscribe(self, handler: Callable[[FeedItem], None]) -> None:
        """
        Call it no more.
        """
        if handler in self._items.handlers:
            self._items.handlers.remove(handler)

    def views(self) -> list[Feed]:
        """
        Get the feeds, in the order in which they were added.
        """
        return [self._view(live) for live in self.live.values()]

    def _view(self, live: Live) -> Feed:
        row = live.row
        state = ("checking" if live.checking else "failing" if row.failures else "ok" if live.looked else "waiting")
        return Feed(row.id, row.url, row.title, state, row.last_check, row.next_check, row.error or live.note, row.seen,
                    row.begun, live.waiting)

    async def load(self, rows: list[FeedRow]) -> None:
        """
        Take the feeds that were stored.
        """
        for row in rows:
            self.live[row.id] = live = Live(row)
            await self._items.count(live)

    async def run(self) -> None:
        """
        Do what is due, for ever.
        """
        try:
            while True:
                self._wake.clear()
                wait = self._begin_due()
                try:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [live.task for live in self.live.values() if live.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin_due(self) -> float:
        """
        Serve the feeds for which it is time, the longest due first; get the seconds until the next is due.
        """
        now = self._items.clock()
        free = MAX_AT_ONCE - sum(live.task is not None for live in self.live.values())
        wait = MINUTE
        for live in self.live.values():
            live.row.next_check = mended(now, live.row.next_check, self._items.interval, live.row.last_check)
        for live in sorted((live for live in self.live.values() if live.task is None), key=lambda live: live.due):
            if live.due > now:
                wait = min(wait, live.due - now)
                break
            if free == 0:
                break  # woken when one is ready
            free -= 1
            self._serve(live)
        return max(wait, 0.01)

    def _serve(self, live: Live) -> asyncio.Task[None]:
        live.task = asyncio.create_task(self._run_one(live), name="feed")
        return live.task

    async def _run_one(self, live: Live) -> None:
        try:
            if live.row.next_check <= self._items.clock():
                await self._look(live)
            await self._items.fetch(live)
        except Exception as error:
            # The disk, mostly: nothing was kept, so it is done again. Anything else must not end all feeds either.
            disk = isinstance(error, sqlite3.Error | OSError)
            live.note = f"can't be stored: {error}" if disk else "internal error, the log says more"
            self._log("Feed %s: %s", shown_url(live.row.url), error, trace=not disk)
            live.next_item = self._items.clock() + MINUTE
            live.row = replace(live.row, next_check=max(live.row.next_check, live.next_item))
        finally:
            live.task = None
            live.checking = False
            self._wake.set()

    def _log(self, message: str, *values: object, trace: bool = False) -> None:
        now = time.monotonic()
        if now - self._logged >= LOG_INTERVAL:
            self._logged = now
            logger.warning(message, *values, exc_info=trace)

    async def add(self, text: str, first: int = 0) -> Feed:
        """
        Subscribe, and look at once: what can't be read now is not subscribed to. One that is there already is only got.
        """
        url = checked_url(text)
        feed_id = sha256(str(url).encode()).hexdigest()[:16]
        lock = self._adding.setdefault(feed_id, asyncio.Lock())
        try:
            async with lock:
                if feed_id in self.live:
                    return self._view(self.live[feed_id])
                return self._view(await self._add(feed_id, url, first))
        finally:
            if not lock.locked():
                self._adding.pop(feed_id, None)

    async def _add(self, feed_id: str, url: URL, first: int) -> Live:
        if len(self.live) >= MAX_FEEDS:
            message = f"there are {MAX_FEEDS} feeds already"
            raise FeedError(message, 409)
        row = FeedRow(feed_id, str(url), "", MACHINE)
        answer, parsed = await self._read(row)
        if parsed is None:
            message = f"{shown_url(str(url))} has no feed to give (304)"
            raise FeedError(message)
        now = self._items.clock()
        row.near = answer.first.nearest
        items = new_items(row, parsed, answer, {}, now)
        # The newest are the last: from the top of the feed down they were turned around.
        for old in items[:len(items) - first] if first else items:
            old.state = "old"
        row = self._looked(row, parsed, answer, len(items))
        await self._store.do(Store.looked, row, items, [], now)
        self.live[feed_id] = live = Live(row, looked=True)
        await self._items.count(live)
        self._wake.set()
        return live

    async def remove(self, feed_id: str) -> None:
        """
        End a subscription; the downloads it began go on.
        """
        live = self._known(feed_id)
        await self._store.do(Store.remove, feed_id)
        self.live.pop(feed_id, None)
        if live.task is not None:
            live.task.cancel()
            await asyncio.gather(live.task, return_exceptions=True)
            # What the task kept meanwhile.
            await self._store.do(Store.remove, feed_id)

    def _known(self, feed_id: str) -> Live:
        if feed_id not in self.live:
            message = "there is no such feed"
            raise FeedError(message, 404, again=False)
        return self.live[feed_id]

    async def check(self, feed_id: str) -> Feed:
        """
        Look at a feed now, and fetch what is new.
        """
        live = self._known(feed_id)
        while live.task is not None:
            await asyncio.wait([live.task])
        self._known(feed_id)
        live.row = replace(live.row, next_check=0.0)
        await asyncio.wait([self._serve(live)])
        return self._view(live)

    async def items(self, feed_id: str, most: int) -> list[FeedItem]:
        """
        Get the newest items of a feed: those that are waiting, begun, or given up.
        """
        self._known(feed_id)
        rows = await self._store.do(Store.items, feed_id, most)
        return [event_of(row) for row in rows]

    def interval_changed(self) -> None:
        """
        Let a new interval count at once.
        """
        now = self._items.clock()
        for live in self.live.values():
            row = live.row
            if row.hint is None and not row.failures and row.last_check is not None:
                due = next_look(row.last_check, self._items.interval, None, self._items.lot())
                live.row = replace(row, next_check=min(due, now + 2 * self._items.interval))
        self._wake.set()

    async def _read(self, row: FeedRow) -> tuple[Answer, ParsedFeed | None]:
        """
        Get and read a feed; None if it has not changed. Raises FeedError.
        """
        headers = {"Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.5"}
        if row.etag:
            headers["If-None-Match"] = row.etag
        if row.modified:
            headers["If-Modified-Since"] = row.modified
        answer = await self._web.get(row.url, MAX_FEED_SIZE, row.near, headers)
        if answer.body is None:
            return answer, None
        try:
            return answer, await asyncio.to_thread(parse_feed, answer.body, answer.url, self._items.clock(),
                                                   answer.charset)
        except FeedError as error:
            message = f"{shown_url(answer.url)} {error}"
            raise FeedError(message, error.status) from None

    async def _look(self, live: Live) -> None:
        live.checking = True
        row = live.row
        try:
            answer, parsed = await self._read(row)
        except FeedError as error:
            now = self._items.clock()
            row = replace(row, last_check=now, failures=row.failures + 1, error=str(error))
            row.next_check = next_try(now, row.failures, self._items.lot(), error.retry_after, self._items.interval)
            await self._store.do(Store.looked, row)
        else:
            now = self._items.clock()
            items: list[ItemRow] = []
            present: list[str] = []
            if parsed is None:
                row = self._looked(row, None, answer, 0)
            else:
                known = await self._store.do(Store.known, row.id)
                found = new_items(row, parsed, answer, known, now)
                # Those at the bottom of the feed first, so that their turn comes; the others at a later look.
                items = found[:max(0, MAX_WAITING - live.waiting)]
                present = [item.key for item in parsed.items]
                row = self._looked(row, parsed, answer, sum(item.key not in known for item in items))
                if len(items) < len(found):
                    row.etag = row.modified = ""
            await self._store.do(Store.looked, row, items, present, now)
        live.row = row
        live.looked = True
        live.checking = False
        await self._items.count(live)

    def _looked(self, row: FeedRow, parsed: ParsedFeed | None, answer: Answer, new: int) -> FeedRow:
        """
        The feed after a look that went well.
        """
        now = self._items.clock()
        row = replace(row, last_check=now, failures=0, error="", seen=row.seen + new)
        if parsed is None:
            row.etag, row.modified = answer.etag or row.etag, answer.modified or row.modified
        else:
            row.etag, row.modified, row.title = answer.etag, answer.modified, parsed.title or row.title
            row.hint = max((seconds for seconds in (parsed.ttl, answer.fresh) if seconds is not None), default=None)
        row.next_check = next_look(now, self._items.interval, row.hint, self._items.lot())
        return row
