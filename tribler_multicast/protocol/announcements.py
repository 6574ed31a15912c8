"""
The receiver of announcements: puts fragments together and asks their sender for those that did not come.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .budget import KeyedBuckets
from .events import Announced
from .fragments import Fragment, pack_ask, read_trailer
from .limits import (
    ASK_GROWTH,
    ASK_QUIET,
    ASK_SPREAD,
    ASK_TRIES,
    ASKS_BURST,
    ASKS_PER_SECOND,
    ASSEMBLY_LIFETIME,
    MAX_ASK_SPREAD,
    MAX_ASK_WAIT,
    MAX_PEERS,
)
from .values import unpack_values
from .wire import PAIR_SEALED, Header, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState
    from .reassembly import Assembly

LEAST_ASK_SPREAD: Final = 0.02
ASK_SHARE: Final = 0.8
"""How much of the sender's budget for asks a receiver uses."""


class Announcements:
    """
    What others announce, for one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.budget = KeyedBuckets(ASK_SHARE * ASKS_PER_SECOND, ASK_SHARE * ASKS_BURST, MAX_PEERS)

    def on_fragment(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take in one piece; with the last one, tell what was announced.
        """
        fragment = Fragment.read(header.payload)
        if not self.core.heard(peer, arrival, now):
            self.core.counters.drop("unverified_path")
            return
        assembly = self.core.reassembly.open(peer.key, peer.epoch, fragment.head, now)
        if assembly is None:
            self.core.counters.drop("duplicate")
            return
        assembly.sealed = assembly.sealed or bool(header.channel & PAIR_SEALED)
        packed = self.core.reassembly.add(assembly, fragment, now)
        if packed is not None:
            self.core.events.append(Announced(peer, unpack_values(packed)))
        else:
            self.watch(assembly, now)

    def on_trailer(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Learn what should have come.
        """
        head = read_trailer(header.payload)
        if not self.core.heard(peer, arrival, now):
            self.core.counters.drop("unverified_path")
            return
        assembly = self.core.reassembly.open(peer.key, peer.epoch, head, now)
        if assembly is None:
            self.core.counters.drop("duplicate")
        else:
            assembly.sealed = assembly.sealed or bool(header.channel & PAIR_SEALED)
            self.watch(assembly, now)

    def watch(self, assembly: Assembly, now: float) -> None:
        """
        Look after an announcement until it is whole or given up.
        """
        if assembly.timer is None and self.core.reassembly.is_open(assembly):
            self.look_again(assembly, now + ASK_QUIET)

    def look_again(self, assembly: Assembly, when: float) -> None:
        """
        Look at an announcement at this time or a little later, not when all others do.
        """
        spread = min(max(LEAST_ASK_SPREAD, self.core.peers.path_count * ASK_SPREAD), MAX_ASK_SPREAD)
        assembly.timer = self.core.timers.at(when + self.core.random.uniform(0, spread),
                                             lambda now: self.look(assembly, now))

    def look(self, assembly: Assembly, now: float) -> None:
        """
        Ask when nothing came for a while; give up after a while.
        """
        assembly.timer = None
        if not self.core.reassembly.is_open(assembly):
            return
        quiet = min(ASK_QUIET * ASK_GROWTH ** assembly.asks, MAX_ASK_WAIT)
        if now >= assembly.started + ASSEMBLY_LIFETIME:
            self.give_up(assembly)
        elif now < assembly.changed + quiet:
            self.look_again(assembly, assembly.changed + quiet)
        elif assembly.asks >= ASK_TRIES:
            self.give_up(assembly)
        elif self.budget.take(assembly.key, now):
            self.ask(assembly)
            assembly.asks += 1
            assembly.changed = now
            self.look_again(assembly, now + min(ASK_QUIET * ASK_GROWTH ** assembly.asks, MAX_ASK_WAIT))
        else:
            self.look_again(assembly, now + MAX_ASK_WAIT)

    def ask(self, assembly: Assembly) -> None:
        """
        Ask the sender for what is missing, if it is verified still.
        """
        peer = self.core.peers.get(assembly.key)
        if peer is not None and peer.epoch == assembly.epoch:
            path = peer.freshest_path()
            payload = pack_ask(assembly.head, assembly.missing())
            self.core.outbox.to_peer(Kind.ASK, peer, path.link, path.address, payload, assembly.sealed)

    def give_up(self, assembly: Assembly) -> None:
        """
        Nobody gets a part of it.
        """
        self.core.reassembly.drop(assembly)
        self.core.counters.drop("incomplete")
