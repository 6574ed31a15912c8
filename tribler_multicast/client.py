"""What a hosting P2P client offers to the plugin: Tribler, or a client of our own."""
from __future__ import annotations

from typing import Protocol


class Client(Protocol):
    """
    The client around the plugin.
    """

    name: str
    """`tribler` or `standalone`."""

    def capabilities(self) -> frozenset[str]:
        """
        Get what this client offers to others, in the words of `protocol.introduction.CAPABILITIES`.
        """

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Get where the client's own services listen, as (`ipv8` or `libtorrent`, IP address, port).
        """

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Tell the client's user interface that something happened. Arguments are JSON values.
        """

    async def download(self, infohash: bytes, addresses: list[tuple[str, int]]) -> None:
        """
        Download a torrent without anonymity, from these BitTorrent peers (IP address, port) first.

        :raises NotImplementedError: when this client downloads no torrents.
        """
