"""
Who pulls pages of introductions, when, and of whom: the newcomer on a large LAN.

It asks two verified peers for one half of all keys each. What a page tells is checked like what is heard, stamp,
signature and on-link address, and makes candidates (`candidates`). What does not come it asks another peer for.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from os import urandom
from statistics import median
from typing import TYPE_CHECKING

from .budget import TokenBucket
from .candidates import Candidate
from .introduction import Introduction
from .limits import (
    MAX_PAGES,
    MAX_PULLS,
    PAGED_BURST,
    PAGED_PER_SECOND,
    PHI,
    PULL_ABOVE,
    PULL_FACTOR,
    PULL_PATIENCE,
    PULL_TIMES,
    PULLS_AT_ONCE,
)
from .pages import LARGEST, NUMBER_SIZE, SIGNER_AT, SMALLEST, Page
from .stamp import is_stamped, stamp_digest
from .wire import (
    PREFIX,
    VERSION,
    Address,
    Header,
    Kind,
    Reader,
    WireError,
    channel_of,
    is_signed,
    parse,
    without_guard,
)

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState

MIDDLE = b"\x7f" + LARGEST[1:]
Range = tuple[bytes, bytes]


@dataclass(slots=True, eq=False)
class Pull:
    """
    A PULL of ours under way: of whom, for which range, and which pages came with which last key.
    """

    peer: bytes
    link: LinkKey
    wanted: Range
    touched: float
    ends: dict[int, bytes] = field(default_factory=dict)
    last: int | None = None
    complete: bool = False

    def missing(self) -> list[Range]:
        """
        Get the ranges that are still to be asked for.
        """
        missing, after = [], self.wanted[0]
        following = 0
        for index in sorted(self.ends):
            if index > following:  # What a lost page held lies between those beside it.
                missing.append((after, self.ends[index]))
            after, following = max(after, self.ends[index]), index + 1
        if not (self.complete and self.last is not None and following > self.last) and after < self.wanted[1]:
            missing.append((after, self.wanted[1]))
        return missing


@dataclass(slots=True, eq=False)
class Turn:
    """
    All pulls by which a node gets to know one link.
    """

    link: LinkKey
    todo: list[Range]
    asked: set[bytes] = field(default_factory=set)
    pulls: int = 0


class Puller:
    """
    The pulls of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.open: dict[bytes, Pull] = core.gate.pulls
        self.turns: dict[LinkKey, Turn] = {}
        self.tokens = TokenBucket(PAGED_PER_SECOND, PAGED_BURST)

    def start(self, now: float) -> None:
        """
        Look at the given times after a start whether there is more to know.
        """
        for delay in PULL_TIMES:
            self.core.timers.at(now + delay, self.consider)

    def forget(self) -> None:
        """
        Await nothing any more.
        """
        self.open.clear()
        self.turns.clear()

    def consider(self, now: float) -> None:
        """
        Pull on each link on which there must be many more than we know of.
        """
        for link in self.core.links:
            if self.is_worth_it(link):
                self.pull(link, now)

    def pull(self, link: LinkKey, now: float) -> None:
        """
        Ask for all introductions on a link, unless that is under way.
        """
        if link not in self.turns:
            self.turns[link] = Turn(link, [(SMALLEST, MIDDLE), (MIDDLE, LARGEST)])
            self.ask(self.turns[link], now)

    def is_worth_it(self, link: LinkKey) -> bool:
        """
        Tell whether the peers on a link announce intervals that many more must have caused than we know.
        """
        peers = [peer for peer in self.core.peers if link in peer.paths]
        if not peers:
            return False
        links = len({other for peer in peers for other in peer.paths})
        around = median(peer.introduction.interval for peer in peers) * PHI / links
        known = len(peers) + sum(link == where[1] for where in self.core.candidates.table)
        return around > PULL_ABOVE and around > PULL_FACTOR * known

    def ask(self, turn: Turn, now: float) -> None:
        """
        Ask for the next ranges, each time another peer.
        """
        under_way = sum(pull.link == turn.link for pull in self.open.values())
        while turn.todo and under_way < PULLS_AT_ONCE and turn.pulls < MAX_PULLS:
            busy = {pull.peer for pull in self.open.values()}
            peers = [peer for peer in self.core.peers if turn.link in peer.paths and peer.key not in busy]
            peers = [peer for peer in peers if peer.key not in turn.asked] or peers
            if not peers:
                break
            peer = self.core.random.choice(peers)
            wanted, number = turn.todo.pop(), urandom(NUMBER_SIZE)
            turn.pulls += 1
            turn.asked.add(peer.key)
            under_way += 1
            self.open[number] = Pull(peer.key, turn.link, wanted, now)
            path = peer.paths[turn.link]
            self.core.outbox.to_peer(Kind.PULL, peer, path.link, path.address, number + wanted[0] + wanted[1])
            self.core.timers.at(now + PULL_PATIENCE, partial(self.check, number))
        if not under_way:
            self.turns.pop(turn.link, None)

    def check(self, number: bytes, now: float) -> None:
        """
        Give up a pull of which nothing came for a while, and ask others.
        """
        pull = self.open.get(number)
        if pull is None:
            return
        if now < pull.touched + PULL_PATIENCE:
            self.core.timers.at(pull.touched + PULL_PATIENCE, partial(self.check, number))
        else:
            self.end(number, now)

    def end(self, number: bytes, now: float) -> None:
        """
        Be done with one pull, and go on with what is missing.
        """
        pull = self.open.pop(number)
        turn = self.turns.get(pull.link)
        if turn is not None:
            turn.todo += pull.missing()
            self.ask(turn, now)

    def on_page(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take in one page of a pull of ours, each once.
        """
        page = Page.unpack(header.payload)
        pull = self.open.get(page.number)
        if (pull is None or pull.peer != peer.key or pull.link != arrival.link or page.turn in pull.ends
                or page.turn >= MAX_PAGES or not self.core.heard(peer, arrival, now)):
            self.core.counters.drop("unexpected")
            return
        keys = [each[SIGNER_AT:SIGNER_AT + 64] for each in page.introductions]
        if any(not pull.wanted[0] < key <= pull.wanted[1] for key in keys) or keys != sorted(set(keys)):
            self.core.counters.drop("malformed")
            self.end(page.number, now)
            return
        pull.touched = now
        pull.ends[page.turn] = keys[-1] if keys else pull.wanted[0] if not page.complete else pull.wanted[1]
        if page.last:
            pull.last, pull.complete = page.turn, page.complete
        for each in page.introductions:
            self.take(PREFIX + each, peer, arrival.link, now)
        if pull.last is not None and len(pull.ends) > pull.last:
            self.end(page.number, now)

    def take(self, data: bytes, relayer: PeerState, link: LinkKey, now: float) -> None:
        """
        Make a candidate of the signer of an introduction in a page, if it is what it must be.
        """
        reason = self.refuse(data, relayer, link, now)
        if reason is not None:
            self.core.counters.drop(reason)

    def refuse(self, data: bytes, relayer: PeerState, link: LinkKey, now: float) -> str | None:
        """
        Check an introduction in a page, cheapest first; get the reason to drop it, None when we know it already.
        """
        core = self.core
        try:
            header, named, introduction = self.read(data, link)
        except WireError:
            return "page_malformed"
        if not core.links[link].is_on_link(named.ip):
            return "page_off_link"
        peer, where = core.peers.get(header.signer), (header.signer, link)
        if ((peer is not None and link in peer.paths)
                or not core.candidates.is_news(where, header.epoch, header.sequence)):
            return None
        if not core.candidates.has_room(relayer.key, (link, named.ip)):
            return "page_full"
        reason = self.refuse_signature(data, header, now)
        if reason is None:
            core.candidates.add(Candidate(header.signer, link, (named.ip, named.port), header.epoch, header.sequence,
                                          relayer.key, now), introduction.interval, now)
        return reason

    @staticmethod
    def read(data: bytes, link: LinkKey) -> tuple[Header, Address, Introduction]:
        """
        Take an introduction apart that was multicast in the family of a link.

        :raises WireError: when it is none.
        """
        header = parse(data)
        reader = Reader(header.payload)
        named, introduction = reader.address(), Introduction.read(reader)
        reader.end()
        if data[22:25] != bytes((Kind.INTRODUCTION, VERSION, channel_of(link[1], True))) or named.family != link[1]:
            msg = "no introduction on this link"
            raise WireError(msg)
        return header, named, introduction

    def refuse_signature(self, data: bytes, header: Header, now: float) -> str | None:
        """
        Check stamp and signature within the budget.
        """
        if not is_stamped(stamp_digest(without_guard(data), header.guard)):
            return "page_no_stamp"
        if not self.tokens.take(now):
            return "page_rate"
        return None if is_signed(data, self.core.group.domain) else "page_bad_signature"
