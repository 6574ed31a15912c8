"""
From a seed to coefficients: what a sender and its receivers must calculate alike, byte for byte. It goes on the wire.

All numbers are unsigned 64-bit integers, sums and products modulo 2^64. ``mix`` is the finisher of SplitMix64 (Steele,
Lea and Flood 2014)::

    mix(z):  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
             z = (z ^ (z >> 27)) * 0x94D049BB133111EB
             return z ^ (z >> 31)

    G = 0x9E3779B97F4A7C15
    base = mix(seed + G)
    stream(b) = mix(b + 1 * G), mix(b + 2 * G), mix(b + 3 * G), ... each as 8 bytes, least significant byte first

Parameters of a session: ``k`` (1 to 255), ``band`` (0 = k, or 1 to k) and ``density`` (1 to 256). The vector has k
bytes. It is zero but for a window of ``band`` bytes, which begins at ``(base >> 32) mod k`` and goes round: byte j of
the window is byte ``(begin + j) mod k`` of the vector. With band = k the window is the whole vector and begins at 0.

- density 256: byte j of the window is byte j of stream(base).
- density below 256: byte j of the window is 0 unless byte j of stream(base ^ 0x5DEECE66D) is below ``density``. Else
  it is byte j of stream(base), or 1 where that is 0. So ``density / 256`` of them are not zero, on average.

A vector that comes out all zero gets a 1 at byte ``(base >> 32) mod k``.

Example: seed 8, k 8, density 256 gives 66c90a6c26e44244 (hexadecimal).
"""
from __future__ import annotations

MAX_SYMBOLS = 255
"""Largest generation. A dense vector of more costs more to carry and to solve than the larger generation saves."""
DENSE = 256
"""The density at which every coefficient is drawn from all 256 elements."""

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_SELECT = 0x5DEECE66D


def _mix(z: int) -> int:
    """
    The finisher of SplitMix64.
    """
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
    return z ^ z >> 31


def _stream(base: int, size: int) -> bytes:
    """
    The first bytes of a stream.
    """
    words = [_mix(base + number * _GOLDEN & _MASK) for number in range(1, (size + 7) // 8 + 1)]
    return b"".join([word.to_bytes(8, "little") for word in words])[:size]


def check_code(k: int, density: int, band: int) -> None:
    """
    Raise ValueError for parameters that no code has.
    """
    if not 1 <= k <= MAX_SYMBOLS:
        raise ValueError(f"a generation has 1 to {MAX_SYMBOLS} symbols")
    if not 1 <= density <= DENSE:
        raise ValueError(f"density is 1 to {DENSE}")
    if not 0 <= band <= k:
        raise ValueError("band is 0 to k")


def expand(seed: int, k: int, density: int = DENSE, band: int = 0) -> bytes:
    """
    The coefficient vector of a seed.

    :param seed: 0 to 2^64 - 1.
    :param k: symbols in the generation.
    :param density: of 256: how many coefficients in the window are not zero.
    :param band: length of the window; 0 = k.
    """
    check_code(k, density, band)
    if not 0 <= seed <= _MASK:
        raise ValueError("a seed has 64 bits")
    width = band or k
    base = _mix(seed + _GOLDEN & _MASK)
    begin = (base >> 32) % k
    window = _stream(base, width)
    if density < DENSE:
        chosen = _stream(base ^ _SELECT, width)
        window = bytes([(value or 1) if choice < density else 0 for value, choice in zip(window, chosen, strict=True)])
    if width < k:
        window += bytes(k - width)
        window = window[k - begin:] + window[:k - begin]
    if not any(window):
        return bytes(begin) + b"\1" + bytes(k - begin - 1)
    return window
