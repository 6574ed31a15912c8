"""
Encoding, recoding and decoding of a generation, natively and with the standard library: what goes in comes out.
"""
from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.coding import MAX_NUMBER, Code, Decoder, Encoder, Recoder, fallback, field

from .common import NATIVE_PATHS, NO_NATIVE, calculating, content, filled

if TYPE_CHECKING:
    from tribler_multicast.coding.field import Kernels

BOTH = [pytest.param(fallback, id="fallback"),
        pytest.param(field.kernels, id="native", marks=pytest.mark.skipif(not NATIVE_PATHS, reason=NO_NATIVE))]
both = pytest.mark.parametrize("kernels", BOTH)

codes = st.builds(
    lambda k, size, density, band: Code(k, size, density, min(band, k)),
    st.one_of(st.integers(1, 24), st.sampled_from([1, 63, 64, 65])),
    st.one_of(st.integers(1, 80), st.sampled_from([1, 63, 64, 65, 191, 192, 193, 383, 385])),
    st.sampled_from([256, 256, 200, 128]), st.sampled_from([0, 0, 12, 40]))
seeds = st.integers(0, 2**32)


@both
@settings(deadline=None, max_examples=150)
@given(code=codes, seed=seeds, loss=st.sampled_from([0.0, 0.1, 0.5]), systematic=st.booleans())
def test_what_was_encoded_is_decoded(kernels: Kernels, code: Code, seed: int, loss: float, systematic: bool) -> None:
    chance = random.Random(seed)
    source = content(code, seed)
    encoder = Encoder(code, source, systematic=systematic, seed=chance.randint(code.k, MAX_NUMBER), kernels=kernels)
    decoder = Decoder(code, kernels=kernels)
    while not decoder.complete:
        number, payload = encoder.encode()
        if chance.random() < loss:
            continue
        before = decoder.rank
        assert decoder.add(number, payload) == (decoder.rank == before + 1)
        assert decoder.rank <= code.k
        for index in set(range(code.k)) - set(decoder.missing):
            assert decoder.symbol(index) == encoder.symbol(index)
    assert decoder.decode() == source
    assert decoder.missing == []
    assert not decoder.add(*encoder.encode())
    assert decoder.rank == code.k


@both
@settings(deadline=None, max_examples=200)
@given(code=codes, seed=seeds, hops=st.integers(1, 3))
def test_what_was_recoded_and_recoded_again_is_decoded(kernels: Kernels, code: Code, seed: int, hops: int) -> None:
    chance = random.Random(seed)
    source = content(code, seed)
    encoder = Encoder(code, source, systematic=chance.random() < 0.5, kernels=kernels)
    decoders = [Decoder(code, kernels=kernels) for _ in range(hops + 1)]
    recoders = [Recoder(decoder, seed=seed + hop) for hop, decoder in enumerate(decoders[:-1])]
    while not decoders[-1].complete:
        decoders[0].add(*encoder.encode())
        for recoder, behind in zip(recoders, decoders[1:], strict=True):
            if recoder.decoder.rank > behind.rank and chance.random() < 0.8:
                before = behind.rank
                assert behind.add(*recoder.recode()) == (behind.rank == before + 1)
        # Recoding goes on the same when the relay has decoded.
        if decoders[0].complete and chance.random() < 0.2:
            assert decoders[0].decode() == source
    assert decoders[-1].decode() == source


@pytest.mark.skipif(not NATIVE_PATHS, reason=NO_NATIVE)
@settings(deadline=None, max_examples=200)
@given(code=codes, seed=seeds, path=st.sampled_from(NATIVE_PATHS or [""]))
def test_native_code_and_standard_library_do_the_same_bit_for_bit(code: Code, seed: int, path: str) -> None:
    with calculating(path):
        chance = random.Random(seed)
        source = content(code, seed)
        encoders = [Encoder(code, source, kernels=kernels) for kernels in (field.kernels, fallback)]
        decoders = [Decoder(code, kernels=kernels) for kernels in (field.kernels, fallback)]
        recoders = [Recoder(decoder, seed=seed) for decoder in decoders]
        while not decoders[0].complete:
            [packet] = {encoder.encode() for encoder in encoders}
            if chance.random() < 0.3:
                continue
            assert len({decoder.add(*packet) for decoder in decoders}) == 1
            if chance.random() < 0.1:
                assert len({recoder.recode() for recoder in recoders}) == 1
            if chance.random() < 0.05:
                slots = chance.sample([each.slot for each in decoders[0].stored()], chance.randint(0, decoders[0].rank))
                for decoder in decoders:
                    decoder.remove(slots)
            assert decoders[0].generation.states() == decoders[1].generation.states()
            assert decoders[0].generation.symbols == decoders[1].generation.symbols
        assert {bytes(decoder.decode()) for decoder in decoders} == {source}
        assert len({recoder.recode() for recoder in recoders}) == 1


def school_rank(vectors: list[bytes]) -> int:
    """
    The rank of vectors, by elimination as in the school book.
    """
    rows, rank = [list(vector) for vector in vectors], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        for row in rows[rank:]:
            factor = fallback.multiply(row[column], fallback.inverse(pivot[column]))
            row[:] = [value ^ fallback.multiply(factor, other) for value, other in zip(row, pivot, strict=True)]
        rows.insert(rank, pivot)
        rank += 1
    return rank


@both
@settings(deadline=None, max_examples=300)
@given(k=st.integers(1, 7), packets=st.lists(st.one_of(st.integers(0, 6), st.lists(st.integers(0, 2), min_size=7,
                                                                                    max_size=7)), max_size=20))
def test_rank_is_that_of_all_that_came_in_any_order(kernels: Kernels, k: int, packets: list[int | list[int]]) -> None:
    """
    Few elements, so that much depends on each other: symbols among coded packets that say them already, and so on.
    """
    decoder, came = Decoder(Code(k, 4), kernels=kernels), []
    symbols = content(decoder.code)
    for packet in packets:
        vector = bytes(index == packet % k for index in range(k)) if isinstance(packet, int) else bytes(packet[:k])
        payload = bytearray(4)
        fallback.product(payload, vector, 1, k, symbols, 4)
        before = school_rank(came)
        came.append(vector)
        innovative = decoder.add(packet % k if isinstance(packet, int) else vector, payload)
        assert innovative == (school_rank(came) > before)
        stored = [decoder.vector(each.slot) for each in decoder.stored()]
        assert decoder.rank == school_rank(came) == school_rank(stored)
    if decoder.complete:
        assert decoder.decode() == symbols


@both
@settings(deadline=None, max_examples=150)
@given(code=codes, seed=seeds, head=st.integers(0, 9), gap=st.integers(0, 5), spare=st.integers(0, 9))
def test_packets_are_made_in_and_read_from_the_buffers_of_the_network(
        kernels: Kernels, code: Code, seed: int, head: int, gap: int, spare: int) -> None:
    """
    With room for other headers before, between and behind, which nothing touches.
    """
    source, count = content(code, seed), code.k + 3
    payload = head + 4 + gap
    step = payload + code.symbol_size + spare
    sent = bytearray(b"\xEE" * (count * step))
    Encoder(code, source, kernels=kernels).encode_into(sent, count, step=step, head=head, payload=payload)
    for at in range(0, count * step, step):
        assert int.from_bytes(sent[at + head:at + head + 4], "big") == at // step
        assert set(sent[at:at + head] + sent[at + head + 4:at + payload] + sent[at + step - spare:at + step]) <= {0xEE}
    relay = Decoder(code, kernels=kernels)
    assert relay.add_batch(sent, count, step=step, head=head, payload=payload) == code.k == relay.rank
    assert relay.received == count
    offsets = list(range(0, count * step, step))
    random.Random(seed).shuffle(offsets)
    assert Decoder(code, kernels=kernels).add_batch(sent, offsets, head=head, payload=payload) == code.k
    # Recoded: here the vectors lie behind the payloads.
    step = code.symbol_size + code.k + spare
    again = bytearray(b"\xEE" * (4 * code.k * step))
    Recoder(relay, seed=seed).recode_into(again, 4 * code.k, step=step, head=code.symbol_size, payload=0)
    last = Decoder(code, kernels=kernels)
    last.add_batch(again, 4 * code.k, step=step, head=code.symbol_size, payload=0, vectors=True)
    assert last.decode() == source
    assert all(set(again[at - spare:at]) <= {0xEE} for at in range(step, len(again) + 1, step))


@both
def test_an_encoder_goes_round_from_the_last_seed_to_the_first(kernels: Kernels) -> None:
    code = Code(3, 5)
    encoder = Encoder(code, content(code), seed=MAX_NUMBER - 1, kernels=kernels)
    made = bytearray(8 * 9)
    encoder.encode_into(made, 8)
    assert [int.from_bytes(made[at:at + 4], "big") for at in range(0, 72, 9)] == [
        0, 1, 2, MAX_NUMBER - 1, MAX_NUMBER, 3, 4, 5]
    assert encoder.number == 6


@both
def test_a_short_last_generation_is_filled_with_zeros(kernels: Kernels) -> None:
    code = Code(4, 10)
    encoder = Encoder(code, b"short", systematic=False, kernels=kernels)
    decoder = Decoder(code, kernels=kernels)
    while not decoder.complete:
        decoder.add(*encoder.encode())
    assert decoder.decode() == b"short" + bytes(35)


@both
def test_systematic_symbols_can_be_read_at_once_and_views_of_them_stay_good(kernels: Kernels) -> None:
    code = Code(8, 300)
    source = content(code)
    encoder, decoder = Encoder(code, source, kernels=kernels), Decoder(code, kernels=kernels)
    decoder.add(*encoder.encode())
    first = decoder.symbol(0)
    assert (first, decoder.symbol(1)) == (source[:300], None)
    assert decoder.missing == list(range(1, 8))
    coded = Encoder(code, source, systematic=False, kernels=kernels)
    while not decoder.complete:
        decoder.add(*coded.encode())
    assert decoder.missing == list(range(1, 8))
    view = decoder.decode()
    assert (first, view, decoder.symbol(7)) == (source[:300], source, source[2100:])
    with pytest.raises(TypeError):
        view[0] = 1  # read-only


@both
def test_a_symbol_that_comes_late_takes_its_place_from_a_coded_packet(kernels: Kernels) -> None:
    code = Code(6, 40)
    source = content(code)
    coded = Encoder(code, source, systematic=False, kernels=kernels)
    decoder = Decoder(code, kernels=kernels)
    for _ in range(3):
        assert decoder.add(*coded.encode(), tag=7)
    for index in (0, 2):
        assert decoder.add(index, source[index * 40:index * 40 + 40], tag=index)
        assert decoder.symbol(index) == source[index * 40:index * 40 + 40]
    assert sorted(each.tag for each in decoder.stored()) == [0, 2, 7, 7, 7]
    while not decoder.complete:
        decoder.add(*coded.encode())
    assert decoder.decode() == source


@both
@pytest.mark.parametrize("decoded", [False, True])
def test_bad_packets_are_found_and_removed_and_the_rest_still_counts(kernels: Kernels, decoded: bool) -> None:
    code = Code(12, 50)
    source = content(code)
    decoder = filled(code, source, loss=0.4, kernels=kernels)
    [slot, *_] = [each.slot for each in decoder.stored() if not each.systematic]
    decoder.remove([slot])
    vector = bytes(random.Random(5).randbytes(12))
    assert decoder.add(vector, b"x" * 50, tag=666)  # pollution
    stored = {each.tag: each for each in decoder.stored()}
    packets = {slot: (decoder.vector(slot), decoder.packet(slot)) for slot in range(12)}
    if decoded:
        assert decoder.decode() != source
        assert packets == {slot: (decoder.vector(slot), decoder.packet(slot)) for slot in range(12)}
    bad = stored[666]
    assert (decoder.vector(bad.slot), decoder.packet(bad.slot), bad.systematic) == (vector, b"x" * 50, False)
    recoder = Recoder(decoder, seed=1)
    good = [slot for slot in range(12) if slot != bad.slot]
    if not decoded:  # from what has been checked only
        clean = Decoder(code, kernels=kernels)
        for _ in range(60):
            made = bytearray(62)
            recoder.recode_into(made, 1, only=good)
            clean.add(made[:12], made[12:])
        assert clean.rank == 11
        clean.add(*next(p for p in iter(Encoder(code, source, systematic=False, kernels=kernels).encode, None)))
        assert clean.decode() == source
    decoder.remove([bad.slot])
    assert decoder.rank == 11
    assert all((decoder.vector(slot), decoder.packet(slot)) == packets[slot] for slot in good)
    encoder = Encoder(code, source, systematic=False, seed=99, kernels=kernels)
    while not decoder.complete:
        decoder.add(*encoder.encode())
    assert decoder.decode() == source


@both
def test_duplicates_and_zero_vectors_count_for_nothing(kernels: Kernels) -> None:
    code = Code(5, 9)
    source = content(code)
    decoder = Decoder(code, kernels=kernels)
    assert not decoder.add(bytes(5), b"lies here")
    packets = [(number, payload) for number, payload in (Encoder(code, source).encode() for _ in range(1))]
    packets.append((1234, Encoder(code, source, systematic=False, seed=1234, kernels=kernels).encode()[1]))
    for number, payload in packets:
        assert decoder.add(number, payload)
        assert not decoder.add(number, payload)
        assert not decoder.add(number, b"different")
    [(index, first), (seed, second)] = packets
    assert (decoder.rank, decoder.symbol(index)) == (2, first)
    assert not decoder.add(field.coefficients(seed, 5, 256, 0), second)
    assert decoder.received == 8


@both
def test_what_is_wrong_is_refused_in_clear_words_and_changes_nothing(kernels: Kernels) -> None:
    code = Code(4, 10)
    source = content(code)
    decoder = filled(code, source, loss=0.5, kernels=kernels)
    decoder.remove([0])
    before = decoder.generation.states(), bytes(decoder.generation.symbols)
    recoder, encoder = Recoder(decoder, seed=1), Encoder(code, source, kernels=kernels)
    ten, out, huge = bytes(10), bytearray(100), 2**62
    for refused in (
            lambda: Code(0, 10), lambda: Code(256, 10), lambda: Code(4, 0), lambda: Code(4, 65_536),
            lambda: Code(4, 10, 0), lambda: Code(4, 10, 257), lambda: Code(4, 10, 256, 5), lambda: Code(4, 10, 256, -1),
            lambda: kernels.Generation(0, 10, 256, 0), lambda: kernels.Generation(4, huge, 256, 0),
            lambda: kernels.Generation(4, 2**70, 256, 0), lambda: kernels.Generation(4, 10, 256, 5),
            lambda: decoder.add(1, ten + b"x"), lambda: decoder.add(1, b""), lambda: decoder.add(-1, ten),
            lambda: decoder.add(2**32, ten), lambda: decoder.add(bytes(3), ten), lambda: decoder.add(bytes(5), ten),
            lambda: decoder.add(1, ten, tag=-1), lambda: decoder.add(1, ten, tag=2**32),
            lambda: decoder.add_batch(out, 8), lambda: decoder.add_batch(out, -1), lambda: decoder.add_batch(out, huge),
            lambda: decoder.add_batch(out, 2, step=0), lambda: decoder.add_batch(out, 2, step=huge),
            lambda: decoder.add_batch(out, 2, step=-14), lambda: decoder.add_batch(out, 2, head=-4),
            lambda: decoder.add_batch(out, 1, head=0, payload=huge), lambda: decoder.add_batch(out, 1, payload=91),
            lambda: decoder.add_batch(out, 1, head=5, payload=0), lambda: decoder.add_batch(out, [0, 87]),
            lambda: decoder.add_batch(out, [-1]), lambda: decoder.add_batch(out, [huge]),
            lambda: decoder.add_batch(out, [2**70]), lambda: decoder.add_batch(b"", 1),
            decoder.decode, lambda: decoder.vector(0), lambda: decoder.packet(0), lambda: decoder.vector(4),
            lambda: decoder.packet(-1), lambda: decoder.remove([0]), lambda: decoder.remove([4]),
            lambda: Encoder(code, bytes(41)), lambda: Encoder(code, source, seed=3),
            lambda: Encoder(code, source, seed=2**32), lambda: encoder.encode_into(out, 8),
            lambda: encoder.encode_into(out, -1), lambda: encoder.encode_into(out, 2, step=13),
            lambda: encoder.encode_into(out, 2, head=5, payload=0), lambda: encoder.encode_into(out, huge),
            lambda: encoder.encode_into(out, 1, payload=huge), lambda: encoder.encode_into(out, 2, step=huge),
            lambda: recoder.recode_into(out, 8), lambda: recoder.recode_into(out, 2, step=13),
            lambda: recoder.recode_into(out, 1, only=[]), lambda: recoder.recode_into(out, 1, only=[-1]),
            lambda: recoder.recode_into(out, 1, only=[4]), lambda: recoder.recode_into(out, huge),
            lambda: Recoder(decoder, density=0), lambda: Recoder(decoder, seed=-1),
            lambda: Recoder(decoder, seed=2**64), lambda: Recoder(Decoder(code, kernels=kernels)).recode()):
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            refused()
    for index in (-1, 4):
        for side in (encoder, decoder):
            with pytest.raises(IndexError):
                side.symbol(index)
    for readonly in (lambda: encoder.encode_into(bytes(100), 1), lambda: recoder.recode_into(bytes(100), 1)):
        with pytest.raises((BufferError, TypeError)):
            readonly()
    for wrong in (lambda: decoder.add("1", ten), lambda: decoder.add(1, "0123456789"), lambda: decoder.add(None, ten),
                  lambda: decoder.add_batch(out, [None]), lambda: decoder.add_batch(out, None)):
        with pytest.raises(TypeError):
            wrong()
    assert (decoder.generation.states(), bytes(decoder.generation.symbols), out) == (*before, bytes(100))


@both
@pytest.mark.parametrize("k", [1, 255])
def test_the_smallest_and_the_largest_generation(kernels: Kernels, k: int) -> None:
    code = Code(k, 33)
    source = content(code)
    for systematic in (True, False):
        encoder, decoder = Encoder(code, source, systematic=systematic, kernels=kernels), Decoder(code, kernels=kernels)
        buffer = bytearray((k + 8) * 37)
        encoder.encode_into(buffer, k + 8)
        assert decoder.add_batch(buffer, k + 8) == k
        assert decoder.decode() == source


def test_a_generation_can_be_used_from_several_threads() -> None:
    code = Code(64, 1344)
    source = content(code)
    decoder = filled(code, source, loss=0.5)
    coded = [each.slot for each in decoder.stored() if not each.systematic]
    wrong = []

    def churn(seed: int) -> None:
        recoder, encoder = Recoder(decoder, seed=seed), Encoder(code, source, systematic=False, seed=1000 * seed)
        packet = bytearray(64 + 1344)
        for turn in range(40):
            try:
                recoder.recode_into(packet, 1)
                check = Decoder(code)
                check.add(packet[:64], packet[64:])
                if turn % 5 == seed % 5:
                    decoder.remove([slot for slot in coded[:4] if decoder.generation.states()[slot]])
                five = bytearray(5 * 1348)
                encoder.encode_into(five, 5)
                decoder.add_batch(five, 5)
                decoder.decode()
            except ValueError:  # removed by another thread in between
                continue
            except BaseException as error:
                wrong.append(error)
                raise

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert wrong == []
    encoder = Encoder(code, source, systematic=False, seed=77_777)
    while not decoder.complete:
        decoder.add(*encoder.encode())
    assert decoder.decode() == source


@pytest.mark.skipif(not NATIVE_PATHS, reason=NO_NATIVE)
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.9])
def test_a_decoder_is_hardly_larger_than_its_generation(loss: float) -> None:
    code = Code(64, 1344)
    decoder = filled(code, content(code), loss=loss)
    peak = decoder.memory
    decoder.decode()
    assert peak <= 1.2 * code.generation_size
    assert decoder.memory <= 1.1 * code.generation_size
