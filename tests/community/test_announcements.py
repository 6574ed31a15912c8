"""Tuples between communities with real sockets on loopback."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import Kind

from .test_multicast import Host, Maker, make, make_pair, until

if TYPE_CHECKING:
    from tribler_multicast import MulticastCommunity
    from tribler_multicast.community.local_peer import LocalPeer

__all__ = ["make"]

EVERYTHING = (1, -(1 << 200), b"\0\xff", "tekst é", True, None, 2.5, (1, [2, (b"",)]), [])


def listen(community: MulticastCommunity) -> list[tuple[bytes, tuple[Any, ...]]]:
    """Collect what a community hears."""
    heard: list[tuple[bytes, tuple[Any, ...]]] = []
    community.add_announcement_handler(lambda peer, values: heard.append((peer.mid, values)))
    return heard


async def test_a_tuple_arrives_as_it_was_and_not_at_its_sender(make: Maker) -> None:
    a, b = await make_pair(make)
    at_a, at_b = listen(a), listen(b)
    assert a.announce(EVERYTHING) == 1
    await until(lambda: at_b)
    assert b.announce(()) == 1
    assert a.announce(("second",)) == 2
    await until(lambda: at_a and len(at_b) == 2)
    assert at_a == [(b.my_peer.mid, ())]
    assert at_b == [(a.my_peer.mid, EVERYTHING), (a.my_peer.mid, ("second",))]


async def test_the_largest_arrives_at_three_through_real_buffers(make: Maker) -> None:
    nodes = [await make() for _ in range(4)]
    await until(lambda: all(len(node.local_peers()) == 3 for node in nodes))
    heard = [listen(node) for node in nodes]
    values = (bytes(256 * 1024 - 5),)
    nodes[0].announce(values)
    await until(lambda: all(heard[1:]), 10)
    assert heard == [[], *[[(nodes[0].my_peer.mid, values)]] * 3]


async def test_a_lost_fragment_is_asked_for(make: Maker) -> None:
    a, b = await make_pair(make)
    heard, receive, lost = listen(b), b.core.datagram_received, list[bytes]()

    def lose_some(data: bytes, *more: Any) -> None:  # noqa: ANN401
        if data[22] == Kind.FRAGMENT and len(lost) < 5:
            lost.append(data)
        else:
            receive(data, *more)

    b.core.datagram_received = lose_some
    a.announce((b"x" * 20_000,))
    await until(lambda: heard)
    assert heard == [(a.my_peer.mid, (b"x" * 20_000,))]
    assert len(lost) == 5
    assert b.counters()["sent"]["ask"] >= 1


async def test_handlers_come_and_go_and_one_that_fails_stops_nobody(make: Maker) -> None:
    a, b = await make_pair(make)
    calls: list[str] = []

    def failing(peer: LocalPeer, values: tuple[Any, ...]) -> None:
        calls.append("failing")
        raise ZeroDivisionError

    async def waiting(peer: LocalPeer, values: tuple[Any, ...]) -> None:
        await asyncio.sleep(0)
        calls.append(f"{peer.nickname} said {values[0]}")

    b.add_announcement_handler(failing)
    b.add_announcement_handler(waiting)
    a.announce(("hello",))
    await until(lambda: len(calls) == 2)
    b.remove_announcement_handler(failing)
    a.announce(("again",))
    await until(lambda: len(calls) == 3)
    assert calls == ["failing", "node 0 said hello", "node 0 said again"]


async def test_the_event_has_values_that_json_has(make: Maker) -> None:
    host = Host()
    a, b = await make_pair(make, client=host)
    told: list[tuple[str, dict[str, Any]]] = []
    a.add_event_handler(lambda topic, kwargs: told.append((topic, kwargs)))
    b.announce((b"\xab", (1, float("inf")), None))
    expected = ("multicast_announcement",
                {"mid": b.my_peer.mid.hex(), "values": [{"hex": "ab"}, [1, {"float": "inf"}], None]})
    await until(lambda: expected in told)
    assert expected in host.heard


@pytest.mark.parametrize(("values", "message"), [
    (({},), "type dict cannot be announced"), (b"bytes", "a tuple of values, not bytes"),
    ((bytes(256 * 1024),), "more than 262144 bytes"), ((("\ud800",),), "surrogate")])
async def test_what_cannot_be_sent_is_said_in_one_line(make: Maker, values: Any, message: str) -> None:  # noqa: ANN401
    node = await make()
    with pytest.raises(ValueError, match=message) as caught:
        node.announce(values)
    assert "\n" not in str(caught.value)
    await node.stop()
    with pytest.raises(ValueError, match="switched off"):
        node.announce((1,))
