"""
A content that was hashed, or received, once is known again without reading it: its hashes and the stamps of its files
are kept in a file named by the content id.

    offset  size  field
         0    16  BLAKE2b over all that follows
        16     4  version: "tmr1"
        20     4  length of the description
        24     n  description, JSON: path, renamed
      24+n        content, as in its manifest up to the name; index; hashes of all segments; for each entry
                  inode, size and time of change (8 each)
"""
from __future__ import annotations

import json
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ...durable import write_durably
from ..errors import ContentError, StoreError, reason, shown
from .manifest import Content
from .scan import STAMP, Listing, Stamp
from .source import Source
from .tree import HASH_SIZE, HashTree

MAGIC: Final = b"tmr1"
LENGTH: Final = struct.Struct(">I")


def save(folder: Path, source: Source) -> None:
    """
    Keep what is known of a source in a folder.

    :raises StoreError: when it can't be kept.
    """
    listing = source.listing
    description = json.dumps({"path": str(listing.path), "renamed": listing.renamed}).encode()
    body = b"".join((MAGIC, LENGTH.pack(len(description)), description, source.content.packed, source.index,
                     source.tree.leaves(), *(STAMP.pack(*listing.stamp(n)) for n in range(len(listing.entries)))))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / source.content.id.hex(), (blake2b(body, digest_size=16).digest(), body))
    except OSError as error:
        raise StoreError(f"cannot write to {shown(str(folder))}: {reason(error)}") from None


def load(folder: Path, content_id: bytes) -> Source | None:
    """
    Get a content that is still where it was, every file as it was; None otherwise, and when the record is damaged.
    """
    try:
        record = (folder / content_id.hex()).read_bytes()
        source = _read(record, content_id)
        return source if source.is_unchanged() else None
    except (OSError, ValueError, KeyError, TypeError, struct.error, ContentError):
        return None


def forget(folder: Path, content_id: bytes) -> None:
    """
    Remove a record; no error where there is none.

    :raises StoreError: when it can't be removed.
    """
    try:
        (folder / content_id.hex()).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write to {shown(str(folder))}: {reason(error)}") from None


def _read(record: bytes, content_id: bytes) -> Source:
    body = record[16:]
    if blake2b(body, digest_size=16).digest() != record[:16] or body[:4] != MAGIC:
        raise ValueError("damaged")
    end = 8 + LENGTH.unpack_from(body, 4)[0]
    description = json.loads(body[8:end])
    content, rest = Content.unpack(body[end:])
    index, rest = rest[:content.index_size], rest[content.index_size:]
    size = content.layout.segments * HASH_SIZE
    tree = HashTree.of_leaves(rest[:size])
    if content.id != content_id or tree.root != content.root:
        raise ValueError("another content")
    listing = Listing(Path(description["path"]), content.is_folder)
    listing.name = content.name
    renamed = {int(number): str(path) for number, path in description["renamed"].items()}
    for number, (entry, stamp) in enumerate(zip(content.entries(index), STAMP.iter_unpack(rest[size:]), strict=True)):
        listing.add(entry, renamed.get(number, entry.path), Stamp(*stamp))
    return Source(listing, content, tree, index)
