"""
The community's part in who comes and goes: it is shown in IPv8's list, written down, and told.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..protocol.identity import ipv8_key
from .isolated import IsolatedCommunity
from .views import local_peer

if TYPE_CHECKING:
    from ..client import Client
    from ..database import PeerDatabase
    from ..lan.endpoint import LanEndpoint
    from ..protocol.core import MulticastProtocol
    from ..protocol.peers import PeerState
    from .handlers import Handlers
    from .local_peer import LocalPeer


class Noting(IsolatedCommunity):
    """
    Lets a community that drives a protocol instance tell of its peers.
    """

    core: MulticastProtocol
    lan: LanEndpoint
    database: PeerDatabase | None
    client: Client | None
    introduced: Handlers
    happened: Handlers

    def now(self) -> float:
        """
        Get the protocol's clock, in seconds.
        """
        raise AssertionError

    def local_peers(self) -> list[LocalPeer]:
        """
        List the peers that are verified on our LAN now.
        """
        return [self.view(peer) for peer in self.core.peers]

    def get_local_peer(self, mid: bytes) -> LocalPeer | None:
        """
        Get one local peer by its mid (20 bytes).
        """
        peer = self.core.peers.of_mid(mid)
        return None if peer is None else self.view(peer)

    def on_local(self, state: PeerState, first: bool) -> None:
        """
        A peer became local, or something about it changed.
        """
        peer = self.view(state)
        self.add_to_network(peer)
        if self.database is not None:
            self.database.set_local(peer.public_key, nickname=peer.nickname, addresses=peer.addresses,
                                    interface=peer.interface, rtt_ms=None if peer.rtt is None else 1000 * peer.rtt,
                                    capabilities=sorted(peer.capabilities), now=time.time())
        if first:
            self.logger.info("Peer %s is local", peer.mid.hex())
        self.introduced(peer)
        self.tell("multicast_peer_local", mid=peer.mid.hex(), nickname=peer.nickname)

    def on_gone(self, state: PeerState, reason: str) -> None:
        """
        A peer is local no more.
        """
        public_key = ipv8_key(state.key)
        known = self.network.get_verified_by_public_key_bin(public_key)
        if known is not None:
            self.network.remove_peer(known)
        if self.database is not None:
            self.database.clear_local(public_key, time.time())
        self.logger.info("Peer %s is gone: %s", state.mid.hex(), reason)
        self.tell("multicast_peer_gone", mid=state.mid.hex(), reason=reason)

    def tell(self, topic: str, **kwargs: Any) -> None:  # noqa: ANN401
        """
        Tell handlers and the client what happened.
        """
        self.happened(topic, kwargs)
        if self.client is not None:
            try:
                self.client.notify(topic, **kwargs)
            except Exception:
                self.logger.exception("The client failed on %s", topic)

    def view(self, state: PeerState) -> LocalPeer:
        """
        Get a peer as others see it.
        """
        return local_peer(state, time.time() - self.now(), {key[0]: link.interface.name
                                                            for key, link in self.lan.links.items()},
                          self.core.friends.state(state.key))

    async def touch(self) -> None:
        """
        Write down now and then when peers were last heard.
        """
        if self.database is not None:
            self.database.touch({peer.public_key: (peer.last_seen, None if peer.rtt is None else 1000 * peer.rtt)
                                 for peer in self.local_peers()})
