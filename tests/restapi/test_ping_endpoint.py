"""
Multicast ping by REST: what is shown, and what cannot be.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.control.lan import MAX_PINGS

from .conftest import make_neighbour

if TYPE_CHECKING:
    from .conftest import Api

PATH = "/api/multicast/ping"


async def test_one_node_is_pinged_and_its_times_are_milliseconds(api: Api) -> None:
    kitchen, tv = make_neighbour(), make_neighbour(rtt=None)
    api.community.peers = [kitchen, tv]
    status, answer = await api.call("POST", PATH, json={"mid": kitchen.mid.hex().upper(), "count": 2})
    assert status == 200
    assert api.community.pinged == [(kitchen.mid, 2)]
    [result] = answer["results"]
    assert result == {"mid": kitchen.mid.hex(), "sent": 2, "received": 1, "loss": 0.5, "min_ms": 1.0, "avg_ms": 2.0,
                      "max_ms": 3.0, "unicast_rtt_ms": pytest.approx(1.2345), "throughput_mbps": None}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"mid": null}', b'{"count": 4}'])
async def test_all_are_pinged_when_none_is_named(api: Api, body: bytes) -> None:
    api.community.peers = [make_neighbour(rtt=None), make_neighbour()]
    status, answer = await api.call("POST", PATH, data=body)
    assert (status, len(answer["results"])) == (200, 2)
    assert answer["results"][0]["unicast_rtt_ms"] is None
    assert api.community.pinged == [(None, 4)]


async def test_throughput_is_measured_when_asked_for_and_unknown_is_null(api: Api) -> None:
    kitchen, tv = make_neighbour(), make_neighbour(rtt=None)
    api.community.peers = [kitchen, tv]
    api.community.throughput = {kitchen.mid: 93.456}
    status, answer = await api.call("POST", PATH, json={"throughput": True})
    assert status == 200
    assert [result["throughput_mbps"] for result in answer["results"]] == [93.46, None]
    _, answer = await api.call("POST", PATH, json={"mid": kitchen.mid.hex(), "throughput": True})
    assert [result["throughput_mbps"] for result in answer["results"]] == [93.46]
    _, answer = await api.call("POST", PATH, json={"mid": kitchen.mid.hex(), "throughput": False})
    assert [result["throughput_mbps"] for result in answer["results"]] == [None]


async def test_a_node_that_is_not_local_now_is_404(api: Api) -> None:
    gone = make_neighbour().mid.hex()
    status, message = await api.refused("POST", PATH, json={"mid": gone})
    assert status == 404
    assert gone in message


@pytest.mark.parametrize("body", [
    {"count": 0}, {"count": 101}, {"count": -1}, {"count": 1.5}, {"count": "4"}, {"count": True}, {"count": None},
    {"count": 10 ** 400}, {"mid": ""}, {"mid": "xy" * 20}, {"mid": "00" * 19}, {"mid": "00" * 20 + "\n"}, {"mid": 1},
    {"mid": []}, {"throughput": 1}, {"throughput": "true"}, {"throughput": None}, {"throughput": []},
    {"interval": 1}, []])
async def test_wrong_values_are_422_and_nothing_is_sent(api: Api, body: Any) -> None:  # noqa: ANN401
    assert (await api.refused("POST", PATH, json=body))[0] == 422
    assert api.community.pinged == []


async def test_what_is_no_json_is_400_and_a_query_is_422(api: Api) -> None:
    assert (await api.refused("POST", PATH, data=b"{"))[0] == 400
    assert (await api.refused("POST", PATH + "?count=1"))[0] == 422


async def test_a_node_that_is_switched_off_does_not_ping(api: Api) -> None:
    await api.assembly.change_settings({"enabled": False})
    assert (await api.refused("POST", PATH))[0] == 503
    assert (await api.refused("POST", PATH, json={"count": 0}))[0] == 422
    assert api.community.pinged == []


async def test_so_many_at_once_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow(count: int, throughput: bool) -> list[Any]:
        started.release()
        await end.wait()
        raise ValueError("8 pings are running already")

    monkeypatch.setattr(api.community, "ping_all", slow)
    tasks = [asyncio.ensure_future(api.refused("POST", PATH)) for _ in range(MAX_PINGS)]
    for _ in tasks:
        await asyncio.wait_for(started.acquire(), 5)
    status, message = await api.refused("POST", PATH)
    assert status == 503
    assert str(MAX_PINGS) in message
    end.set()
    assert await asyncio.gather(*tasks) == [(503, "8 pings are running already")] * MAX_PINGS


async def test_the_documentation_describes_ping(api: Api) -> None:
    _, document = await api.call("GET", "/docs/swagger.json")
    assert {"200", "404", "422", "503"} <= set(document["paths"][PATH]["post"]["responses"])
