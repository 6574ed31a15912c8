"""
The network weather by REST: what is not known is null, what others say is shown.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.cli_render import weather_lines
from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.service.service import Home
from tribler_multicast.weather.summary import Both, WeatherSummary
from tribler_multicast.weather.view import REASONS, limit_text
from tribler_multicast.weather.weather import Limits

if TYPE_CHECKING:
    from .conftest import Api

PATH = "/api/multicast/weather"
GATEWAY = "02:00:00:00:01:fe"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"weather": True}


async def test_a_node_that_knows_nothing_says_so(api: Api) -> None:
    status, answer = await api.call("GET", PATH)
    assert status == 200
    assert answer["gateway"] == {"state": "unknown", "delay_ms": None, "up": None, "up_confidence": 0.0, "down": None,
                                 "down_confidence": 0.0, "members": []}
    assert answer["own_link"] == {"state": "unknown", "delay_ms": None}
    assert answer["limit"] == {"up": None, "down": None, "why": None, "text": None}
    [own] = answer["nodes"]
    assert own["activity"] == "idle"
    assert own["delay_ms"] is None


async def test_what_a_neighbour_says_is_shown(api: Api) -> None:
    service = api.context.control.parts.weather
    assert service is not None
    service.home = Home("eth0", 1, "192.168.1.2", "192.168.1.254", GATEWAY)
    service.weather.set_gateway(GATEWAY)
    summary = WeatherSummary("live", make_tag(GATEWAY, b"saltsalt"), 1.0, is_known=True, queue=0.05,
                             rates=Both(1000.0, 375_000.0))
    service.heard(b"m" * 20, "02:00:00:00:01:02", summary.pack())
    service.weather.run(time.monotonic(), time.time())
    _, answer = await api.call("GET", PATH)
    [_, shown] = answer["nodes"]
    assert shown["mid"] == (b"m" * 20).hex()
    assert shown["activity"] == "live"
    assert shown["down"] == pytest.approx(375_000, rel=0.06)
    assert shown["delay_ms"] == pytest.approx(50, rel=0.06)
    assert answer["gateway"]["members"] == [shown["mid"]]
    status, answer = await api.call("GET", PATH + "/history")
    assert status == 200
    [minute] = answer["history"]
    assert minute["down"] == pytest.approx(375_000, rel=0.06)
    assert (await api.call("GET", f"{PATH}/history?since={time.time() + 100}"))[1] == {"history": []}


@pytest.mark.parametrize("query", ["?since=x", "?since=nan", "?since=inf", "?since=", "?until=5", "?since=1&since=2"])
async def test_what_cannot_be_asked_for_is_422(api: Api, query: str) -> None:
    assert (await api.refused("GET", PATH + "/history" + query))[0] == 422


async def test_the_weather_has_no_query(api: Api) -> None:
    assert (await api.refused("GET", PATH + "?a=b"))[0] == 422


@pytest.mark.parametrize("settings", [{"weather": False}])
async def test_a_node_that_is_not_to_know_it_says_so(api: Api) -> None:
    status, message = await api.refused("GET", PATH)
    assert status == 503
    assert "setting weather" in message


@pytest.mark.parametrize("settings", [{"weather": False}])
async def test_it_can_be_switched_on_and_off_at_once(api: Api) -> None:
    for wanted in (True, False, True):
        status, _ = await api.call("PATCH", "/api/multicast/settings", json={"weather": wanted})
        assert status == 200
        assert (await api.call("GET", PATH))[0] == (200 if wanted else 503)


async def test_a_limit_is_shown_with_the_reason_in_a_sentence(api: Api) -> None:
    service = api.context.control.parts.weather
    assert service is not None
    service.weather.limits = Limits(180_000.0, None, "live")
    _, answer = await api.call("GET", PATH)
    assert answer["limit"] == {
        "up": 180_000.0, "down": None, "why": "live",
        "text": "This node holds its uploads to 180 kB/s for now: a live stream on this network needs room."}
    assert weather_lines(answer)[5] == answer["limit"]["text"]


@pytest.mark.parametrize("why", ["live", "on_demand", "room", "congested"])
def test_every_reason_has_words(why: str) -> None:
    assert limit_text(Limits()) is None
    said = limit_text(Limits(1000.0, 2000.0, why)) or ""
    assert said.startswith("This node holds its uploads to 1 kB/s and its downloads to 2 kB/s for now: ")
    assert REASONS[why] in said
