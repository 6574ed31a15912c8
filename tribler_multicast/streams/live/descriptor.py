"""
What a stream is: who publishes it, since when, its name and type; signed. Its id is a hash of that.

    offset  size  field
         0    64  key of the publisher
        64    16  random
        80     8  when it began, milliseconds since 1970
        88     1  length of the name, then the name, UTF-8
         …     1  length of the media type, then the type, ASCII
         …    64  Ed25519 signature over all of the above behind a domain string

The id is SHA-256 of all but the signature. So nobody else can publish under it: what is signed counts under the key
that the id commits to. A second publisher with another key is another stream, whatever it calls itself.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ...protocol.identity import KEY_SIZE, SIGNATURE_SIZE, mid_of, verify
from ..errors import ImpossibleError
from ..limits import MAX_MEDIA_TYPE, MAX_NAME

if TYPE_CHECKING:
    from ...protocol.identity import Identity

ID_SIZE: Final = 32
NONCE_SIZE: Final = 16
DOMAIN: Final = b"tribler-multicast stream 1\0"
FIXED: Final = KEY_SIZE + NONCE_SIZE + 8


@dataclass(frozen=True)
class Descriptor:
    """
    A stream. `started` is milliseconds since 1970.
    """

    key: bytes
    nonce: bytes
    started: int
    name: str
    media_type: str
    signature: bytes = b""
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        """
        Compute the id.
        """
        object.__setattr__(self, "id", sha256(self.body()).digest())

    def body(self) -> bytes:
        """
        Write what is signed.
        """
        name, kind = self.name.encode(), self.media_type.encode("ascii")
        return (self.key + self.nonce + self.started.to_bytes(8, "big") + bytes((len(name),)) + name
                + bytes((len(kind),)) + kind)

    @property
    def mid(self) -> bytes:
        """
        The publisher.
        """
        return mid_of(self.key)

    @classmethod
    def sign(cls, identity: Identity, nonce: bytes, started: int, name: str, media_type: str) -> Descriptor:
        """
        Describe a stream of ours.

        :raises ImpossibleError: when there can't be one like this.
        """
        if len(name.encode()) > MAX_NAME or len(media_type) > MAX_MEDIA_TYPE or not media_type.isascii():
            msg = "the name or type of the stream is too long"
            raise ImpossibleError(msg)
        made = cls(identity.key, nonce, started, name, media_type)
        return cls(identity.key, nonce, started, name, media_type, identity.sign(made.body(), DOMAIN))

    def pack(self) -> bytes:
        """
        Write it, signed.
        """
        return self.body() + self.signature

    @classmethod
    def read(cls, data: bytes) -> Descriptor | None:
        """
        Read it and check who signed; None when it is none. Never raises.
        """
        body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
        at = FIXED + 1
        if not at + 1 <= len(body) <= FIXED + 2 + MAX_NAME + MAX_MEDIA_TYPE:
            return None
        end = at + body[FIXED]
        if end >= len(body) or body[end] > MAX_MEDIA_TYPE or end + 1 + body[end] != len(body):
            return None
        try:
            name, kind = body[at:end].decode(), body[end + 1:].decode("ascii")
        except UnicodeDecodeError:
            return None
        key = body[:KEY_SIZE]
        if not name or not name.isprintable() or not verify(key, signature, body, DOMAIN):
            return None
        return cls(key, body[KEY_SIZE:KEY_SIZE + NONCE_SIZE], int.from_bytes(body[FIXED - 8:FIXED], "big"), name, kind,
                   signature)
