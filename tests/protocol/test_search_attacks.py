"""Search among hostile peers: what they answer, ask and repeat, byte by byte."""
from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.client import Result
from tribler_multicast.protocol.limits import (
    MAX_ANSWER_RESULTS,
    MAX_ANSWERS_KEPT,
    MAX_SEARCH_RESULTS,
    PAGES_OF_ANSWERS_BURST,
    PAGES_OF_ANSWERS_PER_SECOND,
    QUERIES_BURST,
    RESULTS_BURST,
)
from tribler_multicast.protocol.pair_seal import seal_for_pair
from tribler_multicast.protocol.queries import PAGE_ROOM, Query, pack_pages, pack_result, read_page
from tribler_multicast.protocol.wire import Kind, WireError, Writer

from .searching import begin, found, names, offer, search, searchers, took, torrent
from .simulated import Seen, identity_from

if TYPE_CHECKING:
    from tribler_multicast.protocol.search import SearchRun

    from .simulated import Node, SimulatedLan


def hostile(count: int = 2) -> tuple[SimulatedLan, list[Node], SearchRun]:
    """Let the first node search; the others can answer, and do as the test says."""
    lan, nodes = searchers(count)
    for node in nodes[1:]:
        offer(node, lambda _text: None)
    run = begin(nodes[0], "boat")
    lan.run(0.02)
    lan.wire.clear()
    return lan, nodes, run


def say(node: Node, other: Node, payload: bytes, kind: Kind = Kind.RESULTS, sealed: bool = True) -> None:
    """Let a node send another one what its code would never say."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(kind, peer, (2, 4), other.address(), payload, sealed=sealed)
    node.flush()


def page(run: SearchRun, body: bytes = b"", number: int = 0, count: int = 1) -> bytes:
    return run.query.number + bytes((number, count)) + body


GOOD = pack_result(torrent("boat"))
ID = b"boat".ljust(20, b".")


def raw(kind: int = 1, size: int = 1, identifier: bytes = ID, name: bytes = b"boat") -> bytes:
    return bytes((kind,)) + size.to_bytes(8, "big") + bytes((len(identifier),)) + identifier \
        + bytes((len(name),)) + name


def test_whether_it_is_there_or_only_known_of_is_told() -> None:
    lan, (a, b), run = hostile()
    known = Result("torrent", b"k" * 20, "known", None, has=False)
    say(b, a, page(run, GOOD + pack_result(known)))
    lan.run(0.01)
    assert found(a, run)[b.identity.mid] == [torrent("boat"), known]


def test_a_good_answer_is_taken() -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD))
    lan.run(0.01)
    assert found(a, run) == {b.identity.mid: [torrent("boat")]}
    assert run.ended


@pytest.mark.parametrize("body", [
    raw(identifier=b"x" * 19), raw(identifier=b"x" * 21), raw(identifier=b""), raw(identifier=b"x" * 32),
    raw(kind=2), raw(kind=4), raw(size=1 << 63), raw(size=(1 << 64) - 2), raw(name=b"n" * 201), GOOD[:-1], GOOD + b"x",
    GOOD + GOOD[:5], b"\x01", b"\x00" * 9])
def test_what_is_malformed_is_dropped_whole(body: bytes) -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD + body))
    lan.run(0.01)
    assert found(a, run) == {}
    assert a.dropped("malformed") == 1
    say(b, a, page(run, GOOD))
    lan.run(0.01)
    assert names(a, run) == ["boat"]


@pytest.mark.parametrize(("number", "count"), [(0, 0), (1, 1), (0, 17), (16, 17), (5, 5)])
def test_impossible_pages_are_dropped(number: int, count: int) -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD, number, count))
    lan.run(0.01)
    assert a.dropped("malformed") + a.dropped("unexpected") == 1
    assert found(a, run) == {}


def test_endless_pages_and_pages_again_are_unexpected_and_hold_up_two_searches_only() -> None:
    lan, (a, b), run = hostile()
    for number in reversed(range(255)):
        say(b, a, page(run, raw(identifier=bytes((number,)) * 20), number, 16))
    say(b, a, page(run, GOOD, 3, 16))
    say(b, a, page(run, GOOD, 3, 2))
    lan.run(0.01)
    assert len(names(a, run)) == 16
    assert a.dropped("unexpected") == 255 - 16 + 2
    assert run.ended
    offer(b, lambda _text: None)
    for turn in range(4):
        run = begin(a, "boat", timeout=1.0)
        lan.run(0.001)
        say(b, a, page(run, GOOD, 0, 16))
        lan.run(1)
        assert names(a, run) == ["boat"]
        assert (took(a, run) < 0.2) == (turn >= 2)


def test_a_page_counts_once_whatever_is_in_it_the_second_time() -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD, 0, 3))
    lan.run(0.01)
    say(b, a, page(run, raw(identifier=b"2" * 20), 0, 3))
    say(b, a, page(run, raw(identifier=b"3" * 20), 3, 3))
    lan.run(0.01)
    assert names(a, run) == ["boat"]
    assert a.dropped("unexpected") == 2


def test_the_number_of_pages_cannot_change() -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD, 0, 3))
    say(b, a, page(run, raw(identifier=b"2" * 20), 1, 2))
    lan.run(0.01)
    assert len(names(a, run)) == 1
    assert a.dropped("malformed") == 1


def test_thousands_of_results_of_one_peer_are_fifty() -> None:
    lan, (a, b), run = hostile()
    for number in range(16):
        body = b"".join(raw(identifier=bytes((number, each)) * 10, name=b"") for each in range(36))
        assert len(body) <= PAGE_ROOM
        say(b, a, page(run, body, number, 16))
    lan.run(0.01)
    assert len(names(a, run)) == MAX_ANSWER_RESULTS
    assert a.dropped("too_many_results") == 16 * 36 - MAX_ANSWER_RESULTS
    assert run.found <= MAX_SEARCH_RESULTS


def test_the_same_result_twice_and_kinds_not_asked_for_do_not_count_and_unknown_kinds_are_skipped() -> None:
    lan, (a, b), run = hostile()
    file, odd = pack_result(Result("file", b"f" * 32, "boat")), raw(kind=0x89, identifier=b"?" * 7)
    say(b, a, page(run, GOOD + odd + GOOD + file))
    lan.run(0.01)
    assert names(a, run) == ["boat"]
    assert a.dropped("unexpected_result") == 2


def test_hostile_names_are_cleaned_before_anybody_sees_them() -> None:
    lan, (a, b), run = hostile()
    name = "\u202efdp.\x1b[2Jboat\n\x00\u2066".encode()
    say(b, a, page(run, raw(name=name) + raw(identifier=b"2" * 20, name=b"\xff")))
    lan.run(0.01)
    assert names(a, run) == ["fdp.[2Jboat", ""]


def test_answers_to_no_query_to_another_ones_and_after_the_end_are_unexpected() -> None:
    lan, (a, b, c), run = hostile(3)
    other = begin(c, "boat")
    lan.run(0.01)
    say(b, a, bytes(8) + b"\x00\x01" + GOOD)
    say(b, a, page(other, GOOD))
    say(b, a, b"short")
    say(b, a, run.query.number)
    lan.run(0.01)
    assert a.dropped("unexpected") == 4
    say(b, a, page(run, GOOD))
    say(c, a, page(run, GOOD))
    lan.run(0.01)
    assert run.ended
    say(b, a, page(run, GOOD, 0, 2))
    lan.run(0.01)
    assert a.dropped("unexpected") == 5


def test_who_was_not_asked_does_not_answer() -> None:
    lan, (a, *_), run = hostile()
    late = lan.node()
    lan.run(1)
    assert a.knows(late)
    say(late, a, page(run, GOOD))
    lan.run(0.01)
    assert found(a, run) == {}
    assert a.dropped("unexpected") == 1


def test_answers_and_unicast_queries_that_are_not_sealed_are_dropped() -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD), sealed=False)
    say(a, b, Query.make("x", ["torrent"], 5, True).pack(), Kind.QUERY, sealed=False)
    lan.run(0.01)
    assert (a.dropped("not_sealed"), b.dropped("not_sealed")) == (1, 1)
    assert found(a, run) == {}


def test_a_flood_of_answers_of_a_peer_is_not_checked_and_leaves_others_alone() -> None:
    lan, (a, b, c), run = hostile(3)
    for _ in range(1000):
        say(b, a, page(run, raw(size=1 << 63)))
    lan.run(0.01)
    assert a.core.counters.received["results"] <= RESULTS_BURST + 5
    say(c, a, page(run, GOOD))
    lan.run(0.01)
    assert names(a, run) == ["boat"]


def test_recordings_forgeries_and_strangers_change_nothing() -> None:
    lan, (a, b), run = hostile()
    say(b, a, page(run, GOOD))
    [answer] = lan.of_kind(Kind.RESULTS)
    lan.run(0.01)
    again = begin(a, "boat")
    lan.transmit(None, 4, b.address(), a.address(), answer)
    lan.transmit(None, 4, b.address(), a.address(), answer[:-100] + bytes(36) + answer[-64:])
    stranger = Writer(identity_from("stranger"), 1)
    lan.transmit(None, 4, ("10.0.0.77", 32110), a.address(), stranger.datagram(Kind.RESULTS, 0x34, page(again, GOOD)))
    lan.transmit(None, 4, ("10.0.0.77", 32110), None,
                 stranger.datagram(Kind.QUERY, 4, Query.make("x", ["torrent"], 5, True).pack()))
    lan.run(0.01)
    assert found(a, again) == {}
    assert a.dropped("replay") == 2
    assert b.dropped("unknown_peer") >= 1
    assert lan.of_kind(Kind.RESULTS, a) == []


@pytest.mark.parametrize(("ip", "epoch", "reason"), [
    ("10.0.0.77", 1, "unverified_path"), ("10.0.0.1", 2, "unconfirmed_epoch"), ("10.0.0.1", 0, "old_epoch")])
def test_a_query_counts_from_its_peers_address_in_its_epoch(ip: str, epoch: int, reason: str) -> None:
    lan, (a, b), _ = hostile()
    writer = Writer(a.identity, epoch)
    writer.sequence = 5000
    lan.transmit(None, 4, (ip, 32110), None, writer.datagram(Kind.QUERY, 4, bytes(8) + b"\x01\x05\0\0x"))
    lan.run(0.1)
    assert b.dropped(reason) == 1
    assert {question.query.text for question in b.asked} == {"boat"}


@pytest.mark.parametrize("payload", [
    b"", bytes(11), bytes(8) + b"\x01\x05\0\0", bytes(8) + b"\x05\x05\0\0 \t", bytes(8) + b"\x01\x00\0\0x",
    bytes(8) + b"\x01\x05\0\0" + b"x" * 129, bytes(8) + b"\x0f\x05\0\0" + "\u202e".encode()])
def test_malformed_queries_are_dropped(payload: bytes) -> None:
    lan, (a, b), _ = hostile()
    b.receive(a.core.outbox.writer.datagram(Kind.QUERY, 4, payload), Seen((2, 4), True, a.address(), 1))
    lan.run(0.1)
    assert b.dropped("malformed") == 1
    assert {question.query.text for question in b.asked} == {"boat"}


def test_a_query_for_more_than_the_limit_gets_the_limit() -> None:
    lan, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent(f"{number} boat") for number in range(300)])
    a.core.outbox.multicast(Kind.QUERY, (2, 4), bytes(8) + b"\x01\xff\0\0boat")
    a.flush()
    lan.run(1)
    assert b.asked[0].query.most == MAX_ANSWER_RESULTS


def test_a_peer_that_asks_by_unicast_from_another_address_is_verified_there_first() -> None:
    lan, (a, b) = searchers(2)
    offer(b, [torrent("boat")])
    peer = a.core.peers.get(b.identity.key)
    assert peer is not None
    sealed = seal_for_pair(peer.pair_key, Query.make("boat", ["torrent"], 5, True).pack())
    data = a.core.outbox.writer.datagram(Kind.QUERY, 0x34, sealed, pair_key=peer.pair_key)
    lan.transmit(None, 4, ("10.0.0.99", 32110), b.address(), data)
    lan.run(0.2)
    assert b.asked == []
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.99", 32110)]


def test_what_we_send_for_others_is_bounded_and_so_is_what_is_kept_of_it() -> None:
    lan, (a, b) = searchers(2)
    offer(b, lambda _text: [torrent(f"{number:03} " + "x" * 200) for number in range(50)], delay=0.0001)
    for number in range(int(QUERIES_BURST)):
        a.core.outbox.multicast(Kind.QUERY, (2, 4), bytes((number, *bytes(7), 1, 50, 0, 0)) + b"x")
        a.flush()
        lan.run(0.01)
    assert len(b.asked) == QUERIES_BURST
    assert len(lan.of_kind(Kind.RESULTS)) <= PAGES_OF_ANSWERS_BURST + PAGES_OF_ANSWERS_PER_SECOND
    assert b.dropped("answer_budget") > 0
    for number in range(100):
        lan.run(0.2)
        a.core.outbox.multicast(Kind.QUERY, (2, 4), bytes((number, 1, *bytes(6), 1, 1, 0, 0)) + b"x")
        a.flush()
    lan.run(1)
    assert len(b.core.answers.kept) == MAX_ANSWERS_KEPT


def test_an_answer_has_no_more_than_was_asked_for() -> None:
    query = Query.make("x", ["torrent", "file"], 3, True)
    results = [Result("stream", b"s" * 20, "x"), *(torrent(f"{number}") for number in range(9))]
    [only] = pack_pages(query, results)
    assert [result.name for result in read_page(only)[2]] == ["0", "1", "2"]
    assert pack_pages(query, []) == [query.number + b"\x00\x01"]


def test_no_bytes_make_reading_raise_anything_else() -> None:
    random = Random(5)
    for _ in range(20_000):
        data = random.randbytes(random.randrange(60))
        if random.random() < 0.7:
            body = bytearray(page_of(random))
            body[random.randrange(len(body))] = random.randrange(256)
            data = bytes(body)
        for read in (read_page, Query.unpack):
            with suppress(WireError):
                read(data)


def page_of(random: Random) -> bytes:
    return bytes(8) + bytes((0, 1)) + GOOD * random.randrange(1, 4)


def test_a_search_among_hostile_ones_still_brings_what_the_others_have() -> None:
    lan, (a, b, c) = searchers(3)
    offer(b, [torrent("boat")])
    offer(c, lambda _text: None)
    run = begin(a, "boat", timeout=1.0)
    for number in range(300):
        say(c, a, page(run, raw(identifier=bytes((number % 256,)) * 20), number % 16, 16))
    lan.run(2)
    assert "boat" in names(a, run)
    assert found(a, run)[b.identity.mid] == [torrent("boat")]
    assert search(a, "boat").ended
