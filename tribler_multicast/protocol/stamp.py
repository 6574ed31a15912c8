"""
Stamps: a little work that a stranger must have done before its signature is looked at (hashcash; Back, 2002).

A node that nobody knows yet has nothing to show but its signature, and to check that costs us more than it costs others
to forge one. So its datagram carries a number, in the guard, that makes the hash of all the rest begin with zeros. To
find one costs a thousand hashes, a millisecond; to check it, one. The hash also tells datagrams apart: a genuine one
never comes twice, so a flood that repeats itself is known by it, without a signature check.
"""
from __future__ import annotations

from hashlib import blake2b
from os import urandom
from typing import Final

from .limits import STAMP_BITS

STAMP_SIZE: Final = 16
STAMP_DOMAIN: Final = b"tm-stamp-1"
DIGEST_SIZE: Final = 16
LIMIT: Final = 1 << (8 * DIGEST_SIZE - STAMP_BITS)


def stamp_digest(unstamped: bytes, stamp: bytes) -> int:
    """
    Get the hash of a datagram (with no guard and no signature) and its stamp, as a number of 128 bits.
    """
    return int.from_bytes(blake2b(unstamped + stamp, digest_size=DIGEST_SIZE, person=STAMP_DOMAIN).digest(), "big")


def is_stamped(digest: int) -> bool:
    """
    Tell by its hash whether a datagram carries a stamp.
    """
    return digest < LIMIT


def make_stamp(unstamped: bytes) -> bytes:
    """
    Find a stamp (16 bytes); takes 2^STAMP_BITS hashes on average. It begins at random: nobody can foretell it.
    """
    begun = blake2b(unstamped, digest_size=DIGEST_SIZE, person=STAMP_DOMAIN)
    start = urandom(STAMP_SIZE - 4)
    number = 0
    while True:
        stamp = start + number.to_bytes(4, "big")
        attempt = begun.copy()
        attempt.update(stamp)
        if int.from_bytes(attempt.digest(), "big") < LIMIT:
            return stamp
        number += 1
