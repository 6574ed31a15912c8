"""
The standalone node as the hosting client: a P2P client that has nothing to offer yet.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..client import Activity, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..client import Result
    from ..torrents import Torrents


class StandaloneClient:
    """
    What the plugin sees of a node without Tribler.
    """

    name = "standalone"

    def __init__(self) -> None:
        """
        Begin with nothing to offer.
        """
        self.torrents: Torrents | None = None

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

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Find nothing: this node has no catalogue.
        """
        return []

    def streams(self) -> list[Result]:
        """
        List nothing: this node streams nothing.
        """
        return []

    def activity(self) -> Activity:
        """
        Be idle.
        """
        return Activity()

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Refuse: there is nothing to download with.
        """
        message = "this node has no BitTorrent client"
        raise ClientError(message)

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Refuse: nothing is shared.
        """
        message = "this node shares no files"
        raise ClientError(message, 404)
