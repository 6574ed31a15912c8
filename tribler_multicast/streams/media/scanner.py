"""
Looks through a stream as it comes: where can a player begin, and what does it need before that?

Everything that is looked at was made by strangers. A scanner keeps a bounded rest of what it was given, takes nothing
for true but positions, and finds nothing where it understands nothing.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from .fmp4 import Mp4Scanner
from .mpegts import PACKET, SYNC, TsScanner
from .webm import WebmScanner

if TYPE_CHECKING:
    from .cut import Cut


class Scanner(Protocol):
    """
    What knows a format.
    """

    head: bytes
    """What a player needs before it can begin at a cut; empty until it is known."""

    repeats_head: bool
    """Does the head belong before each place where a player goes on, not only before the first?"""

    extension: str
    """Of the names of its segments; empty where no playlist can be made of it."""

    def adopt(self, head: bytes) -> None:
        """
        Take a head that came from elsewhere: who joins late may never hear it.
        """

    def feed(self, position: int, data: bytes) -> list[Cut]:
        """
        Look at what came, at its position; behind a gap it is another than where the last ended.
        """


class Format(NamedTuple):
    """
    A format by its first bytes.
    """

    media_type: str
    starts: tuple[tuple[int, bytes], ...]


FORMATS = (
    Format("video/mp2t", ((0, SYNC), (PACKET, SYNC))),
    Format("video/mp4", ((4, b"ftyp"),)),
    Format("video/mp4", ((4, b"styp"),)),
    Format("video/mp4", ((4, b"moof"),)),
    Format("video/webm", ((0, b"\x1a\x45\xdf\xa3"),)),
    Format("audio/ogg", ((0, b"OggS"),)),
    Format("audio/flac", ((0, b"fLaC"),)),
    Format("audio/mpeg", ((0, b"ID3"),)),
    Format("audio/wav", ((0, b"RIFF"), (8, b"WAVE"))),
)

ENOUGH = PACKET + 1
"""Bytes by which all formats can be told."""


def guess(first: bytes) -> str:
    """
    Get the media type of a stream by its first bytes; empty when it is none that is known.
    """
    for media_type, starts in FORMATS:
        if all(first[at:at + len(said)] == said for at, said in starts):
            return media_type
    if len(first) > 1 and first[0] == 0xff and first[1] & 0xe0 == 0xe0:
        # ADTS (AAC) has layer 0, which MPEG audio never has.
        return "audio/mpeg" if first[1] & 0x06 else "audio/aac"
    return ""


def scanner_for(media_type: str) -> Scanner | None:
    """
    Get what looks through a stream of a type; None where there is nothing to be found.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind == "video/mp2t":
        return TsScanner()
    if kind in ("video/mp4", "audio/mp4"):
        return Mp4Scanner()
    if kind in ("video/webm", "audio/webm", "video/x-matroska"):
        return WebmScanner()
    return None
