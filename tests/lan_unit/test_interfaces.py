"""Which interfaces are used, and with which socket options on which platform."""
from __future__ import annotations

import errno
import socket
import struct

import pytest

from tribler_multicast.lan.interfaces import IPV4, IPV6, Interface, note_of, snapshot, usable, with_prefix
from tribler_multicast.lan.options import (
    DARWIN,
    IPPROTO_IP,
    IPPROTO_IPV6,
    LINUX,
    WINDOWS,
    Platform,
    current,
    group_request,
    listening,
    read_ancillary,
    receiving,
    sending,
    shared,
)
from tribler_multicast.lan.sockets import explain, open_unicast

GROUP = "239.255.84.77"
ETH = Interface("eth0", 2, ("192.168.1.5/24", "10.0.0.5/8"), ("2001:db8::5/64", "fe80::5/64"))
LO = Interface("lo", 1, ("127.0.0.1/8",), ("::1/128",), multicast=False, loopback=True)


def test_this_machine_has_a_loopback_interface() -> None:
    [lo] = [interface for interface in snapshot() if interface.loopback]
    assert "127.0.0.1/8" in lo.ipv4
    assert lo.index == socket.if_nametoindex(lo.name)


def test_all_usable_interfaces_are_used_by_default() -> None:
    down = Interface("eth1", 3, ("10.1.0.1/24",), up=False)
    mute = Interface("dummy0", 4, ("10.2.0.1/24",), multicast=False)
    bare = Interface("eth2", 5)
    vpn = Interface("tun0", 6, ("10.8.0.2/24",), note="vpn")
    assert usable([ETH, LO, down, mute, bare, vpn]) == [ETH, vpn]


def test_interfaces_are_allowed_and_denied_by_name() -> None:
    other = Interface("wlan0", 7, ("10.3.0.1/24",))
    assert usable([ETH, LO, other], allow=["lo"]) == [LO]
    assert usable([ETH, LO, other], deny=["eth0"]) == [other]
    assert usable([ETH, other], allow=["eth0", "wlan0"], deny=["eth0"]) == [other]
    assert usable([ETH], allow=["nonesuch"]) == []


def test_ipv6_prefers_the_link_local_address() -> None:
    assert ETH.address(IPV6) == "fe80::5"
    assert ETH.address(IPV4) == "192.168.1.5"
    assert Interface("x", 1, (), ("2001:db8::1/64",)).address(IPV6) == "2001:db8::1"
    assert Interface("x", 1).address(IPV4) is None


@pytest.mark.parametrize(("name", "point_to_point", "note"), [
    ("wg0", False, "vpn"), ("tun3", False, "vpn"), ("ztabc", False, "vpn"), ("utun4", True, "vpn"), ("eth0", True,
    "vpn"), ("docker0", False, "container"), ("br-1f2e3d", False, "container"), ("vethab12", False, "container"),
    ("eth0", False, ""), ("wlp3s0", False, ""), ("enp0s31f6", False, ""), ("Wi-Fi", False, ""), ("br0", False, "")])
def test_vpn_and_container_interfaces_are_told_by_name(name: str, point_to_point: bool, note: str) -> None:
    assert note_of(name, point_to_point) == note


def test_masks_become_prefixes() -> None:
    assert with_prefix("10.0.0.1", "255.255.255.0") == "10.0.0.1/24"
    assert with_prefix("fe80::1%eth0", "ffff:ffff:ffff:ffff::") == "fe80::1/64"
    assert with_prefix("10.0.0.1", None) == "10.0.0.1/32"
    assert with_prefix("nonsense", None) is None


def test_this_platform_is_known() -> None:
    assert current() in (LINUX, DARWIN, WINDOWS)


@pytest.mark.parametrize("platform", [LINUX, DARWIN, WINDOWS], ids=lambda platform: platform.name)
def test_unicast_leaves_with_255_hops_and_multicast_with_one(platform: Platform) -> None:
    four = {(option.level, option.name): option.value for option in sending(platform, IPV4, "10.0.0.1", 7)}
    six = {(option.level, option.name): option.value for option in sending(platform, IPV6, "fe80::1", 7)}
    assert four[IPPROTO_IP, platform.ip_ttl] == 255
    assert four[IPPROTO_IP, platform.ip_multicast_ttl] == 1
    assert six[IPPROTO_IPV6, platform.ipv6_unicast_hops] == 255
    assert six[IPPROTO_IPV6, platform.ipv6_multicast_hops] == 1
    assert six[IPPROTO_IPV6, platform.ipv6_multicast_if] == 7


@pytest.mark.parametrize("platform", [LINUX, DARWIN, WINDOWS], ids=lambda platform: platform.name)
def test_several_nodes_can_share_the_group_port(platform: Platform) -> None:
    options = list(shared(platform))
    assert options[0].name == socket.SO_REUSEADDR
    assert (len(options) == 2) == (platform.reuse_port is not None)


def test_membership_names_the_interface_by_index_where_it_can() -> None:
    assert group_request(LINUX, IPV4, GROUP, "10.0.0.1", 7) == (
        socket.inet_aton(GROUP) + socket.inet_aton("10.0.0.1") + struct.pack("@i", 7))
    assert group_request(WINDOWS, IPV4, GROUP, "10.0.0.1", 7) == socket.inet_aton(GROUP) + socket.inet_aton("10.0.0.1")
    assert group_request(DARWIN, IPV6, "ff12::1", "fe80::1", 7)[16:] == struct.pack("@I", 7)


def test_linux_hears_only_its_own_memberships() -> None:
    assert (IPPROTO_IP, 49, 0) in [option[:3] for option in listening(LINUX, IPV4, GROUP, "10.0.0.1", 2)]
    assert (IPPROTO_IPV6, 29, 0) in [option[:3] for option in listening(LINUX, IPV6, "ff12::1", "fe80::1", 2)]


def test_windows_is_not_asked_for_what_it_does_not_have() -> None:
    assert list(receiving(WINDOWS, IPV4)) == []
    assert [option.name for option in receiving(WINDOWS, IPV6)] == [WINDOWS.ipv6_v6only]


def test_interface_and_hops_are_read_from_ancillary_data() -> None:
    pktinfo4 = struct.pack("@i4s4s", 7, bytes(4), bytes(4))
    pktinfo6 = struct.pack("@16sI", bytes(16), 9)
    assert read_ancillary(LINUX, [(0, 8, pktinfo4), (0, 2, struct.pack("@i", 255))]) == (7, 255)
    assert read_ancillary(LINUX, [(41, 50, pktinfo6), (41, 52, struct.pack("@i", 64))]) == (9, 64)
    assert read_ancillary(DARWIN, [(0, 26, pktinfo4), (0, 24, b"\xff")]) == (7, 255)
    assert read_ancillary(WINDOWS, []) == (None, None)


def test_errors_are_explained_in_one_line() -> None:
    text = explain(OSError(errno.EHOSTUNREACH, "No route to host"))
    assert "Local Network" in text
    assert "\n" not in text
    assert explain(OSError(errno.EIO, "Input/output error")) == "Input/output error"


def test_unicast_socket_takes_the_next_port_when_one_is_taken_and_any_at_last() -> None:
    first = open_unicast(current(), LO, IPV4, (0,))
    port = first.getsockname()[1]
    second = open_unicast(current(), LO, IPV4, (port, 0))
    try:
        assert second.getsockname()[1] not in (0, port)
        with pytest.raises(OSError, match="in use"):
            open_unicast(current(), LO, IPV4, (port,))
    finally:
        first.close()
        second.close()


def test_unicast_socket_needs_an_address_that_is_there() -> None:
    with pytest.raises(OSError, match="no address"):
        open_unicast(current(), Interface("x", 1), IPV4, (0,))
    with pytest.raises(OSError, match=r"assign|address"):
        open_unicast(current(), Interface("x", 1, ("203.0.113.7/24",)), IPV4, (0,))
