"""
Fragments of an announcement, byte by byte: what is too large for one datagram is cut into pieces of one size.

    head      number of the announcement in its sender's epoch, from 1 (8); size of the packed values (4); hash (32)
    FRAGMENT  head, index from 0 (2), content: FRAGMENT_SIZE bytes, the last one what is left
    TRAILER   head
    ASK       head, one bit for each fragment that is missing, lowest bit of the first byte first

The hash is BLAKE2b with 32 bytes of output over the packed values. It is in every fragment, signed: what is put
together from fragments that agree on it is what was sent, or it is nothing.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .limits import MAX_ANNOUNCEMENT
from .wire import MAX_SIGNED, OVERHEAD, WireError

if TYPE_CHECKING:
    from collections.abc import Collection

HEAD: Final = struct.Struct(">QI32s")
INDEX_SIZE: Final = 2
FRAGMENT_SIZE: Final = MAX_SIGNED - OVERHEAD - HEAD.size - INDEX_SIZE
HASH_DOMAIN: Final = b"tm-announce-1"


def content_hash(packed: bytes) -> bytes:
    """
    Get the hash (32 bytes) of packed values.
    """
    return blake2b(packed, digest_size=32, person=HASH_DOMAIN).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """
    Which announcement it is: two that agree on this are the same one.
    """

    number: int
    size: int
    digest: bytes

    @classmethod
    def of(cls, number: int, packed: bytes) -> Head:
        """
        Get the head of an announcement.
        """
        return cls(number, len(packed), content_hash(packed))

    @classmethod
    def read(cls, payload: bytes) -> Head:
        """
        Read the head in front of a payload.

        :raises WireError: when there is none.
        """
        if len(payload) < HEAD.size:
            msg = "payload ends too soon"
            raise WireError(msg)
        head = cls(*HEAD.unpack_from(payload))
        if head.size > MAX_ANNOUNCEMENT or not head.number:
            msg = f"no announcement has {head.size} bytes and the number {head.number}"
            raise WireError(msg)
        return head

    def pack(self) -> bytes:
        """
        Write it.
        """
        return HEAD.pack(self.number, self.size, self.digest)

    @property
    def count(self) -> int:
        """
        Get the number of fragments, at least one.
        """
        return max(1, -(-self.size // FRAGMENT_SIZE))

    def length(self, index: int) -> int:
        """
        Get the size of the content of one fragment.
        """
        return min(FRAGMENT_SIZE, self.size - index * FRAGMENT_SIZE)


@dataclass(frozen=True, slots=True)
class Fragment:
    """
    One piece of an announcement.
    """

    head: Head
    index: int
    content: bytes

    @classmethod
    def cut(cls, head: Head, packed: bytes, index: int) -> Fragment:
        """
        Cut one piece off the packed values.
        """
        return cls(head, index, packed[index * FRAGMENT_SIZE:(index + 1) * FRAGMENT_SIZE])

    @classmethod
    def read(cls, payload: bytes) -> Fragment:
        """
        Read a fragment.

        :raises WireError: when it is none.
        """
        head = Head.read(payload)
        start = HEAD.size + INDEX_SIZE
        index = int.from_bytes(payload[HEAD.size:start], "big")
        content = payload[start:]
        if len(payload) < start or index >= head.count or len(content) != head.length(index):
            msg = f"no fragment {index} of {head.count} has {len(content)} bytes"
            raise WireError(msg)
        return cls(head, index, content)

    def pack(self) -> bytes:
        """
        Write it.
        """
        return self.head.pack() + self.index.to_bytes(INDEX_SIZE, "big") + self.content


def read_trailer(payload: bytes) -> Head:
    """
    Read a trailer.

    :raises WireError: when it is none.
    """
    if len(payload) != HEAD.size:
        msg = "payload goes on too long"
        raise WireError(msg)
    return Head.read(payload)


def pack_ask(head: Head, missing: Collection[int]) -> bytes:
    """
    Write which fragments are missing.
    """
    bits = sum(1 << index for index in missing)
    return head.pack() + bits.to_bytes((head.count + 7) // 8, "little")


def read_ask(payload: bytes) -> tuple[Head, list[int]]:
    """
    Read which fragments are missing.

    :raises WireError: when the bits are not those of that many fragments.
    """
    head = Head.read(payload)
    raw = payload[HEAD.size:]
    bits = int.from_bytes(raw, "little")
    if len(raw) != (head.count + 7) // 8 or bits >> head.count:
        msg = f"{len(raw)} bytes do not fit {head.count} fragments"
        raise WireError(msg)
    return head, [index for index in range(head.count) if bits >> index & 1]
