"""
Groups over REST: a passphrase goes in and never comes out, and what does not go together changes nothing.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.community.grouping import GroupStatus
from tribler_multicast.protocol import sealing
from tribler_multicast.protocol.sealing import SealingError

if TYPE_CHECKING:
    from .conftest import Api

SETTINGS, STATUS = "/api/multicast/settings", "/api/multicast/status"
PASSPHRASE = "correct horse battery staple"


async def policy(api: Api) -> str:
    """
    Ask for the policy in force.
    """
    answer: str = (await api.call("GET", STATUS))[1]["policy"]
    return answer


async def test_a_passphrase_makes_a_group_and_is_never_shown(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = [await api.call("PATCH", SETTINGS, json={"group_passphrase": PASSPHRASE})]
    assert said[0][0] == 200
    assert api.saved == [{"group_passphrase": PASSPHRASE}]
    assert api.community.applied == [{"group_passphrase"}]
    assert await policy(api) == "group"
    said += [await api.call("GET", path) for path in (
        SETTINGS, STATUS, "/api/multicast/doctor", "/api/multicast/peers", "/api/ipv8/overlays")]
    for body in ({"group_passphrase": [PASSPHRASE]}, {"group_passphrase": PASSPHRASE + "\n"},
                 {"group_passphrase": PASSPHRASE * 100}, {"group_passphrase": PASSPHRASE, "policy": "nobody"}):
        said.append(await api.refused("PATCH", SETTINGS, json=body))
        assert said[-1][0] == 422
    for path in ("/docs/swagger.json", "/"):
        async with api.session.get(api.url + path) as response:
            said.append((response.status, await response.text()))
    assert all("correct horse" not in repr(each) for each in said)
    assert "correct horse" not in caplog.text
    [setting] = [each for each in said[1][1]["settings"] if each["name"] == "group_passphrase"]
    assert setting["value"] is None


@pytest.mark.parametrize("changes", [{"policy": "group"}, {"policy": "group", "nickname": "tv"},
                                     {"policy": "group", "group_passphrase": ""}])
async def test_a_group_without_a_passphrase_changes_nothing(api: Api, changes: dict[str, Any]) -> None:
    status, message = await api.refused("PATCH", SETTINGS, json=changes)
    assert status == 422
    assert "passphrase" in message
    assert api.saved == api.community.applied == []
    assert await policy(api) == "everyone"


async def test_the_passphrase_cannot_be_taken_from_a_group(api: Api) -> None:
    assert (await api.call("PATCH", SETTINGS, json={"policy": "group", "group_passphrase": PASSPHRASE}))[0] == 200
    assert (await api.refused("PATCH", SETTINGS, json={"group_passphrase": ""}))[0] == 422
    assert await policy(api) == "group"
    assert (await api.call("PATCH", SETTINGS, json={"policy": "everyone", "group_passphrase": ""}))[0] == 200
    assert await policy(api) == "everyone"


async def test_with_no_library_to_seal_a_group_is_refused_in_one_line(
        api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str | None = None) -> None:
        raise SealingError("there is no library to seal messages with")

    monkeypatch.setattr(sealing, "load_library", none)
    status, message = await api.refused("PATCH", SETTINGS, json={"group_passphrase": PASSPHRASE})
    assert status == 422
    assert "no library" in message
    assert api.saved == api.community.applied == []


async def test_status_and_doctor_tell_of_another_passphrase(api: Api) -> None:
    await api.call("PATCH", SETTINGS, json={"group_passphrase": "short"})
    api.community.in_group = GroupStatus()
    assert (await api.call("GET", STATUS))[1]["group"] == {"foreign_at": None, "foreign_from": None, "warning": None}
    api.community.in_group = GroupStatus(1000.5, "10.0.0.7", "10.0.0.7 seals with another passphrase")
    group = (await api.call("GET", STATUS))[1]["group"]
    assert group == {"foreign_at": 1000.5, "foreign_from": "10.0.0.7",
                     "warning": "10.0.0.7 seals with another passphrase"}
    findings = (await api.call("GET", "/api/multicast/doctor"))[1]["findings"]
    found = {finding["what"]: finding for finding in findings}
    assert found["10.0.0.7 seals with another passphrase"]["severity"] == "warning"
    assert found["10.0.0.7 seals with another passphrase"]["advice"]
    assert found["the passphrase of the group has fewer than 12 characters"]["severity"] == "warning"
