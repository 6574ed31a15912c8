"""
What docs/coding.md shows works, and its examples have the bytes that it says.
"""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from tribler_multicast.coding import field
from tribler_multicast.coding.checksums import DOMAIN, FUNCTIONALS, KEY_SIZE, ROUNDS, Functionals

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "coding.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int) -> None:
    exec(compile(EXAMPLES[number], "docs/coding.md", "exec"), {})  # noqa: S102


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


def test_the_example_of_a_seed_is_right() -> None:
    assert field.coefficients(8, 8, 256, 0).hex() in DOCUMENT


def test_the_example_of_a_key_is_right() -> None:
    assert Functionals(bytes(range(KEY_SIZE)), 1344).vectors[:8].hex() in DOCUMENT
    assert DOMAIN.decode() in DOCUMENT
    assert (FUNCTIONALS, ROUNDS) == (8, 8)


def test_every_path_of_this_machine_is_in_the_table() -> None:
    for path in field.paths():
        assert f"`{path}`" in DOCUMENT
