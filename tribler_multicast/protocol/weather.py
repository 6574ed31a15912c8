"""
Weather: what nodes say of the gateway and of their own traffic, by multicast, to verified peers.

The payload is the business of those above (`weather/summary.py`). Here is who is heard: verified peers from their
verified address, so many times a second; and by which links it is said: on one interface by one family when that
reaches all.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .events import WeatherReceived
from .wire import IPV4, IPV6, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState
    from .wire import Header


class WeatherTalk:
    """
    The weather of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core

    def say(self, index: int, payload: bytes, *, anyway: bool = False) -> None:
        """
        Say it to all on an interface, by its index. With no peer there nothing is said, unless it is to be said
        `anyway`: there may be nodes that only listen.
        """
        if self.core.started is not None:
            links = self.links(index)
            if anyway and not links:
                links = [key for key in ((index, IPV4), (index, IPV6)) if key in self.core.links][:1]
            for link in links:
                self.core.outbox.multicast(Kind.WEATHER, link, payload)

    def links(self, index: int) -> list[LinkKey]:
        """
        Get the links that reach all peers on an interface.
        """
        reached = [{path.link[1] for path in peer.paths.values() if path.link[0] == index} for peer in self.core.peers]
        families = [each for each in reached if each]
        for family in (IPV4, IPV6):
            if families and all(family in each for each in families):
                return [(index, family)] if (index, family) in self.core.links else []
        return [key for key in self.core.links if key[0] == index] if families else []

    def on_weather(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Hand on what a peer says.
        """
        self.core.events.append(WeatherReceived(peer, arrival.link, arrival.source[0], header.payload))
