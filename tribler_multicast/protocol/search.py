"""
Search: what is looked for on the LAN, and the answers that come.

A QUERY goes to the group once per link; whoever has the capability `search` answers by unicast, sealed for the pair,
after a random time that grows with their number, also that it has nothing, so that a search on a small LAN is over as
soon as all have answered. Those whose answer did not come whole are asked again by unicast for what is missing. With
the policy `friends` nothing goes to the group: each friend is asked by unicast, sealed.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from .budget import TokenBucket
from .events import ResultsFound, SearchEnded
from .limits import (
    LEAST_ANSWER_RESULTS,
    MAX_ANSWER_PAGES,
    MAX_ANSWER_RESULTS,
    MAX_ASKED_AGAIN,
    MAX_PEERS,
    MAX_SEARCH_RESULTS,
    MAX_SEARCH_SPREAD,
    MAX_SEARCHES,
    QUERIES_BURST,
    QUERIES_PER_SECOND,
    SEARCH_AGAIN,
    SEARCH_SPREAD,
    SILENT_GRACE,
    SILENT_SEARCHES,
)
from .queries import QUERY_ID_SIZE, Query, read_page
from .wire import Header, Kind, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..client import Result
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState

CAPABILITY: Final = "search"
RETRY: Final = 0.05
"""Seconds until a query for which the budget had no room is tried again."""


@dataclass(slots=True)
class PeerAnswer:
    """
    What came from one of those who were asked: how many pages there are, which came, what was in them.

    `awaited` is False for one whose answers to the searches before were not whole.
    """

    mid: bytes
    awaited: bool
    pages: int | None = None
    had: int = 0
    seen: set[tuple[str, bytes]] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """
        Did all pages come?
        """
        return self.pages is not None and self.had == (1 << self.pages) - 1


@dataclass(slots=True, eq=False)
class SearchRun:
    """
    One search: the query, and what came of whom, by key. Times are on the protocol's clock.
    """

    query: Query
    answers: dict[bytes, PeerAnswer]
    until: float
    sent: float | None = None
    found: int = 0
    repeated: bool = False
    ended: bool = False


class Searches:
    """
    The searches of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.runs: dict[bytes, SearchRun] = {}
        self.tokens = TokenBucket(QUERIES_PER_SECOND / 2, QUERIES_BURST / 2)
        self.silent: dict[bytes, int] = {}
        core.gate.awaits_results = self.awaits

    # --- Asking.

    def start(self, text: str, kinds: Iterable[str], timeout: float, now: float) -> SearchRun:
        """
        Ask all local peers that can answer; ResultsFound tells what they have, SearchEnded the end.

        It ends when all have answered, after `timeout` seconds at the latest.

        :raises ValueError: with one line that says why, when it can't be done.
        """
        asked = [peer for peer in self.core.peers
                 if CAPABILITY in peer.introduction.capabilities and self.core.policy.allows(peer)]
        share = MAX_SEARCH_RESULTS // max(1, len(asked))
        query = Query.make(text, kinds, max(LEAST_ANSWER_RESULTS, min(MAX_ANSWER_RESULTS, share)),
                           len(asked) <= MAX_ASKED_AGAIN)
        if self.core.started is None:
            msg = "this node is switched off"
            raise ValueError(msg)
        if len(self.runs) >= MAX_SEARCHES:
            msg = f"{MAX_SEARCHES} searches are running already"
            raise ValueError(msg)
        answers = {peer.key: PeerAnswer(peer.mid, self.silent.get(peer.key, 0) < SILENT_SEARCHES) for peer in asked}
        run = SearchRun(query, answers, now + timeout)
        self.runs[query.number] = run
        if not answers:
            self.end(run)
            return run
        self.core.timers.at(run.until, lambda _now: self.time_out(run))
        self.send(run, now)
        return run

    def spread(self) -> float:
        """
        Get the longest time (seconds) that somebody waits with an answer.
        """
        return min(self.core.peers.path_count * SEARCH_SPREAD, MAX_SEARCH_SPREAD)

    def send(self, run: SearchRun, now: float) -> None:
        """
        Ask, if the budget lets us, and see to asking again.
        """
        if run.ended:
            return
        if not self.tokens.take(now):
            self.core.timers.at(now + RETRY, partial(self.send, run))
            return
        run.sent = now
        self.ask_all(run)
        spread = self.spread()
        for delay in SEARCH_AGAIN:
            self.core.timers.at(now + spread + delay, partial(self.ask_again, run))
        self.core.timers.at(now + spread + SILENT_GRACE, partial(self.end_if_complete, run))

    def ask_again(self, run: SearchRun, now: float) -> None:
        """
        Ask those again whose answer is not whole.
        """
        self.end_if_complete(run, now)
        if run.ended:
            return
        if not run.query.tell_nothing and not run.repeated:
            run.repeated = True  # Whom the first one did not reach: in a crowd silence tells nothing.
            self.ask_all(run)
        self.ask_each(run, [key for key, answer in run.answers.items()
                            if not answer.complete and (answer.had or run.query.tell_nothing)])

    def ask_all(self, run: SearchRun) -> None:
        """
        Ask all by multicast; friends one by one, when it is for them only.
        """
        if self.core.policy.friends_only:
            self.ask_each(run, [key for key, answer in run.answers.items() if not answer.complete])
            return
        for link in self.core.announcer.links_to_peers():
            if link in self.core.links:
                self.core.outbox.multicast(Kind.QUERY, link, run.query.pack())

    def ask_each(self, run: SearchRun, keys: list[bytes]) -> None:
        """
        Ask by unicast, sealed for each, for the pages that are missing; a random choice when they are many.
        """
        if len(keys) > MAX_ASKED_AGAIN:
            keys = self.core.random.sample(keys, MAX_ASKED_AGAIN)
        for key in keys:
            peer = self.core.peers.get(key)
            if peer is not None and self.core.policy.allows(peer):
                path = peer.freshest_path()
                payload = run.query.pack(run.answers[key].had)
                self.core.outbox.to_peer(Kind.QUERY, peer, path.link, path.address, payload, sealed=True)

    # --- The end.

    def end_if_complete(self, run: SearchRun, now: float) -> None:
        """
        End a search before its time when nothing more is awaited.
        """
        if run.ended or run.sent is None:
            return
        patient = now < run.sent + self.spread() + SILENT_GRACE
        if all(answer.complete or self.core.peers.get(key) is None or not (answer.awaited or patient)
               for key, answer in run.answers.items()):
            self.end(run)

    def time_out(self, run: SearchRun) -> None:
        """
        End a search whose time is over, and note whose answer did not come whole.
        """
        if run.ended:
            return
        if run.query.tell_nothing and run.sent is not None:
            for key, answer in run.answers.items():
                if not answer.complete and (key in self.silent or len(self.silent) < MAX_PEERS):
                    self.silent[key] = self.silent.get(key, 0) + 1
        self.end(run)

    def end(self, run: SearchRun) -> None:
        """
        Take no more answers to a search, and tell its end.
        """
        if not run.ended:
            run.ended = True
            del self.runs[run.query.number]
            self.core.events.append(SearchEnded(run))

    def forget(self) -> None:
        """
        End all searches.
        """
        for run in list(self.runs.values()):
            self.end(run)
        self.silent.clear()

    # --- Answers.

    def awaits(self, header: Header) -> bool:
        """
        Tell whether a page is one of a search of ours under way, from somebody asked, that did not come before.
        """
        run = self.runs.get(header.payload[:QUERY_ID_SIZE])
        answer = run.answers.get(header.signer) if run is not None else None
        if answer is None or len(header.payload) <= QUERY_ID_SIZE:
            return False
        number = header.payload[QUERY_ID_SIZE]
        return number < (answer.pages or MAX_ANSWER_PAGES) and not answer.had >> number & 1

    def on_results(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take a page: what was asked for, once, and no more of it than was asked for.
        """
        number, count, results = read_page(header.payload)
        run = self.runs[header.payload[:QUERY_ID_SIZE]]
        answer = run.answers[peer.key]
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if answer.pages not in (None, count):
            msg = "another number of pages"
            raise WireError(msg)
        answer.pages = count
        answer.had |= 1 << number
        fresh = self.fresh(run, answer, results)
        if fresh:
            self.core.events.append(ResultsFound(run, peer, tuple(fresh)))
        if answer.complete:
            self.silent.pop(peer.key, None)
            self.end_if_complete(run, now)

    def fresh(self, run: SearchRun, answer: PeerAnswer, results: list[Result]) -> list[Result]:
        """
        Choose what counts of what a peer says that it has.
        """
        fresh = []
        for result in results:
            if result.kind not in run.query.kinds or (result.kind, result.id) in answer.seen:
                self.core.counters.drop("unexpected_result")
            elif len(answer.seen) >= run.query.most or run.found >= MAX_SEARCH_RESULTS:
                self.core.counters.drop("too_many_results")
            else:
                answer.seen.add((result.kind, result.id))
                run.found += 1
                fresh.append(result)
        return fresh
