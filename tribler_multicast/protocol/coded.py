"""
What is said around coded transfers: questions for offers, joining, reports, leaving; under a prefix of its own.

Payloads are the business of those above (`transfer/session/messages.py`). Here is who may say something, to whom, by
which way, and how often: verified peers that the policy allows, always by unicast, always sealed for the pair, because
all of it tells who has or wants what, and some of it has keys in it. Nothing about a content is pushed: an OFFER counts
for who was asked, by OFFERS_WANTED or a JOIN.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .events import CodedReceived
from .limits import MAX_CODED_PAYLOAD, MAX_OFFERS, MAX_PEERS, OFFER_PATIENCE
from .wire import CODED_KINDS, IPV4, Header, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, Path, PeerState


OFFERS_FOR: Final = {Kind.OFFERS_WANTED: MAX_OFFERS, Kind.JOIN: 1}
"""What may be answered by OFFERs, and how many: who had to refuse a JOIN offers that content once it is there."""


@dataclass(slots=True)
class Asked:
    """
    A peer that was asked what it offers: how many OFFERs it may still send, and until when (protocol clock).
    """

    left: int
    until: float


class Coded:
    """
    The messages around coded transfers of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.asked: OrderedDict[bytes, Asked] = OrderedDict()
        core.gate.awaits_offer = self.awaits

    def handlers(self) -> dict[int, Callable[[PeerState, Header, Arrival, float], None]]:
        """
        Get what acts on messages of verified peers.
        """
        return dict.fromkeys(CODED_KINDS, self.on_message)

    # --- Going out.

    def paths(self, peer: PeerState) -> list[Path]:
        """
        Get the verified paths to a peer, best first: those on which it showed to have verified us, IPv4 (whose headers
        are shorter), then the lowest interface; the same order each time.
        """
        links = self.core.links
        return sorted((path for path in peer.paths.values() if path.link in links and not links[path.link].silent),
                      key=lambda path: (not path.confirmed, path.link[1] != IPV4, path.link))

    def send(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey | None, now: float) -> bool:
        """
        Say something to a peer by its mid (20 bytes), by a link or (None) the best path; False when that can't be: it
        is not verified there, may not hear it, or the payload is too long.
        """
        peer = self.core.peers.of_mid(mid)
        if self.core.started is None or peer is None or not self.core.policy.allows(peer):
            return False
        path = next((path for path in self.paths(peer) if link in (None, path.link)), None)
        if path is None or len(payload) > MAX_CODED_PAYLOAD or kind not in CODED_KINDS:
            return False
        if kind in OFFERS_FOR:
            self.expect(peer, OFFERS_FOR[kind], now)
        self.core.outbox.to_peer(kind, peer, path.link, path.address, payload, sealed=True)
        return True

    def expect(self, peer: PeerState, offers: int, now: float) -> None:
        """
        Let a peer answer a question by so many offers. The next question does not add to it.
        """
        before = self.asked.get(peer.key)
        left = before.left if before is not None and now < before.until else 0
        self.asked[peer.key] = Asked(max(left, offers), now + OFFER_PATIENCE)
        self.asked.move_to_end(peer.key)
        while len(self.asked) > MAX_PEERS or next(iter(self.asked.values())).until <= now:
            self.asked.popitem(last=False)

    # --- Coming in.

    def awaits(self, header: Header, now: float) -> bool:
        """
        Tell whether an OFFER is one that its signer was asked for.
        """
        asked = self.asked.get(header.signer)
        return asked is not None and asked.left > 0 and now < asked.until

    def on_message(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Tell what a verified peer says on a verified path; on another path, verify that first.
        """
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if header.kind == Kind.OFFER:
            self.asked[peer.key].left -= 1
        self.core.events.append(CodedReceived(peer, Kind(header.kind), header.payload, arrival))

    def forget(self) -> None:
        """
        Await nothing.
        """
        self.asked.clear()
