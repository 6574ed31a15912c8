"""
What this Tribler tells neighbours who search: torrents of its database, those it has itself first, and nothing about
anonymous downloads.
"""
from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any, Final

from ..client import Activity, Result
from .errors import find, guarded

if TYPE_CHECKING:
    from .privacy import Privacy
    from .streaming import Streaming

logger = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds that a look-up waits for the event loop: a Tribler that is that busy tells nothing."""

BULK_RATE: Final = 10_000.0
"""Bytes/s, both ways together, from which on downloads count as an activity: less is chatter."""

OTHERS: Final = 2
"""So many times the results asked for are read from the database: some are left out, and one torrent may have several
entries."""


class Catalogue:
    """
    Looks through Tribler's database of torrents, by words as its own search does.
    """

    def __init__(self, session: Any, privacy: Privacy, streaming: Streaming | None) -> None:  # noqa: ANN401
        """
        Look through the database of this session.

        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        self.store = find(session, "mds")
        self.download_manager = find(session, "download_manager")
        self.privacy = privacy
        self.streaming = streaming
        self.loop = asyncio.get_running_loop()
        for name in ("get_entries", "db"):
            find(self.store, name)
        find(self.download_manager, "downloads")
        self.to_fts_query = find(importlib.import_module("tribler.core.database.queries"), "to_fts_query")
        self.torrent_type: int = find(importlib.import_module("tribler.core.database.serialization"),
                                      "REGULAR_TORRENT")

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Get the best torrents for some words. Called in a thread of the plugin.
        """
        query = self.to_fts_query(text) if "torrent" in kinds else None
        if not query:
            return []
        try:
            entries = self.store.get_entries(txt_filter=query, metadata_type=self.torrent_type, first=1,
                                             last=OTHERS * most)
            known = {bytes(entry.infohash): (str(entry.title), int(entry.size)) for entry in entries}
        finally:
            self.store.db.disconnect()  # Pony keeps a connection per thread, and a lock with it.
        # What may be told is looked up last, where downloads are begun: none is anonymous in between.
        return asyncio.run_coroutine_threadsafe(self.told(known), self.loop).result(PATIENCE)[:most]

    async def told(self, known: dict[bytes, tuple[str, int]]) -> list[Result]:
        """
        Leave out what may not be told; put first what is here.
        """
        may = self.privacy.allowed(known)
        here = {infohash for infohash in may if self.is_here(infohash)}
        return [Result("torrent", infohash, known[infohash][0], known[infohash][1], infohash in here)
                for infohash in sorted(may, key=lambda infohash: infohash not in here)]

    def is_here(self, infohash: bytes) -> bool:
        """
        Is this torrent here to be downloaded from, in part at least?
        """
        download = self.download_manager.downloads.get(infohash)
        return (download is not None and download.config.get_hops() == 0
                and download.get_state().get_status().name in ("DOWNLOADING", "SEEDING")
                and download.get_state().get_progress() > 0)

    def activity(self) -> Activity:
        """
        Get what Tribler does without anonymity.
        """
        return self._activity() or Activity()

    @guarded("looking at what Tribler does")
    def _activity(self) -> Activity:
        states = [download.get_state() for download in list(self.download_manager.downloads.values())
                  if download.config.get_hops() == 0]
        up = float(sum(state.get_current_speed("up") for state in states))
        down = float(sum(state.get_current_speed("down") for state in states))
        if self.streaming is not None and self.streaming.watched():
            return Activity("on_demand", up, down)
        return Activity("bulk" if up + down >= BULK_RATE else "idle", up, down)
