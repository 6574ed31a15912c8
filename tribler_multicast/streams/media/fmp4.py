"""
Fragmented MP4 (ISO/IEC 14496-12): boxes; first what the tracks are (``ftyp``, ``moov``: the head), then fragments, each
an index (``moof``) and its data (``mdat``).
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..limits import MAX_BOX, MAX_HEAD
from .cut import Cut

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE: Final = frozenset({b"styp", b"sidx", b"prft", b"emsg"})
"""What belongs to the fragment that follows."""

NO_SYNC: Final = 0x10000
"""Of the flags of a sample: it needs another."""

MAX_INNER: Final = 256
"""Boxes in a box that are looked at."""


class Track(NamedTuple):
    """
    What must be known of the track by which a stream is cut: its number, ticks per second, and the flags of samples
    that have none of their own.
    """

    id: int
    clock: int
    flags: int


class Mp4Scanner:
    """
    Finds the fragments that stand alone.
    """

    repeats_head = False
    extension = "m4s"

    def __init__(self) -> None:
        """
        With nothing known.
        """
        self.head = b""
        self._track: Track | None = None
        self._rest = b""
        self._at = 0
        self._skip = 0
        self._lost = False
        self._before: int | None = None
        self._ftyp = b""

    def adopt(self, head: bytes) -> None:
        """
        Take a head that came from elsewhere.
        """
        for kind, begin, end in _boxes(head, 0, len(head)):
            if kind == b"moov":
                self.head, self._track = head, _track(head, begin, end)

    def feed(self, position: int, data: bytes) -> list[Cut]:
        """
        Step from box to box; after a gap, look for the next fragment.
        """
        if position != self._at + len(self._rest):
            self._rest, self._skip, self._lost, self._before = b"", 0, position != 0, None
            self._at = position
        if self._skip >= len(data):
            self._skip -= len(data)
            self._at += len(data)
            return []
        data = self._rest + data[self._skip:]
        self._at += self._skip
        self._skip = 0
        cuts: list[Cut] = []
        begin = 0
        while (size := self._next(data, begin)) is not None:
            if not size:
                begin = self._find(data, begin)
                if self._lost:
                    break
                continue
            if begin + size > len(data) and (size > MAX_BOX or data[begin + 4:begin + 8] == b"mdat"):
                self._note(data[begin + 4:begin + 8], begin)
                self._skip, begin = begin + size - len(data), len(data)
                break
            if begin + size > len(data):
                break
            cut = self._look(data, begin, begin + size)
            if cut is not None:
                cuts.append(cut)
            begin += size
        self._rest, self._at = data[begin:], self._at + begin
        return cuts

    def _next(self, data: bytes, begin: int) -> int | None:
        """
        Get the size of the box that begins here; None: not enough is there to say, 0: it is none.
        """
        if self._lost:
            return 0
        if len(data) - begin < 16:
            return None
        size = int.from_bytes(data[begin:begin + 4], "big")
        if size == 1:
            size = int.from_bytes(data[begin + 8:begin + 16], "big")
        if size < 8 or not data[begin + 4:begin + 8].isalnum():
            self._lost = True
            return 0
        return size

    def _find(self, data: bytes, begin: int) -> int:
        """
        Find the next fragment.
        """
        while (at := data.find(b"moof", begin + 4)) >= 0:
            if len(data) < at + 12:
                return at - 4
            if data[at + 8:at + 12] == b"mfhd":
                self._lost = False
                return at - 4
            begin = at
        return max(begin, len(data) - 16)

    def _note(self, kind: bytes, begin: int) -> None:
        """
        Remember where a fragment begins, when that is before its index.
        """
        if kind not in BEFORE:
            self._before = None
        elif self._before is None:
            self._before = self._at + begin

    def _look(self, data: bytes, begin: int, end: int) -> Cut | None:
        """
        Look at a box that is whole.
        """
        kind, cut = data[begin + 4:begin + 8], None
        if kind == b"ftyp":
            self._ftyp = data[begin:end] if end - begin <= MAX_HEAD else b""
        elif kind == b"moov" and len(self._ftyp) + end - begin <= MAX_HEAD:
            self.adopt(self._ftyp + data[begin:end])
        elif kind == b"moof":
            time = _fragment(data, begin + 8, end, self._track)
            if time is not None:
                position = self._at + begin if self._before is None else self._before
                cut = Cut(position, time if time >= 0 else None)
        self._note(kind, begin)
        return cut


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """
    Get the boxes of a piece: kind, and where what is in them begins and ends.
    """
    for _ in range(MAX_INNER):
        if end - begin < 8:
            return
        size = int.from_bytes(data[begin:begin + 4], "big")
        if not 8 <= size <= end - begin:
            return
        yield data[begin + 4:begin + 8], begin + 8, begin + size
        begin += size


def _number(data: bytes, at: int, end: int, size: int = 4) -> int:
    """
    Get a number; 0 when it is not there.
    """
    return int.from_bytes(data[at:at + size], "big") if at + size <= end else 0


def _track(data: bytes, begin: int, end: int) -> Track | None:
    """
    Find the first track with pictures, or the first.
    """
    tracks: list[tuple[bool, int, int]] = []
    flags: dict[int, int] = {}
    for kind, start, stop in _boxes(data, begin, end):
        if kind == b"trak":
            tracks.append(_read_track(data, start, stop))
        elif kind == b"mvex":
            flags.update({_number(data, at + 4, to): _number(data, at + 20, to)
                          for inner, at, to in _boxes(data, start, stop) if inner == b"trex"})
    if not tracks:
        return None
    _, number, clock = next((each for each in tracks if each[0]), tracks[0])
    return Track(number, clock, flags.get(number, 0))


def _read_track(data: bytes, begin: int, end: int) -> tuple[bool, int, int]:
    """
    Get whether a track has pictures, its number, and ticks per second.
    """
    number = clock = 0
    pictures = False
    for kind, start, stop in _boxes(data, begin, end):
        if kind == b"tkhd":
            number = _number(data, start + (20 if data[start:start + 1] == b"\1" else 12), stop)
        elif kind == b"mdia":
            for inner, at, to in _boxes(data, start, stop):
                if inner == b"mdhd":
                    clock = _number(data, at + (20 if data[at:at + 1] == b"\1" else 12), to)
                elif inner == b"hdlr":
                    pictures = data[at + 8:at + 12] == b"vide"
    return pictures, number, clock


def _fragment(data: bytes, begin: int, end: int, track: Track | None) -> float | None:
    """
    Get when a fragment is shown if it stands alone (-1: it does not say when), None if it does not.
    """
    if track is None:
        return -1.0
    for kind, start, stop in _boxes(data, begin, end):
        if kind != b"traf":
            continue
        number, flags, time = 0, track.flags, -1.0
        for inner, at, to in _boxes(data, start, stop):
            has = _number(data, at, to) & 0xffffff
            if inner == b"tfhd":
                number = _number(data, at + 4, to)
                if has & 0x20:
                    flags = _number(data, at + 8 + 8 * bool(has & 1) + 4 * (has & 0x1a).bit_count(), to)
            elif inner == b"tfdt" and track.clock:
                time = _number(data, at + 4, to, 8 if data[at] == 1 else 4) / track.clock
            elif inner == b"trun" and number == track.id:
                return None if _first_flags(data, at, to, has, flags) & NO_SYNC else time
    return None


def _first_flags(data: bytes, at: int, end: int, has: int, flags: int) -> int:
    """
    Get the flags of the first sample of a run.
    """
    at += 8 + 4 * (has & 1)
    if has & 4:
        return _number(data, at, end)
    if has & 0x400:
        return _number(data, at + 4 * (has & 0x300).bit_count(), end)
    return flags
