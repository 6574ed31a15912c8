"""
What hides the data of a session in a group: the passphrase is known to its members, and so is what they send.

Its key is made of the one that the stream's authenticator has, which was told in a sealed ACCEPT. From the byte behind
the sequence on a datagram is combined (XOR) with SHAKE-128 of that key and all that comes before, which no two
datagrams of a stream have in common. Whether it is whole and true the authenticator says, which is hidden, too.
"""
from __future__ import annotations

from hashlib import blake2b, shake_128
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..session.packets import Bytes

CLEAR: Final = 13
"""Bytes in clear: form, tag and sequence. They tell a session from another, and one datagram from the next."""


class Cloak:
    """
    Hides the datagrams of one stream, or shows them again: both are the same.
    """

    def __init__(self, key: bytes) -> None:
        """
        Use what follows from the key of the stream.
        """
        self._key = blake2b(key, digest_size=32, person=b"tm-data-cloak-1").digest()

    def turn(self, data: Bytes, size: int) -> bytearray:
        """
        Turn datagrams of `size` bytes, one behind the other, the last one what is left.
        """
        turned = bytearray(data)
        for start in range(0, len(turned), size):
            begin, end = start + CLEAR, min(start + size, len(turned))
            if begin < end:
                stream = shake_128(self._key + turned[start:begin]).digest(end - begin)
                turned[begin:end] = (int.from_bytes(turned[begin:end], "little")
                                     ^ int.from_bytes(stream, "little")).to_bytes(end - begin, "little")
        return turned
