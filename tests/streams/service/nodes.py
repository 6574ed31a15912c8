"""
Live services on this machine, on lo, joined by a courier that hands control messages from one to the other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.transfer.service.nodes import Node, Said, Wire, soon, until
from tribler_multicast.streams.service.service import LiveService

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast.streams.log import StreamLog

__all__ = ["LiveNode", "LiveWire", "read_all", "soon", "until"]


class LiveWire(Wire):
    """
    Carries messages between nodes.
    """

    def deliver(self, said: Said) -> None:
        node = self.nodes.get(said.receiver.mid)
        if node is said.receiver and isinstance(node, LiveNode):
            node.live.message_received(said.sender.mid, said.kind, said.payload, said.link)


class LiveNode(Node):
    """
    A courier with its live streams.
    """

    def __init__(self, wire: LiveWire, folder: Path, **options: object) -> None:
        super().__init__(wire, folder, remembers=False, **options)
        self.live = LiveService(self, self.options)
        wire.nodes[self.mid] = self
        self.live.start()

    def streamers(self) -> list[bytes]:
        return [mid for mid, node in self.wire.nodes.items()
                if mid != self.mid and isinstance(node, LiveNode) and node.live.publications]

    def streams_changed(self) -> None:
        pass

    async def stop(self) -> None:
        self.live.close()
        self.wire.nodes.pop(self.mid, None)


async def read_all(log: StreamLog, position: int = 0) -> bytes:
    """
    Read a stream to its end.
    """
    found = b""
    while await asyncio.wait_for(log.wait(position), 20):
        data = log.read(position, 1 << 20)
        found += data
        position += len(data)
    return found
