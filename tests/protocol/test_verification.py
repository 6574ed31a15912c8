"""How peers become local, and stay so only as long as they are."""
from __future__ import annotations

from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import Kind

from .simulated import SimulatedLan


def test_two_nodes_find_each_other_in_milliseconds() -> None:
    lan = SimulatedLan()
    a = lan.node()
    lan.run(60)
    b = lan.node()
    lan.run(0.05)
    assert a.knows(b)
    assert b.knows(a)
    assert len(a.greeted(b)) == len(b.greeted(a)) == 1


def test_three_messages_and_a_probe_suffice() -> None:
    lan = SimulatedLan()
    lan.node()
    lan.run(60)
    lan.node()
    lan.run(4.0)
    for kind in (Kind.CHALLENGE, Kind.RESPONSE, Kind.CONFIRM, Kind.PROBE, Kind.PROBE_REPLY):
        assert len(lan.of_kind(kind)) == 1, kind.name


def test_a_newcomer_asks_first_and_those_who_are_here_say_at_once_who_they_are() -> None:
    lan = SimulatedLan()
    here = [lan.node() for _ in range(4)]
    lan.run(60)
    begun = lan.now
    new = lan.node(epoch=1)
    lan.run(0.06)
    assert all(new.knows(each) and each.knows(new) for each in here)
    said = [(node, data[22]) for when, node, _, _, _, data in lan.wire if when >= begun]
    assert {node for node, kind in said if kind == Kind.CHALLENGE} == {new}
    assert all((each, Kind.INTRODUCTION) in said for each in here)


def test_those_who_are_here_ask_when_the_newcomer_does_not() -> None:
    lan = SimulatedLan()
    here = [lan.node() for _ in range(2)]
    lan.run(60)
    new = lan.node(epoch=1)
    lan.filter = lambda node, data: not (data[22] == Kind.INTRODUCTION and node is new)
    lan.run(0.06)
    assert all(new.knows(each) and each.knows(new) for each in here)
    assert not lan.of_kind(Kind.CHALLENGE, new)


def test_eight_at_once_all_know_all() -> None:
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(8)]
    lan.run(0.5)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)


def test_what_a_peer_says_of_itself_arrives_and_is_updated() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(1)
    assert a.core.peers.get(b.identity.key).introduction.nickname == "node 2"
    b.core.set_introduction(Introduction(5.0, frozenset({"search"}), "television"), lan.now)
    b.flush()
    lan.run(1)
    told = a.core.peers.get(b.identity.key).introduction
    assert (told.nickname, told.capabilities) == ("television", frozenset({"search"}))


def test_peer_that_says_goodbye_is_gone_at_once() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    b.leave()
    lan.run(0.1)
    assert not a.knows(b)
    assert [reason for _, reason in a.gone(b)] == ["goodbye"]


def test_killed_peer_expires_after_three_intervals() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(20)
    b.kill()
    killed = lan.now
    lan.run(30)
    [(when, reason)] = a.gone(b)
    assert reason == "expired"
    assert 10 <= when - killed <= 15.5


def test_lost_multicast_alone_makes_nobody_expire() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    lan.filter = lambda _node, data: data[22] != Kind.INTRODUCTION
    lan.run(300)
    assert a.knows(b)
    assert not a.gone(b)
    assert not b.gone(a)


def test_no_peer_flaps_at_forty_percent_loss() -> None:
    lan = SimulatedLan(loss=0.4)
    nodes = [lan.node() for _ in range(4)]
    lan.run(20)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)
    lan.run(600)
    assert not [gone for a in nodes for b in nodes for gone in a.gone(b)]


def test_newcomer_is_verified_at_forty_percent_loss_within_ten_seconds() -> None:
    late = 0
    for seed in range(30):
        lan = SimulatedLan(loss=0.4, seed=seed)
        a = lan.node()
        lan.run(30)
        b = lan.node()
        lan.run(10)
        late += not (a.knows(b) and b.knows(a))
    assert late <= 1


def test_restarted_peer_is_verified_anew_in_its_higher_epoch() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    b.kill()
    b.boot()
    lan.run(0.5)
    assert a.core.peers.get(b.identity.key).epoch == 2
    assert len(a.greeted(b)) == 2
    assert not a.gone(b)


def test_restarted_observer_finds_its_peers_again() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    a.kill()
    a.boot()
    lan.run(0.5)
    assert a.knows(b)
    assert b.knows(a)


def test_peer_that_moves_to_another_address_is_followed() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    b.links = [Link(2, 4, "10.0.9.9", 32110, ("10.0.0.1/16",))]
    b.core.set_links(b.links, lan.now)
    b.flush()
    lan.run(1)
    assert a.core.peers.get(b.identity.key).paths[2, 4].address == ("10.0.9.9", 32110)
    assert not a.gone(b)
    lan.run(60)
    assert a.knows(b)
    assert b.knows(a)


def test_own_interface_gone_clears_all_who_were_behind_it() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    a.links = []
    a.core.set_links([], lan.now)
    a.flush()
    assert not a.knows(b)
    assert [reason for _, reason in a.gone(b)] == ["interface"]
    a.links = [Link(2, 4, "10.0.0.1", 32110, ("10.0.0.1/16",))]
    a.core.set_links(a.links, lan.now)
    a.flush()
    lan.run(1)
    assert a.knows(b)


def test_peer_on_a_network_that_left_the_link_is_dropped() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    a.links = [Link(2, 4, "192.168.7.1", 32110, ("192.168.7.1/24",))]
    a.core.set_links(a.links, lan.now)
    a.flush()
    assert not a.knows(b)


def test_peer_stays_local_while_one_of_its_paths_lives() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    for number, node in ((1, a), (2, b)):
        node.links = [*node.links, Link(2, 6, f"fe80::{number}", 32110, (f"fe80::{number}/64",))]
        node.core.set_links(node.links, lan.now)
        node.flush()
    lan.run(10)
    assert set(a.core.peers.get(b.identity.key).paths) == {(2, 4), (2, 6)}
    a.links = a.links[1:]
    a.core.set_links(a.links, lan.now)
    a.flush()
    lan.run(60)
    assert set(a.core.peers.get(b.identity.key).paths) == {(2, 6)}
    assert not a.gone(b)
    assert not b.gone(a)


def test_lost_confirm_is_repaired_at_once() -> None:
    lan = SimulatedLan()
    a = lan.node()
    lan.run(10)
    lost = []

    def lose_first_confirm(_node: object, data: bytes) -> bool:
        if data[22] == Kind.CONFIRM and not lost:
            lost.append(data)
            return False
        return True

    lan.filter = lose_first_confirm
    b = lan.node()
    lan.run(0.8)
    assert lost
    assert a.knows(b)
    assert b.knows(a)


def test_solicitation_is_answered_by_those_who_have_the_capabilities() -> None:
    lan = SimulatedLan()
    a, b, c = lan.node(), lan.node(), lan.node()
    c.core.set_introduction(Introduction(5.0, frozenset({"search", "coded"})), lan.now)
    c.flush()
    lan.run(5)
    a.history.clear()
    a.core.solicit({"coded"})
    a.flush()
    lan.run(0.5)
    assert {event.peer.key for event in a.answers()} == {c.identity.key}
    a.core.solicit(())
    a.flush()
    lan.run(0.5)
    assert {event.peer.key for event in a.answers()} == {b.identity.key, c.identity.key}


def test_machine_that_slept_asks_before_it_judges() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    lan.now += 3600  # Both slept for an hour: all that was due meanwhile is late.
    lan.run(30)
    assert a.knows(b)
    assert not a.gone(b)


def test_node_switched_off_and_on_again_at_any_moment_finds_its_peers() -> None:
    for pause in range(30):
        lan = SimulatedLan(seed=pause)
        a, b = lan.node(), lan.node()
        lan.filter = lambda node, data, a=a: not (node is a and data[22] == Kind.CHALLENGE)  # Only a may begin.
        lan.run(pause / 1000)
        a.core.stop()
        a.flush()
        lan.run(0.1)
        a.core.start(lan.now)
        a.flush()
        lan.run(8)
        assert a.knows(b)
        assert b.knows(a)


def test_shorter_interval_counts_from_now_on() -> None:
    lan = SimulatedLan()
    a, b = lan.node(shortest_interval=60.0), lan.node(shortest_interval=60.0)
    lan.run(20)
    a.core.set_shortest_interval(1.0, lan.now)
    a.flush()
    lan.run(0.1)
    assert b.core.peers.get(a.identity.key).introduction.interval == 1.0
    lan.wire.clear()
    lan.run(10)
    assert 10 <= len(lan.of_kind(Kind.INTRODUCTION, a)) <= 13


def test_round_trip_time_is_measured_on_both_sides() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(1)
    for one, other in ((a, b), (b, a)):
        assert 0.0003 < one.core.peers.get(other.identity.key).rtt < 0.0006


def test_idle_pair_sends_an_introduction_each_and_nothing_else() -> None:
    lan = SimulatedLan()
    lan.node()
    lan.node()
    lan.run(10)
    lan.wire.clear()
    lan.run(600)
    assert {data[22] for *_, data in lan.wire} == {Kind.INTRODUCTION}
    assert 240 <= len(lan.wire) <= 300


def test_load_stays_the_same_however_many_nodes_there_are() -> None:
    lan = SimulatedLan()
    for _ in range(40):
        lan.node(shortest_interval=1.0)
    lan.run(30)
    lan.wire.clear()
    lan.run(60)
    assert len(lan.of_kind(Kind.INTRODUCTION)) / 60 < 14
    assert all(len(node.core.peers) == 39 for node in lan.nodes)
