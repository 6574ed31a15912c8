"""
What torrents move over the internet, and a limit for that alone: what goes over the LAN takes nothing of the uplink.

libtorrent's peer classes are what makes that easy: peers that are not on the LAN are in a class of their own, and a
class has limits for all in it together. The user's own limits are of another class and stay as they are; of two limits
the lower counts.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ...client import Traffic
from ...lan.torrent_bursts import UNLIMITED, Asking, limited
from ...lan.torrent_peers import Meter

if TYPE_CHECKING:
    from .core import Core

FRESH: Final = 0.5
"""Seconds for which it is known what was moved."""
MOST_TORRENTS: Final = 50
LEAST: Final = 1_000


class Internet:
    """
    Counts and limits it.
    """

    def __init__(self, core: Core) -> None:
        """
        Work on the torrents of `core`.
        """
        self.core = core
        self._traffic = Traffic()
        self._looked_at = -FRESH
        self._looking = False
        self._settings = UNLIMITED
        self._meter = Meter()
        self._limits: tuple[float | None, float | None] = (None, None)
        self._asking = Asking()

    def traffic(self) -> Traffic:
        """
        Get what was moved when somebody looked last, and have it looked at again, in a thread.
        """
        now = asyncio.get_running_loop().time()
        session = self.core.session
        if session is not None and not self._looking and now - self._looked_at >= FRESH and not self.core.closing:
            self._looked_at = now
            handles = {torrent.infohash: torrent.handle for torrent in list(self.core.torrents.values())
                       if torrent.handle is not None and torrent.progress.peers}
            busiest = sorted(handles, key=self._busy, reverse=True)[:MOST_TORRENTS]
            handles = {infohash: handles[infohash] for infohash in busiest}
            if handles:
                self._looking = True
                self.core.spawn(self._look(now, handles))
            else:
                self._traffic = Traffic()
        return self._traffic

    def _busy(self, infohash: bytes) -> float:
        progress = self.core.torrents[infohash].progress
        return progress.up + progress.down

    async def _look(self, now: float, handles: dict[bytes, Any]) -> None:
        try:
            each = (await asyncio.to_thread(self._meter.look, now, handles)).values()
            up, down = sum(one.up for one in each), sum(one.down for one in each)
            self._traffic = Traffic(up, down, up, down, frozenset(peer for one in each for peer in one.peers))
            self._follow()
        finally:
            self._looking = False

    def limit(self, up: float | None, down: float | None) -> None:
        """
        Limit all of it together, bytes/s; None: not.
        """
        session = self.core.session
        if session is None or session.session is None or session.internet is None:
            return
        values = session.session.get_peer_class(session.internet)
        values["upload_limit"] = 0 if up is None else max(LEAST, int(up))
        values["download_limit"] = 0 if down is None else max(LEAST, int(down))
        session.session.set_peer_class(session.internet, values)
        self._limits = up, down
        self._follow()

    def _follow(self) -> None:
        """
        Have the session send and ask in a way that fits the limits.
        """
        session, (up, down) = self.core.session, self._limits
        if session is None or session.session is None:
            return
        ahead = self._asking.look(asyncio.get_running_loop().time(), down, self._traffic.bulk_down)
        # With no peers a limit is for what may begin: no reason to wake up often.
        settings = limited(up, down, ahead) if self._traffic.peers else UNLIMITED
        if settings != self._settings:
            self._settings = settings
            session.apply(settings)
