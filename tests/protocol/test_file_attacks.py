"""Shared files among hostile peers: what they ask, answer and repeat, byte by byte."""
from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.file_answers import FileJob
from tribler_multicast.protocol.file_messages import (
    HASHING,
    READY,
    REFUSED,
    STATES,
    WAITING,
    FileAnswer,
    FileRequest,
)
from tribler_multicast.protocol.limits import (
    ALL_FILE_REQUESTS_BURST,
    FILE_REQUESTS_BURST,
    FILE_REQUESTS_PER_SECOND,
    MAX_FILE_ANSWERS_KEPT,
    MAX_FILE_WAITERS,
    MAX_FILES_KNOWN,
)
from tribler_multicast.protocol.pair_seal import seal_for_pair
from tribler_multicast.protocol.wire import Kind, WireError, Writer

from .sharing import answer, file_id, infohash, share, sharers, took, want
from .simulated import identity_from

if TYPE_CHECKING:
    from tribler_multicast.protocol.file_requests import FileRun

    from .simulated import Node, SimulatedLan


def hostile(count: int = 2) -> tuple[SimulatedLan, list[Node], FileRun]:
    """Let the first node want a file of the second; the others do as the test says."""
    lan, nodes = sharers(count)
    run = want(nodes[0], nodes[1], "film")
    lan.run(0.01)
    lan.wire.clear()
    return lan, nodes, run


def say(node: Node, other: Node, payload: bytes, kind: Kind = Kind.FILE_ANSWER, sealed: bool = True) -> None:
    """Let a node send another one what its code would never say."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(kind, peer, (2, 4), other.address(), payload, sealed=sealed)
    node.flush()


def ask(node: Node, other: Node, name: str, number: int = 1) -> None:
    say(node, other, FileRequest(number.to_bytes(8, "big"), file_id(name)).pack(), Kind.FILE_REQUEST)


def test_a_peer_that_asks_for_thousands_has_one_hashed_at_a_time_and_others_still_get_theirs() -> None:
    lan, (a, b, c) = sharers(3)
    shared = share(a, {**{f"film {number}": 60.0 for number in range(2000)}, "boat": 1.0})
    for number in range(2000):
        ask(b, a, f"film {number}", number)
        if number % 10 == 9:
            lan.run(0.5)
    assert shared.most == 1
    assert len(shared.hashed) <= 3
    assert len(a.core.file_answers.jobs) <= 2
    begin = lan.now
    boat = want(c, a, "boat")
    while not boat.ended and lan.now < begin + 130:
        ask(b, a, f"film {int(lan.now)}", int(lan.now))
        lan.run(1)
    assert boat.infohash == infohash("boat")
    assert lan.now - begin < 63


def test_giving_up_and_asking_again_reads_nothing_twice() -> None:
    lan, (a, b, c) = sharers(3)
    shared = share(a, {"film": 5.0})
    for number in range(100):
        ask(b, a, "film", number)
        lan.run(0.3)
        say(b, a, FileRequest(number.to_bytes(8, "big"), file_id("film"), wanted=False).pack(), Kind.FILE_REQUEST)
        lan.run(0.3)
        if number == 5:
            other = want(c, a, "film")
    assert shared.hashed == ["film"]
    assert (other.infohash, took(c, other) < 2.5) == (infohash("film"), True), "who asks meanwhile has the same one"


def test_giving_up_an_earlier_question_leaves_the_later_one_alone() -> None:
    lan, (a, b, c) = sharers(3)
    shared = share(a, {"film": 5.0, "boat": 1.0})
    want(c, a, "film")
    lan.run(0.1)
    for number in (1, 2):
        ask(b, a, "boat", number)
    say(b, a, FileRequest((1).to_bytes(8, "big"), file_id("boat"), wanted=False).pack(), Kind.FILE_REQUEST)
    lan.run(10)
    assert shared.hashed == ["film", "boat"]


def test_a_crowd_that_asks_fills_the_places_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.protocol.file_answers.MAX_FILES_WAITING", 6)
    lan, (a, *others) = sharers(12)
    share(a, {f"film {number}": 1000.0 for number in range(100)})
    for number, node in enumerate(others):
        ask(node, a, f"film {number}")
    lan.run(0.1)
    assert len(a.core.file_answers.jobs) == 6
    assert a.dropped("busy") == 5
    last = others[-1]
    run = want(last, a, "film 99")
    lan.run(0.1)
    assert run.state == "waiting"


def test_many_keys_at_one_address_have_one_place_and_one_file_in_two() -> None:
    lan, (a, b) = sharers(2)
    shared = share(a, {"film": 10.0, **{f"{number}": 10.0 for number in range(50)}, "boat": 1.0})
    answers = a.core.file_answers
    want(b, a, "film")
    lan.run(0.1)
    for number in range(50):
        request = FileRequest(number.to_bytes(8, "big"), file_id(f"{number}"))
        answers.join(number.to_bytes(64, "big"), "10.0.0.66", request, lan.now)
    assert len(answers.jobs) == 2
    assert a.dropped("busy") == 49
    lan.run(10.5)
    boat = want(b, a, "boat")
    lan.run(11)
    assert boat.infohash == infohash("boat")
    assert len(shared.hashed) == 3


def test_the_list_of_those_who_wait_for_one_file_is_bounded() -> None:
    _, (a, _) = sharers(2)
    answers = a.core.file_answers
    for number in range(MAX_FILE_WAITERS + 10):
        answers.join(number.to_bytes(64, "big"), "10.0.0.9", FileRequest(bytes(8), file_id("film")), a.lan.now)
    [job] = answers.jobs.values()
    assert len(job.waiters) == MAX_FILE_WAITERS


def test_what_is_kept_is_bounded() -> None:
    _, (a, _) = sharers(2)
    answers = a.core.file_answers
    for number in range(MAX_FILES_KNOWN + 100):
        request = FileRequest(number.to_bytes(8, "big"), number.to_bytes(32, "big"))
        answers.join(bytes(64), "10.0.0.9", request, a.lan.now)
        job = answers.take(False, a.lan.now)
        assert job is not None
        answers.give(job, bytes(20), 0, a.lan.now)
    assert (len(answers.known), len(answers.kept), len(answers.jobs)) == (MAX_FILES_KNOWN, MAX_FILE_ANSWERS_KEPT, 0)


def test_a_flood_of_questions_is_checked_within_the_budget_and_leaves_the_rest_of_the_peer_alone() -> None:
    lan, (a, b) = sharers(2)
    share(a, {"boat": 0.01})
    for second in range(3):
        for number in range(1000):
            ask(b, a, f"{second} {number}", 1000 * second + number)
        lan.run(1)
    assert FILE_REQUESTS_BURST <= a.core.counters.received["file_request"] <= (
        FILE_REQUESTS_BURST + 4 * FILE_REQUESTS_PER_SECOND)
    assert len(lan.of_kind(Kind.FILE_ANSWER)) <= 2 * (FILE_REQUESTS_BURST + 4 * FILE_REQUESTS_PER_SECOND)
    assert a.knows(b)
    lan.run(10)
    run = want(b, a, "boat")
    lan.run(1)
    assert run.infohash == infohash("boat")


def test_floods_of_questions_of_many_peers_are_checked_within_the_budget_of_all() -> None:
    lan, (a, *others) = sharers(6)
    for node in others:
        for number in range(int(FILE_REQUESTS_BURST)):
            ask(node, a, f"{number}", number)
    lan.run(0.01)
    assert a.core.counters.received["file_request"] <= ALL_FILE_REQUESTS_BURST + 5 < 5 * FILE_REQUESTS_BURST


def test_a_refusal_that_was_lost_is_said_again_and_the_client_is_not_asked_again() -> None:
    lan, (a, b) = sharers(2)
    run = want(b, a, "film")
    lan.run(0.01)
    job = a.core.file_answers.take(False, lan.now)
    assert job is not None
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.FILE_ANSWER)
    a.core.file_answers.give(job, None, 409, lan.now)
    a.flush()
    lan.run(1)
    lan.filter = lambda node, data: True
    lan.run(1)
    assert run.code == 409
    assert a.core.file_answers.jobs == {}


def test_an_answer_from_another_address_does_not_count() -> None:
    lan, (a, b), run = hostile()
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    sealed = seal_for_pair(peer.pair_key, answer(run.number, READY, infohash=bytes(20)))
    data = b.core.outbox.writer.datagram(Kind.FILE_ANSWER, 0x34, sealed, pair_key=peer.pair_key)
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), data)
    lan.run(0.05)
    assert not run.ended


@pytest.mark.parametrize("payload", [
    b"", bytes(8), bytes(40), bytes(8) + b"\x00" + bytes(32), bytes(8) + b"\x03" + bytes(32),
    bytes(8) + b"\x01" + bytes(31), bytes(8) + b"\x01" + bytes(33)])
def test_malformed_questions_are_dropped(payload: bytes) -> None:
    lan, (a, b) = sharers(2)
    share(a, {"boat": 0.01})
    say(b, a, payload, Kind.FILE_REQUEST)
    lan.run(0.1)
    assert a.dropped("malformed") == 1
    assert lan.of_kind(Kind.FILE_ANSWER) == []


@pytest.mark.parametrize("said", [
    b"", b"\x00", b"\x05", b"\x01x", b"\x02", b"\x02\x00", b"\x02\x00\x00\x00", b"\x03", b"\x03" + bytes(19),
    b"\x03" + bytes(21), b"\x04", b"\x04\x01", b"\x04\x01\x94x"])
def test_malformed_answers_are_dropped_and_a_good_one_still_counts(said: bytes) -> None:
    lan, (a, b), run = hostile()
    heard = run.heard
    say(b, a, run.number + said)
    lan.run(0.01)
    assert a.dropped("malformed") == 1
    assert (run.state, run.heard) == ("waiting", heard)
    say(b, a, answer(run.number, READY, infohash=infohash("film")))
    lan.run(0.01)
    assert run.infohash == infohash("film")


def test_answers_to_no_question_of_others_and_after_the_end_are_unexpected() -> None:
    lan, (a, b, c), run = hostile(3)
    good = answer(run.number, READY, infohash=infohash("film"))
    say(b, a, bytes(8) + good[8:])
    say(c, a, good)
    say(b, a, b"short")
    lan.run(0.01)
    assert a.dropped("unexpected") == 3
    assert not run.ended
    say(b, a, good)
    lan.run(0.01)
    say(b, a, answer(run.number, REFUSED, code=404))
    lan.run(0.01)
    assert a.dropped("unexpected") == 4
    assert run.infohash == infohash("film")


def test_what_is_not_sealed_is_dropped_both_ways() -> None:
    lan, (a, b), run = hostile()
    say(b, a, answer(run.number, READY, infohash=bytes(20)), sealed=False)
    say(a, b, FileRequest(bytes(8), bytes(32)).pack(), Kind.FILE_REQUEST, sealed=False)
    lan.run(0.01)
    assert (a.dropped("not_sealed"), b.dropped("not_sealed")) == (1, 1)
    assert not run.ended


def test_by_multicast_neither_is_heard() -> None:
    lan, (a, b), run = hostile()
    for kind in (Kind.FILE_REQUEST, Kind.FILE_ANSWER):
        b.core.outbox.multicast(kind, (2, 4), answer(run.number, READY, infohash=bytes(20)))
    b.flush()
    lan.run(0.01)
    assert a.dropped("wrong_channel") == 2


def test_strangers_and_recordings_change_nothing() -> None:
    lan, (a, b), run = hostile()
    share(a, {"boat": 0.01})
    say(b, a, answer(run.number, HASHING, progress=0.5))
    [recorded] = lan.of_kind(Kind.FILE_ANSWER, b)
    lan.run(0.01)
    lan.transmit(None, 4, b.address(), a.address(), recorded)
    stranger = Writer(identity_from("stranger"), 1)
    request = FileRequest(bytes(8), file_id("boat")).pack()
    lan.transmit(None, 4, ("10.0.0.77", 32110), a.address(), stranger.datagram(Kind.FILE_REQUEST, 0x34, request))
    lan.transmit(None, 4, ("10.0.0.77", 32110), a.address(),
                 stranger.datagram(Kind.FILE_ANSWER, 0x34, answer(run.number, READY, infohash=bytes(20))))
    lan.run(0.1)
    assert a.dropped("replay") == 1
    assert not run.ended
    assert lan.of_kind(Kind.FILE_ANSWER, a) == []


def test_a_question_from_another_address_is_verified_there_first() -> None:
    lan, (a, b) = sharers(2)
    share(a, {"boat": 0.01})
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    sealed = seal_for_pair(peer.pair_key, FileRequest(bytes(8), file_id("boat")).pack())
    data = b.core.outbox.writer.datagram(Kind.FILE_REQUEST, 0x34, sealed, pair_key=peer.pair_key)
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), data)
    lan.run(0.2)
    assert lan.of_kind(Kind.FILE_ANSWER) == []
    assert a.core.file_answers.jobs == {}
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.99", 32110)]


def test_a_code_that_nobody_knows_is_shown_as_a_line_of_ours() -> None:
    lan, (a, b), run = hostile()
    say(b, a, answer(run.number, REFUSED, code=65535))
    lan.run(0.01)
    assert (run.code, run.error) == (503, "that node can't make a torrent of the file now")


def test_one_that_says_waiting_and_hashing_by_turns_tells_us_no_more_than_our_questions_allow() -> None:
    lan, (a, b), run = hostile()
    for number in range(1000):
        say(b, a, answer(run.number, (WAITING, HASHING)[number % 2], progress=number % 7 / 7))
    lan.run(0.01)
    assert a.core.counters.received["file_answer"] <= FILE_REQUESTS_BURST + 1
    assert not run.ended
    a.core.file_requests.give_up(run)
    a.flush()
    assert run.ended
    lan.run(0.01)
    assert FileRequest(run.number, run.file_id, wanted=False).pack()
    assert a.core.file_requests.runs == {}


@pytest.mark.parametrize(("told", "kept"), [(0.5, 0.5), (-1, 0.0), (7.0, 1.0), (float("nan"), 0.0),
                                           (float("inf"), 1.0), (float("-inf"), 0.0)])
def test_progress_that_cannot_be_is_made_to_fit(told: float, kept: float) -> None:
    job = FileJob(bytes(32), known=False)
    job.tell(told)
    assert job.progress == kept
    assert FileAnswer.unpack(answer(bytes(8), HASHING, progress=job.progress)).progress == pytest.approx(kept, abs=1e-4)


def test_an_infohash_that_is_none_is_a_refusal() -> None:
    lan, (a, b) = sharers(2)
    run = want(a, b, "film")
    lan.run(0.01)
    job = b.core.file_answers.take(False, lan.now)
    assert job is not None
    b.core.file_answers.give(job, b"short", 10 ** 9, lan.now)
    b.core.file_answers.give(job, bytes(20), 0, lan.now)
    b.flush()
    lan.run(0.01)
    assert (run.code, run.infohash) == (503, None)


def test_no_bytes_make_reading_raise_anything_else() -> None:
    random = Random(5)
    for _ in range(20_000):
        data = random.randbytes(random.randrange(60))
        if random.random() < 0.7:
            body = bytearray(answer(bytes(8), random.choice(list(STATES)), infohash=bytes(20), code=404))
            body[random.randrange(len(body))] = random.randrange(256)
            data = bytes(body)
        for read in (FileAnswer.unpack, FileRequest.unpack):
            with suppress(WireError):
                read(data)
