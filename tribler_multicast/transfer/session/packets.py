"""
The datagrams of the data stream, byte by byte. They go to the session's group, or by unicast to one receiver.

    offset  size  field
         0     1  form: c1 numbered, c2 recoded, c3 proof, c4 heartbeat; + 10 (hexadecimal): by unicast
         1     8  tag of the session
         9     4  sequence, from 1: of the group, or of the unicast to this receiver
        13     4  time at the sender, microseconds modulo 2^32
        17     1  bit 7: report at once; bits 6-0: seconds / 200 from one report to the next
        18     n  body
      18+n    16  BLAKE2b (keyed, 16 bytes) over all of the above, under the key of the stream

    numbered    generation (4), number (4): below its size that symbol itself, else the seed of a combination, symbol
    recoded     generation (4), vector (as many bytes as the generation has symbols), symbol
    proof       first segment (4), height (1), hashes (32 each): see content.tree
    heartbeat   0 (1): somebody lacks something; 1: nobody does; 2: there is more to come, this is to measure with

No datagram of IPv8 begins with such a byte, so both can come to one socket. All integers are big-endian. Of 1,452 bytes
42 are not symbol or vector. The key of the group is held by all members: it says that a member sent this, no more. The
key of a unicast stream is held by the sender and one receiver.
"""
from __future__ import annotations

import struct
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import LEAST_INTERVAL, MAX_DATA, MAX_INTERVAL, PROOF_ROOM

if TYPE_CHECKING:
    from collections.abc import Sequence

    Bytes = bytes | bytearray | memoryview

NUMBERED: Final = 0xC1
RECODED: Final = 0xC2
PROOF: Final = 0xC3
HEARTBEAT: Final = 0xC4
UNICAST: Final = 0x10
FORMS: Final = frozenset(form + way for form in (NUMBERED, RECODED, PROOF, HEARTBEAT) for way in (0, UNICAST))

HEAD: Final = struct.Struct(">B8sIIB")
PLACE: Final = struct.Struct(">II")
RUN: Final = struct.Struct(">IB")
GENERATION_AT: Final = HEAD.size
NUMBER_AT: Final = GENERATION_AT + 4
SYMBOL_AT: Final = NUMBER_AT + 4
MAC_SIZE: Final = 16
TAG_SIZE: Final = 8
KEY_SIZE: Final = 32
AT_ONCE: Final = 0x80
LACKING: Final = b"\0"
IDLE: Final = b"\1"
MORE: Final = b"\2"
STEP: Final = LEAST_INTERVAL
CLOCK: Final = 1 << 32
LEAST: Final = HEAD.size + 1 + MAC_SIZE
OVERHEAD: Final = SYMBOL_AT + MAC_SIZE
"""Bytes of a numbered datagram that are not symbol."""


class Head(NamedTuple):
    """
    What every datagram says. `body` is a view into it.
    """

    form: int
    unicast: bool
    sequence: int
    time: int
    at_once: bool
    interval: float
    body: memoryview


def microseconds(now: float) -> int:
    """
    Get a time as datagrams carry it.
    """
    return int(now * 1e6) % CLOCK


def asked(interval: float, at_once: bool = False) -> int:
    """
    Get the byte that says how often to report.
    """
    steps = round(min(max(interval, LEAST_INTERVAL), MAX_INTERVAL) / STEP)
    return steps | (AT_ONCE if at_once else 0)


class Seal:
    """
    Makes and checks the MAC of one stream.
    """

    def __init__(self, key: bytes) -> None:
        """
        Take the key, 32 bytes.
        """
        self._empty = blake2b(key=key, digest_size=MAC_SIZE)

    def mac(self, data: Bytes) -> bytes:
        """
        Get the MAC of what comes before it.
        """
        digest = self._empty.copy()
        digest.update(data)
        return digest.digest()

    def is_good(self, datagram: memoryview) -> bool:
        """
        Tell whether a datagram ends with the MAC of what comes before.
        """
        return compare_digest(self.mac(datagram[:-MAC_SIZE]), datagram[-MAC_SIZE:])


class Stream:
    """
    The sender's side of a stream: numbers and seals datagrams. `sequence` is that of the last one.
    """

    def __init__(self, tag: bytes, key: bytes, unicast: bool) -> None:
        """
        Begin with sequence 1.
        """
        self.tag = tag
        self.way = UNICAST if unicast else 0
        self.seal = Seal(key)
        self.sequence = 0

    def finish(self, form: int, datagrams: bytearray, size: int, now: float, ask: int) -> bytearray:
        """
        Write heads and MACs into datagrams of `size` bytes each, whose bodies are written.
        """
        view, time = memoryview(datagrams), microseconds(now)
        mac, pack, tag, way = self.seal.mac, HEAD.pack_into, self.tag, form + self.way
        for at in range(0, len(datagrams), size):
            self.sequence += 1
            pack(view, at, way, tag, self.sequence % CLOCK, time, ask)
            end = at + size
            view[end - MAC_SIZE:end] = mac(view[at:end - MAC_SIZE])
        return datagrams

    def one(self, form: int, body: bytes, now: float, ask: int) -> bytearray:
        """
        Make one datagram.
        """
        datagram = bytearray(HEAD.size) + body + bytes(MAC_SIZE)
        return self.finish(form, datagram, len(datagram), now, ask)

    def systematic(self, symbols: Sequence[tuple[int, int, Bytes]], size: int, now: float, ask: int) -> bytearray:
        """
        Make the datagrams of (generation, index, symbol); a symbol that is short of `size` bytes is filled with zeros.
        """
        step = OVERHEAD + size
        made = bytearray(step * len(symbols))
        at = 0
        for generation, index, symbol in symbols:
            PLACE.pack_into(made, at + GENERATION_AT, generation, index)
            made[at + SYMBOL_AT:at + SYMBOL_AT + len(symbol)] = symbol
            at += step
        return self.finish(NUMBERED, made, step, now, ask)


def read_head(datagram: Bytes, tag: bytes, seals: tuple[Seal | None, Seal | None]) -> Head | str:
    """
    Read a datagram off the wire: a head whose MAC is good, or why there is none (for counting). Never raises.

    :param seals: of the group and of our unicast stream.
    """
    view = memoryview(datagram)
    if not LEAST <= len(view) <= MAX_DATA:
        return "data: length"
    form, found, sequence, time, ask = HEAD.unpack_from(view)
    if form not in FORMS:
        return "data: form"
    if found != tag:
        return "data: foreign session"
    seal = seals[bool(form & UNICAST)]
    if seal is None or not seal.is_good(view):
        return "data: MAC"
    steps = max(1, ask & ~AT_ONCE)
    return Head(form & ~UNICAST, bool(form & UNICAST), sequence, time, bool(ask & AT_ONCE),
                min(steps * STEP, MAX_INTERVAL), view[HEAD.size:-MAC_SIZE])


def pack_proof(first: int, height: int, hashes: bytes) -> bytes:
    """
    Write the body of a proof.
    """
    return RUN.pack(first, height) + hashes


def read_proof(body: memoryview) -> tuple[int, int, bytes] | None:
    """
    Read the body of a proof: first segment, height, hashes; None when it is none.
    """
    if not RUN.size < len(body) <= RUN.size + PROOF_ROOM:
        return None
    first, height = RUN.unpack_from(body)
    return first, height, bytes(body[RUN.size:])
