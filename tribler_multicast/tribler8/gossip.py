"""
Gossip with each newly local peer at once, and again at a gentle interval.

Tribler's own walker would meet it by chance, if ever: it is introduced to ContentDiscovery at the address it announced,
told the health of torrents and asked for the health it knows and for the torrents it learned of last.
"""
from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, Final

from .errors import find, guarded

if TYPE_CHECKING:
    from ..community.local_peer import LocalPeer
    from .neighbours import Neighbours

logger = logging.getLogger(__name__)

INTERVAL: Final = 60.0
"""Seconds between two rounds with the same peer. On a large LAN it grows, so that all rounds together stay below
``MOST_ROUNDS``."""

MOST_ROUNDS: Final = 2.0
"""Rounds per second in all. Stops a LAN of hundreds from keeping the database of torrents busy: a round is up to
``PAGES`` queries at the other side."""

FIRST_ROUNDS: Final = 8
"""Newly local peers that are gossiped with at once; more wait for their turn, ``MOST_ROUNDS`` a second. Stops a LAN
that appears all at once, as after sleep, from being answered by all at once."""

PAGE: Final = 40
"""Torrents asked for in one query: what fits into the 10 packets that Tribler accepts as answer to one."""

PAGES: Final = 5
"""Queries in the first round with a peer: the 200 torrents it learned of last. Later rounds ask for one page."""


class Gossip:
    """
    Keeps ContentDiscovery in touch with the local peers. `now` is in seconds of a monotonic clock.
    """

    def __init__(self, neighbours: Neighbours, overlay: Any) -> None:  # noqa: ANN401
        """
        Gossip with these neighbours in this community.

        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        self.neighbours = neighbours
        self.overlay = overlay
        payload = importlib.import_module("tribler.core.content_discovery.payload")
        community = importlib.import_module("tribler.core.content_discovery.community")
        self.health = find(payload, "HealthPayload", "create")
        self.ask_health = find(payload, "HealthRequestPayload")
        self.random_kind: int = find(community, "HEALTH_REQUEST_RANDOM")
        self.popular_kind: int = find(community, "HEALTH_REQUEST_POPULAR")
        self.torrent_type: int = find(importlib.import_module("tribler.core.database.serialization"),
                                      "REGULAR_TORRENT")
        for name in ("walk_to", "ez_send", "get_random_torrents", "send_remote_select", "network"):
            find(overlay, name)
        self.due: dict[bytes, float] = {}
        self.seen: dict[bytes, int] = {}
        """Peers gossiped with in their present stay: mid -> epoch."""
        self.rounds = float(FIRST_ROUNDS)
        self.counted_at = 0.0

    @guarded("gossip")
    def step(self, now: float) -> None:
        """
        Gossip with the peers whose turn it is; call it about every second, and when a peer became local.
        """
        peers = self.neighbours.peers()
        mids = {peer.mid for peer in peers}
        self.due = {mid: when for mid, when in self.due.items() if mid in mids}
        self.seen = {mid: epoch for mid, epoch in self.seen.items() if mid in mids}
        self.rounds = min(FIRST_ROUNDS, self.rounds + (now - self.counted_at) * MOST_ROUNDS)
        self.counted_at = now
        for peer in sorted(peers, key=lambda peer: self.due.get(peer.mid, 0.0)):
            if self.rounds < 1:
                return
            new = self.seen.get(peer.mid) != peer.epoch
            if (new or self.due.get(peer.mid, 0.0) <= now) and self.round(peer, new):
                self.rounds -= 1
                self.seen[peer.mid] = peer.epoch
                self.due[peer.mid] = now + max(INTERVAL, 2 * len(peers) / MOST_ROUNDS)

    def round(self, peer: LocalPeer, new: bool) -> bool:
        """
        Exchange introductions, health and torrents with one peer. False: it announces no address for that yet.
        """
        known = self.neighbours.introduce(peer, self.overlay)
        if known is None:
            return False
        logger.debug("Gossip with %s at %s", peer.mid.hex(), known.address)
        if new and ":" not in known.address[0]:
            # Both sides know each other by now; this is for what else IPv8 does with it. Over IPv6 version 3.2 fails at
            # it where there is no IPv4.
            self.overlay.walk_to(known.address)
        self.overlay.ez_send(known, self.health(self.random_kind, self.overlay.get_random_torrents()))
        self.overlay.ez_send(known, self.ask_health(self.random_kind))
        self.overlay.ez_send(known, self.ask_health(self.popular_kind))
        self.select(known, 0, PAGES if new else 1)
        return True

    def select(self, known: Any, page: int, pages: int) -> None:  # noqa: ANN401
        """
        Ask for a page of the torrents that a peer learned of last, newest first, and for the next one when it answered.

        ``metadata_type`` is the number itself: a list makes the other side fail.
        """
        asked = {"metadata_type": self.torrent_type, "first": page * PAGE + 1, "last": (page + 1) * PAGE}
        follow = page + 1 < pages

        def answered(request: Any, results: list[Any]) -> None:  # noqa: ANN401
            nonlocal follow
            if follow and results:
                follow = False
                self.select(known, page + 1, pages)

        self.overlay.send_remote_select(known, processing_callback=answered, **asked)
