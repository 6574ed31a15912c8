"""
The seal of a group: what its members say is unreadable, and means nothing, to everybody else.

A passphrase gives the key of the group (argon2id), the key of the group gives a key for each sender's address and
channel (BLAKE2b), and under that everything of a signed datagram but the first 22 bytes, which follow from its kind,
is in a secretbox (XSalsa20-Poly1305; Bernstein, 2009). Because the address is in the key, a recording repeated from
another address does not even open. Members sign under a domain with the group's id in it, so what a member said there
is worth nothing outside, not even when another member repeats it.

The library is libnacl where the system has libsodium, else PyNaCl, which brings its own; both give the same bytes.
"""
from __future__ import annotations

import ctypes
import unicodedata
from collections import OrderedDict
from hashlib import blake2b
from os import urandom
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import GROUP_KEY_MEMORY, GROUP_KEY_PASSES, MAX_DATAGRAM, MAX_SEAL_KEYS
from .wire import OVERHEAD, PREFIX, SEAL_NONCE_SIZE, SEAL_OVERHEAD, SEALED, packed_ip, prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP_KEY_SIZE: Final = 32
BOX_DOMAIN: Final = b"tm-group-box-1"
ID_DOMAIN: Final = b"tm-group-id-1"
SIGNATURE_DOMAIN: Final = b"tribler-multicast group signature 1\0"
SALT: Final = blake2b(b"tribler-multicast group 1", digest_size=16).digest()
"""The same for all: whoever knows the passphrase must find the others with nothing else."""

BOX_START: Final = len(SEALED) + SEAL_NONCE_SIZE
LEAST_SIZE: Final = OVERHEAD + SEAL_OVERHEAD
ARGON2ID13: Final = 2
LIBRARIES: Final = ("libnacl", "PyNaCl")


class SealingError(Exception):
    """
    Nothing can be sealed here: one line that says why.
    """


class Library(NamedTuple):
    """
    What we need of a sealing library. `open` raises when the box is not right; what it raises differs.
    """

    name: str
    seal: Callable[[bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes], bytes]
    argon2id: Callable[[bytes, bytes, int, int], bytes]
    chacha20: Callable[[bytes, bytes, bytes], bytes]
    """Encrypts, or decrypts: data, nonce (12 bytes), key (32). From block 1 on, as the AEAD of RFC 8439 does, of which
    it is the part that hides: the one that authenticates is left out."""


def _libnacl() -> Library:
    """
    Use libnacl, which is a thin layer over the system's libsodium.

    :raises OSError: when there is no libsodium (at import), AttributeError: when it is one from before argon2id.
    """
    import libnacl  # noqa: PLC0415 (only groups need it)

    pwhash = libnacl.nacl.crypto_pwhash
    pwhash.restype = ctypes.c_int
    pwhash.argtypes = (ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_char_p,
                       ctypes.c_ulonglong, ctypes.c_size_t, ctypes.c_int)

    def argon2id(password: bytes, salt: bytes, passes: int, memory: int) -> bytes:
        out = ctypes.create_string_buffer(GROUP_KEY_SIZE)
        if pwhash(out, GROUP_KEY_SIZE, password, len(password), salt, passes, memory, ARGON2ID13):
            msg = f"the key of the group takes {memory >> 20} MiB of memory to find, which are not there"
            raise SealingError(msg)
        return out.raw

    def chacha20(data: bytes, nonce: bytes, key: bytes) -> bytes:
        sealed: bytes = libnacl.crypto_aead_chacha20poly1305_ietf_encrypt(data, b"", nonce, key)
        return sealed[:len(data)]

    return Library("libnacl", libnacl.crypto_secretbox, libnacl.crypto_secretbox_open, argon2id, chacha20)


def _pynacl() -> Library:
    """
    Use PyNaCl, whose wheel carries libsodium.
    """
    from nacl import bindings, exceptions  # noqa: PLC0415

    def argon2id(password: bytes, salt: bytes, passes: int, memory: int) -> bytes:
        try:
            return bindings.crypto_pwhash_alg(GROUP_KEY_SIZE, password, salt, passes, memory, ARGON2ID13)
        except (exceptions.RuntimeError, MemoryError) as e:
            msg = f"the key of the group takes {memory >> 20} MiB of memory to find, which are not there"
            raise SealingError(msg) from e

    def chacha20(data: bytes, nonce: bytes, key: bytes) -> bytes:
        sealed: bytes = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(data, b"", nonce, key)
        return sealed[:len(data)]

    return Library("PyNaCl", bindings.crypto_secretbox, bindings.crypto_secretbox_open, argon2id, chacha20)


def load_library(wanted: str | None = None) -> Library:
    """
    Load the first library that works, or the one that is wanted.

    :raises SealingError: when there is none.
    """
    for name, load in zip(LIBRARIES, (_libnacl, _pynacl), strict=True):
        if wanted in (None, name):
            try:
                return load()
            except (ImportError, OSError, AttributeError):  # OSError: libnacl without libsodium.
                continue
    msg = "there is no library to seal messages with (libnacl with libsodium, or PyNaCl): pip install PyNaCl"
    raise SealingError(msg)


def group_key(passphrase: str, library: Library | None = None) -> bytes:
    """
    Get the key (32 bytes) of the group with this passphrase. Takes GROUP_KEY_MEMORY bytes and a tenth of a second of a
    core, so not for an event loop.

    :raises SealingError: without a library, or without the memory.
    """
    text = unicodedata.normalize("NFC", passphrase).encode()
    return (library or load_library()).argon2id(text, SALT, GROUP_KEY_PASSES, GROUP_KEY_MEMORY)


class Seal:
    """
    Seals and opens the datagrams of one group.
    """

    def __init__(self, group_key: bytes, library: Library | None = None) -> None:
        """
        Use the key of a group.

        :raises SealingError: when there is no library.
        """
        self.library = library or load_library()
        self.group_key = group_key
        self.domain = SIGNATURE_DOMAIN + blake2b(group_key, digest_size=32, person=ID_DOMAIN).digest()
        self.keys: OrderedDict[tuple[tuple[str, int], int], bytes] = OrderedDict()

    def seal(self, source: tuple[str, int], channel: int, datagram: bytes) -> bytes:
        """
        Seal a signed datagram that leaves from this unicast address and port; it gets SEAL_OVERHEAD bytes longer.

        :raises ValueError: when the address is none of the channel's family.
        """
        nonce = urandom(SEAL_NONCE_SIZE)
        key = self.keys.get((source, channel))
        if key is None:
            key = self.derive(source, channel)
            self.remember(source, channel, key)
        return SEALED + nonce + self.library.seal(datagram[len(PREFIX):], nonce, key)

    def open(self, source: tuple[str, int], channel: int, sealed: bytes) -> bytes | None:
        """
        Open what came from this address by this channel; None when it is not of this group. Never raises.
        """
        if not LEAST_SIZE <= len(sealed) <= MAX_DATAGRAM or not sealed.startswith(SEALED):
            return None
        try:
            known = self.keys.get((source, channel))
            key = known or self.derive(source, channel)
            inner = self.library.open(sealed[BOX_START:], sealed[len(SEALED):BOX_START], key)
        except Exception:  # The libraries raise types of their own, and the address is the other side's.
            return None
        if known is None:
            self.remember(source, channel, key)
        else:
            self.keys.move_to_end((source, channel))
        return prefix_of(inner[0]) + inner

    def derive(self, source: tuple[str, int], channel: int) -> bytes:
        """
        Get the key for what is sent from an address by a channel.
        """
        ip, port = source
        family = channel & 0x0F
        seen = b"%c%b%b%c" % (family, packed_ip(family, ip), port.to_bytes(2, "big"), channel)
        return blake2b(seen, key=self.group_key, digest_size=32, person=BOX_DOMAIN).digest()

    def remember(self, source: tuple[str, int], channel: int, key: bytes) -> None:
        """
        Keep a key that opened or sealed something: a flood from invented addresses pushes none out.
        """
        while len(self.keys) >= MAX_SEAL_KEYS:
            self.keys.popitem(last=False)
        self.keys[source, channel] = key
