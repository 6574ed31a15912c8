"""Default gateways as the systems tell them, and what follows from them."""
from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct

import pytest

from tribler_multicast.lan import gateways as module
from tribler_multicast.lan import visibility as visibility_module
from tribler_multicast.lan.endpoint import LanConfig, LanEndpoint
from tribler_multicast.lan.gateways import (
    Gateway,
    hardware_address,
    linux_arp,
    linux_routes,
    linux_routes6,
    macos,
    neighbours6,
    of_interface,
    read_linux,
    windows,
)
from tribler_multicast.lan.interfaces import Interface, snapshot
from tribler_multicast.lan.link import same_network
from tribler_multicast.lan.visibility import LISTEN, OFF, VISIBLE, Visibility, decide

ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wlan0\t00000000\tFE02A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth1\t000A000A\t0101A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
ROUTES6 = "\n".join((
    "fe80" + "0" * 28 + " 40 " + "0" * 32 + " 00 " + "0" * 32 + " 00000100 00000001 00000000 00000001     eth0",
    "0" * 32 + " 00 " + "0" * 32 + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0",
    "0" * 32 + " 00 " + "0" * 32 + " 00 " + "0" * 32 + " ffffffff 00000001 00000000 00200200       lo"))
ARP = """IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         02:00:5E:10:00:01     *        eth0
192.168.2.254    0x1         0x0         00:00:00:00:00:00     *        wlan0
192.168.1.9      0x1         0x2         02:00:5e:10:00:09     *        eth0
"""
MACOS_ROUTES = """Routing tables

Internet:
Destination        Gateway            Flags           Netif Expire
default            192.168.1.1        UGScg             en0
default            link#14            UCSIg             utun3
127                127.0.0.1          UCS               lo0
192.168.1.1        2:0:5e:10:0:1      UHLWIir           en0   1175

Internet6:
Destination                             Gateway                                 Flags           Netif Expire
default                                 fe80::1%en0                             UGcg              en0
default                                 fe80::%utun0                            UGcIg           utun0
"""
MACOS_ARP = """? (192.168.1.1) at 2:0:5e:10:0:1 on en0 ifscope [ethernet]
? (192.168.1.9) at (incomplete) on en0 ifscope [ethernet]
"""
WINDOWS_ROUTES = """===========================================================================
Schnittstellenliste
 12...02 00 5e 10 00 77 ......Intel(R) Ethernet Connection
===========================================================================
IPv4-Routentabelle
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0      192.168.1.1     192.168.1.77     25
        127.0.0.0        255.0.0.0   Auf Verbindung         127.0.0.1    331
          0.0.0.0          0.0.0.0   Auf Verbindung          10.8.0.2    281
"""
WINDOWS_ARP = """
Schnittstelle: 192.168.1.77 --- 0xc
  Internetadresse       Physische Adresse     Typ
  192.168.1.1           02-00-5e-10-00-01     dynamisch
  192.168.1.255         ff-ff-ff-ff-ff-ff     statisch
"""
HOME = Gateway("192.168.1.1", "02:00:5e:10:00:01")


def test_linux_tells_default_routes_and_hardware_addresses() -> None:
    assert linux_routes(ROUTES) == [("eth0", "192.168.1.1"), ("wlan0", "192.168.2.254")]
    assert linux_routes6(ROUTES6) == [("eth0", "fe80::1")]
    assert linux_arp(ARP) == {("eth0", "192.168.1.1"): "02:00:5e:10:00:01",
                              ("eth0", "192.168.1.9"): "02:00:5e:10:00:09"}


def neighbour(index: int, state: int, ip: str, hardware: bytes) -> bytes:
    body = struct.pack("=BxxxiHBB", socket.AF_INET6, index, state, 0, 1)
    body += struct.pack("=HH", 20, 1) + socket.inet_pton(socket.AF_INET6, ip)
    body += struct.pack("=HH", 4 + len(hardware), 2) + hardware
    body += bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), 28, 2, 1, 0) + body


def test_ipv6_neighbours_are_read_from_the_kernels_dump() -> None:
    mac = bytes.fromhex("02005e100001")
    dump = b"".join((neighbour(2, 2, "fe80::1", mac), neighbour(2, 0x20, "fe80::2", mac),
                     neighbour(9, 2, "fe80::3", mac), neighbour(2, 2, "fe80::4", b"")))
    assert neighbours6(dump, {2: "eth0"}) == {("eth0", "fe80::1"): "02:00:5e:10:00:01"}
    for cut in range(len(dump)):
        neighbours6(dump[:cut], {2: "eth0"})
    assert neighbours6(b"\xff" * 200, {2: "eth0"}) == {}
    assert neighbours6(bytes(200), {2: "eth0"}) == {}


def test_macos_and_windows_tell_it_with_their_tools() -> None:
    assert macos(MACOS_ROUTES, MACOS_ARP) == {"en0": [HOME, Gateway("fe80::1", None)],
                                              "utun0": [Gateway("fe80::", None)]}
    assert windows(WINDOWS_ROUTES, WINDOWS_ARP) == {"192.168.1.77": [HOME]}
    interface = Interface("Ethernet", 12, ipv4=("192.168.1.77/24",))
    assert of_interface(windows(WINDOWS_ROUTES, WINDOWS_ARP), interface) == (HOME,)


@pytest.mark.parametrize("text", ["", "\n\n", "garbage", "default", "0.0.0.0 0.0.0.0", "a b c d e f g h\n" * 3,
                                  "x\ndefault 1.2.3 UG\n", "x\neth0 0 zz 3 0 0 0 0\n", "x\neth0 0 0 3 0 0 0 0"])
def test_what_makes_no_sense_is_no_gateway(text: str) -> None:
    assert linux_routes(text) in ([], [("eth0", "0.0.0.0")])
    assert linux_routes6(text) == []
    assert linux_arp(text) == {}
    assert macos(text, text) == windows(text, text) == {}


@pytest.mark.parametrize(("text", "written"), [
    ("2:0:5E:10:0:1", "02:00:5e:10:00:01"), ("02-00-5e-10-00-01", "02:00:5e:10:00:01"), ("00:00:00:00:00:00", None),
    ("ff-ff-ff-ff-ff-ff", None), ("", None), ("02:00:5e:10:00", None), ("(incomplete)", None), ("fe80::1", None)])
def test_hardware_addresses_are_written_the_one_way(text: str, written: str | None) -> None:
    assert hardware_address(text) == written


def test_tables_that_are_not_there_or_endless_do_no_harm() -> None:
    assert module.table("/nonexistent") == ""
    assert len(module.table("/dev/zero")) == module.MOST_READ
    assert module.output("no-such-program-here") == ""
    assert isinstance(read_linux(snapshot()), dict)


@pytest.mark.parametrize(("gateways", "general", "rules", "decided"), [
    ((), VISIBLE, {}, VISIBLE),
    ((), LISTEN, {"192.168.1.1": VISIBLE}, LISTEN),
    ((HOME,), VISIBLE, {"192.168.1.1": LISTEN}, LISTEN),
    ((HOME,), OFF, {"02:00:5e:10:00:01": VISIBLE}, VISIBLE),
    ((HOME,), VISIBLE, {"192.168.1.1": VISIBLE, "02:00:5e:10:00:01": OFF}, OFF),
    ((HOME,), VISIBLE, {"02:00:5e:10:00:02": OFF, "192.168.2.1": LISTEN}, VISIBLE),
    ((HOME, Gateway("fe80::1", None)), VISIBLE, {"02:00:5e:10:00:02": OFF}, VISIBLE),
    ((HOME, Gateway("fe80::1", None)), VISIBLE, {"fe80::1": LISTEN}, LISTEN),
    ((Gateway("192.168.1.1", None),), VISIBLE, {"02:00:5e:10:00:01": LISTEN}, LISTEN),
    ((Gateway("192.168.1.1", None),), LISTEN, {"02:00:5e:10:00:01": VISIBLE}, LISTEN),
    ((Gateway("192.168.1.1", None),), VISIBLE, {"02:00:5e:10:00:01": LISTEN, "192.168.1.1": VISIBLE}, VISIBLE)])
def test_the_strictest_rule_for_a_gateway_holds(gateways: tuple[Gateway, ...], general: str, rules: dict[str, str],
                                               decided: str) -> None:
    assert decide(gateways, general, rules) == decided


def test_a_new_network_without_a_gateway_is_listened_to_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(visibility_module.time, "monotonic", lambda: clock[0])
    told: dict[str, list[Gateway]] = {}
    looks: list[float] = []
    visibility = Visibility(looks.append, lambda _interfaces: dict(told))
    eth0 = Interface("eth0", 2, ipv4=("192.168.1.7/24",))

    def now(interface: Interface = eth0, rules: dict[str, str] | None = None) -> str:
        visibility.refresh([interface])
        return visibility.of(interface, VISIBLE, {"192.168.2.1": OFF} if rules is None else rules)[0]

    assert now(rules={}) == VISIBLE
    assert now() == LISTEN
    assert looks
    clock[0] += 1
    assert now() == LISTEN
    clock[0] += 1.1
    assert now() == VISIBLE
    moved = dataclasses.replace(eth0, ipv4=("192.168.2.7/24",))
    assert now(moved) == LISTEN
    told["eth0"] = [Gateway("192.168.2.1", None)]
    assert now(moved) == OFF
    told["eth0"] = [HOME]
    assert now() == VISIBLE
    told.clear()
    assert now() == LISTEN
    visibility.refresh([])
    assert visibility.known == {}


def test_networks_are_the_same_while_nothing_known_differs() -> None:
    unknown = HOME._replace(hardware_address=None)
    assert same_network((HOME,), (unknown,))
    assert same_network((), ())
    assert not same_network((HOME,), ())
    assert not same_network((HOME,), (HOME._replace(hardware_address="02:00:00:00:00:09"),))
    assert not same_network((HOME,), (HOME._replace(ip="192.168.2.1"),))


async def test_by_a_silent_link_nothing_leaves_by_whatever_door() -> None:
    lo = dataclasses.replace(next(interface for interface in snapshot() if interface.loopback), loopback=False)
    told = {"lo": [HOME]}
    config = LanConfig(group4="239.255.84.99", port=32219, first_port=32220, allow=("lo",), ipv6=False)
    endpoint = LanEndpoint(config, lambda: [lo], lambda _interfaces: told)
    left: list[tuple[int, int]] = []
    endpoint.on_leaving = left.extend
    await endpoint.open()
    [(key, link)] = endpoint.links.items()
    address = link.address
    assert address is not None
    endpoint.send_on(key, None, b"heard")
    assert endpoint.packets_up == 1
    endpoint.configure(dataclasses.replace(config, networks=(("192.168.1.1", LISTEN),)))
    assert left == [key]
    assert link.silent
    assert link.address == address
    endpoint.send_on(key, None, b"1")
    endpoint.send_on(key, address, b"2")
    endpoint.send_on(key, address, b"3", doubtful=True)
    endpoint.send_batch([(key, None, b"4", False)])
    endpoint.send(address, b"5")
    assert endpoint.open_train(key, loop=True) is None
    assert (endpoint.dropped["listen"], endpoint.packets_up) == (6, 1)
    told["lo"] = []
    endpoint.configure(dataclasses.replace(config, visibility=OFF))
    assert endpoint.links == {}
    assert [interface.name for interface, _ in endpoint.switched_off] == ["lo"]
    assert left == [key]
    endpoint.configure(config)
    assert not endpoint.links[key].silent
    await asyncio.sleep(0)
    endpoint.close()


async def test_on_another_network_nothing_is_said_for_farewell() -> None:
    lo = dataclasses.replace(next(interface for interface in snapshot() if interface.loopback), loopback=False)
    told = {"lo": [HOME]}
    config = LanConfig(group4="239.255.84.99", port=32219, first_port=32220, allow=("lo",), ipv6=False,
                       networks=(("192.168.2.1", LISTEN),))
    endpoint = LanEndpoint(config, lambda: [lo], lambda _interfaces: told)
    left: list[tuple[int, int]] = []
    endpoint.on_leaving = left.extend
    await endpoint.open()
    [link] = endpoint.links.values()
    assert not link.silent
    told["lo"] = [Gateway("192.168.2.1", None)]
    endpoint.reconcile()
    assert link.silent
    assert left == []
    endpoint.close()
