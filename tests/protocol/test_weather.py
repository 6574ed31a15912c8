"""Weather on a simulated LAN: whom it reaches, and what is not heard."""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import WeatherReceived
from tribler_multicast.protocol.limits import MAX_WEATHER, WEATHER_BURST
from tribler_multicast.protocol.wire import Kind, Writer

from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node

PAYLOAD = b"some weather"
LINK = (2, 4)


def lan_of(number: int) -> tuple[SimulatedLan, list[Node]]:
    """Make a LAN of nodes that know each other."""
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(number)]
    lan.run(20)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)
    lan.wire.clear()
    return lan, nodes


def heard(node: Node) -> list[WeatherReceived]:
    return [event for _, event in node.history if isinstance(event, WeatherReceived)]


def say(node: Node, payload: bytes = PAYLOAD) -> None:
    node.core.weather.say(LINK[0], payload)
    node.flush()


def test_it_reaches_all_peers_with_one_datagram_where_all_have_both_families() -> None:
    lan, (a, b, c) = lan_of(3)
    say(a)
    lan.run(0.1)
    assert len(lan.of_kind(Kind.WEATHER)) == 1
    for node in (b, c):
        [event] = heard(node)
        assert event.payload == PAYLOAD
        assert event.peer.key == a.core.identity.key
        assert event.address == a.address()[0]


def test_with_nobody_there_or_on_another_interface_nothing_is_said() -> None:
    lan = SimulatedLan()
    alone = lan.node()
    lan.run(5)
    say(alone)
    _, (a, _) = lan_of(2)
    a.core.weather.say(99, PAYLOAD)
    assert not alone.core.counters.sent["weather"]
    assert not a.core.counters.sent["weather"]


def test_node_that_was_stopped_says_nothing() -> None:
    _, (a, _) = lan_of(2)
    a.core.stop()
    a.core.take_outgoing()
    a.core.weather.say(LINK[0], PAYLOAD)
    assert not a.core.take_outgoing()


def test_stranger_is_not_heard() -> None:
    lan, (a, _) = lan_of(2)
    data = Writer(identity_from("stranger"), 1).datagram(Kind.WEATHER, 0x04, PAYLOAD)
    lan.transmit(None, 4, ("10.0.0.77", 32110), None, data)
    lan.run(0.1)
    assert not heard(a)
    assert a.dropped("unknown_peer")


def test_peer_is_not_heard_from_another_address() -> None:
    lan, (a, b) = lan_of(2)
    data = b.core.outbox.writer.datagram(Kind.WEATHER, 0x04, PAYLOAD)
    lan.transmit(None, 4, (a.address()[0].rsplit(".", 1)[0] + ".99", 32110), None, data)
    lan.run(0.1)
    assert not heard(a)
    assert a.dropped("unverified_path")


def test_replay_is_not_heard() -> None:
    lan, (a, b) = lan_of(2)
    say(b)
    lan.run(0.1)
    [data] = lan.of_kind(Kind.WEATHER, b)
    lan.transmit(None, 4, b.address(), None, data)
    lan.run(0.1)
    assert len(heard(a)) == 1
    assert a.dropped("replay")


def test_by_unicast_it_is_nothing() -> None:
    lan, (a, b) = lan_of(2)
    data = b.core.outbox.writer.datagram(Kind.WEATHER, 0x14, PAYLOAD)
    lan.transmit(None, 4, b.address(), a.address(), data)
    lan.run(0.1)
    assert not heard(a)


def test_changed_payload_is_not_heard() -> None:
    lan, (a, b) = lan_of(2)
    data = bytearray(b.core.outbox.writer.datagram(Kind.WEATHER, 0x04, PAYLOAD))
    data[-70] ^= 1
    lan.transmit(None, 4, b.address(), None, bytes(data))
    lan.run(0.1)
    assert not heard(a)
    assert a.dropped("bad_signature")


@pytest.mark.parametrize("size, fits", [(MAX_WEATHER, True), (MAX_WEATHER + 1, False)])
def test_long_ones_are_dropped_before_the_signature(size: int, fits: bool) -> None:
    lan, (a, b) = lan_of(2)
    say(b, bytes(size))
    lan.run(0.1)
    assert bool(heard(a)) == fits
    assert bool(a.dropped("oversize")) != fits


def test_flood_of_a_peer_is_dropped_and_counted() -> None:
    lan, (a, b, c) = lan_of(3)
    for _ in range(200):
        say(b)
    lan.run(0.1)
    assert WEATHER_BURST <= len(heard(a)) <= WEATHER_BURST + 2
    assert a.dropped("rate") >= 180
    say(c)
    lan.run(0.1)
    assert heard(a)[-1].peer.key == c.core.identity.key
