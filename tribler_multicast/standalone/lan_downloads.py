"""
LAN direct download: what is downloaded here is tried at the local nodes too, whatever trackers and DHT say.

Never what is private (BEP 27). Whom it is tried at learns its infohash, as by local service discovery (BEP 14), but
only a verified node, at its own address, and one that this node talks with at all (setting `policy`).
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError

if TYPE_CHECKING:
    from ..community.multicast import MulticastCommunity
    from ..torrents import Torrents, TorrentStatus

logger = logging.getLogger(__name__)

RETRY: Final = 30.0
"""Seconds until the same node is tried again for a download: it may have got it since."""

MOST_PEERS: Final = 20
"""Nodes that one download is tried at in one round. Stops a large LAN from taking all connections of a download."""

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
        self._tried: dict[bytes, dict[tuple[str, int], float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """
        Begin.
        """
        self._torrents.subscribe(self._changed)
        self._community.add_introduction_handler(self._came)

    def close(self) -> None:
        """
        End.
        """
        self._torrents.unsubscribe(self._changed)
        self._community.remove_introduction_handler(self._came)
        for task in self._tasks:
            task.cancel()

    def _came(self, peer: Any) -> None:  # noqa: ANN401
        """
        A node came, or says something new of itself, such as where its BitTorrent listens.
        """
        for status in self._torrents.status():
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
        fresh = [address for address in self._addresses() if address not in tried][:MOST_PEERS]
        self._tried[status.infohash] = {**tried, **dict.fromkeys(fresh, now)}
        if fresh:
            task = asyncio.ensure_future(self._try(status.infohash, fresh))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _addresses(self) -> list[tuple[str, int]]:
        """
        Get where BitTorrent of the local nodes listens that this node talks with, one address each.
        """
        core = self._community.core
        allowed = {peer.mid for peer in core.peers if core.policy.allows(peer)}
        return [address for peer in self._community.local_peers() if peer.mid in allowed
                for address in self._community.torrent_addresses(peer)[:1]]

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
