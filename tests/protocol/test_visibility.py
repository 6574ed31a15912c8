"""Links that are listened to only, on the virtual clock: nothing leaves, whatever comes in."""
from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tribler_multicast.protocol.events import WeatherOverheard
from tribler_multicast.protocol.identity import mid_of
from tribler_multicast.protocol.limits import MAX_OVERHEARD, MAX_WEATHER, OVERHEARD_BURST, OVERHEARD_PER_SECOND
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.wire import Kind, Writer

from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node


def silence(node: Node, silent: bool, family: int = 4) -> None:
    """Change the links of one family, as the shell does."""
    if silent:
        node.core.leaving.leave([link.key for link in node.links if link.family == family], node.lan.now)
        node.flush()
    node.links = [dataclasses.replace(link, silent=silent) if link.family == family else link for link in node.links]
    node.core.set_links(node.links, node.lan.now)
    node.flush()


def test_a_node_that_listens_says_goodbye_then_nothing_and_is_local_again_when_visible() -> None:
    lan = SimulatedLan()
    a, b, c = (lan.node() for _ in range(3))
    lan.run(20)
    silence(b, silent=True)
    lan.run(0.1)
    assert [reason for _, reason in a.gone(b)] == ["goodbye"]
    assert [reason for _, reason in b.gone(a)] == ["interface"]
    lan.wire.clear()
    c.leave()
    lan.node()
    b.core.solicit(())
    b.core.announce(("x",), lan.now)
    b.core.introduce(lan.now)
    b.flush()
    lan.run(60)
    assert [sender for _, sender, *_ in lan.wire if sender is b] == []
    assert b.dropped("listening") > 20
    assert b.dropped("listen") > 5
    assert not a.knows(b)
    assert len(b.core.peers) == 0
    assert sum(b.core.counters.received.values()) == b.core.counters.received.total()
    silence(b, silent=False)
    lan.run(3)
    assert a.knows(b)
    assert b.knows(a)


def test_on_other_links_it_goes_on() -> None:
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(2)]
    for node in nodes:
        node.links = [node.links[0], Link(2, 6, f"fe80::{node.number}", 32110, ("fe80::/64",))]
        node.core.set_links(node.links, lan.now)
    lan.run(30)
    a, b = nodes
    silence(b, silent=True)
    lan.wire.clear()
    lan.run(5)
    assert a.knows(b)
    assert b.knows(a)
    peer = a.core.peers.get(b.identity.key)
    assert peer is not None
    assert set(peer.paths) == {(2, 6)}
    assert [family for _, sender, family, _, _, _ in lan.wire if sender is b and family == 4] == []
    b.leave()
    assert {family for _, sender, family, _, _, data in lan.wire if data[22] == Kind.GOODBYE and sender is b} == {6}


def test_on_a_network_that_turns_out_to_be_a_silent_one_nobody_is_local_and_nothing_is_said() -> None:
    lan = SimulatedLan()
    a, b = (lan.node() for _ in range(2))
    lan.run(20)
    lan.wire.clear()
    b.links = [dataclasses.replace(link, silent=True) for link in b.links]
    b.core.set_links(b.links, lan.now)
    b.flush()
    assert [reason for _, reason in b.gone(a)] == ["interface"]
    lan.run(60)
    assert [sender for _, sender, *_ in lan.wire if sender is b] == []
    assert not a.knows(b)


PAYLOAD = b"some weather"


def quiet_lan() -> tuple[SimulatedLan, Node, Node]:
    """Make a LAN of one that only listens, and wants to know the weather, and one that speaks."""
    lan = SimulatedLan()
    quiet, loud = lan.node(), lan.node()
    silence(quiet, silent=True)
    quiet.core.overhearing.wanted = True
    lan.run(5)
    lan.wire.clear()
    return lan, quiet, loud


def overheard(node: Node) -> list[WeatherOverheard]:
    return [event for _, event in node.history if isinstance(event, WeatherOverheard)]


def say(lan: SimulatedLan, node: Node, payload: bytes = PAYLOAD) -> None:
    node.core.weather.say(2, payload, anyway=True)
    node.flush()
    lan.run(0.1)


def test_the_weather_is_heard_where_a_node_only_listens_and_it_says_nothing() -> None:
    lan, quiet, loud = quiet_lan()
    say(lan, loud)
    [event] = overheard(quiet)
    assert (event.mid, event.payload, event.address) == (mid_of(loud.identity.key), PAYLOAD, loud.address()[0])
    assert [sender for _, sender, *_ in lan.wire if sender is quiet] == []
    assert len(quiet.core.peers) == 0


def test_nobody_hears_it_who_does_not_want_to() -> None:
    lan, quiet, loud = quiet_lan()
    quiet.core.overhearing.wanted = False
    before = quiet.dropped("listening")
    say(lan, loud)
    assert not overheard(quiet)
    assert quiet.dropped("listening") == before + 1


def test_what_is_not_new_not_signed_or_from_elsewhere_is_not_overheard() -> None:
    lan, quiet, loud = quiet_lan()
    say(lan, loud)
    [data] = lan.of_kind(Kind.WEATHER)
    lan.transmit(None, 4, loud.address(), None, data)
    lan.transmit(None, 4, loud.address(), None, data[:-1] + bytes((data[-1] ^ 1,)))
    fresh = loud.core.outbox.writer.datagram(Kind.WEATHER, 0x04, PAYLOAD)
    lan.transmit(None, 4, ("203.0.113.7", 32110), None, fresh)
    lan.transmit(None, 4, loud.address(), None, fresh, hop_limit=2)
    lan.transmit(None, 4, loud.address(), None, fresh[:-1] + bytes((fresh[-1] ^ 1,)))
    old = Writer(loud.identity, 0).datagram(Kind.WEATHER, 0x04, PAYLOAD)
    lan.transmit(None, 4, loud.address(), None, old)
    say(lan, loud, bytes(MAX_WEATHER + 1))
    assert len(overheard(quiet)) == 1
    assert {reason: quiet.dropped(reason) for reason in ("replay", "bad_signature", "off_link", "hop_limit",
                                                         "old_epoch", "oversize")} \
        == {"replay": 2, "bad_signature": 1, "off_link": 1, "hop_limit": 1, "old_epoch": 1, "oversize": 1}


def test_a_thousand_keys_do_not_make_it_check_more_than_its_budget_nor_remember_more() -> None:
    lan, quiet, loud = quiet_lan()
    for number in range(1000):
        data = Writer(identity_from(f"key {number}"), 1).datagram(Kind.WEATHER, 0x04, PAYLOAD)
        lan.transmit(None, 4, (f"10.0.7.{number % 250}", 32110), None, data)
    lan.run(1)
    assert OVERHEARD_BURST <= len(overheard(quiet)) <= OVERHEARD_BURST + OVERHEARD_PER_SECOND
    assert len(quiet.core.overhearing.heard) <= MAX_OVERHEARD
    lan.run(2)
    say(lan, loud)
    assert overheard(quiet)[-1].mid == mid_of(loud.identity.key)


def test_among_friends_only_friends_are_overheard_and_in_a_group_only_members() -> None:
    lan, quiet, loud = quiet_lan()
    quiet.core.policy.friends_only = True
    say(lan, loud)
    assert not overheard(quiet)
    assert quiet.dropped("not_friend")
    quiet.core.policy.friends_only = False
    for node in (quiet, loud):
        node.rekey(Seal(b"r" * 32))
    say(lan, loud)
    assert len(overheard(quiet)) == 1
    loud.rekey(Seal(b"b" * 32))
    say(lan, loud)
    assert len(overheard(quiet)) == 1
    assert [sender for _, sender, *_ in lan.wire if sender is quiet] == []
