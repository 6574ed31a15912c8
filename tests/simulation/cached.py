"""
Cryptography for simulations of thousands of nodes: everything is computed once for all.

A datagram is signed for real. Its signature is then known to be right, so nobody checks it again; every other one is
checked for real, once. Two keys agree on one secret, which costs a hash here. Stamps cost nothing: one bit of work in
place of ten. What each of these costs a real node is counted, and charged to the clock of its processor.
"""

from __future__ import annotations

import contextlib
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol import stamp, wire
from tribler_multicast.protocol.identity import SIGNATURE_DOMAIN, Identity, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

REMEMBERED = 200_000
"""Signatures known at a time."""


class Work:
    """
    What was done since the last look: signatures made and checked, secrets agreed on.
    """

    def __init__(self) -> None:
        self.count = 0
        self.right: dict[bytes, tuple[bytes, bytes]] = {}

    def take(self) -> int:
        count, self.count = self.count, 0
        return count


WORK = Work()


class CachedIdentity(Identity):
    """
    A real key whose signatures are known to all.
    """

    def sign(self, data: bytes, domain: bytes = SIGNATURE_DOMAIN) -> bytes:
        WORK.count += 1
        signature = super().sign(data, domain)
        if len(WORK.right) >= REMEMBERED:
            WORK.right.clear()
        WORK.right[signature] = self.key, domain + data
        return signature

    def pair_key(self, key: bytes) -> bytes | None:
        WORK.count += 1
        return blake2b(b"".join(sorted((self.key, key))), digest_size=32).digest()


def identity_of(seed: str) -> CachedIdentity:
    """Get the same key for the same seed."""
    secret = sha256(seed.encode()).digest()
    key = default_eccrypto.key_from_private_bin(b"LibNaCLSK:" + secret + sha256(secret).digest())
    return CachedIdentity(key)


def check(key: bytes, signature: bytes, data: bytes, domain: bytes = SIGNATURE_DOMAIN) -> bool:
    WORK.count += 1
    known = WORK.right.get(signature)
    if known is not None:
        return known == (key, domain + data)
    if not verify(key, signature, data, domain):
        return False
    WORK.right[signature] = key, domain + data
    return True


@contextlib.contextmanager
def cached_cryptography() -> Iterator[None]:
    """
    Within this, all protocol instances share what they compute.
    """
    limit, verifier = stamp.LIMIT, wire.verify
    stamp.LIMIT = 1 << 128  # type: ignore[misc]
    wire.verify = check
    WORK.right.clear()
    try:
        yield
    finally:
        stamp.LIMIT, wire.verify = limit, verifier  # type: ignore[misc]
        WORK.right.clear()

