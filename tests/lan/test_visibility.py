"""
Networks on which a node is visible, only listens, or is not at all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tribler_multicast.protocol.wire import IPV4, IPV6, Kind

from .attacker import Forger, is_from, key_of, to_group, to_host
from .node import wait_all_local
from .testbed import Families

if TYPE_CHECKING:
    from collections.abc import Callable

    from .node import Node
    from .packets import Packet, Sniffer
    from .testbed import Lan, Machine

FOLLOW = 5.0
"""Seconds within which a node follows a change."""

PORTS = range(32109, 32126)
"""The ports of nodes: that of the group, and those of their own messages."""

GROUPS = ("239.255.84.77", "ff12:0:0:0:0:0:5472:6962", "ff12::5472:6962")


def spoken(sniffer: Sniffer) -> list[Packet]:
    """
    Return what this machine sent from or to a port of ours, so far.
    """
    ours: Callable[[Packet], bool] = lambda packet: packet.sent and bool(
        {packet.source_port, packet.destination_port} & {*PORTS})
    return sniffer.select(ours)


def joined(machine: Machine, name: str = "eth0") -> bool:
    """
    Tell whether the kernel holds a membership of our groups on an interface.
    """
    return any(group in machine.run(["ip", "maddress", "show", "dev", name]) for group in GROUPS)


def resolve(machine: Machine, lan: Lan, name: str = "eth0") -> None:
    """
    Make a machine use its gateway, so that it knows its hardware address.
    """
    number = machine.interfaces[name].bridge.number
    sock = machine.socket()
    with sock:
        sock.sendto(b"", (f"192.168.{number}.254", 9))
    deadline = time.monotonic() + FOLLOW
    while "REACHABLE" not in machine.run(["ip", "-4", "neigh", "show", "dev", name]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def seen(node: Node, name: str = "eth0") -> dict[str, object]:
    """
    Return the interface in the status of a node, {} when it is not there.
    """
    return next((interface for interface in node.status()["interfaces"] if interface["name"] == name), {})


def test_a_listening_node_hears_and_says_nothing_whatever_is_said_to_it(lan: Lan) -> None:
    lan.router(lan.bridges[0])
    quiet, loud, attacker = lan.machines(3)
    lan.route(quiet)
    sniffer = quiet.sniff()
    listener = quiet.node(visibility_networks="192.168.1.254=listen", introduction_interval=1)
    shouting = loud.node(introduction_interval=1)
    key, interface = key_of(listener), quiet.interfaces["eth0"]
    port = seen(listener)["port"]
    assert isinstance(port, int)
    address = str(interface.ipv4), port
    forger, end = Forger(), time.monotonic() + 4
    while time.monotonic() < end:
        shouting.rest("POST", "/announcements", {"values": ["hello", "x" * 20_000]})
        shouting.rest("POST", "/discover", {"timeout": 0.1})
        shouting.rest("POST", "/ping", {"count": 1})
        attacker.inject([
            to_group(forger.introduction(), ("192.168.1.77", 32110)),
            to_group(forger.introduction(IPV6), ("fe80::77", 32110)),
            to_group(forger.writer.datagram(Kind.TRAIN, IPV4, bytes(66)), ("192.168.1.77", 32110)),
            to_host(forger.challenge(key, ("192.168.1.77", 32110), address), ("192.168.1.77", 32110), interface,
                    address)])
        listener.rest("POST", "/discover", {"timeout": 0.1})
        time.sleep(0.3)
    assert spoken(sniffer) == []
    assert joined(quiet)
    assert listener.peers() == {}
    assert shouting.peers() == {}
    status = seen(listener)
    assert (status["visibility"], status["joined"]) == ("listen", ["ipv4", "ipv6"])
    dropped = listener.counters("dropped")
    assert dropped["listening"] > 20
    assert dropped["listen"] > 2
    listener.stop()
    assert spoken(sniffer) == []


def test_where_it_is_off_there_is_no_membership_and_not_a_datagram(lan: Lan) -> None:
    lan.router(lan.bridges[0])
    quiet, loud = lan.machines(2)
    lan.route(quiet)
    sniffer = quiet.sniff()
    node = quiet.node(visibility_networks="fd00:1::fe=off", introduction_interval=1)
    loud.node(introduction_interval=1)
    time.sleep(4)
    assert spoken(sniffer) == []
    assert not joined(quiet)
    assert "32109" not in quiet.run(["ss", "-lun"])
    status = seen(node)
    assert (status["visibility"], status["joined"], status["error"]) == ("off", [], None)
    findings = [finding["what"] for finding in node.rest("GET", "/doctor")["findings"]]
    assert any("eth0" in what and "switched off" in what for what in findings)


def test_falling_silent_says_goodbye_first_and_visible_again_means_local_again(lan: Lan) -> None:
    a, b = lan.machines(2)
    one, other = nodes = [a.node(), b.node()]
    wait_all_local(nodes)
    sniffer, at_other = b.sniff(), a.sniff()
    for visibility in ("listen", "off"):
        other.rest("PATCH", "/settings", {"visibility": visibility})
        one.wait_not_local(other, timeout=1)
        other.wait_not_local(one, timeout=1)
        assert at_other.select(is_from(other, Kind.GOODBYE))
        before = len(spoken(sniffer))
        time.sleep(2)
        assert len(spoken(sniffer)) == before
        assert seen(other)["visibility"] == visibility
        assert joined(b) == (visibility == "listen")
        other.rest("PATCH", "/settings", {"visibility": "visible"})
        wait_all_local(nodes, FOLLOW)


def test_two_networks_with_different_visibility_at_once(lan: Lan) -> None:
    lan.bridge()
    lan.router(*lan.bridges)
    left, right, middle = lan.machine(), lan.machine(bridge=lan.bridges[1]), lan.machine()
    middle.plug(lan.bridges[1], name="eth1")
    lan.route(middle)
    middle.namespace.ip("route add default via 192.168.2.254 dev eth1 metric 500")
    sniffer = middle.sniff("eth1")
    node = middle.node(visibility_networks="192.168.2.254=listen")
    near, far = left.node(), right.node()
    wait_all_local([node, near])
    time.sleep(2)
    assert not node.is_local(far)
    assert not far.peers()
    assert spoken(sniffer) == []
    assert (seen(node)["visibility"], seen(node, "eth1")["visibility"]) == ("visible", "listen")
    assert seen(node, "eth1")["gateway"] == {"ip": "192.168.2.254", "hardware_address": None}
    node.rest("PATCH", "/settings", {"visibility_networks": ["192.168.1.254=off"]})
    wait_all_local([node, far], FOLLOW)
    near.wait_not_local(node, timeout=2)
    assert not node.is_local(near)


def test_it_changes_by_itself_with_the_network_that_the_cable_goes_to(lan: Lan) -> None:
    home, cafe = lan.bridges[0], lan.bridge()
    lan.router(home, cafe)
    family, stranger, laptop = lan.machine(), lan.machine(bridge=cafe), lan.machine(families=Families.IPV4)
    lan.route(laptop)
    resolve(laptop, lan)
    node = laptop.node(visibility_networks="02:00:00:00:02:FE=listen", introduction_interval=1)
    near, far = family.node(introduction_interval=1), stranger.node(introduction_interval=1)
    wait_all_local([node, near])
    assert seen(node)["gateway"] == {"ip": "192.168.1.254", "hardware_address": "02:00:00:00:01:fe"}
    sniffer = stranger.sniff()

    port = laptop.interfaces["eth0"].port
    lan.switch.ip(f"link set {port} down", f"link set {port} master {cafe.name}")
    laptop.namespace.ip("address flush dev eth0")
    time.sleep(0.5)
    lan.switch.ip(f"link set {port} up")
    laptop.namespace.ip("address add 192.168.2.77/24 brd + dev eth0", "route replace 0.0.0.0/0 via 192.168.2.254")
    laptop.interfaces["eth0"].bridge = cafe
    node.wait_for(lambda: seen(node).get("visibility") == "listen", FOLLOW, "silence there")
    resolve(laptop, lan)
    node.wait_for(lambda: seen(node).get("gateway") == {"ip": "192.168.2.254", "hardware_address": "02:00:00:00:02:fe"},
                  FOLLOW, "the gateway's hardware address")
    time.sleep(3)
    assert not far.peers()
    assert not sniffer.select(lambda packet: packet.source == "192.168.2.77")

    lan.switch.ip(f"link set {port} down", f"link set {port} master {home.name}")
    laptop.namespace.ip("address flush dev eth0")
    lan.switch.ip(f"link set {port} up")
    laptop.namespace.ip("address add 192.168.1.77/24 brd + dev eth0", "route replace 0.0.0.0/0 via 192.168.1.254")
    laptop.interfaces["eth0"].bridge = home
    resolve(laptop, lan)
    wait_all_local([node, near], FOLLOW)
    assert not far.peers()
