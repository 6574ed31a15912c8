"""
Pages of introductions, as bytes and as their giver sees them.

Who comes new to a large LAN would have to wait minutes until everybody introduced itself again. So it pulls: a
verified peer sends it the introductions it heard, as they were signed, in the order of their keys.

    PULL    number of the pull (8), the key after which to begin (64), the last key that is wanted (64)
    PAGE    number of the pull (8), number of the page (2), flags (1): 1 last page of this pull, 2 nothing is left in
            the range; then for each introduction its size (2) and the datagram without the first 22 bytes
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple

from .budget import KeyedBuckets, TokenBucket
from .identity import KEY_SIZE
from .limits import (
    MAX_PAGE_INTRODUCTIONS,
    MAX_PAGES,
    MAX_PULLS_SERVED,
    PAGE_BURST,
    PAGE_GAP,
    PAGES_PER_ASKER,
    PAGES_PER_SECOND,
)
from .wire import MAX_SIGNED, OVERHEAD, PREFIX, Header, Kind, Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState

NUMBER_SIZE: Final = 8
PAGE_HEAD: Final = NUMBER_SIZE + 3
LAST: Final = 1
COMPLETE: Final = 2
PAGE_ROOM: Final = MAX_SIGNED - OVERHEAD - PAGE_HEAD
SMALLEST: Final = bytes(KEY_SIZE)
LARGEST: Final = b"\xff" * KEY_SIZE
SIGNER_AT: Final = 41 - len(PREFIX)
"""Where the key of the signer stands in an introduction without its first 22 bytes."""


class Page(NamedTuple):
    """
    A PAGE taken apart; nothing in it is checked yet.
    """

    number: bytes
    turn: int
    last: bool
    complete: bool
    introductions: list[bytes]

    def pack(self) -> bytes:
        """
        Write the payload.
        """
        flags = LAST * self.last | COMPLETE * self.complete
        return b"".join((self.number, self.turn.to_bytes(2, "big"), bytes((flags,)),
                         *(len(each).to_bytes(2, "big") + each for each in self.introductions)))

    @classmethod
    def unpack(cls, payload: bytes) -> Page:
        """
        Read what `pack` wrote.

        :raises WireError: when it is none, or holds more introductions than fit or parts of one.
        """
        reader = Reader(payload)
        number, turn, flags = reader.take(NUMBER_SIZE), reader.number(2), reader.number(1)
        introductions: list[bytes] = []
        while reader.position < len(payload):
            each = reader.take(reader.number(2))
            if len(each) < OVERHEAD - len(PREFIX) or len(introductions) >= MAX_PAGE_INTRODUCTIONS:
                msg = "no page"
                raise WireError(msg)
            introductions.append(each)
        return cls(number, turn, bool(flags & LAST), bool(flags & COMPLETE), introductions)


@dataclass(slots=True, eq=False)
class Job:
    """
    A pull that is being served: what is still to be sent, and whether the range is over then.
    """

    number: bytes
    link: LinkKey
    keys: list[bytes]
    complete: bool
    sent: int = 0
    turn: int = 0


class Pages:
    """
    The giver of pages, for one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.jobs: OrderedDict[bytes, Job] = OrderedDict()
        self.tokens = TokenBucket(PAGES_PER_SECOND, PAGE_BURST)
        self.askers = KeyedBuckets(PAGES_PER_ASKER, PAGE_BURST, 2 * MAX_PULLS_SERVED)
        self.sending = False

    def on_pull(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Begin to serve a verified peer, in place of what it asked for before.
        """
        reader = Reader(header.payload)
        number, after, up_to = reader.take(NUMBER_SIZE), reader.take(KEY_SIZE), reader.take(KEY_SIZE)
        reader.end()
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if peer.key not in self.jobs and len(self.jobs) >= MAX_PULLS_SERVED:
            self.core.counters.drop("rate")
            return
        most = MAX_PAGES * MAX_PAGE_INTRODUCTIONS
        keys = nsmallest(most + 1, (key for key in self.known(arrival.link)
                                    if after < key <= up_to and key != peer.key))
        self.jobs[peer.key] = Job(number, arrival.link, keys[:most], len(keys) <= most)
        if not self.sending:
            self.sending = True
            self.send(now)

    def known(self, link: LinkKey) -> Iterator[bytes]:
        """
        Go over the keys of the peers of which there is an introduction on a link.
        """
        return (peer.key for peer in self.core.peers if self.stored(peer.key, link))

    def stored(self, key: bytes, link: LinkKey) -> bytes:
        """
        Get the last introduction of a verified peer on a link, without its first 22 bytes; empty when there is none.
        """
        peer = self.core.peers.get(key)
        path = peer.paths.get(link) if peer is not None else None
        return path.introduction if path is not None else b""

    def send(self, now: float) -> None:
        """
        Send a few pages, one to each asker in turn; come back while there is more.
        """
        sent = True
        count = 0
        while self.jobs and sent and count < PAGE_BURST:
            sent = False
            for asker in list(self.jobs):
                if count < PAGE_BURST and self.send_next(asker, now):
                    sent = True
                    count += 1
        if self.jobs:
            self.core.timers.at(now + PAGE_GAP, self.send)
        else:
            self.sending = False

    def send_next(self, asker: bytes, now: float) -> bool:
        """
        Send the next page to an asker if the budgets let us.
        """
        job, peer = self.jobs[asker], self.core.peers.get(asker)
        path = peer.paths.get(job.link) if peer is not None else None
        if peer is None or path is None:
            del self.jobs[asker]
            return False
        if not self.tokens.take(now):
            return False
        if not self.askers.take(asker, now):
            self.tokens.tokens += 1
            return False
        introductions: list[bytes] = []
        room = PAGE_ROOM
        while job.sent < len(job.keys) and len(introductions) < MAX_PAGE_INTRODUCTIONS:
            stored = self.stored(job.keys[job.sent], job.link)
            if len(stored) + 2 > room:
                break
            if stored:
                introductions.append(stored)
                room -= len(stored) + 2
            job.sent += 1
        over = job.sent == len(job.keys)
        last = over or job.turn + 1 >= MAX_PAGES
        page = Page(job.number, job.turn, last, over and job.complete, introductions)
        self.core.outbox.to_peer(Kind.PAGE, peer, path.link, path.address, page.pack())
        job.turn += 1
        if last:
            del self.jobs[asker]
        return True

    def forget(self) -> None:
        """
        Serve nobody any more.
        """
        self.jobs.clear()
        self.sending = False
