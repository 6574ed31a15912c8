"""What a receiver learns of a helper that answers late, or not at all."""
from __future__ import annotations

from types import SimpleNamespace

from tribler_multicast.transfer.session.coop_limits import HELPS_KEPT, LATE_KEPT, REST
from tribler_multicast.transfer.session.helpers import STRIKES, Asked, Peer


def ask_in_vain(peer: Peer, times: int, now: float = 10.0) -> None:
    for number in range(1, times + 1):
        peer.failed(Asked(number, now - 0.1, 0.02, 8, {0: (8, 8)}, now), now)


def helper() -> Peer:
    return Peer(bytes(20), SimpleNamespace(highest=0, count=0))  # type: ignore[arg-type]


def test_who_never_answers_gets_a_rest() -> None:
    peer = helper()
    ask_in_vain(peer, STRIKES - 1)
    assert peer.rest_until == 0.0
    ask_in_vain(peer, 1)
    assert peer.rest_until == 10.0 + REST


def test_late_answer_ends_the_rest_and_tells_how_long_to_wait() -> None:
    peer = helper()
    ask_in_vain(peer, STRIKES)
    expected = peer.takes
    assert peer.came_late(STRIKES, 10.2)  # 0.3 s after it was asked
    assert peer.rest_until == 0.0
    assert peer.strikes == 0
    assert expected < peer.takes < 0.3
    assert not peer.came_late(STRIKES, 10.2)


def test_answer_that_comes_much_too_late_or_to_no_question_tells_nothing() -> None:
    peer = helper()
    ask_in_vain(peer, STRIKES)
    before = peer.takes, peer.rest_until
    assert not peer.came_late(STRIKES, 10.1 + LATE_KEPT)
    assert not peer.came_late(99, 10.1)
    assert (peer.takes, peer.rest_until) == before


def test_questions_that_are_remembered_are_few() -> None:
    peer = helper()
    ask_in_vain(peer, 5 * HELPS_KEPT)
    assert len(peer.late) == HELPS_KEPT
