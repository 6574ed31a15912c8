"""
Datagrams many at once: native code and standard library do the same, bit for bit, whatever comes.
"""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding.common import NATIVE_PATHS, NO_NATIVE, calculating
from tribler_multicast.protocol.replay import ReplayWindow
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session import fallback_datagrams
from tribler_multicast.transfer.session.events import SegmentReady
from tribler_multicast.transfer.session.fallback_datagrams import (
    ACCEPTED,
    AT_END,
    REPLAYED,
    SCHEDULED,
    WRONG_LENGTH,
    WRONG_MAC,
    Collected,
)
from tribler_multicast.transfer.session.kernels import FALLBACK, NATIVE, Way
from tribler_multicast.transfer.session.packets import (
    GENERATION_AT,
    HEAD,
    HEARTBEAT,
    KEY_SIZE,
    MAC_SIZE,
    NUMBERED,
    OVERHEAD,
    PLACE,
    PROOF,
    RECODED,
    SYMBOL_AT,
    UNICAST,
    pack_proof,
)
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.sender import Sender
from tribler_multicast.transfer.session.stream import Stream

from .session_lan import KEY, TAG, Content

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
CONTENT = Content(2 * MIB)
GEOMETRY = CONTENT.geometry
UNICAST_KEY = bytes(KEY_SIZE)
seeds = st.integers(0, 2**32)
every_way = pytest.mark.parametrize("path", [*NATIVE_PATHS, "fallback"])
native_paths = pytest.mark.parametrize("path", NATIVE_PATHS or [pytest.param("", marks=pytest.mark.skip(NO_NATIVE))])


@contextmanager
def way_of(path: str) -> Iterator[Way]:
    """Calculate in one way only."""
    with calculating(path):
        if path == "fallback":
            yield FALLBACK
        else:
            assert NATIVE is not None
            yield NATIVE


@every_way
@settings(deadline=None, max_examples=60)
@given(seed=seeds, size=st.one_of(st.integers(34, 600), st.sampled_from([128 + 16, 129 + 16, 256 + 16, 1386, 1452])),
       count=st.integers(0, 20))
def test_sealed_datagrams_end_with_the_keyed_hash_of_all_before(path: str, seed: int, size: int, count: int) -> None:
    chance = Random(seed)
    key, tag, body = chance.randbytes(32), chance.randbytes(8), chance.randbytes(size * count)
    sequence, time, ask = chance.randrange(2**32 - 20), chance.randrange(2**32), chance.randrange(256)
    made = bytearray(body)
    with way_of(path) as way:
        way.datagrams.seal(made, size, 0xD1, tag, sequence, time, ask, way.datagrams.mac_key(key), None)
    for number in range(count):
        at = number * size
        head = HEAD.pack(0xD1, tag, sequence + number, time, ask)
        before = head + body[at + HEAD.size:at + size - MAC_SIZE]
        assert made[at:at + size] == before + blake2b(before, key=key, digest_size=16).digest()


@every_way
@settings(deadline=None, max_examples=60)
@given(seed=seeds, symbol=st.sampled_from([1, 16, 63, 1344]), cut=st.integers(0, 3000))
def test_symbols_are_laid_where_the_schedule_says_and_end_with_zeros(path: str, seed: int, symbol: int,
                                                                    cut: int) -> None:
    chance = Random(seed)
    segment = chance.randbytes(cut)
    records = [(chance.randrange(20), chance.randrange(256), chance.choice([0, cut, chance.randrange(4000), 2**32 - 1]))
               for _ in range(chance.randrange(1, 30))]
    first = chance.randrange(len(records))
    base = chance.choice([0, 7, 2**32 - 1])
    with way_of(path) as way:
        made = way.datagrams.lay(segment, symbol, b"".join(SCHEDULED.pack(*each) for each in records), first,
                                 len(records) - first, base)
    step = OVERHEAD + symbol
    assert len(made) == step * (len(records) - first)
    for number, (part, index, at) in enumerate(records[first:]):
        datagram = made[number * step:(number + 1) * step]
        assert PLACE.unpack_from(datagram, GENERATION_AT) == ((base + part) % 2**32, index)
        assert datagram[SYMBOL_AT:-MAC_SIZE] == segment[at:at + symbol].ljust(symbol, b"\0")


def hostile_batch(chance: Random, size: int, count: int, streams: tuple[Stream, Stream]) -> bytes:
    """
    Make equal datagrams, some of them honest and some of anything but.
    """
    made = bytearray()
    for _ in range(count):
        stream = streams[chance.random() < 0.4]
        kind = chance.randrange(12)
        jump = chance.choice([0, 0, 0, 1, -1, 5, -30, 700, -1023, -1024, 1024, 3000])
        stream.sequence = max(0, stream.sequence + jump)
        body = chance.randbytes(size - HEAD.size - MAC_SIZE)
        if kind > 1:
            body = (PLACE.pack(chance.choice([0, 1, 2, GEOMETRY.generations - 1, GEOMETRY.generations, 2**32 - 1]),
                               chance.choice([0, 1, 59, 60, 64, 2**32 - 1])) + body)[:len(body)]
        form = chance.choice([NUMBERED] * 6 + [RECODED, PROOF, HEARTBEAT])
        datagram = stream.one(form, body, chance.random() * 5000, chance.randrange(256))
        if kind == 2:
            datagram[chance.randrange(size)] ^= 1 << chance.randrange(8)
        elif kind == 3:
            datagram[0] = chance.randrange(256)
        elif kind == 4:
            datagram[1:9] = b"session2"
        elif kind == 5:
            datagram = bytearray(chance.randbytes(size))
        made += datagram
    return bytes(made)


def streams_of_one_sender() -> tuple[Stream, Stream]:
    return Stream(TAG, KEY, unicast=False), Stream(TAG, UNICAST_KEY, unicast=True)


sizes = st.sampled_from([35, 42 + 16, 42 + 16, 42 + 16, 42 + 16, 200, 1386, 1452])


@native_paths
@settings(deadline=None, max_examples=120)
@given(seed=seeds, size=sizes, has_group=st.booleans(), has_unicast=st.booleans())
def test_what_arrives_is_judged_the_same_by_native_code_and_standard_library(path: str, seed: int, size: int,
                                                                           has_group: bool, has_unicast: bool) -> None:
    chance, senders = Random(seed), streams_of_one_sender()
    keys = KEY if has_group else None, UNICAST_KEY if has_unicast else None
    with way_of(path) as way:
        ways = [way.datagrams.Streams(TAG, *keys), fallback_datagrams.Streams(TAG, *keys)]
        one_by_one = fallback_datagrams.Streams(TAG, *keys)
        for _ in range(chance.randrange(1, 5)):
            batch = hostile_batch(chance, size, chance.randrange(1, 20), senders)
            batch = batch[:len(batch) - chance.choice([0, 0, 0, 1, size - 34, size - 1])]
            count, now, clock = -(-len(batch) // size), chance.random() * 5000, chance.randrange(2**32)
            native, expected = (each.take(batch, size, count, now, clock) for each in ways)
            assert native == expected
            assert native[1] == native[0].count(ACCEPTED)
            assert [each.arrival(0) for each in ways] == [ways[1].arrival(0)] * 2
            assert [each.arrival(1) for each in ways] == [ways[1].arrival(1)] * 2
            alone = [one_by_one.take(batch[at:at + size], size, 1, now, clock)[0] for at in range(0, len(batch), size)]
            assert b"".join(alone) == native[0]


@every_way
@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.one_of(st.integers(-1030, 1030), st.sampled_from([1, 1, 1, -1024, 1023, 1024, 5000, 2**31])),
                      max_size=60))
def test_sequence_counts_once_within_the_window(path: str, steps: list[int]) -> None:
    window, sequence, stream = ReplayWindow(), 1, Stream(TAG, KEY, unicast=False)
    with way_of(path) as way:
        streams = way.datagrams.Streams(TAG, KEY, None)
        for step in steps:
            sequence = min(max(sequence + step, 0), 2**32 - 1)
            stream.sequence = sequence - 1
            fresh = window.is_fresh(sequence)
            window.add(sequence)
            verdicts, *_ = streams.take(stream.one(HEARTBEAT, b"\0", 1.0, 5), 35, 1, 1.0, 0)
            assert verdicts == bytes([ACCEPTED if fresh else REPLAYED])
            assert streams.arrival(0)[0] == window.highest


@every_way
def test_count_and_size_that_do_not_fit_the_buffer_are_no_harm(path: str) -> None:
    good = bytes(Stream(TAG, KEY, unicast=False).one(HEARTBEAT, b"\0", 1.0, 5))
    with way_of(path) as way:
        def take(data: bytes | memoryview, size: int, count: int) -> bytes:
            return way.datagrams.Streams(TAG, KEY, None).take(data, size, count, 1.0, 0)[0]

        assert take(good, 35, 3) == bytes([ACCEPTED, WRONG_LENGTH, WRONG_LENGTH])
        assert take(good, 65_535, 1) == bytes([ACCEPTED])
        assert take(good, 0, 2) == take(b"", 35, 2) == bytes([WRONG_LENGTH] * 2)
        assert take(good + good, 35, 1) == bytes([ACCEPTED])
        assert take(good, 35, 0) == b""
        assert take(memoryview(good + bytes(1500))[:36], 36, 1) == bytes([WRONG_MAC])
        for size, count in ((-1, 1), (65_536, 1), (35, -1), (35, 65_536)):
            with pytest.raises(ValueError, match="is 0 to 65535"):
                take(good, size, count)


@every_way
def test_arguments_that_do_not_fit_are_refused(path: str) -> None:
    with way_of(path) as way:
        made, key, schedule = bytearray(70), way.datagrams.mac_key(KEY), SCHEDULED.pack(0, 0, 0)
        for tag, group, unicast in ((TAG[1:], KEY, KEY), (TAG, KEY[1:], None), (TAG, None, KEY + b"x")):
            with pytest.raises(ValueError, match="bytes"):
                way.datagrams.Streams(tag, group, unicast)
        with pytest.raises(ValueError, match="key"):
            way.datagrams.mac_key(KEY[1:])
        with pytest.raises(ValueError, match="no datagrams"):
            way.datagrams.seal(made, 36, 0xC1, TAG, 0, 0, 0, key, None)
        with pytest.raises(ValueError, match="size"):
            way.datagrams.seal(made, 10, 0xC1, TAG, 0, 0, 0, key, None)
        with pytest.raises(ValueError, match="sequence"):
            way.datagrams.seal(made, 35, 0xC1, TAG, 2**32, 0, 0, key, None)
        for first, count in ((0, 2), (2, 0), (1, 1)):
            with pytest.raises(ValueError, match="schedule"):
                way.datagrams.lay(b"", 16, schedule, first, count, 0)
        for start, verdicts, lacking in ((2, b"\0", made), (0, b"\0", made[1:])):
            with pytest.raises(ValueError, match="fit"):
                way.datagrams.collect(b"", 35, verdicts, start, 16, {}, bytes(70), lacking, 0, 1)
        assert made == bytes(70)


def test_generation_of_another_code_is_not_written_to() -> None:
    if NATIVE is None:
        pytest.skip(NO_NATIVE)
    datagram = Stream(TAG, KEY, unicast=False).one(NUMBERED, PLACE.pack(0, 0) + bytes(16), 1.0, 5)
    for held in (NATIVE.coding.Generation(4, 15, 256, 0), NATIVE.coding.Generation(5, 16, 256, 0)):
        with pytest.raises(ValueError, match="another code"):
            NATIVE.datagrams.collect(datagram, 58, b"\0", 0, 16, {0: held}, b"\4", bytearray(b"\4"), 0, 1)
    with pytest.raises(TypeError):
        NATIVE.datagrams.collect(datagram, 58, b"\0", 0, 16, {0: object()}, b"\4", bytearray(b"\4"), 0, 1)  # type: ignore[dict-item]


@every_way
def test_packets_are_stored_with_the_stream_they_came_by_and_it_is_told_how_far_the_sender_passed(path: str) -> None:
    group, unicast = streams_of_one_sender()
    places = [(group, 5, 0), (unicast, 2, 1), (group, 7, 9), (unicast, 5, 2)]  # Number 9 is a combination.
    batch = b"".join(bytes(stream.one(NUMBERED, PLACE.pack(*place) + bytes([number]) * 16, 1.0, 5))
                     for number, (stream, *place) in enumerate(places))
    sizes, missing = b"\4" * 8, bytearray(b"\4" * 8)
    with way_of(path) as way:
        made = {number: way.coding.Generation(4, 16, 256, 0) for number in (2, 5, 7)}
        found = Collected(*way.datagrams.collect(batch, 58, bytes(4), 0, 16, made, sizes, missing, 3, 7))
        assert found == (4, AT_END, 0, 8, 6, 6, 4, 0, 0, 0, 0)
        assert [made[5].tag(0), made[5].tag(2), made[2].tag(1)] == [3, 7, 7]
        assert bytes(missing) == bytes([4, 4, 3, 4, 4, 2, 4, 3])
        last = Collected(*way.datagrams.collect(batch, 58, bytes(2), 1, 16, made, sizes, missing, 0, 1))
        assert (last.front, last.latest, last.dependent) == (3, 3, 1)


def receiver_of(way: Way, content: Content = CONTENT) -> Receiver:
    tree = HashTree(content.geometry.segments, content.tree.root)
    return Receiver(content.geometry, tree, tree.add, tag=TAG, keys=(KEY, UNICAST_KEY), random=Random(1), now=0.0,
                    way=way)


def state_of(receiver: Receiver) -> tuple[object, ...]:
    """
    Get all that can be seen of a receiver.
    """
    partial = {(segment, at): data for segment, at, data in receiver.partial()}
    return (receiver.counters, receiver.missing, receiver.tracks, receiver.interval, receiver.next_timer(),
            list(receiver._open), partial,
            [(type(event), bytes(getattr(event, "data", b""))) for event in receiver.events])


@native_paths
@settings(deadline=None, max_examples=60)
@given(seed=seeds, size=sizes)
def test_receiver_is_the_same_with_and_without_native_code_whatever_comes(path: str, seed: int, size: int) -> None:
    chance, senders = Random(seed), streams_of_one_sender()
    with way_of(path) as way:
        receivers = [receiver_of(way), receiver_of(FALLBACK)]
        for now in range(1, 6):
            batch = hostile_batch(chance, size, chance.randrange(1, 40), senders)
            for receiver in receivers:
                receiver.batch_received(batch, size, len(batch) // size, float(now))
            assert state_of(receivers[0]) == state_of(receivers[1])
            for receiver in receivers:
                receiver.run_timers(now + 0.5)
            assert receivers[0].take_reports() == receivers[1].take_reports()


def batches_of(content: Content, chance: Random, loss: float) -> list[tuple[bytes, int]]:
    """
    Get all that a sender sends of a content, in batches, with losses made up for by repair.
    """
    rate = RateControl(0.0)
    sender = Sender(content.geometry, content.tree, TAG, KEY, rate)
    stream = Stream(TAG, UNICAST_KEY, unicast=True)
    for name in (b"a", b"b"):
        sender.join(name, UNICAST_KEY, 0.0)
    made: list[tuple[bytes, int]] = []
    while True:
        for wanted in sender.wanted():
            sender.give(wanted, content.segments[wanted])
        batch = sender.make(1.0, chance.randrange(1, 45))
        if batch is None or batch.datagrams[0] & ~UNICAST == HEARTBEAT:
            break
        kept = [bytes(batch.datagrams[at:at + batch.size]) for at in range(0, len(batch.datagrams), batch.size)
                if chance.random() >= loss]
        made.append((b"".join(kept), batch.size))
    for generation in range(content.geometry.generations):
        data = content.segments[generation // content.geometry.parts]
        for _ in range(20 if loss and content.geometry.size(generation) else 0):
            combined = sender._combinations(generation, data, 4, stream, 2.0)
            made.append((bytes(combined), len(combined) // 4))
    return [(data, size) for data, size in made if data]


@every_way
@pytest.mark.parametrize("loss", [0.0, 0.15])
@pytest.mark.parametrize("symbol", [16, 1344])
def test_all_segments_come_out_of_batches_as_they_were(path: str, loss: float, symbol: int) -> None:
    content = Content((2 if path != "fallback" or symbol == 16 else 1) * MIB + 5, symbol)
    with way_of(path) as way:
        receiver = receiver_of(way, content)
        for data, size in batches_of(content, Random(3), loss):
            receiver.batch_received(memoryview(data), size, len(data) // size, 1.5)
            receiver.data_received(data[:size], 1.5)
    found = {event.segment: event.data for event in receiver.take_events() if isinstance(event, SegmentReady)}
    assert found == dict(enumerate(content.segments))
    assert receiver.counters["data: replay"]


def test_batch_is_what_its_datagrams_are_one_by_one() -> None:
    batches = batches_of(CONTENT, Random(5), 0.2)
    together, alone = receiver_of(FALLBACK), receiver_of(FALLBACK)
    for data, size in batches:
        together.batch_received(data, size, len(data) // size, 1.5)
        for at in range(0, len(data), size):
            alone.data_received(data[at:at + size], 1.5)
        assert state_of(together) == state_of(alone)


def test_proof_between_symbols_is_taken_in_its_turn() -> None:
    content = Content(2 * MIB, symbol=61)  # So a proof of two segments is as long as a symbol's datagram.
    geometry, stream = content.geometry, Stream(TAG, KEY, unicast=False)
    hashes = content.tree.proof(0, 1)
    assert hashes is not None
    first, second = (stream.systematic(content.segments[segment], 61, schedule, 0, len(schedule) // SCHEDULED.size,
                                       segment * geometry.parts, 1.0, 5)
                     for segment, schedule in enumerate(geometry.schedule(each, geometry.of(each)) for each in (0, 1)))
    size = OVERHEAD + 61
    batch = first + stream.one(PROOF, pack_proof(0, 1, hashes), 1.0, 5) + second
    receiver = receiver_of(FALLBACK, content)
    for number, end in enumerate((len(first), len(first) + size, len(batch))):
        alone = receiver_of(FALLBACK, content)
        alone.batch_received(batch[:end], size, end // size, 1.5)
        ready = [event.segment for event in alone.take_events() if isinstance(event, SegmentReady)]
        assert ready == list(range(number))
    receiver.batch_received(batch, size, len(batch) // size, 1.5)
    ready = [event.data for event in receiver.take_events() if isinstance(event, SegmentReady)]
    assert ready == content.segments
