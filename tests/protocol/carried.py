"""What tests of the messages around coded transfers say and hear."""
from __future__ import annotations

from typing import TYPE_CHECKING

from tribler_multicast.protocol.events import CodedReceived
from tribler_multicast.protocol.wire import CODED_KINDS, Kind

if TYPE_CHECKING:
    from .simulated import Node

KINDS = sorted(CODED_KINDS)
OPEN = [kind for kind in KINDS if kind != Kind.OFFER]
LINK = (2, 4)
SECRET = b"which film somebody wants"


def heard(node: Node) -> list[tuple[bytes, Kind, bytes]]:
    return [(event.peer.mid, event.kind, event.payload) for _, event in node.history
            if isinstance(event, CodedReceived)]


def send(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, link: tuple[int, int] | None = None) -> bool:
    sent = node.core.coded.send(other.identity.mid, kind, payload, link, node.lan.now)
    node.flush()
    return sent


def say(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, sealed: bool = True) -> None:
    """Let a node send another one what its code would never say."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(kind, peer, LINK, other.address(), payload, sealed=sealed)
    node.flush()


def written(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, sealed: bool = True) -> bytes:
    """Get such a datagram without sending it."""
    say(node, other, kind, payload, sealed)
    *_, data = node.lan.wire.pop()
    node.lan.queue.clear()
    return data
