"""A community that IPv8 lists, but whose peers and datagrams are no business of IPv8's."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipv8.community import Community
from ipv8.messaging.interfaces.udp.endpoint import UDPv4Address, UDPv6Address
from ipv8.peer import Peer

if TYPE_CHECKING:
    from .local_peer import LocalPeer


class IsolatedCommunity(Community):
    """
    Walks nowhere, takes in nothing from IPv8's endpoint, and shows its peers in the lists of its own network only.
    """

    def add_to_network(self, peer: LocalPeer) -> None:
        """
        Show a peer in IPv8's own lists, those of this overlay only.
        """
        known = self.network.get_verified_by_public_key_bin(peer.public_key)
        if known is None:
            known = Peer(peer.public_key, intro=False)
        known.addresses.clear()
        for family, ip, port in peer.addresses:
            known.add_address(UDPv4Address(ip, port) if family == "ipv4" else UDPv6Address(ip, port))
        self.network.add_verified_peer(known)
        self.network.discover_services(known, [self.community_id])

    def on_packet(self, packet: tuple[Any, bytes], warn_unknown: bool = True) -> None:
        """
        Take nothing that did not come by the LAN endpoint.
        """

    def walk_to(self, address: Any) -> None:  # noqa: ANN401
        """
        Walk nowhere: only verified exchanges add peers.
        """

    def get_new_introduction(self, from_peer: Peer | None = None) -> None:
        """
        Ask nobody for introductions.
        """

    def bootstrap(self) -> None:
        """
        Need no server.
        """
