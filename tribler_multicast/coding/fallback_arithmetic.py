"""
The arithmetic of GF(2^8) with nothing but the standard library: the same functions as the native code, the same results
bit for bit, slower.

What carries it are ``bytes.translate`` (multiplies a whole buffer by one element) and the XOR of long integers. Where
many rows are made of the same sources, the products of a source with 1..15 and with 16, 32..240 are made once, and each
row takes two of them: two XORs instead of a translation (Arlazarov and others 1970, "method of four Russians").
"""
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .coefficients import expand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .field import Buffer

POLYNOMIAL = 0x11B
"""x^8 + x^4 + x^3 + x + 1 (FIPS 197): what GFNI multiplies with."""

MANY_ROWS = 12
"""From so many rows on the tables of four Russians pay."""

_EXP: list[int] = [1]
for _ in range(509):
    _tripled = _EXP[-1] << 1 ^ _EXP[-1]  # 3 generates the field, 2 does not
    _EXP.append(_tripled ^ POLYNOMIAL if _tripled & 0x100 else _tripled)
_LOG = [0] * 256
for _power in range(255):
    _LOG[_EXP[_power]] = _power


def paths() -> tuple[str, ...]:
    """
    The ways to calculate on this processor, the best first.
    """
    return ("fallback",)


def path() -> str:
    """
    The way in use.
    """
    return "fallback"


def use(name: str) -> None:
    """
    Force one way to calculate. ValueError when this processor has not got it.
    """
    if name not in paths():
        raise ValueError(f"no such path on this processor: {name}")


def _element(value: int) -> int:
    """
    An element of the field: an int from 0 to 255. ValueError else.
    """
    if not 0 <= value <= 255:
        raise ValueError("an element of GF(2^8) is 0 to 255")
    return value


def read(buffer: Buffer) -> memoryview:
    """
    The bytes of a contiguous buffer.
    """
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise BufferError("the buffer is not contiguous")
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def write(buffer: Buffer) -> memoryview:
    """
    The bytes of a contiguous buffer that may be written.
    """
    view = read(buffer)
    if view.readonly:
        raise BufferError("the buffer is read-only")
    return view


def multiply(a: int, b: int) -> int:
    """
    The product of two elements.
    """
    return _EXP[_LOG[a] + _LOG[b]] if _element(a) and _element(b) else 0


def inverse(a: int) -> int:
    """
    The element that gives 1 when multiplied with this one. ZeroDivisionError for 0.
    """
    if not _element(a):
        raise ZeroDivisionError("0 has no inverse")
    return _EXP[255 - _LOG[a]]


@cache
def table(factor: int) -> bytes:
    """
    What ``bytes.translate`` needs to multiply by a factor.
    """
    return bytes(multiply(factor, value) for value in range(256))


def axpy(target: Buffer, factor: int, source: Buffer) -> None:
    """
    Add a multiple: ``target ^= factor * source``, both of the same length.
    """
    out, view = write(target), read(source)
    if len(out) != len(view):
        raise ValueError("target and source differ in length")
    product_ = int.from_bytes(bytes(view).translate(table(_element(factor))), "little")
    out[:] = (int.from_bytes(out, "little") ^ product_).to_bytes(len(out), "little")


def scale(target: Buffer, factor: int) -> None:
    """
    Multiply in place: ``target = factor * target``.
    """
    out = write(target)
    out[:] = bytes(out).translate(table(_element(factor)))


def _fold(value: int, size: int) -> int:
    """
    The XOR of all bytes of an integer of this many bytes.
    """
    while size > 1:
        size = (size + 1) // 2
        value = value >> 8 * size ^ value & ((1 << 8 * size) - 1)
    return value


def _bits(buffer: memoryview) -> list[int]:
    """
    Eight integers: 255 in each byte in which this bit is set.
    """
    value, ones = int.from_bytes(buffer, "little"), int.from_bytes(b"\1" * len(buffer), "little")
    return [(value >> bit & ones) * 255 for bit in range(8)]


def _dot(a: int, bits: list[int], size: int) -> int:
    """
    The sum of the products of the bytes of an integer and those whose bits these are.
    """
    result = 0
    for bit, mask in enumerate(bits):
        result ^= multiply(1 << bit, _fold(a & mask, size))
    return result


def dot(a: Buffer, b: Buffer) -> int:
    """
    The inner product: the sum of ``a[i] * b[i]``. Both of the same length.
    """
    first, second = read(a), read(b)
    if len(first) != len(second):
        raise ValueError("the buffers differ in length")
    return _dot(int.from_bytes(first, "little"), _bits(second), len(first))


def dots(out: Buffer, a: Buffer, rows: int, b: Buffer, columns: int, size: int,  # noqa: PLR0913, PLR0917
         stride: int = 0) -> None:
    """
    Inner products of each with each: ``out[i * columns + j]`` = the inner product of row i of ``a`` and row j of ``b``.

    :param a: ``rows`` x ``size``.
    :param b: ``columns`` rows of ``size``, ``stride`` bytes from one to the next; 0: one right after the other.
    """
    result, left, right = write(out), read(a), read(b)
    check_shapes((len(result), rows, columns), (len(left), rows, size))
    if stride:
        _check_stride(len(right), columns, size, stride)
    else:
        check_shapes((len(right), columns, size))
    firsts = [int.from_bytes(left[row * size:(row + 1) * size], "little") for row in range(rows)]
    values = bytearray(rows * columns)
    for column in range(columns):
        begin = column * (stride or size)
        bits = _bits(right[begin:begin + size])
        values[column::columns] = bytes(_dot(first, bits, size) for first in firsts)
    result[:] = values


def _check_stride(length: int, rows: int, size: int, stride: int) -> None:
    """
    Raise ValueError unless so many rows lie in so many bytes, apart from each other.
    """
    if stride < size:
        raise ValueError(f"rows of {size} bytes overlap when they begin every {stride}")
    if rows and (rows - 1) * stride + size > length:
        raise ValueError(f"{rows} rows of {size} bytes, every {stride}, do not fit in {length}")


def check_shapes(*shapes: tuple[int, int, int]) -> None:
    """
    Raise ValueError unless each length is the product of the two that follow it, none of them negative.
    """
    for length, rows, columns in shapes:
        if rows < 0 or columns < 0:
            raise ValueError("a size is negative")
        if length != rows * columns:
            raise ValueError(f"a buffer has {length} bytes instead of {rows} x {columns}")


def combine(matrix: Sequence[bytes], sources: Sequence[bytes], size: int) -> list[int]:
    """
    The rows of a matrix product, as little-endian integers of ``size`` bytes.

    :param matrix: rows of as many coefficients as there are sources.
    :param sources: of ``size`` bytes each.
    """
    sums = [0] * len(matrix)
    if len(matrix) < MANY_ROWS:
        for column, source in enumerate(sources):
            for row, coefficients in enumerate(matrix):
                if coefficients[column]:
                    sums[row] ^= int.from_bytes(source.translate(table(coefficients[column])), "little")
        return sums
    for column, source in enumerate(sources):
        low, high = _russians(source, 0), _russians(source, 4)
        sums = [value ^ low[coefficients[column] & 15] ^ high[coefficients[column] >> 4]
                for value, coefficients in zip(sums, matrix, strict=True)]
    return sums


def _russians(source: bytes, shift: int) -> list[int]:
    """
    The products of a source with 0..15, shifted left by this many bits.
    """
    products = [0]
    for bit in range(shift, shift + 4):
        power = int.from_bytes(source.translate(table(1 << bit)), "little")
        products += [value ^ power for value in products]
    return products


def product(out: Buffer, matrix: Buffer, rows: int, columns: int, sources: Buffer, size: int) -> None:
    """
    Multiply matrices: ``out`` (rows x size) = ``matrix`` (rows x columns) * ``sources`` (columns x size).

    All are contiguous, row after row. ``out`` must not overlap the others.
    """
    result, factors, right = write(out), bytes(read(matrix)), read(sources)
    check_shapes((len(result), rows, size), (len(factors), rows, columns), (len(right), columns, size))
    made = combine([factors[row * columns:(row + 1) * columns] for row in range(rows)],
                   [bytes(right[column * size:(column + 1) * size]) for column in range(columns)], size)
    for row, value in enumerate(made):
        result[row * size:(row + 1) * size] = value.to_bytes(size, "little")


def coefficients(seed: int, k: int, density: int, band: int) -> bytes:
    """
    The coefficients of a coded packet: see the module ``coefficients``, which specifies them.
    """
    return expand(seed, k, density, band)
