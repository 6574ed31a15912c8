"""
Inner products of many rows with many, wherever they lie: the same on every path, and nothing outside is looked at.
"""
from __future__ import annotations

from functools import reduce
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.coding_paths import all_paths, calculating
from tribler_multicast.coding import fallback, field

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNELS = (field.kernels, fallback)


@pytest.fixture(params=all_paths(), autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """
    Every instruction-set path that this machine has, and the standard library.
    """
    with calculating(request.param):
        yield request.param


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 18), st.integers(0, 12), st.integers(0, 200), st.integers(0, 70), st.integers(0, 2**32))
def test_each_path_calculates_what_the_fallback_does(rows: int, columns: int, size: int, apart: int, seed: int) -> None:
    random = Random(seed)
    a, stride = random.randbytes(rows * size), size + apart
    b = random.randbytes(max(0, columns * stride - apart))
    native, other = bytearray(rows * columns), bytearray(rows * columns)
    field.dots(native, a, rows, b, columns, size, stride)
    fallback.dots(other, a, rows, b, columns, size, stride)
    assert native == other


@pytest.mark.parametrize("size", [1, 15, 64, 100, 1344, 2048, 2049])
def test_it_is_the_sum_of_the_products(size: int) -> None:
    random = Random(size)
    a, b = random.randbytes(9 * size), random.randbytes(10 * size)
    out = bytearray(90)
    field.dots(out, a, 9, b, 10, size)
    for i, j in ((0, 0), (7, 9), (8, 4), (3, 8)):
        assert out[i * 10 + j] == reduce(int.__xor__, map(field.multiply, a[i * size:(i + 1) * size],
                                                          b[j * size:(j + 1) * size]))


@pytest.mark.parametrize("kernels", KERNELS, ids=["chosen", "fallback"])
@pytest.mark.parametrize(("length", "columns", "stride", "message"), [
    (29, 3, 10, "do not fit in 29"),
    (30, 3, 9, "overlap"),
    (30, 4, 10, "do not fit in 30"),
    (9, 1, 10, "do not fit in 9"),
    (30, 2**61, 10, "100 bytes instead of"),
    (29, 3, 0, "29 bytes instead of 3 x 10"),
    (31, 3, 0, "31 bytes instead of 3 x 10"),
])
def test_rows_that_are_not_there_are_refused(kernels: field.Kernels, length: int, columns: int, stride: int,
                                             message: str) -> None:
    out = bytearray(min(columns, 100))
    with pytest.raises(ValueError, match=message):
        kernels.dots(out, bytes(10), 1, bytes(length), columns, 10, stride)


@pytest.mark.parametrize("kernels", KERNELS, ids=["chosen", "fallback"])
def test_a_last_row_may_end_with_the_buffer(kernels: field.Kernels) -> None:
    out = bytearray(3)
    kernels.dots(out, bytes(range(10)), 1, bytes(range(100, 130)), 3, 10, 10)
    again = bytearray(3)
    kernels.dots(again, bytes(range(10)), 1, b"".join(bytes(range(100 + 10 * n, 110 + 10 * n)) + bytes(5 * (n < 2))
                                                      for n in range(3)), 3, 10, 15)
    assert out == again
    assert any(out)
