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
from .answers import Answers
from .candidates import Candidates
from .coded import Coded
from .counters import Counters
from .events import Event, PeerGone
from .exchange import Exchange
from .file_answers import FileAnswers
from .file_requests import FileRequests
from .friends import Friends
from .gate import Gate
from .group import Group
from .handshake import PendingChallenges, Secrets
from .introducer import Introducer
from .introduction import Introduction
from .leaving import Leaving
from .limits import MIN_INTERVAL
from .liveness import Liveness
from .outbox import Outbox
from .overhearing import LISTENING, Overhearing
from .pages import Pages
from .peers import PeerState, PeerTable
from .ping import Pings
from .policy import Policy
from .puller import Puller
from .reassembly import Reassembly
from .search import Searches
from .swarms import Swarms
from .timers import Timers
from .train import Trains
from .weather import WeatherTalk
from .wire import KIND_NAMES, Header, Kind, WireError, is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .friends import FriendBook
    from .identity import Identity
    from .links import Arrival, Destination, Link
    from .peers import LinkKey
    from .sealing import Seal


class MulticastProtocol:
    """
    One node of the overlay.
    """

    def __init__(self, identity: Identity, epoch: int, introduction: Introduction | None = None,
                 random: Random | None = None, shortest_interval: float = MIN_INTERVAL,
                 book: FriendBook | None = None) -> None:
        """
        Create a node that has no links yet. `epoch` must be higher than at any earlier start with this identity; `book`
        keeps its friends from one start to the next.
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
        self.friends = Friends(self, book)
        self.policy = Policy(self.friends)
        self.gate = Gate(identity.key, self.peers, self.pending, self.secrets, self.reassembly, self.policy)
        self.exchange = Exchange(self)
        self.introducer = Introducer(self)
        self.liveness = Liveness(self)
        self.announcer = Announcer(self)
        self.announcements = Announcements(self)
        self.pings = Pings(self)
        self.candidates = Candidates(self)
        self.pages = Pages(self)
        self.puller = Puller(self)
        self.group = Group(self)
        self.outbox.wrap = self.group.wrap
        self.trains = Trains(self)
        self.searches = Searches(self)
        self.answers = Answers(self)
        self.file_requests = FileRequests(self)
        self.file_answers = FileAnswers(self)
        self.coded = Coded(self)
        self.weather = WeatherTalk(self)
        self.swarms = Swarms(self)
        self.overhearing = Overhearing(self)
        self.leaving = Leaving(self)
        self.started: float | None = None
        self.events: list[Event] = []
        self.handlers: dict[int, Callable[[Header, Arrival, float], None]] = {
            Kind.INTRODUCTION: self.introducer.on_introduction,
            Kind.SOLICITATION: self.introducer.on_solicitation,
            Kind.CHALLENGE: self.exchange.on_challenge, Kind.RESPONSE: self.exchange.on_response,
            Kind.CONFIRM: self.exchange.on_confirm}
        self.peer_handlers: dict[int, Callable[[PeerState, Header, Arrival, float], None]] = {
            Kind.GOODBYE: self.on_goodbye, Kind.ANSWER: self.introducer.on_answer,
            Kind.PROBE: self.liveness.on_probe, Kind.PROBE_REPLY: self.liveness.on_reply,
            Kind.FRAGMENT: self.announcements.on_fragment, Kind.TRAILER: self.announcements.on_trailer,
            Kind.ASK: self.announcer.on_ask, Kind.PING: self.pings.on_ping, Kind.PONG: self.pings.on_pong,
            Kind.PULL: self.pages.on_pull, Kind.PAGE: self.puller.on_page,
            Kind.FRIEND: self.friends.on_friend,
            Kind.QUERY: self.answers.on_query, Kind.RESULTS: self.searches.on_results,
            Kind.FILE_REQUEST: self.file_answers.on_request, Kind.FILE_ANSWER: self.file_requests.on_answer}
        self.peer_handlers.update({**self.trains.handlers(), **self.coded.handlers(),
                                   **self.swarms.handlers(), Kind.WEATHER: self.weather.on_weather})

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
            self.introducer.begin_on(fresh, now)

    def start(self, now: float) -> None:
        """
        Begin to introduce this node.
        """
        self.started = now
        self.introducer.start(now)
        self.puller.start(now)

    def stop(self, reason: str = "stopped") -> None:
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
        self.introducer.heard.clear()
        self.candidates.clear()
        self.pages.forget()
        self.puller.forget()
        self.friends.forget()
        self.trains.forget()
        self.searches.forget()
        self.answers.forget()
        self.file_requests.forget()
        self.file_answers.forget()
        self.coded.forget()
        self.swarms.forget()
        self.overhearing.forget()
        self.reassembly.clear()
        for peer in self.peers:
            self.drop_peer(peer, reason)

    def set_seal(self, seal: Seal | None, now: float) -> None:
        """
        Go into a group, into another, or out of it (None): goodbye under the old seal, a new beginning under the new.
        """
        self.group.change(seal, now)

    def set_shortest_interval(self, shortest: float, now: float) -> None:
        """
        Change the shortest time (seconds) between two introductions, from now on.
        """
        self.shortest_interval = shortest
        if self.started is not None:
            self.introducer.restart(now)

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

    def want_now(self, mid: bytes, now: float) -> bool:
        """
        Verify a candidate at once, because somebody asks for it; False when none has this mid (20 bytes).
        """
        return self.candidates.want_now(mid, now)

    def solicit(self, capabilities: Iterable[str]) -> None:
        """
        Ask all for an answer: peers that have these capabilities give one, strangers challenge us.

        :raises ValueError: for an unknown capability.
        """
        self.introducer.solicit(list(self.links), capabilities)

    def datagram_received(self, data: bytes, arrival: Arrival, now: float) -> None:
        """
        Take in one datagram. Never raises, whatever is in it.
        """
        opened = self.group.unwrap(data, arrival, now)
        if opened is not None:
            self.take_in(opened, arrival, now)

    def take_in(self, data: bytes, arrival: Arrival, now: float) -> None:
        """
        Take in one signed datagram.
        """
        reason = self.gate.look(data, arrival, self.links)
        if reason == LISTENING:
            self.overhearing.take_in(data, arrival, now)
            return
        if reason is not None:
            self.counters.drop(reason)
            return
        header, reason = self.gate.admit(data, arrival, now)
        if reason is not None:
            self.on_refused(arrival, reason)
        elif not is_signed(data, self.group.domain):
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
        return self.introducer.current()

    def introduce(self, now: float) -> None:
        """
        Introduce this node on all links.
        """
        self.introducer.introduce(now)
