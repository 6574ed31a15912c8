"""
What this node publishes: kept, in its feed, and uploaded until the server took it.
"""
from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ..client import ClientError
from ..torrents import INFOHASH_SIZE
from .limits import MAX_BUILT, MAX_PUBLISHED, MAX_TORRENT_SIZE, MINUTE
from .model import FeedError, Published, clean_line
from .own import build_feed
from .rows import OwnRow
from .schedule import mended, next_try
from .store import Store
from .upload import target_of, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..settings import Settings
    from ..torrents import MadeTorrent
    from .store import StoreThread
    from .web import Web

logger = logging.getLogger(__name__)


class Publisher:
    """
    Keeps what is published, and uploads it until it is cancelled.
    """

    def __init__(self, store: StoreThread, web: Web, options: Settings) -> None:
        """
        Begin with nothing.
        """
        self._store = store
        self._web = web
        self._options = options
        self.clock: Callable[[], float] = time.time
        self.lot: Callable[[], float] = random.random
        self._rows: dict[bytes, OwnRow] = {}
        self._built: dict[tuple[str, str], bytes] = {}
        self._busy: set[bytes] = set()
        self._wake = asyncio.Event()

    def load(self, rows: list[OwnRow]) -> None:
        """
        Take what was stored, the newest first.
        """
        self._rows = {row.infohash: row for row in rows}
        self._built.clear()

    def rows(self) -> list[OwnRow]:
        """
        Get what is published, the newest first.
        """
        return list(self._rows.values())

    def row(self, infohash: bytes) -> OwnRow | None:
        """
        Get one of them, None where there is none.
        """
        return self._rows.get(infohash)

    def feed(self, base: str) -> bytes:
        """
        Write the feed, see `build_feed`.
        """
        name = clean_line(self._options["nickname"])
        key = base, f"Torrents of {name}" if name else "Torrents of this node"
        if key not in self._built:
            if len(self._built) >= MAX_BUILT:
                self._built.clear()
            self._built[key] = build_feed(self._rows.values(), key[1], base)
        return self._built[key]

    async def publish(self, made: MadeTorrent, title: str | None, url: str) -> Published:
        """
        Put a torrent into the feed, and upload it if that is set: what went wrong there is tried again later.
        """
        if len(made.infohash) != INFOHASH_SIZE or not made.data or len(made.data) > MAX_TORRENT_SIZE:
            message = f"a .torrent file of more than {MAX_TORRENT_SIZE:,} bytes can't be published"
            raise FeedError(message, 422, again=False)
        name = clean_line(made.name) or made.infohash.hex()
        uploads = bool(self._options["feed_upload_url"])
        row = OwnRow(made.infohash, clean_line(title or "") or name, name, made.size, len(made.data), self.clock(),
                     "waiting" if uploads else "none")
        self._busy.add(row.infohash)
        try:
            await self._store.do(Store.publish, row, made.data)
            self._rows.pop(row.infohash, None)
            self._rows = dict(list({row.infohash: row, **self._rows}.items())[:MAX_PUBLISHED])
            self._built.clear()
            if uploads:
                row = await self._upload(row)
        finally:
            self._busy.discard(row.infohash)
            self._wake.set()
        return self.view(row, url)

    @staticmethod
    def view(row: OwnRow, url: str) -> Published:
        """
        Get what users see of it.
        """
        uploaded = None if row.upload == "none" else row.upload == "done"
        return Published(row.infohash, row.title, url, uploaded, row.error)

    async def withdraw(self, infohash: bytes) -> None:
        """
        Take a torrent out of the feed; what was uploaded stays where it is.
        """
        if infohash not in self._rows:
            message = "there is no such torrent in the feed"
            raise FeedError(message, 404, again=False)
        await self._store.do(Store.withdraw, infohash)
        self._rows.pop(infohash, None)
        self._built.clear()

    async def run(self) -> None:
        """
        Try again what was not uploaded, for ever.
        """
        while True:
            self._wake.clear()
            wait = await self._upload_due()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def settings_changed(self) -> None:
        """
        Try all again at once: what was wrong may be mended.
        """
        for infohash, row in self._rows.items():
            if row.upload == "waiting":
                self._rows[infohash] = replace(row, next_try=0.0)
        self._wake.set()

    async def _upload_due(self) -> float:
        """
        Upload what is due, one after the other, the oldest first; get the seconds until the next is.
        """
        wait = MINUTE
        for row in reversed(self.rows()):
            if row.upload != "waiting" or row.infohash in self._busy or not self._options["feed_upload_url"]:
                continue
            now = self.clock()
            due = mended(now, row.next_try, 0)
            if due > now:
                wait = min(wait, due - now)
                continue
            try:
                after = await self._upload(row)
            except (sqlite3.Error, OSError) as error:
                logger.warning("How an upload went can't be stored: %s", error)
                continue
            if after.upload == "waiting":
                wait = min(wait, max(after.next_try - self.clock(), 0.1))
        return max(wait, 0.1)

    async def _upload(self, row: OwnRow) -> OwnRow:
        """
        Try once, and keep how it went.
        """
        try:
            url = target_of(self._options["feed_upload_url"], row.name, row.infohash)
            data = await self._store.do(Store.torrent_file, row.infohash)
            if data is not None:
                await upload(self._web, url, self._options["feed_upload_method"], self._options["feed_upload_token"],
                             (f"{row.name}.torrent", data))
        except ClientError as error:
            row = replace(row, tries=row.tries + 1, error=str(error))
            wait = error.retry_after if isinstance(error, FeedError) else None
            row.next_try = next_try(self.clock(), row.tries, self.lot(), wait)
        else:
            row = replace(row, upload="done", error="")
        await self._store.do(Store.keep_own, row)
        if (now := self._rows.get(row.infohash)) is not None:
            # It may have been published anew meanwhile: its title and date are the newer ones.
            self._rows[row.infohash] = replace(now, upload=row.upload, tries=row.tries, next_try=row.next_try,
                                               error=row.error)
        return row
