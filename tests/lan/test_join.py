"""
Nodes that start find the running ones, and are found: verified, in both directions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .node import wait_all_local

if TYPE_CHECKING:
    from .testbed import Lan


def test_newcomer_and_running_node_list_each_other(lan: Lan) -> None:
    a, b = lan.machines(2)
    running = a.node()
    newcomer = b.node(nickname="tv in the kitchen")
    wait_all_local([running, newcomer])
    running.wait_for(lambda: len(running.peer(newcomer)["addresses"]) == 2, 5, "both families")
    seen, now = running.peer(newcomer), time.time()
    assert seen["nickname"] == "tv in the kitchen"
    assert seen["is_local"]
    assert seen["was_local"]
    assert seen["online"]
    assert seen["friend"] == "none"
    assert seen["interface"] == "eth0"
    assert seen["rtt_ms"] is None or 0 < seen["rtt_ms"] < 1000
    assert now - 60 < seen["first_seen"] <= seen["last_seen"] < now + 1
    assert {(each["family"], each["ip"].partition("%")[0]) for each in seen["addresses"]} == {
        ("ipv4", b.interfaces["eth0"].ipv4), ("ipv6", b.interfaces["eth0"].link_local)}
    assert bytes.fromhex(seen["public_key"]).endswith(bytes.fromhex(newcomer.status()["public_key"])[-64:])


def test_whoever_listens_for_events_hears_of_newcomers_and_goodbyes(lan: Lan) -> None:
    a, b = lan.machines(2)
    running = a.node()
    events = running.events()
    newcomer = b.node(nickname="camera")
    _, arguments = events.wait_for("multicast_peer_local", mid=newcomer.mid)
    assert arguments["nickname"] == "camera"
    newcomer.stop()
    _, arguments = events.wait_for("multicast_peer_gone", mid=newcomer.mid)
    assert arguments["reason"] == "goodbye"
    events.close()


def test_eight_nodes_that_start_one_after_another_all_list_each_other(lan: Lan) -> None:
    nodes = [machine.node() for machine in lan.machines(8)]
    wait_all_local(nodes)
    assert all(len(node.peers()) == 7 for node in nodes)


def test_eight_nodes_that_start_at_once_all_list_each_other(lan: Lan) -> None:
    nodes = [machine.node(wait=False) for machine in lan.machines(8)]
    wait_all_local([node.ready() for node in nodes])
    assert all(len(node.peers()) == 7 for node in nodes)


def test_several_nodes_on_one_machine_list_each_other_and_those_elsewhere(lan: Lan) -> None:
    a, b = lan.machines(2)
    nodes = [a.node(), a.node(), a.node(), b.node()]
    wait_all_local(nodes)
    ports = {address["port"] for node in nodes[:3] for address in nodes[3].peer(node)["addresses"]}
    assert len(ports) >= 3


def test_nodes_on_the_loopback_interface_are_alone_with_each_other(lan: Lan) -> None:
    a, b = lan.machines(2)
    here, there, outside = a.node(interfaces="lo"), a.node(interfaces="lo"), b.node()
    sniffer = b.sniff()
    wait_all_local([here, there])
    assert here.peer(there)["interface"] == "lo"
    time.sleep(1)
    assert not outside.peers()
    assert not sniffer.select(lambda packet: not packet.sent)


def test_changed_nickname_is_told_at_once(lan: Lan) -> None:
    nodes = [machine.node() for machine in lan.machines(2)]
    wait_all_local(nodes)
    nodes[0].rest("PATCH", "/settings", {"nickname": "küche"})
    nodes[1].wait_for(lambda: nodes[1].peer(nodes[0])["nickname"] == "küche", 3, "the new nickname")


def test_discovery_on_demand_answers_with_who_is_there(lan: Lan) -> None:
    nodes = [machine.node() for machine in lan.machines(3)]
    wait_all_local(nodes)
    found = nodes[0].rest("POST", "/discover", {"timeout": 2})["peers"]
    assert {peer["mid"] for peer in found} == {node.mid for node in nodes[1:]}
    assert nodes[0].rest("POST", "/discover", {"timeout": 1, "capabilities": ["stream"]})["peers"] == []
