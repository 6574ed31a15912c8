"""
LAN direct download: a download without anonymity is tried at the local peers, whatever trackers and DHT say.

Only downloads with hops 0, ever, and no torrents that are marked private (BEP 27). Whom it is tried at learns its
infohash, as by libtorrent's own local service discovery, but only from a verified peer, at its own address.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from .errors import find, guarded

if TYPE_CHECKING:
    from .neighbours import Neighbours

logger = logging.getLogger(__name__)

RETRY: Final = 30.0
"""Seconds until the same peer is tried again for a download: it may have got it since."""

MOST_PEERS: Final = 20
"""Peers that one download is tried at in one round. Stops a large LAN from taking all connections of a download."""

UNFINISHED: Final = frozenset({"METADATA", "DOWNLOADING"})
"""Names of the states of a download that wants data."""


class LanDownloads:
    """
    Tries unfinished downloads at local peers. `now` is in seconds of a monotonic clock.
    """

    def __init__(self, neighbours: Neighbours, download_manager: Any) -> None:  # noqa: ANN401
        """
        Look after the downloads of this manager.

        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        self.neighbours = neighbours
        self.download_manager = download_manager
        find(download_manager, "get_downloads")
        self.tried: dict[tuple[bytes, tuple[str, int]], float] = {}

    @guarded("LAN direct download")
    def step(self, now: float) -> None:
        """
        Try what wants data; call it about every second.
        """
        self.tried = {key: when for key, when in self.tried.items() if now - when < RETRY}
        addresses = [address for peer in self.neighbours.peers()
                     for address in self.neighbours.addresses(peer, "libtorrent")[:1]]
        if not addresses:
            return
        for download in self.download_manager.get_downloads():
            if self.wanted(download):
                self.try_at(download, addresses, now)

    @staticmethod
    def wanted(download: Any) -> bool:  # noqa: ANN401
        """
        May this download be tried on the LAN, and does it want data?
        """
        if download.config.get_hops() != 0 or download.handle is None or not download.handle.is_valid():
            return False
        information = download.tdef.torrent_info
        if information is not None and information.priv():
            return False
        return download.get_state().get_status().name in UNFINISHED

    def try_at(self, download: Any, addresses: list[tuple[str, int]], now: float) -> None:  # noqa: ANN401
        """
        Give libtorrent the addresses it was not given of late.
        """
        infohash = download.tdef.infohash
        fresh = [address for address in addresses if (infohash, address) not in self.tried]
        for address in fresh[:MOST_PEERS]:
            self.tried[infohash, address] = now
            download.add_peer(address)
