"""
Whether this node is seen on a network: visible, only listening, or off, chosen by the network's default gateway.
"""
from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

from .gateways import Gateway, Gateways, of_interface, read_linux, read_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .interfaces import Interface

VISIBLE: Final = "visible"
LISTEN: Final = "listen"
OFF: Final = "off"
STRICTNESS: Final = (VISIBLE, LISTEN, OFF)

GRACE: Final = 2.0
"""Seconds that a network without a gateway is only listened to, when networks have rules: addresses come before routes,
and nothing must be said in between."""

LOOK_AGAIN: Final = 1.0
"""Seconds until a gateway whose hardware address a rule may ask for is looked at again."""

TOOLS_INTERVAL: Final = 10.0
"""Seconds between two runs of the tools of macOS and Windows."""


def strictest(visibilities: Iterable[str]) -> str:
    """
    Get the strictest of several.
    """
    return max(visibilities, key=STRICTNESS.index)


def is_undecided(gateways: Sequence[Gateway], rules: Mapping[str, str]) -> bool:
    """
    Tell whether a rule may hold for a gateway, but its hardware address is not known yet.
    """
    return (bool(gateways) and all(gateway.hardware_address is None for gateway in gateways)
            and any(key.count(":") == 5 and len(key) == 17 for key in rules)
            and not any(gateway.ip in rules for gateway in gateways))


def decide(gateways: Sequence[Gateway], general: str, rules: Mapping[str, str]) -> str:
    """
    Get the visibility on a network with these gateways: the strictest rule for one of them, else the general one.

    While no hardware address is known the strictest rule for one may hold, and counts.
    """
    matching = [rules[key] for gateway in gateways for key in gateway if key is not None and key in rules]
    if matching:
        return strictest(matching)
    if is_undecided(gateways, rules):
        return strictest([general, *(visibility for key, visibility in rules.items() if key.count(":") == 5)])
    return general


class Visibility:
    """
    The visibility on each interface, and the gateways that decide it.
    """

    def __init__(self, look_in: Callable[[float], None],
                 read: Callable[[Iterable[Interface]], Gateways] | None = None) -> None:
        """
        Ask by `look_in` to be looked at again; `read` gets the gateways (default: as this system tells them).
        """
        self.look_in = look_in
        self.read = read_linux if read is None and sys.platform.startswith("linux") else read
        self.gateways: Gateways = {}
        self.known: dict[int, tuple[object, float]] = {}
        self.reading: asyncio.Future[Gateways] | None = None
        self.read_at = -TOOLS_INTERVAL

    def refresh(self, interfaces: list[Interface]) -> None:
        """
        Read the gateways again: at once where that is quick, in a thread where other programs have to be asked.
        """
        indices = {interface.index for interface in interfaces}
        self.known = {index: known for index, known in self.known.items() if index in indices}
        if self.read is not None:
            self.gateways = self.read(interfaces)
        elif self.reading is None and time.monotonic() >= self.read_at + TOOLS_INTERVAL:
            self.read_at = time.monotonic()
            self.reading = asyncio.ensure_future(asyncio.to_thread(read_tools))
            self.reading.add_done_callback(self.take)

    def take(self, done: asyncio.Future[Gateways]) -> None:
        """
        Take what the thread read.
        """
        self.reading = None
        if not done.cancelled() and done.exception() is None:
            if done.result() != self.gateways:
                self.look_in(0.0)
            self.gateways = done.result()

    def of(self, interface: Interface, general: str, rules: Mapping[str, str]) -> tuple[str, tuple[Gateway, ...]]:
        """
        Get the visibility on an interface now, and its gateways.
        """
        gateways = of_interface(self.gateways, interface)
        if not rules or interface.loopback:
            return general, gateways
        place = interface.ipv4, interface.ipv6, tuple(gateway.ip for gateway in gateways)
        known = self.known.get(interface.index)
        if known is None or known[0] != place:
            known = self.known[interface.index] = place, time.monotonic()
        left = known[1] + GRACE - time.monotonic()
        if not gateways and left > 0:
            self.look_in(left + 0.01)
            return strictest([general, LISTEN]), gateways
        if is_undecided(gateways, rules):
            self.look_in(LOOK_AGAIN)
        return decide(gateways, general, rules), gateways
