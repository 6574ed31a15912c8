"""Which interfaces this machine has, and which of them are of use."""
from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

IPV4: Final = 4
IPV6: Final = 6

VPN_NAMES: Final = ("tun", "tap", "wg", "ppp", "utun", "ipsec", "zt", "tailscale", "nordlynx", "proton", "mullvad")
CONTAINER_NAMES: Final = ("docker", "br-", "veth", "virbr", "lxc", "lxd", "podman", "cni", "vmnet", "vbox", "vethernet")


@dataclass(frozen=True)
class Interface:
    """
    A network interface: its addresses as `ip/prefix` per family, and what kind it seems to be (`vpn`, `container`, or
    "").
    """

    name: str
    index: int
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    up: bool = True
    multicast: bool = True
    loopback: bool = False
    note: str = ""

    def address(self, family: int) -> str | None:
        """
        Get the address to be reached at: on IPv6 the link-local one, which needs no router to exist.
        """
        if family == IPV4:
            return self.ipv4[0].partition("/")[0] if self.ipv4 else None
        addresses = [text.partition("/")[0] for text in self.ipv6]
        return next((ip for ip in addresses if ip_address(ip).is_link_local), addresses[0] if addresses else None)

    def networks(self, family: int) -> tuple[str, ...]:
        """
        Get the networks that are on this link.
        """
        return self.ipv4 if family == IPV4 else self.ipv6


def note_of(name: str, point_to_point: bool) -> str:
    """
    Guess from its name whether an interface is a VPN's or a container bridge: usable, but told apart for the user.
    """
    lowered = name.lower()
    if point_to_point or lowered.startswith(VPN_NAMES):
        return "vpn"
    return "container" if lowered.startswith(CONTAINER_NAMES) else ""


def snapshot() -> list[Interface]:
    """
    List the interfaces of this machine as they are now.
    """
    statuses = psutil.net_if_stats()
    interfaces = []
    for name, addresses in psutil.net_if_addrs().items():
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            continue  # Gone since it was listed.
        status = statuses.get(name)
        flags = set(getattr(status, "flags", "").split(",")) - {""} if status else set()
        found: dict[int, list[str]] = {IPV4: [], IPV6: []}
        for address in addresses:
            family = {socket.AF_INET: IPV4, socket.AF_INET6: IPV6}.get(address.family)
            if family is not None:
                text = with_prefix(address.address, address.netmask)
                if text is not None:
                    found[family].append(text)
        loopback = "loopback" in flags or any(ip_interface(text).ip.is_loopback for text in found[IPV4] + found[IPV6])
        interfaces.append(Interface(name, index, tuple(found[IPV4]), tuple(found[IPV6]),
                                    bool(status and status.isup), not flags or "multicast" in flags, loopback,
                                    note_of(name, "pointopoint" in flags)))
    return interfaces


def with_prefix(ip: str, netmask: str | None) -> str | None:
    """
    Write an address and its mask as `ip/prefix`, None when they make no sense.
    """
    ip = ip.partition("%")[0]
    try:
        address = ip_address(ip)
        mask = int(ip_address(netmask)) if netmask else (1 << address.max_prefixlen) - 1
    except ValueError:
        return None
    return f"{ip}/{mask.bit_count()}"


def usable(interfaces: Iterable[Interface], allow: Iterable[str] = (), deny: Iterable[str] = ()) -> list[Interface]:
    """
    Choose the interfaces to use: those allowed by name, or by default all that are up, can multicast and are no
    loopback.
    """
    allowed, denied = set(allow), set(deny)
    return [interface for interface in interfaces
            if interface.up and interface.name not in denied and (interface.ipv4 or interface.ipv6)
            and (interface.name in allowed if allowed else interface.multicast and not interface.loopback)]
