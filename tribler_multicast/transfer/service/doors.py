"""
Where data may come in: on each interface one port, for IPv4 and IPv6, so that the sender chooses by which of them.

All receivers of an interface are to meet in one session. Which family a peer is verified by first is chance.
"""
from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final

from ...lan.interfaces import IPV4, IPV6
from ...lan.options import current
from .incoming import DataSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from .courier import Courier, LinkKey

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""Times that any free port of one family is tried for the other, too."""


class Doors:
    """
    The data sockets of one who asks to be let in.
    """

    def __init__(self, courier: Courier, ports: Callable[[], tuple[int, ...]]) -> None:
        """
        Open none yet.

        :param ports: gives the ports to try; 0: any.
        """
        self.courier = courier
        self.ports = ports
        self._open: dict[int, dict[int, DataSocket]] = {}

    def port(self, link: LinkKey) -> int | None:
        """
        Get the port of a link, open from now on; None when there can be none.
        """
        index, family = link
        if family not in self._open.get(index, {}):
            self._close(index)
            for port in (*self.ports(), *(0,) * TRIES):
                found = self._try(index, port)
                if found is not None:
                    self._open[index] = found
                    break
        socket = self._open.get(index, {}).get(family)
        return None if socket is None else socket.port

    def _try(self, index: int, port: int) -> dict[int, DataSocket] | None:
        """
        Open both families, or the one that there is; None when the port is taken in one of them.
        """
        found: dict[int, DataSocket] = {}
        for family in (IPV4, IPV6):
            key = index, family
            interface = self.courier.interface(key)
            if interface is None:
                continue
            try:
                found[family] = DataSocket(key, interface, self.courier.networks(key), current(), (port,))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    for each in found.values():
                        each.close()
                    return None
                logger.debug("No data socket on %s (IPv%d): %s", interface.name, family, error)
            else:
                port = found[family].port
        return found

    def take(self, link: LinkKey) -> DataSocket | None:
        """
        Get the socket of a link, and close the others.
        """
        socket = self._open.get(link[0], {}).pop(link[1], None)
        self.close()
        return socket

    def _close(self, index: int) -> None:
        for socket in self._open.pop(index, {}).values():
            socket.close()

    def close(self) -> None:
        """
        Close them all.
        """
        for index in list(self._open):
            self._close(index)
