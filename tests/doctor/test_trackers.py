"""What the doctor says of the tracker."""
from __future__ import annotations

import pytest

from tribler_multicast.doctor.trackers import tracker
from tribler_multicast.settings import Settings


@pytest.mark.parametrize(("values", "error", "severities"), [
    ({}, None, []), ({"tracker_enabled": True}, "", ["ok"]), ({"tracker_enabled": True}, None, []),
    ({"tracker_enabled": True}, "the tracker can't be served", ["error"]),
    ({"tracker_enabled": True, "tracker_host": "0.0.0.0"}, "", ["info"]),
    ({"tracker_enabled": True, "tracker_host": "tv"}, None, ["error"])])
def test_where_it_is_served_is_judged(values: dict[str, object], error: str | None, severities: list[str]) -> None:
    findings = list(tracker(Settings(values), error))
    assert [finding.severity for finding in findings] == severities
    assert all(finding.advice or finding.severity == "ok" for finding in findings)
