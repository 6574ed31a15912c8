"""
WebM and Matroska (RFC 9559): a head that ends with the first cluster, then clusters, each with what can be shown
without the others when it is made for streaming.
"""
from __future__ import annotations

from typing import Final

from ..limits import MAX_HEAD
from .cut import Cut

CLUSTER: Final = b"\x1f\x43\xb6\x75"
FIRST: Final = frozenset({0xe7, 0xbf, 0xec})
"""What a cluster begins with: its time, a checksum, or a void."""

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
        self._first: bytes | None = None
        self._rest = b""
        self._at = 0

    def adopt(self, head: bytes) -> None:
        """
        Take a head that came from elsewhere.
        """
        self.head, self._first = head, None

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
                    self.head, self._first = (self._first + data[:at])[:MAX_HEAD], None
                cuts.append(Cut(self._at + at, _time(data, inner)))
        keep = at if at >= 0 else max(begin, len(data) - len(CLUSTER) + 1)
        if self._first is not None:
            self._first += data[:keep]
            if len(self._first) > MAX_HEAD:
                self._first = None
        self._rest, self._at = data[keep:], self._at + keep
        return cuts


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
