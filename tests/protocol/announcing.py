"""Announcements on the simulated LAN: nodes that hold each other, what they say, what they hear."""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tribler_multicast.protocol.events import Announced
from tribler_multicast.protocol.fragments import Fragment, Head
from tribler_multicast.protocol.wire import channel_of

from .simulated import SimulatedLan

if TYPE_CHECKING:
    from tribler_multicast.protocol.wire import Kind

    from .simulated import Node

MULTICAST4 = channel_of(4, True)
PATIENCE = 14.0
"""Seconds after which nothing more comes of an announcement."""


def neighbours(count: int, loss: float = 0.0, seed: int = 1) -> tuple[SimulatedLan, list[Node]]:
    """Make nodes that hold each other as local, on a LAN that begins to lose datagrams then."""
    lan = SimulatedLan(seed=seed)
    nodes = [lan.node() for _ in range(count)]
    lan.run(6)
    assert all(one.knows(other) for one in nodes for other in nodes if one is not other)
    lan.loss = loss
    lan.wire.clear()
    return lan, nodes


def values_of(size: int, seed: int = 1) -> tuple[Any, ...]:
    """Make a tuple that packs into exactly so many bytes."""
    if size < 6:
        return (None,) * size
    return (Random(seed).randbytes(size - 5),)


def announce(node: Node, values: tuple[Any, ...]) -> int:
    number = node.core.announce(values, node.lan.now)
    node.flush()
    return number


def heard(node: Node, since: float = 0.0) -> list[tuple[Any, ...]]:
    return [event.values for when, event in node.history if isinstance(event, Announced) and when >= since]


def inject(lan: SimulatedLan, node: Node, kind: Kind, payload: bytes) -> bytes:
    """Let a node multicast what its code would never say, signed."""
    data = node.core.outbox.writer.datagram(kind, MULTICAST4, payload)
    lan.transmit(node, 4, node.address(), None, data)
    return data


def one_of(number: int, size: int, index: int = 0, fill: bytes = b"x") -> bytes:
    """Make one fragment of an announcement that never ends."""
    head = Head(number, size, bytes(32))
    return Fragment(head, index, fill * head.length(index)).pack()
