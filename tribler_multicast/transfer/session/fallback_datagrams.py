"""
The datagrams of a session, many at once, with the standard library alone: what ``coding/native/session.c`` and
``module_session.c`` do, with the same results.
"""
from __future__ import annotations

import struct
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from ...protocol.pair_seal import library
from ...protocol.replay import ReplayWindow
from .limits import MAX_DATA
from .packets import (
    AT_ONCE,
    CLOCK,
    FORMS,
    GENERATION_AT,
    HEAD,
    KEY_SIZE,
    LEAST,
    MAC_SIZE,
    NONCE,
    NUMBER_AT,
    NUMBERED,
    OVERHEAD,
    PLACE,
    RECODED,
    SYMBOL_AT,
    TAG_SIZE,
    UNICAST,
)

if TYPE_CHECKING:
    from ...coding.fallback_generation import Generation
    from .packets import Bytes

MacKey: TypeAlias = Any
"""What `mac_key` makes: something else in the native code."""

ACCEPTED, WRONG_LENGTH, WRONG_FORM, FOREIGN, WRONG_MAC, REPLAYED = range(6)
"""What becomes of a datagram."""

AT_END, TO_OPEN, COMPLETE, OTHER_FORM = range(4)
"""Why `collect` comes back: nothing is left; a generation has to be opened; one has become complete; the datagram
before `next` is neither numbered nor recoded."""

SCHEDULED: Final = struct.Struct(">III")
"""A symbol to be sent: its generation (from the first one of its segment on), its number, where it lies in the segment.
"""

MAX_SIZE: Final = 65_535
MAX_COUNT: Final = 65_535
"""Bytes of a datagram and datagrams of a batch: more than any call of the kernel brings."""


def _check(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{what} is {least} to {most}")


def _cut(buffer: Bytes, size: int, number: int) -> memoryview:
    """
    Get a datagram of a batch.
    """
    return memoryview(buffer)[number * size:(number + 1) * size]


def mac_key(key: Bytes) -> MacKey:
    """
    Prepare the key of a stream (32 bytes).
    """
    if len(key) != KEY_SIZE:
        raise ValueError(f"key has {len(key)} bytes instead of 1 x {KEY_SIZE}")
    return blake2b(key=key, digest_size=MAC_SIZE)


def _mac(key: MacKey, data: Bytes) -> bytes:
    digest = key.copy()
    digest.update(data)
    return bytes(digest.digest())


def _check_cipher(cipher: Bytes | None) -> None:
    if cipher is not None and len(cipher) != KEY_SIZE:
        raise ValueError(f"cipher has {len(cipher)} bytes instead of 1 x {KEY_SIZE}")


def _encrypt(datagram: memoryview, cipher: bytes) -> None:
    """
    Encrypt the body of a datagram where it lies, or decrypt it: that is the same.
    """
    body = datagram[HEAD.size:-MAC_SIZE]
    body[:] = library().chacha20(bytes(body), bytes(datagram[NONCE]), cipher)


def seal(datagrams: bytearray, size: int, form: int, tag: bytes, sequence: int, time: int,  # noqa: PLR0913, PLR0917
         ask: int, key: MacKey, cipher: bytes | None) -> None:
    """
    Write heads into datagrams of `size` bytes each, whose bodies are written; encrypt the bodies; write MACs.

    :param sequence: of the first one.
    :param time: microseconds modulo 2^32.
    :param cipher: key of the cipher (32 bytes); None: bodies stay as they are.
    """
    _check("size", size, HEAD.size + MAC_SIZE, MAX_SIZE)
    for what, value in (("sequence", sequence), ("time", time)):
        _check(what, value, 0, CLOCK - 1)
    if len(datagrams) % size:
        raise ValueError(f"{len(datagrams)} bytes are no datagrams of {size}")
    if sequence + len(datagrams) // size > CLOCK:
        raise ValueError(f"sequences end at {CLOCK - 1}")
    _check_cipher(cipher)
    view, pack = memoryview(datagrams), HEAD.pack_into
    for at in range(0, len(datagrams), size):
        pack(view, at, form, tag, sequence, time, ask)
        end = at + size
        if cipher is not None:
            _encrypt(view[at:end], cipher)
        view[end - MAC_SIZE:end] = _mac(key, view[at:end - MAC_SIZE])
        sequence += 1


def lay(segment: Bytes, symbol: int, schedule: Bytes, first: int, count: int,
        generation: int) -> bytearray:
    """
    Make numbered datagrams of symbols of a segment, without heads and MACs.

    :param symbol: bytes of one; what lies behind the end of the segment is zero.
    :param schedule: records of `SCHEDULED`, of which these `count` from `first` on.
    :param generation: the first of the segment.
    """
    _check("symbol", symbol, 1, MAX_SIZE - OVERHEAD)
    there = len(schedule) // SCHEDULED.size
    if first < 0 or not 0 <= count <= min(MAX_COUNT, there - first):
        raise ValueError(f"there are {there} symbols in the schedule")
    step = OVERHEAD + symbol
    made = bytearray(step * count)
    for number in range(count):
        part, index, begin = SCHEDULED.unpack_from(schedule, (first + number) * SCHEDULED.size)
        at = number * step
        PLACE.pack_into(made, at + GENERATION_AT, (generation + part) % CLOCK, index)
        found = segment[begin:begin + symbol]
        made[at + SYMBOL_AT:at + SYMBOL_AT + len(found)] = found
    return made


class _Arriving:
    """
    How one stream arrives.
    """

    def __init__(self, key: Bytes | None, cipher: Bytes | None) -> None:
        _check_cipher(cipher)
        self.key = None if key is None else mac_key(key)
        self.cipher = None if cipher is None or key is None else bytes(cipher)
        self.window = ReplayWindow()
        self.count = 0
        self.time = 0
        self.at = 0.0


class Streams:
    """
    What arrives in a session: that of the group, and our unicast stream.
    """

    def __init__(self, tag: Bytes, group_key: Bytes | None, unicast_key: Bytes | None,
                 group_cipher: Bytes | None = None, unicast_cipher: Bytes | None = None, /) -> None:
        """
        :param tag: of the session (8 bytes).
        :param group_key: 32 bytes, or None: nothing is taken from that stream.
        :param group_cipher: key of the cipher (32 bytes), or None: bodies are in clear.
        """
        if len(tag) != TAG_SIZE:
            raise ValueError(f"tag has {len(tag)} bytes instead of 1 x {TAG_SIZE}")
        self._tag = bytes(tag)
        self._streams = _Arriving(group_key, group_cipher), _Arriving(unicast_key, unicast_cipher)

    def arrival(self, stream: int, /) -> tuple[int, int, int, float]:
        """
        Get of a stream (0: of the group, 1: by unicast) the highest sequence (-1: none), how many came, the time in
        the one with the highest sequence, and when that came.
        """
        _check("a stream", stream, 0, 1)
        its = self._streams[stream]
        return its.window.highest, its.count, its.time, its.at

    def take(self, buffer: Bytes, size: int, count: int, now: float, clock: int, /) -> tuple[bytes, int, int, int, int]:
        """
        Take datagrams: number n lies at n x size, and has `size` bytes or what there is left.

        Gets what becomes of each (a byte), and of those accepted: how many, the least delay, time in the last one, and
        how it asks for reports (bit 7: any of them does at once). Those of an encrypted stream that are accepted are
        decrypted where they lie, all others are left alone.

        :param clock: `now` in microseconds modulo 2^32.
        """
        _check("size", size, 0, MAX_SIZE)
        _check("count", count, 0, MAX_COUNT)
        verdicts = bytearray(count)
        accepted = least = time = ask = 0
        if any(stream.cipher is not None for stream in self._streams) and memoryview(buffer).readonly:
            raise BufferError("what is to be decrypted is not writable")
        for number in range(count):
            datagram = _cut(buffer, size, number)
            verdict, stream = self._look(datagram)
            if verdict == ACCEPTED:
                _, _, sequence, told, asks = HEAD.unpack_from(datagram)
                verdict = self._admit(stream, sequence, told, now)
            verdicts[number] = verdict
            if verdict == ACCEPTED:
                delay = (clock - told) % CLOCK
                if not accepted or (delay - least) % CLOCK >= CLOCK // 2:
                    least = delay
                accepted, time, ask = accepted + 1, told, ask & AT_ONCE | asks
                if stream.cipher is not None:
                    _encrypt(datagram, stream.cipher)
        return bytes(verdicts), accepted, least, time, ask

    def _look(self, datagram: memoryview) -> tuple[int, _Arriving]:
        """
        Check length, form, tag and MAC.
        """
        group, unicast = self._streams
        if not LEAST <= len(datagram) <= MAX_DATA:
            return WRONG_LENGTH, group
        form, tag, *_ = HEAD.unpack_from(datagram)
        if form not in FORMS:
            return WRONG_FORM, group
        if tag != self._tag:
            return FOREIGN, group
        its = unicast if form & UNICAST else group
        if its.key is None or not compare_digest(_mac(its.key, datagram[:-MAC_SIZE]), datagram[-MAC_SIZE:]):
            return WRONG_MAC, its
        return ACCEPTED, its

    @staticmethod
    def _admit(stream: _Arriving, sequence: int, time: int, now: float) -> int:
        if not stream.window.is_fresh(sequence):
            return REPLAYED
        if sequence > stream.window.highest:
            stream.time, stream.at = time, now
        stream.window.add(sequence)
        stream.count += 1
        return ACCEPTED


class Collected(NamedTuple):
    """
    What `collect` gets. The native code makes an ordinary tuple in this order.
    """

    next: int
    """Datagram to go on with."""
    why: int
    """It came back."""
    generation: int
    """That this is about, or 0."""
    end: int
    """Behind the highest generation that was seen."""
    front: int
    """Behind the highest generation of which a symbol itself came: so far the sender has passed."""
    latest: int
    """Behind the generation of the last such symbol."""
    innovative: int
    dependent: int
    unneeded: int
    absent: int
    malformed: int


class _Counts:
    """
    What `collect` counts.
    """

    def __init__(self) -> None:
        self.end = self.front = self.latest = 0
        self.innovative = self.dependent = self.unneeded = self.absent = self.malformed = 0


def collect(buffer: Bytes, size: int, verdicts: bytes, start: int, symbol: int,  # noqa: PLR0913, PLR0917
            generations: dict[int, Generation], sizes: Bytes, missing: bytearray, group_tag: int,
            unicast_tag: int) -> Collected:
    """
    Hand over the symbols of datagrams that were accepted, from number `start` on, to their generations.

    :param generations: those that are open.
    :param sizes: how many symbols each generation has, a byte each.
    :param missing: how many it lacks; counted down.
    :param group_tag: what packets are stored with that came by the stream of the group; `unicast_tag`: by unicast.
    """
    _check("symbol", symbol, 1, MAX_SIZE)
    for tag in (group_tag, unicast_tag):
        _check("tag", tag, 0, CLOCK - 1)
    if start > len(verdicts) or len(verdicts) > MAX_COUNT or len(sizes) != len(missing):
        raise ValueError("verdicts, start, sizes and missing do not fit each other")
    counts, why, generation, number = _Counts(), AT_END, 0, start
    while number < len(verdicts):
        datagram = _cut(buffer, size, number)
        if verdicts[number] == ACCEPTED and len(datagram) >= LEAST:
            tag = unicast_tag if datagram[0] & UNICAST else group_tag
            why, generation = _collect_one(datagram, symbol, generations, sizes, missing, tag, counts)
            if why == TO_OPEN:
                break
        number += 1
        if why != AT_END:
            break
    return Collected(number, why, generation, **vars(counts))


def _collect_one(datagram: memoryview, symbol: int, generations: dict[int, Generation], sizes: Bytes,  # noqa: PLR0913, PLR0917
                 missing: bytearray, tag: int, counts: _Counts) -> tuple[int, int]:
    form, body = datagram[0] & ~UNICAST, datagram[HEAD.size:-MAC_SIZE]
    if form not in (NUMBERED, RECODED):
        return OTHER_FORM, 0
    number = int.from_bytes(body[:4], "big") if len(body) >= 4 else 0
    size = sizes[number] if number < len(sizes) else 0
    head = size if form == RECODED else NUMBER_AT - GENERATION_AT
    if len(body) != 4 + head + symbol or not head:
        counts.malformed += 1
        return AT_END, 0
    if not size:
        counts.absent += 1
        return AT_END, 0
    counts.end = max(counts.end, number + 1)
    identity: memoryview | int = body[4:4 + head] if form == RECODED else int.from_bytes(body[4:4 + head], "big")
    if isinstance(identity, int) and identity < size:
        counts.latest = number + 1
        counts.front = max(counts.front, counts.latest)
    if not missing[number]:
        counts.unneeded += 1
        return AT_END, 0
    generation = generations.get(number)
    if generation is None:
        return TO_OPEN, number
    if not generation.add(identity, body[4 + head:], tag):
        counts.dependent += 1
        return AT_END, 0
    counts.innovative += 1
    missing[number] -= 1
    return (AT_END, 0) if missing[number] else (COMPLETE, number)
