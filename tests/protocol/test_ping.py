"""Multicast ping on a simulated LAN: times, loss, and who is answered how often."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import PingEnded
from tribler_multicast.protocol.limits import (
    ALL_PINGS_BURST,
    MAX_PING_RUNS,
    PING_PATIENCE,
    PINGS_BURST,
    PINGS_PER_SECOND,
)
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import Kind, Writer

from .simulated import LATENCY, Seen, SimulatedLan, identity_from

if TYPE_CHECKING:
    from tribler_multicast.protocol.ping import PingRun, Tally

    from .simulated import Node

GROUP = None
RTT = 2 * LATENCY


def lan_of(number: int, loss: float = 0.0) -> tuple[SimulatedLan, list[Node]]:
    """Make a LAN of nodes that know each other."""
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(number)]
    lan.run(20)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)
    lan.loss = loss
    lan.wire.clear()
    return lan, nodes


def start(asker: Node, target: Node | None = None, count: int = 4, interval: float = 0.2) -> PingRun:
    mid = None if target is None else target.core.pings.mid
    run = asker.core.pings.start(mid, count, interval, asker.lan.now)
    asker.flush()
    return run


def ping(asker: Node, target: Node | None = None, count: int = 4, interval: float = 0.2) -> PingRun:
    """Ping until the run ended, and look that its end was told once."""
    run = start(asker, target, count, interval)
    asker.lan.run((count + 1) * max(interval, 0.1) + 2 * PING_PATIENCE)
    assert [event.run for _, event in asker.history if isinstance(event, PingEnded) and event.run is run] == [run]
    assert not asker.core.pings.waiting
    return run


def tally(run: PingRun, peer: Node) -> Tally:
    return run.tallies[peer.identity.key]


def test_time_to_one_node_is_that_of_the_path_and_only_it_answers() -> None:
    lan, (a, b, c) = lan_of(3)
    run = ping(a, b)
    assert list(run.tallies) == [b.identity.key]
    assert tally(run, b).times == pytest.approx([RTT] * 4, rel=0.1)
    assert tally(run, b).unicast == pytest.approx([RTT] * 4, rel=0.1)
    assert len(lan.of_kind(Kind.PING)) == len(lan.of_kind(Kind.PONG, b)) == 4
    assert lan.of_kind(Kind.PONG, c) == []


def test_all_answer_not_at_once_and_what_they_waited_is_subtracted() -> None:
    lan, nodes = lan_of(40)
    run = ping(nodes[0])
    assert len(run.tallies) == 39
    for node in nodes[1:]:
        assert tally(run, node).times == pytest.approx([RTT] * 4, rel=0.1)
    when = sorted(time for time, _, _, _, _, data in lan.wire if data[22] == Kind.PONG)[:39]
    assert when[-1] - when[0] > 0.025
    waited = {int.from_bytes(data[121 + 8:121 + 12], "big") for data in lan.of_kind(Kind.PONG)}
    assert max(waited) > 25_000


def test_lost_pings_and_lost_answers_are_counted_and_nobody_waits_for_them_for_ever() -> None:
    _, (a, b, *_) = lan_of(3, loss=0.2)
    run = ping(a, b, count=100)
    assert run.sent == 100
    assert 50 <= len(tally(run, b).times) <= 78  # 64 on average
    assert tally(run, b).times == pytest.approx([RTT] * len(tally(run, b).times), rel=0.1)


def test_whoever_vanishes_or_leaves_meanwhile_counts_as_loss() -> None:
    lan, (a, b, c) = lan_of(3)
    run = start(a, count=5)
    lan.run(0.5)
    b.kill()
    c.leave()
    lan.run(5)
    assert run.ended
    assert [len(tally(run, node).times) for node in (b, c)] == [3, 3]


def test_with_nobody_there_it_ends_at_once_and_an_unknown_node_is_said() -> None:
    lan = SimulatedLan()
    a = lan.node()
    assert start(a).ended
    with pytest.raises(KeyError):
        a.core.pings.start(bytes(range(20)), 1, 0.2, lan.now)
    a.leave()
    with pytest.raises(ValueError, match="switched off"):
        start(a)


def test_runs_under_way_end_with_the_node_and_are_so_many_at_most() -> None:
    _, (a, b) = lan_of(2)
    runs = [start(a, b, count=100) for _ in range(MAX_PING_RUNS)]
    with pytest.raises(ValueError, match="running already"):
        start(a, b)
    a.leave()
    assert all(run.ended for run in runs)
    assert len([event for _, event in a.history if isinstance(event, PingEnded)]) == MAX_PING_RUNS


def test_our_own_pings_leave_within_the_budget_and_none_is_refused() -> None:
    lan, (a, b) = lan_of(2)
    runs = [start(a, b, count=50, interval=0.05) for _ in range(4)]
    lan.run(5)
    assert len(lan.of_kind(Kind.PING)) <= PINGS_BURST / 2 + 5 * PINGS_PER_SECOND / 2
    lan.run(20)
    assert b.dropped("rate") == 0
    assert [len(tally(run, b).times) for run in runs] == [50] * 4
    assert b.core.counters.received["ping"] == 200


@pytest.mark.parametrize("where", ["of its own", "of a peer"])
def test_a_strangers_ping_is_not_answered(where: str) -> None:
    lan, (a, b) = lan_of(2)
    source = ("10.0.0.77", 32110) if where == "of its own" else b.address()
    data = Writer(identity_from("stranger"), 1).datagram(Kind.PING, 4, bytes(28))
    lan.transmit(None, 4, source, GROUP, data)
    lan.run(2)
    assert lan.of_kind(Kind.PONG) == []
    assert lan.of_kind(Kind.CHALLENGE) == []
    assert a.dropped("unknown_peer") == 1


@pytest.mark.parametrize(("ip", "epoch", "reason"), [
    ("10.0.0.77", 1, "unverified_path"), ("10.0.0.2", 2, "unconfirmed_epoch"), ("10.0.0.2", 0, "old_epoch")])
def test_a_peers_ping_counts_from_its_address_in_its_epoch(ip: str, epoch: int, reason: str) -> None:
    lan, (a, b) = lan_of(2)
    writer = Writer(b.identity, epoch)
    writer.sequence = 5000
    lan.transmit(None, 4, (ip, 32110), GROUP, writer.datagram(Kind.PING, 4, bytes(28)))
    lan.run(2)
    assert a.dropped(reason) == 1
    assert lan.of_kind(Kind.PONG) == []


def test_a_recorded_ping_is_not_answered_again_and_a_recorded_answer_counts_once() -> None:
    lan, (a, b) = lan_of(2)
    run = start(a, b, count=2)
    lan.run(0.1)
    [request], [answer] = lan.of_kind(Kind.PING), lan.of_kind(Kind.PONG)
    for _ in range(3):
        lan.transmit(None, 4, a.address(), GROUP, request)
        lan.transmit(None, 4, b.address(), a.address(), answer)
    lan.run(2)
    assert len(lan.of_kind(Kind.PONG, b)) == 2
    assert (a.dropped("replay"), b.dropped("replay")) == (3, 3)
    assert len(tally(run, b).times) == 2


def pong(b: Node, a: Node, number: bytes, jitter: int) -> None:
    """Let b answer what it likes."""
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    b.core.outbox.to_peer(Kind.PONG, peer, (2, 4), a.address(), number + jitter.to_bytes(4, "big"))
    b.flush()


def test_answers_late_unknown_second_or_with_impossible_times_are_unexpected() -> None:
    lan, (a, b) = lan_of(2)
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.PING)
    run = start(a, b, count=2, interval=1.5)
    number = lan.of_kind(Kind.PING)[0][121:129]
    lan.run(0.1)
    pong(b, a, bytes(8), 0)
    pong(b, a, number, 200_000)  # It waited longer than we did.
    lan.run(0.1)
    assert a.dropped("unexpected") == 2
    lan.run(1.1)
    pong(b, a, number, 0)  # Too late.
    lan.run(0.1)
    assert a.dropped("unexpected") == 3
    lan.run(0.2)
    number = lan.of_kind(Kind.PING)[1][121:129]
    pong(b, a, number, 0)
    pong(b, a, number, 0)
    lan.run(0.1)
    assert (len(tally(run, b).times), a.dropped("unexpected")) == (1, 4)
    lan.run(1.2)
    assert run.ended
    pong(b, a, number, 0)
    lan.run(0.1)
    assert (len(tally(run, b).times), a.dropped("unexpected")) == (1, 5)


def test_a_second_answer_of_a_peer_to_one_ping_does_not_count() -> None:
    lan, (a, b) = lan_of(2)
    run = start(a, b, count=3)
    lan.run(0.05)
    pong(b, a, lan.of_kind(Kind.PING)[0][121:129], 0)
    lan.run(3)
    assert len(tally(run, b).times) == 3
    assert a.dropped("unexpected") == 1


def test_a_flood_of_pings_of_a_peer_is_answered_within_its_budget() -> None:
    lan, (a, b) = lan_of(2)
    for second in range(3):
        for i in range(500):
            b.core.outbox.multicast(Kind.PING, (2, 4), (1000 * second + i).to_bytes(8, "big") + bytes(20))
        b.flush()
        lan.run(1)
    answered = len(lan.of_kind(Kind.PONG, a))
    assert PINGS_BURST <= answered <= PINGS_BURST + 3 * PINGS_PER_SECOND
    assert a.dropped("rate") == 1500 - answered
    assert a.knows(b)
    lan.run(5)
    assert len(tally(ping(a, b), b).times) == 4  # A flood by one does not stop its answers to us.


def test_a_ping_that_comes_twice_is_answered_once() -> None:
    lan, (a, b) = lan_of(2)
    for _ in range(2):
        a.core.outbox.multicast(Kind.PING, (2, 4), bytes(8) + b.core.pings.mid)
    a.flush()
    lan.run(1)
    assert len(lan.of_kind(Kind.PONG, b)) == 1
    assert b.dropped("duplicate") == 1


def test_malformed_pings_and_pongs_are_dropped() -> None:
    lan, (a, b) = lan_of(2)
    for size in (0, 8, 27, 29):
        a.receive(b.core.outbox.writer.datagram(Kind.PING, 4, bytes(size)), Seen((2, 4), True, b.address(), 1))
    pong(b, a, bytes(7), 0)
    lan.run(1)
    assert a.dropped("malformed") == 5
    assert lan.of_kind(Kind.PONG, a) == []


def test_a_flood_of_answers_of_a_peer_leaves_its_probes_alone() -> None:
    lan, (a, b) = lan_of(2)
    run = start(a, b, count=1)
    for _ in range(200):
        pong(b, a, bytes(8), 0)
    lan.run(2)
    assert a.dropped("rate") >= 200 - PINGS_BURST
    assert len(tally(run, b).unicast) == 1


def test_floods_of_pings_of_many_peers_are_answered_within_the_budget_of_all() -> None:
    lan, nodes = lan_of(13)
    for node in nodes[1:]:
        for i in range(int(PINGS_BURST)):
            node.core.outbox.multicast(Kind.PING, (2, 4), bytes((node.number, *bytes(6), i)) + nodes[0].core.pings.mid)
        node.flush()
    lan.run(0.01)
    assert nodes[0].core.counters.received["ping"] <= ALL_PINGS_BURST + 10 < 12 * PINGS_BURST


def test_of_two_families_that_reach_the_same_peers_one_is_used_and_each_link_with_a_peer_of_its_own() -> None:
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(3)]
    for node, both in zip(nodes, (True, True, False), strict=True):
        six = Link(2, 6, f"fe80::{node.number}", 32110, ("fe80::/64",))
        node.links = [node.links[0], six] if both else [six]
        node.core.set_links(node.links, lan.now)
    lan.run(30)
    assert [len(peer.paths) for peer in nodes[0].core.peers] in ([2, 1], [1, 2])
    lan.wire.clear()
    run = ping(nodes[0], count=2)
    assert [len(each.times) for each in run.tallies.values()] == [2, 2]
    assert [family for _, _, family, _, _, data in lan.wire if data[22] == Kind.PING] == [6, 6]
