"""
A node presents itself, and takes note of others that do: introductions, solicitations, and answers to these.
"""
from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from .budget import KeyedBuckets, TokenBucket
from .events import PeerAnswered, PeerLocal
from .exchange import own_address, same, their_address
from .introduction import Introduction, pack_capabilities, unpack_capabilities
from .limits import (
    ANSWER_SPREAD,
    ANSWERS_PER_PEER_BURST,
    ANSWERS_PER_PEER_PER_SECOND,
    BURST_AT_LEAST,
    BURST_TIMES,
    ENOUGH_VERIFIED,
    GREET_WAIT,
    GREETINGS_BURST,
    GREETINGS_PER_SECOND,
    LINK_BURST_TIMES,
    MAX_ANSWER_SPREAD,
    MAX_HEARD,
    MAX_PEERS,
)
from .pace import introduction_interval, next_introduction
from .wire import PREFIX, Address, Header, Kind, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import HostPort, LinkKey, Path, PeerState
    from .timers import Timer


class Introducer:
    """
    The introductions of one protocol instance, said and heard.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.answers = KeyedBuckets(ANSWERS_PER_PEER_PER_SECOND, ANSWERS_PER_PEER_BURST, MAX_PEERS)
        self.greetings = TokenBucket(GREETINGS_PER_SECOND, GREETINGS_BURST)
        self.next: Timer | None = None
        self.before = core.shortest_interval
        self.heard: OrderedDict[tuple[bytes, LinkKey], tuple[HostPort, int, bytes]] = OrderedDict()

    # --- Said.

    def start(self, now: float) -> None:
        """
        Introduce this node a few times, then at its pace.
        """
        self.before = self.interval()
        for turn, delay in enumerate(BURST_TIMES):
            self.core.timers.at(now + delay, partial(self.begin, turn))
        self.schedule(now + BURST_TIMES[-1])

    def begin(self, turn: int, now: float) -> None:
        """
        Introduce this node for the so manieth time after its start, unless so many have met it that it need not.
        """
        if turn < BURST_AT_LEAST or self.core.peers.address_count < ENOUGH_VERIFIED:
            self.introduce(now)

    def restart(self, now: float) -> None:
        """
        Introduce this node now, and from now on at the pace that holds now.
        """
        if self.next is not None:
            self.next.cancel()
        self.introduce(now)
        self.schedule(now)

    def begin_on(self, links: list[LinkKey], now: float) -> None:
        """
        Ask on links that are new; this finds peers that hold us as verified still, while we lost them.
        """
        for delay in LINK_BURST_TIMES:
            self.core.timers.at(now + delay, lambda _now: self.solicit(links, ()))

    def current(self) -> Introduction:
        """
        Get the introduction with the interval that holds now.
        """
        mine = self.core.introduction
        return Introduction(self.interval(), mine.capabilities, mine.nickname, mine.services)

    def interval(self) -> float:
        """
        Get the longest time (seconds) between two introductions that holds now.
        """
        return introduction_interval(self.core.peers.address_count, self.core.shortest_interval)

    def introduce(self, now: float) -> None:
        """
        Introduce this node on all links.
        """
        payload = self.current().pack()
        for key, link in self.core.links.items():
            self.core.outbox.multicast(Kind.INTRODUCTION, key, own_address(link).pack() + payload)

    def schedule(self, now: float) -> None:
        """
        Introduce this node again and again, at the pace that holds each time.
        """
        def again(now: float) -> None:
            self.introduce(now)
            self.schedule(now)

        interval, before = self.interval(), self.before
        self.before = interval
        self.next = self.core.timers.at(now + next_introduction(interval, before, self.core.random), again)

    def solicit(self, links: Iterable[LinkKey], capabilities: Iterable[str]) -> None:
        """
        Ask on some links who is there with these capabilities.

        :raises ValueError: for an unknown capability.
        """
        payload = pack_capabilities(capabilities) + self.current().pack()
        if self.core.started is not None:
            for key in links:
                link = self.core.links.get(key)
                if link is not None:
                    self.core.outbox.multicast(Kind.SOLICITATION, key, own_address(link).pack() + payload)

    # --- Heard.

    def on_introduction(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take note of an introduction.
        """
        reader = Reader(header.payload)
        self.note(header, arrival, reader.address(), reader, now)

    def note(self, header: Header, arrival: Arrival, named: Address, reader: Reader, now: float) -> bool:
        """
        Take note of a verified peer that goes on; challenge whoever is not verified on this path. False when it names
        another address than it came from: then somebody else repeats it.
        """
        core = self.core
        introduction = Introduction.read(reader)
        reader.end()
        if not same(named, their_address(core.links[arrival.link], arrival.source)):
            core.counters.drop("address_mismatch")
            return False
        peer = core.peers.get(header.signer)
        if peer is not None and header.epoch == peer.epoch:
            self.update(peer, introduction)
            if core.heard(peer, arrival, now):
                if header.kind == Kind.INTRODUCTION:
                    peer.paths[arrival.link].introduction = header.data[len(PREFIX):]
                return True
        if header.kind == Kind.INTRODUCTION:
            self.keep(header, arrival)
        core.exchange.want(header.signer, arrival.link, arrival.source, now, self.greet(header, now))
        return True

    def greet(self, header: Header, now: float) -> float | None:
        """
        Introduce ourselves to somebody new, who is to challenge us. Gets the seconds that it has for that: none when it
        will not, as there are too many of us, or as we are the new one; None when we came at the same time.
        """
        core = self.core
        is_newcomer = core.exchange.is_newcomer(now)
        if is_newcomer or not core.exchange.are_few:
            return 0.0 if is_newcomer and header.epoch < core.epoch and core.exchange.are_few else None
        if core.peers.get(header.signer) is not None or header.epoch <= core.epoch or not self.greetings.take(now):
            return None
        self.introduce(now)
        return GREET_WAIT

    def keep(self, header: Header, arrival: Arrival) -> None:
        """
        Keep the introduction of somebody who is not verified: when it is, we may hand it on.
        """
        self.heard.pop((header.signer, arrival.link), None)
        while len(self.heard) >= MAX_HEARD:
            self.heard.popitem(last=False)
        self.heard[header.signer, arrival.link] = arrival.source, header.epoch, header.data[len(PREFIX):]

    def remember(self, peer: PeerState, path: Path) -> None:
        """
        Take over what a peer said before it was verified on a path, if it was there and then.
        """
        address, epoch, introduction = self.heard.pop((peer.key, path.link), (None, 0, b""))
        if address == path.address and epoch == peer.epoch:
            path.introduction = introduction

    def on_solicitation(self, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a verified peer that asks for capabilities we have, after a random time; treat it as an introduction too.
        """
        core, reader = self.core, Reader(header.payload)
        named, wanted = reader.address(), unpack_capabilities(reader.number(2))
        if not self.note(header, arrival, named, reader, now):
            return
        peer = core.peers.get(header.signer)
        if peer is None or header.epoch != peer.epoch or not wanted <= core.introduction.capabilities:
            return
        if not core.policy.allows(peer):
            core.counters.drop("not_friend")
            return
        if not self.answers.take(peer.key, now):
            core.counters.drop("rate")
            return
        delay = core.random.uniform(0, min(core.peers.path_count * ANSWER_SPREAD, MAX_ANSWER_SPREAD))
        link, address = arrival.link, arrival.source

        def answer(_: float) -> None:
            path = peer.paths.get(link)
            if path is not None and path.address == address and core.policy.allows(peer):
                core.outbox.to_peer(Kind.ANSWER, peer, link, address, self.current().pack())

        core.timers.at(now + delay, answer)

    def on_answer(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Pass on the answer of a verified peer.
        """
        reader = Reader(header.payload)
        introduction = Introduction.read(reader)
        reader.end()
        if self.core.heard(peer, arrival, now):
            self.update(peer, introduction)
            self.core.events.append(PeerAnswered(peer, arrival.source))

    def update(self, peer: PeerState, introduction: Introduction) -> None:
        """
        Take over what a verified peer says of itself now.
        """
        if introduction != peer.introduction:
            told = (peer.introduction.nickname, peer.introduction.capabilities, peer.introduction.services)
            peer.introduction = introduction
            if told != (introduction.nickname, introduction.capabilities, introduction.services):
                self.core.events.append(PeerLocal(peer, first=False))
