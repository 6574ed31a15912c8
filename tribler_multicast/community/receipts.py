"""
Receipts between this node and its neighbours: signed by who took, agreed to by who gave, shown again when forgotten.

What counts for a neighbour here is only what this node took from it, by its own count or by a receipt with its own
signature under it (docs/receipts.md says why, and what that does not prevent).
"""
from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from ..protocol.budget import KeyedBuckets
from ..protocol.identity import ipv8_key
from ..protocol.receipt import AGREED, SHOWN, TAKEN, Receipt, pack_receipt, read_receipt
from ..protocol.wire import Kind

if TYPE_CHECKING:
    from ..database import PeerDatabase, PeerRecord
    from ..protocol.peers import PeerState
    from .multicast import MulticastCommunity

RECEIPT_EACH: Final = 5.0
"""Seconds between two looks whom a receipt is owed: a transfer costs a message or two, not one per datagram."""

RECEIPT_TRIES: Final = 6
"""A receipt that is not agreed to is sent so often: messages get lost. The next bytes taken begin anew."""

RECEIPTS_AT_ONCE: Final = 200
"""Receipts sent at one look: 10 ms of a core. The others have their turn at the next."""

RECEIPTS_PER_SECOND: Final = 2.0
RECEIPTS_BURST: Final = 10.0
"""Receipts of one peer whose own signature is checked: an honest one sends one in RECEIPT_EACH, some when it comes."""

RECEIPT_PEERS: Final = 4096
"""Peers with such a budget."""

AGREE_SHARE: Final = 1.25
AGREE_MORE: Final = 16 << 20
"""What is agreed to: at most so many times what was given by our own count, and so many bytes more. The two counts
differ: what is lost on the way, what a process that was killed had not written down."""


class Receipts:
    """
    Of the overlay of transfers.
    """

    def __init__(self, multicast: MulticastCommunity) -> None:
        """
        Owe nobody one.
        """
        self.multicast = multicast
        self.counters: Counter[str] = Counter()
        self._owed: dict[bytes, int] = {}
        """Whom a receipt is owed: how often it was sent, by mid."""
        self._budget = KeyedBuckets(RECEIPTS_PER_SECOND, RECEIPTS_BURST, RECEIPT_PEERS)

    @property
    def database(self) -> PeerDatabase | None:
        """
        Where all of it is kept; None: there are no receipts.
        """
        return self.multicast.database

    def _record(self, peer: PeerState) -> PeerRecord | None:
        return None if self.database is None else self.database.peer(ipv8_key(peer.key))

    # --- Going out.

    def owe(self, mid: bytes) -> None:
        """
        Note that something was taken from a peer.
        """
        self._owed[mid] = 0

    def meet(self, peer: PeerState) -> None:
        """
        Show a peer that came what it signed last, in case that it forgot; and owe it what was not told.
        """
        record = self._record(peer)
        if record is None:
            return
        if record.receipt_given:
            self._send(peer, SHOWN, record.receipt_given, bytes.fromhex(record.receipt_given_signature))
        if record.total_down > record.receipt_taken:
            self.owe(peer.mid)

    def look(self) -> None:
        """
        Send the receipts that are owed.
        """
        for mid in list(self._owed)[:RECEIPTS_AT_ONCE]:
            tries = self._owed.pop(mid)
            peer = self.multicast.core.peers.of_mid(mid)
            record = None if peer is None else self._record(peer)
            if peer is None or record is None or record.total_down <= record.receipt_taken:
                continue
            receipt = Receipt(peer.key, self.multicast.core.identity.key, record.total_down)
            self._send(peer, TAKEN, receipt.total, receipt.sign_taken(self.multicast.core.identity))
            if tries + 1 < RECEIPT_TRIES:
                self._owed[mid] = tries + 1

    def _send(self, peer: PeerState, verb: int, total: int, signature: bytes) -> None:
        multicast = self.multicast
        if multicast.core.coded.send(peer.mid, Kind.RECEIPT, pack_receipt(verb, total, signature), None,
                                     multicast.now()):
            multicast.flush()

    # --- Coming in.

    def received(self, peer: PeerState, payload: bytes, now: float) -> None:
        """
        Take a receipt of a verified peer. Never raises.
        """
        found, record = read_receipt(payload), self._record(peer)
        if found is None:
            self.counters["receipt: malformed"] += 1
        elif record is None:
            self.counters["receipt: not kept"] += 1
        elif not self._budget.take(peer.mid, now):
            self.counters["receipt: too many"] += 1
        else:
            verb, total, signature = found
            {TAKEN: self._taken, AGREED: self._agreed, SHOWN: self._shown}[verb](peer, record, total, signature)

    def _taken(self, peer: PeerState, record: PeerRecord, total: int, signature: bytes) -> None:
        """
        A peer says that it took so much from us: keep it, and agree.
        """
        receipt = Receipt(self.multicast.core.identity.key, peer.key, total)
        if total < record.receipt_given:
            self.counters["receipt: old"] += 1
        elif total > AGREE_SHARE * record.total_up + AGREE_MORE:
            self.counters["receipt: more than given"] += 1
        elif not receipt.is_taken(signature):
            self.counters["receipt: forged"] += 1
        else:
            if total > record.receipt_given:
                self.counters["receipt: given"] += 1
                assert self.database is not None
                self.database.set_receipt_given(record.public_key, total, signature.hex())
            self._send(peer, AGREED, total, receipt.sign_agreed(self.multicast.core.identity))

    def _agreed(self, peer: PeerState, record: PeerRecord, total: int, signature: bytes) -> None:
        """
        A peer agrees that we took so much from it.
        """
        if total <= record.receipt_taken:
            self.counters["receipt: old"] += 1
        elif total > record.total_down:
            self.counters["receipt: not ours"] += 1
        elif not Receipt(peer.key, self.multicast.core.identity.key, total).is_agreed(signature):
            self.counters["receipt: forged"] += 1
        else:
            self.counters["receipt: taken"] += 1
            assert self.database is not None
            self.database.set_receipt_taken(record.public_key, total, signature.hex())
            if total == record.total_down:
                self._owed.pop(peer.mid, None)

    def _shown(self, peer: PeerState, record: PeerRecord, total: int, signature: bytes) -> None:
        """
        A peer shows what we signed once: if that is more than we know of, we lost it. Our own signature is all that
        counts.
        """
        if total <= record.total_down:
            self.counters["receipt: known"] += 1
        elif not Receipt(peer.key, self.multicast.core.identity.key, total).is_taken(signature):
            self.counters["receipt: forged"] += 1
        else:
            self.counters["receipt: remembered"] += 1
            assert self.database is not None
            self.database.set_total_down(record.public_key, total)
            self.owe(peer.mid)

    # --- What it is for.

    def credit(self, mid: bytes) -> int:
        """
        Get the bytes that a neighbour gave this node more than it took: 0 for who gave less, for strangers, and for who
        was caught sending bad data lately.
        """
        peer = self.multicast.core.peers.of_mid(mid)
        record = None if peer is None else self._record(peer)
        return 0 if record is None else credit_of(record, time.time())


def credit_of(record: PeerRecord, now: float) -> int:
    """
    Get the credit of a peer that the database remembers. `now`: Unix seconds.
    """
    return 0 if record.is_named(now) else max(0, record.total_down - record.total_up)
