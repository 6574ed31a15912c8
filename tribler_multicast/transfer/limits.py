"""
Every bound of a transfer, and the attack or failure that it stops.

Sizes are bytes, times seconds.
"""
from __future__ import annotations

from typing import Final

SEGMENT_SIZE: Final = 1 << 20
"""What is hashed, checked and counted at once. Part of every content id: it never changes."""

MAX_CONTENT_SIZE: Final = 1 << 40
"""Bytes of all files of one content: 1 TiB, of which the hash tree takes 66 MiB of memory. A manifest that claims more
is refused before anything is allocated for it."""

MAX_FILES: Final = 100_000
"""Files and empty folders of one content, some 400 bytes of memory each. A folder with more is refused while it is
scanned, and an index with more before it is fetched."""

MAX_INDEX_SIZE: Final = 16 << 20
"""Bytes of the list of names and sizes: it is held in memory whole. 160 for each of MAX_FILES."""

MAX_NAME: Final = 255
"""Bytes of UTF-8 in the name of one file or folder: what file systems take."""

MAX_PATH: Final = 1024
"""Bytes of UTF-8 in the path of a file below the content's folder. Systems take 4,096 at most, with the folder."""

MAX_DEPTH: Final = 32
"""Names in such a path. Each level is an open directory while a folder is scanned."""

MAX_SCANNED: Final = 400_000
"""Directory entries that are looked at in one scan: a folder with millions of links or sockets ends in an error, not
in a scan without end."""

MAX_RUN_HEIGHT: Final = 5
"""A proof is for 2^5 = 32 segments at most: it fits one datagram, and costs its receiver some 50 hashes."""

HASHERS: Final = 4
"""Threads that hash what is to be offered, 1 MiB each: with more, reading holds them up."""

OPEN_FILES: Final = 16
"""Files that one source or store holds open at a time: 100,000 small ones must not use up what the system gives."""

SEGMENTS_KEPT: Final = 4
"""Checked segments kept in memory for reading again in parts, 1 MiB each."""

# --- The store.

LEAST_UNIT: Final = 256
"""Bytes of the smallest part that is remembered as written. Smaller ones would make the notes larger than useful."""

DEFAULT_UNIT: Final = 1344
"""The symbol of the usual session (k = 64): 781 in a segment, so 98 bytes remember which of them are there."""

COMMIT_BYTES: Final = 64 << 20
COMMIT_TIME: Final = 1.0
"""What was written is made durable after so many bytes or seconds: a crash loses no more, and the disk is not made to
write its journal for each generation."""

SYNC_EACH: Final = 16
"""Up to so many changed files and folders are made durable one by one; for more, the whole file system at once, where
it can be asked to (Linux): 2,000 small files would take seconds otherwise."""

PREALLOCATE: Final = 1 << 20
"""Files from this size on get their room before their data, so that the disk is full at the start or not at all."""

LARGE_FILE: Final = 32 << 20
ALIGNED: Final = 4096
LEAST_DIRECT: Final = 64 << 10
"""Whole segments of files from the first size on are written past the page cache, where place and length are such
multiples, as disks want it, and the length is enough to be worth waiting for. Smaller files stay in it, for whoever
opens them next."""

COMPACT: Final = 4 << 20
"""Bytes that a journal may grow by before it is written anew; more where what it says is longer."""

MAX_JOURNAL: Final = 1 << 30
"""A longer journal is none of ours: it is not read into memory. That of 1 TiB takes 75 MiB when it is new."""

MAX_CLASHES: Final = 100
"""Names tried for a result whose name is taken: name (2), name (3)... A folder with more of them is full of copies."""
