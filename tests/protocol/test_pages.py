"""Pages of introductions: a newcomer gets to know all from two peers, and believes nothing before it verified it."""
from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tribler_multicast.protocol.events import PeerLocal
from tribler_multicast.protocol.limits import (
    PAGE_BURST,
    PAGE_GAP,
    PAGES_PER_ASKER,
    PENDING_LIFETIME,
)
from tribler_multicast.protocol.pages import Page
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.wire import MAX_SIGNED, Kind, WireError

from .simulated import SimulatedLan

if TYPE_CHECKING:
    from .simulated import Node

LINK = (2, 4)


def deaf_newcomer(count: int, seed: int = 1, **kwargs: object) -> tuple[SimulatedLan, list[Node], Node, Node]:
    """Make a LAN on which a newcomer hears and is heard by two nodes only; it pulls from them."""
    lan = SimulatedLan(seed=seed)
    nodes = [lan.node(**kwargs) for _ in range(count)]
    lan.run(20)
    assert all(len(node.core.peers) == count - 1 for node in nodes)
    friends = nodes[:2]
    new = lan.node(**kwargs)
    heard = {node.identity.key for node in friends}
    lan.filter = lambda node, data: (data[41:105] in heard if node is new and data[22] == Kind.INTRODUCTION
                                     else node in friends or data[41:105] != new.identity.key
                                     or data[22] != Kind.INTRODUCTION)
    lan.run(0.4)
    assert {peer.key for peer in new.core.peers} == heard
    lan.wire.clear()
    return lan, nodes, new, friends[0]


def pull(node: Node) -> None:
    node.core.puller.pull(LINK, node.lan.now)
    node.flush()


def test_newcomer_knows_from_two_peers_whom_it_never_heard() -> None:
    lan, nodes, new, _ = deaf_newcomer(30)
    pull(new)
    lan.run(0.5)
    assert {key for key, _ in new.core.candidates.table} == {node.identity.key for node in nodes[2:]}
    asked = {target for *_, target, data in lan.wire if data[22] == Kind.PULL}
    assert asked == {node.address() for node in nodes[:2]}
    assert not new.core.puller.open
    assert not new.core.puller.turns


def test_candidate_is_neither_local_nor_counted_nor_told_of() -> None:
    lan, _, new, _ = deaf_newcomer(30)
    before = len(new.core.peers), new.core.peers.address_count, new.core.current_introduction()
    pull(new)
    lan.run(0.5)
    assert len(new.core.candidates) == 28
    assert (len(new.core.peers), new.core.peers.address_count, new.core.current_introduction()) == before
    assert len([event for _, event in new.history if isinstance(event, PeerLocal)]) == 2
    assert len(list(new.core.pages.known(LINK))) <= 2


def test_candidates_are_verified_at_a_bounded_rate() -> None:
    lan, nodes, new, _ = deaf_newcomer(50)
    pull(new)
    lan.run(0.5)
    lan.wire.clear()
    lan.run(3.5)
    assert len(lan.of_kind(Kind.CHALLENGE, new)) <= 40
    lan.run(8)
    assert all(new.knows(node) and node.knows(new) for node in nodes)
    assert not len(new.core.candidates)


def test_candidate_that_is_asked_for_is_verified_at_once() -> None:
    lan, nodes, new, _ = deaf_newcomer(30)
    pull(new)
    lan.run(0.5)
    assert new.core.want_now(nodes[-1].identity.mid, lan.now)
    assert not new.core.want_now(bytes(20), lan.now)
    new.flush()
    lan.run(0.05)
    assert new.knows(nodes[-1])
    assert not new.core.want_now(nodes[-1].identity.mid, lan.now)


def test_candidate_that_does_not_answer_is_forgotten_and_the_same_introduction_counts_no_second_time() -> None:
    lan, nodes, new, _ = deaf_newcomer(12)
    nodes[-1].kill()
    pull(new)
    lan.run(0.5)
    assert nodes[-1].identity.key in {key for key, _ in new.core.candidates.table}
    lan.run(8)
    assert not len(new.core.candidates)
    pull(new)
    lan.run(0.5)
    assert not len(new.core.candidates)
    assert PENDING_LIFETIME < 8


def test_small_lan_never_pulls() -> None:
    lan = SimulatedLan()
    for _ in range(20):
        lan.node()
        lan.run(3)
    lan.run(300)
    assert not lan.of_kind(Kind.PULL)


def test_large_intervals_of_all_make_a_newcomer_pull_by_itself_and_that_of_one_liar_does_not() -> None:
    for shortest, asks in ((60.0, True), (5.0, False)):
        lan = SimulatedLan()
        for number in range(5):
            lan.node(shortest_interval=600.0 if number == 0 else shortest)
        lan.run(20)
        lan.wire.clear()
        new = lan.node()
        lan.run(60)
        assert bool(lan.of_kind(Kind.PULL, new)) == asks
        assert len(lan.of_kind(Kind.PULL, new)) <= 12


def test_pages_leave_room_for_a_seal_and_leave_in_small_bursts() -> None:
    lan, _, new, _ = deaf_newcomer(60)
    pull(new)
    lan.run(2)
    pages = [(when, sender, data) for when, sender, _, _, _, data in lan.wire if data[22] == Kind.PAGE]
    assert len(pages) >= 10
    assert all(len(data) <= MAX_SIGNED for *_, data in pages)
    assert max(len(data) for *_, data in pages) > 1200
    for sender in {sender for _, sender, _ in pages}:
        times = [when for when, by, _ in pages if by is sender]
        for begin in times:
            assert sum(begin <= when < begin + PAGE_GAP / 2 for when in times) <= PAGE_BURST
            assert sum(begin <= when < begin + 1 for when in times) <= PAGE_BURST + PAGES_PER_ASKER + 1


def test_page_that_is_lost_is_asked_for_again_of_another_peer() -> None:
    for lost in range(4):
        lan, nodes, new, _ = deaf_newcomer(40, seed=lost + 1)
        allowed, count = lan.filter, [0]

        def lossy(node: Node, data: bytes, lost: int = lost, allowed: object = allowed, count: list[int] = count,
                  new: Node = new) -> bool:
            if node is new and data[22] == Kind.PAGE:
                count[0] += 1
                if count[0] - 1 == lost:
                    return False
            return allowed(node, data)

        lan.filter = lossy
        pull(new)
        lan.run(2)
        assert {key for key, _ in new.core.candidates.table} >= {node.identity.key for node in nodes[2:]} - {
            peer.key for peer in new.core.peers}
        assert 3 <= len(lan.of_kind(Kind.PULL, new)) <= 4


def test_pull_of_a_peer_that_never_answers_goes_to_another_one() -> None:
    lan, nodes, new, silent = deaf_newcomer(30)
    silent.kill()
    pull(new)
    lan.run(3)
    assert len(new.core.candidates) + len(new.core.peers) == len(nodes)


@given(st.binary(max_size=400))
def test_any_payload_is_a_page_or_a_wire_error(payload: bytes) -> None:
    try:
        page = Page.unpack(payload)
    except WireError:
        return
    assert Page.unpack(page.pack()) == page


def test_keys_come_in_order() -> None:
    lan, _, new, _ = deaf_newcomer(30)
    pull(new)
    lan.run(0.5)
    for data in lan.of_kind(Kind.PAGE):
        keys = [each[19:83] for each in Page.unpack(data[121:-64]).introductions]
        assert all(one < other for one, other in pairwise(keys))


def test_in_a_group_pages_hold_what_was_signed_for_the_group() -> None:
    seal = Seal(b"r" * 32)
    lan = SimulatedLan()
    nodes = [lan.node(seal=seal) for _ in range(6)]
    lan.run(20)
    assert all(len(node.core.peers) == 5 for node in nodes)
    for node in nodes[2:]:
        node.alive = False  # They hear nothing of the newcomer.
    new = lan.node(seal=seal)
    lan.run(0.5)
    pull(new)
    lan.run(0.5)
    assert {key for key, _ in new.core.candidates.table} == {node.identity.key for node in nodes[2:]}
    assert new.dropped("page_bad_signature") == 0
