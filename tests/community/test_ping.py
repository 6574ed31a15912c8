"""Multicast ping between communities with real sockets on loopback."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tribler_multicast.protocol.candidates import Candidate
from tribler_multicast.protocol.wire import Kind

from .test_multicast import Maker, make, make_pair, until

__all__ = ["make"]


async def test_one_node_is_pinged(make: Maker) -> None:
    a, b = await make_pair(make)
    result = await a.ping(a.local_peers()[0], count=5, interval=0.05)
    assert (result.mid, result.sent, result.received, result.loss) == (b.my_peer.mid, 5, 5, 0.0)
    assert result.min is not None
    assert result.avg is not None
    assert result.max is not None
    assert 0 < result.min <= result.avg <= result.max < 0.5
    assert result.unicast_rtt is not None
    assert 0 < result.unicast_rtt < 0.5


async def test_node_known_from_a_page_only_is_verified_when_it_is_pinged(make: Maker) -> None:
    a, b = await make_pair(make)
    peer = a.core.peers.get(b.core.identity.key)
    [path] = peer.paths.values()
    a.core.drop_peer(peer, "expired")
    a.pump()
    a.core.candidates.add(Candidate(peer.key, path.link, path.address, peer.epoch, 1, bytes(64), 0.0), 5.0, a.now())
    assert (await a.ping(b.my_peer.mid, count=2, interval=0.05)).received == 2
    assert not len(a.core.candidates)
    with pytest.raises(KeyError):
        await a.ping(bytes(20))


async def test_all_are_pinged_and_one_that_hears_nothing_is_a_loss(make: Maker) -> None:
    nodes = [await make() for _ in range(4)]
    await until(lambda: all(len(node.local_peers()) == 3 for node in nodes))
    receive = nodes[3].core.datagram_received
    nodes[3].core.datagram_received = lambda data, *more: None if data[22] == Kind.PING else receive(data, *more)
    results = {result.mid: result for result in await nodes[0].ping_all(count=3, interval=0.05)}
    assert set(results) == {node.my_peer.mid for node in nodes[1:]}
    deaf = results[nodes[3].my_peer.mid]
    assert (deaf.sent, deaf.received, deaf.loss, deaf.min, deaf.avg, deaf.max) == (3, 0, 1.0, None, None, None)
    assert deaf.unicast_rtt is not None
    assert all(results[node.my_peer.mid].received == 3 for node in nodes[1:3])


async def test_nobody_there_gives_nothing_at_once(make: Maker) -> None:
    node = await make()
    assert await asyncio.wait_for(node.ping_all(), 1) == []


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 101}, {"interval": 0.0}, {"interval": float("nan")},
                                   {"interval": 61.0}, {"peer": b"short"}])
async def test_what_cannot_be_is_said_in_one_line(make: Maker, wrong: dict[str, Any]) -> None:
    node = await make()
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("peer", "mid")) as caught:
        await node.ping(**{"peer": bytes(20), **wrong})
    assert "\n" not in str(caught.value)
    with pytest.raises(KeyError):
        await node.ping(bytes(20 * [7]))


async def test_a_ping_ends_when_the_node_is_switched_off_and_one_that_is_given_up_leaves_nothing(make: Maker) -> None:
    a, b = await make_pair(make)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(a.ping_all(count=100), 0.1)
    assert a.core.pings.runs == []
    assert a.core.pings.waiting == {}
    assert a.ping_ends == {}
    task = asyncio.ensure_future(a.ping(b.my_peer.mid, count=100))
    await asyncio.sleep(0.1)
    await a.stop()
    result = await asyncio.wait_for(task, 1)
    assert 1 <= result.sent < 100
    with pytest.raises(ValueError, match="switched off"):
        await a.ping_all()
