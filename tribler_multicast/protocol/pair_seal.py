"""
The box for one peer: what two verified peers say to each other and nobody else reads.

XSalsa20-Poly1305 (NaCl's secretbox; Bernstein, 2009) under a key made of the pair key. Sealed bytes are a random nonce
(24), a code of 16 bytes that tells whether they are whole, and as many bytes as went in.
"""
from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from os import urandom
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .sealing import Library

NONCE_SIZE: Final = 24
SEAL_SIZE: Final = NONCE_SIZE + 16
SEAL_DOMAIN: Final = b"tm-pair-seal-1"


@lru_cache(maxsize=1)
def library() -> Library:
    """
    Get the library that works here, loaded when something is to be sealed.

    :raises SealingError: when there is none.
    """
    from .sealing import load_library  # noqa: PLC0415 (most nodes never seal anything)

    return load_library()


@lru_cache(maxsize=256)
def box_key(pair_key: bytes) -> bytes:
    """
    Get the key (32 bytes) of the box: not the one that makes guards.
    """
    return blake2b(pair_key, digest_size=32, person=SEAL_DOMAIN).digest()


def seal_for_pair(pair_key: bytes, payload: bytes) -> bytes:
    """
    Seal a payload; it grows by SEAL_SIZE bytes.

    :raises SealingError: when there is no library to seal with.
    """
    nonce = urandom(NONCE_SIZE)
    return nonce + library().seal(payload, nonce, box_key(pair_key))


def open_from_pair(pair_key: bytes, sealed: bytes) -> bytes | None:
    """
    Get the payload, None when it was not sealed for this pair or is damaged. Never raises.
    """
    if len(sealed) < SEAL_SIZE:
        return None
    try:
        return library().open(sealed[NONCE_SIZE:], sealed[:NONCE_SIZE], box_key(pair_key))
    except Exception:  # Both libraries raise types of their own.
        return None
