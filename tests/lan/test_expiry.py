"""
`is_local` is true only as long as it is true; `was_local` stays.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from .node import wait_all_local

if TYPE_CHECKING:
    from .node import Node
    from .testbed import Lan


def is_black(node: Node, other: Node) -> bool:
    """
    Tell whether a node lists another as one that was local and does not answer.
    """
    peer = node.peer(other)
    return bool(peer["was_local"]) and not peer["is_local"] and not peer["online"]


def test_flag_is_cleared_when_peer_says_goodbye(lan: Lan) -> None:
    one, other = nodes = [machine.node() for machine in lan.machines(2)]
    wait_all_local(nodes)
    assert other.stop() < 3
    assert other.process.returncode == 0
    one.wait_not_local(other, timeout=1)
    assert is_black(one, other)


def test_flag_is_cleared_when_peer_dies_without_a_word(lan: Lan) -> None:
    one, other = nodes = [machine.node(introduction_interval=1) for machine in lan.machines(2)]
    wait_all_local(nodes)
    other.kill()
    time.sleep(1)
    assert one.is_local(other)
    one.wait_not_local(other, timeout=10)
    assert is_black(one, other)


def test_peers_are_known_but_not_local_when_the_observer_comes_back_alone(lan: Lan) -> None:
    a, b = lan.machines(2)
    one, other = nodes = [a.node(nickname="one"), b.node(nickname="other")]
    wait_all_local(nodes)
    one.kill()
    other.stop()
    again = a.node(state=one.state)
    assert again.mid == one.mid
    assert is_black(again, other)
    assert again.peer(other)["nickname"] == "other"


def test_observer_that_comes_back_finds_its_peers_again(lan: Lan) -> None:
    a, b = lan.machines(2)
    one, other = nodes = [a.node(), b.node()]
    wait_all_local(nodes)
    one.kill()
    again = a.node(state=one.state)
    wait_all_local([again, other])
    assert list(again.peers()) == [other.mid]
    assert list(other.peers()) == [one.mid]


def test_peer_that_moved_to_another_machine_is_the_same_peer(lan: Lan) -> None:
    a, b, c = lan.machines(3)
    one, other = nodes = [each.node(introduction_interval=1) for each in (a, b)]
    wait_all_local(nodes)
    other.kill()
    moved = c.node(state=other.state, introduction_interval=1)
    wait_all_local([one, moved])
    one.wait_for(lambda: {address["ip"].partition("%")[0] for address in one.peer(moved)["addresses"]} == {
        c.interfaces["eth0"].ipv4, c.interfaces["eth0"].link_local}, 20, "only the new addresses")


def test_peer_that_sleeps_is_dropped_and_found_again_when_it_wakes(lan: Lan) -> None:
    one, other = nodes = [machine.node(introduction_interval=1) for machine in lan.machines(2)]
    wait_all_local(nodes)
    os.kill(other.pid, signal.SIGSTOP)
    try:
        one.wait_not_local(other, timeout=10)
    finally:
        os.kill(other.pid, signal.SIGCONT)
    wait_all_local(nodes, 10)


@pytest.mark.usefixtures("loss")
@pytest.mark.parametrize(("seconds", "settings"), [
    pytest.param(8, {"introduction_interval": 1}, id="8 s at five times the pace"),
    pytest.param(600, {}, id="10 minutes", marks=pytest.mark.soak),
])
def test_no_peer_flaps_while_40_percent_of_all_frames_get_lost(lan: Lan, seconds: float,
                                                               settings: dict[str, Any]) -> None:
    machines = lan.machines(4)
    for machine in machines:
        machine.lose(40)
    nodes = [machine.node(**settings) for machine in machines]
    wait_all_local(nodes, 60)
    events = [node.events() for node in nodes]
    time.sleep(seconds)
    gone = [event for each in events for _, event in each.received if event["topic"] == "multicast_peer_gone"]
    for each in events:
        each.close()
    assert not gone
    wait_all_local(nodes, 1)
