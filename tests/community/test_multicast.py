"""The community with real sockets on loopback: what a hosting client and its users see."""
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from ipv8.keyvault.crypto import default_eccrypto
from ipv8.messaging.interfaces.udp.endpoint import UDPEndpoint
from ipv8.peer import Peer
from ipv8.peerdiscovery.network import Network

from tribler_multicast import MulticastCommunity
from tribler_multicast.community.multicast import MulticastSettings
from tribler_multicast.database import PeerDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast.community.local_peer import LocalPeer

Maker = Callable[..., Awaitable[MulticastCommunity]]


class Host:
    """A client that has capabilities and hears what happens."""

    name = "standalone"

    def __init__(self, *capabilities: str) -> None:
        self.offers = frozenset(capabilities)
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def capabilities(self) -> frozenset[str]:
        return self.offers

    def addresses(self) -> list[tuple[str, str, int]]:
        return [("ipv8", "127.0.0.1", 8090)]

    def notify(self, topic: str, **kwargs: Any) -> None:  # noqa: ANN401
        self.heard.append((topic, kwargs))


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


@pytest.fixture
async def make(unused_udp_port: int) -> AsyncIterator[Maker]:
    communities: list[MulticastCommunity] = []

    async def maker(key: Any = None, epoch: int = 1, **more: Any) -> MulticastCommunity:  # noqa: ANN401
        options = {"interfaces": ["lo"], "port": unused_udp_port, "nickname": f"node {len(communities)}",
                   "introduction_interval": 1.0, "enabled": True, **more.pop("options", {})}
        settings = MulticastSettings(my_peer=Peer(key or default_eccrypto.generate_key("curve25519")), epoch=epoch,
                                     options=options, **{"endpoint": None, "network": None, **more})
        community = MulticastCommunity(settings)
        communities.append(community)
        await community.start()
        return community

    yield maker
    for community in communities:
        await community.unload()


async def make_pair(make: Maker, **more: Any) -> tuple[MulticastCommunity, MulticastCommunity]:  # noqa: ANN401
    a, b = await make(**more), await make()
    await until(lambda: a.local_peers() and b.local_peers())
    return a, b


async def test_two_nodes_list_each_other(make: Maker) -> None:
    a, b = await make_pair(make)
    [peer] = a.local_peers()
    assert peer.public_key == b.my_peer.public_key.key_to_bin()
    assert peer.mid == b.my_peer.mid
    assert peer.nickname == "node 1"
    assert peer.interface == "lo"
    assert peer.addresses == [("ipv4", *b.lan.get_address())]
    assert abs(peer.last_seen - time.time()) < 2
    assert a.get_local_peer(b.my_peer.mid) is not None
    assert a.get_local_peer(bytes(20)) is None
    await until(lambda: a.local_peers()[0].rtt is not None and b.local_peers()[0].rtt is not None)


async def test_every_handler_hears_of_introductions_even_when_one_fails(make: Maker) -> None:
    heard: list[str] = []

    async def slow(peer: LocalPeer) -> None:
        await asyncio.sleep(0)
        heard.append("coroutine")

    def failing(_peer: LocalPeer) -> None:
        heard.append("failing")
        raise RuntimeError

    def removed(_peer: LocalPeer) -> None:
        heard.append("removed")

    a = await make()
    for handler in (removed, failing, failing, slow, lambda peer: heard.append(peer.nickname)):
        a.add_introduction_handler(handler)
    a.remove_introduction_handler(removed)
    a.remove_introduction_handler(removed)
    await make()
    await until(lambda: len(heard) >= 3)
    assert sorted(heard) == ["coroutine", "failing", "node 1"]


async def test_event_handlers_and_the_client_are_told(make: Maker) -> None:
    host = Host()
    a = await make(client=host)
    topics: list[str] = []
    a.add_event_handler(lambda topic, _: topics.append(topic))
    b = await make()
    await until(a.local_peers)
    await b.unload()
    await until(lambda: not a.local_peers())
    assert topics == ["multicast_peer_local", "multicast_peer_gone"]
    assert host.heard[0][1]["mid"] == b.my_peer.mid.hex()
    assert host.heard[1] == ("multicast_peer_gone", {"mid": b.my_peer.mid.hex(), "reason": "goodbye"})


async def test_goodbye_clears_within_a_moment(make: Maker) -> None:
    a, b = await make_pair(make)
    left = time.monotonic()
    await b.unload()
    await until(lambda: not a.local_peers())
    assert time.monotonic() - left < 1


async def test_discovery_finds_those_with_the_capabilities(make: Maker) -> None:
    a = await make()
    b = await make(client=Host("search", "coded"))
    await make()
    await until(lambda: len(a.local_peers()) == 2)
    everybody = await a.discover(timeout=0.4)
    assert {found.peer.nickname for found in everybody} == {"node 1", "node 2"}
    [found] = await a.discover(timeout=0.4, capabilities=["coded"])
    assert (found.peer.mid, found.address) == (b.my_peer.mid, b.lan.get_address())
    assert found.capabilities == {"search", "coded"}
    assert found.peer.services == [("ipv8", "127.0.0.1", 8090)]
    assert await a.discover(timeout=0.2, capabilities=["tribler"]) == []


@pytest.mark.parametrize(("timeout", "capabilities"),
                         [(0, ()), (-1, ()), (61, ()), (float("nan"), ()), (1, ("flying",))])
async def test_discovery_refuses_nonsense(make: Maker, timeout: float, capabilities: tuple[str, ...]) -> None:
    a = await make()
    with pytest.raises(ValueError, match=r"timeout|flying"):
        await a.discover(timeout, capabilities)


async def test_the_overlay_is_isolated_from_the_host(make: Maker) -> None:
    host_endpoint, host_network = UDPEndpoint(port=0, ip="127.0.0.1"), Network()
    a, b = await make_pair(make, endpoint=host_endpoint, network=host_network)
    assert a.network is not host_network
    assert a.endpoint is not host_endpoint
    assert [peer.public_key.key_to_bin() for peer in a.get_peers()] == [b.my_peer.public_key.key_to_bin()]
    assert a.get_peers()[0].address == b.lan.get_address()
    assert not host_network.verified_peers
    assert not host_network._all_addresses
    assert not host_endpoint._prefix_map
    assert not host_endpoint._listeners


async def test_ipv8_messages_add_nobody(make: Maker) -> None:
    a, b = await make_pair(make)
    a.walk_to(("127.0.0.1", 9))
    a.get_new_introduction()
    a.bootstrap()
    for handler in a.decode_map:
        assert handler is None
    a.on_packet((("127.0.0.1", 9), a.create_introduction_request(b.lan.get_address())))
    assert len(a.get_peers()) == 1


async def test_database_keeps_who_was_local(make: Maker, tmp_path: Path) -> None:
    database = PeerDatabase.open(tmp_path / "multicast.db", time.time())
    a, b = await make_pair(make, database=database)
    [record] = database.peers()
    assert (record.mid, record.is_local, record.was_local) == (b.my_peer.mid, True, True)
    assert record.nickname == "node 1"
    await b.unload()
    await until(lambda: not a.local_peers())
    [record] = database.peers()
    assert (record.is_local, record.was_local) == (False, True)
    await a.unload()
    database.close()


async def test_nickname_changes_reach_the_others(make: Maker) -> None:
    a, b = await make_pair(make)
    b.options["nickname"] = "television"
    await b.apply_settings({"nickname"})
    await until(lambda: a.local_peers()[0].nickname == "television")


async def test_switching_off_says_goodbye_and_on_again_comes_back(make: Maker) -> None:
    a, b = await make_pair(make)
    b.options["enabled"] = False
    await b.apply_settings({"enabled"})
    await until(lambda: not a.local_peers())
    assert b.interfaces() == []
    assert b.local_peers() == []
    b.options["enabled"] = True
    await b.apply_settings({"enabled"})
    await until(lambda: a.local_peers() and b.local_peers())


async def test_restart_in_a_higher_epoch_is_introduced_again(make: Maker) -> None:
    a, b = await make_pair(make)
    key = b.my_peer.key
    b.core.stop = lambda: None  # type: ignore[method-assign]  # As after kill -9: no goodbye.
    await b.unload()
    greeted: list[int] = []
    a.add_introduction_handler(lambda peer: greeted.append(peer.epoch))
    await make(key=key, epoch=2)
    await until(lambda: 2 in greeted)
    assert len(a.local_peers()) == 1


async def test_denied_interface_is_left_at_once(make: Maker) -> None:
    a, b = await make_pair(make)
    a.options["interfaces_deny"] = ["lo"]
    await a.apply_settings({"interfaces_deny"})
    assert a.local_peers() == []
    assert a.interfaces() == []
    a.options["interfaces_deny"] = []
    await a.apply_settings({"interfaces_deny"})
    await until(a.local_peers)
    assert b.local_peers()


async def test_counters_name_every_kind(make: Maker) -> None:
    a, _ = await make_pair(make)
    counters = a.counters()
    assert counters["sent"]["introduction"] >= 1
    assert counters["received"]["introduction"] + counters["received"].get("response", 0) >= 1
    assert counters["datagrams"]["bytes_sent"] > counters["datagrams"]["sent"] * 100
    assert all(isinstance(count, int) for group in counters.values() for count in group.values())
    [status] = a.interfaces()
    assert (status.name, status.joined, status.error) == ("lo", ["ipv4"], None)
