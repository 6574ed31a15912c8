"""
Peers that lie: whatever they say, it is counted, costs little, and the transfer goes on.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.lan.interfaces import IPV4
from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.content.manifest import Manifest
from tribler_multicast.transfer.service import limits
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
from tribler_multicast.transfer.session.reports import Lacks

from ..trees import MIB, some_bytes
from .nodes import LO, Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.service import TransferService

    MakeNode = Callable[..., Node]

ALL = Lacks(0, 0, ())
TAG = b"12345678"
KEY = bytes(32)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(3 * MIB))
    return path


async def service_of(node: Node) -> TransferService:
    return await node.start()


def told(wire: Wire, liar: Node, service: TransferService, kind: Kind, payload: bytes) -> None:
    """Have a service hear something."""
    service.message_received(liar.mid, kind, payload, LO, time.monotonic())


def said_to(wire: Wire, node: Node, kind: Kind) -> list[bytes]:
    return [said.payload for said in wire.said if said.receiver is node and said.kind is kind]


@pytest.mark.parametrize("kind", [kind for kind in Kind if 27 <= kind <= 34])
@pytest.mark.parametrize("payload", [b"\1", bytes(9), bytes(41), bytes(300), b"\xff" * 1100, bytes(1400)])
async def test_nonsense_is_counted_and_changes_nothing(node: MakeNode, wire: Wire, film: Path, kind: Kind,
                                                       payload: bytes) -> None:
    victim, liar = node("victim"), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    await soon(service.publish(film))
    told(wire, liar, service, kind, payload)
    assert sum(service.counters.values()) >= 1
    assert not service.publisher.sessions
    assert not service.transfers
    assert service.counters["message: failed"] == 0


async def test_flood_of_joins_is_answered_up_to_a_rate(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, liar = node("victim"), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    publication = await soon(service.publish(film))
    for number in range(300):
        told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, ALL, 40000 + number).pack())
    assert 1 <= len(said_to(wire, liar, Kind.ACCEPT)) <= limits.JOINS_AT_ONCE + 4
    assert service.counters["join: too many"] >= 250
    assert publication.receivers == 1


async def test_who_the_policy_does_not_let_in_gets_nothing(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, liar = node("victim"), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    publication = await soon(service.publish(film))
    wire.strangers.add((victim.mid, liar.mid))
    told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, ALL, 40000).pack())
    told(wire, liar, service, Kind.OFFERS_WANTED, b"")
    assert said_to(wire, liar, Kind.REFUSE) == [pack_refusal(publication.content_id, Refusal.POLICY)]
    assert not said_to(wire, liar, Kind.OFFER)
    assert not publication.sessions


async def test_who_the_policy_lets_in_no_more_is_sent_nothing_more(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, liar = node("victim", transfer_rate=200_000), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    publication = await soon(service.publish(film))
    told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, ALL, 40000).pack())
    assert publication.receivers == 1
    wire.strangers.add((victim.mid, liar.mid))
    await until(lambda: not publication.receivers)
    assert said_to(wire, liar, Kind.FINISH)


@pytest.mark.parametrize("lacks", [Lacks(0, 4, ()), Lacks(3, 99, ())])
async def test_join_that_can_not_be_is_refused(node: MakeNode, wire: Wire, film: Path, lacks: Lacks) -> None:
    victim, liar = node("victim"), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    publication = await soon(service.publish(film))
    told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, lacks, 40000).pack())
    assert said_to(wire, liar, Kind.REFUSE) == [pack_refusal(publication.content_id, Refusal.MALFORMED)]


async def test_only_so_many_sessions_and_links(node: MakeNode, wire: Wire, film: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.service.publishing.SESSIONS", 1)
    victim, liar = node("victim"), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    other = film.with_name("other")
    other.write_bytes(b"other")
    for publication in (await soon(service.publish(film)), await soon(service.publish(other))):
        told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, ALL, 40000).pack())
    assert len(said_to(wire, liar, Kind.ACCEPT)) == 1
    assert service.counters["join: refused (full)"] == 1


async def test_reports_and_goodbyes_of_others_do_not_count(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, honest, liar = node("victim", transfer_rate=1_000_000), node("honest"), node("liar")
    service, sink, _ = await service_of(victim), await service_of(honest), await service_of(liar)
    publication = await soon(service.publish(film))
    transfer = await sink.receive(publication.content_id, honest.home)
    await until(lambda: transfer.state == "active")
    [session] = service.publisher.sessions.values()
    report = said_to(wire, victim, Kind.REPORT) or [pack_report(session.tag, bytes(60))]
    told(wire, liar, service, Kind.REPORT, report[0])
    told(wire, liar, service, Kind.LEAVE, pack_end(session.tag, Ending.DONE))
    assert service.counters["report: no receiver of it"] == 1
    assert service.counters["leave: no receiver of it"] == 1
    assert (publication.receivers, publication.finished) == (1, 0)
    told(wire, liar, sink, Kind.FINISH, pack_end(session.tag, Ending.CHANGED))
    assert sink.counters["finish: no session of ours"] == 1
    victim.options["transfer_rate"] = 0
    await done(transfer)


async def test_flood_of_reports_is_looked_at_up_to_a_rate(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, liar = node("victim", transfer_rate=200_000), node("liar")
    service, _ = await service_of(victim), await service_of(liar)
    publication = await soon(service.publish(film))
    told(wire, liar, service, Kind.JOIN, Join.of(publication.content_id, ALL, 40000).pack())
    [session] = service.publisher.sessions.values()
    for _ in range(1000):
        told(wire, liar, service, Kind.REPORT, pack_report(session.tag, bytes(60)))
    assert service.counters["report: too many"] >= 500
    assert session.sender.counters["report: malformed"] <= limits.REPORTS_AT_ONCE + 50


async def test_accept_that_nobody_asked_for_is_dropped(node: MakeNode, wire: Wire, film: Path) -> None:
    victim, liar = node("victim"), node("liar")
    service = await service_of(victim)
    accept = Accept(bytes(32), TAG, KEY, KEY, 64, 1344)
    told(wire, liar, service, Kind.ACCEPT, accept.pack())
    transfer = await service.receive(bytes(32), victim.home)
    told(wire, liar, service, Kind.ACCEPT, accept.pack())
    assert service.counters["accept: not asked for"] == 2
    assert transfer.state == "waiting"


async def test_wrong_manifest_is_refused_and_the_next_neighbour_asked(node: MakeNode, wire: Wire, film: Path) -> None:
    source, liar, sink = node("source"), node("liar"), node("sink")
    publishing = await service_of(source)
    publication = await soon(publishing.publish(film))
    manifest = publication.manifest.pack()
    bad = Accept(publication.content_id, TAG, KEY, KEY, 64, 1344)
    lies = [bad, bad._replace(manifest=manifest[:-1] + bytes([manifest[-1] ^ 1])), bad._replace(manifest=manifest, k=8),
            bad._replace(manifest=manifest, symbol=64), bad._replace(manifest=bytes(200))]
    source.service = None
    await service_of(liar)
    service = await service_of(sink)
    transfer = await service.receive(publication.content_id, sink.home)
    await until(lambda: said_to(wire, liar, Kind.JOIN))
    for lie in lies:
        told(wire, liar, service, Kind.ACCEPT, lie.pack())
    assert service.counters["accept: bad"] == len(lies)
    assert transfer.state == "waiting"
    source.service = publishing
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_second_accept_is_declined(node: MakeNode, wire: Wire, film: Path) -> None:
    first, second, sink = node("first"), node("second"), node("sink")
    services = [await service_of(each) for each in (first, second)]
    publications = [await soon(service.publish(film)) for service in services]
    service = await service_of(sink)
    transfer = await service.receive(publications[0].content_id, sink.home)
    await done(transfer)
    assert service.counters["accept: late"] == 1
    await until(lambda: not any(publication.receivers for publication in publications))
    assert sum(publication.uploaded for publication in publications) < 1.3 * publications[0].size


async def test_sender_of_bad_segments_is_left_for_another(node: MakeNode, wire: Wire, film: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.service.participation.BAD_SEGMENTS", 2)
    liar, sink = node("liar"), node("sink")
    lying = await service_of(liar)
    publication = await soon(lying.publish(film))
    source = publication.source
    assert source is not None
    read = source.read
    source.read = lambda segment: bytes(len(read(segment)))  # type: ignore[method-assign]
    service = await service_of(sink)
    transfer = await service.receive(publication.content_id, sink.home)
    await until(lambda: service.counters["segment: bad"] >= 2)
    honest = node("honest")
    await soon((await service_of(honest)).publish(film))
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_offers_that_nobody_asked_for_or_that_are_none_are_dropped(node: MakeNode, wire: Wire,
                                                                         film: Path) -> None:
    victim, liar = node("victim"), node("liar")
    service, lying = await service_of(victim), await service_of(liar)
    manifest = (await soon(lying.publish(film))).manifest
    offer = Offer(False, 0, manifest.pack()).pack()
    told(wire, liar, service, Kind.OFFER, offer)
    assert service.counters["offer: not asked for"] == 1
    waiting = [service.offers(0.3) for _ in range(2)]
    for bad in (b"", offer[:50], offer[:-1] + bytes((offer[-1] ^ 1,))):
        told(wire, liar, service, Kind.OFFER, bad)
    found = [await soon(each) for each in waiting]
    assert [[each.manifest for each in one] for one in found] == [[manifest], [manifest]]


async def test_endless_offers_fill_no_memory(node: MakeNode, wire: Wire, film: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.service.offers.OFFERS_KEPT", 5)
    monkeypatch.setattr("tribler_multicast.transfer.service.offers.OFFERS_LOOKED_AT", 8)
    victim, liar = node("victim"), node("liar")
    service, lying = await service_of(victim), await service_of(liar)
    publication = await soon(lying.publish(film))
    content = publication.manifest.content
    await lying.unpublish(content.id)
    task = asyncio.ensure_future(service.offers(0.2))
    await asyncio.sleep(0)
    for number in range(20):
        other = type(content)(False, f"name {number}", content.size, 0, 1, content.root)
        told(wire, liar, service, Kind.OFFER, Offer(False, 0, Manifest.sign(other, liar.identity, 1).pack()).pack())
    assert len(await soon(task)) == 5
    assert len(service.offered.known) == 5
    assert service.counters["offer: not asked for"] == 12


async def test_data_of_strangers_is_dropped(node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source", transfer_rate=1_000_000), node("sink")
    publication = await soon((await service_of(source)).publish(film))
    service = await service_of(sink)
    transfer = await service.receive(publication.content_id, sink.home)
    await until(lambda: transfer.state == "active")
    incoming = transfer.incoming  # type: ignore[attr-defined]
    address = "127.0.0.1", incoming.socket.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for ttl, tag in ((64, incoming.accept.tag), (255, incoming.accept.tag), (255, bytes(8))):
            stranger.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            stranger.sendto(b"\xd1" + tag + bytes(1300), address)
    await until(lambda: incoming.socket.strange == 1 and incoming.receiver.counters["data: MAC"] == 1
                and incoming.receiver.counters["data: foreign session"] == 1)
    source.options["transfer_rate"] = 0
    await done(transfer)
    assert service.counters["data: off link"] == 1
    assert LO[1] == IPV4
