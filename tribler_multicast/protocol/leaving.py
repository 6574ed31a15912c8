"""Saying goodbye: on all links when a node ends, on some when it is to be seen there no more."""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .wire import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .core import MulticastProtocol
    from .peers import LinkKey

GOODBYE_COPIES: Final = 2
MAX_UNICAST_GOODBYES: Final = 256


class Leaving:
    """
    The goodbyes of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core

    def say_goodbye(self, links: Iterable[LinkKey]) -> None:
        """
        Say goodbye on these links, by multicast and to each peer by unicast.
        """
        leaving = set(links)
        for key in sorted(leaving) * GOODBYE_COPIES:
            self.core.outbox.multicast(Kind.GOODBYE, key, b"")
        for peer in list(self.core.peers)[:MAX_UNICAST_GOODBYES]:
            for path in peer.paths.values():
                if path.link in leaving:
                    self.core.outbox.to_peer(Kind.GOODBYE, peer, path.link, path.address, b"")

    def leave(self, links: Iterable[LinkKey], now: float) -> None:
        """
        Say goodbye on some links before they fall silent, forget who is there, and be found again on the others: to
        those who hear it a goodbye counts for all links.
        """
        leaving = set(links) & set(self.core.links)
        if self.core.started is None or not leaving:
            return
        self.say_goodbye(leaving)
        for peer in self.core.peers:
            for link in leaving & set(peer.paths):
                self.core.drop_path(peer, link, "interface")
        self.core.introducer.begin_on([key for key in self.core.links if key not in leaving], now)
