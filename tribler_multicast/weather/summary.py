"""
What a node says of the weather, byte by byte: coarse, and nothing of what it sends or gets.

    offset  size  field
         0     1  version, 1
         1     1  class: 0 idle, 1 bulk, 2 on demand, 3 live
         2     1  flags: bit 0 the gateway has a queue, bit 1 the node's own link has, bit 2 other programs of the
                  machine need room, bits 3 and 4 its bulk traffic would go faster up, down, if it were let, bit 5 what
                  is felt is known
         3     1  seconds until the next summary at most, in tenths up to 12.7, bit 7: in seconds
         4     8  salt of the gateway's tag
        12     8  gateway's tag (`gateway_tag`)
        20     3  the queue now, its mean, its variability: milliseconds as below
        23     2  its skew (1; signed, 1/100), loss (1; 1/200, 255: not known)
        25     2  rates up and down of what is not anonymous
        27     2  of that bulk traffic
        29     2  rate that a node whose bulk traffic wants more may use, up and down, as this node reckons; 0: not
                  limited
        31     2  what the gateway passes up and down, as this node reckons; 0: not known
        33     1  how sure that is, up in the high four bits, down in the low ones

Rates and milliseconds are one byte each: 0 is none, else 2^((byte - 1) / 8) in units of 64 bytes/s and 0.1 ms, so 9 %
from step to step: who wants to know what somebody watches learns less from it than from the lamp of the router. Longer
payloads are read as far as they are known.
"""
from __future__ import annotations

import struct
from math import log2
from typing import Final, NamedTuple

from ..client import ACTIVITY_CLASSES
from .gateway_tag import SALT_SIZE, TAG_SIZE, GatewayTag
from .limits import MAX_INTERVAL

VERSION: Final = 1
FIELDS: Final = struct.Struct(f">BBBB{SALT_SIZE}s{TAG_SIZE}sBBBbB9B")
MAX_PAYLOAD: Final = 256
"""Bytes of a payload that is looked at: later versions may add some."""
STEPS: Final = 8
RATE_UNIT: Final = 64.0
TIME_UNIT: Final = 0.0001
LOSS_STEPS: Final = 200
LOSS_UNKNOWN: Final = 255
SECONDS: Final = 0x80

BLOATED, OWN_SLOW, NEEDS_ROOM, HUNGRY_UP, HUNGRY_DOWN, KNOWN = (1 << bit for bit in range(6))


def to_byte(value: float, unit: float) -> int:
    """
    Write a value on the scale, rounded to the nearest step.
    """
    return 0 if value < unit / 2 else max(1, min(255, 1 + round(STEPS * log2(value / unit))))


def from_byte(byte: int, unit: float) -> float:
    """
    Read it.
    """
    return 0.0 if byte == 0 else unit * 2.0 ** ((byte - 1) / STEPS)


class Both(NamedTuple):
    """
    A rate up and one down, bytes/s.
    """

    up: float = 0.0
    down: float = 0.0


class WeatherSummary(NamedTuple):
    """
    What a node says. Rates in bytes/s, times in seconds; `level` and `capacity` 0: none, not known; `confidence` 0..1.
    """

    kind: str
    gateway: GatewayTag
    interval: float
    is_known: bool = False
    is_bloated: bool = False
    is_own_slow: bool = False
    needs_room: bool = False
    hungry: tuple[bool, bool] = (False, False)
    queue: float = 0.0
    mean: float = 0.0
    variability: float = 0.0
    skew: float = 0.0
    loss: float | None = None
    rates: Both = Both()
    bulk: Both = Both()
    level: Both = Both()
    capacity: Both = Both()
    confidence: Both = Both()

    def pack(self) -> bytes:
        """
        Write it.
        """
        flags = (BLOATED * self.is_bloated | OWN_SLOW * self.is_own_slow | NEEDS_ROOM * self.needs_room
                 | HUNGRY_UP * self.hungry[0] | HUNGRY_DOWN * self.hungry[1] | KNOWN * self.is_known)
        tenths = round(self.interval * 10)
        interval = max(1, tenths) if tenths < SECONDS else SECONDS | min(127, -(-tenths // 10))
        confidence = [max(0, min(15, round(15 * value))) for value in self.confidence]
        loss = LOSS_UNKNOWN if self.loss is None else max(0, min(LOSS_STEPS, round(LOSS_STEPS * self.loss)))
        times = [to_byte(value, TIME_UNIT) for value in (self.queue, self.mean, self.variability)]
        pairs = (self.rates, self.bulk, self.level, self.capacity)
        rates = [to_byte(rate, RATE_UNIT) for pair in pairs for rate in pair]
        return FIELDS.pack(VERSION, ACTIVITY_CLASSES.index(self.kind), flags, interval, *self.gateway, *times,
                           max(-100, min(100, round(100 * self.skew))), loss, *rates,
                           confidence[0] << 4 | confidence[1])

    @classmethod
    def read(cls, payload: bytes) -> WeatherSummary | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not FIELDS.size <= len(payload) <= MAX_PAYLOAD:
            return None
        version, kind, flags, interval, salt, tag, *times, skew, loss, r0, r1, r2, r3, r4, r5, r6, r7, confidence = \
            FIELDS.unpack_from(payload)
        if version != VERSION or kind >= len(ACTIVITY_CLASSES) or interval & ~SECONDS == 0 or abs(skew) > 100 \
                or (loss > LOSS_STEPS and loss != LOSS_UNKNOWN):
            return None
        queue, mean, variability = (from_byte(byte, TIME_UNIT) for byte in times)
        rates, bulk, level, capacity = (Both(from_byte(up, RATE_UNIT), from_byte(down, RATE_UNIT))
                                        for up, down in ((r0, r1), (r2, r3), (r4, r5), (r6, r7)))
        seconds = float(interval & ~SECONDS) if interval & SECONDS else interval / 10
        return cls(
            ACTIVITY_CLASSES[kind], GatewayTag(salt, tag), min(seconds, MAX_INTERVAL), bool(flags & KNOWN),
            bool(flags & BLOATED), bool(flags & OWN_SLOW), bool(flags & NEEDS_ROOM),
            (bool(flags & HUNGRY_UP), bool(flags & HUNGRY_DOWN)), queue, mean, variability, skew / 100,
            None if loss == LOSS_UNKNOWN else loss / LOSS_STEPS, rates, bulk, level, capacity,
            Both((confidence >> 4) / 15, (confidence & 15) / 15))
