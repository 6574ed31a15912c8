"""
LAN direct download: what is downloaded here is tried at the local nodes too, whatever trackers and DHT say.

Never what is private (BEP 27). Whom it is tried at learns its infohash, as by local service discovery (BEP 14), but
only a verified node, at its own address, and one that this node talks with at all (setting `policy`).
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from ..client import ClientError

if TYPE_CHECKING:
    from ..community.local_peer import LocalPeer
    from ..community.multicast import MulticastCommunity
    from ..torrents import Torrents, TorrentStatus

logger = logging.getLogger(__name__)

RETRY: Final = 30.0
"""Seconds until the same node is tried again for a download: it may have got it since."""

MOST_PEERS: Final = 20
"""Nodes that one download is tried at in one round. Stops a large LAN from taking all connections of a download."""

SOON: Final = 0.3
"""Seconds until a node that came is tried: others come with it."""

UNFINISHED: Final = frozenset({"metadata", "downloading"})


class LanDownloads:
    """
    Tries unfinished downloads at local nodes: when one begins, while it goes on, and when a node comes.
    """

    def __init__(self, torrents: Torrents, community: MulticastCommunity) -> None:
        """
        Look after these torrents.
        """
        self._torrents = torrents
        self._community = community
        self._known: list[tuple[str, int]] = []
        self._tried: dict[bytes, dict[tuple[str, int], float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """
        Begin.
        """
        self._torrents.subscribe(self._changed)
        self._community.add_introduction_handler(self._came)
        self._look()

    def close(self) -> None:
        """
        End.
        """
        self._torrents.unsubscribe(self._changed)
        self._community.remove_introduction_handler(self._came)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _came(self, peer: LocalPeer) -> None:
        """
        A node came, or says something new of itself, such as where its BitTorrent listens: look soon, and try there
        whatever was tried before.
        """
        for address in self._community.torrent_addresses(peer):
            for tried in self._tried.values():
                tried.pop(address, None)
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() > loop.time() + SOON:
            self._timer.cancel()
            self._timer = loop.call_later(SOON, self._look)

    def _look(self) -> None:
        """
        See where BitTorrent of the local nodes listens that this node talks with, one address each, and try there what
        is unfinished. Not at each change of a torrent: with thousands of nodes that costs milliseconds.
        """
        self._timer = asyncio.get_running_loop().call_later(RETRY / 2, self._look)
        core = self._community.core
        allowed = {peer.mid for peer in core.peers if core.policy.allows(peer)}
        self._known = [address for peer in self._community.local_peers() if peer.mid in allowed
                       for address in self._community.torrent_addresses(peer)[:1]]
        statuses = self._torrents.status()
        here = {status.infohash for status in statuses}
        self._tried = {infohash: tried for infohash, tried in self._tried.items() if infohash in here}
        for status in statuses:
            self._changed(status)

    def _changed(self, status: TorrentStatus) -> None:
        """
        Try a download that wants data at the nodes it was not tried at of late.
        """
        if status.state not in UNFINISHED or status.private:
            self._tried.pop(status.infohash, None)
            return
        now = asyncio.get_running_loop().time()
        tried = {address: when for address, when in self._tried.get(status.infohash, {}).items() if now - when < RETRY}
        fresh = [address for address in self._known if address not in tried][:MOST_PEERS]
        self._tried[status.infohash] = {**tried, **dict.fromkeys(fresh, now)}
        if fresh:
            task = asyncio.ensure_future(self._try(status.infohash, fresh))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _try(self, infohash: bytes, addresses: list[tuple[str, int]]) -> None:
        """
        Give a download these addresses. One that is gone meanwhile needs none.
        """
        if all(status.infohash != infohash for status in self._torrents.status()):
            return
        try:
            await self._torrents.fetch(infohash, addresses)
        except ClientError as error:
            logger.info("The torrent %s is not tried at local nodes: %s", infohash.hex(), error)
