"""From the state of the protocol and the LAN to what others see of it, and from the settings to the LAN."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..lan.endpoint import LanConfig
from ..protocol.identity import ipv8_key
from .local_peer import InterfaceStatus, LocalPeer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..lan.endpoint import LanLink
    from ..protocol.peers import PeerState

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


def interface_statuses(links: Iterable[LanLink]) -> list[InterfaceStatus]:
    """
    Get one status per interface out of its links, one per family.
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
        addresses = [text.partition("/")[0] for text in interface.ipv4 + interface.ipv6]
        port = next((link.address[1] for link in group if link.address is not None), None)
        statuses.append(InterfaceStatus(interface.name, index, addresses, joined, "; ".join(errors) or None,
                                        interface.note, port))
    return statuses


def lan_config(options: Mapping[str, Any], standard: LanConfig, ports: tuple[int, int]) -> LanConfig:
    """
    Get where to listen from the settings; ports (of the group, first of ours) are those of the start.
    """
    return LanConfig(group4=standard.group4, group6=standard.group6, port=ports[0], first_port=ports[1],
                     allow=tuple(options.get("interfaces", standard.allow)),
                     deny=tuple(options.get("interfaces_deny", standard.deny)),
                     ipv4=options.get("ipv4", standard.ipv4), ipv6=options.get("ipv6", standard.ipv6))
