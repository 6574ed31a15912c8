"""
Receipts: how many bytes one node took from another, all together since they know each other, signed by both.

A receipt is the pair's two keys and a total. The taker signs what it took; the giver signs that it agrees. Both
signatures are over all of it, so a receipt is worth nothing for another pair, or the other way round. A total only
grows: the higher one replaces the lower one, so the last receipt is all of them, and an old one is worth nothing beside
it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .identity import SIGNATURE_SIZE, verify
from .wire import Reader, WireError

if TYPE_CHECKING:
    from .identity import Identity

TAKEN_DOMAIN: Final = b"tribler-multicast receipt 1\0"
AGREED_DOMAIN: Final = b"tribler-multicast receipt agreed 1\0"

TAKEN: Final = 1
"""The sender took so much from the receiver."""
AGREED: Final = 2
"""The sender gave so much to the receiver, who said so itself: it agrees."""
SHOWN: Final = 3
"""The receiver signed once that it took so much from the sender."""

MAX_TOTAL: Final = 2**63 - 1
"""Bytes of a receipt: more than the database keeps."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    The one who gave, the one who took (keys of 64 bytes), and how many bytes in all.
    """

    giver: bytes
    taker: bytes
    total: int

    @property
    def body(self) -> bytes:
        """
        What is signed.
        """
        return self.giver + self.taker + self.total.to_bytes(8, "big")

    def sign_taken(self, taker: Identity) -> bytes:
        """
        Sign as the one who took.
        """
        return taker.sign(self.body, TAKEN_DOMAIN)

    def sign_agreed(self, giver: Identity) -> bytes:
        """
        Sign as the one who gave.
        """
        return giver.sign(self.body, AGREED_DOMAIN)

    def is_taken(self, signature: bytes) -> bool:
        """
        Check the signature of the one who took. Nobody takes from himself.
        """
        return self.giver != self.taker and verify(self.taker, signature, self.body, TAKEN_DOMAIN)

    def is_agreed(self, signature: bytes) -> bool:
        """
        Check the signature of the one who gave.
        """
        return self.giver != self.taker and verify(self.giver, signature, self.body, AGREED_DOMAIN)


def pack_receipt(verb: int, total: int, signature: bytes) -> bytes:
    """
    Write a message: verb (1), total (8), signature (64). The keys are those of who sends it and who gets it.
    """
    return bytes((verb,)) + total.to_bytes(8, "big") + signature


def read_receipt(payload: bytes) -> tuple[int, int, bytes] | None:
    """
    Read what `pack_receipt` wrote: verb, total, signature; None when it is none.
    """
    reader = Reader(payload)
    try:
        verb, total, signature = reader.number(1), reader.number(8), reader.take(SIGNATURE_SIZE)
        reader.end()
    except WireError:
        return None
    return (verb, total, signature) if verb in (TAKEN, AGREED, SHOWN) and 0 < total <= MAX_TOTAL else None
