"""
The standalone node as the hosting client: a P2P client that has nothing to offer yet.
"""
from __future__ import annotations


class StandaloneClient:
    """
    What the plugin sees of a node without Tribler.
    """

    name = "standalone"

    def capabilities(self) -> frozenset[str]:
        """
        What this node can do for others. It claims nothing that it does not do.
        """
        return frozenset()

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Addresses of other parts, as (kind, ip, port). There are none.
        """
        return []

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Hear of an event. The REST API tells it to whoever listens; nobody else wants to know.
        """

    async def download(self, infohash: bytes, addresses: list[tuple[str, int]]) -> None:
        """
        Download a torrent: not yet.
        """
        raise NotImplementedError
