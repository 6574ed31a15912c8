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

OPEN_FILES: Final = 16
"""Files that one source or store holds open at a time: 100,000 small ones must not use up what the system gives."""

SEGMENTS_KEPT: Final = 4
"""Checked segments kept in memory for reading again in parts, 1 MiB each."""
