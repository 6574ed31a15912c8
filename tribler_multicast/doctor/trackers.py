"""
What the doctor finds about the tracker of this node.
"""
from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings


def tracker(options: Settings, error: str | None = None) -> Iterator[Finding]:
    """
    Is the tracker served where it is wanted, and who can ask it? Nothing is found where none is wanted.

    :param error: what keeps it from being served; empty: nothing, None: nobody knows.
    """
    if not options["tracker_enabled"]:
        return
    host, port = options["tracker_host"], options["tracker_port"]
    if error:
        yield Finding(error, "error", "Choose another one: tribler-multicast settings tracker_port=...")
        return
    try:
        is_open = not ip_address(host).is_loopback
    except ValueError:
        yield Finding(f"tracker_host is no IP address: {host}", "error",
                      "tribler-multicast settings tracker_host=127.0.0.1")
        return
    if is_open:
        yield Finding(f"the tracker is open to the local network at {host}, port {port}: whoever asks there by an "
                      "infohash learns who takes part", "info",
                      "For this machine alone: tribler-multicast settings tracker_host=127.0.0.1")
    elif error is not None:
        yield Finding(f"BitTorrent clients of this machine can use the tracker at http://{host}:{port}/announce", "ok")
