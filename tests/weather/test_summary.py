"""What is said: coarse, and whatever comes off the wire does no harm."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribler_multicast.client import ACTIVITY_CLASSES
from tribler_multicast.weather.gateway_tag import GatewayTag, find_gateway, make_tag
from tribler_multicast.weather.limits import MAX_INTERVAL
from tribler_multicast.weather.summary import (
    FIELDS,
    MAX_PAYLOAD,
    RATE_UNIT,
    Both,
    WeatherSummary,
    from_byte,
    to_byte,
)

TAG = make_tag("02:00:00:00:01:fe", bytes(8))
shares = st.floats(0, 1)
rates = st.floats(0, 1e10)
times = st.floats(0, 100)
both = st.builds(Both, rates, rates)
summaries = st.builds(
    WeatherSummary, st.sampled_from(ACTIVITY_CLASSES), st.just(TAG), st.floats(0.1, 120), st.booleans(), st.booleans(),
    st.booleans(), st.booleans(), st.tuples(st.booleans(), st.booleans()), times, times, times, st.floats(-1, 1),
    st.none() | shares, both, both, both, both, st.builds(Both, shares, shares))


def near(said: float, read: float, unit: float) -> bool:
    return abs(read - said) <= max(0.051 * said, unit / 2)


@given(summaries)
def test_what_is_read_is_what_was_said_but_coarser(said: WeatherSummary) -> None:
    read = WeatherSummary.read(said.pack())
    assert read is not None
    assert read.kind == said.kind
    assert read.gateway == said.gateway
    assert read.hungry == said.hungry
    assert (read.is_known, read.is_bloated, read.is_own_slow, read.needs_room) == (
        said.is_known, said.is_bloated, said.is_own_slow, said.needs_room)
    assert read.interval >= said.interval - 0.051
    assert read.interval <= said.interval + 1
    for name in ("rates", "bulk", "level", "capacity"):
        for before, after in zip(getattr(said, name), getattr(read, name), strict=True):
            assert near(before, after, RATE_UNIT)
    for name in ("queue", "mean", "variability"):
        assert near(getattr(said, name), getattr(read, name), 0.0001)
    assert abs(read.skew - said.skew) <= 0.006
    assert (read.loss is None) == (said.loss is None)


@given(summaries)
def test_what_was_read_is_said_the_same_way_again(said: WeatherSummary) -> None:
    once = WeatherSummary.read(said.pack())
    assert once is not None
    assert WeatherSummary.read(once.pack()) == once


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    read = WeatherSummary.read(payload)
    if read is not None:
        assert 0 < read.interval <= MAX_INTERVAL
        assert -1 <= read.skew <= 1
        assert read.loss is None or 0 <= read.loss <= 1
        assert all(0 <= value < 1e12 for pair in (read.rates, read.bulk, read.level, read.capacity) for value in pair)
        assert all(0 <= value <= 1 for value in read.confidence)


@given(st.binary(min_size=FIELDS.size, max_size=FIELDS.size))
def test_any_bytes_behind_a_good_beginning_are_read_or_refused(rest: bytes) -> None:
    good = WeatherSummary("bulk", TAG, 1.0).pack()
    for size in range(FIELDS.size):
        WeatherSummary.read(good[:size] + rest[size:])


def test_later_versions_may_add_something_behind() -> None:
    payload = WeatherSummary("live", TAG, 1.0).pack()
    assert WeatherSummary.read(payload + b"more") == WeatherSummary.read(payload)
    assert WeatherSummary.read(payload + bytes(MAX_PAYLOAD)) is None


@pytest.mark.parametrize("offset, value", [(0, 0), (0, 2), (1, 4), (1, 255), (3, 0), (3, 0x80), (23, 101),
                                           (23, 128), (24, 201), (24, 254)])
def test_values_that_mean_nothing_are_refused(offset: int, value: int) -> None:
    payload = bytearray(WeatherSummary("live", TAG, 1.0).pack())
    payload[offset] = value
    assert WeatherSummary.read(bytes(payload)) is None


def test_every_byte_is_cut_off_in_turn() -> None:
    payload = WeatherSummary("live", TAG, 1.0).pack()
    assert all(WeatherSummary.read(payload[:size]) is None for size in range(len(payload)))


def test_out_of_range_values_of_our_own_are_bounded_not_an_error() -> None:
    read = WeatherSummary.read(WeatherSummary("live", TAG, 1e9, skew=7.0, loss=9.0, rates=Both(1e30, -5.0), queue=1e9,
                                              confidence=Both(3.0, -1.0)).pack())
    assert read is not None
    assert read.interval == MAX_INTERVAL
    assert (read.skew, read.loss) == (1.0, 1.0)
    assert read.rates.down == 0.0
    assert read.confidence == Both(1.0, 0.0)


def test_rates_are_said_in_steps_of_nine_percent() -> None:
    steps = [from_byte(byte, RATE_UNIT) for byte in range(1, 256)]
    assert all(1.08 < after / before < 1.1 for before, after in itertools.pairwise(steps))
    assert [to_byte(step, RATE_UNIT) for step in steps] == list(range(1, 256))
    assert from_byte(0, RATE_UNIT) == 0.0


def test_it_fits_into_a_datagram_with_room_to_spare() -> None:
    assert len(WeatherSummary("live", TAG, 1.0).pack()) == 34


def test_who_is_behind_the_same_gateway_finds_it_equal() -> None:
    tag = make_tag("02:00:00:00:01:fe", os.urandom(8))
    assert find_gateway(tag, ["192.168.1.1", "02:00:00:00:01:fe"]) == "02:00:00:00:01:fe"
    assert find_gateway(tag, ["02:00:00:00:01:ff"]) is None


def test_two_summaries_of_one_network_have_nothing_in_common_for_others() -> None:
    first, second = (make_tag("02:00:00:00:01:fe", os.urandom(8)) for _ in range(2))
    assert first.salt != second.salt
    assert first.tag != second.tag


def test_tag_of_another_salt_does_not_fit() -> None:
    tag = make_tag("02:00:00:00:01:fe", b"saltsalt")
    assert find_gateway(GatewayTag(b"SALTsalt", tag.tag), ["02:00:00:00:01:fe"]) is None
