"""Who is served first when there is not room for all: who gave; newcomers get their share, and all when nobody gave."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.session.coop_limits import MAX_CLIENTS
from tribler_multicast.transfer.session.coop_messages import Want
from tribler_multicast.transfer.session.precedence import NEWCOMERS_SHARE, weights

from .test_coop_help import CONTENT, helper_of, wanted

if TYPE_CHECKING:
    from collections import Counter

GIVER, OTHER, NEW, NEWER = (bytes([number]) * 20 for number in (1, 2, 3, 4))
RATE = 1_000_000.0


def served(credit: dict[bytes, int], *mids: bytes, seconds: float = 0.4) -> Counter[bytes]:
    """Have all of them ask for more than there is room for; get the bytes that each was given."""
    helper = helper_of(CONTENT)
    helper.cap = RATE
    helper.precedence.standing = lambda mid: credit.get(mid, 0)
    for mid in mids:
        for number in range(1, 6):
            wants = [Want(generation, 500) for generation in range(2)]
            assert helper.help_received(mid, wanted(CONTENT, number, *wants)._replace(pace=10 * RATE), 0.0)
    now = 0.0
    while now < seconds:
        for segment in helper.wanted():
            helper.give(segment, CONTENT.segments[segment])
        helper.take(now)
        now = max(now + 0.0005, min(helper.next_timer(now), now + 0.01))
    assert all(client.answers for client in helper.clients.values()), "there was room for all"
    return helper.given


def test_with_nobody_who_gave_all_are_equal() -> None:
    given = served({}, NEW, NEWER)
    assert given[NEW] == pytest.approx(given[NEWER], rel=0.1)


def test_who_gave_is_served_first_and_a_newcomer_gets_its_share() -> None:
    given = served({GIVER: 1}, NEW, GIVER)
    assert given[GIVER] / given.total() == pytest.approx(1 - NEWCOMERS_SHARE, abs=0.04)
    assert given[NEW] > 0


def test_more_newcomers_get_no_more_together() -> None:
    crowd = [bytes([number]) * 20 for number in range(100, 120)]
    given = served({GIVER: 1}, *crowd, GIVER)
    assert given[GIVER] / given.total() == pytest.approx(1 - NEWCOMERS_SHARE, abs=0.06)


def test_all_who_gave_are_equal() -> None:
    given = served({GIVER: 10**12, OTHER: 1}, GIVER, NEW, OTHER)
    assert given[GIVER] == pytest.approx(given[OTHER], rel=0.1)
    assert given[NEW] / given.total() == pytest.approx(NEWCOMERS_SHARE, abs=0.05)


def test_a_newcomer_alone_gets_all_there_is() -> None:
    assert served({}, NEW).total() == pytest.approx(served({NEW: 1}, NEW).total(), rel=0.05)


def test_when_all_places_are_taken_who_gave_takes_that_of_one_who_did_not() -> None:
    helper = helper_of(CONTENT)
    helper.precedence.standing = lambda mid: int(mid in (GIVER, OTHER))
    for number in range(MAX_CLIENTS):
        assert helper.help_received(bytes([100 + number]) * 20, wanted(CONTENT, 1, Want(0, 5)), float(number) / 10)
    assert not helper.help_received(NEW, wanted(CONTENT, 1, Want(0, 5)), 7.0)
    assert helper.help_received(GIVER, wanted(CONTENT, 1, Want(0, 5)), 7.0)
    assert bytes([100]) * 20 not in helper.clients
    assert len(helper.clients) == MAX_CLIENTS


def test_some_places_stay_for_newcomers() -> None:
    helper = helper_of(CONTENT)
    helper.precedence.standing = lambda mid: int(mid != NEW)
    places = int(NEWCOMERS_SHARE * MAX_CLIENTS)
    for number in range(MAX_CLIENTS):
        mid = NEW[:19] + bytes([number])
        helper.precedence.standing = lambda mid: int(mid[0] != NEW[0])
        assert helper.help_received(mid, wanted(CONTENT, 1, Want(0, 5)), 0.0)
    came = [bytes([200, number]) * 10 for number in range(MAX_CLIENTS)]
    let_in = [helper.help_received(mid, wanted(CONTENT, 1, Want(0, 5)), 1.0) for mid in came]
    assert sum(let_in) == MAX_CLIENTS - places
    assert sum(mid[0] == NEW[0] for mid in helper.clients) == places


def test_sessions_on_one_link_share_it_by_the_same_rule() -> None:
    assert weights([(1.0, False), (3.0, False)]) == [1.0, 3.0]
    assert weights([(2.0, True)]) == [2.0]
    one, two, giver = weights([(1.0, False), (1.0, False), (1.0, True)])
    assert one == two
    assert giver / (one + two + giver) == pytest.approx(1 - NEWCOMERS_SHARE)
    first, second, new = weights([(1.0, True), (3.0, True), (1.0, False)])
    assert second == pytest.approx(3 * first)
    assert new / (first + second + new) == pytest.approx(NEWCOMERS_SHARE)
