"""
Secure random checksums: good packets always pass, recoded ones too; bad ones are found and named, and no others.
"""
from __future__ import annotations

from functools import reduce
from hashlib import shake_256
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.coding_paths import all_paths, calculating
from tribler_multicast.coding import Code, Decoder, Encoder, field
from tribler_multicast.coding.checksums import (
    FUNCTIONALS,
    KEY_SIZE,
    MAX_SYMBOL_SIZE,
    ROUNDS,
    ChecksumError,
    Functionals,
    Rows,
    Verifier,
    generate_key,
)
from tribler_multicast.coding.coefficients import MAX_SYMBOLS

from .generation import Generation

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = 44


@pytest.fixture(params=all_paths(), autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """
    Every instruction-set path that this machine has, and the standard library.
    """
    with calculating(request.param):
        yield request.param


def spoiled(data: bytes | bytearray, at: int, change: int = 1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= change
    return bytes(changed)


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 150), st.integers(0, 2**32))


@settings(max_examples=12, deadline=None)
@given(SHAPES, st.integers(1, 20))
def test_packets_pass_alone_together_and_recoded(shape: tuple[int, int, int], count: int) -> None:
    generation = Generation(*shape)
    packets = generation.coded(count)
    for coefficients, payloads in (packets, generation.recoded(*generation.recoded(*packets, count), count)):
        assert generation.verifier.verify_batch(coefficients, payloads)
        assert generation.verifier.bad_packets(coefficients, payloads) == []
        assert generation.verifier.verify(coefficients[:generation.k], payloads[:generation.size])


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(1, 255), st.data())
def test_one_changed_byte_is_caught(shape: tuple[int, int, int], change: int, data: st.DataObject) -> None:
    generation = Generation(*shape)
    coefficients, payload = generation.coded(1)
    at = data.draw(st.integers(0, generation.k + generation.size - 1))
    if at < generation.k:
        coefficients = bytearray(spoiled(coefficients, at, change))
        symbol = generation.symbols[at * generation.size:(at + 1) * generation.size]
        assert generation.verifier.verify(coefficients, payload) == (not any(symbol))
    else:
        assert not generation.verifier.verify(coefficients, spoiled(payload, at - generation.k, change))


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 60), st.data())
def test_exactly_the_bad_ones_of_a_batch_are_named(count: int, data: st.DataObject) -> None:
    generation = Generation(6, 40, data.draw(st.integers(0, 2**32)))
    coefficients, payloads = generation.coded(count)
    bad = data.draw(st.sets(st.integers(0, count - 1)))
    for number in bad:
        if data.draw(st.booleans()):
            payloads[number * 40 + data.draw(st.integers(0, 39))] ^= data.draw(st.integers(1, 255))
        else:
            coefficients[number * 6 + data.draw(st.integers(0, 5))] ^= data.draw(st.integers(1, 255))
    assert generation.verifier.bad_packets(coefficients, payloads) == sorted(bad)
    assert generation.verifier.verify_batch(coefficients, payloads) == (not bad)


def test_bad_packets_that_would_cancel_out_in_a_sum_are_named() -> None:
    generation = Generation(4, 30)
    coefficients, payloads = generation.coded(40)
    for number in (3, 37):
        payloads[number * 30] ^= 0x55
    assert not generation.verifier.verify_batch(coefficients, payloads)
    assert generation.verifier.bad_packets(coefficients, payloads) == [3, 37]


def test_all_rounds_of_random_numbers_count() -> None:
    generation = Generation(4, 30)
    coefficients, payloads = generation.coded(20)
    payloads[5] ^= 1
    checksums = generation.functionals.checksums(generation.symbols)
    for number in range(ROUNDS):
        drawn = bytes(int(place == number * 20) for place in range(ROUNDS * 20))
        verifier = Verifier(generation.functionals, checksums, lambda count, drawn=drawn: drawn[:count])
        assert not verifier.verify_batch(coefficients, payloads), number


def test_packets_are_checked_where_they_were_received() -> None:
    generation = Generation(16, 200)
    coefficients, payloads = generation.coded(30)
    received = bytearray(b"".join(
        generation.random.randbytes(HEADER) + coefficients[16 * number:16 * (number + 1)]
        + payloads[200 * number:200 * (number + 1)] for number in range(30)))
    places = (Rows(received, 30, 16, HEADER + 216, HEADER), Rows(received, 30, 200, HEADER + 216, HEADER + 16))
    assert generation.verifier.bad_packets(*places) == []
    assert generation.verifier.verify_batch(*places)
    received[(HEADER + 216) * 29 + HEADER + 5] ^= 1
    received[(HEADER + 216) * 13 + HEADER + 215] ^= 0x80
    received[(HEADER + 216) * 7] ^= 1  # in a header, which is not checked
    assert generation.verifier.bad_packets(*places) == [13, 29]
    assert generation.verifier.bad_packets(coefficients, places[1]) == [13]
    assert not generation.verifier.verify_batch(*places)


@pytest.mark.parametrize("decoded", [False, True], ids=["collected", "decoded"])
def test_bad_packets_that_were_stored_are_named_and_removed(decoded: bool) -> None:
    generation = Generation(16, 50)
    encoder = Encoder(Code(16, 50), generation.symbols)
    decoder, late = Decoder(Code(16, 50)), []
    for number, payload in [encoder.encode() for _ in range(40)]:
        if number % 3 == 0 and number < 30:
            late.append((number, payload))
        elif not decoder.complete:
            liar = number in (4, 17, 19)
            decoder.add(number, spoiled(payload, 20) if liar else payload, tag=1000 + number)
    assert decoder.complete
    if decoded:
        assert decoder.decode() != generation.symbols
    bad = generation.verifier.bad_stored(decoder)
    assert sorted(each.tag for each in bad) == [1004, 1017, 1019]
    decoder.remove(each.slot for each in bad)
    assert decoder.rank == 13
    assert generation.verifier.bad_stored(decoder) == []
    for number, payload in late:
        decoder.add(number, payload)
    assert decoder.decode() == generation.symbols


def test_systematic_packets_are_checked_by_their_index() -> None:
    generation = Generation(5, 70)
    for index in range(5):
        symbol = generation.symbols[70 * index:70 * (index + 1)]
        assert [generation.verifier.verify_systematic(other, symbol) for other in range(5)] == \
            [other == index for other in range(5)]
        assert not generation.verifier.verify_systematic(index, spoiled(symbol, 69))
        assert generation.verifier.verify(bytes(int(other == index) for other in range(5)), symbol)


def test_a_receiver_cannot_check_with_the_key_of_another() -> None:
    generation = Generation()
    coefficients, payloads = generation.coded(20)
    other = Functionals(generation.random.randbytes(KEY_SIZE), generation.size)
    verifier = Verifier(other, generation.functionals.checksums(generation.symbols))
    assert verifier.bad_packets(coefficients, payloads) == list(range(20))
    assert not verifier.verify_batch(coefficients, payloads)


def test_packets_of_another_generation_do_not_pass() -> None:
    generation, other = Generation(seed=1), Generation(seed=2)
    verifier = Verifier(generation.functionals, generation.functionals.checksums(generation.symbols))
    assert verifier.bad_packets(*other.coded(3)) == [0, 1, 2]


def test_what_is_made_for_one_receiver_and_passes_there_fails_at_another() -> None:
    generation = Generation(3, 20)
    other = Functionals(generation.random.randbytes(KEY_SIZE), 20)
    forged = bytearray(20)
    while not any(forged):  # nine unknown bytes, eight equations: some vector gives 0 with all of them
        forged[:9] = in_kernel([generation.functionals.vectors[20 * i:20 * i + 9] for i in range(FUNCTIONALS)])
    coefficients, payload = generation.coded(1)
    bad = bytes(a ^ b for a, b in zip(payload, forged, strict=True))
    assert generation.verifier.verify(coefficients, bad)
    assert not Verifier(other, other.checksums(generation.symbols)).verify(coefficients, bad)


def in_kernel(equations: list[bytes]) -> bytes:
    """
    Find a vector other than 0 that all these vectors take to 0, by elimination.
    """
    rows, pivots = [bytearray(row) for row in equations], []
    for column in range(len(rows[0])):
        row = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if row is None:
            free = column
            break
        at = len(pivots)
        rows[at], rows[row] = rows[row], rows[at]
        one = field.inverse(rows[at][column])
        rows[at] = bytearray(field.multiply(one, value) for value in rows[at])
        for r in range(len(rows)):
            if r != at:
                factor = rows[r][column]
                rows[r] = bytearray(a ^ field.multiply(factor, b) for a, b in zip(rows[r], rows[at], strict=True))
        pivots.append(column)
    found = bytearray(len(rows[0]))
    found[free] = 1
    for row, column in enumerate(pivots):
        found[column] = rows[row][free]
    return bytes(found)


def test_a_key_is_expanded_as_the_document_says() -> None:
    key = bytes(range(32))
    whole = shake_256(b"tribler-multicast checksums 1" + b"\0\0\x05\x40" + key).digest(8 * 1344)
    functionals = Functionals(key, 1344)
    assert functionals.vectors == whole
    assert functionals.vectors[:8].hex() == "eeb01018004a3bd4"
    symbols = Random(1).randbytes(3 * 1344)
    expected = [reduce(int.__xor__, map(field.multiply, whole[1344 * i:1344 * (i + 1)], symbols[1344 * j:][:1344]))
                for i in range(8) for j in range(3)]
    assert functionals.checksums(symbols) == bytes(expected)


def test_keys_differ_and_are_not_told() -> None:
    keys = {generate_key() for _ in range(10)}
    assert len(keys) == 10
    assert {len(key) for key in keys} == {KEY_SIZE}
    key = keys.pop()
    assert repr(Functionals(key, 100)) == "<Functionals for 100 bytes>"


def test_a_zero_packet_says_nothing_and_that_is_true() -> None:
    generation = Generation()
    assert generation.verifier.verify(bytes(8), bytes(100))
    assert not generation.verifier.verify(bytes(8), spoiled(bytes(100), 50))


def test_no_packets_are_no_bad_packets() -> None:
    generation = Generation()
    assert generation.verifier.bad_packets(b"", b"") == []
    assert generation.verifier.verify_batch(b"", b"")


@pytest.mark.parametrize(("made", "message"), [
    (lambda g: Functionals(bytes(31), 100), "a key has 32 bytes, this one 31"),
    (lambda g: Functionals(bytes(32), 0), "a symbol has 1 to 65535 bytes, not 0"),
    (lambda g: Functionals(bytes(32), MAX_SYMBOL_SIZE + 1), "not 65536"),
    (lambda g: g.functionals.checksums(b""), "0 bytes are not 1 to 255 symbols of 100"),
    (lambda g: g.functionals.checksums(bytes(799)), "799 bytes are not"),
    (lambda g: g.functionals.checksums(bytes(100 * (MAX_SYMBOLS + 1))), "25600 bytes are not"),
    (lambda g: Verifier(g.functionals, b""), "0 bytes are not the checksums"),
    (lambda g: Verifier(g.functionals, bytes(63)), "63 bytes are not the checksums"),
    (lambda g: Verifier(g.functionals, bytes(8 * 256)), "2048 bytes are not the checksums"),
    (lambda g: g.verifier.verify(bytes(7), bytes(100)), "a packet has 8 coefficients, this one 7"),
    (lambda g: g.verifier.verify(bytes(8), bytes(101)), "a payload has 100 bytes, this one 101"),
    (lambda g: g.verifier.bad_packets(bytes(7), bytes(100)), "coefficients have 8 bytes each, 7 bytes"),
    (lambda g: g.verifier.verify_each(bytes(8), bytes(101)), "payloads have 100 bytes each, 101 bytes"),
    (lambda g: g.verifier.verify_batch(bytes(16), bytes(100)), "1 payloads, but 2 vectors of coefficients"),
    (lambda g: g.verifier.bad_packets(Rows(bytes(99), 1, 9), bytes(100)), "coefficients have 8 bytes, not 9"),
    (lambda g: g.verifier.verify_systematic(8, bytes(100)), "there are 8 symbols, none with number 8"),
    (lambda g: g.verifier.verify_systematic(-1, bytes(100)), "none with number -1"),
    (lambda g: g.verifier.verify_systematic(0, bytes(99)), "this one 99"),
    (lambda g: g.verifier.bad_stored(Decoder(Code(8, 99))), "8 symbols of 100 bytes, the decoder has 8 of 99"),
    (lambda g: Rows(bytes(99), 1, 100), "1 packets of 100 bytes are not in 99 bytes"),
    (lambda g: Rows(bytes(400), 2, 100, 300), "2 packets of 300 bytes are not in 400 bytes"),
    (lambda g: Rows(bytes(400), 2, 100, 200, 101), "100 bytes, 200 apart, from 101 on"),
    (lambda g: Rows(bytes(400), -1, 100), "there are no -1 pieces"),
    (lambda g: Rows(bytes(400), 1, 0), "pieces of 0 bytes"),
    (lambda g: Rows(bytes(400), 1, 100, 200, -1), "from -1 on"),
])
def test_wrong_lengths_and_places_are_said_in_one_line(made: object, message: str) -> None:
    assert callable(made)
    with pytest.raises(ChecksumError, match=message):
        made(Generation())


def test_a_batch_that_fails_costs_one_round_of_combining_whatever_is_in_it() -> None:
    generation = Generation(4, 30)
    drawn: list[int] = []

    def draw(count: int) -> bytes:
        drawn.append(count)
        return generation.random.randbytes(count)

    verifier = Verifier(generation.functionals, generation.functionals.checksums(generation.symbols), draw)
    coefficients, payloads = generation.coded(100)
    for number in range(100):
        payloads[number * 30] ^= 1
    assert verifier.bad_packets(coefficients, payloads) == list(range(100))
    assert sum(drawn) in (0, ROUNDS * 100)
