"""
The overlay's state machine: datagrams and time in, datagrams and events out.

A node introduces itself by multicast. Whoever hears an introduction of a key, an epoch or an address that it has not
verified challenges it by unicast (`handshake`), and when the exchange succeeds both hold each other in their tables:
that is what "local" means. A peer leaves the table when it says goodbye, when all its paths fall silent (`liveness`),
or when our own interface goes. Nothing else puts a peer in, and nothing unverified changes anything about one.

The machine knows no socket and no clock. Feed it with `set_links`, `datagram_received` and `run_timers`; after each
call take what `take_outgoing` and `take_events` give, and call `run_timers` again at `next_timer`.
"""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from .announcements import Announcements
from .announcer import Announcer
from .budget import KeyedBuckets
from .counters import Counters
from .events import Event, PeerAnswered, PeerGone, PeerLocal
from .exchange import Exchange
from .gate import Gate
from .handshake import PendingChallenges, Secrets
from .introduction import Introduction, pack_capabilities, unpack_capabilities
from .leaving import Leaving
from .limits import (
    ANSWER_SPREAD,
    ANSWERS_PER_PEER_BURST,
    ANSWERS_PER_PEER_PER_SECOND,
    BURST_TIMES,
    LINK_BURST_TIMES,
    MAX_ANSWER_SPREAD,
    MAX_PEERS,
    MIN_INTERVAL,
)
from .liveness import Liveness
from .outbox import Outbox
from .pace import introduction_interval, next_introduction
from .peers import PeerState, PeerTable
from .ping import Pings
from .reassembly import Reassembly
from .timers import Timer, Timers
from .train import Trains
from .wire import (
    KIND_NAMES,
    Header,
    Kind,
    Reader,
    WireError,
    is_signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .identity import Identity
    from .links import Arrival, Destination, Link
    from .peers import LinkKey


class MulticastProtocol:
    """
    One node of the overlay.
    """

    def __init__(self, identity: Identity, epoch: int, introduction: Introduction | None = None,
                 random: Random | None = None, shortest_interval: float = MIN_INTERVAL) -> None:
        """
        Create a node that has no links yet. `epoch` must be higher than at any earlier start with this identity.
        """
        self.identity = identity
        self.epoch = epoch
        self.introduction = introduction or Introduction(shortest_interval)
        self.shortest_interval = shortest_interval
        self.random = random or Random()
        self.links: dict[LinkKey, Link] = {}
        self.peers = PeerTable()
        self.counters = Counters()
        self.outbox = Outbox(identity, epoch, self.counters)
        self.timers = Timers()
        self.pending = PendingChallenges()
        self.secrets = Secrets()
        self.reassembly = Reassembly()
        self.gate = Gate(identity.key, self.peers, self.pending, self.secrets, self.reassembly)
        self.exchange = Exchange(self)
        self.liveness = Liveness(self)
        self.announcer = Announcer(self)
        self.announcements = Announcements(self)
        self.pings = Pings(self)
        self.trains = Trains(self)
        self.leaving = Leaving(self)
        self.answers = KeyedBuckets(ANSWERS_PER_PEER_PER_SECOND, ANSWERS_PER_PEER_BURST, MAX_PEERS)
        self.started: float | None = None
        self.next_introduction: Timer | None = None
        self.events: list[Event] = []
        self.handlers: dict[int, Callable[[Header, Arrival, float], None]] = {
            Kind.INTRODUCTION: self.on_introduction, Kind.SOLICITATION: self.on_solicitation,
            Kind.CHALLENGE: self.exchange.on_challenge, Kind.RESPONSE: self.exchange.on_response,
            Kind.CONFIRM: self.exchange.on_confirm}
        self.peer_handlers: dict[int, Callable[[PeerState, Header, Arrival, float], None]] = {
            Kind.GOODBYE: self.on_goodbye, Kind.ANSWER: self.on_answer,
            Kind.PROBE: self.liveness.on_probe, Kind.PROBE_REPLY: self.liveness.on_reply,
            Kind.FRAGMENT: self.announcements.on_fragment, Kind.TRAILER: self.announcements.on_trailer,
            Kind.ASK: self.announcer.on_ask, Kind.PING: self.pings.on_ping, Kind.PONG: self.pings.on_pong}
        self.peer_handlers.update(self.trains.handlers())

    # --- What the shell calls.

    def set_links(self, links: Iterable[Link], now: float) -> None:
        """
        Tell the links there are now; peers on links or networks that are gone are dropped, new links get a burst.
        """
        before, self.links = self.links, {link.key: link for link in links}
        self.outbox.silent = frozenset(key for key, link in self.links.items() if link.silent)
        for peer in self.peers:
            for path in list(peer.paths.values()):
                link = self.links.get(path.link)
                if link is None or link.silent or not link.is_on_link(path.address[0]):
                    self.drop_path(peer, path.link, "interface")
        fresh = [key for key, link in self.links.items() if before.get(key) != link and not link.silent]
        if fresh and self.started is not None:
            for delay in LINK_BURST_TIMES:
                self.timers.at(now + delay, lambda _now: self.solicit_on(fresh, ()))

    def start(self, now: float) -> None:
        """
        Begin to introduce this node.
        """
        self.started = now
        for delay in BURST_TIMES:
            self.timers.at(now + delay, self.introduce)
        self.schedule_introduction(now + BURST_TIMES[-1])

    def stop(self) -> None:
        """
        Say goodbye to all, forget all peers and fall silent.
        """
        if self.started is None:
            return
        self.leaving.say_goodbye(self.links)
        self.started = None
        self.timers = Timers()
        self.exchange.forget()
        self.announcer.forget()
        self.pings.forget()
        self.trains.forget()
        self.reassembly.clear()
        for peer in self.peers:
            self.drop_peer(peer, "stopped")

    def set_shortest_interval(self, shortest: float, now: float) -> None:
        """
        Change the shortest time (seconds) between two introductions, from now on.
        """
        self.shortest_interval = shortest
        if self.started is not None:
            if self.next_introduction is not None:
                self.next_introduction.cancel()
            self.introduce(now)
            self.schedule_introduction(now)

    def set_introduction(self, introduction: Introduction, now: float) -> None:
        """
        Change what this node says of itself, and say it at once. Its interval does not count, the pace decides.
        """
        if introduction != self.introduction:
            self.introduction = introduction
            if self.started is not None:
                self.introduce(now)

    def announce(self, values: tuple[Any, ...], now: float) -> int:
        """
        Announce values to all peers; get the number of this announcement, from 1.

        :raises ValueError: with one line that says why, when they can't be sent.
        """
        return self.announcer.announce(values, now)

    def solicit(self, capabilities: Iterable[str]) -> None:
        """
        Ask all for an answer: peers that have these capabilities give one, strangers challenge us.

        :raises ValueError: for an unknown capability.
        """
        self.solicit_on(list(self.links), capabilities)

    def solicit_on(self, links: Iterable[LinkKey], capabilities: Iterable[str]) -> None:
        """
        Ask on some links. On a new link this finds peers that hold us as verified still, while we lost them.
        """
        payload = pack_capabilities(capabilities) + self.current_introduction().pack()
        if self.started is not None:
            for key in links:
                if key in self.links:
                    self.outbox.multicast(Kind.SOLICITATION, key, payload)

    def datagram_received(self, data: bytes, arrival: Arrival, now: float) -> None:
        """
        Take in one datagram. Never raises, whatever is in it.
        """
        reason = self.gate.look(data, arrival, self.links)
        if reason is not None:
            self.counters.drop(reason)
            return
        header, reason = self.gate.admit(data, arrival, now)
        if reason is not None:
            self.on_refused(arrival, reason)
        elif not is_signed(data):
            self.counters.drop("bad_signature")
        else:
            self.counters.received[KIND_NAMES[header.kind]] += 1
            try:
                self.on_signed(header, arrival, now)
            except WireError:
                self.counters.drop("malformed")

    def run_timers(self, now: float) -> None:
        """
        Do what is due.
        """
        self.timers.run(now)

    def next_timer(self) -> float | None:
        """
        Get the time of the next thing due, None when there is none.
        """
        return self.timers.next()

    def take_outgoing(self) -> list[tuple[Destination, bytes]]:
        """
        Get the datagrams to send, and forget them.
        """
        return self.outbox.take()

    def take_events(self) -> list[Event]:
        """
        Get the events since the last call.
        """
        taken, self.events = self.events, []
        return taken

    # --- Coming in.

    def on_refused(self, arrival: Arrival, reason: str) -> None:
        """
        Count what the gate refused; notice our own key in other hands.
        """
        elsewhere = reason == "own" and not any(arrival.source[0] == link.ip for link in self.links.values())
        self.counters.drop("own_key_elsewhere" if elsewhere else reason)

    def on_signed(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Act on a datagram whose signature is right.
        """
        peer = self.peers.get(header.signer)
        if peer is not None and header.epoch == peer.epoch:
            peer.window.add(header.sequence)
        handler = self.handlers.get(header.kind)
        if handler is not None:
            handler(header, arrival, now)
        elif peer is None:
            self.exchange.want(header.signer, arrival.link, arrival.source, now)
        elif header.epoch != peer.epoch:
            self.counters.drop("unconfirmed_epoch")
        else:
            self.peer_handlers[header.kind](peer, header, arrival, now)

    def on_goodbye(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Forget a peer that leaves.
        """
        self.drop_peer(peer, "goodbye")

    def on_introduction(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take note of an introduction.
        """
        self.note_introduction(header, arrival, Reader(header.payload), now)

    def note_introduction(self, header: Header, arrival: Arrival, reader: Reader, now: float) -> None:
        """
        Take note of a verified peer that goes on; challenge whoever is not verified on this path.
        """
        introduction = Introduction.read(reader)
        reader.end()
        peer = self.peers.get(header.signer)
        if peer is not None and header.epoch == peer.epoch:
            self.update_introduction(peer, introduction)
            if self.heard(peer, arrival, now):
                return
        self.exchange.want(header.signer, arrival.link, arrival.source, now)

    def on_solicitation(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a verified peer that asks for capabilities we have, after a random time; treat it as an introduction too.
        """
        reader = Reader(header.payload)
        wanted = unpack_capabilities(reader.number(2))
        self.note_introduction(header, arrival, reader, now)
        peer = self.peers.get(header.signer)
        if peer is None or header.epoch != peer.epoch or not wanted <= self.introduction.capabilities:
            return
        if not self.answers.take(peer.key, now):
            self.counters.drop("rate")
            return
        delay = self.random.uniform(0, min(self.peers.path_count * ANSWER_SPREAD, MAX_ANSWER_SPREAD))
        link, address = arrival.link, arrival.source

        def answer(_: float) -> None:
            path = peer.paths.get(link)
            if path is not None and path.address == address:
                self.outbox.to_peer(Kind.ANSWER, peer, link, address, self.current_introduction().pack())

        self.timers.at(now + delay, answer)

    def on_answer(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Pass on the answer of a verified peer.
        """
        reader = Reader(header.payload)
        introduction = Introduction.read(reader)
        reader.end()
        if self.heard(peer, arrival, now):
            self.update_introduction(peer, introduction)
            self.events.append(PeerAnswered(peer, arrival.source))

    # --- Peers.

    def heard(self, peer: PeerState, arrival: Arrival, now: float) -> bool:
        """
        Note that a peer was heard; False when it is not verified on this path.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return False
        path.heard = now
        path.probes = 0
        return True

    def update_introduction(self, peer: PeerState, introduction: Introduction) -> None:
        """
        Take over what a verified peer says of itself now.
        """
        if introduction != peer.introduction:
            told = (peer.introduction.nickname, peer.introduction.capabilities, peer.introduction.services)
            peer.introduction = introduction
            if told != (introduction.nickname, introduction.capabilities, introduction.services):
                self.events.append(PeerLocal(peer, first=False))

    def drop_path(self, peer: PeerState, link: LinkKey, reason: str) -> None:
        """
        Forget one path; the peer is gone with the last.
        """
        if self.peers.remove_path(peer, link) is not None and not peer.paths:
            self.events.append(PeerGone(peer, reason))

    def drop_peer(self, peer: PeerState, reason: str) -> None:
        """
        Forget all paths of a peer.
        """
        for link in list(peer.paths):
            self.drop_path(peer, link, reason)

    # --- Going out.

    def current_introduction(self) -> Introduction:
        """
        Get the introduction with the interval that holds now.
        """
        interval = introduction_interval(self.peers.path_count, self.shortest_interval)
        mine = self.introduction
        return Introduction(interval, mine.capabilities, mine.nickname, mine.services)

    def introduce(self, now: float, links: Iterable[LinkKey] | None = None) -> None:
        """
        Introduce this node on these links, on all by default.
        """
        payload = self.current_introduction().pack()
        for key in list(self.links) if links is None else links:
            if key in self.links:
                self.outbox.multicast(Kind.INTRODUCTION, key, payload)

    def schedule_introduction(self, now: float) -> None:
        """
        Introduce this node again and again, at the pace that holds each time.
        """
        interval = introduction_interval(self.peers.path_count, self.shortest_interval)

        def again(now: float) -> None:
            self.introduce(now)
            self.schedule_introduction(now)

        self.next_introduction = self.timers.at(now + next_introduction(interval, self.random), again)
