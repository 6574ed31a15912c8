"""
The peers, as remembered and as they are now.
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.control.lan import MAX_DISCOVERS

from .conftest import Neighbour, make_neighbour

if TYPE_CHECKING:
    from .conftest import Api

PEERS = "/api/multicast/peers"
DISCOVER = "/api/multicast/discover"
FIELDS = {"mid", "public_key", "nickname", "is_local", "was_local", "online", "addresses", "interface", "rtt_ms",
          "first_seen", "last_seen", "capabilities", "friend", "activity", "up", "down", "total_up", "total_down",
          "helped_up", "helped_down", "named_at", "receipt_given", "receipt_taken", "credit"}


def remember(api: Api, peer: Neighbour, now: float = 1500.0) -> None:
    """
    Put a peer into the database as one that was local.
    """
    assert api.context.database is not None
    api.context.database.set_local(peer.public_key, nickname=peer.nickname, addresses=peer.addresses,
                                   interface=peer.interface, rtt_ms=2.0, capabilities=sorted(peer.capabilities),
                                   now=now)
    api.context.database.clear_local(peer.public_key, now)


async def peers_of(api: Api, query: str = "") -> list[dict[str, Any]]:
    """
    Ask for the peers.
    """
    status, answer = await api.call("GET", PEERS + query)
    assert status == 200
    return list(answer["peers"])


async def test_nobody_is_an_empty_list(api: Api) -> None:
    assert await peers_of(api) == []


async def test_a_peer_that_is_here_is_local_and_online(api: Api) -> None:
    api.community.peers = [neighbour := make_neighbour(capabilities=frozenset({"stream", "coded"}))]
    [peer] = await peers_of(api)
    assert peer == {
        "mid": neighbour.mid.hex(), "public_key": neighbour.public_key.hex(), "nickname": "neighbour",
        "is_local": True, "was_local": True, "online": True,
        "addresses": [{"family": "ipv4", "ip": "10.0.0.7", "port": 32110}], "interface": "eth0", "rtt_ms": 1.234,
        "first_seen": 1000.0, "last_seen": 2000.0, "capabilities": ["coded", "stream"], "friend": "none",
        "activity": None, "up": None, "down": None, "total_up": None, "total_down": None,
        "helped_up": None, "helped_down": None, "named_at": None,
        "receipt_given": None, "receipt_taken": None, "credit": None,
    }
    assert set(peer) == FIELDS


async def test_a_peer_that_left_was_local_and_is_offline(api: Api) -> None:
    remember(api, neighbour := make_neighbour(nickname="gone"))
    [peer] = await peers_of(api)
    assert set(peer) == FIELDS
    assert (peer["mid"], peer["nickname"]) == (neighbour.mid.hex(), "gone")
    assert (peer["is_local"], peer["was_local"], peer["online"]) == (False, True, False)
    assert (peer["total_up"], peer["total_down"]) == (0, 0)


async def test_a_peer_that_came_back_is_listed_once_with_its_history(api: Api) -> None:
    neighbour = make_neighbour(first_seen=1800.0)
    remember(api, neighbour, now=500.0)
    api.community.peers = [neighbour]
    [peer] = await peers_of(api)
    assert peer["online"]
    assert peer["first_seen"] == 500.0
    assert peer["last_seen"] == 2000.0
    assert peer["total_up"] == 0


async def test_an_unknown_round_trip_is_null(api: Api) -> None:
    api.community.peers = [make_neighbour(rtt=None)]
    [peer] = await peers_of(api)
    assert peer["rtt_ms"] is None


async def test_filters_choose_and_combine(api: Api) -> None:
    here, gone = make_neighbour(nickname="here"), make_neighbour(nickname="gone")
    api.community.peers = [here]
    remember(api, gone)
    for query, names in (("", ["here", "gone"]), ("?local=true", ["here"]), ("?local=false", ["gone"]),
                         ("?online=true", ["here"]), ("?online=false", ["gone"]), ("?friend=true", []),
                         ("?friend=false", ["here", "gone"]), ("?local=true&online=false", [])):
        assert [peer["nickname"] for peer in await peers_of(api, query)] == names, query


@pytest.mark.parametrize("query", ["?local=1", "?local=True", "?local=", "?online=yes", "?friend=none",
                                   "?local=true&local=false", "?loco=true"])
async def test_a_wrong_filter_is_422(api: Api, query: str) -> None:
    assert (await api.refused("GET", PEERS + query))[0] == 422


async def test_discovery_asks_the_community_and_shows_who_answered(api: Api) -> None:
    api.community.peers = [make_neighbour(nickname="a", capabilities=frozenset({"stream"})), make_neighbour()]
    status, answer = await api.call("POST", DISCOVER, json={"timeout": 0.5, "capabilities": ["stream"]})
    assert status == 200
    [peer] = answer["peers"]
    assert peer["nickname"] == "a"
    assert set(peer) == FIELDS
    assert api.community.asked == [(0.5, ("stream",))]


@pytest.mark.parametrize("body", [b"", b"{}", b" "])
async def test_discovery_without_parameters_asks_for_everybody(api: Api, body: bytes) -> None:
    assert await api.call("POST", DISCOVER, data=body) == (200, {"peers": []})
    assert api.community.asked == [(2.0, ())]


@pytest.mark.parametrize("body", [
    {"timeout": "2"}, {"timeout": -1}, {"timeout": 0}, {"timeout": 61}, {"timeout": None}, {"timeout": True},
    {"timeout": [1]}, {"timeout": 10 ** 400}, {"capabilities": "stream"}, {"capabilities": ["teleport"]},
    {"capabilities": [1]}, {"capabilities": None}, {"capabilities": {"stream": 1}}, {"time": 1}, {"\ud800": 1},
    {"capabilities": ["x" * 5000]}])
async def test_a_wrong_discovery_is_422_and_asks_nobody(api: Api, body: dict[str, Any]) -> None:
    assert (await api.refused("POST", DISCOVER, data=json.dumps(body)))[0] == 422
    assert api.community.asked == []


async def test_a_node_that_is_switched_off_discovers_nobody(api: Api) -> None:
    api.context.options.update({"enabled": False})
    assert (await api.refused("POST", DISCOVER, json={}))[0] == 503


async def test_too_many_discoveries_at_once_are_refused(api: Api) -> None:
    release = asyncio.Event()

    async def slowly(timeout: float, capabilities: list[str]) -> list[Any]:
        await release.wait()
        return []

    api.community.discover = slowly
    running = [asyncio.ensure_future(api.call("POST", DISCOVER, json={})) for _ in range(MAX_DISCOVERS)]
    await asyncio.sleep(0.2)
    assert (await api.refused("POST", DISCOVER, json={}))[0] == 503
    release.set()
    assert [(status) for status, _ in await asyncio.gather(*running)] == [200] * MAX_DISCOVERS
    assert (await api.call("POST", DISCOVER, json={}))[0] == 200
