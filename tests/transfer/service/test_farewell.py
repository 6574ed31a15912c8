"""
The last word of a receiver: a sender counts who has said that all is there under its name, and nobody before.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.service.limits import FAREWELLS

from .nodes import PATIENCE, Node, Said, Wire, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication
    from tribler_multicast.transfer.service.service import TransferService


async def published(a: Node, b: Node) -> tuple[Publication, TransferService]:
    """
    Publish a file at one node: the publication, and the other's service.
    """
    path = a.home / "film"
    path.write_bytes(random.Random(1).randbytes(2_000_000))
    service = await a.start()
    return await service.publish(path), await b.start()


async def test_it_is_said_once_when_it_is_heard(wire: Wire, node: Callable[..., Node]) -> None:
    publication, sink = await published(node("a"), node("b"))
    transfer = await sink.receive(publication.content_id, node("b").home / "film")
    await asyncio.wait_for(publication.wait_finished(1), PATIENCE)
    assert await transfer.tell(0.1)
    assert wire.kinds().count("LEAVE") == 1


async def test_it_is_said_until_it_is_heard(wire: Wire, node: Callable[..., Node]) -> None:
    publication, sink = await published(node("a"), node("b"))
    lost = 0

    def drops(said: Said) -> bool:
        nonlocal lost
        lost += said.kind in (Kind.LEAVE, Kind.FINISH)
        return said.kind in (Kind.LEAVE, Kind.FINISH) and lost < 5

    wire.drops = drops
    await sink.receive(publication.content_id, node("b").home / "film")
    await asyncio.wait_for(publication.wait_finished(1), PATIENCE)
    await until(lambda: wire.kinds().count("FINISH") >= 1)


async def test_nobody_counts_who_has_not_said_it(wire: Wire, node: Callable[..., Node]) -> None:
    publication, sink = await published(node("a"), node("b"))
    wire.drops = lambda said: said.kind == Kind.LEAVE
    output = node("b").home / "film"
    transfer = await sink.receive(publication.content_id, output)
    await asyncio.wait_for(transfer.wait(), PATIENCE)
    assert output.exists()
    assert not await transfer.tell(0.1)
    assert publication.finished == 0
    assert wire.kinds().count("LEAVE") == len(FAREWELLS)


async def test_it_is_not_said_before_the_result_has_its_name(wire: Wire, node: Callable[..., Node]) -> None:
    publication, sink = await published(node("a"), node("b"))
    output = node("b").home / "film"
    there: list[bool] = []

    def drops(said: Said) -> bool:
        if said.kind == Kind.LEAVE:
            there.append(output.exists())
        return False

    wire.drops = drops
    await sink.receive(publication.content_id, output)
    await asyncio.wait_for(publication.wait_finished(1), PATIENCE)
    assert there == [True]


async def test_who_had_it_all_before_can_say_so_and_gets_next_to_nothing(
        wire: Wire, node: Callable[..., Node], tmp_path: Path) -> None:
    a, b = node("a"), node("b")
    publication, sink = await published(a, b)
    output = b.home / "film"
    output.write_bytes((a.home / "film").read_bytes())
    assert await sink.offers(5, publication.content_id)
    transfer = await sink.receive(publication.content_id, output)
    await asyncio.wait_for(transfer.wait(), PATIENCE)
    assert publication.finished == 0
    assert await transfer.tell(PATIENCE)
    assert publication.finished == 1
    assert publication.uploaded < 100_000


async def test_with_nobody_there_it_is_given_up(wire: Wire, node: Callable[..., Node]) -> None:
    a, b = node("a"), node("b")
    publication, sink = await published(a, b)
    output = b.home / "film"
    output.write_bytes((a.home / "film").read_bytes())
    assert await sink.offers(5, publication.content_id)
    await a.stop()
    transfer = await sink.receive(publication.content_id, output)
    await asyncio.wait_for(transfer.wait(), PATIENCE)
    assert not await transfer.tell(0.2)
