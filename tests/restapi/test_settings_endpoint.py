"""
Settings over REST: all or nothing, saved before they count.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.settings import SETTINGS

if TYPE_CHECKING:
    from .conftest import Api

PATH = "/api/multicast/settings"


async def values(api: Api) -> dict[str, Any]:
    """
    Ask for the value of every setting.
    """
    status, answer = await api.call("GET", PATH)
    assert status == 200
    return {setting["name"]: setting["value"] for setting in answer["settings"]}


async def test_every_setting_is_described(api: Api) -> None:
    _, answer = await api.call("GET", PATH)
    assert [setting["name"] for setting in answer["settings"]] == list(SETTINGS)
    for setting in answer["settings"]:
        assert set(setting) >= {"type", "unit", "default", "minimum", "maximum", "choices", "help", "value",
                                "needs_restart"}
        assert setting["help"]


async def test_a_change_is_saved_and_counts_at_once(api: Api) -> None:
    status, answer = await api.call("PATCH", PATH, json={"nickname": "kitchen", "ipv6": False})
    assert status == 200
    assert {setting["name"]: setting["value"] for setting in answer["settings"]}["nickname"] == "kitchen"
    assert (await values(api))["ipv6"] is False
    assert api.saved == [{"nickname": "kitchen", "ipv6": False}]
    assert api.community.applied == [{"nickname", "ipv6"}]


@pytest.mark.parametrize("changes", [
    {"nickname": 5}, {"nickname": "x" * 65}, {"nickname": "a\nb"}, {"nickname": "\ud800"}, {"nickname": None},
    {"ipv4": "true"}, {"ipv4": 1}, {"port": "32109"}, {"port": 80}, {"port": 32109.5}, {"port": True},
    {"introduction_interval": 0.5}, {"introduction_interval": 10 ** 400}, {"log_level": "chatty"},
    {"interfaces": "lo"}, {"interfaces": [1]}, {"interfaces": [""]}, {"no_such": 1}, {"": 1}, {"__class__": 1},
    {"interfaces": [["lo"]]}, {"nickname": {"a": 1}}])
async def test_one_wrong_value_changes_nothing(api: Api, changes: dict[str, Any]) -> None:
    before = await values(api)
    for body in ({"ipv6": False, **changes}, {**changes, "ipv6": False}):
        assert (await api.refused("PATCH", PATH, data=json.dumps(body)))[0] == 422
    assert await values(api) == before
    assert api.saved == api.community.applied == []


async def test_what_cannot_be_saved_does_not_count(api: Api) -> None:
    def disk_full(_: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    before = await values(api)
    api.assembly.save_settings = disk_full
    assert (await api.refused("PATCH", PATH, json={"nickname": "kitchen"}))[0] == 503
    assert await values(api) == before


async def test_what_the_community_cannot_follow_is_logged_and_later_changes_still_count(
        api: Api, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: set[str]) -> None:
        raise RuntimeError("no such luck")

    follow = api.community.apply_settings
    api.community.apply_settings = fail
    assert (await api.call("PATCH", PATH, json={"ipv6": False}))[0] == 200
    assert "no such luck" in caplog.text
    api.community.apply_settings = follow
    assert (await api.call("PATCH", PATH, json={"ipv6": True}))[0] == 200
    assert api.community.applied == [{"ipv6"}]
