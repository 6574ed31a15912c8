"""
Every bound of a live stream, and the attack or failure that it stops.

Sizes are bytes, times seconds.
"""
from __future__ import annotations

from typing import Final

KEPT: Final = 32 << 20
"""Bytes of one stream that are kept for those who come late, pause or read slowly: a minute of 4 Mbit/s. What a stream
takes of memory does not follow from who reads it."""

BLOCK: Final = 64 << 10
"""Bytes that are kept and forgotten at once. A stream that comes byte by byte must not take an object for each."""

MAX_BLOCKS: Final = 2 * KEPT // BLOCK
"""Blocks kept at most: one that loses every second byte would otherwise take a block for each byte."""

MAX_MARKS: Final = 4096
"""Positions where a player may begin, kept at most: a stream that says that it can begin at each packet."""

MAX_HEAD: Final = 64 << 10
"""Bytes that a player needs before it can begin: the longest honest ones, of ten audio tracks, are below 10 KiB. It is
sent to everybody who joins."""

MAX_POSITION: Final = 1 << 62
"""No stream has so many bytes: at 1 Gbit/s it would run for a thousand years."""

MAX_WATCHED: Final = 16
"""Streams that one node watches at once, KEPT of memory each. Stops a page in a loop from filling the memory."""

MAX_PUBLISHED: Final = 8
"""Streams that one node publishes at once, KEPT of memory each."""

MAX_NAME: Final = 255
"""Bytes of UTF-8 in the name of a stream."""

MAX_MEDIA_TYPE: Final = 64
"""Characters of a media type."""
