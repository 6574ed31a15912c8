"""
The peer to compare with: a service of python-zeroconf (PyPI) that browses for its own kind.

    python zeroconf_peer.py NAME ADDRESS

Prints "ready" when it is loaded, before it registers, "registered" after that, and "found OTHER" for each other
service as soon as it hears of it. Ends with a goodbye on SIGTERM.
"""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

if TYPE_CHECKING:
    from types import FrameType

KIND = "_tm-bench._udp.local."


class Found(ServiceListener):
    """
    Prints what is found.
    """

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """
        Print a name. Its address is not asked for here: that would only cost more time.
        """
        print("found", name.removesuffix("." + KIND), flush=True)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """
        Nothing new.
        """

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """
        Print who left.
        """
        print("lost", name.removesuffix("." + KIND), flush=True)


def end(number: int, frame: FrameType | None) -> None:
    """
    Leave the wait below.
    """
    raise SystemExit(0)


def main() -> None:
    """
    Register, browse, wait.
    """
    name, address = sys.argv[1:]
    print("ready", flush=True)
    zeroconf = Zeroconf()
    try:
        browser = ServiceBrowser(zeroconf, KIND, Found())  # before the registration, which waits for its probes
        zeroconf.register_service(ServiceInfo(KIND, f"{name}.{KIND}", port=9, addresses=[socket.inet_aton(address)],
                                              server=f"{name}.local."))
        print("registered", flush=True)
        signal.signal(signal.SIGTERM, end)
        while browser.is_alive():
            signal.pause()
    finally:
        zeroconf.unregister_all_services()
        zeroconf.close()


if __name__ == "__main__":
    main()
