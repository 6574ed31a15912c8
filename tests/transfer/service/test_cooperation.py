"""
Receivers that help each other: with a source, when it is gone, and with those who have all of it.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.session.receiver import Receiver

from ..trees import MIB, some_bytes
from .nodes import Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication
    from tribler_multicast.transfer.service.reception import Reception

    MakeNode = Callable[..., Node]

SLOW = 6_000_000
"""Bytes per second, so that there is a middle."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(6 * MIB + 77))
    return path


@pytest.fixture
def loses(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """
    Has each receiver lose a share of the source's datagrams, each on its own.
    """
    def lose(share: float) -> None:
        random, take = Random(1), Receiver.batch_received

        def lossy(receiver: Receiver, data: memoryview, size: int, count: int, now: float) -> None:
            for at in range(0, len(data), size):
                if random.random() >= share:
                    take(receiver, data[at:at + size], size, 1, now)

        monkeypatch.setattr(Receiver, "batch_received", lossy)

    return lose


async def started(*nodes: Node) -> None:
    for each in nodes:
        await each.start()


async def offered(node: Node, path: Path, **options: Any) -> Publication:  # noqa: ANN401
    assert node.service is not None
    return await soon(node.service.publish(path, **options))


async def receiving(publication: Publication, *nodes: Node) -> list[Reception]:
    return [await node.service.receive(publication.content_id, node.home) for node in nodes if node.service]


async def kill(node: Node) -> None:
    """
    Have a node be gone without a word.
    """
    service, node.service = node.service, None
    assert service is not None
    node.wire.nodes.pop(node.mid)
    await service.close()


def said(wire: Wire, kind: Kind) -> list[bytes]:
    return [each.sender.mid for each in wire.said if each.kind == kind]


async def all_equal(receptions: list[Reception], film: Path) -> None:
    for each in receptions:
        assert (await done(each)).path.read_bytes() == film.read_bytes()


def whole_together(receptions: list[Reception]) -> bool:
    """
    Tell whether some of them together have all symbols of each generation.
    """
    receivers = [each.incoming.receiver for each in receptions if each.incoming is not None]
    if None in receivers or len(receivers) < len(receptions):
        return False
    return not any(sum(missing) - size * (len(missing) - 1) > 0 and min(missing) > 0
                   for size, *missing in zip(receivers[0].sizes, *(each.missing for each in receivers), strict=True))


async def test_what_one_lost_the_others_give(node: MakeNode, wire: Wire, film: Path,
                                             loses: Callable[[float], None]) -> None:
    loses(0.2)
    source, *sinks = (node(name, transfer_rate=SLOW) for name in ("source", "one", "two", "three"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=3)
    transfers = await receiving(publication, *sinks)
    await all_equal(transfers, film)
    await soon(publication.wait_finished(3))
    assert publication.uploaded < 1.3 * publication.size, "without help it is 1.4 times"
    assert all(each.total_up for each in transfers)
    assert sum(each.total_up for each in transfers) > 0.3 * publication.size
    assert set(said(wire, Kind.HELP)) == {sink.mid for sink in sinks}


async def test_others_are_peers_of_the_transfer_and_what_they_gave_is_told(
        node: MakeNode, film: Path, loses: Callable[[float], None]) -> None:
    loses(0.3)
    source, one, two = (node(name, transfer_rate=SLOW) for name in ("source", "one", "two"))
    await started(source, one, two)
    told: dict[bytes, list[int]] = {}
    assert one.service is not None

    def tell(mid: bytes, given: int, taken: int) -> None:
        told[mid] = [had + more for had, more in zip(told.get(mid, [0, 0]), (given, taken), strict=True)]

    one.service.together.dealt = tell
    publication = await offered(source, film, wait_for=2)
    transfers = await receiving(publication, one, two)
    await until(lambda: any(peer.role == "helper" and peer.mid == two.mid and peer.down for peer in transfers[0].peers))
    await all_equal(transfers, film)
    await until(lambda: told[two.mid][0] == transfers[0].total_up)
    assert told.keys() == {two.mid}
    assert min(told[two.mid]) > 0.05 * publication.size


async def test_source_is_gone_and_those_who_have_all_of_it_together_finish(
        node: MakeNode, wire: Wire, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, *sinks = (node(name, transfer_rate=SLOW) for name in ("source", "one", "two", "three"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=3)
    transfers = await receiving(publication, *sinks)
    await until(lambda: any(each.progress > 0.4 for each in transfers))
    # What came so far is whole at each: the rest only one of them has from here on.
    await until(lambda: max(each.progress for each in transfers) > 0.9)
    await kill(source)
    for each in sinks:
        assert each.service is not None
        each.service.neighbour_gone(source.mid)
    if whole_together(transfers):
        await all_equal(transfers, film)


async def test_without_cooperation_nobody_is_asked(node: MakeNode, wire: Wire, film: Path,
                                                   loses: Callable[[float], None]) -> None:
    loses(0.1)
    source, *sinks = (node(name, cooperate=False) for name in ("source", "one", "two"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=2)
    await all_equal(await receiving(publication, *sinks), film)
    assert not {"HELP", "HAVE", "MEMBERS", "ALARM", "SUMS"} & set(wire.kinds())
