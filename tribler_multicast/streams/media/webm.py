"""
WebM and Matroska (RFC 9559): a head that ends with the first cluster, then clusters. A player can begin with one whose
first picture stands alone: encoders for streaming make no others, browsers that record a camera do.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..limits import MAX_HEAD
from .cut import Cut

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER: Final = b"\x1f\x43\xb6\x75"
FIRST: Final = frozenset({0xe7, 0xbf, 0xec})
"""What a cluster begins with: its time, a checksum, or a void."""

SEGMENT: Final = b"\x18\x53\x80\x67"
TRACKS: Final = b"\x16\x54\xae\x6b"
TRACK, TRACK_NUMBER, TRACK_TYPE, VIDEO = b"\xae", b"\xd7", b"\x83", b"\x01"
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK, REFERENCE = b"\xa3", b"\xa0", b"\xa1", b"\xfb"

BLOCK_HEAD: Final = 4
"""Bytes with which a block begins: its track (of the first 127), its time, its flags."""

LOOK: Final = MAX_HEAD
"""Bytes of a cluster that are kept while its first picture is looked for. Stops one of sound without end, or one that
lies about its sizes, from filling the memory; a player does not begin there."""

NEEDED: Final = 24
"""Bytes from the beginning of a cluster to the end of its time."""


class WebmScanner:
    """
    Finds clusters.
    """

    repeats_head = False
    extension = ""

    def __init__(self) -> None:
        """
        With nothing known.
        """
        self.head = b""
        self._video: frozenset[int] = frozenset()
        self._first: bytes | None = None
        self._rest = b""
        self._at = 0

    def adopt(self, head: bytes) -> None:
        """
        Take a head that came from elsewhere.
        """
        self.head, self._first = head, None
        self._video = _video(head)

    def feed(self, position: int, data: bytes) -> list[Cut]:
        """
        Look for clusters.
        """
        if position == 0:
            self._first = b""
        elif position != self._at + len(self._rest):
            self._rest, self._at, self._first = b"", position, None
        data = self._rest + data
        cuts: list[Cut] = []
        begin = 0
        while (at := data.find(CLUSTER, begin)) >= 0 and len(data) - at >= NEEDED:
            inner = at + 13 - data[at + 4].bit_length()
            begin = at + 4
            if data[at + 4] and data[inner] in FIRST:
                if self._first is not None:
                    self.adopt((self._first + data[:at])[:MAX_HEAD])
                alone = _stands_alone(data, inner, self._video)
                if alone is None and len(data) - at < LOOK:
                    break  # not known yet
                if alone:
                    cuts.append(Cut(self._at + at, _time(data, inner)))
        keep = at if at >= 0 else max(begin, len(data) - len(CLUSTER) + 1)
        if self._first is not None:
            self._first += data[:keep]
            if len(self._first) > MAX_HEAD:
                self._first = None
        self._rest, self._at = data[keep:], self._at + keep
        return cuts


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """
    Go through elements: id, and where the body begins and ends. Stops at what is none, or of which not enough is here.
    """
    while at < end and data[at]:
        body = at + 9 - data[at].bit_length()
        if body >= end or not data[body]:
            return
        name, length = data[at:body], 9 - data[body].bit_length()
        if body + length > end:
            return
        size = int.from_bytes(data[body:body + length], "big") & ((1 << 7 * length) - 1)
        body += length
        at = body + size
        yield name, body, at


def _video(head: bytes) -> frozenset[int]:
    """
    Get the numbers of the tracks with pictures.
    """
    found: set[int] = set()
    for name, begin, _ in _elements(head, 0, len(head)):
        if name != SEGMENT:
            continue
        for inner, tracks, end in _elements(head, begin, len(head)):
            for each, at, until in _elements(head, tracks, min(end, len(head))) if inner == TRACKS else ():
                if each == TRACK:
                    inside = _elements(head, at, min(until, len(head)))
                    fields = {field: head[first:last] for field, first, last in inside}
                    if fields.get(TRACK_TYPE) == VIDEO and fields.get(TRACK_NUMBER):
                        found.add(fields[TRACK_NUMBER][-1])
    return frozenset(found)


def _stands_alone(data: bytes, at: int, video: frozenset[int]) -> bool | None:
    """
    Can the first picture of a cluster, whose elements begin here, be shown without others? None: it is not here yet.
    Where no track has pictures, anything can.
    """
    if not video:
        return True
    for name, body, end in _elements(data, at, len(data)):
        if len(name) > 1:  # the next cluster, or what is between them
            return False
        if name == SIMPLE_BLOCK and body + BLOCK_HEAD <= len(data):
            if data[body] & 0x7f in video:
                return bool(data[body + BLOCK_HEAD - 1] & 0x80)
        elif name == BLOCK_GROUP and end <= len(data):
            parts = {part: first for part, first, _ in _elements(data, body, end)}
            if BLOCK in parts and data[parts[BLOCK]] & 0x7f in video:
                return REFERENCE not in parts
    return None


def _time(data: bytes, at: int) -> float | None:
    """
    Get the time of a cluster in seconds, of the usual milliseconds.
    """
    if data[at] != 0xe7:
        return None
    size = data[at + 1] & 0x7f
    if not data[at + 1] & 0x80 or not 1 <= size <= 8 or at + 2 + size > len(data):
        return None
    return int.from_bytes(data[at + 2:at + 2 + size], "big") / 1000
