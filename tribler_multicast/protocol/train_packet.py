"""
The packets of a train, byte by byte, and what their times of arrival say about the link.

    offset  size  field
         0    22  IPv8 prefix
        22     1  kind, TRAIN_PACKET
        23     8  id of the train
        31     4  index, from 0
        35    16  BLAKE2b of id and index under the key that TRAIN_END discloses
        51     n  zeros

A signature costs 70 microseconds and at 400 Mbit/s a packet comes every 28, so packets carry a MAC under a key that
only their sender has while they are under way, and that everybody learns when it is too late to forge (TESLA,
RFC 4082). What TRAIN says commits the sender to the key.
"""
from __future__ import annotations

from bisect import bisect_left, bisect_right
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import LEAST_TRAIN_COUNT, MAX_TRAIN_RATE
from .wire import IPV4, PREFIX, TRAIN_PACKET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TRAIN_ID_SIZE: Final = 8
INDEX_SIZE: Final = 4
TAG_SIZE: Final = 16
TRAIN_KEY_SIZE: Final = 32
COMMITMENT_SIZE: Final = 32
COMMITMENT_DOMAIN: Final = b"tm-train-1"
PACKET_PREFIX: Final = PREFIX + bytes((TRAIN_PACKET,))
INDEX_START: Final = len(PACKET_PREFIX) + TRAIN_ID_SIZE
TAG_START: Final = INDEX_START + INDEX_SIZE
PACKET_HEAD: Final = TAG_START + TAG_SIZE

FIRST_PART: Final = 0.3
BURST: Final = 1.1
"""The share of the time of a train that never counts; half of it does not, when the rate falls by so much there."""

ETHERNET_OVERHEAD: Final = 14
UDP_OVERHEAD: Final = 8
IP_OVERHEAD: Final = {4: 20, 6: 40}


class Came(NamedTuple):
    """
    A packet of a train as it came: when (ns, any clock), how many our own socket had dropped up to then.
    """

    when: int
    place: int
    tag: bytes
    dropped: int


class Part(NamedTuple):
    """
    Packets that came within `span` nanoseconds.
    """

    counted: int
    span: int


class Measured(NamedTuple):
    """
    What came of a train: packets that fit, packets that our own socket dropped meanwhile, and packets that arrived
    within `span` nanoseconds of it. 0 and 0 when too few came to tell.
    """

    received: int
    dropped: int
    counted: int
    span: int


def commitment(key: bytes) -> bytes:
    """
    Get what commits a sender to a key before it is disclosed.
    """
    return blake2b(key, digest_size=COMMITMENT_SIZE, person=COMMITMENT_DOMAIN).digest()


def tag(key: bytes, number: bytes, index: bytes) -> bytes:
    """
    Get the MAC of one packet.
    """
    return blake2b(number + index, key=key, digest_size=TAG_SIZE).digest()


def packets(key: bytes, number: bytes, count: int, size: int) -> Iterator[bytes]:
    """
    Make the packets of a train one by one: a microsecond each.
    """
    head, padding = PACKET_PREFIX + number, bytes(size - PACKET_HEAD)
    for i in range(count):
        index = i.to_bytes(INDEX_SIZE, "big")
        yield head + index + tag(key, number, index) + padding


def genuine(came: Iterable[Came], key: bytes, number: bytes) -> list[Came]:
    """
    Choose the packets that fit the key, each index once, in the order of their arrival.
    """
    found: dict[int, Came] = {}
    for packet in came:
        if packet.place not in found and compare_digest(
                packet.tag, tag(key, number, packet.place.to_bytes(INDEX_SIZE, "big"))):
            found[packet.place] = packet
    return sorted(found.values())


def measure(arrived: list[Came], count: int) -> Measured:
    """
    Measure how fast the link delivers, from packets in the order of their arrival.

    The first part of the time does not count: there a shaper lets the content of its bucket pass at full speed. That
    part is short, or half of the time where what comes before the middle is still faster than what comes after: the
    more counts, the less it matters that a processor was busy elsewhere for some milliseconds. Packets that our own
    socket dropped came by the link too. What the link itself lost does not matter: a full link delivers at its rate.
    """
    if not arrived:
        return Measured(0, 0, 0, 0)
    dropped = max(0, arrived[-1].dropped - arrived[0].dropped)
    most, half = since(arrived, FIRST_PART), since(arrived, 0.5)
    part = half if most.counted * half.span > BURST * half.counted * most.span else most
    counted = min(part.counted, count)
    if counted < LEAST_TRAIN_COUNT:
        return Measured(len(arrived), dropped, 0, 0)
    return Measured(len(arrived), dropped, counted, part.span)


def since(arrived: list[Came], share: float) -> Part:
    """
    Get what came after this share of the time.
    """
    last = arrived[-1]
    begin = arrived[0].when + int(share * (last.when - arrived[0].when))
    one = arrived[bisect_left(arrived, begin, key=lambda packet: packet.when)]
    behind = len(arrived) - bisect_right(arrived, one.when, key=lambda packet: packet.when)
    return Part(behind + max(0, last.dropped - one.dropped), last.when - one.when)


def bits_per_second(counted: int, span: int, size: int, family: int) -> float | None:
    """
    Get the rate of a link out of a report, counted in whole Ethernet frames without checksum and preamble, as `tc`
    does. None when the report says nothing.
    """
    if counted < LEAST_TRAIN_COUNT or span <= 0:
        return None
    frame = size + UDP_OVERHEAD + IP_OVERHEAD[family if family in IP_OVERHEAD else IPV4] + ETHERNET_OVERHEAD
    return min(8e9 * counted * frame / span, MAX_TRAIN_RATE)
