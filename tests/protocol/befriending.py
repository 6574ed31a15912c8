"""Friends on the simulated LAN: nodes with books, what they decide, what they think of each other."""
from __future__ import annotations

from typing import TYPE_CHECKING

from tribler_multicast.protocol.events import FriendChanged
from tribler_multicast.protocol.friends import Bond, MemoryBook
from tribler_multicast.protocol.wire import Kind, channel_of

from .simulated import SimulatedLan

if TYPE_CHECKING:
    from .simulated import Node

UNICAST4 = channel_of(4, False)
UNIX_MS = 1_700_000_000_000
AGREED = {("none", "none"), ("sent", "received"), ("received", "sent"), ("mutual", "mutual")}


def meet(count: int = 2, seed: int = 1, **kwargs: object) -> tuple[SimulatedLan, list[Node]]:
    """Make nodes that hold each other as local, each with a book that outlasts its restarts."""
    lan = SimulatedLan(seed=seed)
    nodes = [lan.node(book=MemoryBook(), **kwargs) for _ in range(count)]
    lan.run(6)
    assert all(one.knows(other) for one in nodes for other in nodes if one is not other)
    lan.wire.clear()
    return lan, nodes


def ask(node: Node, other: Node) -> None:
    node.core.friends.ask(other.identity.key, UNIX_MS + int(1000 * node.lan.now), node.lan.now)
    node.flush()


def withdraw(node: Node, other: Node) -> None:
    node.core.friends.withdraw(other.identity.key, UNIX_MS + int(1000 * node.lan.now), node.lan.now)
    node.flush()


def bond(node: Node, other: Node) -> Bond:
    return node.core.friends.book.read(other.identity.key)


def states(one: Node, other: Node) -> tuple[str, str]:
    return bond(one, other).state, bond(other, one).state


def befriend(one: Node, other: Node) -> None:
    """Let both ask, and the answers come."""
    ask(one, other)
    ask(other, one)
    one.lan.run(1)
    assert states(one, other) == ("mutual", "mutual")


def told(node: Node) -> list[str]:
    return [event.friend for _, event in node.history if isinstance(event, FriendChanged)]


def friend_payload(verdict: int, serial: int, about: int, flags: int = 0) -> bytes:
    return bytes((flags, verdict)) + serial.to_bytes(8, "big") + about.to_bytes(8, "big")


def say(node: Node, other: Node, payload: bytes) -> bytes:
    """Let a node send a FRIEND that its code would never send."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    data = node.core.outbox.writer.datagram(Kind.FRIEND, UNICAST4, payload, pair_key=peer.pair_key)
    node.lan.transmit(node, 4, node.address(), other.address(), data)
    return data
