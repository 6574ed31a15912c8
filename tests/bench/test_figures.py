"""
Figures are summed up, compared and printed as they are meant.
"""

from __future__ import annotations

import math
import os
import time

import pytest

from bench.__main__ import summary
from bench.common import Report, Row, number, on_core, percentile, spread, table
from bench.watch import processor_seconds, wake_ups


def test_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(20, 0, -1)]
    assert percentile(values, 90) == 18
    assert percentile(values, 100) == 20
    assert percentile(values, 0) == 1
    assert percentile([7.0], 90) == 7


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_spread_says_what_is_asked_of_several_measurements() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"count": 4, "min": 1.0, "median": 2.5, "p90": 10.0, "max": 10.0}


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.01234, "0.0123"), (1.5, "1.50"), (12.345, "12.3"),
                                             (1047.2, "1,047"), (332951.46, "332,951"), (math.inf, "inf")])
def test_numbers_are_printed_with_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_ratio_says_how_many_times_better_ours_is() -> None:
    assert Row("time", 10, "ms", other="x", theirs=1000).ratio == 100
    assert Row("time", 1000, "ms", other="x", theirs=10).ratio == 0.01
    assert Row("speed", 300, "/s", other="x", theirs=100, more_is_better=True).ratio == 3
    assert Row("alone", 1, "ms").ratio is None
    assert Row("nothing", 0, "packets", other="x", theirs=5).ratio is None


def test_worse_than_the_other_is_called_worse() -> None:
    assert Row("time", 1000, "ms", other="x", theirs=10).cells()[-1] == "0.0100x (worse)"
    assert Row("time", 10, "ms", other="x", theirs=1000).cells()[-1] == "100x better"


def test_limit_is_kept_only_below_it() -> None:
    assert Row("time", 99.9, "ms", limit=100).cells()[2] == "< 100 kept"
    assert Row("time", 100, "ms", limit=100).cells()[2] == "< 100 MISSED"


def test_where_more_is_better_the_limit_is_kept_from_it_on() -> None:
    assert Row("speed", 4, "GB/s", limit=4, more_is_better=True).cells()[2] == ">= 4.00 kept"
    assert Row("speed", 3.9, "GB/s", limit=4, more_is_better=True).cells()[2] == ">= 4.00 MISSED"


def test_table_has_columns_and_a_line_under_its_head() -> None:
    assert table([("", "figure"), ("long name", "1")]).splitlines() == ["           figure", "---------  ------",
                                                                      "long name  1"]


def test_report_has_every_ratio_in_its_document() -> None:
    report = Report("example")
    report.row("time", 10, "ms", other="x", theirs=1000)
    (row,) = report.document()["rows"]
    assert row["ratio"] == 100
    assert row["other"] == "x"
    assert "1,000 x" in report.text()


def test_summary_names_what_was_missed() -> None:
    report = Report("example")
    report.row("quick", 10, "ms", limit=100)
    report.row("slow", 200, "ms", limit=100)
    report.row("no limit", 200, "ms")
    assert summary([report]).splitlines() == ["1 of 2 limits kept", "missed: slow: 200 ms, asked for < 100 MISSED"]


def test_what_runs_on_one_core_is_let_go_again() -> None:
    before = os.sched_getaffinity(0)
    with on_core(0):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    with on_core(len(before)):
        assert os.sched_getaffinity(0) == before


def test_processor_time_is_that_of_the_process() -> None:
    begin = processor_seconds(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.04 < processor_seconds(os.getpid()) - begin < 0.5


def test_sleeping_is_counted_as_waking_up() -> None:
    before = wake_ups(os.getpid())
    for _ in range(5):
        time.sleep(0.001)
    assert wake_ups(os.getpid()) >= before + 5
