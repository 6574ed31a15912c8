"""
What is around the weather of a node: its home, its client, and the way to all others.
"""
from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..lan.gateways import hardware_addresses
from ..protocol.events import WeatherReceived
from ..protocol.wire import IPV4
from ..weather.crowd import HIGH
from ..weather.service.service import Home, WeatherService
from ..weather.summary import Both

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..client import Client, Traffic
    from ..protocol.events import WeatherOverheard
    from .activity import Activities
    from .multicast import MulticastCommunity

MOST_ROUTERS: Final = 16
"""Gateways whose hardware addresses are remembered."""
HARDWARE_EACH: Final = 5.0
"""Seconds for which the kernel's list of neighbours is good."""


class WeatherRoom:
    """
    What is around the weather of this node: `weather.service.service.Surroundings`.
    """

    def __init__(self, community: MulticastCommunity, client: Client, activities: Activities,
                 options: Mapping[str, Any]) -> None:
        """
        Ride on a community; it starts and ends with that.
        """
        self.community = community
        self.client = client
        self.activities = activities
        self.service = WeatherService(self, options)
        self._hardware: dict[str, str] = {}
        self._hardware_at = -HARDWARE_EACH
        self._routers: dict[tuple[str, str, str], str] = {}
        community.weather = self

    # What the service asks

    def home(self) -> Home | None:
        """
        Get the interface with the default gateway, the first of several.
        """
        if not self.community.running:
            return None
        for (index, family), link in sorted(self.community.lan.links.items()):
            if family == IPV4 and link.address is not None and link.gateways:
                router = link.gateways[0]
                place = link.interface.name, link.address[0], router.ip
                if router.hardware_address is not None:
                    self._routers[place] = router.hardware_address
                    while len(self._routers) > MOST_ROUTERS:
                        del self._routers[next(iter(self._routers))]
                # The kernel forgets neighbours it has not heard of for a while; they are still the same.
                return Home(link.interface.name, index, link.address[0], router.ip, self._routers.get(place, router.ip),
                            is_silent=link.silent)
        return None

    def activity(self) -> str:
        """
        Get what was declared, else what the client does.
        """
        return self.activities.current(time.monotonic())[0].kind

    def declared(self) -> Both | None:
        """
        Get the rates of a stream that was declared.
        """
        _, until = self.activities.current(time.monotonic())
        declared = self.activities.declared
        if until is None or declared is None or declared.activity.kind not in HIGH:
            return None
        return Both(declared.activity.up or 0.0, declared.activity.down or 0.0)

    def traffic(self) -> Traffic:
        """
        Get what the client moves.
        """
        traffic = self.client.traffic()
        if self.community.carried is not None and self.community.carried.is_moving():
            # Its data has sockets of its own; while there is some, what others move can't be told from it.
            return replace(traffic, more_up=math.inf, more_down=math.inf)
        return traffic

    def limit(self, up: float | None, down: float | None) -> None:
        """
        Limit its bulk traffic.
        """
        self.client.limit_bulk(up, down)

    def say(self, home: Home, payload: bytes, *, anyway: bool) -> None:
        """
        Say it by multicast.
        """
        self.community.core.weather.say(home.number, payload, anyway=anyway)
        self.community.pump()

    def tell(self, topic: str, **kwargs: object) -> None:
        """
        Tell handlers and the client.
        """
        self.community.tell(topic, **kwargs)

    # What the community says

    def take(self, event: WeatherReceived | WeatherOverheard) -> None:
        """
        Take what a peer said, or, where we only listen, anybody. Who it is on the LAN is known by its hardware address,
        where the kernel tells.
        """
        now = time.monotonic()
        if now - self._hardware_at >= HARDWARE_EACH:
            self._hardware_at = now
            self._hardware = hardware_addresses()
        address = event.address.partition("%")[0]
        host = self._hardware.get(address, address)
        if isinstance(event, WeatherReceived):
            self.service.heard(event.peer.mid, host, event.payload)
        elif self.service.home is not None and self.service.home.is_silent:
            self.service.heard(event.mid, host, event.payload, verified=False)
