"""
The gate: everything that is checked before a signature is, cheapest first.

A signature check costs 70 microseconds, a forged datagram costs its sender two. So a datagram must be well formed, have
come the right way, from an address on the link, fit what we know of its signer, carry the right guard (of a stranger:
a stamp), and find room in a budget. What is dropped is counted by reason.
"""
from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from . import limits
from .budget import KeyedBuckets, Recent, TokenBucket
from .identity import pair_guard
from .overhearing import LISTENING
from .pair_seal import open_from_pair
from .stamp import is_stamped, stamp_digest
from .wire import (
    ALWAYS_SEALED,
    CODED_KINDS,
    FRAGMENT_KINDS,
    MULTICAST_KINDS,
    OVERHEAD,
    PAIR_KINDS,
    PAIR_SEALED,
    PEERS_KINDS,
    PREFIXES,
    RANK_KINDS,
    SEALABLE_KINDS,
    TRAIN_KINDS,
    TRAIN_PACKET,
    UNICAST_KINDS,
    VERSION,
    Header,
    Kind,
    channel_of,
    parse,
    prefix_of,
    without_guard,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .handshake import PendingChallenges, Secrets
    from .links import Arrival, Link
    from .peers import PeerState, PeerTable
    from .policy import Policy
    from .puller import Pull
    from .reassembly import Reassembly

AWAITED_KINDS: Final = frozenset({Kind.PAGE, Kind.RESULTS, Kind.FILE_ANSWER, Kind.OFFER, Kind.HAS})
"""Answers that nobody gets a signature checked for who was not asked."""


class Gate:
    """
    Decides what is worth a signature check.
    """

    def __init__(self, key: bytes, peers: PeerTable, pending: PendingChallenges, secrets: Secrets,
                 reassembly: Reassembly, policy: Policy) -> None:
        """
        Stand before a protocol instance with this key and these tables.
        """
        self.key = key
        self.peers = peers
        self.pending = pending
        self.secrets = secrets
        self.reassembly = reassembly
        self.policy = policy
        self.introductions = TokenBucket(limits.INTRODUCTIONS_PER_SECOND, limits.INTRODUCTIONS_BURST)
        self.challenges = TokenBucket(limits.CHALLENGES_PER_SECOND, limits.CHALLENGES_BURST)
        self.hints = TokenBucket(limits.HINTS_PER_SECOND, limits.HINTS_BURST)
        self.sources = KeyedBuckets(limits.SOURCE_PER_SECOND, limits.SOURCE_BURST, limits.SOURCES_REMEMBERED)
        self.known = KeyedBuckets(limits.PEER_PER_SECOND, limits.PEER_BURST, limits.MAX_PEERS)
        self.pairs = KeyedBuckets(2 * limits.PEER_PER_SECOND, 2 * limits.PEER_BURST, limits.MAX_PEERS)
        self.fragments = KeyedBuckets(limits.FRAGMENTS_PER_SECOND, limits.FRAGMENTS_BURST, limits.MAX_PEERS)
        self.all_fragments = TokenBucket(limits.ALL_FRAGMENTS_PER_SECOND, limits.ALL_FRAGMENTS_BURST)
        self.repairs = KeyedBuckets(limits.PAIR_FRAGMENTS_PER_SECOND, limits.PAIR_FRAGMENTS_BURST, limits.MAX_PEERS)
        self.asks = KeyedBuckets(limits.ASKS_PER_SECOND, limits.ASKS_BURST, limits.MAX_PEERS)
        self.pings = KeyedBuckets(limits.PINGS_PER_SECOND, limits.PINGS_BURST, limits.MAX_PEERS)
        self.all_pings = TokenBucket(limits.ALL_PINGS_PER_SECOND, limits.ALL_PINGS_BURST)
        self.pongs = KeyedBuckets(limits.PINGS_PER_SECOND, limits.PINGS_BURST, limits.MAX_PEERS)
        self.pulls: dict[bytes, Pull] = {}
        self.pull_budget = KeyedBuckets(limits.PULLS_PER_SECOND, limits.PULLS_BURST, limits.MAX_PEERS)
        self.page_budget = KeyedBuckets(limits.PAGES_CHECKED_PER_SECOND, limits.PAGES_CHECKED_BURST, limits.MAX_PEERS)
        self.friends = KeyedBuckets(limits.FRIENDS_PER_SECOND, limits.FRIENDS_BURST, limits.MAX_PEERS)
        self.all_friends = TokenBucket(limits.ALL_FRIENDS_PER_SECOND, limits.ALL_FRIENDS_BURST)
        self.trains = KeyedBuckets(limits.TRAINS_PER_SECOND, limits.TRAINS_BURST, limits.MAX_PEERS)
        self.all_trains = TokenBucket(limits.ALL_TRAINS_PER_SECOND, limits.ALL_TRAINS_BURST)
        self.reports = KeyedBuckets(limits.TRAINS_PER_SECOND, limits.TRAINS_BURST, limits.MAX_PEERS)
        self.weather = KeyedBuckets(limits.WEATHER_PER_SECOND, limits.WEATHER_BURST, limits.MAX_PEERS)
        self.all_weather = TokenBucket(limits.ALL_WEATHER_PER_SECOND, limits.ALL_WEATHER_BURST)
        self.queries = KeyedBuckets(limits.QUERIES_PER_SECOND, limits.QUERIES_BURST, limits.MAX_PEERS)
        self.all_queries = TokenBucket(limits.ALL_QUERIES_PER_SECOND, limits.ALL_QUERIES_BURST)
        self.queries_again = KeyedBuckets(limits.QUERIES_AGAIN_PER_SECOND, limits.QUERIES_AGAIN_BURST,
                                          limits.MAX_PEERS)
        self.results = KeyedBuckets(limits.RESULTS_PER_SECOND, limits.RESULTS_BURST, limits.MAX_PEERS)
        self.awaits_results: Callable[[Header], bool] = lambda _header: False
        self.file_requests = KeyedBuckets(limits.FILE_REQUESTS_PER_SECOND, limits.FILE_REQUESTS_BURST, limits.MAX_PEERS)
        self.file_answers = KeyedBuckets(limits.FILE_REQUESTS_PER_SECOND, limits.FILE_REQUESTS_BURST, limits.MAX_PEERS)
        self.all_file_requests = TokenBucket(limits.ALL_FILE_REQUESTS_PER_SECOND, limits.ALL_FILE_REQUESTS_BURST)
        self.awaits_file: Callable[[Header], bool] = lambda _header: False
        self.swarms = KeyedBuckets(limits.SWARMS_PER_SECOND, limits.SWARMS_BURST, limits.MAX_PEERS)
        self.all_swarms = TokenBucket(limits.ALL_SWARMS_PER_SECOND, limits.ALL_SWARMS_BURST)
        self.swarm_answers = KeyedBuckets(limits.SWARMS_PER_SECOND, limits.SWARMS_BURST, limits.MAX_PEERS)
        self.awaits_swarms: Callable[[Header], bool] = lambda _header: False
        self.coded = KeyedBuckets(limits.CODED_PER_SECOND, limits.CODED_BURST, limits.MAX_PEERS)
        self.all_coded = TokenBucket(limits.ALL_CODED_PER_SECOND, limits.ALL_CODED_BURST)
        self.offers = KeyedBuckets(limits.OFFERS_PER_SECOND, limits.OFFERS_BURST, limits.MAX_PEERS)
        self.rank_reports = KeyedBuckets(limits.RANKS_PER_SECOND, limits.RANKS_BURST, limits.MAX_PEERS)
        self.all_rank_reports = TokenBucket(limits.ALL_RANKS_PER_SECOND, limits.ALL_RANKS_BURST)
        self.awaits_offer: Callable[[Header, float], bool] = lambda _header, _now: False
        self.stamped = Recent(limits.REPEAT_BITS, limits.REPEAT_ENTRIES, limits.REPEAT_MEMORY)

    def look(self, data: bytes, arrival: Arrival, links: Mapping[tuple[int, int], Link]) -> str | None:
        """
        Check form and way of a datagram; get the reason to drop it, None when there is none.
        """
        reason = self.look_at_form(data, arrival.multicast)
        if reason is not None:
            return reason
        sealed = PAIR_SEALED if data[22] in SEALABLE_KINDS and not arrival.multicast else 0
        if data[24] & ~sealed != channel_of(arrival.link[1], arrival.multicast):
            return "wrong_channel"
        return self.look_at_way(arrival, links)

    @staticmethod
    def look_at_way(arrival: Arrival, links: Mapping[tuple[int, int], Link]) -> str | None:
        """
        Check that a datagram crossed no router.
        """
        if arrival.hop_limit is not None and arrival.hop_limit != (1 if arrival.multicast else 255):
            return "hop_limit"
        link = links.get(arrival.link)
        if link is not None and link.silent:
            return LISTENING
        return None if link is not None and link.is_on_link(arrival.source[0]) else "off_link"

    @staticmethod
    def look_at_form(data: bytes, multicast: bool) -> str | None:
        """
        Check size, prefix, version and kind.
        """
        if len(data) > limits.MAX_DATAGRAM:
            return "oversize"
        if not data.startswith(PREFIXES):
            return "not_ours"
        if len(data) < OVERHEAD or data[22] == TRAIN_PACKET:
            return "train_packet" if data[22:23] == bytes((TRAIN_PACKET,)) else "malformed"
        if data[23] != VERSION:
            return "version"
        if data[22] in (MULTICAST_KINDS if multicast else UNICAST_KINDS):
            return None if data.startswith(prefix_of(data[22])) else "wrong_prefix"
        if data[22] == Kind.SEALED:
            return "sealed"
        return "wrong_channel" if data[22] in MULTICAST_KINDS | UNICAST_KINDS else "unknown_kind"

    def admit(self, data: bytes, arrival: Arrival, now: float) -> tuple[Header, str | None]:
        """
        Check a datagram that passed `look` against what we know; get its header, and the reason to drop it if any.
        """
        header = parse(data)
        peer = self.peers.get(header.signer)
        reason = self.admit_signer(header, peer)
        if reason is None and peer is not None and header.channel & PAIR_SEALED:
            header, reason = self.unseal(data, header, peer)
        return header, reason or self.admit_kind(data, header, arrival, peer, now)

    @staticmethod
    def unseal(data: bytes, header: Header, peer: PeerState) -> tuple[Header, str | None]:
        """
        Open what a peer sealed for us, once its guard says that it comes from that peer.
        """
        if header.epoch != peer.epoch:
            return header, "unconfirmed_epoch"
        if not compare_digest(header.guard, pair_guard(peer.pair_key, without_guard(data))):
            return header, "bad_guard"
        payload = open_from_pair(peer.pair_key, header.payload)
        return (header, "bad_seal") if payload is None else (header._replace(payload=payload), None)

    def admit_signer(self, header: Header, peer: PeerState | None) -> str | None:
        """
        Check epoch, sequence number and policy against what we know of the signer.
        """
        if header.signer == self.key:
            return "own"
        if peer is not None:
            if header.epoch < peer.epoch:
                return "old_epoch"
            if header.epoch == peer.epoch and not peer.window.is_fresh(header.sequence):
                return "replay"
            if not self.policy.hears(header.kind, peer):
                return "not_friend"
        return None

    def admit_kind(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState | None,
                   now: float) -> str | None:
        """
        Check what this kind of message needs.
        """
        if header.kind == Kind.CHALLENGE:
            return self.admit_stranger(data, header, arrival, self.challenges, now)
        if header.kind == Kind.RESPONSE:
            pending = self.pending.get(header.guard, now)
            fits = (pending is not None and pending.key == header.signer and pending.link == arrival.link
                    and pending.address == arrival.source)
            return None if fits else "unexpected"
        if header.kind == Kind.CONFIRM:
            return None if self.secrets.is_nonce(arrival, header, now) else "unexpected"
        if not arrival.multicast:
            return self.admit_pair(data, header, arrival, peer, now)
        if header.kind not in PEERS_KINDS:
            return self.admit_multicast(data, header, arrival, peer, now)
        if peer is None or header.epoch != peer.epoch:
            return "unknown_peer" if peer is None else "unconfirmed_epoch"
        return self.admit_peers(data, header, arrival, peer, now)

    def admit_peers(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check a kind of multicast that only verified peers are heard with.
        """
        if header.kind in FRAGMENT_KINDS:
            return self.admit_fragment(header, arrival, peer, now)
        if header.kind == Kind.PING:
            return self.admit_ping(header, arrival, peer, now)
        if header.kind in TRAIN_KINDS:
            return self.admit_train(header, arrival, peer, now)
        if header.kind == Kind.QUERY:
            return self.admit_query(header, arrival, peer, now)
        if header.kind == Kind.WEATHER:
            return self.admit_weather(header, arrival, peer, now)
        return self.admit_multicast(data, header, arrival, peer, now)

    def admit_pair(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState | None,
                   now: float) -> str | None:
        """
        Check the guard of a datagram between verified peers. From one that verified us but that we lost, it is a hint.
        """
        if peer is None:
            return None if header.kind in PAIR_KINDS and self.hints.take(now) else "unknown_peer"
        if header.epoch != peer.epoch:
            return "unconfirmed_epoch"
        if not compare_digest(header.guard, pair_guard(peer.pair_key, without_guard(data))):
            return "bad_guard"
        reason = self.look_in_pair(header, arrival, now)
        if reason is not None:
            return reason
        budget = self.pair_budget(Kind(header.kind))
        if not budget.take(header.signer, now):
            return "rate"
        crowd = self.crowd_budget(Kind(header.kind), peer)
        return None if crowd is None or crowd.take(now) else "rate"

    def look_in_pair(self, header: Header, arrival: Arrival, now: float) -> str | None:
        """
        Check what a datagram between verified peers must be beside rightly guarded: sealed, news, asked for.
        """
        if header.kind in FRAGMENT_KINDS and not self.reassembly.is_news(header):
            return "duplicate"
        if header.kind in ALWAYS_SEALED and not header.channel & PAIR_SEALED:
            return "not_sealed"
        if header.kind in CODED_KINDS and len(header.payload) > limits.MAX_CODED_PAYLOAD:
            return "oversize"
        if header.kind in AWAITED_KINDS and not self.is_awaited(header, arrival, now):
            return "unexpected"
        return None

    def crowd_budget(self, kind: Kind, peer: PeerState) -> TokenBucket | None:
        """
        Get the budget of a kind of unicast of all peers together, if it has one.
        """
        if kind == Kind.FILE_REQUEST:
            return self.all_file_requests
        if kind == Kind.WHO_HAS:
            return self.all_swarms
        if kind == Kind.FRIEND and not self.policy.is_chosen(peer):
            return self.all_friends
        if kind in RANK_KINDS:
            return self.all_rank_reports
        return self.all_coded if kind in CODED_KINDS else None

    def pair_budget(self, kind: Kind) -> KeyedBuckets:
        """
        Get the budget of a kind of unicast between verified peers.
        """
        if kind in FRAGMENT_KINDS:
            return self.repairs
        if kind in CODED_KINDS:
            return self.rank_reports if kind in RANK_KINDS else self.offers if kind == Kind.OFFER else self.coded
        return {Kind.ASK: self.asks, Kind.PONG: self.pongs, Kind.PULL: self.pull_budget, Kind.PAGE: self.page_budget,
                Kind.FRIEND: self.friends, Kind.TRAIN_REPORT: self.reports, Kind.QUERY: self.queries_again,
                Kind.RESULTS: self.results, Kind.FILE_REQUEST: self.file_requests,
                Kind.FILE_ANSWER: self.file_answers, Kind.WHO_HAS: self.swarms,
                Kind.HAS: self.swarm_answers}.get(kind, self.pairs)

    def is_awaited(self, header: Header, arrival: Arrival, now: float) -> bool:
        """
        Tell whether a PAGE is one of a pull of ours under way, RESULTS of a search, and did not come before; whether we
        wait for a FILE_ANSWER, a HAS or an OFFER.
        """
        if header.kind == Kind.HAS:
            return self.awaits_swarms(header)
        if header.kind == Kind.OFFER:
            return self.awaits_offer(header, now)
        if header.kind == Kind.FILE_ANSWER:
            return self.awaits_file(header)
        if header.kind == Kind.RESULTS:
            return self.awaits_results(header)
        pull = self.pulls.get(header.payload[:8])
        return (pull is not None and pull.peer == header.signer and pull.link == arrival.link
                and int.from_bytes(header.payload[8:10], "big") not in pull.ends)

    def admit_fragment(self, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check a multicast fragment in the name of a peer: it must come from that peer's address, and tell us something.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return "unverified_path"
        if not self.reassembly.is_news(header):
            return "duplicate"
        return None if self.fragments.take(header.signer, now) and self.all_fragments.take(now) else "rate"

    def admit_ping(self, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check a multicast ping in the name of a peer: it must come from that peer's address.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return "unverified_path"
        return None if self.pings.take(header.signer, now) and self.all_pings.take(now) else "rate"

    def admit_train(self, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check what begins or ends a train in the name of a peer: it must come from that peer's address.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return "unverified_path"
        return None if self.trains.take(header.signer, now) and self.all_trains.take(now) else "rate"

    def admit_weather(self, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check weather in the name of a peer: it must come from that peer's address.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return "unverified_path"
        if len(header.payload) > limits.MAX_WEATHER:
            return "oversize"
        return None if self.weather.take(header.signer, now) and self.all_weather.take(now) else "rate"

    def admit_query(self, header: Header, arrival: Arrival, peer: PeerState, now: float) -> str | None:
        """
        Check a query to all in the name of a peer: it must come from that peer's address.
        """
        path = peer.paths.get(arrival.link)
        if path is None or path.address != arrival.source:
            return "unverified_path"
        return None if self.queries.take(header.signer, now) and self.all_queries.take(now) else "rate"

    def admit_multicast(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState | None,
                        now: float) -> str | None:
        """
        Check a multicast datagram: one in the name and from the address of a peer against the budget of that peer.
        """
        if peer is not None and any(path.address == arrival.source for path in peer.paths.values()):
            return None if self.known.take(header.signer, now) else "rate"
        return self.admit_stranger(data, header, arrival, self.introductions, now)

    def admit_stranger(self, data: bytes, header: Header, arrival: Arrival, budget: TokenBucket,
                       now: float) -> str | None:
        """
        Check a sender that nothing is known of: it must have stamped this very datagram, and never sent it before.
        """
        digest = stamp_digest(without_guard(data), header.guard)
        if not is_stamped(digest):
            return "no_stamp"
        if self.stamped.seen(digest, now):
            return "repeated"
        return None if self.sources.take(arrival.source[0], now) and budget.take(now) else "flood"
