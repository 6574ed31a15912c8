"""
Answers to what others look for: the work for them is bounded, whoever asks.

Which results there are is the client's affair: a query is told as the event `Asked`, and whoever handles it calls
`give`. Only a node with the capability `search` answers at all. What it has leaves only as an answer, to who asked,
sealed for the pair: who captures packets reads no names.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .budget import TokenBucket
from .events import Asked
from .limits import (
    MAX_ANSWERS_KEPT,
    MAX_QUERIES_PER_PEER,
    MAX_QUERIES_UNDER_WAY,
    PAGES_OF_ANSWERS_BURST,
    PAGES_OF_ANSWERS_PER_SECOND,
    QUERY_LIFETIME,
)
from .queries import Query, pack_pages
from .search import CAPABILITY
from .wire import Header, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..client import Result
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """
    A query of a peer (its key, 64 bytes) that waits for the client; answered not before `due` (seconds).
    """

    key: bytes
    query: Query
    due: float


class Answers:
    """
    The answers of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.under_way: dict[tuple[bytes, bytes], Question] = {}
        self.kept: OrderedDict[tuple[bytes, bytes], list[bytes]] = OrderedDict()
        self.tokens = TokenBucket(PAGES_OF_ANSWERS_PER_SECOND, PAGES_OF_ANSWERS_BURST)

    def on_query(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Have a query answered, once; send again what did not arrive of an answer.
        """
        query = Query.unpack(header.payload)
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if CAPABILITY not in self.core.introduction.capabilities:
            return
        place = peer.key, query.number
        pages = self.kept.get(place)
        if pages is not None and not arrival.multicast:
            self.send(peer.key, [page for number, page in enumerate(pages) if not query.had >> number & 1], now)
        elif pages is not None or place in self.under_way:
            self.core.counters.drop("duplicate")
        elif self.is_busy(peer.key):
            self.core.counters.drop("busy")
        else:
            spread = self.core.searches.spread() if arrival.multicast else 0.0
            question = Question(peer.key, query, now + self.core.random.uniform(0.0, spread))
            self.under_way[place] = question
            self.core.timers.at(now + QUERY_LIFETIME, lambda later: self.give(question, None, later))
            self.core.events.append(Asked(question))

    def is_busy(self, key: bytes) -> bool:
        """
        Tell whether too many queries wait for the client already, in all or of one peer.
        """
        return (len(self.under_way) >= MAX_QUERIES_UNDER_WAY
                or sum(key == other for other, _ in self.under_way) >= MAX_QUERIES_PER_PEER)

    def waits(self, question: Question) -> bool:
        """
        Tell whether an answer to a question still counts.
        """
        return self.under_way.get((question.key, question.query.number)) is question

    def give(self, question: Question, results: Iterable[Result] | None, now: float) -> None:
        """
        Answer a question with what the client has, best first; None: it failed, and the asker may ask again.
        """
        if not self.waits(question):
            return
        place = question.key, question.query.number
        del self.under_way[place]
        if results is None:
            self.core.counters.drop("unanswered")
            return
        pages = pack_pages(question.query, results)
        while len(self.kept) >= MAX_ANSWERS_KEPT:
            self.kept.popitem(last=False)
        self.kept[place] = pages
        if len(pages) > 1 or len(pages[0]) > len(question.query.number) + 2 or question.query.tell_nothing:
            self.core.timers.at(max(now, question.due), partial(self.send, question.key, pages))

    def send(self, key: bytes, pages: list[bytes], now: float) -> None:
        """
        Send pages to a peer, if it is still here and may have them.
        """
        peer = self.core.peers.get(key)
        if peer is None or not self.core.policy.allows(peer):
            return
        path = peer.freshest_path()
        for page in pages:
            if not self.tokens.take(now):
                self.core.counters.drop("answer_budget")
                return
            self.core.outbox.to_peer(Kind.RESULTS, peer, path.link, path.address, page, sealed=True)

    def forget(self) -> None:
        """
        Drop all.
        """
        self.under_way.clear()
        self.kept.clear()
