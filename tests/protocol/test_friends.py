"""Friends between two nodes, whatever gets lost, crosses, repeats or restarts."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.friends import NOTHING, MemoryBook
from tribler_multicast.protocol.wire import Kind

from .befriending import (
    AGREED,
    ask,
    befriend,
    bond,
    meet,
    states,
    told,
    withdraw,
)

if TYPE_CHECKING:
    from .simulated import Node, SimulatedLan

LONG = 4 * limits.FRIEND_AGAIN_MOST


@pytest.mark.parametrize("first", [0, 1])
def test_one_asks_and_the_other_accepts(first: int) -> None:
    lan, nodes = meet()
    one, other = nodes[first], nodes[1 - first]
    ask(one, other)
    assert states(one, other) == ("sent", "none")
    lan.run(1)
    assert states(one, other) == ("sent", "received")
    ask(other, one)
    assert states(one, other) == ("sent", "mutual")
    lan.run(1)
    assert states(one, other) == ("mutual", "mutual")
    assert told(one) == ["sent", "mutual"]
    assert told(other) == ["received", "mutual"]
    assert bond(one, other).is_delivered
    assert bond(other, one).is_delivered


def test_both_ask_at_once_and_are_friends() -> None:
    lan, (a, b) = meet()
    ask(a, b)
    ask(b, a)
    lan.run(1)
    assert states(a, b) == ("mutual", "mutual")


def test_after_that_both_are_quiet() -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    assert len(lan.of_kind(Kind.FRIEND)) <= 6
    lan.wire.clear()
    lan.run(600)
    assert lan.of_kind(Kind.FRIEND) == []
    assert a.core.friends.open == b.core.friends.open == {}


def test_asking_again_changes_nothing() -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    before = bond(a, b)
    lan.wire.clear()
    ask(a, b)
    lan.run(1)
    assert bond(a, b) == before
    assert lan.of_kind(Kind.FRIEND) == []
    assert told(a) == ["sent", "mutual"]


def test_a_refusal_is_gone_on_both_sides_and_both_may_ask_again() -> None:
    lan, (a, b) = meet()
    ask(a, b)
    lan.run(1)
    withdraw(b, a)
    lan.run(1)
    assert states(a, b) == ("none", "none")
    assert told(b) == ["received", "none"]
    ask(a, b)
    lan.run(1)
    assert states(a, b) == ("sent", "received")
    ask(b, a)
    lan.run(1)
    assert states(a, b) == ("mutual", "mutual")


def test_a_refused_ask_does_not_come_back_while_the_refusal_is_on_its_way() -> None:
    lan, (a, b) = meet()
    ask(a, b)
    lan.run(1)
    lan.filter = lambda node, data: node is b or data[22] != Kind.FRIEND
    withdraw(b, a)
    for _ in range(3):
        a.core.friends.verified(a.core.peers.get(b.identity.key), fresh=True, now=lan.now)  # type: ignore[arg-type]
        a.flush()
        lan.run(3)
    assert len(lan.of_kind(Kind.FRIEND, a)) > 3
    assert told(b) == ["received", "none"]
    assert states(a, b) == ("sent", "none")
    lan.filter = lambda node, data: True
    lan.run(LONG)
    assert states(a, b) == ("none", "none")


@pytest.mark.parametrize("was_mutual", [False, True])
def test_a_withdrawal_is_gone_on_both_sides(was_mutual: bool) -> None:
    lan, (a, b) = meet()
    ask(a, b)
    if was_mutual:
        ask(b, a)
    lan.run(1)
    withdraw(a, b)
    assert bond(a, b).state == "none"
    lan.run(1)
    assert states(a, b) == ("none", "none")
    assert told(b)[-1] == "none"
    lan.run(LONG)
    assert states(a, b) == ("none", "none")


def test_withdrawing_where_there_is_nothing_says_nothing() -> None:
    lan, (a, b) = meet()
    withdraw(a, b)
    lan.run(1)
    assert lan.of_kind(Kind.FRIEND) == []
    assert bond(a, b) == NOTHING


@pytest.mark.parametrize("was_mutual", [False, True])
def test_a_withdrawal_reaches_who_was_away(was_mutual: bool) -> None:
    lan, (a, b) = meet()
    ask(a, b)
    if was_mutual:
        ask(b, a)
    lan.run(1)
    b.leave()
    lan.run(1)
    withdraw(a, b)
    a.leave()
    lan.run(1)
    a.boot()
    lan.run(10)
    assert states(a, b) == ("none", "mutual" if was_mutual else "received")
    b.boot()
    lan.run(5)
    assert states(a, b) == ("none", "none")
    assert bond(a, b).is_delivered


def test_who_was_away_is_asked_when_it_comes() -> None:
    lan, (a, b) = meet()
    b.kill()
    ask(a, b)
    lan.run(60)
    assert not a.knows(b)
    assert bond(a, b).state == "sent"
    a.kill()
    a.boot()
    b.boot()
    lan.run(5)
    assert states(a, b) == ("sent", "received")


def test_ask_and_refusal_that_cross_leave_the_newer_ask() -> None:
    lan, (a, b) = meet()
    ask(a, b)
    lan.run(1)
    withdraw(a, b)
    ask(a, b)
    withdraw(b, a)
    lan.run(5)
    assert states(a, b) == ("sent", "received")


def test_an_ask_and_its_withdrawal_that_cross_an_acceptance_end_in_one_asking() -> None:
    lan, (a, b) = meet()
    ask(a, b)
    lan.run(1)
    withdraw(a, b)
    ask(b, a)
    lan.run(5)
    assert states(a, b) == ("received", "sent")


@pytest.mark.parametrize("seed", range(4))
def test_it_takes_some_seconds_at_40_percent_loss_both_ways(seed: int) -> None:
    lan, (a, b) = meet(seed=seed)
    lan.loss = 0.4
    ask(a, b)
    lan.run(20)
    assert states(a, b) == ("sent", "received")
    ask(b, a)
    lan.run(20)
    assert states(a, b) == ("mutual", "mutual")
    withdraw(b, a)
    lan.run(LONG)
    assert states(a, b) == ("none", "none")
    assert a.core.friends.open == b.core.friends.open == {}


@pytest.mark.parametrize("restarted", [0, 1])
def test_friends_stay_friends_when_one_restarts(restarted: int) -> None:
    lan, nodes = meet()
    befriend(*nodes)
    node = nodes[restarted]
    node.kill()
    node.boot()
    lan.run(5)
    assert states(*nodes) == ("mutual", "mutual")
    assert "none" not in told(nodes[0]) + told(nodes[1])


def test_both_sides_tell_the_truth_when_one_lost_its_book() -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    b.kill()
    b.kwargs["book"] = MemoryBook()
    b.boot()
    lan.run(5)
    assert states(a, b) == ("sent", "received")
    ask(b, a)
    lan.run(1)
    assert states(a, b) == ("mutual", "mutual")


def test_a_book_lost_after_a_withdrawal_does_not_bring_it_back() -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    withdraw(a, b)
    lan.run(1)
    for node in (a, b):
        node.kill()
        node.kwargs["book"] = MemoryBook()
        node.boot()
        lan.run(5)
        assert states(a, b) == ("none", "none")


@pytest.mark.parametrize("with_book", [False, True])
def test_a_new_key_is_a_stranger(with_book: bool) -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    b.leave()
    c = lan.node(book=b.kwargs["book"] if with_book else MemoryBook())
    c.links = b.links
    c.core.set_links(c.links, lan.now)
    lan.run(6)
    assert a.knows(c)
    assert bond(a, c).state == "received" if with_book else bond(a, c) == NOTHING
    assert bond(c, a).state == ("sent" if with_book else "none"), "who it chose is its own affair, and asked anew"
    assert bond(a, b).state == "mutual"


def test_nothing_is_told_to_who_is_not_verified() -> None:
    lan, (a, b) = meet()
    b.leave()
    lan.run(1)
    lan.wire.clear()
    ask(a, b)
    lan.run(60)
    assert lan.of_kind(Kind.FRIEND) == []


# --- Whatever happens.


class Step:
    """What may happen to two nodes."""

    ASK_A, ASK_B, NO_A, NO_B, RESTART_A, RESTART_B, LEAVE_B, LOSE, HEAL, WAIT, LATER, BOOK_A = range(12)


def play(lan: SimulatedLan, nodes: list[Node], step: int) -> None:
    a, b = nodes
    if step == Step.ASK_A:
        ask(a, b)
    elif step == Step.ASK_B:
        ask(b, a)
    elif step == Step.NO_A:
        withdraw(a, b)
    elif step == Step.NO_B:
        withdraw(b, a)
    elif step in (Step.RESTART_A, Step.RESTART_B, Step.BOOK_A):
        node = b if step == Step.RESTART_B else a
        if step == Step.BOOK_A:
            node.kwargs["book"] = MemoryBook()
        node.kill()
        node.boot()
    elif step == Step.LEAVE_B:
        b.leave()
    elif step == Step.LOSE:
        lan.loss = 0.6
    elif step == Step.HEAL:
        lan.loss = 0.0
    else:
        lan.run(0.0003 if step == Step.WAIT else 1.0)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, Step.BOOK_A), max_size=14), st.integers(0, 5))
def test_two_nodes_agree_once_it_is_quiet_whatever_happened(steps: list[int], seed: int) -> None:
    lan, nodes = meet(seed=seed)
    for step in steps:
        play(lan, nodes, step)
    lan.loss = 0.0
    if not nodes[1].alive:
        nodes[1].boot()
    lan.run(2 * limits.FRIEND_AGAIN_MOST)
    assert states(*nodes) in AGREED
    assert all(bond(one, other).is_delivered for one, other in (nodes, nodes[::-1]))
    lan.wire.clear()
    lan.run(LONG)
    assert lan.of_kind(Kind.FRIEND) == []
    ask(*nodes)
    ask(*nodes[::-1])
    lan.run(1)
    assert states(*nodes) == ("mutual", "mutual")
