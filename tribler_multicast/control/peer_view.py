"""
What the database remembers of a peer and what the community knows of it now, in one view.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..community.receipts import credit_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..community.local_peer import LocalPeer
    from ..database import PeerDatabase, PeerRecord

PeerView = dict[str, Any]

FILTERS = {
    "local": lambda peer: peer["is_local"],
    "online": lambda peer: peer["online"],
    "friend": lambda peer: peer["friend"] == "mutual",
}
"""The flags of ``GET /peers``: name -> what is true of a peer that passes."""


def _addresses(addresses: Iterable[tuple[str, str, int]]) -> list[dict[str, str | int]]:
    """
    Addresses as the API shows them.
    """
    return [{"family": family, "ip": ip, "port": port} for family, ip, port in addresses]


def _milliseconds(value: float | None) -> float | None:
    """
    Milliseconds with the digits that mean something (microseconds).
    """
    return None if value is None else round(value, 3)


def remembered(record: PeerRecord) -> PeerView:
    """
    Show a peer that the database remembers. It answers nowhere as far as the database knows.
    """
    return {
        "mid": record.mid.hex(),
        "public_key": record.public_key.hex(),
        "nickname": record.nickname,
        "is_local": record.is_local,
        "was_local": record.was_local,
        "online": False,
        "addresses": _addresses(record.addresses),
        "interface": record.interface,
        "rtt_ms": _milliseconds(record.rtt_ms),
        "first_seen": record.first_seen,
        "last_seen": record.last_seen,
        "capabilities": sorted(record.capabilities),
        "friend": record.friend,
        "activity": None,
        "up": None,
        "down": None,
        "total_up": record.total_up,
        "total_down": record.total_down,
        "helped_up": record.helped_up,
        "helped_down": record.helped_down,
        "named_at": record.named_at,
        "receipt_given": record.receipt_given,
        "receipt_taken": record.receipt_taken,
        "credit": credit_of(record, time.time()),
    }


def live(peer: LocalPeer, known: PeerView | None = None) -> PeerView:
    """
    Show a peer that is verified local now; what only the database knows comes from ``known``.
    """
    return {
        "mid": peer.mid.hex(),
        "public_key": peer.public_key.hex(),
        "nickname": peer.nickname,
        "is_local": True,
        "was_local": True,
        "online": True,
        "addresses": _addresses(peer.addresses),
        "interface": peer.interface,
        "rtt_ms": _milliseconds(None if peer.rtt is None else peer.rtt * 1000),
        "first_seen": peer.first_seen if known is None else min(peer.first_seen, known["first_seen"]),
        "last_seen": peer.last_seen,
        "capabilities": sorted(peer.capabilities),
        "friend": peer.friend,
        "activity": None,
        "up": None,
        "down": None,
        "total_up": None if known is None else known["total_up"],
        "total_down": None if known is None else known["total_down"],
        "helped_up": None if known is None else known["helped_up"],
        "helped_down": None if known is None else known["helped_down"],
        "named_at": None if known is None else known["named_at"],
        "receipt_given": None if known is None else known["receipt_given"],
        "receipt_taken": None if known is None else known["receipt_taken"],
        "credit": None if known is None else known["credit"],
    }


def merge(records: Iterable[PeerRecord], peers: Iterable[LocalPeer]) -> list[PeerView]:
    """
    Merge both sources. Local ones come first, then the one seen last.

    The community is right about what is local now: the database may lag behind it by a write.
    """
    views: dict[str, PeerView] = {}
    for record in records:
        view = remembered(record)
        view["is_local"] = False
        views[view["mid"]] = view
    for peer in peers:
        mid = peer.mid.hex()
        views[mid] = live(peer, views.get(mid))
    return sorted(views.values(), key=lambda view: (not view["is_local"], -view["last_seen"], view["mid"]))


def all_peers(database: PeerDatabase | None, peers: Iterable[LocalPeer]) -> list[PeerView]:
    """
    Every peer known now or remembered.
    """
    return merge(database.peers() if database is not None else (), peers)
