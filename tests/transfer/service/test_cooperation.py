"""
Receivers that help each other: with a source, when it is gone, and with those who have all of it.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.session.packets import HEAD, NUMBERED, RECODED
from tribler_multicast.transfer.session.receiver import Receiver

from ..trees import MIB, some_bytes
from .nodes import Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication
    from tribler_multicast.transfer.service.reception import Reception

    from .nodes import Said

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


def is_kept_back(said: Said) -> bool:
    """
    Tell whether a message asks for help: while these get lost nobody gives anything.
    """
    return said.kind == Kind.HELP


async def apart(node: MakeNode, wire: Wire, film: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[
        Node, list[Node], Publication, list[Reception]]:
    """
    Have three receive what they together have all of: each lost a third, and no one has anything else yet.
    """
    receivers: dict[int, int] = {}
    take = Receiver.batch_received

    def lossy(receiver: Receiver, data: memoryview, size: int, count: int, now: float) -> None:
        mine = receivers.setdefault(id(receiver), len(receivers))
        for at in range(0, len(data), size):
            form, tag, sequence, *_ = HEAD.unpack_from(data, at)
            if tag != receiver.tag or form not in (NUMBERED, RECODED) or sequence % 3 != mine % 3:
                take(receiver, data[at:at + size], size, 1, now)

    monkeypatch.setattr(Receiver, "batch_received", lossy)
    source, *sinks = (node(name, transfer_rate=SLOW) for name in ("source", "one", "two", "three"))
    await started(source, *sinks)
    wire.drops = is_kept_back
    # One more than there are, so data flows 2 s after the first joined: what comes before all are in the group is lost
    # to all, and here nobody could ask for it.
    publication = await offered(source, film, wait_for=4)
    transfers = await receiving(publication, *sinks)
    await until(lambda: all(each.incoming is not None and each.incoming.receiver is not None
                            and each.incoming.receiver.front == each.incoming.receiver.geometry.segments
                            for each in transfers))
    assert all(each.progress < 1 for each in transfers)
    return source, sinks, publication, transfers


async def test_what_one_lost_the_others_give(node: MakeNode, wire: Wire, film: Path,
                                             loses: Callable[[float], None]) -> None:
    loses(0.2)
    source, *sinks = (node(name, transfer_rate=SLOW) for name in ("source", "one", "two", "three"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=3)
    transfers = await receiving(publication, *sinks)
    await all_equal(transfers, film)
    await soon(publication.wait_finished(3))
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
    source, _, _, transfers = await apart(node, wire, film, monkeypatch)
    await kill(source)
    wire.drops = lambda said: False
    await all_equal(transfers, film)


async def test_source_says_goodbye_and_the_others_go_on(
        node: MakeNode, wire: Wire, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sinks, _, transfers = await apart(node, wire, film, monkeypatch)
    await source.stop()
    for each in sinks:
        assert each.service is not None
        each.service.neighbour_gone(source.mid)
    assert all(each.service and each.service.counters["session: without its source"] for each in sinks)
    wire.drops = lambda said: False
    await all_equal(transfers, film)


async def test_all_are_restarted_without_a_source_and_finish_with_a_stranger(
        node: MakeNode, wire: Wire, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sinks, publication, _ = await apart(node, wire, film, monkeypatch)
    await kill(source)
    for each in sinks:
        await each.stop()
    wire.drops = lambda said: False
    stranger = node("stranger")
    await started(stranger, *sinks)
    assert stranger.service is not None
    late = await stranger.service.receive(publication.content_id, stranger.home)
    again = [next(iter(each.service.transfers.values())) for each in sinks if each.service is not None]
    await all_equal([*again, late], film)  # type: ignore[list-item]


async def test_one_who_has_all_of_it_and_sends_nothing_helps(node: MakeNode, wire: Wire, film: Path,
                                                             loses: Callable[[float], None]) -> None:
    loses(0.3)
    source, other, sink = (node(name, transfer_rate=SLOW) for name in ("source", "other", "sink"))
    await started(source, other, sink)
    publication = await offered(source, film)
    await offered(other, film)
    [transfer] = await receiving(publication, sink)
    await all_equal([transfer], film)
    views = [each for node in (source, other) if node.service for each in node.service.transfers.values()]
    await until(lambda: sorted(each.role for each in views) == ["helper", "source"])
    assert next(each.total_up for each in views if each.role == "helper") > 0.1 * publication.size


async def test_who_was_caught_is_asked_no_more_in_any_transfer(
        node: MakeNode, wire: Wire, film: Path, loses: Callable[[float], None],
        caplog: pytest.LogCaptureFixture) -> None:
    loses(0.2)
    source, sink, liar = (node(name, transfer_rate=2_000_000) for name in ("source", "sink", "liar"))
    await started(source, sink, liar)
    publication = await offered(source, film, wait_for=2)
    transfer, _ = await receiving(publication, sink, liar)
    await until(lambda: sink.mid in said(wire, Kind.HELP))
    transfer.peer_named(liar.mid)
    transfer.peer_named(liar.mid)
    assert sink.service is not None
    assert sink.service.counters["peer: named"] == 2
    assert caplog.text.count(liar.mid.hex()) == 1
    source.options["transfer_rate"] = 0
    await all_equal([transfer], film)
    assert sink.service.counters["help: named"] > 0, "what it asks is not answered either"
    await kill(source)
    wire.said.clear()
    again = await sink.service.receive(bytes(32), sink.home)
    await until(lambda: liar.service is not None and liar.service.publications)
    again.joining.neighbour_found(liar.mid)
    await asyncio.sleep(0.3)
    assert not [each for each in wire.said if each.sender is sink and each.receiver is liar and each.kind == Kind.JOIN]


@pytest.mark.parametrize("sealed", [False, True])
async def test_all_is_checked_from_the_start_where_nobody_is_trusted(
        node: MakeNode, wire: Wire, film: Path, loses: Callable[[float], None], sealed: bool) -> None:
    loses(0.1)
    source, *sinks = (node(name, untrusted=True, transfer_rate=SLOW) for name in ("source", "one", "two"))
    for each in (source, *sinks):
        each.must_seal = sealed
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=2)
    transfers = await receiving(publication, *sinks)
    await all_equal(transfers, film)
    assert set(said(wire, Kind.SUMS)) == {source.mid}
    assert set(said(wire, Kind.ALARM)) == {sink.mid for sink in sinks}
    assert all(each.total_up for each in transfers)


async def test_without_cooperation_nobody_is_asked(node: MakeNode, wire: Wire, film: Path,
                                                   loses: Callable[[float], None]) -> None:
    loses(0.1)
    source, *sinks = (node(name, cooperate=False) for name in ("source", "one", "two"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=2)
    await all_equal(await receiving(publication, *sinks), film)
    assert not {"HELP", "HAVE", "MEMBERS", "ALARM", "SUMS"} & set(wire.kinds())
