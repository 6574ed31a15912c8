"""
The gate: everything that is checked before a signature is, cheapest first.

A signature check costs 70 microseconds, a forged datagram costs its sender two. So a datagram must be well formed, have
come the right way, from an address on the link, fit what we know of its signer, carry the right guard where it needs
one, and find room in a budget. What is dropped is counted by reason.
"""
from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from . import limits
from .budget import KeyedBuckets, Recent, TokenBucket
from .identity import pair_guard
from .wire import (
    COOKIE,
    MULTICAST_KINDS,
    NO_GUARD,
    OVERHEAD,
    PAIR_KINDS,
    PREFIX,
    UNICAST_KINDS,
    UNSIGNED_KINDS,
    VERSION,
    Header,
    Kind,
    channel_of,
    parse,
    without_guard,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .handshake import PendingChallenges, Secrets
    from .links import Arrival, Link
    from .peers import PeerState, PeerTable

GIVE_COOKIE = "cookie_given"
NUDGE = "nudged"


class Gate:
    """
    Decides what is worth a signature check.
    """

    def __init__(self, key: bytes, peers: PeerTable, pending: PendingChallenges, secrets: Secrets) -> None:
        """
        Stand before a protocol instance with this key and these tables.
        """
        self.key = key
        self.peers = peers
        self.pending = pending
        self.secrets = secrets
        self.introductions = TokenBucket(limits.INTRODUCTIONS_PER_SECOND, limits.INTRODUCTIONS_BURST)
        self.nudges = TokenBucket(limits.NUDGES_PER_SECOND, limits.NUDGES_BURST)
        self.challenges = TokenBucket(limits.CHALLENGES_PER_SECOND, limits.CHALLENGES_BURST)
        self.cookied = TokenBucket(limits.COOKIED_PER_SECOND, limits.COOKIED_BURST)
        self.cookies = TokenBucket(limits.COOKIES_PER_SECOND, limits.COOKIES_BURST)
        self.sources = KeyedBuckets(limits.SOURCE_PER_SECOND, limits.SOURCE_BURST, limits.SOURCES_REMEMBERED)
        self.nudge_targets = KeyedBuckets(limits.NUDGES_PER_TARGET_PER_SECOND, limits.NUDGES_PER_TARGET_BURST,
                                          limits.TARGETS_REMEMBERED)
        self.known = KeyedBuckets(limits.PEER_PER_SECOND, limits.PEER_BURST, limits.MAX_PEERS)
        self.pairs = KeyedBuckets(2 * limits.PEER_PER_SECOND, 2 * limits.PEER_BURST, limits.MAX_PEERS)
        self.knocks = Recent(limits.KNOCK_BITS, limits.KNOCK_MEMORY)
        self.nudged = Recent(limits.KNOCK_BITS, limits.KNOCK_MEMORY, limits.NUDGE_MEMORY)

    def look(self, data: bytes, arrival: Arrival, links: Mapping[tuple[int, int], Link]) -> str | None:
        """
        Check form and way of a datagram; get the reason to drop it, None when there is none.
        """
        reason = self.look_at_form(data, arrival.multicast)
        if reason is not None:
            return reason
        if data[24] != channel_of(arrival.link[1], arrival.multicast):
            return "wrong_channel"
        if arrival.hop_limit is not None and arrival.hop_limit != (1 if arrival.multicast else 255):
            return "hop_limit"
        link = links.get(arrival.link)
        return None if link is not None and link.is_on_link(arrival.source[0]) else "off_link"

    @staticmethod
    def look_at_form(data: bytes, multicast: bool) -> str | None:
        """
        Check size, prefix, version and kind.
        """
        if len(data) > limits.MAX_DATAGRAM:
            return "oversize"
        if not data.startswith(PREFIX):
            return "not_ours"
        if len(data) < COOKIE.size or (data[22] not in UNSIGNED_KINDS and len(data) < OVERHEAD):
            return "malformed"
        if data[23] != VERSION:
            return "version"
        if data[22] in (MULTICAST_KINDS if multicast else UNICAST_KINDS):
            return None
        return "wrong_channel" if data[22] in MULTICAST_KINDS | UNICAST_KINDS else "unknown_kind"

    def admit(self, data: bytes, arrival: Arrival, now: float) -> tuple[Header, str | None]:
        """
        Check a datagram that passed `look` against what we know; get its header, and the reason to drop it if any.
        """
        header = parse(data)
        peer = self.peers.get(header.signer)
        return header, self.admit_signer(header, peer) or self.admit_kind(data, header, arrival, peer, now)

    def admit_signer(self, header: Header, peer: PeerState | None) -> str | None:
        """
        Check epoch and sequence number against what we know of the signer.
        """
        if header.signer == self.key:
            return "own"
        if peer is not None:
            if header.epoch < peer.epoch:
                return "old_epoch"
            if header.epoch == peer.epoch and not peer.window.is_fresh(header.sequence):
                return "replay"
        return None

    def admit_kind(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState | None,
                   now: float) -> str | None:
        """
        Check what this kind of message needs.
        """
        if header.kind == Kind.CHALLENGE:
            return self.admit_challenge(header, arrival, now)
        if header.kind == Kind.RESPONSE:
            pending = self.pending.get(header.guard, now)
            fits = (pending is not None and pending.key == header.signer and pending.link == arrival.link
                    and pending.address == arrival.source)
            return None if fits else "unexpected"
        if header.kind == Kind.CONFIRM:
            return None if self.secrets.is_nonce(arrival, header, now) else "unexpected"
        if not arrival.multicast:
            return self.admit_pair(data, header, arrival, peer, now)
        if header.kind == Kind.GOODBYE and (peer is None or header.epoch != peer.epoch):
            return "unknown_peer" if peer is None else "unconfirmed_epoch"
        return self.admit_multicast(header, arrival, peer, now)

    def admit_challenge(self, header: Header, arrival: Arrival, now: float) -> str | None:
        """
        Check a CHALLENGE against the budgets; with none left, a cookie is due instead of a signature check.
        """
        if header.guard != NO_GUARD:
            if not self.secrets.is_cookie(arrival, header, now):
                return "bad_cookie"
            return None if self.cookied.take(now) else "flood"
        if self.sources.take(arrival.source[0], now) and self.challenges.take(now):
            return None
        return GIVE_COOKIE if self.cookies.take(now) else "flood"

    def admit_pair(self, data: bytes, header: Header, arrival: Arrival, peer: PeerState | None,
                   now: float) -> str | None:
        """
        Check the guard of a datagram between verified peers. From one that verified us but that we lost, it is a hint.
        """
        if peer is None:
            hint = (header.kind in PAIR_KINDS and self.sources.take(arrival.source[0], now)
                    and self.challenges.take(now))
            return None if hint else "unknown_peer"
        if header.epoch != peer.epoch:
            return "unconfirmed_epoch"
        if not compare_digest(header.guard, pair_guard(peer.pair_key, without_guard(data))):
            return "bad_guard"
        return None if self.pairs.take(header.signer, now) else "rate"

    def admit_multicast(self, header: Header, arrival: Arrival, peer: PeerState | None, now: float) -> str | None:
        """
        Check a multicast datagram against the budgets.
        """
        if peer is not None and any(path.address == arrival.source for path in peer.paths.values()):
            return None if self.known.take(header.signer, now) else "rate"
        if self.sources.take(arrival.source[0], now) and self.introductions.take(now):
            return None
        ip, port = arrival.source
        who = b"%b %d" % (ip.encode(), port)
        knocked = self.knocks.seen(who, now)
        self.knocks.note(who)
        if knocked and not self.nudged.seen(who, now) and self.nudge_targets.take(ip, now) and self.nudges.take(now):
            self.nudged.note(who)
            return NUDGE
        return "flood"
