"""
Every way to calculate gives what the definition of the field gives.
"""
from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.coding import fallback, field

from .common import NATIVE_PATHS, NO_NATIVE, calculating

PATHS = [*NATIVE_PATHS, "fallback"]
every_path = pytest.mark.parametrize("path", PATHS)
native_paths = pytest.mark.parametrize("path", NATIVE_PATHS or [pytest.param("", marks=pytest.mark.skip(NO_NATIVE))])
sizes = st.one_of(st.integers(0, 300), st.sampled_from([0, 1, 15, 16, 31, 33, 63, 64, 65, 127, 129, 191, 193, 1344]))
seeds = st.integers(0, 2**32)


def by_definition(a: int, b: int) -> int:
    """
    The product of two polynomials over GF(2), modulo x^8 + x^4 + x^3 + x + 1.
    """
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(15, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


@every_path
def test_products_and_inverses_are_those_of_the_definition(path: str) -> None:
    with calculating(path) as kernels:
        for a in range(256):
            row = bytearray(range(256))
            kernels.scale(row, a)
            assert list(row) == [by_definition(a, b) for b in range(256)]
            assert [kernels.multiply(a, b) for b in range(0, 256, 15)] == list(row[::15])
            if a:
                assert by_definition(a, kernels.inverse(a)) == 1
        with pytest.raises(ZeroDivisionError):
            kernels.inverse(0)


@native_paths
@settings(deadline=None, max_examples=250)
@given(seed=seeds, size=sizes, factor=st.integers(0, 255))
def test_vectors_are_the_same_on_every_path(path: str, seed: int, size: int, factor: int) -> None:
    chance = random.Random(seed)
    # Anywhere in memory: a view of something larger, which must stay as it is around.
    around, source = bytearray(chance.randbytes(size + 130)), chance.randbytes(size + 7)
    at = chance.randrange(130)
    expected = bytearray(around)
    with calculating(path) as kernels:
        for made, way in ((around, kernels), (expected, fallback)):
            target = memoryview(made)[at:at + size]
            way.axpy(target, factor, memoryview(source)[7:])
            way.scale(target, factor ^ 90)
        assert around == expected
        assert kernels.dot(source[7:], around[at:at + size]) == fallback.dot(source[7:], around[at:at + size])


@native_paths
@settings(deadline=None, max_examples=250)
@given(seed=seeds, size=sizes, rows=st.integers(0, 20),
       columns=st.one_of(st.integers(0, 12), st.sampled_from([1, 64, 128, 255, 300])))
def test_matrix_products_are_the_same_on_every_path(path: str, seed: int, size: int, rows: int, columns: int) -> None:
    chance = random.Random(seed)
    matrix, sources = chance.randbytes(rows * columns), chance.randbytes(columns * size)
    around, expected = bytearray(chance.randbytes(rows * size + 20)), bytearray(rows * size)
    untouched = bytes(around[:9]), bytes(around[9 + rows * size:])
    with calculating(path) as kernels:
        kernels.product(memoryview(around)[9:9 + rows * size], matrix, rows, columns, sources, size)
    fallback.product(expected, matrix, rows, columns, sources, size)
    assert around[9:9 + rows * size] == expected
    assert (around[:9], around[9 + rows * size:]) == untouched


@native_paths
@settings(deadline=None, max_examples=150)
@given(seed=seeds, size=sizes, rows=st.integers(0, 20), columns=st.integers(0, 4))
def test_inner_products_are_the_same_on_every_path(path: str, seed: int, size: int, rows: int, columns: int) -> None:
    chance = random.Random(seed)
    a, b = chance.randbytes(rows * size), chance.randbytes(columns * size)
    made, expected = bytearray(rows * columns), bytearray(rows * columns)
    with calculating(path) as kernels:
        kernels.dots(made, a, rows, b, columns, size)
    fallback.dots(expected, a, rows, b, columns, size)
    assert made == expected


@settings(deadline=None, max_examples=100)
@given(seed=seeds, size=st.integers(0, 40), rows=st.integers(0, 20), columns=st.integers(0, 6))
def test_the_standard_library_multiplies_as_the_definition_says(seed: int, size: int, rows: int, columns: int) -> None:
    chance = random.Random(seed)
    matrix, sources, out = chance.randbytes(rows * columns), chance.randbytes(columns * size), bytearray(rows * size)
    fallback.product(out, matrix, rows, columns, sources, size)
    for row in range(rows):
        for at in range(size):
            expected = 0
            for column in range(columns):
                expected ^= by_definition(matrix[row * columns + column], sources[column * size + at])
            assert out[row * size + at] == expected


@every_path
def test_what_does_not_fit_is_refused_and_nothing_is_touched(path: str) -> None:
    nine, ten, out = bytes(9), bytes(10), bytearray(b"\7" * 9)
    huge = 2**62
    with calculating(path) as kernels:
        for refused in (lambda: kernels.axpy(out, 1, ten), lambda: kernels.axpy(out, 256, nine),
                        lambda: kernels.axpy(out, -1, nine), lambda: kernels.scale(out, 256),
                        lambda: kernels.dot(nine, ten), lambda: kernels.multiply(1, 256),
                        lambda: kernels.multiply(-1, 1), lambda: kernels.inverse(2**70),
                        lambda: kernels.product(out, nine, 3, 3, ten, 3),
                        lambda: kernels.product(out, ten, 3, 3, nine, 3),
                        lambda: kernels.product(bytearray(10), nine, 3, 3, nine, 3),
                        lambda: kernels.product(out, nine, -3, -3, nine, -3),
                        lambda: kernels.product(out, nine, huge, huge, nine, huge),
                        lambda: kernels.product(out, nine, 2**64, 3, nine, 3),
                        lambda: kernels.dots(out, nine, 3, nine, 4, 3),
                        lambda: kernels.dots(out, nine, huge, nine, huge, huge),
                        lambda: kernels.use("mmx"), lambda: kernels.coefficients(-1, 8, 256, 0),
                        lambda: kernels.coefficients(2**64, 8, 256, 0), lambda: kernels.coefficients(1, 0, 256, 0),
                        lambda: kernels.coefficients(1, 256, 256, 0), lambda: kernels.coefficients(1, 8, 0, 0),
                        lambda: kernels.coefficients(1, 8, 257, 0), lambda: kernels.coefficients(1, 8, 256, 9)):
            with pytest.raises(ValueError, match=r"."):
                refused()
        for refused in (lambda: kernels.scale(nine, 3), lambda: kernels.product(nine, nine, 3, 3, nine, 3),
                        lambda: kernels.scale(memoryview(bytearray(20))[::2], 3)):
            with pytest.raises((BufferError, TypeError)):
                refused()
        for wrong in (lambda: kernels.scale("text", 3), lambda: kernels.scale(out), lambda: kernels.multiply(1.5, 1),
                      lambda: kernels.product(out, nine, 3, 3, nine)):
            with pytest.raises(TypeError):
                wrong()
    assert out == b"\7" * 9


@native_paths
def test_native_code_refuses_to_write_what_it_reads(path: str) -> None:
    with calculating(path) as kernels:
        both = bytearray(range(20))
        view = memoryview(both)
        with pytest.raises(ValueError, match="overlaps"):
            kernels.axpy(view[:10], 3, view[5:15])
        with pytest.raises(ValueError, match="overlaps"):
            kernels.product(view[:9], bytes(9), 3, 3, view[8:17], 3)
        assert both == bytes(range(20))
        kernels.axpy(both, 1, both)  # exactly itself is well defined
        assert both == bytes(20)


@pytest.mark.skipif(not NATIVE_PATHS, reason=NO_NATIVE)
def test_long_calls_let_other_threads_work() -> None:
    rows, size = 255, 20_000
    matrix, sources, out = bytes([7]) * rows * rows, bytes(rows * size), bytearray(rows * size)
    times = []

    def multiply() -> None:
        times.append(time.perf_counter())
        field.product(out, matrix, rows, rows, sources, size)
        times.append(time.perf_counter())

    with calculating("portable"):  # takes a fifth of a second
        thread = threading.Thread(target=multiply)
        longest, last = 0.0, time.perf_counter()
        thread.start()
        while len(times) < 2:
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        longest = max(longest, time.perf_counter() - last)
        thread.join()
    assert longest < (times[1] - times[0]) / 2


def test_the_first_path_is_the_one_in_use_and_others_can_be_forced() -> None:
    before = field.path()
    for path in field.paths():
        field.use(path)
        assert field.path() == path
    field.use(before)
    assert set(field.paths()) <= {"gfni512", "gfni256", "avx2", "ssse3", "neon", "portable", "fallback"}


@pytest.mark.parametrize(("stub", "reason"), [
    (None, "not built"), ("raise ImportError('wrong ELF class')", "wrong ELF class"),
    ("VERSION = 0", "another version")])
def test_without_fitting_native_code_the_standard_library_takes_over_and_says_why(tmp_path: Path, stub: str | None,
                                                                                  reason: str) -> None:
    package = tmp_path / "coding"
    package.mkdir()
    for source in Path(field.__file__).parent.glob("*.py"):
        (package / source.name).write_bytes(source.read_bytes())
    if stub is not None:
        (package / "_native.py").write_text(stub, encoding="utf-8")
    said = subprocess.run([sys.executable, "-c", "from coding import field; print(field.path(), field.why_not_native)"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True).stdout
    assert said.startswith("fallback ")
    assert reason in said
