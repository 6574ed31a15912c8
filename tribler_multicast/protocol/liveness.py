"""
Whether a peer still answers: unicast probes before a silent path is forgotten.

Multicast on Wi-Fi loses 30 to 40 % of its frames, so silence alone proves little. A path that was silent for one and a
half announced intervals is probed by unicast until it answers, or until three intervals are over.
"""
from __future__ import annotations

from collections import OrderedDict
from os import urandom
from typing import TYPE_CHECKING, Final

from .budget import KeyedBuckets
from .events import RoundTrip
from .limits import (
    EXPIRY_INTERVALS,
    LEAST_PROBE_GAP,
    MAX_MEASURED,
    MAX_PEERS,
    MAX_PROBES_WAITING,
    PROBE_AFTER_INTERVALS,
    PROBES_PER_INTERVAL,
    ROUND_TRIPS_BURST,
    ROUND_TRIPS_PER_SECOND,
)
from .wire import Header, Kind, Reader

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, Path, PeerState

PROBE_ID_SIZE: Final = 8
LEAST_PROBES: Final = 5
"""A path is not forgotten with fewer unanswered probes: a machine that slept must ask before it judges."""


class Liveness:
    """
    Watches the paths of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.waiting: OrderedDict[bytes, tuple[bytes, LinkKey, float]] = OrderedDict()
        self.measured: set[bytes] = set()
        self.measurements = KeyedBuckets(ROUND_TRIPS_PER_SECOND, ROUND_TRIPS_BURST, MAX_PEERS)

    def watch(self, peer: PeerState, path: Path, now: float) -> None:
        """
        Look after a new path until it is gone or replaced.
        """
        def check(now: float) -> None:
            if peer.paths.get(path.link) is path:
                due = self.check(peer, path, now)
                if due is not None:
                    self.core.timers.at(due, check)

        self.core.timers.at(now + PROBE_AFTER_INTERVALS * peer.introduction.interval, check)

    def check(self, peer: PeerState, path: Path, now: float) -> float | None:
        """
        Probe or forget a silent path; get the time of the next check.
        """
        interval = peer.introduction.interval
        quiet_until = path.heard + PROBE_AFTER_INTERVALS * interval
        if now < quiet_until:
            return quiet_until
        if now >= path.heard + EXPIRY_INTERVALS * interval and path.probes >= LEAST_PROBES:
            self.core.drop_path(peer, path.link, "expired")
            return None
        path.probes += 1
        self.probe(peer, path, now)
        return now + max(interval / PROBES_PER_INTERVAL, LEAST_PROBE_GAP)

    def probe(self, peer: PeerState, path: Path, now: float) -> bytes:
        """
        Send a PROBE: 8 random bytes to be sent back, which number it.
        """
        number = urandom(PROBE_ID_SIZE)
        if len(self.waiting) >= MAX_PROBES_WAITING:
            self.waiting.popitem(last=False)
        self.waiting[number] = (peer.key, path.link, now)
        self.core.outbox.to_peer(Kind.PROBE, peer, path.link, path.address, number)
        return number

    def measure(self, peer: PeerState, link: LinkKey, now: float) -> bytes | None:
        """
        Send a PROBE whose answer is told as a RoundTrip; get its number, until `stop_measuring`. None: the peer is not
        verified on this link, or was asked too often.
        """
        path = peer.paths.get(link)
        if path is None or len(self.measured) >= MAX_MEASURED or not self.measurements.take(peer.key, now):
            return None
        number = self.probe(peer, path, now)
        self.measured.add(number)
        return number

    def stop_measuring(self, number: bytes) -> None:
        """
        Wait for this answer no more.
        """
        self.measured.discard(number)

    def on_probe(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a verified peer on a verified path; on another path, verify that first.
        """
        reader = Reader(header.payload)
        number = reader.take(PROBE_ID_SIZE)
        reader.end()
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        peer.paths[arrival.link].confirmed = True
        self.core.outbox.to_peer(Kind.PROBE_REPLY, peer, arrival.link, arrival.source, number)

    def on_reply(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take the round-trip time.
        """
        waiting = self.waiting.pop(header.payload, None)
        if waiting is None or waiting[:2] != (peer.key, arrival.link) or not self.core.heard(peer, arrival, now):
            self.core.counters.drop("unexpected")
            return
        peer.paths[arrival.link].confirmed = True
        peer.add_rtt(max(0.0, now - waiting[2]))
        self.core.pings.on_unicast(peer, max(0.0, now - waiting[2]))
        if header.payload in self.measured:
            self.measured.discard(header.payload)
            self.core.events.append(RoundTrip(header.payload, max(0.0, now - waiting[2])))
