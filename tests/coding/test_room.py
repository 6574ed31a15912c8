"""
A generation that lies in memory of the caller: its symbols are in their place, without a copy.
"""
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.coding import Code, Decoder, Encoder, fallback, field

from .common import NATIVE_PATHS, NO_NATIVE, content

if TYPE_CHECKING:
    from tribler_multicast.coding.field import Kernels

both = pytest.mark.parametrize("kernels", [
    pytest.param(fallback, id="fallback"),
    pytest.param(field.kernels, id="native", marks=pytest.mark.skipif(not NATIVE_PATHS, reason=NO_NATIVE))])


@both
@settings(deadline=None, max_examples=60)
@given(k=st.integers(1, 12), size=st.sampled_from([1, 16, 100]), at=st.integers(0, 70), loss=st.sampled_from([0, 0.5]),
       seed=st.integers(0, 2**32))
def test_symbols_lie_in_the_room_and_nothing_around_it_is_touched(kernels: Kernels, k: int, size: int, at: int,
                                                                 loss: float, seed: int) -> None:
    chance, code = random.Random(seed), Code(k, size)
    source, around = content(code, seed), bytearray(chance.randbytes(k * size + 100))
    before, end = bytes(around), at + k * size
    decoder = Decoder(code, kernels=kernels, room=memoryview(around)[at:end])
    encoder = Encoder(code, source, kernels=kernels)
    while not decoder.complete:
        number, payload = encoder.encode()
        if chance.random() >= loss:
            decoder.add(number, payload)
    assert decoder.decode() == source
    assert around == before[:at] + source + before[end:]
    assert decoder.symbol(0) == source[:size]


@both
def test_room_that_does_not_fit_is_refused(kernels: Kernels) -> None:
    for length in (0, 39, 41):
        with pytest.raises(ValueError, match="bytes instead of 4 x 10"):
            Decoder(Code(4, 10), kernels=kernels, room=bytearray(length))
    with pytest.raises((BufferError, TypeError)):
        Decoder(Code(4, 10), kernels=kernels, room=bytes(40))


@both
def test_room_stays_as_long_as_the_generation_and_no_longer(kernels: Kernels) -> None:
    room = bytearray(40)
    decoder = Decoder(Code(4, 10), kernels=kernels, room=room)
    with pytest.raises(BufferError):
        room += b"more"
    decoder.add(0, b"0123456789")
    del decoder
    room += b"more"
    assert room[:10] == b"0123456789"
