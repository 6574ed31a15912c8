"""When a feed is looked at again: the clock and the lot are arguments."""
from __future__ import annotations

import pytest

from tribler_multicast.feeds.limits import DAY, HOUR, LEAST_HINT, MAX_PAUSE, MINUTE
from tribler_multicast.feeds.schedule import max_age, mended, next_look, next_try, retry_after

NOW = 1_000_000.0


def test_the_users_interval_holds_where_the_feed_says_nothing() -> None:
    assert next_look(NOW, 30 * MINUTE, None, 0.0) == NOW + 30 * MINUTE
    assert next_look(NOW, 3.0, None, 0.0) == NOW + 3.0


def test_looks_drift_apart_by_up_to_a_tenth_and_are_never_early() -> None:
    assert [next_look(NOW, 100.0, None, lot) - NOW for lot in (0.0, 0.5, 1.0)] == [100.0, 105.0, pytest.approx(110.0)]


def test_what_the_feed_asks_for_holds_within_bounds() -> None:
    assert next_look(NOW, 30 * MINUTE, 2 * HOUR, 0.0) == NOW + 2 * HOUR
    assert next_look(NOW, 30 * MINUTE, 10 * MINUTE, 0.0) == NOW + 10 * MINUTE
    assert next_look(NOW, 30 * MINUTE, 1.0, 0.0) == NOW + LEAST_HINT
    assert next_look(NOW, 30 * MINUTE, 365 * DAY, 0.0) == NOW + DAY
    assert next_look(NOW, 7 * DAY, 365 * DAY, 0.0) == NOW + 7 * DAY
    assert next_look(NOW, 3.0, 60.0, 0.0) == NOW + 60.0


def test_pauses_after_errors_double_up_to_a_bound() -> None:
    pauses = [next_try(NOW, failures, 0.5) - NOW for failures in (1, 2, 3, 9, 10, 100, 10**9)]
    assert pauses == [MINUTE, 2 * MINUTE, 4 * MINUTE, 256 * MINUTE, MAX_PAUSE, MAX_PAUSE, MAX_PAUSE]


def test_pauses_scatter_by_a_quarter() -> None:
    assert [next_try(NOW, 1, lot) - NOW for lot in (0.0, 1.0)] == [45.0, 75.0]


def test_who_looks_often_tries_again_soon() -> None:
    assert next_try(NOW, 1, 0.5, interval=3.0) == NOW + 3.0
    assert next_try(NOW, 30, 0.5, interval=3.0) == NOW + MAX_PAUSE


def test_retry_after_is_heeded_within_a_day_and_never_shortens_the_pause() -> None:
    assert next_try(NOW, 1, 0.0, retry_after=HOUR) == NOW + HOUR
    assert next_try(NOW, 1, 1.0, retry_after=HOUR) == NOW + 1.25 * HOUR
    assert next_try(NOW, 1, 0.0, retry_after=1e9) == NOW + DAY
    assert next_try(NOW, 5, 0.5, retry_after=1.0) == NOW + 16 * MINUTE


@pytest.mark.parametrize(("text", "seconds"), [
    ("120", 120.0), (" 0 ", 0.0), ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ("", None), ("soon", None), ("-5", None), ("9" * 30, None), ("\u0662", None), ("Mon, 99 Foo", None)])
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, 100.0) == seconds


@pytest.mark.parametrize(("header", "seconds"), [
    ("max-age=600", 600.0), ("public, Max-Age=600", 600.0), ('max-age="60"', 60.0), ("s-maxage=5", None), ("", None),
    ("max-age=0", None), ("no-cache, max-age=600", None), ("max-age=600, no-store", None), ("max-age=abc", None),
    ("max-age=" + 50 * "9", None), ("x-max-age=5", None)])
def test_max_age_is_read(header: str, seconds: float | None) -> None:
    assert max_age(header) == seconds


def test_times_of_a_clock_that_was_wrong_do_not_hold_for_ever() -> None:
    assert mended(NOW, NOW + HOUR, 60.0) == NOW + HOUR
    assert mended(NOW, NOW - 10 * DAY, 60.0) == NOW - 10 * DAY
    assert mended(NOW, NOW + 20 * 365 * DAY, 60.0) == NOW
    assert mended(NOW, NOW + 2 * HOUR, 60.0, NOW + HOUR) == NOW
    assert mended(NOW, NOW + 2 * HOUR, 60.0, NOW + 1) == NOW + 2 * HOUR
