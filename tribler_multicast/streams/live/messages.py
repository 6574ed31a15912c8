"""
What is said around a live stream, byte by byte: by unicast, signed, sealed for the pair, as all around coded transfers.

    STREAMS_WANTED   nothing: which streams do you publish? or the id of one (32)
    ON_AIR           rate, bytes/s (4), viewers (2), descriptor; one for each
    TUNE             id (32), tag (8) and key (32) of the unicast to the viewer, its UDP port (2)
    TUNED            id (32), tag (8) and key (32) of the group; blocks (4 each): to begin with, newest, head (0: none);
                     when the stream began, microseconds of the datagrams' clock (4); descriptor
    ROSTER           id (32), mids of viewers (20 each)
    NEEDS            id (32), tag (8) and key (32) of the unicast to who asks, its UDP port (2), how the group's stream
                     arrives: highest sequence (4), how many (4), milliseconds of queue (2); for each block that lacks
                     something: number (4), rank (1), symbols wanted (1), bit 7: its record as well
    UNTUNE           id (32), reason (1): 0 over, 1 left, 2 unknown, 3 full, 4 policy

Integers are big-endian.
"""
from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from .descriptor import ID_SIZE, Descriptor
from .limits import MAX_K, MAX_NEEDS, MAX_RATE_TOLD, MAX_ROSTER

TAG_SIZE: Final = 8
KEY_SIZE: Final = 32
MID_SIZE: Final = 20
RECORD_TOO: Final = 0x80

ON_AIR: Final = struct.Struct(">IH")
TUNE: Final = struct.Struct(">32s8s32sH")
TUNED: Final = struct.Struct(">32s8s32sIIII")
NEEDS: Final = struct.Struct(">32s8s32sHIIH")
NEED: Final = struct.Struct(">IBB")


class Why(IntEnum):
    """
    Why somebody takes part no more, or can't.
    """

    OVER = 0
    LEFT = 1
    UNKNOWN = 2
    FULL = 3
    POLICY = 4


class OnAirMessage(NamedTuple):
    """
    A stream of who says it.
    """

    rate: int
    viewers: int
    descriptor: Descriptor

    def pack(self) -> bytes:
        """
        Write it.
        """
        return ON_AIR.pack(min(self.rate, MAX_RATE_TOLD), min(self.viewers, 0xFFFF)) + self.descriptor.pack()

    @classmethod
    def read(cls, data: bytes) -> OnAirMessage | None:
        """
        Read it; None when it is none.
        """
        descriptor = Descriptor.read(data[ON_AIR.size:])
        if descriptor is None:
            return None
        rate, viewers = ON_AIR.unpack_from(data)
        return cls(rate, viewers, descriptor)


class Tune(NamedTuple):
    """
    A wish to view.
    """

    stream_id: bytes
    tag: bytes
    key: bytes
    port: int

    def pack(self) -> bytes:
        """
        Write it.
        """
        return TUNE.pack(*self)

    @classmethod
    def read(cls, data: bytes) -> Tune | None:
        """
        Read it; None when it is none.
        """
        if len(data) != TUNE.size:
            return None
        tune = cls(*TUNE.unpack(data))
        return tune if tune.port else None


class Tuned(NamedTuple):
    """
    The answer: keys, and where to begin.
    """

    tag: bytes
    key: bytes
    start: int
    newest: int
    head: int
    clock: int
    descriptor: Descriptor

    def pack(self) -> bytes:
        """
        Write it.
        """
        return TUNED.pack(self.descriptor.id, self.tag, self.key, self.start, self.newest, self.head,
                          self.clock) + self.descriptor.pack()

    @classmethod
    def read(cls, data: bytes) -> Tuned | None:
        """
        Read it; None when it is none.
        """
        descriptor = Descriptor.read(data[TUNED.size:])
        if descriptor is None:
            return None
        stream_id, tag, key, start, newest, head, clock = TUNED.unpack_from(data)
        if stream_id != descriptor.id:
            return None
        return cls(tag, key, start, newest, head, clock, descriptor)


class Need(NamedTuple):
    """
    A block that lacks something: what is there, how many symbols are wanted, and whether its record is.
    """

    block: int
    rank: int
    symbols: int
    record: bool = False


class Arrived(NamedTuple):
    """
    How the group's stream arrives at a viewer; `queue` is seconds.
    """

    highest: int = 0
    came: int = 0
    queue: float = 0.0


class Needs(NamedTuple):
    """
    A question for symbols, and a report.
    """

    stream_id: bytes
    tag: bytes
    key: bytes
    port: int
    arrived: Arrived
    needs: tuple[Need, ...]

    def pack(self) -> bytes:
        """
        Write it.
        """
        arrived = self.arrived
        return NEEDS.pack(*self[:4], arrived.highest, arrived.came, min(int(arrived.queue * 1000), 0xFFFF)) + b"".join(
            NEED.pack(need.block, need.rank, need.symbols | (RECORD_TOO if need.record else 0)) for need in self.needs)

    @classmethod
    def read(cls, data: bytes) -> Needs | None:
        """
        Read it; None when it is none.
        """
        rest = len(data) - NEEDS.size
        if rest < 0 or rest % NEED.size or rest > MAX_NEEDS * NEED.size:
            return None
        stream_id, tag, key, port, highest, came, queue = NEEDS.unpack_from(data)
        needs = tuple(Need(block, rank, count & ~RECORD_TOO, bool(count & RECORD_TOO))
                      for block, rank, count in NEED.iter_unpack(memoryview(data)[NEEDS.size:]))
        if not port or came > highest or any(need.symbols > MAX_K for need in needs):
            return None
        return cls(stream_id, tag, key, port, Arrived(highest, came, queue / 1000), needs)


def pack_roster(stream_id: bytes, mids: list[bytes]) -> bytes:
    """
    Write who views.
    """
    return stream_id + b"".join(mids[:MAX_ROSTER])


def read_roster(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """
    Read it: id and mids; None when it is none.
    """
    rest = len(data) - ID_SIZE
    if rest < 0 or rest % MID_SIZE or rest > MAX_ROSTER * MID_SIZE:
        return None
    return data[:ID_SIZE], [data[at:at + MID_SIZE] for at in range(ID_SIZE, len(data), MID_SIZE)]


def pack_untune(stream_id: bytes, why: Why) -> bytes:
    """
    Write a goodbye.
    """
    return stream_id + bytes((why,))


def read_untune(data: bytes) -> tuple[bytes, Why] | None:
    """
    Read it: id and reason; None when it is none.
    """
    if len(data) != ID_SIZE + 1 or data[-1] not in tuple(Why):
        return None
    return data[:ID_SIZE], Why(data[-1])
