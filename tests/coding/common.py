"""
What the tests of coding share: each way to calculate in turn, and honest packets.
"""
from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tribler_multicast.coding import Code, Decoder, Encoder, fallback, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tribler_multicast.coding.field import Kernels

NATIVE_PATHS = [] if field.why_not_native else list(field.paths())
NO_NATIVE = f"no native code: {field.why_not_native}"


@contextmanager
def calculating(path: str) -> Iterator[Kernels]:
    """
    Calculate in one way only: a native one, or ``fallback``.
    """
    if path == "fallback":
        yield fallback
        return
    before = field.path()
    field.use(path)
    try:
        yield field.kernels
    finally:
        field.use(before)


def content(code: Code, seed: int = 1) -> bytes:
    """
    A generation of noise.
    """
    return random.Random(seed).randbytes(code.generation_size)


def filled(code: Code, source: bytes, *, loss: float = 0.0, seed: int = 1, kernels: Kernels | None = None) -> Decoder:
    """
    A complete decoder, to which a systematic sender spoke over a link with loss. Not yet decoded.
    """
    chance = random.Random(seed)
    encoder, decoder = Encoder(code, source, kernels=kernels), Decoder(code, kernels=kernels)
    while not decoder.complete:
        number, payload = encoder.encode()
        if chance.random() >= loss:
            decoder.add(number, payload, tag=number)
    return decoder
