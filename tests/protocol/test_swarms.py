"""Who takes part in a torrent, asked on a simulated LAN: who learns what, and what is not heard."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import SwarmsAsked, SwarmsEnded
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.limits import (
    MAX_SWARM_ANSWER,
    MAX_SWARM_RUNS,
    MAX_SWARMS_ASKED,
    SWARMS_BURST,
)
from tribler_multicast.protocol.swarms import Client, pack_answer, read_answer, swarm_name
from tribler_multicast.protocol.wire import Kind, WireError

from .simulated import SimulatedLan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tribler_multicast.protocol.swarms import SwarmRun

    from .simulated import Node

FILM, OTHER = b"\x07" * 20, b"\x08" * 20
HERE = {FILM: [Client(51413, True), Client(6881, False)]}


def lan_of(number: int, *capabilities: str) -> tuple[SimulatedLan, list[Node]]:
    """Make a LAN of nodes that know each other, and can take part in swarms unless other things are said."""
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(number)]
    for node in nodes:
        node.core.set_introduction(Introduction(5.0, frozenset(capabilities or ("torrents",))), lan.now)
        node.flush()
    lan.run(20)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)
    lan.wire.clear()
    return lan, nodes


def ask(node: Node, *infohashes: bytes) -> SwarmRun:
    run = node.core.swarms.start(infohashes, node.lan.now)
    assert run is not None
    node.flush()
    return run


def asked(node: Node) -> list[SwarmsAsked]:
    return [event for _, event in node.history if isinstance(event, SwarmsAsked)]


def ended(node: Node) -> list[SwarmRun]:
    return [event.run for _, event in node.history if isinstance(event, SwarmsEnded)]


def answer(lan: SimulatedLan, node: Node, known: Mapping[bytes, list[Client]]) -> None:
    """Have a node answer what it was asked last."""
    lan.run(0.1)
    node.core.swarms.answer(asked(node)[-1], known)
    node.flush()
    lan.run(0.1)


def test_who_takes_part_is_told_at_the_verified_address_and_the_question_ends_with_the_last_answer() -> None:
    lan, (a, b, c) = lan_of(3)
    run = ask(a, FILM, OTHER)
    answer(lan, c, {})
    assert not ended(a)
    answer(lan, b, HERE)
    ip = b.address()[0]
    assert ended(a) == [run]
    assert run.found == {FILM: {(ip, 51413, True), (ip, 6881, False)}}


def test_a_question_tells_nobody_what_is_looked_for_who_has_it_not() -> None:
    lan, (a, b) = lan_of(2)
    ask(a, FILM)
    lan.run(0.1)
    [event] = asked(b)
    assert FILM not in b"".join(lan.of_kind(Kind.WHO_HAS))
    assert FILM not in b"".join([event.number, *event.places])
    ask(a, FILM)
    lan.run(0.1)
    assert set(asked(b)[1].places) != set(event.places)  # nor can two questions be told to be for the same


def test_who_does_not_answer_is_not_waited_for() -> None:
    lan, (a, b) = lan_of(2)
    run = ask(a, FILM)
    lan.run(1.0)
    assert ended(a) == [run]
    b.core.swarms.answer(asked(b)[0], HERE)
    b.flush()
    lan.run(0.1)
    assert run.found == {}
    assert a.dropped("unexpected") == 1


def test_an_answer_counts_once() -> None:
    lan, (a, b, _) = lan_of(3)
    run = ask(a, FILM)
    answer(lan, b, HERE)
    answer(lan, b, {FILM: [Client(1, True)]})
    assert len(run.found[FILM]) == 2
    assert a.dropped("unexpected") == 1


def test_who_is_able_to_is_asked_and_nobody_else() -> None:
    lan, (a, b) = lan_of(2, "coded", "search")
    run = ask(a, FILM)
    lan.run(0.1)
    assert lan.of_kind(Kind.WHO_HAS) == []
    assert ended(a) == [run]
    b.core.set_introduction(Introduction(5.0, frozenset({"tracker"})), lan.now)
    b.flush()
    lan.run(1)
    ask(a, FILM)
    lan.run(0.1)
    assert len(asked(b)) == 1


def test_with_the_policy_friends_strangers_are_neither_asked_nor_heard() -> None:
    lan, (a, b) = lan_of(2)
    a.core.policy.friends_only = True
    ask(a, FILM)
    ask(b, FILM)
    lan.run(1)
    assert asked(a) == asked(b) == []
    assert a.dropped("not_friend") == 1


def test_both_messages_are_sealed_for_the_pair() -> None:
    lan, (a, b) = lan_of(2)
    ask(a, FILM)
    answer(lan, b, HERE)
    for kind in (Kind.WHO_HAS, Kind.HAS):
        [data] = lan.of_kind(kind)
        assert (51413).to_bytes(2, "big") not in data[121:-64] or kind == Kind.WHO_HAS
        path = a.core.peers.get(b.identity.key).freshest_path()
        a.core.outbox.to_peer(kind, a.core.peers.get(b.identity.key), path.link, path.address, bytes(40))
        a.flush()
        lan.run(0.1)
    assert b.dropped("not_sealed") == 2


def test_questions_beyond_the_budget_are_dropped_before_their_signature_is_looked_at() -> None:
    lan, (a, b) = lan_of(2)
    for _ in range(int(SWARMS_BURST) + 20):
        a.core.swarms.runs.clear()
        ask(a, FILM)
    lan.run(0.01)
    assert len(asked(b)) <= SWARMS_BURST + 1
    assert b.dropped("rate") >= 19


def test_no_more_questions_are_under_way_than_that() -> None:
    lan, (a, _) = lan_of(2)
    for _ in range(MAX_SWARM_RUNS):
        ask(a, FILM)
    assert a.core.swarms.start([FILM], lan.now) is None
    assert a.core.swarms.start([FILM] * (MAX_SWARMS_ASKED + 1), lan.now) is None
    lan.run(1)
    assert a.core.swarms.start([FILM], lan.now) is not None


@pytest.mark.parametrize("payload", [
    b"", bytes(8), bytes(8 + 15), bytes(8 + 16 * (MAX_SWARMS_ASKED + 1) - 1)])
def test_what_is_no_question_is_malformed(payload: bytes) -> None:
    lan, (a, b) = lan_of(2)
    peer = a.core.peers.get(b.identity.key)
    path = peer.freshest_path()
    a.core.outbox.to_peer(Kind.WHO_HAS, peer, path.link, path.address, payload, sealed=True)
    a.flush()
    lan.run(0.1)
    assert asked(b) == []
    assert b.dropped("malformed") == 1


@pytest.mark.parametrize("entry", [
    b"\x02\x01\x00\x50\x00", b"\x00\x00", b"\x00\x01\x00\x00\x00", b"\x00\x01\x00\x50",
    b"\x00\x11" + b"\x00\x50\x00" * 17,
    b"\x00\x01\x00\x50\x00" * 2, bytes(MAX_SWARM_ANSWER)])
def test_what_is_no_answer_is_malformed(entry: bytes) -> None:
    with pytest.raises(WireError):
        read_answer(bytes(8) + entry, 2)


def test_an_answer_of_any_size_fits_and_is_read_as_it_was_written() -> None:
    found = {place: [Client(1000 + each, each % 2 == 0) for each in range(100)] for place in range(MAX_SWARMS_ASKED)}
    payload = pack_answer(bytes(8), found)
    assert len(payload) <= MAX_SWARM_ANSWER
    read = read_answer(payload, MAX_SWARMS_ASKED)
    assert read
    assert all(clients == found[place][:len(clients)] for place, clients in read.items())


def test_names_differ_with_the_number_and_the_infohash() -> None:
    assert len({swarm_name(number, each) for number in (bytes(8), bytes(7) + b"\x01") for each in (FILM, OTHER)}) == 4
