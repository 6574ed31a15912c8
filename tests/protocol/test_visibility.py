"""Links that are listened to only, on the virtual clock: nothing leaves, whatever comes in."""
from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import Kind

from .simulated import SimulatedLan

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
