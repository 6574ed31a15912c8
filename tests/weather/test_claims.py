"""What the others say: kept within bounds, each machine counted once, until it is too old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.weather.claims import Claim, Claims, overheard
from tribler_multicast.weather.crowd import LEAST_LOUD, LOUDEST
from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.limits import CLAIM_LEAST, HEARD_BURST, MAX_KEYS, MAX_NEIGHBOURS, MAX_OVERHEARD
from tribler_multicast.weather.summary import Both, WeatherSummary

if TYPE_CHECKING:
    from collections.abc import Hashable

TAG = make_tag("gateway", bytes(8))


def claim(number: int, host: Hashable, now: float = 0.0, gateway: str | None = "gateway", interval: float = 1.0,
          kind: str = "bulk", **fields: object) -> Claim:
    return Claim(number.to_bytes(20, "big"), host, WeatherSummary(kind, TAG, interval, **fields), gateway, now)  # type: ignore[arg-type]


def test_claim_counts_until_three_intervals_and_five_seconds_are_over() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a"))
    claims.hear(0.0, claim(2, "b", interval=10.0))
    assert claims.crowd(CLAIM_LEAST).loaded == 2
    assert claims.crowd(CLAIM_LEAST + 0.01).loaded == 1
    assert claims.crowd(29.9).loaded == 1
    assert claims.crowd(30.1).loaded == 0


def test_new_claim_of_a_node_takes_the_place_of_the_old_one() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", kind="live"))
    assert claims.crowd(0.0).need == "live"
    claims.hear(1.0, claim(1, "a", 1.0, kind="idle"))
    assert claims.crowd(1.0).need == "none"
    assert len(claims.all(1.0)) == 1


def test_node_that_says_goodbye_is_forgotten_at_once() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", kind="live"))
    claims.forget(claim(1, "a").mid)
    assert claims.crowd(0.0).need == "none"
    claims.forget(b"nobody")


def test_thousand_keys_of_one_machine_count_once() -> None:
    claims = Claims()
    now = 0.0
    for number in range(1000):
        now += 0.26
        assert claims.hear(now, claim(number, "liar", now, rates=Both(100.0, 0.0), hungry=(True, False),
                                      level=Both(50.0, 0.0)))
    crowd = claims.crowd(now)
    assert crowd.loaded == 1
    assert crowd.hungry == (1, 0)
    assert len(crowd.levels[0]) == 1
    assert len(claims.all(now)) == MAX_KEYS
    assert len(claims.hosts) == MAX_KEYS


def test_flood_of_one_neighbour_is_not_looked_at_and_counted() -> None:
    claims = Claims()
    heard = sum(claims.hear(0.0, claim(number, "flood")) for number in range(1000))
    assert heard == HEARD_BURST
    assert claims.dropped["flood"] == 1000 - HEARD_BURST
    assert claims.hear(0.0, claim(5000, "other"))
    assert claims.hear(1.0, claim(0, "flood", 1.0))


def test_number_of_neighbours_is_bounded_and_room_comes_back() -> None:
    claims = Claims()
    for number in range(2 * MAX_NEIGHBOURS):
        claims.hear(0.0, claim(number, number))
    assert len(claims.neighbours) == MAX_NEIGHBOURS
    assert claims.dropped["full"] == MAX_NEIGHBOURS
    assert claims.hear(100.0, claim(9999, "new", 100.0))
    assert len(claims.neighbours) == 1


def test_node_that_moved_counts_where_it_is_now() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "wire"))
    claims.hear(1.0, claim(1, "air", 1.0))
    assert [each.host for each in claims.all(1.0)] == ["air"]


def test_nodes_behind_other_gateways_are_listed_but_not_counted() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", gateway=None, kind="live"))
    assert claims.crowd(0.0).need == "none"
    assert len(claims.all(0.0)) == 1


@pytest.mark.parametrize("kinds, need", [(("bulk", "idle"), "none"), (("bulk", "on_demand"), "on_demand"),
                                         (("live", "on_demand"), "live")])
def test_strongest_need_counts(kinds: tuple[str, ...], need: str) -> None:
    claims = Claims()
    for number, kind in enumerate(kinds):
        claims.hear(0.0, claim(number, number, kind=kind))
    assert claims.crowd(0.0).need == need


def test_room_is_what_streams_use_beside_bulk() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", kind="live", rates=Both(500.0, 900.0), bulk=Both(100.0, 0.0)))
    claims.hear(0.0, claim(2, "b", kind="bulk", rates=Both(1000.0, 0.0), bulk=Both(1000.0, 0.0)))
    assert claims.crowd(0.0).believed(Both(), Both()) == (Both(400.0, 900.0), Both(1500.0, 900.0))


def test_nobody_is_believed_to_use_or_need_a_hundred_times_what_others_do() -> None:
    claims = Claims()
    for number in range(3):
        claims.hear(0.0, claim(number, number, rates=Both(200_000.0, 0.0), bulk=Both(200_000.0, 0.0)))
    claims.hear(0.0, claim(9, "loud", kind="live", rates=Both(1e9, 0.0)))
    room, used = claims.crowd(0.0).believed(Both(200_000.0, 0.0), Both())
    assert room.up == pytest.approx(LOUDEST * 200_000, rel=0.1)
    assert used.up == pytest.approx((4 + LOUDEST) * 200_000, rel=0.1)


def test_who_is_alone_with_somebody_loud_goes_by_what_he_reached_himself() -> None:
    claims = Claims()
    claims.hear(0.0, claim(9, "loud", kind="live", rates=Both(1e9, 1e9)))
    _, used = claims.crowd(0.0).believed(Both(), Both(500_000.0, 0.0))
    assert used == Both(LOUDEST * 500_000.0, LOUDEST * LEAST_LOUD)


def test_other_programs_of_a_machine_need_room() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", kind="bulk", needs_room=True))
    assert claims.crowd(0.0).need == "room"


def test_what_was_taken_together_is_made_anew_when_a_claim_ends() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a", interval=1.0))
    claims.hear(0.0, claim(2, "b", interval=30.0))
    assert claims.crowd(1.0).loaded == 2
    assert claims.crowd(6.0).loaded == 1


def test_another_network_begins_with_nothing() -> None:
    claims = Claims()
    claims.hear(0.0, claim(1, "a"))
    claims.crowd(0.0)
    claims.clear()
    assert claims.crowd(0.0).loaded == 0
    assert not claims.hosts


def test_of_who_is_not_verified_a_machine_has_one_node_and_there_are_few_machines() -> None:
    claims = Claims()
    for number in range(3):
        assert claims.hear(0.0, claim(number, "one"), verified=False)
    assert len(claims.all(0.0)) == 1
    heard = [claims.hear(0.0, claim(10 + number, number), verified=False) for number in range(100)]
    assert sum(heard) == MAX_OVERHEARD - 1
    assert claims.dropped["full"] == 101 - MAX_OVERHEARD


def test_of_who_is_not_verified_needs_and_rates_are_believed_for_a_moment_and_nothing_that_he_reckons() -> None:
    said = WeatherSummary("live", TAG, 100.0, is_known=True, is_bloated=True, hungry=(True, False), queue=0.5, mean=0.5,
                          rates=Both(1000.0, 5.0), level=Both(10.0, 10.0), capacity=Both(10.0, 10.0),
                          confidence=Both(1.0, 1.0))
    believed = overheard(said)
    claims = Claims()
    claims.hear(0.0, Claim(bytes(20), "a", believed, "gateway", 0.0), verified=False)
    crowd = claims.crowd(0.0)
    assert (crowd.need, crowd.hungry, crowd.each) == ("live", (1, 0), ((Both(1000.0, 5.0), Both(1000.0, 5.0)),))
    assert (crowd.members, crowd.levels, crowd.capacity) == ((), ((), ()), ((), ()))
    assert claims.crowd(CLAIM_LEAST + 0.1).need == "none"
