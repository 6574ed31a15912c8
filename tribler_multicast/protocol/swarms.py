"""
Swarms: which neighbours take part in a torrent, asked for the clients that announce themselves to a node's tracker.

A WHO_HAS holds no infohash but a hash of it under the question's own number, so who has not got a torrent does not
learn which one is looked for. A HAS holds nothing but ports: the address is the one that was verified, so nobody sends
us to others. Both are unicast, sealed for the pair.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from os import urandom
from typing import TYPE_CHECKING, Final, NamedTuple

from .events import SwarmsAsked, SwarmsEnded
from .limits import (
    MAX_SWARM_ANSWER,
    MAX_SWARM_PEERS,
    MAX_SWARM_PORTS,
    MAX_SWARM_RUNS,
    MAX_SWARMS_ASKED,
    SWARM_PATIENCE,
)
from .wire import Kind, Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState
    from .wire import Header

NUMBER_SIZE: Final = 8
NAME_SIZE: Final = 16
SEED: Final = 1
"""Flag of a client that has all of it."""

ABLE: Final = frozenset({"torrents", "tracker"})
"""Capabilities of which a peer that is asked has one: it takes part in swarms, or knows who does."""


class Client(NamedTuple):
    """
    A BitTorrent client of a neighbour: where it listens, and whether it has all.
    """

    port: int
    is_seed: bool


def swarm_name(number: bytes, infohash: bytes) -> bytes:
    """
    Get what an infohash (20 bytes) is called in the question of this number.
    """
    return blake2b(infohash, digest_size=NAME_SIZE, key=number, person=b"tm-who-has-1").digest()


@dataclass(eq=False)
class SwarmRun:
    """
    A question under way, and what came: by infohash (IP address, port, whether it has all).
    """

    number: bytes
    infohashes: list[bytes]
    waiting: set[bytes] = field(default_factory=set)
    """Keys of the peers that have not answered."""
    found: dict[bytes, set[tuple[str, int, bool]]] = field(default_factory=dict)
    ended: bool = False


def pack_answer(number: bytes, found: Mapping[int, Sequence[Client]]) -> bytes:
    """
    Write: number (8), and for each torrent that is here its place in the question (1), number of clients (1), each
    port (2) and flags (1). What finds no room is left out.
    """
    payload = bytearray(number)
    for place, clients in found.items():
        entry = b"".join(client.port.to_bytes(2, "big") + bytes((SEED * client.is_seed,))
                         for client in clients[:MAX_SWARM_PORTS])
        if entry and len(payload) + 2 + len(entry) <= MAX_SWARM_ANSWER:
            payload += bytes((place, len(entry) // 3)) + entry
    return bytes(payload)


def read_answer(payload: bytes, asked: int) -> dict[int, list[Client]]:
    """
    Read what `pack_answer` wrote, for a question of so many torrents.

    :raises WireError: when it is none.
    """
    if len(payload) > MAX_SWARM_ANSWER:
        raise WireError("an answer that is too long")
    reader = Reader(payload)
    reader.take(NUMBER_SIZE)
    found: dict[int, list[Client]] = {}
    while reader.position < len(payload):
        place, clients = reader.number(1), reader.number(1)
        if place >= asked or place in found or not 0 < clients <= MAX_SWARM_PORTS:
            raise WireError("an answer to something else")
        found[place] = [Client(reader.number(2), bool(reader.number(1) & SEED)) for _ in range(clients)]
        if any(not client.port for client in found[place]):
            raise WireError("no port")
    return found


class Swarms:
    """
    Questions of one protocol instance about swarms, and those of others.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.runs: dict[bytes, SwarmRun] = {}
        core.gate.awaits_swarms = self.awaits

    def handlers(self) -> dict[int, Callable[[PeerState, Header, Arrival, float], None]]:
        """
        Get what acts on messages of verified peers.
        """
        return {Kind.WHO_HAS: self.on_question, Kind.HAS: self.on_answer}

    # --- Asking.

    def start(self, infohashes: Sequence[bytes], now: float) -> SwarmRun | None:
        """
        Ask who takes part in at most MAX_SWARMS_ASKED torrents; SwarmsEnded tells the end. None: there are too many
        questions already.
        """
        if self.core.started is None or len(self.runs) >= MAX_SWARM_RUNS or len(infohashes) > MAX_SWARMS_ASKED:
            return None
        run = SwarmRun(urandom(NUMBER_SIZE), list(infohashes))
        able = [peer for peer in self.core.peers
                if self.core.policy.allows(peer) and ABLE & peer.introduction.capabilities]
        if len(able) > MAX_SWARM_PEERS:
            able = self.core.random.sample(able, MAX_SWARM_PEERS)
        payload = run.number + b"".join(swarm_name(run.number, each) for each in run.infohashes)
        self.runs[run.number] = run
        for peer in able:
            path = peer.freshest_path()
            self.core.outbox.to_peer(Kind.WHO_HAS, peer, path.link, path.address, payload, sealed=True)
            run.waiting.add(peer.key)
        self.core.timers.at(now + (SWARM_PATIENCE if able else 0.0), partial(self.end, run))
        return run

    def awaits(self, header: Header) -> bool:
        """
        Tell whether an answer is to a question of ours, from whom it was asked of, and the first.
        """
        run = self.runs.get(header.payload[:NUMBER_SIZE])
        return run is not None and header.signer in run.waiting

    def on_answer(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take an answer: its clients are where the peer was verified.
        """
        run = self.runs[header.payload[:NUMBER_SIZE]]
        found = read_answer(header.payload, len(run.infohashes))
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        run.waiting.discard(peer.key)
        addresses = {ip for path in peer.paths.values()
                     if not (ip := path.address[0].partition("%")[0]).lower().startswith("fe80:")}
        for place, clients in found.items():
            told = run.found.setdefault(run.infohashes[place], set())
            told.update((ip, client.port, client.is_seed) for ip in addresses for client in clients)
        if not run.waiting:
            self.end(run, now)

    def end(self, run: SwarmRun, _now: float) -> None:
        """
        Tell what came.
        """
        if not run.ended:
            run.ended = True
            self.runs.pop(run.number, None)
            self.core.events.append(SwarmsEnded(run))

    def forget(self) -> None:
        """
        End all.
        """
        for run in list(self.runs.values()):
            self.end(run, 0.0)

    # --- Answering.

    def on_question(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Hand on a question; on a path that is not verified, verify that first.
        """
        names = header.payload[NUMBER_SIZE:]
        if not names or len(names) % NAME_SIZE or len(names) > NAME_SIZE * MAX_SWARMS_ASKED:
            raise WireError("no question for swarms")
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        places = {names[at:at + NAME_SIZE]: at // NAME_SIZE for at in range(0, len(names), NAME_SIZE)}
        self.core.events.append(SwarmsAsked(peer, header.payload[:NUMBER_SIZE], places, arrival))

    def answer(self, asked: SwarmsAsked, known: Mapping[bytes, Sequence[Client]]) -> None:
        """
        Tell who asked which of these torrents (by infohash) it asked for, and where their clients listen.
        """
        found = {}
        for infohash, clients in known.items():
            place = asked.places.get(swarm_name(asked.number, infohash))
            if place is not None:
                found[place] = clients
        payload = pack_answer(asked.number, found)
        self.core.outbox.to_peer(Kind.HAS, asked.peer, asked.arrival.link, asked.arrival.source, payload, sealed=True)
