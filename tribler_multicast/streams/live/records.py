"""
Records: what the publisher says of its blocks, signed, byte by byte.

RFC 7574 (7.3.1) has a live source sign the root of a subtree over a run of chunks and repeat that against loss. Here a
leaf is a block, a run the newest RUN blocks, and the tree is flat: the leaves of so short a run take no more room than
the uncles of one of them would, and who has the record of any of the next RUN blocks can check this one.

    offset  size  field
         0     4  number of the first block
         4     1  how many blocks
         5     1  bit 0: the stream ends behind the last of them
         6     8  position of the first byte of the first block
        14   44n  for each block: length (4), when it was cut, microseconds since the stream began (8), SHA-256 of it
    14+44n    64  Ed25519 signature by the publisher over the id of the stream and all of the above

Numbers from 2^31 on are of heads: what players need first. Such a record is about one, and its position is 0.
"""
from __future__ import annotations

import struct
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from ...protocol.identity import SIGNATURE_SIZE, verify
from ..limits import MAX_HEAD, MAX_POSITION
from .limits import MAX_BLOCK, MAX_BLOCKS, RUN, SYMBOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...protocol.identity import Identity
    from .descriptor import Descriptor

DOMAIN: Final = b"tribler-multicast stream blocks 1\0"
TOP: Final = struct.Struct(">IBBQ")
LEAF: Final = struct.Struct(">IQ32s")
FINAL: Final = 1
SEEN: Final = 64
"""Records that are known not to be checked again: each comes by several ways."""


class Leaf(NamedTuple):
    """
    One block: its place in the stream, when it was cut (microseconds since the stream began), its hash.
    """

    position: int
    length: int
    cut: int
    digest: bytes

    @property
    def shape(self) -> tuple[int, int]:
        """
        How it is coded: symbols, and bytes of each.
        """
        return shape_of(self.length)

    @property
    def end(self) -> int:
        """
        The position behind it.
        """
        return self.position + self.length


class Record(NamedTuple):
    """
    A run of blocks.
    """

    first: int
    leaves: tuple[Leaf, ...]
    final: bool

    @property
    def last(self) -> int:
        """
        The number of the last block.
        """
        return self.first + len(self.leaves) - 1


def shape_of(length: int) -> tuple[int, int]:
    """
    Get how so many bytes are coded: symbols, and bytes of each.
    """
    k = max(1, -(-length // SYMBOL))
    return k, max(1, -(-length // k))


def is_head(number: int) -> bool:
    """
    Tell whether a block is a head.
    """
    return number >= MAX_BLOCKS


def digest_of(data: bytes | bytearray | memoryview) -> bytes:
    """
    Get the hash of a block.
    """
    return sha256(data).digest()


def sign_record(identity: Identity, stream_id: bytes, first: int, leaves: Sequence[Leaf], *, final: bool,
                position: int = 0) -> bytes:
    """
    Write a record.

    :param position: where the stream is, when there are no leaves.
    """
    body = TOP.pack(first, len(leaves), FINAL if final else 0, leaves[0].position if leaves else position) + b"".join(
        LEAF.pack(leaf.length, leaf.cut, leaf.digest) for leaf in leaves)
    return body + identity.sign(stream_id + body, DOMAIN)


def read_record(body: bytes) -> Record | None:
    """
    Read a record; None when there can't be one like this. The signature is not looked at.
    """
    if len(body) < TOP.size + SIGNATURE_SIZE:
        return None
    first, count, flags, position = TOP.unpack_from(body)
    head = is_head(first)
    if (count > RUN or len(body) != TOP.size + count * LEAF.size + SIGNATURE_SIZE or flags & ~FINAL
            or position > MAX_POSITION or (head and (count != 1 or flags or position))
            or (not head and first + count > MAX_BLOCKS) or (not count and not flags)):
        return None
    leaves = []
    for number in range(count):
        length, cut, digest = LEAF.unpack_from(body, TOP.size + number * LEAF.size)
        if not 0 < length <= (MAX_HEAD if head else MAX_BLOCK):
            return None
        leaves.append(Leaf(position, length, cut, digest))
        position += length
    return Record(first, tuple(leaves), bool(flags & FINAL))


class Checker:
    """
    Reads the records of one stream, and checks that its publisher signed them; each once.
    """

    def __init__(self, descriptor: Descriptor) -> None:
        """
        Know none.
        """
        self.descriptor = descriptor
        self._seen: OrderedDict[bytes, Record] = OrderedDict()

    def read(self, body: bytes) -> Record | None:
        """
        Get a record; None when the publisher of this stream did not sign it.
        """
        if body in self._seen:
            self._seen.move_to_end(body)
            return self._seen[body]
        record = read_record(body)
        if record is None or not verify(self.descriptor.key, body[-SIGNATURE_SIZE:],
                                        self.descriptor.id + body[:-SIGNATURE_SIZE], DOMAIN):
            return None
        self._seen[body] = record
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return record
