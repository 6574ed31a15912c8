"""
Which peers of torrents are on the LAN, and what goes to all others. Handles are libtorrent's, whoever loaded that.
"""
from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .pacing import acknowledged

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

LAN_RANGES: Final = (("10.0.0.0", "10.255.255.255"), ("172.16.0.0", "172.31.255.255"),
                     ("192.168.0.0", "192.168.255.255"), ("169.254.0.0", "169.254.255.255"),
                     ("127.0.0.0", "127.255.255.255"), ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                     ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("::1", "::1"))
LAN_ADDRESSES: Final[list[tuple[Any, Any]]] = [(ip_address(first), ip_address(last)) for first, last in LAN_RANGES]

HEADERS: Final = 1.05
"""What a link carries of each byte of a torrent: headers, acknowledgements of the protocol."""
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


class Meter:
    """
    Measures it, by what libtorrent counted between two looks, its own rates are means of many seconds; and of what is
    sent by TCP, by what was acknowledged, where the kernel tells.
    """

    def __init__(self) -> None:
        """
        Begin with nothing.
        """
        self._before: dict[tuple[Hashable, str, int], tuple[int, int]] = {}
        self._acked: dict[tuple[str, int], int] = {}
        self._looked_at: float | None = None

    def look(self, now: float, handles: Mapping[Any, Any]) -> dict[Any, Moved]:
        """
        Add up what goes to and comes from peers beyond the LAN since the last look, by the key of each handle. Asks
        libtorrent's thread, so not to be called on an event loop; and by one caller at a time.
        """
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        scale = HEADERS / passed if passed > 0 else 0.0
        counted: dict[tuple[Hashable, str, int], tuple[int, int]] = {}
        moved = {}
        every = {key: _peers(handle) for key, handle in handles.items()}
        acked = acknowledged({(peer.ip[0], peer.ip[1]) for peers in every.values() for peer in peers})
        for key, infos in every.items():
            up = down = 0
            peers: set[tuple[str, int]] = set()
            for info in infos:
                peer = info.ip[0], info.ip[1]
                now_counted = counted[key, *peer] = info.total_upload, info.total_download
                before = self._before.get((key, *peer), now_counted)
                down += max(0, now_counted[1] - before[1])
                if peer in acked:  # by TCP: what the client gave to the kernel is no matter
                    up += max(0, acked[peer] - self._acked.get(peer, acked[peer]))
                else:
                    up += max(0, now_counted[0] - before[0])
                if len(peers) < MOST_PEERS:
                    peers.add(peer)
            moved[key] = Moved(up * scale, down * scale, frozenset(peers))
        self._before, self._acked = counted, acked
        return moved


def _peers(handle: Any) -> list[Any]:  # noqa: ANN401
    try:
        return [peer for peer in handle.get_peer_info() if not is_on_lan(peer.ip[0])]
    except RuntimeError:  # it is gone
        return []
