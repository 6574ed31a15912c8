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

# --- Formats and playlists.

MAX_BOX: Final = 64 << 10
"""Bytes of a box of MP4 that is read whole (the index of a fragment). A longer one is stepped over."""

SEGMENT_TIME: Final = 0.9
"""Seconds that a segment of a playlist has at least: shorter ones cost a request each and win nothing. Encoders are
told to make a place to begin each second, and clocks count in fractions of it."""

LONGEST_SEGMENT: Final = 30.0
"""Seconds between two places to cut, said by the stream itself, that are believed. Beyond, the clock of this node
counts: a stream that says that a year has passed must not make players wait for it."""

MAX_SEGMENTS: Final = 120
"""Segments in a playlist, so that it stays below 16 KiB whatever the stream says."""

# --- Players and publishers.

MAX_READERS: Final = 64
"""Players of streams at once, on one node. Each holds a connection and CHUNK bytes."""

CHUNK: Final = 64 << 10
"""Bytes that are taken from a stream for one player at once."""

PREROLL: Final = 64 << 10
"""Bytes before the edge at which a player of sound begins, which begins anywhere: it starts at once, not when its
buffer has filled."""

LINGER: Final = 12.0
"""Seconds that a stream is still received when nobody reads it: players of playlists come and go for each segment, and
a click that was a mistake is taken back."""

PLAYED: Final = 4.0
"""Seconds since the last segment was asked for in which somebody counts as watching: three segments of the usual
length, a player that rests between two of them is not gone."""

UNFED: Final = 60.0
"""Seconds after which a stream ends that nobody feeds: its source was killed and could not say goodbye."""

FIRST_SEGMENT: Final = 8.0
"""Seconds that a playlist waits for its first segment: players give up soon after."""

UNMARKED: Final = 8 << 20
"""Bytes without a place to begin after which a player begins anywhere: most live streams have one in each second."""

MAX_SOURCE_FAILURES: Final = 20
SOURCE_PAUSES: Final = (0.25, 10.0)
"""A source at a URL that fails is asked again after the first pause, which doubles up to the second; after so many
failures without a byte between them its stream ends."""

SOURCE_SILENCE: Final = 15.0
"""Seconds without a byte after which a source at a URL is asked again."""
