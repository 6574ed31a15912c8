"""
A node's transfers that are told things by verified peers: joins, offers, reports, cooperation. Real sockets and files.
"""
from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.transfer.service.nodes import LO, Node, Wire
from tests.transfer.trees import MIB, some_bytes
from tribler_multicast.protocol.wire import CODED_KINDS, Kind
from tribler_multicast.transfer.content.manifest import Content, Manifest
from tribler_multicast.transfer.content.tree import EMPTY_ROOT
from tribler_multicast.transfer.session.geometry import Geometry
from tribler_multicast.transfer.session.messages import (
    Accept,
    Ending,
    Join,
    Offer,
    Refusal,
    pack_end,
    pack_refusal,
    pack_report,
)
from tribler_multicast.transfer.session.reports import WHOLE, Arrival, Lacks, Report, Run

from .harness import Target

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

KINDS = sorted(CODED_KINDS)
LIARS = 4


class Transfers:
    """
    A node that offers a film and waits for another one, among liars: an input is liar, kind, payload.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.count = 0
        self.loop.run_until_complete(self.build(Path(self.folder.name)))

    async def build(self, folder: Path) -> None:
        self.wire = Wire()
        self.node = Node(self.wire, folder / "node", remembers=False)
        self.liars = [Node(self.wire, folder / f"liar {number}") for number in range(LIARS)]
        for liar in self.liars:
            self.wire.nodes[liar.mid] = liar
        self.service = await self.node.start()
        film = folder / "film.mkv"
        film.write_bytes(some_bytes(MIB + 77))
        self.publication = await self.service.publish(film)
        self.wanted = Manifest.sign(Content(False, "wanted", 3 * MIB, 0, 1, bytes(32)), self.liars[0].identity, 1e9)
        await self.service.receive(self.wanted.content.id, self.node.home)

    def samples(self) -> Sequence[bytes]:
        """
        Get what can be said now: tags and keys are those of the sessions there are.
        """
        assert self.publication.source is not None
        offered, wanted = self.publication.content_id, self.wanted.content.id
        other = Manifest.sign(Content(False, "x", 0, 0, 1, EMPTY_ROOT), self.liars[1].identity, 2e9)
        lacks = Lacks(0, 2, [Run(0, 2, WHOLE)])
        made: list[tuple[Kind, bytes]] = [
            (Kind.OFFERS_WANTED, b""), (Kind.OFFERS_WANTED, offered),
            (Kind.OFFER, Offer(True, 2, self.wanted.pack()).pack()),
            (Kind.OFFER, Offer(False, 0, other.pack()).pack()), (Kind.JOIN, Join.of(offered, lacks, 40_000).pack()),
            (Kind.JOIN, Join.of(offered, Lacks(0, 0, []), 40_001, wants_manifest=True, helps=True).pack()),
            (Kind.ACCEPT, Accept(wanted, bytes(8), bytes(32), bytes(32), 64, 1344, False, self.wanted.pack()).pack()),
            *((Kind.REFUSE, pack_refusal(wanted, reason)) for reason in Refusal)]
        tags = [*self.service.publisher.sessions][:3] or [bytes(8)]
        for tag in tags:
            geometry = Geometry(self.publication.source.layout, 64)
            report = Report(self.count + 1, Arrival(5, 4, 1, 1), Arrival(1, 1, 1, 1), None, 1,
                            Lacks(0, geometry.generations, [Run(1, 2, WHOLE)]))
            made += [(Kind.REPORT, pack_report(tag, report.pack())), (Kind.LEAVE, pack_end(tag, Ending.DONE)),
                     (Kind.FINISH, pack_end(tag, Ending.CHANGED)), (Kind.MEMBERS, tag + b"\1" + bytes(40)),
                     (Kind.ALARM, tag + b"\0\2\0\0\1"), (Kind.SUMS, tag + bytes(36 + 8 * 61)),
                     (Kind.HAVE, offered + b"\0\0\2"), (Kind.HELP, offered + b"\x40\5\x40" + tag + bytes(60))]
        random = Random(self.count)
        return [bytes((random.randrange(LIARS), KINDS.index(kind))) + payload for kind, payload in made]

    def take(self, data: bytes) -> bool:
        if len(data) < 2:
            return False
        before = sum(self.service.counters.values())
        said = len(self.wire.said)
        self.loop.run_until_complete(self.say(self.liars[data[0] % LIARS].mid, KINDS[data[1] % len(KINDS)],
                                              data[2:1200]))
        assert not self.service.counters["message: failed"]
        self.wire.said[:-100] = []
        return sum(self.service.counters.values()) == before or len(self.wire.said) != said

    async def say(self, mid: bytes, kind: Kind, payload: bytes) -> None:
        self.count += 1
        self.service.message_received(mid, kind, payload, LO, asyncio.get_running_loop().time())
        if not self.count % 20:
            await asyncio.sleep(0.002)

    def close(self) -> None:
        async def stop() -> None:
            await self.node.stop()

        self.run(stop())
        assert not self.service.counters["message: failed"]
        self.loop.close()
        self.folder.cleanup()

    def run(self, what: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(asyncio.wait_for(what, 30))


def nodes() -> Iterator[Target]:
    """
    The one node there is.
    """
    transfers = Transfers()
    yield Target("transfers: from verified peers", transfers.take, transfers.samples(), refill=transfers.samples,
                 close=transfers.close, weight=8)
