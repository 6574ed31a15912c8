"""Round trips that are measured of one peer: told by number, and never too often."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import RoundTrip
from tribler_multicast.protocol.limits import (
    MAX_MEASURED,
    ROUND_TRIPS_BURST,
    ROUND_TRIPS_PER_SECOND,
)

from .befriending import meet
from .carried import LINK

if TYPE_CHECKING:
    from .simulated import Node


def measure(node: Node, other: Node) -> bytes | None:
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    number = node.core.liveness.measure(peer, LINK, node.lan.now)
    node.flush()
    return number


def test_a_round_trip_is_told_by_its_number_and_others_are_not() -> None:
    lan, (a, b) = meet()
    number = measure(a, b)
    lan.run(1)
    trips = [event for _, event in a.history if isinstance(event, RoundTrip)]
    assert [trip.number for trip in trips] == [number]
    assert trips[0].seconds == pytest.approx(0.0004)
    lan.run(60)
    assert len([event for _, event in a.history if isinstance(event, RoundTrip)]) == 1


def test_two_that_measure_each_other_as_often_as_they_may_keep_within_what_the_other_checks() -> None:
    lan, (a, b) = meet()
    for _ in range(600):
        measure(a, b)
        measure(b, a)
        lan.run(0.1)
    trips = [event for _, event in (*a.history, *b.history) if isinstance(event, RoundTrip)]
    assert len(trips) > 2 * 60 * (ROUND_TRIPS_PER_SECOND - 1)
    assert (a.dropped("rate"), b.dropped("rate")) == (0, 0)
    assert a.gone(b) == b.gone(a) == []


def test_how_often_a_peer_is_measured_and_how_many_wait_is_bounded() -> None:
    lan, (a, b) = meet()
    lan.filter = lambda node, _data: node is a
    numbers = [measure(a, b) for _ in range(100)]
    waiting = [number for number in numbers if number is not None]
    assert len(waiting) == ROUND_TRIPS_BURST < MAX_MEASURED
    for number in waiting:
        a.core.liveness.stop_measuring(number)
    assert a.core.liveness.measured == set()
    a.core.liveness.measured = {bytes([number]) for number in range(MAX_MEASURED)}
    lan.run(5)
    assert measure(a, b) is None
