"""Shared files on a virtual clock: asked for, hashed on request, waited for through loss and restarts."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import FileProgress
from tribler_multicast.protocol.limits import (
    FILE_FIRST_PATIENCE,
    FILE_PATIENCE,
    FILE_WAITER_LIFETIME,
    MAX_FILE_RUNS,
    MAX_FILE_RUNS_PER_PEER,
    MAX_FILE_TIME,
)
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.wire import Kind

from .befriending import befriend, withdraw
from .sharing import file_id, infohash, progress, share, sharers, took, want

if TYPE_CHECKING:
    from .simulated import Node


def test_a_file_is_made_a_torrent_when_it_is_asked_for_and_its_infohash_comes_at_once() -> None:
    lan, (a, b) = sharers(2)
    shared = share(b, {"boat": 0.01})
    run = want(a, b, "boat")
    lan.run(1)
    assert (run.ended, run.state, run.infohash, run.error) == (True, "ready", infohash("boat"), "")
    assert shared.hashed == ["boat"]
    assert took(a, run) < 0.02
    assert (len(lan.of_kind(Kind.FILE_REQUEST)), len(lan.of_kind(Kind.FILE_ANSWER))) == (1, 2)


def test_a_long_hashing_is_waited_for_shown_as_it_goes_on_and_costs_few_questions() -> None:
    lan, (a, b) = sharers(2)
    share(b, {"film": 600.0})
    run = want(a, b, "film")
    lan.run(160)
    assert (run.state, run.progress) == ("hashing", pytest.approx(0.25, abs=0.001))
    lan.run(300)
    assert run.progress == pytest.approx(0.75, abs=0.001)
    assert progress(a, run) == 5  # It waited, it began, and a quarter each.
    lan.run(150)
    assert run.infohash == infohash("film")
    assert took(a, run) == pytest.approx(600, abs=0.01)
    assert 290 < len(lan.of_kind(Kind.FILE_REQUEST)) < 330


def test_what_is_not_shared_is_refused_and_no_word_of_the_sharer_is_in_it() -> None:
    lan, (a, b) = sharers(2)
    share(b, {"boat": 0.01})
    run = want(a, b, "car")
    lan.run(1)
    assert (run.state, run.infohash, run.code) == ("refused", None, 404)
    assert "search again" in run.error
    assert {len(data) for data in lan.of_kind(Kind.FILE_ANSWER)} == {225 + 9, 225 + 11}


@pytest.mark.parametrize("seed", range(5))
def test_at_forty_percent_loss_files_are_still_made_once_and_got(seed: int) -> None:
    lan, (a, b) = sharers(2, loss=0.4, seed=seed)
    shared = share(b, {"boat": 0.01, "film": 20.0})
    boat = want(a, b, "boat")
    lan.run(20)
    film = want(a, b, "film")
    lan.run(60)
    assert (boat.infohash, film.infohash) == (infohash("boat"), infohash("film"))
    assert sorted(shared.hashed) == ["boat", "film"]
    assert took(a, boat) < 10
    assert took(a, film) < 40


def test_one_that_knows_nothing_of_it_is_given_up_soon_and_one_that_fell_silent_a_little_later() -> None:
    lan, (a, b, c) = sharers(3)
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.FILE_REQUEST)
    share(c, {"film": 1000.0})
    never, once = want(a, b, "boat"), want(a, c, "film")
    lan.run(100)
    assert (never.code, never.error) == (503, "that node does not answer")
    assert took(a, never) == pytest.approx(FILE_FIRST_PATIENCE, abs=2)
    assert not once.ended
    c.kill()
    lan.run(100)
    assert (once.code, once.error) == (503, "that node does not answer")
    assert took(a, once) == pytest.approx(100 + FILE_PATIENCE, abs=4)
    assert a.core.file_requests.runs == {}


def test_one_that_says_for_ever_that_it_goes_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_FILE_TIME == 12 * 3600
    monkeypatch.setattr("tribler_multicast.protocol.file_requests.MAX_FILE_TIME", 720.0)
    lan, (a, b) = sharers(2)
    share(b, {"film": 1e9})
    run = want(a, b, "film")
    lan.run(710)
    assert run.state == "hashing"
    lan.run(20)
    assert run.ended
    assert run.error == "that node did not finish the file in 0.2 hours"


def test_many_who_want_the_same_file_have_it_hashed_once() -> None:
    lan, (a, *others) = sharers(8)
    shared = share(a, {"film": 10.0})
    runs = [want(node, a, "film") for node in others]
    lan.run(11)
    assert {run.infohash for run in runs} == {infohash("film")}
    assert shared.hashed == ["film"]


def test_files_are_hashed_one_at_a_time_and_who_wants_many_lets_others_have_their_turn() -> None:
    lan, (a, b, c) = sharers(3)
    files = {f"film {number}": 5.0 for number in range(8)}
    shared = share(a, {**files, "boat": 5.0})
    runs = [want(b, a, name) for name in files]
    lan.run(1)
    boat = want(c, a, "boat")
    lan.run(20)
    assert shared.most == 1
    assert boat.infohash == infohash("boat")
    assert took(c, boat) < 10
    lan.run(60)
    assert {run.infohash for run in runs} == {infohash(name) for name in files}
    assert len(shared.hashed) == 9
    assert a.dropped("busy") > 0


def test_a_file_made_before_does_not_wait_behind_one_that_takes_long() -> None:
    lan, (a, b, c) = sharers(3)
    share(a, {"boat": 0.1, "film": 600.0})
    want(b, a, "boat")
    lan.run(1)
    film = want(b, a, "film")
    lan.run(1)
    again, other = want(b, a, "boat"), want(c, a, "boat")
    lan.run(1)
    assert (again.infohash, other.infohash) == (infohash("boat"), infohash("boat"))
    assert max(took(b, again), took(c, other)) < 0.01
    assert film.state == "hashing"


def test_a_last_answer_that_was_lost_is_said_again_and_the_file_is_not_read_again() -> None:
    lan, (a, b) = sharers(2)
    shared = share(b, {"boat": 0.01})
    lan.filter = lambda node, data: not (node is a and data[22] == Kind.FILE_ANSWER and lan.now < run.began + 1)
    run = want(a, b, "boat")
    lan.run(2)
    assert run.infohash == infohash("boat")
    assert shared.hashed == ["boat"]
    assert b.core.file_answers.jobs == {}


def test_who_gives_up_tells_it_and_what_has_not_begun_is_not_begun() -> None:
    lan, (a, b, c) = sharers(3)
    shared = share(a, {"film": 10.0, "boat": 10.0})
    film = want(b, a, "film")
    lan.run(0.1)
    boat = want(c, a, "boat")
    lan.run(0.1)
    for node, run in ((b, film), (c, boat)):
        node.core.file_requests.give_up(run)
        node.flush()
    lan.run(30)
    assert shared.hashed == ["film"]
    assert film.ended and boat.ended
    assert a.core.file_answers.jobs == {}


def test_what_nobody_asks_for_any_more_is_not_begun() -> None:
    lan, (a, b, c) = sharers(3)
    shared = share(a, {"film": FILE_WAITER_LIFETIME + 5, "boat": 10.0})
    want(b, a, "film")
    lan.run(0.1)
    want(c, a, "boat")
    lan.run(0.1)
    c.kill()
    lan.run(60)
    assert shared.hashed == ["film"]


def test_a_sharer_that_restarts_goes_on_where_its_client_is() -> None:
    lan, (a, b) = sharers(2)
    share(b, {"film": 30.0})
    run = want(a, b, "film")
    lan.run(10)
    b.kill()
    lan.run(2)
    del b.flush
    b.boot()
    shared = share(b, {"film": 30.0})
    lan.run(60)
    assert run.infohash == infohash("film")
    assert shared.hashed == ["film"]


def test_asking_is_bounded_and_what_cannot_be_asked_is_said() -> None:
    lan, (a, b, *others) = sharers(6)
    share(b, {"film": 1000.0})
    for number in range(MAX_FILE_RUNS_PER_PEER):
        want(a, b, f"{number}")
    with pytest.raises(ValueError, match="too many"):
        want(a, b, "film")
    for number in range(MAX_FILE_RUNS - MAX_FILE_RUNS_PER_PEER):
        want(a, others[number % 4], f"{number}")
    with pytest.raises(ValueError, match="too many"):
        want(a, others[3], "film")
    with pytest.raises(KeyError):
        a.core.file_requests.start(bytes(20), file_id("x"), lan.now)
    with pytest.raises(ValueError, match="32 bytes"):
        b.core.file_requests.start(a.identity.mid, bytes(20), lan.now)
    a.leave()
    assert a.core.file_requests.runs == {}
    assert [b.core.counters.dropped[reason] for reason in ("rate", "unexpected")] == [0, 0]


def test_as_many_as_may_be_asked_for_stay_within_the_budget() -> None:
    lan, (a, b) = sharers(2)
    share(b, {"film": 1000.0})
    for number in range(MAX_FILE_RUNS_PER_PEER - 1):
        want(a, b, f"{number}")
    want(a, b, "film")
    lan.run(120)
    assert a.dropped("rate") == b.dropped("rate") == 0


def trio() -> tuple[Node, Node, Node]:
    """Make a node for friends only, its friend, and one that is none; all share something."""
    _, nodes = sharers(3)
    befriend(*nodes[:2])
    nodes[0].core.policy.friends_only = True
    for node in nodes:
        share(node, {"film": 10.0})
    return nodes[0], nodes[1], nodes[2]


def test_a_node_for_friends_only_gives_its_files_to_them_only() -> None:
    only, friend, other = trio()
    mine, theirs = want(friend, only, "film"), want(other, only, "film")
    only.lan.run(30)
    assert mine.infohash == infohash("film")
    assert theirs.error == "that node does not answer"
    assert only.dropped("not_friend") > 5
    assert not [data for _, node, *_, target, data in only.lan.wire
                if node is only and target == other.address() and data[22] == Kind.FILE_ANSWER]


def test_a_node_for_friends_only_asks_nobody_else() -> None:
    only, friend, other = trio()
    assert want(only, friend, "film").state == "asking"
    with pytest.raises(ValueError, match="friend"):
        want(only, other, "film")


def test_a_friendship_that_ends_meanwhile_ends_the_answers() -> None:
    only, friend, _ = trio()
    run = want(friend, only, "film")
    only.lan.run(1)
    withdraw(only, friend)
    only.lan.run(60)
    assert run.infohash is None


def test_in_a_group_it_works_as_well_and_nothing_is_to_be_read() -> None:
    lan, (a, b) = sharers(2)
    for node in (a, b):
        node.rekey(Seal(b"r" * 32))
    lan.run(8)
    lan.wire.clear()
    share(b, {"boat": 0.01})
    run = want(a, b, "boat")
    lan.run(1)
    assert run.infohash == infohash("boat")
    assert {data[22] for *_, data in lan.wire} == {Kind.SEALED}


def test_neither_file_id_nor_infohash_is_on_the_wire_in_clear() -> None:
    lan, (a, b) = sharers(2)
    share(b, {"boat": 3.0})
    run = want(a, b, "boat")
    lan.run(10)
    assert run.infohash == infohash("boat")
    captured = b"\n".join(data for *_, data in lan.wire)
    assert file_id("boat")[:8] not in captured
    assert infohash("boat")[:8] not in captured
    assert any(isinstance(event, FileProgress) for _, event in a.history)
