"""
IPv4 only, IPv6 with nothing but link-local addresses, both; and machines on two LANs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from .node import wait_all_local
from .testbed import Families

if TYPE_CHECKING:
    from .node import Node
    from .testbed import Lan


def families(node: Node, of: Node) -> set[str]:
    """
    Return the families in which a node is verified at another.
    """
    return {address["family"] for address in node.peer(of)["addresses"]}


@pytest.mark.parametrize(("kind", "expected"), [(Families.IPV4, {"ipv4"}), (Families.LINK_LOCAL, {"ipv6"}),
                                                (Families.DUAL, {"ipv4", "ipv6"})])
def test_nodes_meet_in_every_family_that_they_have(lan: Lan, kind: Families, expected: set[str]) -> None:
    one, other = nodes = [machine.node() for machine in lan.machines(2, kind)]
    wait_all_local(nodes)
    one.wait_for(lambda: families(one, other) == expected, 10, "all families at one")
    other.wait_for(lambda: families(other, one) == expected, 10, "all families at the other")
    assert one.peer(other)["rtt_ms"] is not None


def test_link_local_address_is_verified_and_of_the_right_interface(lan: Lan) -> None:
    a, b = lan.machines(2, Families.LINK_LOCAL)
    one, other = a.node(), b.node()
    wait_all_local([one, other])
    (address,) = one.peer(other)["addresses"]
    assert address["ip"].partition("%")[0] == b.interfaces["eth0"].link_local
    assert one.peer(other)["interface"] == "eth0"


def test_dual_stack_node_meets_both_kinds_which_do_not_meet_each_other(lan: Lan) -> None:
    old, new, both = (lan.machine(kind).node() for kind in (Families.IPV4, Families.LINK_LOCAL, Families.DUAL))
    both.wait_local(old, new)
    wait_all_local([old, both])
    wait_all_local([new, both])
    assert families(both, old) == {"ipv4"}
    assert families(both, new) == {"ipv6"}
    time.sleep(1)
    assert not old.peer(new)
    assert not new.peer(old)


@pytest.mark.parametrize(("setting", "left"), [("ipv4", "ipv6"), ("ipv6", "ipv4")])
def test_family_can_be_switched_off_before_and_while_running(lan: Lan, setting: str, left: str) -> None:
    a, b = lan.machines(2)
    switched_off: dict[str, Any] = {setting: False}
    one, other = nodes = [a.node(**switched_off), b.node(introduction_interval=1)]
    wait_all_local(nodes)
    assert families(other, one) == {left}
    one.rest("PATCH", "/settings", {setting: True})
    other.wait_for(lambda: len(families(other, one)) == 2, 10, "both families after switching on")
    one.rest("PATCH", "/settings", {setting: False})
    one.wait_for(lambda: families(one, other) == {left}, 10, "one family after switching off")
    assert one.is_local(other)


def test_machine_on_two_lans_meets_both_and_they_stay_apart(lan: Lan) -> None:
    a, b = lan.machine(), lan.machine(bridge=lan.bridge())
    middle = lan.machine()
    middle.plug(lan.bridges[1])
    left, right, both = a.node(), b.node(), middle.node()
    both.wait_local(left, right)
    wait_all_local([left, both])
    wait_all_local([right, both])
    assert both.peer(left)["interface"] == "eth0"
    assert both.peer(right)["interface"] == "eth1"
    wanted = {middle.interfaces["eth0"].ipv4, middle.interfaces["eth0"].link_local}
    left.wait_for(lambda: {address["ip"].partition("%")[0] for address in left.peer(both)["addresses"]} == wanted, 10,
                  "the addresses on this LAN and no others")
    time.sleep(1)
    assert not left.peer(right)
    assert not right.peer(left)


def test_two_machines_on_the_same_two_lans_meet_on_both(lan: Lan) -> None:
    lan.bridge()
    one, other = lan.machines(2)
    for machine in (one, other):
        machine.plug(lan.bridges[1])
    nodes = [one.node(), other.node()]
    wait_all_local(nodes)
    wanted = {interface.ipv4 for interface in other.interfaces.values()}
    nodes[0].wait_for(lambda: wanted <= {address["ip"] for address in nodes[0].peer(nodes[1])["addresses"]}, 10,
                      "addresses on both LANs")
    assert not any(node.counters("dropped").get("wrong_interface") for node in nodes)
