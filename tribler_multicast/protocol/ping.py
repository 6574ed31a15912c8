"""
Multicast ping: how long a datagram to the group and the unicast answer to it take, and how many get lost.

A PING goes to the group once per link; whoever is asked answers by unicast under the guard of the pair. When all are
asked, each answers after a random time that grows with their number, and says how long it waited, so that it can be
subtracted. A unicast PROBE goes beside each PING: multicast and unicast times are to be compared, because Wi-Fi holds
multicast back until the next beacon.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from os import urandom
from typing import TYPE_CHECKING, Final

from .budget import TokenBucket
from .events import PingEnded
from .identity import mid_of
from .limits import (
    MAX_PING_RUNS,
    MAX_PING_SPREAD,
    PING_PATIENCE,
    PING_SPREAD,
    PINGS_ANSWERED_REMEMBERED,
    PINGS_BURST,
    PINGS_PER_SECOND,
)
from .wire import Header, Kind, Reader

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState

PING_ID_SIZE: Final = 8
MID_SIZE: Final = 20
JITTER_SIZE: Final = 4
EVERYBODY: Final = bytes(MID_SIZE)
RETRY: Final = 0.05
"""Seconds until a round for which the budget had no room is tried again."""


@dataclass(slots=True)
class Tally:
    """
    What came back from one peer in one run: round-trip times in seconds, of pings and of unicast probes.
    """

    mid: bytes
    times: list[float] = field(default_factory=list)
    unicast: list[float] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class PingRun:
    """
    Some rounds of PING to one peer or to all that were local at the start, with a tally for each, by key.
    """

    target: bytes
    count: int
    interval: float
    tallies: dict[bytes, Tally]
    sent: int = 0
    ended: bool = False


@dataclass(slots=True, eq=False)
class Round:
    """
    One PING that answers are awaited for: when it left, and who answered.
    """

    run: PingRun
    sent: float
    answered: set[bytes] = field(default_factory=set)


class Pings:
    """
    The pings of one protocol instance, asked and answered.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.mid = mid_of(core.identity.key)
        self.runs: list[PingRun] = []
        self.waiting: dict[bytes, Round] = {}
        self.tokens = TokenBucket(PINGS_PER_SECOND / 2, PINGS_BURST / 2)
        self.answered: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()

    # --- Asking.

    def start(self, mid: bytes | None, count: int, interval: float, now: float) -> PingRun:
        """
        Ping one peer or all, `count` times; the event PingEnded tells the end.

        Rounds are `interval` seconds apart, or as long as it takes all to answer.

        :raises KeyError: when the mid is not that of a local peer.
        :raises ValueError: with one line that says why, when it can't be done now.
        """
        if self.core.started is None:
            msg = "this node is switched off"
            raise ValueError(msg)
        if len(self.runs) >= MAX_PING_RUNS:
            msg = f"{MAX_PING_RUNS} pings are running already"
            raise ValueError(msg)
        tallies = {peer.key: Tally(peer.mid) for peer in self.core.peers if mid in (None, peer.mid)}
        if mid is not None:
            if not tallies:
                msg = f"no local peer has the mid {mid.hex()}"
                raise KeyError(msg)
        else:
            interval = max(interval, self.spread())
        run = PingRun(mid or EVERYBODY, count, interval, tallies)
        self.runs.append(run)
        if tallies:
            self.send(run, now)
        else:
            self.end(run)
        return run

    def spread(self) -> float:
        """
        Get the longest time (seconds) that somebody waits with an answer when all are asked.
        """
        return min(self.core.peers.path_count * PING_SPREAD, MAX_PING_SPREAD)

    def send(self, run: PingRun, now: float) -> None:
        """
        Send one round, and see to the next one or to the end.
        """
        if run.ended:
            return
        if not self.tokens.take(now):
            self.core.timers.at(now + RETRY, lambda now: self.send(run, now))
            return
        number = urandom(PING_ID_SIZE)
        self.waiting[number] = Round(run, now)
        run.sent += 1
        for link in self.links(run):
            if link in self.core.links:
                self.core.outbox.multicast(Kind.PING, link, number + run.target)
        for key in run.tallies:
            delay = 0.0 if len(run.tallies) == 1 else self.core.random.uniform(0.0, self.spread())
            self.core.timers.at(now + delay, lambda now, key=key: self.probe(key, now))  # type: ignore[misc]
        if run.sent < run.count:
            self.core.timers.at(now + run.interval, lambda now: self.send(run, now))
        else:
            self.core.timers.at(now + PING_PATIENCE + self.spread(), lambda _now: self.end(run))

    def links(self, run: PingRun) -> list[LinkKey]:
        """
        Get the links to send a round on: that of the peer, or as few as reach all.
        """
        if run.target == EVERYBODY:
            return self.core.announcer.links_to_peers()
        peers = [self.core.peers.get(key) for key in run.tallies]
        return [peer.freshest_path().link for peer in peers if peer is not None]

    def probe(self, key: bytes, now: float) -> None:
        """
        Ask a peer by unicast too.
        """
        peer = self.core.peers.get(key)
        if peer is not None:
            self.core.liveness.probe(peer, peer.freshest_path(), now)

    def end(self, run: PingRun) -> None:
        """
        Await no more answers to a run, and tell its end.
        """
        if run.ended:
            return
        run.ended = True
        self.runs.remove(run)
        self.waiting = {number: waiting for number, waiting in self.waiting.items() if waiting.run is not run}
        self.core.events.append(PingEnded(run))

    def forget(self) -> None:
        """
        End all runs.
        """
        for run in list(self.runs):
            self.end(run)
        self.answered.clear()

    def on_pong(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take the time of an answer, less what the answerer waited: the first of each peer to each PING, and in time.
        """
        reader = Reader(header.payload)
        number, jitter = reader.take(PING_ID_SIZE), reader.number(JITTER_SIZE) / 1e6
        reader.end()
        waiting = self.waiting.get(number)
        tally = waiting.run.tallies.get(peer.key) if waiting is not None else None
        if waiting is None or tally is None or peer.key in waiting.answered or not self.core.heard(peer, arrival, now):
            self.core.counters.drop("unexpected")
            return
        taken = now - waiting.sent - jitter
        if not -1e-6 <= taken <= PING_PATIENCE or jitter > MAX_PING_SPREAD + PING_PATIENCE:
            self.core.counters.drop("unexpected")
            return
        waiting.answered.add(peer.key)
        tally.times.append(max(0.0, taken))
        self.end_if_complete(waiting.run)

    def on_unicast(self, peer: PeerState, taken: float) -> None:
        """
        Note the unicast round-trip time (seconds) of a peer that is pinged.
        """
        for run in list(self.runs):
            if peer.key in run.tallies:
                run.tallies[peer.key].unicast.append(taken)
                self.end_if_complete(run)

    def end_if_complete(self, run: PingRun) -> None:
        """
        End a run before its time when nothing more is to come.
        """
        if run.sent == run.count and all(len(tally.times) == run.count and len(tally.unicast) >= run.count
                                         for tally in run.tallies.values()):
            self.end(run)

    # --- Answering.

    def on_ping(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a verified peer that means us, once, where the PING came from.
        """
        reader = Reader(header.payload)
        number, target = reader.take(PING_ID_SIZE), reader.take(MID_SIZE)
        reader.end()
        if not self.core.heard(peer, arrival, now) or target not in (EVERYBODY, self.mid):
            return
        if (peer.key, number) in self.answered:
            self.core.counters.drop("duplicate")
            return
        while len(self.answered) >= PINGS_ANSWERED_REMEMBERED:
            self.answered.popitem(last=False)
        self.answered[peer.key, number] = None
        link, address = arrival.link, arrival.source

        def answer(later: float) -> None:
            path = peer.paths.get(link)
            if path is not None and path.address == address and self.core.policy.allows(peer):
                jitter = round(1e6 * max(0.0, later - now))
                payload = number + min(jitter, (1 << 8 * JITTER_SIZE) - 1).to_bytes(JITTER_SIZE, "big")
                self.core.outbox.to_peer(Kind.PONG, peer, link, address, payload)

        if target == EVERYBODY:
            self.core.timers.at(now + self.core.random.uniform(0.0, self.spread()), answer)
        else:
            answer(now)
