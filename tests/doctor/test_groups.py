"""What the doctor says of groups: what is wrong, and what to do about it."""
from __future__ import annotations

import pytest

from tribler_multicast.community.grouping import GroupStatus
from tribler_multicast.doctor import groups
from tribler_multicast.protocol.sealing import SealingError
from tribler_multicast.settings import Settings

LONG = {"group_passphrase": "correct horse battery staple"}


@pytest.mark.parametrize(("values", "severities"), [
    ({}, []), (LONG, ["ok"]), ({"group_passphrase": "0123456789a"}, ["ok", "warning"]),
    ({"group_passphrase": "0123456789ab"}, ["ok"]), ({**LONG, "policy": "everyone"}, ["info"]),
    ({**LONG, "policy": "friends"}, ["info"]), ({"policy": "group"}, ["error"])])
def test_group_of_the_settings_is_judged(values: dict[str, str], severities: list[str]) -> None:
    findings = list(groups.group(Settings(values)))
    assert [finding.severity for finding in findings] == severities
    for finding in findings:
        assert "horse" not in finding.what + finding.advice
        assert finding.advice or finding.severity == "ok"


def test_another_passphrase_nearby_is_told_with_what_to_do() -> None:
    quiet = list(groups.group(Settings(LONG), GroupStatus(1000.0, "10.0.0.7")))
    assert [finding.severity for finding in quiet] == ["ok"]
    [_, found] = groups.group(Settings(LONG), GroupStatus(1000.0, "10.0.0.7", "10.0.0.7 has another"))
    assert (found.what, found.severity) == ("10.0.0.7 has another", "warning")
    assert "group_passphrase" in found.advice


def test_a_missing_library_is_an_error_in_a_group_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding.severity for finding in groups.sealing(Settings(LONG))] == ["ok"]

    def none() -> None:
        raise SealingError("none")

    monkeypatch.setattr(groups, "load_library", none)
    for values, severity in (({}, "info"), (LONG, "error")):
        [finding] = groups.sealing(Settings(values))
        assert finding.severity == severity
        assert "PyNaCl" in finding.advice
