"""
The activity of a node by REST: what is declared counts until it expires.
"""
from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.client import Activity

if TYPE_CHECKING:
    from .conftest import Api

PATH = "/api/multicast/activity"


async def test_with_nothing_declared_it_is_what_the_client_does(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await api.call("GET", PATH) == (200, {"class": "idle", "up": 0, "down": 0, "declared": False,
                                                 "until": None})
    monkeypatch.setattr(api.context.client, "activity", lambda: Activity("bulk", 10.0, 20.0))
    assert (await api.call("GET", PATH))[1]["class"] == "bulk"


async def test_what_is_declared_counts_until_it_expires(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.context.client, "activity", lambda: Activity("bulk", 10.0, 20.0))
    status, answer = await api.call("PUT", PATH, json={"class": "live", "up": 5, "ttl": 1})
    assert status == 200
    assert (answer["class"], answer["up"], answer["down"], answer["declared"]) == ("live", 5, 20, True)
    assert 0 < answer["until"] - time.time() <= 1
    assert (await api.call("GET", PATH))[1]["class"] == "live"
    await api.call("PUT", PATH, json={"class": "on_demand", "ttl": 1.5, "up": None})
    assert (await api.call("GET", PATH))[1]["class"] == "on_demand"
    await asyncio.sleep(1.6)
    assert (await api.call("GET", PATH))[1] == {"class": "bulk", "up": 10, "down": 20, "declared": False, "until": None}


@pytest.mark.parametrize("body", [
    {}, {"class": "live"}, {"ttl": 5}, {"class": "busy", "ttl": 5}, {"class": None, "ttl": 5}, {"class": [], "ttl": 5},
    {"class": "live", "ttl": 0}, {"class": "live", "ttl": 86401}, {"class": "live", "ttl": "5"},
    {"class": "live", "ttl": None}, {"class": "live", "ttl": 5, "up": -1}, {"class": "live", "ttl": 5, "down": 1e13},
    {"class": "live", "ttl": 5, "up": True}, {"class": "live", "ttl": 5, "name": "x"}, []])
async def test_what_cannot_be_is_422_and_changes_nothing(api: Api, body: Any) -> None:  # noqa: ANN401
    assert (await api.refused("PUT", PATH, json=body))[0] == 422
    assert (await api.call("GET", PATH))[1]["declared"] is False


async def test_what_is_no_json_is_400_and_a_query_is_422(api: Api) -> None:
    assert (await api.refused("PUT", PATH, data=b"{"))[0] == 400
    assert (await api.refused("GET", PATH + "?class=live"))[0] == 422


async def test_the_documentation_describes_it(api: Api) -> None:
    _, document = await api.call("GET", "/docs/swagger.json")
    assert set(document["paths"][PATH]) >= {"get", "put"}
    assert "MulticastActivity" in document["definitions"]
