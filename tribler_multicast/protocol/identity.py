"""
Keys: Ed25519 signatures and X25519 agreement, as IPv8 has them.

On the wire a key is 64 bytes: X25519 public key, Ed25519 public key. IPv8 writes the same 64 bytes behind the ten
characters "LibNaCLPK:", and the member id (mid) is the SHA-1 of those 74 bytes.
"""
from __future__ import annotations

from hashlib import blake2b, sha1
from typing import TYPE_CHECKING, Final

from ipv8.keyvault.crypto import default_eccrypto

if TYPE_CHECKING:
    from ipv8.keyvault.keys import PrivateKey

KEY_SIZE: Final = 64
SIGNATURE_SIZE: Final = 64
GUARD_SIZE: Final = 16

IPV8_PREFIX: Final = b"LibNaCLPK:"
SIGNATURE_DOMAIN: Final = b"tribler-multicast signature 1\0"
PAIR_DOMAIN: Final = b"tm-pair-key-1"


def ipv8_key(key: bytes) -> bytes:
    """
    Get the 74 bytes that IPv8 calls the public key.
    """
    return IPV8_PREFIX + key


def mid_of(key: bytes) -> bytes:
    """
    Get the 20 bytes that IPv8 calls the mid.
    """
    return sha1(IPV8_PREFIX + key, usedforsecurity=False).digest()


SMALL_ORDER: Final = frozenset(bytes.fromhex(point) for point in (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"))
"""Ed25519 points whose order divides 8, with the sign bit cleared: anybody can sign for such a key. libsodium refuses
them, OpenSSL does not (Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs", 2020)."""


def is_weak(key: bytes) -> bool:
    """
    Tell whether anybody can sign for a key (64 bytes).
    """
    return key[32:63] + bytes((key[63] & 0x7F,)) in SMALL_ORDER


def verify(key: bytes, signature: bytes, data: bytes, domain: bytes = SIGNATURE_DOMAIN) -> bool:
    """
    Check a signature of ours over `data` by the owner of `key` (64 bytes). Never raises.
    """
    if len(key) != KEY_SIZE or is_weak(key):
        return False
    try:
        return bool(default_eccrypto.key_from_public_bin(IPV8_PREFIX + key).verify(signature, domain + data))
    except Exception:  # The binding raises types of its own for keys that are no points of the curve.
        return False


class Identity:
    """
    This node's key: signs, and agrees on a secret with one peer.
    """

    def __init__(self, private_key: PrivateKey) -> None:
        """
        Use an IPv8 private key (curve25519).

        :raises ValueError: when the key is of another kind.
        """
        public = private_key.pub().key_to_bin()
        if not public.startswith(IPV8_PREFIX) or len(public) != len(IPV8_PREFIX) + KEY_SIZE:
            msg = "tribler-multicast needs a curve25519 key"
            raise ValueError(msg)
        self.private_key = private_key
        self.key: bytes = public[len(IPV8_PREFIX):]
        self.mid = mid_of(self.key)

    def sign(self, data: bytes, domain: bytes = SIGNATURE_DOMAIN) -> bytes:
        """
        Sign for this protocol only (and for one group): the signature is worth nothing to another protocol, or in
        another group, with the same key.
        """
        return self.private_key.signature(domain + data)

    def pair_key(self, key: bytes) -> bytes | None:
        """
        Get the 32-byte secret shared with the owner of `key`, None when that key can't agree on one.
        """
        try:
            shared = self.private_key.diffie_hellman(key[:32])
        except Exception:
            return None
        if not any(shared):  # A point of small order: everybody knows this secret (RFC 7748 section 6.1).
            return None
        both = b"".join(sorted((self.key, key)))
        return blake2b(shared + both, digest_size=32, person=PAIR_DOMAIN).digest()


def pair_guard(pair_key: bytes, data: bytes) -> bytes:
    """
    Get the guard (16 bytes) for a datagram between two verified peers; `data` is the datagram with no guard in it.
    """
    return blake2b(data, key=pair_key, digest_size=GUARD_SIZE).digest()
