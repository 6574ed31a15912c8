"""From the state of the protocol and the LAN to what others see of it, and from the settings to the LAN."""
from __future__ import annotations

from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, Final

from ..lan.endpoint import LanConfig
from ..lan.visibility import OFF
from ..protocol.identity import ipv8_key
from ..settings import network_rule
from .local_peer import InterfaceStatus, LocalPeer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..lan.endpoint import LanLink
    from ..lan.gateways import Gateway
    from ..lan.interfaces import Interface
    from ..protocol.peers import PeerState

LAN_SETTINGS: Final = frozenset({"interfaces", "interfaces_deny", "ipv4", "ipv6", "visibility", "visibility_networks"})
"""The settings that say where and how this node is on the LAN."""

FAMILY_NAMES: Final = {4: "ipv4", 6: "ipv6"}


def local_peer(state: PeerState, to_unix: float, names: Mapping[int, str], friend: str) -> LocalPeer:
    """
    Get a peer as others see it.

    `to_unix` added to the protocol's clock gives Unix seconds; `names` are those of the interfaces, by index;
    `friend` is what is between it and us.
    """
    told = state.introduction
    paths = sorted(state.paths.values(), key=lambda path: path.link)
    addresses = [(FAMILY_NAMES[path.link[1]], *path.address) for path in paths]
    services = [(service.name.lower(), address.ip, address.port) for service, address in told.services]
    interface = names.get(paths[0].link[0]) if paths else None
    return LocalPeer(ipv8_key(state.key), state.mid, told.nickname, told.capabilities, addresses, services, interface,
                     state.rtt, state.since + to_unix, state.heard + to_unix, state.epoch,
                     friend)


def interface_statuses(links: Iterable[LanLink],
                       off: Iterable[tuple[Interface, tuple[Gateway, ...]]] = ()) -> list[InterfaceStatus]:
    """
    Get one status per interface out of its links, one per family, and of those switched off by their visibility.
    """
    by_index: dict[int, list[LanLink]] = {}
    for link in links:
        by_index.setdefault(link.interface.index, []).append(link)
    statuses = []
    for index, group in sorted(by_index.items()):
        interface = group[0].interface
        errors = [f"{FAMILY_NAMES[link.family]}: {link.error or link.send_error}" for link in group
                  if link.error or link.send_error]
        joined = sorted(FAMILY_NAMES[link.family] for link in group if link.multicast is not None)
        port = next((link.address[1] for link in group if link.address is not None), None)
        statuses.append(InterfaceStatus(interface.name, index, addresses_of(interface), joined,
                                        "; ".join(errors) or None, interface.note, port,
                                        gateway_of(group[0].gateways), group[0].visibility))
    statuses += [InterfaceStatus(interface.name, interface.index, addresses_of(interface), note=interface.note,
                                 gateway=gateway_of(gateways), visibility=OFF) for interface, gateways in off]
    return sorted(statuses, key=lambda status: status.index)


def addresses_of(interface: Interface) -> list[str]:
    """
    Get the addresses of an interface.
    """
    return [text.partition("/")[0] for text in interface.ipv4 + interface.ipv6]


def addresses_in_use(links: Iterable[LanLink]) -> list[str]:
    """
    Get our addresses on the interfaces in use, one per family and interface; IPv4 first: that is what always works.

    No link-local ones: they mean nothing without their interface, which few programs keep.
    """
    interfaces = {link.interface.index: link.interface for link in links if link.address is not None}.values()
    fourth = [texts[0] for interface in interfaces if (texts := interface.ipv4)]
    sixth = [text for interface in interfaces
             if (text := next((text for text in interface.ipv6 if not ip_interface(text).is_link_local), None))]
    return [text.partition("/")[0] for text in fourth + sixth]


def gateway_of(gateways: tuple[Gateway, ...]) -> dict[str, str | None] | None:
    """
    Get the gateway that stands for a network: one whose hardware address is known if there is one.
    """
    known = [gateway for gateway in gateways if gateway.hardware_address is not None]
    return next((gateway._asdict() for gateway in (*known, *gateways)), None)


def lan_config(options: Mapping[str, Any], standard: LanConfig, ports: tuple[int, int]) -> LanConfig:
    """
    Get where to listen from the settings; ports (of the group, first of ours) are those of the start.
    """
    return LanConfig(group4=standard.group4, group6=standard.group6, port=ports[0], first_port=ports[1],
                     allow=tuple(options.get("interfaces", standard.allow)),
                     deny=tuple(options.get("interfaces_deny", standard.deny)),
                     ipv4=options.get("ipv4", standard.ipv4), ipv6=options.get("ipv6", standard.ipv6),
                     visibility=options.get("visibility", standard.visibility),
                     networks=tuple(network_rule(text) for text in options.get("visibility_networks", ())))
