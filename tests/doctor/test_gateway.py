"""What the doctor says of the network weather."""

from __future__ import annotations

import pytest

from tribler_multicast.doctor.gateway import ECHO_ADVICE, judge_weather


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_systems_where_nothing_can_be_probed_stay_unknown(platform: str) -> None:
    found = judge_weather(platform, echo=True, ipv4=True)
    assert found.severity == "info"
    assert "unknown" in found.what


def test_without_echo_requests_it_says_that_it_is_slow_and_what_to_do() -> None:
    found = judge_weather("linux", echo=False, ipv4=True)
    assert "once a second" in found.what
    assert found.advice == ECHO_ADVICE


def test_without_ipv4_nothing_is_known() -> None:
    assert "unknown" in judge_weather("linux", echo=True, ipv4=False).what


def test_all_well_is_said() -> None:
    assert judge_weather("linux", echo=True, ipv4=True).severity == "ok"
