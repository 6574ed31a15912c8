"""
The links that we send by: each is opened when it is wanted, watched by a canary, and given up when nothing is sent.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from ...lan.options import current
from .canary import Canary
from .limits import LINK_IDLE
from .load import InterfaceLoad
from .sending import SendingLink

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ...lan.interfaces import Interface
    from .courier import Courier, LinkKey, Options

logger = logging.getLogger(__name__)

PORTS: Final = 16
"""The first free of so many ports from the control port on is taken for data: a firewall needs one range."""


def data_ports(options: Options) -> tuple[int, ...]:
    """
    Get the ports to try for a data socket; 0: any.
    """
    first = options.get("control_port", 32110)
    return (*range(first, first + PORTS), 0)


class SendingLinks:
    """
    By interface and family.
    """

    def __init__(self, courier: Courier, options: Options,
                 receivers: Callable[[SendingLink], Collection[bytes]]) -> None:
        """
        Open none yet.

        :param receivers: gets who receives by a link.
        """
        self.courier = courier
        self.options = options
        self.receivers = receivers
        self.open: dict[LinkKey, SendingLink] = {}
        self._loads: dict[str, InterfaceLoad] = {}
        """The traffic of others, by interface: both families of one share it."""

    def get(self, key: LinkKey) -> SendingLink | None:
        """
        Get a link; None when it can't be sent by.
        """
        if key not in self.open:
            interface = self.courier.interface(key)
            if interface is None:
                return None
            try:
                link = SendingLink(key, interface, current(), data_ports(self.options), self._load(interface))
            except OSError as error:
                logger.warning("No data socket on %s: %s", interface.name, error)
                return None
            link.limit(self.options.get("transfer_rate", 0))
            canary = Canary(self.courier, key, link.rate, lambda: link.is_used and link.is_busy,
                            lambda: self.receivers(link))
            link.canary = asyncio.get_running_loop().create_task(canary.run())
            self.open[key] = link
        return self.open[key]

    def _load(self, interface: Interface) -> InterfaceLoad | None:
        if interface.loopback:
            return None  # Its counters have what this machine says to itself, and there is nothing to share.
        if not any(link.interface.name == interface.name for link in self.open.values()):
            self._loads[interface.name] = InterfaceLoad(interface.name, asyncio.get_running_loop().time())
        return self._loads[interface.name]

    def tick(self, now: float) -> None:
        """
        Take the rate that is set, and give up what is not used.
        """
        for link in list(self.open.values()):
            link.limit(self.options.get("transfer_rate", 0))
            if not link.is_used and now - link.used > LINK_IDLE:
                self.close(link)

    def changed(self) -> list[SendingLink]:
        """
        Get the links that are gone, or have another address.
        """
        found = []
        for key, link in self.open.items():
            interface = self.courier.interface(key)
            if interface is None or interface.address(key[1]) != link.interface.address(key[1]):
                found.append(link)
        return found

    def close(self, link: SendingLink | None = None) -> None:
        """
        Close one, or all.
        """
        for each in list(self.open.values()) if link is None else [link]:
            self.open.pop(each.key, None)
            each.close()
