"""
Services on this machine, on lo, joined by a courier that hands control messages from one to the other.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.lan.interfaces import Interface, snapshot
from tribler_multicast.protocol.identity import Identity, mid_of
from tribler_multicast.transfer.service.courier import Path
from tribler_multicast.transfer.service.service import TransferService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path as FilePath

    from tribler_multicast.protocol.wire import Kind
    from tribler_multicast.transfer.service.courier import LinkKey
    from tribler_multicast.transfer.service.transfer import Transfer

LO: LinkKey = (socket.if_nametoindex("lo"), 4)
LO6: LinkKey = (LO[0], 6)
ADDRESSES = {LO: "127.0.0.1", LO6: "::1"}
NETWORKS = {LO: ("127.0.0.0/8",), LO6: ("::1/128",)}
T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which a test fails."""


class Said:
    """
    A control message on its way.
    """

    def __init__(self, sender: Node, receiver: Node, kind: Kind, payload: bytes, link: LinkKey) -> None:
        self.sender, self.receiver, self.kind, self.payload, self.link = sender, receiver, kind, payload, link


class Wire:
    """
    Carries messages between nodes, in order, soon; `drops` tells which get lost.
    """

    def __init__(self) -> None:
        self.nodes: dict[bytes, Node] = {}
        self.said: list[Said] = []
        self.drops: Callable[[Said], bool] = lambda said: False
        self.strangers: set[tuple[bytes, bytes]] = set()
        """Who is not allowed to get anything from whom."""

    def carry(self, said: Said) -> None:
        self.said.append(said)
        if not self.drops(said):
            asyncio.get_running_loop().call_soon(self.deliver, said)

    def deliver(self, said: Said) -> None:
        node = self.nodes.get(said.receiver.mid)
        if node is said.receiver and node.service is not None:
            node.service.message_received(said.sender.mid, said.kind, said.payload, said.link, time.monotonic())

    def kinds(self) -> list[str]:
        return [said.kind.name for said in self.said]


class Node:
    """
    A courier with its service; a second `start` is the same node after a restart.
    """

    def __init__(self, wire: Wire, folder: FilePath, *, remembers: bool = True, **options: object) -> None:
        self.wire = wire
        self.folder = folder / "state" if remembers else None
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.identity = Identity(default_eccrypto.generate_key("curve25519"))
        self.mid = mid_of(self.identity.key)
        self.options = options
        self.must_seal = False
        self.links = [LO]
        """By which others reach it and it reaches others, the best first."""
        self.events: list[tuple[str, str, float]] = []
        self.counted: list[tuple[bytes, int, int, bool]] = []
        """Bytes given and taken, as they were told: who, up, down, whether as a helper."""
        self.caught: set[bytes] = set()
        self.credit: dict[bytes, int] = {}
        """Bytes that others gave it more than they took."""
        self.service: TransferService | None = None
        self.up: Interface | None = next(each for each in snapshot() if each.name == "lo")

    async def start(self) -> TransferService:
        self.service = TransferService(self, self.options, folder=self.folder, tell=self.told)
        self.wire.nodes[self.mid] = self
        await self.service.start()
        for other in list(self.wire.nodes.values()):
            if other is not self and other.service is not None:
                other.service.neighbour_found(self.mid)
                self.service.neighbour_found(other.mid)
        return self.service

    async def stop(self) -> None:
        service, self.service = self.service, None
        if service is not None:
            await service.close()
        self.wire.nodes.pop(self.mid, None)

    def told(self, topic: str, **about: Any) -> None:  # noqa: ANN401
        assert topic == "multicast_transfer"
        self.events.append((about["id"], about["state"], about["progress"]))

    # The courier.

    def neighbours(self) -> list[bytes]:
        return [mid for mid in self.wire.nodes if mid != self.mid]

    def paths(self, mid: bytes) -> list[Path]:
        return [Path(link, ADDRESSES[link]) for link in self.links] if mid in self.wire.nodes else []

    def send(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey | None = None) -> bool:
        other = self.wire.nodes.get(mid)
        if other is None:
            return False
        self.wire.carry(Said(self, other, kind, bytes(payload), link or self.links[0]))
        return True

    def may(self, mid: bytes) -> bool:
        return (self.mid, mid) not in self.wire.strangers

    def count(self, mid: bytes, *, up: int = 0, down: int = 0, helped: bool = False) -> None:
        self.counted.append((mid, up, down, helped))

    def standing(self, mid: bytes) -> int:
        return self.credit.get(mid, 0)

    def set_named(self, mid: bytes) -> None:
        self.caught.add(mid)

    def named(self) -> frozenset[bytes]:
        return frozenset(self.caught)

    def interface(self, link: LinkKey) -> Interface | None:
        return self.up if link in self.links else None

    def networks(self, link: LinkKey) -> tuple[str, ...]:
        return NETWORKS.get(link, ())

    async def round_trip(self, mid: bytes, link: LinkKey) -> float | None:
        return None


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """
    Wait until something holds.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        await asyncio.sleep(0.01)


async def soon(awaitable: Awaitable[T]) -> T:
    """
    Wait for something, not for ever.
    """
    return await asyncio.wait_for(awaitable, PATIENCE)


async def done(transfer: Transfer) -> Transfer:
    """
    Wait until a transfer is over, well.
    """
    await soon(transfer.wait())
    assert transfer.state == "done", (transfer.state, transfer.error)
    return transfer
