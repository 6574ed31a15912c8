"""
The sender of announcements: fragments at a pace, what was announced afterwards, and again what somebody missed.

Under the policy `friends` nothing of it goes to the group: each friend gets all of it by unicast, sealed for the pair.
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from .budget import TokenBucket
from .fragments import Fragment, Head, read_ask
from .limits import (
    ANNOUNCE_BURST,
    ANNOUNCE_GAP,
    ANNOUNCE_PER_SECOND,
    ANNOUNCE_TOKENS,
    KEPT_LIFETIME,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    MAX_UNICAST_TRAILERS,
    REPAIR_GATHER,
    REPAIR_LEAST,
    REPAIR_SHARE,
    REPAIRS_BURST,
    REPAIRS_PER_SECOND,
    TRAILER_TIMES,
    UNICAST_TRAILERS_BURST,
    UNICAST_TRAILERS_PER_SECOND,
)
from .values import pack_values
from .wire import Header, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState
    from .timers import Timer

UNICAST_TRAILER = 1
"""The turn at which the trailer is sent by unicast too."""


@dataclass(slots=True, eq=False)
class Kept:
    """
    An announcement of ours: how much of it was sent, who asked for what again.

    `asked` has the only peer that asked for a fragment, or None when several did; `shares` what each got again. One for
    `friends` only goes to these keys (None: not chosen yet) one after the other, now to that whose `turn` it is; it
    stays theirs when the policy changes.
    """

    head: Head
    packed: bytes
    links: list[LinkKey] | None = None
    sent: int = 0
    asked: dict[int, bytes | None] = field(default_factory=dict)
    shares: dict[bytes, int] = field(default_factory=dict)
    private: bool = False
    friends: list[bytes] | None = None
    turn: int = 0
    asked_alone: set[tuple[int, bytes]] = field(default_factory=set)


class Announcer:
    """
    The announcements of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Send by the outbox of `core`.
        """
        self.core = core
        self.number = 0
        self.kept: dict[int, Kept] = {}
        self.kept_bytes = 0
        self.queue: deque[Kept] = deque()
        self.again: deque[tuple[float, Kept, int, bytes | None]] = deque()
        self.tokens = TokenBucket(ANNOUNCE_PER_SECOND, ANNOUNCE_TOKENS)
        self.repairs = TokenBucket(REPAIRS_PER_SECOND, REPAIRS_BURST)
        self.reminders = TokenBucket(UNICAST_TRAILERS_PER_SECOND, UNICAST_TRAILERS_BURST)
        self.timer: Timer | None = None

    def announce(self, values: tuple[Any, ...], now: float) -> int:
        """
        Begin to send values to all; get the number of the announcement.

        :raises ValueError: with one line that says why, when they can't be sent.
        """
        packed = pack_values(values)
        if self.core.started is None:
            msg = "this node is switched off"
            raise ValueError(msg)
        self.make_room(len(packed))
        self.number += 1
        kept = Kept(Head.of(self.number, packed), packed, private=self.core.policy.friends_only)
        self.kept[self.number] = kept
        self.kept_bytes += len(packed)
        self.queue.append(kept)
        if self.timer is None:
            self.send(now)
        return self.number

    def make_room(self, size: int) -> None:
        """
        Drop the oldest that were sent when too much is kept.

        :raises ValueError: when all that is kept has still to be sent.
        """
        while self.kept_bytes + size > MAX_KEPT_BYTES or len(self.kept) >= MAX_KEPT:
            oldest = next(iter(self.kept.values()))
            if oldest.sent < oldest.head.count:
                msg = f"{len(self.queue)} announcements of {self.kept_bytes} bytes are still to be sent"
                raise ValueError(msg)
            self.drop(oldest)

    def drop(self, kept: Kept) -> None:
        """
        Keep an announcement no longer.
        """
        if self.kept.pop(kept.head.number, None) is not None:
            self.kept_bytes -= len(kept.packed)

    def forget(self) -> None:
        """
        Drop all; numbers go on.
        """
        self.kept.clear()
        self.kept_bytes = 0
        self.queue.clear()
        self.again.clear()
        self.timer = None

    # --- Pace.

    def send(self, now: float) -> None:
        """
        Send a few fragments, first what was asked for again; come back while there is more.
        """
        self.timer = None
        count = 0
        while count < ANNOUNCE_BURST and (self.send_again(now) or self.send_next(now)):
            count += 1
        if count or self.queue or self.again:
            self.timer = self.core.timers.at(now + ANNOUNCE_GAP, self.send)

    def send_next(self, now: float) -> bool:
        """
        Send the next fragment if the budget lets us. The last one pays for its trailers.
        """
        if not self.queue:
            return False
        kept = self.queue[0]
        if self.is_private(kept):
            return self.send_privately(kept, now)
        is_last = kept.sent + 1 == kept.head.count
        if not self.tokens.take(now, 1 + len(TRAILER_TIMES) if is_last else 1):
            return False
        if kept.links is None:
            kept.links = self.links_to_peers()
        self.multicast(kept, kept.sent)
        kept.sent += 1
        if is_last:
            self.all_sent(now)
        return True

    def all_sent(self, now: float) -> None:
        """
        Go on to the next announcement; say soon what this one was, and keep it for a while.
        """
        kept = self.queue.popleft()
        for turn, delay in enumerate(TRAILER_TIMES):
            self.core.timers.at(now + delay, partial(self.remind, kept, turn))
        self.core.timers.at(now + KEPT_LIFETIME, lambda _now: self.drop(kept))

    def is_private(self, kept: Kept) -> bool:
        """
        Tell whether an announcement is for friends only: it was when it was made, or the policy became so since.
        """
        kept.private = kept.private or self.core.policy.friends_only
        return kept.private

    def send_privately(self, kept: Kept, now: float) -> bool:
        """
        Send the next fragment to one friend, if the budget lets us; friends get it all one after the other, so that
        each can put it together in time, however many there are.
        """
        if kept.friends is None:
            kept.friends = [peer.key for peer in self.core.peers if self.core.policy.is_friend(peer)]
            kept.sent = 0
        if kept.friends:
            if not self.tokens.take(now):
                return False
            self.to_friend(Kind.FRAGMENT, kept.friends[kept.turn],
                           Fragment.cut(kept.head, kept.packed, kept.sent).pack())
            kept.sent += 1
            if kept.sent < kept.head.count:
                return True
            kept.turn += 1
            if kept.turn < len(kept.friends):
                kept.sent = 0
                return True
        kept.sent = kept.head.count
        self.all_sent(now)
        return True

    @staticmethod
    def was_sent(kept: Kept, key: bytes, index: int) -> bool:
        """
        Tell whether a peer was sent a fragment, so that it may miss it.
        """
        if kept.friends is None or key not in kept.friends:
            return index < kept.sent
        turn = kept.friends.index(key)
        return turn < kept.turn or (turn == kept.turn and index < kept.sent)

    def to_friend(self, kind: Kind, key: bytes, payload: bytes) -> None:
        """
        Send sealed to a friend, if it is still here and a friend.
        """
        peer = self.core.peers.get(key)
        if peer is not None and self.core.policy.is_friend(peer):
            path = peer.freshest_path()
            self.core.outbox.to_peer(kind, peer, path.link, path.address, payload, sealed=True)

    def send_again(self, now: float) -> bool:
        """
        Send a fragment again, to the peer that asked for it, or to all when several did.
        """
        if not self.again or self.again[0][0] > now or not self.repairs.take(now):
            return False
        _, kept, index, friend = self.again.popleft()
        payload = Fragment.cut(kept.head, kept.packed, index).pack()
        if friend is not None:
            kept.asked_alone.discard((index, friend))
            self.to_friend(Kind.FRAGMENT, friend, payload)
            return True
        asker = kept.asked.pop(index)
        if self.is_private(kept):  # Since it was asked for: who is a friend asks again.
            return True
        if asker is None:
            self.multicast(kept, index)
            return True
        peer = self.core.peers.get(asker)
        if peer is not None:
            path = peer.freshest_path()
            self.core.outbox.to_peer(Kind.FRAGMENT, peer, path.link, path.address, payload)
        return True

    def multicast(self, kept: Kept, index: int) -> None:
        """
        Send a fragment to all.
        """
        payload = Fragment.cut(kept.head, kept.packed, index).pack()
        for link in kept.links or ():
            if link in self.core.links:
                self.core.outbox.multicast(Kind.FRAGMENT, link, payload)

    def links_to_peers(self) -> list[LinkKey]:
        """
        Get the links on which there are peers; of an interface one family, when it reaches all peers there.
        """
        reached: dict[LinkKey, set[bytes]] = {}
        for peer in self.core.peers:
            for link in peer.paths:
                reached.setdefault(link, set()).add(peer.key)
        chosen: list[LinkKey] = []
        for link in sorted(reached, key=lambda link: (link[0], -len(reached[link]), link[1])):
            others = [reached[other] for other in chosen if other[0] == link[0]]
            if not any(reached[link] <= other for other in others):
                chosen.append(link)
        return chosen

    def remind(self, kept: Kept, turn: int, now: float) -> None:
        """
        Say what was announced, on all links; once also to each peer, if they are few.
        """
        if self.kept.get(kept.head.number) is not kept:
            return
        payload = kept.head.pack()
        if self.is_private(kept):
            for peer in self.core.peers:
                if self.core.policy.is_friend(peer) and self.reminders.take(now):
                    self.to_friend(Kind.TRAILER, peer.key, payload)
            return
        for link in self.core.links:
            self.core.outbox.multicast(Kind.TRAILER, link, payload)
        if turn == UNICAST_TRAILER and len(self.core.peers) <= MAX_UNICAST_TRAILERS:
            for peer in self.core.peers:
                if self.reminders.take(now):
                    path = peer.freshest_path()
                    self.core.outbox.to_peer(Kind.TRAILER, peer, path.link, path.address, payload)

    # --- Repair.

    def on_ask(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Note what a peer misses, within its share; what was not sent yet is none of it.
        """
        head, missing = read_ask(header.payload)
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        kept = self.kept.get(head.number)
        if kept is None or kept.head != head:
            self.core.counters.drop("unexpected")
            return
        if self.is_private(kept) and not self.core.policy.is_friend(peer):
            self.core.counters.drop("not_friend")
            return
        for index in missing:
            if (not self.was_sent(kept, peer.key, index) or kept.asked.get(index, b"") == peer.key
                    or (index, peer.key) in kept.asked_alone):
                continue
            share = kept.shares.get(peer.key, 0)
            if share >= REPAIR_SHARE * head.count + REPAIR_LEAST:
                self.core.counters.drop("repair_share")
                break
            kept.shares[peer.key] = share + 1
            if kept.private:
                kept.asked_alone.add((index, peer.key))
                self.again.append((now + REPAIR_GATHER, kept, index, peer.key))
                continue
            if index not in kept.asked:
                self.again.append((now + REPAIR_GATHER, kept, index, None))
            kept.asked[index] = None if index in kept.asked else peer.key
        if self.again and self.timer is None:
            self.timer = self.core.timers.at(self.again[0][0], self.send)
