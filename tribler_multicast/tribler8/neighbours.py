"""
Local peers as Tribler's own communities and libtorrent can reach them.
"""
from __future__ import annotations

import time
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from ipv8.messaging.interfaces.udp.endpoint import UDPv4Address, UDPv6Address
from ipv8.peer import Peer

from ..policy import FRIENDS, effective_policy

if TYPE_CHECKING:
    from ..community.local_peer import LocalPeer
    from ..community.multicast import MulticastCommunity

IPV4_PATIENCE: Final = 3.0
"""Seconds that a new peer with IPv4 on our network, verified over IPv6 alone so far, is waited with: IPv8 3.2 prefers
the IPv6 address of a peer for ever, and cannot write it into the answer to an introduction that comes over IPv4."""


class Neighbours:
    """
    Answers who is local, and where.

    A peer chooses the addresses it announces, so they count only where it was verified, or at least on our own
    networks: nobody can send us to a stranger on the internet.
    """

    def __init__(self, community: MulticastCommunity) -> None:
        """
        Answer for this community.
        """
        self.community = community
        self._known: list[LocalPeer] | None = None
        community.add_introduction_handler(self._forget)
        community.add_event_handler(self._happened)

    def _forget(self, peer: LocalPeer | None = None) -> None:
        """
        Look anew at who is there. Views of thousands of peers, made twice a second, would cost a tenth of a core.
        """
        self._known = None

    def _happened(self, topic: str, kwargs: dict[str, Any]) -> None:
        """
        Notice who went, and who became a friend.
        """
        if topic in {"multicast_peer_gone", "multicast_friend"}:
            self._forget()

    def peers(self) -> list[LocalPeer]:
        """
        List the peers that are local now; with the policy `friends` only mutual friends: all else is for them.
        """
        if not self.community.running:
            self._known = None
            return []
        if self._known is None:
            self._known = self.community.local_peers()
        if effective_policy(self.community.options) == FRIENDS:
            return [peer for peer in self._known if peer.friend == "mutual"]
        return list(self._known)

    def is_local(self, public_key: bytes) -> bool:
        """
        Is the node with this key local now?
        """
        return any(peer.public_key == public_key for peer in self.peers())

    def addresses(self, peer: LocalPeer, service: str) -> list[tuple[str, int]]:
        """
        List where a service of a peer (`ipv8` or `libtorrent`) can be reached: IPv4 first, then IPv6; at most one each.

        IPv4 only where the peer was verified; over IPv6 that is at its link-local address, which is of no use here, so
        there any address on our networks will do.
        """
        verified = {ip for _, ip, _ in peer.addresses}
        announced = [(ip, port) for kind, ip, port in peer.services
                     if kind == service and port and (ip in verified or (":" in ip and self.on_link(ip)))]
        fourth = [address for address in announced if ":" not in address[0]][:1]
        sixth = [address for address in announced if ":" in address[0]][:1]
        return fourth + sixth

    def on_link(self, ip: str) -> bool:
        """
        Is this a unicast address on a network of ours, and none that needs its interface named?
        """
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        return any(address in ip_network(text, strict=False)
                   for link in self.community.lan.links.values() if link.address is not None
                   for text in link.interface.networks(link.family) if (":" in text) == (":" in ip))

    def is_ipv4_awaited(self, peer: LocalPeer) -> bool:
        """
        Is a peer so new that it may still be verified at the IPv4 address it announces for IPv8?
        """
        return 0 <= time.time() - peer.first_seen < IPV4_PATIENCE and any(
            kind == "ipv8" and port and ":" not in ip and self.on_link(ip) for kind, ip, port in peer.services)

    def introduce(self, peer: LocalPeer, overlay: Any) -> Peer | None:  # noqa: ANN401
        """
        Put a local peer into the network of one of Tribler's own communities, also when that one is full and would take
        in nobody. None: it announces no address there, or is ourselves.
        """
        where = self.addresses(peer, "ipv8")
        if not where or peer.public_key == self.community.my_peer.public_key.key_to_bin():
            return None
        ip, port = where[0]
        if ":" in ip and self.is_ipv4_awaited(peer):
            return None
        address = UDPv6Address(ip, port) if ":" in ip else UDPv4Address(ip, port)
        known = overlay.network.get_verified_by_public_key_bin(peer.public_key)
        if known is None:
            overlay.network.add_verified_peer(Peer(peer.public_key, address))
            known = overlay.network.get_verified_by_public_key_bin(peer.public_key)
            if known is None:
                return None
        if isinstance(address, UDPv4Address) and UDPv6Address in known.addresses:
            known.addresses.pop(UDPv6Address)
        known.add_address(address)
        if known not in overlay.get_peers():
            overlay.network.discover_services(known, [overlay.community_id])
        return known  # type: ignore[no-any-return]
