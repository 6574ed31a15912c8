"""
The default gateway of each interface: what tells one network from another, whatever their addresses are.

Linux tells in /proc; on macOS and Windows the output of their own tools is read. What can't be known is None.
"""
from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import sys
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .interfaces import Interface

MOST_READ: Final = 1 << 18
"""Bytes read of a table of the system: a router of the internet has a million routes."""

MOST_GATEWAYS: Final = 8
"""Default gateways kept per interface."""

TOOL_TIMEOUT: Final = 3.0

ROUTE_GATEWAY: Final = 0x2
"""RTF_GATEWAY of linux/route.h."""

RTM_NEWNEIGH: Final = 28
RTM_GETNEIGH: Final = 30
NLM_F_REQUEST: Final = 0x1
NLM_F_DUMP: Final = 0x300
NLMSG_DONE: Final = 3
NLMSG_ERROR: Final = 2
NDA_DST: Final = 1
NDA_LLADDR: Final = 2
NUD_UNUSABLE: Final = 0x1 | 0x20
"""NUD_INCOMPLETE and NUD_FAILED: no hardware address, or one that was."""

NLMSGHDR: Final = struct.Struct("=IHHII")
NDMSG: Final = struct.Struct("=BxxxiHBB")

IPV4_TEXT: Final = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
HARDWARE: Final = re.compile(r"[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}", re.IGNORECASE)


class Gateway(NamedTuple):
    """
    A default gateway: IP address (no scope), hardware address as `aa:bb:cc:dd:ee:ff`, None where it is not known.
    """

    ip: str
    hardware_address: str | None


Gateways = dict[str, list[Gateway]]
"""By the interface's name; on Windows by its IPv4 address."""


def hardware_address(text: str) -> str | None:
    """
    Write a hardware address the one way, None when it is none, or that of nobody.
    """
    if not HARDWARE.fullmatch(text):
        return None
    address = ":".join(f"{int(part, 16):02x}" for part in re.split("[:-]", text))
    return None if address in {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"} else address


# --- Linux.

def linux_routes(ipv4: str) -> list[tuple[str, str]]:
    """
    Read interface and gateway of each default route out of /proc/net/route.
    """
    found = []
    for line in ipv4.splitlines()[1:]:
        fields = line.split()
        try:
            name, destination, gateway, flags, mask = fields[0], fields[1], int(fields[2], 16), fields[3], fields[7]
            if int(destination, 16) == int(mask, 16) == 0 and int(flags, 16) & ROUTE_GATEWAY:
                found.append((name, str(IPv4Address(gateway.to_bytes(4, sys.byteorder)))))
        except (IndexError, ValueError, OverflowError):
            continue
    return found


def linux_routes6(ipv6: str) -> list[tuple[str, str]]:
    """
    Read interface and gateway of each default route out of /proc/net/ipv6_route.
    """
    found = []
    for line in ipv6.splitlines():
        fields = line.split()
        try:
            if fields[0] == "0" * 32 and fields[1] == "00" and int(fields[8], 16) & ROUTE_GATEWAY:
                found.append((fields[9], str(ip_address(bytes.fromhex(fields[4])))))
        except (IndexError, ValueError):
            continue
    return found


def linux_arp(table: str) -> dict[tuple[str, str], str]:
    """
    Read hardware addresses by interface and IP address out of /proc/net/arp.
    """
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 6 and fields[2] != "0x0":
            address = hardware_address(fields[3])
            if address is not None:
                found[fields[5], fields[0]] = address
    return found


def neighbours6(dump: bytes, names: Mapping[int, str]) -> dict[tuple[str, str], str]:
    """
    Read hardware addresses of IPv6 neighbours out of a netlink dump (rtnetlink(7)); `names` are interfaces by index.
    """
    found, at = {}, 0
    while at + NLMSGHDR.size <= len(dump):
        size, kind, *_ = NLMSGHDR.unpack_from(dump, at)
        if not NLMSGHDR.size <= size <= len(dump) - at:
            break
        body, at = dump[at + NLMSGHDR.size:at + size], at + (size + 3 & ~3)
        if kind != RTM_NEWNEIGH or len(body) < NDMSG.size:
            continue
        _, index, state, _, _ = NDMSG.unpack_from(body)
        values = attributes(body[NDMSG.size:])
        ip, hardware = values.get(NDA_DST, b""), values.get(NDA_LLADDR, b"")
        if index in names and len(ip) == 16 and len(hardware) == 6 and not state & NUD_UNUSABLE:
            address = hardware_address(hardware.hex(":"))
            if address is not None:
                found[names[index], str(ip_address(ip))] = address
    return found


def attributes(data: bytes) -> dict[int, bytes]:
    """
    Read netlink attributes, by type.
    """
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if not 4 <= size <= len(data) - at:
            break
        found[kind] = data[at + 4:at + size]
        at += size + 3 & ~3
    return found


def hardware_addresses() -> dict[str, str]:
    """
    Get the hardware addresses that the kernel of Linux knows of its neighbours, by IP address (no scope). Empty
    elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return {}
    names = dict(socket.if_nameindex())
    known = neighbours6(ask_neighbours6(), names) | linux_arp(table("/proc/net/arp"))
    return {ip: address for (_, ip), address in known.items()}


def ask_neighbours6() -> bytes:
    """
    Ask the kernel of Linux for its IPv6 neighbours; empty when it does not tell.
    """
    body = NDMSG.pack(socket.AF_INET6, 0, 0, 0, 0)
    request = NLMSGHDR.pack(NLMSGHDR.size + len(body), RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body
    dump = b""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
            sock.settimeout(0.2)
            sock.send(request)
            while len(dump) < MOST_READ:
                part = sock.recv(65536)
                if len(part) < NLMSGHDR.size or NLMSGHDR.unpack_from(part)[1] in {NLMSG_DONE, NLMSG_ERROR}:
                    break
                dump += part
    except OSError:
        return b""
    return dump


def read_linux(interfaces: Iterable[Interface]) -> Gateways:
    """
    Read the gateways as Linux tells them.
    """
    routes4, routes6 = linux_routes(table("/proc/net/route")), linux_routes6(table("/proc/net/ipv6_route"))
    known = linux_arp(table("/proc/net/arp")) if routes4 else {}
    if routes6:
        known |= neighbours6(ask_neighbours6(), {interface.index: interface.name for interface in interfaces})
    return gathered((name, Gateway(ip, known.get((name, ip)))) for name, ip in routes4 + routes6)


def table(path: str) -> str:
    """
    Read a table of the kernel, empty when there is none.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(MOST_READ).decode(errors="replace")
    except OSError:
        return ""


def gathered(found: Iterable[tuple[str, Gateway]]) -> Gateways:
    """
    Gather gateways by interface, each once, in order.
    """
    gateways: Gateways = {}
    for name, gateway in found:
        of_interface = gateways.setdefault(name, [])
        if gateway not in of_interface and len(of_interface) < MOST_GATEWAYS:
            of_interface.append(gateway)
    return gateways


# --- macOS and Windows: what their tools print.

def macos(routes: str, arp: str) -> Gateways:
    """
    Read `netstat -rn` and `arp -an` of macOS. IPv6 neighbours are not asked for.
    """
    known = {}
    for match in re.finditer(rf"\(({IPV4_TEXT})\) at (\S+) on (\S+)", arp):
        address = hardware_address(match[2])
        if address is not None:
            known[match[3], match[1]] = address
    found = []
    for line in routes.splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[0] == "default":
            ip, name = fields[1].partition("%")[0], fields[3]
            if is_address(ip):
                found.append((name, Gateway(ip, known.get((name, ip)))))
    return gathered(found)


def windows(routes: str, arp: str) -> Gateways:
    """
    Read `route print -4` and `arp -a` of Windows, whatever language they speak: numbers are the same in all.
    """
    known, interface = {}, ""
    for line in arp.splitlines():
        addresses = re.findall(IPV4_TEXT, line)
        hardware = HARDWARE.search(line)
        if addresses and hardware is None and "---" in line:
            interface = addresses[0]
        elif addresses and hardware is not None:
            address = hardware_address(hardware[0])
            if address is not None:
                known[interface, addresses[0]] = address
    found = []
    for line in routes.splitlines():
        fields = line.split()
        if fields[:2] == ["0.0.0.0", "0.0.0.0"] and len(fields) >= 4 and all(map(is_address, fields[2:4])):
            found.append((fields[3], Gateway(fields[2], known.get((fields[3], fields[2])))))
    return gathered(found)


def is_address(text: str) -> bool:
    """
    Tell whether a text is an IP address.
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def output(*command: str) -> str:
    """
    Get what a tool of the system prints, empty when it is not there or fails.
    """
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,  # noqa: S603
                              stderr=subprocess.DEVNULL, timeout=TOOL_TIMEOUT, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:MOST_READ].decode(errors="replace")


def read_tools() -> Gateways:
    """
    Read the gateways with the tools of macOS or Windows. Blocks for as long as these take.
    """
    if sys.platform == "win32":
        return windows(output("route", "print", "-4"), output("arp", "-a"))
    return macos(output("netstat", "-rn"), output("arp", "-an"))


def of_interface(gateways: Gateways, interface: Interface) -> tuple[Gateway, ...]:
    """
    Get the gateways of an interface, by its name or one of its addresses.
    """
    keys = (interface.name, *(text.partition("/")[0] for text in interface.ipv4))
    return tuple(gateway for key in keys for gateway in gateways.get(key, ()))
