"""What live streams say, byte by byte: written and read again, and what cannot be."""
from __future__ import annotations

from random import Random

from tribler_multicast.coding import Code, Decoder
from tribler_multicast.streams.live.datagrams import (
    encoder_of,
    numbered,
    pack_numbers,
    read_numbers,
    read_symbol,
    recoded,
)
from tribler_multicast.streams.live.limits import MAX_BLOCK, MAX_BLOCKS, MAX_K, MAX_NEEDS, MAX_ROSTER, RUN, SYMBOL
from tribler_multicast.streams.live.messages import (
    Arrived,
    Need,
    Needs,
    OnAirMessage,
    Tune,
    Tuned,
    Why,
    pack_roster,
    pack_untune,
    read_roster,
    read_untune,
)
from tribler_multicast.streams.live.records import Checker, Leaf, digest_of, read_record, shape_of, sign_record
from tribler_multicast.transfer.session.limits import MAX_CONTROL, MAX_DATA
from tribler_multicast.transfer.session.packets import NUMBERED, RECODED

from .live_lan import IDENTITY, bodies, describe

STREAM = describe()
TAG, KEY = b"stream-1", bytes(range(32))


def test_messages_are_read_as_they_were_written_and_fit() -> None:
    needs = Needs(STREAM.id, TAG, KEY, 7, Arrived(9, 8, 0.05),
                  tuple(Need(number, number, 48, record=bool(number % 2), alone=bool(number % 3))
                        for number in range(MAX_NEEDS)))
    for message in (OnAirMessage(500_000, 3, STREAM), Tune(STREAM.id, TAG, KEY, 32110),
                    Tuned(TAG, KEY, 5, 9, MAX_BLOCKS + 1, 77, 1 << 40, STREAM), needs):
        written = message.pack()
        assert type(message).read(written) == message
        assert type(message).read(written[:-1]) is None
        assert len(written) <= MAX_CONTROL
    mids = [bytes([number]) * 20 for number in range(MAX_ROSTER)]
    assert read_roster(pack_roster(STREAM.id, mids)) == (STREAM.id, mids)
    assert len(pack_roster(STREAM.id, mids)) <= MAX_CONTROL
    for why in Why:
        assert read_untune(pack_untune(STREAM.id, why)) == (STREAM.id, why)
    assert read_untune(STREAM.id + b"\x63") is None


def test_a_name_of_255_bytes_fits_into_every_message() -> None:
    long = describe("\N{SNOWMAN}" * 85)
    assert len(Tuned(TAG, KEY, 1, 2, 3, 4, 5, long).pack()) <= MAX_CONTROL
    assert len(OnAirMessage(1, 2, long).pack()) <= MAX_CONTROL


def test_a_record_is_read_as_it_was_written_and_counts_for_its_stream_alone() -> None:
    leaves, position = [], 1000
    for number in range(RUN):
        leaves.append(Leaf(position, 100 + number, number * 7, digest_of(bytes([number]))))
        position += 100 + number
    body = sign_record(IDENTITY, STREAM.id, 40, leaves, final=True)
    record = Checker(STREAM).read(body)
    assert record is not None
    assert (record.first, list(record.leaves), record.final, record.last) == (40, leaves, True, 45)
    assert Checker(describe("another")).read(body) is None
    for at in range(len(body)):
        other = bytearray(body)
        other[at] ^= 1
        assert Checker(STREAM).read(bytes(other)) is None


def test_records_that_cannot_be_are_none() -> None:
    leaf = Leaf(0, 10, 1, bytes(32))
    for first, leaves, final, position in (
            (1, [leaf] * (RUN + 1), False, 0), (1, [], False, 0), (1, [leaf._replace(length=0)], False, 0),
            (1, [leaf._replace(length=MAX_BLOCK + 1)], False, 0), (MAX_BLOCKS + 1, [leaf, leaf], False, 0),
            (MAX_BLOCKS + 1, [leaf], True, 0), (MAX_BLOCKS - 1, [leaf, leaf], False, 0), (1, [], True, 1 << 63)):
        assert read_record(sign_record(IDENTITY, STREAM.id, first, leaves, final=final, position=position)) is None


def test_symbols_of_blocks_of_any_size_fit_into_a_datagram_and_give_the_block() -> None:
    random = Random(1)
    for size in (1, 2, SYMBOL, SYMBOL + 1, 10_000, MAX_BLOCK):
        data, shape = random.randbytes(size), shape_of(size)
        assert shape[0] <= MAX_K
        relay, decoder = Decoder(Code(*shape)), Decoder(Code(*shape))
        for body in bodies(numbered(9, encoder_of(data, shape, 1000), shape[0] + 4)):
            symbol = read_symbol(NUMBERED, memoryview(body))
            assert symbol is not None
            assert (symbol.block, symbol.k) == (9, shape[0])
            relay.add(symbol.identity, symbol.payload)
        batch = recoded(9, relay, shape[0] + 4)
        assert batch.size <= MAX_DATA
        for body in bodies(batch):
            symbol = read_symbol(RECODED, memoryview(body))
            assert symbol is not None
            decoder.add(symbol.identity, symbol.payload)
        assert bytes(decoder.decode()[:size]) == data


def test_symbols_that_cannot_be_are_none() -> None:
    for body in (b"", bytes(8), bytes(4) + b"\0" + bytes(100), bytes(4) + bytes((MAX_K + 1,)) + bytes(100),
                 bytes(4) + b"\1" + bytes(4), bytes(4) + b"\1" + bytes(5 + SYMBOL)):
        assert read_symbol(NUMBERED, memoryview(body)) is None
    assert read_numbers(memoryview(pack_numbers([1, 5]))) == [1, 5]
    assert read_numbers(memoryview(b"")) is None
    assert read_numbers(memoryview(bytes(7))) is None
