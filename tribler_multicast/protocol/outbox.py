"""What leaves: signed datagrams in order, and the budgets of what others can make us send."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .budget import KeyedBuckets, TokenBucket
from .limits import (
    CHALLENGED_MEMORY,
    TARGET_BURST,
    TARGET_PER_SECOND,
    TARGETS_REMEMBERED,
    UNVERIFIED_SENDS_BURST,
    UNVERIFIED_SENDS_PER_SECOND,
)
from .links import Destination
from .pair_seal import seal_for_pair
from .wire import KIND_NAMES, PAIR_SEALED, Kind, Writer, channel_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .counters import Counters
    from .identity import Identity
    from .peers import HostPort, LinkKey, PeerState


class Outbox:
    """
    The datagrams of one protocol instance that wait to be sent.
    """

    def __init__(self, identity: Identity, epoch: int, counters: Counters) -> None:
        """
        Start empty; count what is sent in `counters`.
        """
        self.writer = Writer(identity, epoch)
        self.counters = counters
        self.silent: frozenset[LinkKey] = frozenset()
        self.waiting: list[tuple[Destination, bytes]] = []
        self.wrap: Callable[[Destination, bytes], bytes | None] = lambda _destination, data: data
        self.targets = KeyedBuckets(TARGET_PER_SECOND, TARGET_BURST, TARGETS_REMEMBERED)
        self.challenged = KeyedBuckets(1 / CHALLENGED_MEMORY, 1.0, TARGETS_REMEMBERED)
        self.challenges = TokenBucket(UNVERIFIED_SENDS_PER_SECOND, UNVERIFIED_SENDS_BURST)
        self.responses = TokenBucket(UNVERIFIED_SENDS_PER_SECOND, UNVERIFIED_SENDS_BURST)

    def take(self) -> list[tuple[Destination, bytes]]:
        """
        Get the datagrams to send, and forget them.
        """
        taken, self.waiting = self.waiting, []
        return taken

    def put(self, kind: Kind, destination: Destination, data: bytes) -> None:
        """
        Put one datagram in, sealed if we are in a group: the door that all but the packets of a train pass. By a silent
        link nothing leaves.
        """
        if destination.link in self.silent:
            self.counters.drop("listen")
            return
        wrapped = self.wrap(destination, data)
        if wrapped is None:
            self.counters.drop("no_link")
            return
        self.counters.sent[KIND_NAMES[kind]] += 1
        self.waiting.append((destination, wrapped))

    def multicast(self, kind: Kind, link: LinkKey, payload: bytes) -> None:
        """
        Sign and send to the group on one link.
        """
        self.put(kind, Destination(link, None), self.writer.datagram(kind, channel_of(link[1], True), payload))

    def unicast(self, kind: Kind, link: LinkKey, address: HostPort, payload: bytes, guard: bytes) -> None:
        """
        Sign and send under a guard to an address where perhaps nobody is.
        """
        data = self.writer.datagram(kind, channel_of(link[1], False), payload, guard)
        self.put(kind, Destination(link, address, verified=False), data)

    def to_peer(self, kind: Kind, peer: PeerState, link: LinkKey, address: HostPort, payload: bytes,
                sealed: bool = False) -> None:
        """
        Sign and send to a verified peer, under the guard of the pair; `sealed`: so that nobody else can read it.
        """
        channel = channel_of(link[1], False)
        if sealed:
            channel, payload = channel | PAIR_SEALED, seal_for_pair(peer.pair_key, payload)
        data = self.writer.datagram(kind, channel, payload, pair_key=peer.pair_key)
        self.put(kind, Destination(link, address), data)

    def may_challenge(self, address: HostPort, now: float) -> bool:
        """
        Tell whether the budgets let us challenge an address. When they run low, those challenged lately must wait.
        """
        lately = not self.challenged.take(address, now)
        scarce = self.challenges.tokens < UNVERIFIED_SENDS_BURST / 2
        if not (lately and scarce) and self.targets.take(address[0], now) and self.challenges.take(now):
            return True
        self.counters.drop("target_budget")
        return False

    def may_respond(self, now: float) -> bool:
        """
        Tell whether the budget lets us respond to an address that is not verified.
        """
        if self.responses.take(now):
            return True
        self.counters.drop("target_budget")
        return False
