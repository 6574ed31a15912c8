"""
From a seed to coefficients: the same bytes for ever, everywhere.
"""
from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.coding import field
from tribler_multicast.coding.coefficients import DENSE, expand


@pytest.mark.parametrize(("arguments", "vector"), [
    ((8, 8, 256, 0), "66c90a6c26e44244"),
    ((3, 8, 1, 0), "0000000001000000"),
])
def test_examples_of_the_specification_hold(arguments: tuple[int, int, int, int], vector: str) -> None:
    assert expand(*arguments).hex() == vector


def test_the_generator_has_not_changed() -> None:
    vectors = b"".join(expand(seed, k, density, band) for seed in (0, 1, 255, 2**32 - 1, 2**64 - 1)
                       for k in (1, 7, 8, 9, 64, 255) for density in (1, 32, 255, 256) for band in (0, 1, k // 2, k))
    assert hashlib.sha256(vectors).hexdigest() == "7e80261031e7d3bc48d64aa2c5935b811d002d5253d1d8a7de64f02db0eee411"


@settings(deadline=None, max_examples=500)
@given(seed=st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 1000)), k=st.integers(1, 255),
       density=st.one_of(st.just(DENSE), st.integers(1, DENSE)), band=st.integers(0, 255))
def test_native_code_expands_as_specified_and_never_to_zero(seed: int, k: int, density: int, band: int) -> None:
    vector = expand(seed, k, density, min(band, k))
    assert field.coefficients(seed, k, density, min(band, k)) == vector
    assert len(vector) == k
    assert any(vector)


@pytest.mark.parametrize("density", [1, 16, 64, 255])
def test_density_is_the_share_of_coefficients_that_are_not_zero(density: int) -> None:
    nonzero = sum(255 - expand(seed, 255, density).count(0) for seed in range(200))
    drawn = 200 * 255
    expected = density / 256
    # Four standard deviations; a vector of zeros alone gets one coefficient, which counts at the lowest density.
    assert abs(nonzero / drawn - expected) < 4 * (expected * (1 - expected) / drawn) ** 0.5 + 1 / 255


def test_a_band_covers_every_column_alike() -> None:
    counts = Counter(index for seed in range(4000) for index, value in enumerate(expand(seed, 20, DENSE, 5)) if value)
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_dense_coefficients_are_uniform() -> None:
    counts = Counter(b"".join(expand(seed, 64) for seed in range(64, 4064)))
    assert len(counts) == 256
    assert max(counts.values()) < 1.2 * min(counts.values())
