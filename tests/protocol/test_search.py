"""Search on a virtual clock: what is found, when it ends, what loss, crowds and policies change."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.client import Result
from tribler_multicast.protocol.events import Asked
from tribler_multicast.protocol.limits import (
    ALL_QUERIES_BURST,
    MAX_ANSWER_RESULTS,
    MAX_QUERIES_PER_PEER,
    MAX_SEARCH_RESULTS,
    MAX_SEARCHES,
    QUERIES_BURST,
    QUERIES_PER_SECOND,
    QUERY_LIFETIME,
)
from tribler_multicast.protocol.queries import clean_text
from tribler_multicast.protocol.wire import MAX_SIGNED, PAIR_SEALED, Kind

from .befriending import befriend
from .searching import TIMEOUT, begin, found, names, offer, search, searchers, took, torrent

if TYPE_CHECKING:
    from .simulated import Node


def test_what_neighbours_have_is_found_and_the_search_is_over_when_all_have_answered() -> None:
    lan, (a, b, c, d) = searchers(4)
    offer(b, [torrent("red boat", 7), torrent("blue car")])
    offer(c, [torrent("red car"), torrent("red boat", None)])
    offer(d)
    run = search(a, "red")
    assert found(a, run) == {b.identity.mid: [torrent("red boat", 7)],
                             c.identity.mid: [torrent("red car"), torrent("red boat", None)]}
    assert took(a, run) < 0.05
    assert len(lan.of_kind(Kind.QUERY)) == 1
    assert len(lan.of_kind(Kind.RESULTS)) == 3


def test_who_offers_no_search_is_not_waited_for_and_does_not_answer() -> None:
    lan, (a, b, c) = searchers(3)
    offer(b, [torrent("boat")])
    run = search(a, "boat")
    assert took(a, run) < 0.05
    assert lan.of_kind(Kind.RESULTS, c) == []
    assert not any(isinstance(event, Asked) for _, event in c.history)
    assert names(a, run) == ["boat"]


def test_when_nobody_offers_search_it_is_over_at_once_and_nothing_is_sent() -> None:
    lan, (a, _) = searchers(2)
    run = begin(a, "boat")
    assert run.ended
    assert lan.of_kind(Kind.QUERY) == []


def test_streams_are_asked_for_with_no_words_and_all_else_needs_some() -> None:
    _, (a, b) = searchers(2)
    stream, live = Result("stream", b"s" * 20, "film"), Result("stream", b"l" * 32, "camera", None)
    offer(b, lambda _text: [stream, torrent("boat"), live])
    assert found(a, search(a, "", ["stream"])) == {b.identity.mid: [stream, live]}
    assert names(a, search(a, "x", ["torrent"])) == ["boat"]
    for kinds in ((), ("torrent",), ("torrent", "stream"), ("secrets",)):
        with pytest.raises(ValueError, match=r"empty|kinds"):
            begin(a, " \u202e ", kinds)
    with pytest.raises(ValueError, match="128 bytes"):
        begin(a, "ö" * 65)
    with pytest.raises(ValueError, match="128 bytes"):
        begin(a, "\ud800")


def test_a_query_of_the_longest_text_arrives_whole() -> None:
    _, (a, b) = searchers(2)
    offer(b)
    search(a, "ö" * 64)
    assert b.asked[0].query.text == "ö" * 64


def test_many_long_results_come_whole_in_pages_that_fit_and_no_more_than_the_limit() -> None:
    lan, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent(f"{number:03} " + "x" * 300) for number in range(2000)])
    run = search(a, "x")
    assert len(names(a, run)) == MAX_ANSWER_RESULTS
    assert {len(name.encode()) for name in names(a, run)} == {200}
    assert 10 <= len(lan.of_kind(Kind.RESULTS)) <= 16
    assert max(map(len, lan.of_kind(Kind.RESULTS))) <= MAX_SIGNED
    assert took(a, run) < 0.05


def test_a_name_is_cut_between_characters_and_one_that_is_no_text_is_left_out() -> None:
    _, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent("ab" + "€" * 100), Result("torrent", b"b" * 20, "broken\ud800name"),
                            Result("torrent", b"short", "x"),
                            Result("torrent", b"n" * 20, "negative", -1), Result("torrent", b"l" * 20, "l", 1 << 63)])
    assert names(a, search(a, "x")) == ["ab" + "€" * 66, "brokenname"]


@pytest.mark.parametrize("seed", range(5))
def test_at_forty_percent_loss_most_of_it_is_found_in_time(seed: int) -> None:
    _, (a, *others) = searchers(6, loss=0.4, seed=seed)
    for node in others:
        offer(node, [torrent(f"boat {node.number}")])
    a.lan.loss = 0.4
    run = search(a, "boat")
    assert len(names(a, run)) >= 3
    assert len(set(names(a, run))) == len(names(a, run))


def test_missing_pages_alone_are_sent_again() -> None:
    lan, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent(f"{number:03} " + "x" * 190) for number in range(40)])
    lost = iter([True, False, True])
    lan.filter = lambda node, data: not (node is a and data[22] == Kind.RESULTS and next(lost, False))
    run = search(a, "x")
    assert len(names(a, run)) == 40
    pages = len(lan.of_kind(Kind.RESULTS))
    assert pages == 10 + 2
    assert 0.1 < took(a, run) < 0.2
    assert len(b.asked) == 1


def test_a_lost_query_is_asked_again_by_unicast_and_is_not_to_be_read_there() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat of a secret colour")])
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.QUERY and not data[24] & PAIR_SEALED)
    run = search(a, "secret")
    assert names(a, run) == ["boat of a secret colour"]
    first, again = lan.of_kind(Kind.QUERY)
    assert b"secret" in first
    assert b"secret" not in again
    assert not any(b"secret" in data for data in lan.of_kind(Kind.RESULTS))


def test_one_that_never_answers_holds_up_two_searches_and_no_more() -> None:
    _, (a, b, c) = searchers(3)
    offer(b, [torrent("boat")])
    offer(c, lambda _text: None)
    times = [took(a, search(a, "boat", timeout=1.0)) for _ in range(5)]
    assert times[:2] == pytest.approx([1.0, 1.0])
    assert max(times[2:]) < 0.2
    offer(c, [torrent("boot")])  # It is asked all the same, and waited for again once it answers.
    assert sorted(names(a, search(a, "bo", timeout=1.0))) == ["boat", "boot"]
    assert a.core.searches.silent == {}


def test_a_store_that_needs_long_is_waited_for_and_one_that_needs_too_long_is_forgotten() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat")], delay=0.9)
    run = search(a, "boat")
    assert names(a, run) == ["boat"]
    assert took(a, run) == pytest.approx(0.9, abs=0.05)
    assert len(b.asked) == 1
    offer(b, [torrent("boat")], delay=QUERY_LIFETIME + 1)
    assert names(a, search(a, "boat")) == []
    lan.run(10)
    assert b.core.answers.under_way == {}
    assert b.dropped("unanswered") == 1


def test_whoever_leaves_meanwhile_is_not_waited_for() -> None:
    lan, (a, b, c) = searchers(3)
    offer(b, [torrent("boat")])
    offer(c, lambda _text: None)
    run = begin(a, "boat")
    lan.run(0.05)
    c.leave()
    lan.run(TIMEOUT)
    assert took(a, run) < 0.2


def test_searches_end_with_the_node_and_are_so_many_at_most() -> None:
    _, (a, b) = searchers(2)
    offer(b, lambda _text: None)
    runs = [begin(a, "boat") for _ in range(MAX_SEARCHES)]
    with pytest.raises(ValueError, match="running already"):
        begin(a, "boat")
    a.leave()
    assert all(run.ended for run in runs)
    assert a.core.searches.runs == {}
    with pytest.raises(ValueError, match="switched off"):
        begin(a, "boat")


def test_our_own_queries_leave_within_the_budget_and_none_is_refused() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat")])
    for _ in range(100):
        run = begin(a, "boat", timeout=10.0)
        lan.run(0.02)
        if not run.ended:
            lan.run(0.3)
        assert names(a, run) == ["boat"]
    assert b.dropped("rate") == 0
    assert len(lan.of_kind(Kind.QUERY)) == 100


def test_of_a_crowd_those_with_nothing_say_nothing_and_each_has_its_share() -> None:
    lan, (a, *others) = searchers(70)
    for node in others:
        offer(node, lambda _text, node=node: [torrent(f"{node.number} {number}") for number in range(100)]
              if node.number % 2 else [])
    run = search(a, "x")
    share = MAX_SEARCH_RESULTS // 69
    assert {len(results) for results in found(a, run).values()} == {share}
    assert len(found(a, run)) == 34
    assert {node.number for node in others if lan.of_kind(Kind.RESULTS, node)} == set(range(3, 71, 2))
    when = sorted(time for time, node, *_, data in lan.wire if data[22] == Kind.RESULTS)
    assert when[len(when) // 2] - when[0] > 0.03
    assert a.core.searches.silent == {}, "who has nothing is not taken for silent"


def test_in_a_crowd_whom_the_first_query_did_not_reach_hears_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.protocol.search.MAX_ASKED_AGAIN", 8)
    lan, (a, *others) = searchers(20)
    for node in others:
        offer(node, [torrent(f"boat {node.number}")])
    lan.filter = lambda node, data: not (node.number > 10 and data[22] == Kind.QUERY and lan.now < a.began + 0.01)
    assert len(names(a, search(a, "boat"))) == 19
    assert not any(data[24] & PAIR_SEALED for data in lan.of_kind(Kind.QUERY))


def test_many_searches_at_once_bring_all_that_there_is_and_nobody_is_asked_twice() -> None:
    lan, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent(f"{number:03} " + "x" * 300) for number in range(50)])
    runs = [begin(a, "x") for _ in range(MAX_QUERIES_PER_PEER)]
    lan.run(0.05)
    runs += [begin(a, "x") for _ in range(MAX_QUERIES_PER_PEER)]
    lan.run(TIMEOUT)
    assert [len(names(a, run)) for run in runs] == [MAX_ANSWER_RESULTS] * 8
    assert len(lan.of_kind(Kind.QUERY)) == 8
    assert a.dropped("rate") == 0


def test_a_query_that_comes_on_two_ways_is_looked_up_once() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat")], delay=0.5)
    run = begin(a, "boat")
    a.core.outbox.multicast(Kind.QUERY, (2, 4), run.query.pack())
    a.flush()
    lan.run(TIMEOUT)
    assert len(b.asked) == 1
    assert b.dropped("duplicate") >= 1
    assert names(a, run) == ["boat"]


def test_a_flood_of_queries_of_one_peer_is_looked_up_within_its_budget_and_leaves_its_introductions_alone() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat")])
    query = begin(a, "boat").query.pack()
    lan.run(1)
    b.asked.clear()
    for second in range(3):
        for number in range(500):
            a.core.outbox.multicast(Kind.QUERY, (2, 4), (1000 * second + number).to_bytes(8, "big") + query[8:])
        a.flush()
        lan.run(1)
    assert len(b.asked) <= QUERIES_BURST + 3 * QUERIES_PER_SECOND
    assert b.core.counters.received["query"] <= QUERIES_BURST + 4 * QUERIES_PER_SECOND
    assert b.dropped("rate") + b.dropped("busy") + len(b.asked) == 1500
    assert b.knows(a)
    lan.run(10)
    assert names(a, search(a, "boat")) == ["boat"]


def test_queries_that_wait_for_the_store_are_few_and_of_one_peer_fewer() -> None:
    lan, (a, b, c) = searchers(3)
    offer(b, [torrent("boat")], delay=1.0)
    for _ in range(MAX_SEARCHES):
        begin(c, "boat", timeout=5.0)
    lan.run(0.05)
    assert len(b.core.answers.under_way) == MAX_QUERIES_PER_PEER
    assert b.dropped("busy") == MAX_SEARCHES - MAX_QUERIES_PER_PEER
    run = begin(a, "boat")
    lan.run(5)
    assert names(a, run) == ["boat"]


def test_floods_of_queries_of_many_peers_are_checked_within_the_budget_of_all() -> None:
    lan, (a, *others) = searchers(8)
    offer(a)
    for node in others:
        for number in range(int(QUERIES_BURST)):
            node.core.outbox.multicast(Kind.QUERY, (2, 4), bytes((node.number, number, *bytes(6), 1, 9, 0, 0)) + b"x")
        node.flush()
    lan.run(0.01)
    assert a.core.counters.received["query"] <= ALL_QUERIES_BURST + 5 < 7 * QUERIES_BURST


def trio() -> tuple[Node, Node, Node]:
    """Make a node for friends only, its friend, and one that is none; all offer something."""
    _, nodes = searchers(3)
    befriend(*nodes[:2])
    nodes[0].core.policy.friends_only = True
    for node in nodes:
        offer(node, [torrent(f"boat {node.number}")])
    nodes[0].lan.run(1)
    nodes[0].lan.wire.clear()
    return nodes[0], nodes[1], nodes[2]


def test_a_node_for_friends_only_asks_them_only_by_unicast_and_sealed() -> None:
    only, friend, other = trio()
    run = search(only, "boat")
    assert names(only, run) == ["boat 2"]
    assert took(only, run) < 0.05
    assert other.asked == []
    assert [target for *_, target, data in only.lan.wire if data[22] == Kind.QUERY] == [friend.address()]
    assert not any(b"boat" in data for *_, data in only.lan.wire)


def test_a_node_for_friends_only_answers_them_only() -> None:
    only, friend, other = trio()
    assert sorted(names(friend, search(friend, "boat"))) == ["boat 1", "boat 3"]
    run = search(other, "boat")
    assert names(other, run) == ["boat 2"]
    assert only.dropped("not_friend") >= 1
    assert len(only.asked) == 1
    assert took(other, run) == TIMEOUT  # Who does not answer is waited for, twice.
    search(other, "boat")
    assert took(other, search(other, "boat")) < 0.2


def test_a_friendship_that_ends_meanwhile_ends_the_answer() -> None:
    only, friend, _ = trio()
    run = begin(friend, "boat", timeout=0.5)
    only.lan.run(0.0005)
    assert len(only.asked) == 1
    only.core.friends.withdraw(friend.identity.key, 1 << 50, only.lan.now)
    only.lan.run(1)
    assert found(friend, run).keys() == {only.lan.nodes[2].identity.mid}


@pytest.mark.parametrize(("raw", "shown"), [
    (b"plain name.mkv", "plain name.mkv"),
    ("\u202egnp.exe".encode(), "gnp.exe"),
    ("a\u2066b\u2069\u200bc\ufeff".encode(), "abc"),
    (b"two\nlines\r\n\x1b[31mred\x00", "two lines [31mred"),
    ("a\u2028b\u2029c\u00a0d".encode(), "a b c d"),
    (b"\xff\xfeno \xc3utf", "no utf"),
    (b"\xed\xa0\x80x", "x"),
    (b"   ", ""),
    ("größe €".encode(), "größe €")])
def test_names_are_safe_to_show_on_a_line(raw: bytes, shown: str) -> None:
    assert clean_text(raw, 200) == shown
