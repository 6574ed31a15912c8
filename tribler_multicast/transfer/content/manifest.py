"""
What is offered, and who says so: the manifest, byte by byte.

    offset  size  field
         0     1  version: 1
         1     1  0 a file, 1 a folder
         2     8  bytes of all files
        10     4  bytes of the index; 0 for a file
        14     4  entries of the index; 1 for a file
        18    32  root of the hash tree over the segments
        50     1  length of the name
        51     n  name of the file or folder: UTF-8, NFC
      51+n     8  when it was published, Unix seconds
      59+n    64  key of the publisher: X25519, Ed25519
     123+n    64  Ed25519 signature over all of the above behind b"tribler-multicast manifest 1" and a zero byte

The *content id* is SHA-256 over b"tribler-multicast content 1", a zero byte and the first 51+n bytes: it says what, and
nothing of who, when, or how it is sent. All integers are big-endian. 442 bytes at most.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ...protocol.identity import KEY_SIZE, SIGNATURE_SIZE, verify
from ..errors import ContentError
from ..limits import MAX_CONTENT_SIZE, MAX_FILES, MAX_INDEX_SIZE, MAX_NAME
from .index import LEAST_ENTRY, Entry, read_index
from .layout import Layout
from .names import checked_name
from .tree import EMPTY_ROOT, HashTree

if TYPE_CHECKING:
    from ...protocol.identity import Identity

VERSION: Final = 1
HEAD: Final = struct.Struct(">BBQII32sB")
TAIL: Final = struct.Struct(f">Q{KEY_SIZE}s")
CONTENT_DOMAIN: Final = b"tribler-multicast content 1\0"
MANIFEST_DOMAIN: Final = b"tribler-multicast manifest 1\0"
ID_SIZE: Final = 32
MAX_MANIFEST: Final = HEAD.size + MAX_NAME + TAIL.size + SIGNATURE_SIZE
"""Bytes of the longest manifest: fits one datagram, with room for much else."""


@dataclass(frozen=True)
class Content:
    """
    What is offered: a file, or a folder with all that is in it. `size` in bytes of all files, `files` counts files and
    empty folders.
    """

    is_folder: bool
    name: str
    size: int
    index_size: int
    files: int
    root: bytes

    @cached_property
    def packed(self) -> bytes:
        """
        The bytes that the id is over.
        """
        name = self.name.encode()
        return HEAD.pack(VERSION, self.is_folder, self.size, self.index_size, self.files, self.root, len(name)) + name

    @cached_property
    def id(self) -> bytes:
        """
        The content id (32 bytes).
        """
        return sha256(CONTENT_DOMAIN + self.packed).digest()

    @property
    def layout(self) -> Layout:
        """
        How it is cut into segments.
        """
        return Layout(self.index_size, self.size)

    def tree(self) -> HashTree:
        """
        Begin a hash tree of which only the root is known.
        """
        return HashTree(self.layout.segments, self.root)

    def entries(self, index: bytes) -> list[Entry]:
        """
        Get the files: of a single file that one, else what the index (whole, and checked by the tree) says.

        :raises ContentError: when the index is none, or does not fit what the manifest says.
        """
        if not self.is_folder:
            return [Entry(self.name, self.size)]
        entries = read_index(index)
        if len(index) != self.index_size or len(entries) != self.files or sum(e.size for e in entries) != self.size:
            raise ContentError(f"the index of {self.name} does not fit its manifest")
        return entries

    @classmethod
    def unpack(cls, packed: bytes) -> tuple[Content, bytes]:
        """
        Read what `packed` gives, and get what comes behind it.

        :raises ContentError: when it is no content, or exceeds a limit.
        """
        if len(packed) < HEAD.size:
            raise ContentError("the manifest is too short")
        version, kind, size, index_size, files, root, length = HEAD.unpack_from(packed)
        end = HEAD.size + length
        if version != VERSION:
            raise ContentError(f"the manifest is of version {version}, which is not known here")
        if kind > 1 or len(packed) < end:
            raise ContentError("the manifest is damaged")
        if size > MAX_CONTENT_SIZE or index_size > MAX_INDEX_SIZE or files > MAX_FILES:
            raise ContentError("the manifest tells of more than can be received")
        content = cls(bool(kind), checked_name(packed[HEAD.size:end]), size, index_size, files, root)
        if not content.is_folder and (files != 1 or index_size):
            raise ContentError("the manifest is of a file with an index")
        if content.is_folder and (index_size < files * LEAST_ENTRY or (not files and (index_size or size))):
            raise ContentError("the manifest is of an index that can't be")
        if not content.layout.segments and root != EMPTY_ROOT:
            raise ContentError("the manifest has a hash of nothing that is none")
        return content, packed[end:]


@dataclass(frozen=True)
class Manifest:
    """
    A content, signed by one who publishes it. `time` is in Unix seconds, `key` the publisher's (64 bytes).
    """

    content: Content
    time: int
    key: bytes
    signature: bytes

    @classmethod
    def sign(cls, content: Content, identity: Identity, now: float) -> Manifest:
        """
        Publish a content.
        """
        signed = content.packed + TAIL.pack(int(now), identity.key)
        return cls(content, int(now), identity.key, identity.sign(signed, MANIFEST_DOMAIN))

    def pack(self) -> bytes:
        """
        Write it.
        """
        return self.content.packed + TAIL.pack(self.time, self.key) + self.signature

    @classmethod
    def read(cls, packed: bytes, content_id: bytes | None = None) -> Manifest:
        """
        Read a manifest off the wire: limits first, then the id that was asked for (if one was), then the signature.

        :raises ContentError: when it is not to be believed.
        """
        if len(packed) > MAX_MANIFEST:
            raise ContentError("the manifest is too long")
        content, rest = Content.unpack(packed)
        if len(rest) != TAIL.size + SIGNATURE_SIZE:
            raise ContentError("the manifest is damaged")
        if content_id is not None and content.id != content_id:
            raise ContentError("the manifest is of another content")
        time, key = TAIL.unpack_from(rest)
        if not verify(key, rest[TAIL.size:], packed[:-SIGNATURE_SIZE], MANIFEST_DOMAIN):
            raise ContentError("the manifest is not signed by its publisher")
        return cls(content, time, key, rest[TAIL.size:])
