"""
How torrents go on, for any number of commands that want to know: one subscription at the client, started when it has
BitTorrent and somebody asks.
"""
from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .check import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..client import Client
    from ..torrents import Torrents, TorrentStatus


def is_complete(status: TorrentStatus) -> bool:
    """
    Tell whether all that is wanted of a torrent is there, checked and under its name: with progress 1 alone it may
    still be on its way to that.
    """
    return status.state == "seeding" or (status.progress >= 1.0 and status.state == "paused")


def transfer_view(status: TorrentStatus) -> dict[str, Any]:
    """
    Get how a torrent goes on as plain values; `eta_s` is when it is complete if it goes on like this, in seconds.
    """
    left = None if status.size is None else max(0.0, status.size * (1.0 - status.progress))
    eta = None if left is None or status.down <= 0 or status.state != "downloading" else round(left / status.down, 1)
    return {"infohash": status.infohash.hex(), "name": status.name, "state": status.state,
            "progress": status.progress, "size": status.size, "path": status.path, "up": status.up,
            "down": status.down, "total_up": status.total_up, "total_down": status.total_down, "peers": status.peers,
            "up_limit": status.up_limit, "down_limit": status.down_limit, "eta_s": eta,
            "stream": status.stream, "error": status.error or None}


class Changes:
    """
    What changed since it was looked at last: of each torrent the newest status, None when it was given up.
    """

    def __init__(self) -> None:
        """
        Nothing yet.
        """
        self._newest: dict[bytes, TorrentStatus | None] = {}
        self._any = asyncio.Event()

    def put(self, infohash: bytes, status: TorrentStatus | None) -> None:
        """
        Note a change.
        """
        self._newest[infohash] = status
        self._any.set()

    async def next(self) -> tuple[bytes, TorrentStatus | None]:
        """
        Wait for a change.
        """
        while not self._newest:
            self._any.clear()
            await self._any.wait()
        infohash = next(iter(self._newest))
        return infohash, self._newest.pop(infohash)


class Following:
    """
    Spreads what the client tells of its torrents.
    """

    def __init__(self, client: Client) -> None:
        """
        With nobody who follows.
        """
        self._client = client
        self._subscribed: Torrents | None = None
        self._followers: dict[Changes, bytes | None] = {}

    def torrents(self) -> Torrents:
        """
        Get the client's BitTorrent; 503 when it has none.
        """
        torrents = self._client.torrents
        if torrents is None:
            raise refuse("this node has no BitTorrent client", 503)
        if torrents is not self._subscribed:
            self.close()
            torrents.subscribe(self._changed)
            self._subscribed = torrents
        return torrents

    @contextmanager
    def follow(self, infohash: bytes | None = None, *, current: bool = True) -> Iterator[Changes]:
        """
        Get the changes of one torrent, or of all; how it is now comes first, if that is wanted.
        """
        changes = Changes()
        for status in self.torrents().status():
            if current and infohash in (None, status.infohash):
                changes.put(status.infohash, status)
        self._followers[changes] = infohash
        try:
            yield changes
        finally:
            del self._followers[changes]

    def removed(self, infohash: bytes) -> None:
        """
        Tell that a torrent was given up.
        """
        self._spread(infohash, None)

    def _changed(self, status: TorrentStatus) -> None:
        self._spread(status.infohash, status)

    def _spread(self, infohash: bytes, status: TorrentStatus | None) -> None:
        for changes, wanted in self._followers.items():
            if wanted in (None, infohash):
                changes.put(infohash, status)

    def close(self) -> None:
        """
        End the subscription.
        """
        if self._subscribed is not None:
            self._subscribed.unsubscribe(self._changed)
            self._subscribed = None
