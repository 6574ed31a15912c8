"""
Whose data is sealed: what the policies of sender and receivers make of a session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.session import sender as session_sender
from tribler_multicast.transfer.session.messages import Accept

from ..trees import MIB, some_bytes
from .nodes import done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication

    from .nodes import Node, Said, Wire

    MakeNode = Callable[..., Node]

SLOW = {"transfer_rate": 600_000}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(2 * MIB + 77))
    return path


async def offered(node: Node, film: Path) -> Publication:
    service = await node.start()
    return await soon(service.publish(film))


async def fetching(node: Node, publication: Publication) -> Any:  # noqa: ANN401
    if node.service is None:
        await node.start()
    assert node.service is not None
    return await node.service.receive(publication.content_id, node.home)


async def whole(transfer: Any, film: Path) -> None:  # noqa: ANN401
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


def accepted(wire: Wire, node: Node) -> list[bool]:
    """Of the ACCEPTs that a node got, whether each says that it is sealed."""
    found = [Accept.read(said.payload) for said in wire.said if said.kind is Kind.ACCEPT and said.receiver is node]
    return [accept.sealed for accept in found if accept is not None]


@pytest.mark.parametrize(("sender_seals", "receiver_seals"), [(False, False), (True, False), (False, True),
                                                             (True, True)])
async def test_it_is_sealed_when_one_of_both_wants_that(node: MakeNode, wire: Wire, film: Path, *, sender_seals: bool,
                                                        receiver_seals: bool) -> None:
    source, sink = node("source"), node("sink")
    source.must_seal, sink.must_seal = sender_seals, receiver_seals
    publication = await offered(source, film)
    await whole(await fetching(sink, publication), film)
    assert set(accepted(wire, sink)) == {sender_seals or receiver_seals}


async def test_a_sender_for_everyone_has_a_session_for_each_kind(node: MakeNode, wire: Wire, film: Path) -> None:
    source, *sinks = node("source", **SLOW), node("one"), node("two"), node("three")
    sinks[0].must_seal = True
    publication = await offered(source, film)
    transfers = [await fetching(sink, publication) for sink in sinks]
    await until(lambda: publication.receivers == 3)
    assert {sealed: len(session.receivers) for (*_, sealed), session in publication.sessions.items()} == {
        True: 1, False: 2}
    assert len({session.tag for session in publication.sessions.values()}) == 2
    source.options["transfer_rate"] = 0
    for each in transfers:
        await whole(each, film)
    assert publication.finished == 3
    assert [set(accepted(wire, sink)) for sink in sinks] == [{True}, {False}, {False}]


async def test_an_accept_in_clear_is_not_taken_by_who_wants_it_sealed(node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source"), node("sink")
    sink.must_seal = True
    publication = await offered(source, film)
    stripped: list[Said] = []

    def strip(said: Said) -> bool:
        accept = Accept.read(said.payload) if said.kind is Kind.ACCEPT else None
        if accept is not None and len(stripped) < 2:
            said.payload = accept._replace(sealed=False).pack()
            stripped.append(said)
        return False

    wire.drops = strip
    transfer = await fetching(sink, publication)
    assert sink.service is not None
    await until(lambda: sink.service.counters["accept: not sealed"] == 2)  # type: ignore[union-attr]
    assert [kind for kind in wire.kinds() if kind == "LEAVE"], "the sender is told"
    await whole(transfer, film)


@pytest.mark.parametrize("whose", ["source", "sink"])
async def test_a_change_of_policy_ends_what_is_in_clear_and_it_goes_on_sealed(node: MakeNode, wire: Wire, film: Path,
                                                                             whose: str) -> None:
    nodes = {"source": node("source", **SLOW), "sink": node("sink")}
    publication = await offered(nodes["source"], film)
    transfer = await fetching(nodes["sink"], publication)
    await until(lambda: transfer.progress > 0.1)
    nodes[whose].must_seal = True
    await until(lambda: [place.sealed for place in publication.sessions] == [True])
    nodes["source"].options["transfer_rate"] = 0
    await whole(transfer, film)
    assert accepted(wire, nodes["sink"])[-1]
    assert transfer.total_down < 1.5 * publication.size, "what was here was not sent again"


async def test_what_was_received_in_part_goes_on_sealed_after_a_restart(node: MakeNode, wire: Wire,
                                                                        film: Path) -> None:
    source, sink = node("source", **SLOW), node("sink")
    source.must_seal = sink.must_seal = True
    publication = await offered(source, film)
    transfer = await fetching(sink, publication)
    await until(lambda: transfer.progress > 0.3)
    await sink.stop()
    source.options["transfer_rate"] = 0
    before = publication.uploaded
    service = await sink.start()
    [again] = [each for each in service.transfers.values() if each.role == "receiver"]
    await whole(again, film)
    assert publication.uploaded - before < 0.8 * publication.size
    assert set(accepted(wire, sink)) == {True}


async def test_a_session_whose_sequences_are_used_up_ends_and_the_next_one_finishes(
        node: MakeNode, wire: Wire, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink = node("source"), node("sink")
    source.must_seal = True
    publication = await offered(source, film)
    monkeypatch.setattr(session_sender, "LAST_SEQUENCE", 600)
    transfer = await fetching(sink, publication)
    await until(lambda: any(session.sender.is_spent for session in publication.sessions.values()))
    monkeypatch.undo()
    monkeypatch.setattr(session_sender, "LAST_SEQUENCE", 1 << 31)
    # It was used up before, and stays so.
    tags = {session.tag for session in publication.sessions.values()}
    for session in publication.sessions.values():
        session.sender.group.sequence = 1 << 31 | 1
    await whole(transfer, film)
    keys = [found.group_key for said in wire.said if said.kind is Kind.ACCEPT
            and (found := Accept.read(said.payload)) is not None]
    assert len(set(keys)) == 2
    assert not tags & {session.tag for session in publication.sessions.values()}
