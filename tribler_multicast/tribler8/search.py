"""
Remote searches: the peers on the LAN are always among those asked.

Tribler asks 20 peers at random. Here up to ``search_local_peers`` of them are local ones, friends first, the others in
turn, and the rest is random as before. A local peer that does not answer is kept: Tribler forgets such a peer, but this
one is known to be there.
"""
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from .errors import find, guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipv8.peer import Peer

    from ..community.local_peer import LocalPeer
    from ..settings import Settings
    from .neighbours import Neighbours


class Search:
    """
    Chooses whom a search of this Tribler asks.
    """

    def __init__(self, neighbours: Neighbours, options: Settings,
                 is_friend: Callable[[LocalPeer], bool]) -> None:
        """
        Choose with this setting `search_local_peers`.
        """
        self.neighbours = neighbours
        self.options = options
        self.is_friend = is_friend
        self.asked: dict[bytes, int] = {}
        self.turn = 0

    def inject(self, overlay: Any) -> None:  # noqa: ANN401
        """
        Change the two methods of Tribler's ContentDiscovery community that this is about, on this one object.

        :raises MissingSymbolError: when they are not there.
        """
        as_before = find(overlay, "get_random_peers")
        forget = find(overlay, "_on_query_timeout")

        def get_random_peers(sample_size: int | None = None) -> list[Peer]:
            chosen = self.choose(overlay) or []
            if sample_size is None or not chosen:
                return as_before(sample_size)  # type: ignore[no-any-return]
            chosen = chosen[:sample_size]
            others = [peer for peer in overlay.get_peers() if peer not in chosen]
            return chosen + random.sample(others, min(sample_size - len(chosen), len(others)))

        def on_query_timeout(request: Any) -> None:  # noqa: ANN401
            if not self.neighbours.is_local(request.peer.public_key.key_to_bin()):
                forget(request)

        overlay.get_random_peers = get_random_peers
        overlay._on_query_timeout = on_query_timeout  # noqa: SLF001

    @guarded("choosing local peers for a search")
    def choose(self, overlay: Any) -> list[Peer]:  # noqa: ANN401
        """
        Choose the local peers to ask: friends first, then those not asked for longest.
        """
        peers = self.neighbours.peers()
        self.asked = {peer.mid: self.asked.get(peer.mid, 0) for peer in peers}
        peers.sort(key=lambda peer: (not self.is_friend(peer), self.asked[peer.mid]))
        chosen: list[Peer] = []
        for peer in peers:
            if len(chosen) >= self.options["search_local_peers"]:
                break
            known = self.neighbours.introduce(peer, overlay)
            if known is not None:
                chosen.append(known)
                self.turn += 1
                self.asked[peer.mid] = self.turn
        return chosen
