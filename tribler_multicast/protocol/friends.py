"""
Friends: what two nodes think of each other, and how both come to know it.

Each node has a verdict on the other (yes, no, or none yet) with a serial number that is new at each decision. A FRIEND
tells the sender's verdict now and its serial, and the serial of the receiver's verdict that it knows and speaks about.
So messages may get lost, come twice or cross: the newest one of a sender is the truth about its side, and it is sent
again until the other shows that it knows. State, not commands, is told (as in RFC 3376, or any link-state protocol).

    mine  theirs  shown      what leads there
    -     -       none
    yes   -       sent       asked; asked again with the same serial until answered
    -     yes     received   was asked
    yes   yes     mutual     asked back, or both asked at once

A `no` takes the sender's verdict back, and answers the receiver's yes whose serial it names: that one is over on both
sides. A `no` that names an older serial leaves a newer yes alone: ask and refusal crossed. While a `no` is told it also
keeps the yes that it answers from coming back; a newer verdict of the other ends it.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Protocol

from .events import FriendChanged
from .identity import mid_of
from .limits import (
    FRIEND_AGAIN,
    FRIEND_AGAIN_GROWTH,
    FRIEND_AGAIN_MOST,
    FRIEND_DELAY,
    MAX_ASKS_PER_ADDRESS,
    MAX_ASKS_WAITING,
    MAX_SERIAL,
)
from .wire import Header, Kind, Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState
    from .timers import Timer

SERIAL_SIZE: Final = 8
PLEASE_ANSWER: Final = 1


class Verdict(IntEnum):
    """
    What one node thinks of another.
    """

    UNDECIDED = 0
    YES = 1
    NO = 2


@dataclass(frozen=True, slots=True)
class Bond:
    """
    What is between this node and one key. `acked` is the serial of ours that the other showed to know last.
    """

    mine: Verdict = Verdict.UNDECIDED
    serial: int = 0
    theirs: bool = False
    their_serial: int = 0
    acked: int = 0

    @property
    def state(self) -> str:
        """
        Get `none`, `sent`, `received` or `mutual`.
        """
        if self.mine is Verdict.YES:
            return "mutual" if self.theirs else "sent"
        return "received" if self.theirs else "none"

    @property
    def is_delivered(self) -> bool:
        """
        Tell whether the other showed that it knows our verdict.
        """
        return self.acked == self.serial

    def decide(self, verdict: Verdict, unix_ms: int) -> Bond:
        """
        Get the bond after a decision of ours. Serials never repeat, even when what was stored is lost.
        """
        serial = min(max(self.serial + 1, unix_ms), MAX_SERIAL)
        return replace(self, mine=verdict, serial=serial, theirs=self.theirs and verdict is not Verdict.NO)

    def hear(self, verdict: Verdict, serial: int, about: int) -> Bond:
        """
        Get the bond after the newest message of the other.
        """
        mine = self.mine
        answered = mine is Verdict.YES and verdict is Verdict.NO and about == self.serial
        if answered or (mine is Verdict.NO and serial != self.their_serial):
            mine = Verdict.UNDECIDED
        return Bond(mine, self.serial, verdict is Verdict.YES and mine is not Verdict.NO, serial, about)


NOTHING: Final = Bond()


class FriendBook(Protocol):
    """
    Where bonds are kept, for longer than one start if the shell can.
    """

    def read(self, key: bytes) -> Bond:
        """
        Get the bond with a key (64 bytes), NOTHING when there is none.
        """

    def write(self, key: bytes, bond: Bond) -> None:
        """
        Keep a bond.
        """

    def asking(self) -> list[bytes]:
        """
        List the keys whose state is `received`, the one unseen for longest first.
        """

    def all(self) -> Mapping[bytes, Bond]:
        """
        Get all bonds whose state is not `none`.
        """


class MemoryBook:
    """
    A book for this run only.
    """

    def __init__(self) -> None:
        """
        Start with no friends.
        """
        self.bonds: dict[bytes, Bond] = {}

    def read(self, key: bytes) -> Bond:
        """
        Get one.
        """
        return self.bonds.get(key, NOTHING)

    def write(self, key: bytes, bond: Bond) -> None:
        """
        Keep one, unless it is one that says nothing: those who ask and withdraw under ever new keys leave no trace.
        """
        if bond.mine is Verdict.UNDECIDED and not bond.theirs and (not bond.serial or bond.is_delivered):
            self.bonds.pop(key, None)
        else:
            self.bonds[key] = bond

    def asking(self) -> list[bytes]:
        """
        List who asks, oldest first.
        """
        return [key for key, bond in self.bonds.items() if bond.state == "received"]

    def all(self) -> dict[bytes, Bond]:
        """
        Get all that are something.
        """
        return {key: bond for key, bond in self.bonds.items() if bond.state != "none"}


class Friends:
    """
    The friends of one protocol instance.

    `open` has those whom we tell our verdict until they show that they know it: the timer and the next wait.
    """

    def __init__(self, core: MulticastProtocol, book: FriendBook | None = None) -> None:
        """
        Work on the tables of `core`, and keep bonds in `book`.
        """
        self.core = core
        self.book: FriendBook = MemoryBook() if book is None else book
        self.open: dict[bytes, tuple[Timer, float]] = {}

    def state(self, key: bytes) -> str:
        """
        Get `none`, `sent`, `received` or `mutual`.
        """
        return self.book.read(key).state

    # --- What the user decides.

    def ask(self, key: bytes, unix_ms: int, now: float) -> None:
        """
        Ask a key to be friends, or accept when it asked; told now or as soon as it is verified.

        `unix_ms` is the time in milliseconds since 1970: the least serial of this decision.
        """
        bond = self.book.read(key)
        if bond.mine is not Verdict.YES:
            self.decide(key, bond, Verdict.YES, unix_ms, now)

    def withdraw(self, key: bytes, unix_ms: int, now: float) -> None:
        """
        Refuse, take an ask back, or end a friendship: nothing is left on either side once the other knows.
        """
        bond = self.book.read(key)
        if bond.state != "none":
            self.decide(key, bond, Verdict.NO, unix_ms, now)

    def decide(self, key: bytes, bond: Bond, verdict: Verdict, unix_ms: int, now: float) -> None:
        """
        Keep a decision, then tell it.
        """
        self.keep(key, bond, bond.decide(verdict, unix_ms))
        peer = self.core.peers.get(key)
        if peer is not None and self.core.started is not None:
            self.pursue(peer, now)

    def keep(self, key: bytes, before: Bond, after: Bond) -> None:
        """
        Write a bond if it changed, and tell those above if what is shown changed.
        """
        if after == before or (before == NOTHING and after.state == "none" and not after.serial):
            return
        self.book.write(key, after)
        if after.state != before.state:
            self.core.events.append(FriendChanged(key, mid_of(key), after.state))

    # --- Telling.

    def verified(self, peer: PeerState, fresh: bool, now: float) -> None:
        """
        A peer was verified just now: tell it what it does not know; if it is `fresh` (new or restarted) compare notes.
        """
        bond = self.book.read(peer.key)
        if bond.is_delivered and not (fresh and bond.state != "none"):
            return

        def due(now: float) -> None:
            if self.core.peers.get(peer.key) is peer:
                self.pursue(peer, now)

        self.core.timers.at(now + FRIEND_DELAY, due)

    def pursue(self, peer: PeerState, now: float) -> None:
        """
        Tell a peer our verdict, and again with growing waits until it shows that it knows.
        """
        self.close(peer.key)
        self.tell_again(peer, FRIEND_AGAIN, now)

    def tell_again(self, peer: PeerState, wait: float, now: float) -> None:
        """
        Tell it, and come back after `wait` seconds.
        """
        def again(now: float) -> None:
            if self.open.pop(peer.key, None) is not None and self.core.peers.get(peer.key) is peer:
                self.tell_again(peer, min(wait * FRIEND_AGAIN_GROWTH, FRIEND_AGAIN_MOST), now)

        self.open[peer.key] = self.core.timers.at(now + wait, again), wait
        self.tell(peer, self.book.read(peer.key))

    def tell(self, peer: PeerState, bond: Bond) -> None:
        """
        Send one FRIEND.
        """
        flags = PLEASE_ANSWER if peer.key in self.open else 0
        payload = bytes((flags, bond.mine)) + b"".join(serial.to_bytes(SERIAL_SIZE, "big")
                                                      for serial in (bond.serial, bond.their_serial))
        path = peer.freshest_path()
        self.core.outbox.to_peer(Kind.FRIEND, peer, path.link, path.address, payload)

    def close(self, key: bytes) -> None:
        """
        Tell a key nothing more.
        """
        opened = self.open.pop(key, None)
        if opened is not None:
            opened[0].cancel()

    def forget(self) -> None:
        """
        Tell nobody anything more; the book stays.
        """
        for key in list(self.open):
            self.close(key)

    # --- Hearing.

    def on_friend(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take in the verdict of a peer, if it is newer than what we heard; answer if it wants that.
        """
        reader = Reader(header.payload)
        flags, verdict = reader.number(1), reader.number(1)
        serial, about = reader.number(SERIAL_SIZE), reader.number(SERIAL_SIZE)
        reader.end()
        if verdict not in tuple(Verdict) or max(serial, about) > MAX_SERIAL:
            msg = f"no verdict is {verdict} with the serials {serial} and {about}"
            raise WireError(msg)
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if (header.epoch, header.sequence) <= peer.friend_heard:
            self.core.counters.drop("stale")
            return
        peer.friend_heard = header.epoch, header.sequence
        before = self.book.read(peer.key)
        after = before.hear(Verdict(verdict), serial, about)
        if after.state == "received" and before.state != "received" and not self.make_room(peer, arrival):
            self.core.counters.drop("asks_full")
            return
        self.keep(peer.key, before, after)
        if after.is_delivered:
            self.close(peer.key)
        elif peer.key not in self.open:
            self.pursue(peer, now)
            return
        if flags & PLEASE_ANSWER:
            self.tell(peer, after)

    def make_room(self, peer: PeerState, arrival: Arrival) -> bool:
        """
        Tell whether one more ask may wait for the user. When too many wait, that of somebody who is gone makes room.
        """
        waiting = self.book.asking()
        here = self.core.peers.keys_at.get((arrival.link, arrival.source[0]), set())
        if len(here.intersection(waiting)) >= MAX_ASKS_PER_ADDRESS:
            return False
        if len(waiting) < MAX_ASKS_WAITING:
            return True
        gone = next((key for key in waiting if self.core.peers.get(key) is None), None)
        if gone is None:
            return False
        bond = self.book.read(gone)
        self.keep(gone, bond, replace(bond, theirs=False))
        return True
