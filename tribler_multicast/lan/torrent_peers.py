"""
Which peers of torrents are on the LAN, and what goes to all others. Handles are libtorrent's, whoever loaded that.
"""
from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, NamedTuple

LAN_RANGES: Final = (("10.0.0.0", "10.255.255.255"), ("172.16.0.0", "172.31.255.255"),
                     ("192.168.0.0", "192.168.255.255"), ("169.254.0.0", "169.254.255.255"),
                     ("127.0.0.0", "127.255.255.255"), ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                     ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("::1", "::1"))
LAN_ADDRESSES: Final[list[tuple[Any, Any]]] = [(ip_address(first), ip_address(last)) for first, last in LAN_RANGES]

MOST_PEERS: Final = 500
"""Peers that are named at all: more are not probed or paced."""


class Moved(NamedTuple):
    """
    What a torrent moves beyond the LAN, bytes/s, and with whom.
    """

    up: float = 0.0
    down: float = 0.0
    peers: frozenset[tuple[str, int]] = frozenset()


def is_on_lan(text: str) -> bool:
    """
    Tell whether a peer is on the LAN; what is no address is.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return True
    address = getattr(address, "ipv4_mapped", None) or address
    return any(first <= address <= last for first, last in LAN_ADDRESSES if first.version == address.version)


def moved(handle: Any) -> Moved:  # noqa: ANN401
    """
    Add up what goes to and comes from peers beyond the LAN. Asks libtorrent's thread, so not to be called on an event
    loop.
    """
    up = down = 0.0
    peers: set[tuple[str, int]] = set()
    try:
        found = handle.get_peer_info()
    except RuntimeError:  # it is gone
        found = []
    for peer in found:
        if not is_on_lan(peer.ip[0]):
            up += peer.up_speed
            down += peer.down_speed
            if len(peers) < MOST_PEERS:
                peers.add((peer.ip[0], peer.ip[1]))
    return Moved(up, down, frozenset(peers))
