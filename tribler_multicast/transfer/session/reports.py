"""
What receivers tell: which generations lack how many symbols, and how the streams arrive. Byte by byte.

    offset  size  field
         0     4  number of the report, from 1
         4    32  for the group, then for the unicast stream to us:
                  highest sequence (4), datagrams that came (4), time in the latest of them (4), time since then in
                  microseconds (4); zeros when none came
        36     4  least time of arrival - time in it since the last report, microseconds modulo 2^32
        40     4  time of arrival - time in it of the latest datagram, likewise
        44     4  time in that datagram
        48     1  bit 0: these three are known
        49     4  a segment whose hash proof is missing, + 1; 0: none
        53     n  what is lacking

What is lacking:

    start (v), end (v)    generations from start up to, not including, end; whatever is not told of them is not lacking
    and again and again:
      gap (v)             generations that lack nothing, since the last one told of
      missing (1)         symbols that are lacking; 0: all, of as many generations in a row as is said behind it (v)

(v) is an unsigned LEB128 integer (seven bits a byte, the lowest first, bit 7: more follow) of at most five bytes.
"""
from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import MAX_CONTROL, MAX_GENERATIONS, MAX_RUNS, SCAN
from .packets import CLOCK

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    Bytes = bytes | bytearray | memoryview

FIXED: Final = struct.Struct(">12IBI")
DELAY_KNOWN: Final = 1
WHOLE: Final = 0
VARINT_BYTES: Final = 5
MAX_REPORT: Final = MAX_CONTROL - 8
"""Before it there is the tag of the session."""
LARGEST_STEP: Final = 2 * VARINT_BYTES + 1
NOT_ZERO: Final = re.compile(rb"[^\0]")


class Run(NamedTuple):
    """
    Some generations that lack the same: `missing` symbols each, WHOLE for all of them.
    """

    first: int
    length: int
    missing: int


class Lacks(NamedTuple):
    """
    What is lacking from generation `start` up to `end`, in order; all others there are complete.
    """

    start: int
    end: int
    runs: Sequence[Run]


class Arrival(NamedTuple):
    """
    How a stream arrives: highest sequence, how many came, the time in the latest, microseconds since then.
    """

    highest: int = 0
    came: int = 0
    time: int = 0
    since: int = 0


class Delay(NamedTuple):
    """
    Arrival at the receiver's clock - time at the sender's, in microseconds modulo 2^32, so only differences mean
    something: the least since the last report, the latest, and the time at the sender of that.
    """

    least: int
    latest: int
    time: int

    @classmethod
    def later(cls, before: Delay | None, delay: int, time: int) -> Delay:
        """
        Take one more datagram.
        """
        is_less = before is None or (delay - before.least) % CLOCK >= CLOCK // 2
        return cls(delay if before is None or is_less else before.least, delay, time)


class Report(NamedTuple):
    """
    A report. `proof`: of a segment that is complete and can't be checked.
    """

    number: int
    group: Arrival
    unicast: Arrival
    delay: Delay | None
    proof: int | None
    lacks: Lacks

    def pack(self) -> bytes:
        """
        Write it.
        """
        flags = DELAY_KNOWN if self.delay is not None else 0
        proof = 0 if self.proof is None else self.proof + 1
        return FIXED.pack(self.number, *self.group, *self.unicast, *(self.delay or (0, 0, 0)), flags,
                          proof) + pack_lacks(self.lacks)

    @classmethod
    def read(cls, payload: Bytes, generations: int) -> Report | None:
        """
        Read one off the wire, of a session with so many generations; None when it is none. Never raises.
        """
        if not FIXED.size < len(payload) <= MAX_REPORT:
            return None
        number, *numbers, flags, proof = FIXED.unpack_from(payload)
        lacks = read_lacks(payload[FIXED.size:], generations)
        if lacks is None or not number:
            return None
        return cls(number, Arrival(*numbers[:4]), Arrival(*numbers[4:8]),
                   Delay(*numbers[8:]) if flags & DELAY_KNOWN else None, proof - 1 if proof else None, lacks)


def varint(value: int) -> bytes:
    """
    Write an integer.
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: Bytes, at: int) -> tuple[int, int]:
    """
    Read an integer, and get where it ends.

    :raises ValueError: when there is none.
    """
    value = 0
    for number in range(VARINT_BYTES):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << 7 * number
        if byte < 128:
            return value, at
    raise ValueError("no integer")


def pack_lacks(lacks: Lacks) -> bytes:
    """
    Write what is lacking.
    """
    out = bytearray(varint(lacks.start) + varint(lacks.end))
    at = lacks.start
    for first, count, missing in lacks.runs:
        out += varint(first - at)
        out.append(missing)
        if missing == WHOLE:
            out += varint(count)
        at = first + count
    return bytes(out)


def read_lacks(data: Bytes, generations: int) -> Lacks | None:
    """
    Read what is lacking of so many generations; None when it is not in order, or reaches beyond. Never raises.
    """
    if generations > MAX_GENERATIONS:
        return None
    try:
        start, at = read_varint(data, 0)
        end, at = read_varint(data, at)
        if not start <= end <= generations:
            return None
        runs: list[Run] = []
        place = start
        while at < len(data) and len(runs) < MAX_RUNS:
            gap, at = read_varint(data, at)
            if at >= len(data):
                return None
            missing, count = data[at], 1
            at += 1
            if missing == WHOLE:
                count, at = read_varint(data, at)
            place += gap
            if not count or place + count > end:
                return None
            runs.append(Run(place, count, missing))
            place += count
    except ValueError:
        return None
    return Lacks(start, end, runs) if at == len(data) else None


def lacking_segments(stored: Container[int], segments: int, room: int) -> Lacks:
    """
    Tell which segments are lacking, as far as it fits in `room` bytes; the first 65,536 of those at most.
    """
    lacking = bytearray(segment not in stored for segment in range(min(segments, SCAN)))
    return describe(lacking, bytearray(b"\1") * len(lacking), 0, len(lacking), room)


def describe(missing: bytearray, sizes: bytearray, start: int, end: int, room: int) -> Lacks:
    """
    Tell what is lacking from `start` on: up to `end`, or as far as it fits in `room` bytes.

    :param missing: how many symbols each generation lacks.
    :param sizes: how many it has.
    """
    runs: list[Run] = []
    room -= 2 * VARINT_BYTES
    at = done = start
    stop = min(end, start + SCAN)
    while found := NOT_ZERO.search(missing, at, stop):
        first = at = found.start()
        if room < LARGEST_STEP:
            return Lacks(start, first, runs)
        at += 1
        if missing[first] == sizes[first]:
            while at < stop and missing[at] and missing[at] == sizes[at]:
                at += 1
            runs.append(Run(first, at - first, WHOLE))
            room -= len(varint(at - first))
        else:
            runs.append(Run(first, 1, missing[first]))
        room -= len(varint(first - done)) + 1
        done = at
    return Lacks(start, stop, runs)
