"""
Inputs that are nearly right: a valid one, changed where parsers decide.

Bytes become edges, lengths become one more or less, parts are cut, doubled, or taken from another valid input; of texts
tokens are.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

EDGES = (0, 1, 0x7f, 0x80, 0xfe, 0xff)
WIDTHS = (1, 2, 4, 8)
LARGEST = 70_000
"""Bytes of an input: more than any datagram or body has."""


def changed(random: Random, sample: bytes, others: Sequence[bytes], tokens: Sequence[bytes] = ()) -> bytes:
    """
    Change a valid input; once in sixteen not at all, so that what follows a valid one is met too.

    :param others: what parts are taken from.
    :param tokens: what is written over or into it, besides numbers.
    """
    data = bytearray(sample)
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6, 8, 12, 1, 1))):
        _change(random, data, others, tokens)
    return bytes(data[:LARGEST])


def _change(random: Random, data: bytearray, others: Sequence[bytes],  # noqa: C901 (a list of ways)
            tokens: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    kind = random.randrange(10 if tokens else 9)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << random.randrange(8)
    elif kind == 1 and data:
        data[at % len(data)] = random.choice((*EDGES, random.randrange(256)))
    elif kind == 2:  # a number, of any width and order
        width = random.choice(WIDTHS)
        value = random.choice((0, 1, 2, (1 << 8 * width) - 1, 1 << (8 * width - 1), (1 << (8 * width - 1)) - 1,
                               len(data), random.getrandbits(8 * width)))
        data[at:at + width] = (value % (1 << 8 * width)).to_bytes(width, random.choice(("big", "little")))
    elif kind == 3 and data:  # a length that is a little off
        width = random.choice(WIDTHS)
        piece = data[at:at + width]
        moved = (int.from_bytes(piece, "big") + random.choice((-2, -1, 1, 2))) % (1 << 8 * max(1, len(piece)))
        data[at:at + width] = moved.to_bytes(max(1, len(piece)), "big")
    elif kind == 4:
        del data[at:]
    elif kind == 5:
        del data[at:at + random.choice((1, 1, 2, 4, 8, 32, 64))]
    elif kind == 6:  # a part once more, perhaps very often
        part = data[at:at + random.choice((1, 2, 4, 16, 40))]
        data[at:at] = part * random.choice((1, 1, 1, 2, 3, 50, 300))
    elif kind == 7:
        data[at:at] = random.randbytes(random.choice((1, 1, 2, 4, 8, 40)))
    elif kind == 8 and others:
        other = random.choice(others)
        start = random.randrange(len(other) + 1)
        piece = other[start:start + random.choice((1, 2, 4, 8, 32, 64, 2000))]
        data[at:at + random.choice((0, len(piece)))] = piece
    elif tokens:
        data[at:at + random.choice((0, 0, 1, 4))] = random.choice(tokens) * random.choice((1, 1, 1, 1, 2, 60))


TEXTS = ("", " ", "\0", "x", "a" * 3000, "\ud800", "\N{RIGHT-TO-LEFT OVERRIDE}", "'; --", "<img src=x>", "%00", "..",
         "\n", "0", "-1", "1e999", "true", "null", "ab" * 32, "ab" * 20, "\N{SNOWMAN}")
NUMBERS = (0, 1, -1, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63), 1e308, 10**60, True, False)


def value(random: Random, depth: int = 3) -> Any:  # noqa: ANN401
    """
    Make something that JSON can say.
    """
    kind = random.randrange(9 if depth else 6)
    if kind < 2:
        return random.choice(TEXTS)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind == 4:
        return None
    if kind == 5:
        return []
    if kind < 8:
        return [value(random, depth - 1) for _ in range(random.choice((0, 1, 2, 40)))]
    return {random.choice(TEXTS): value(random, depth - 1) for _ in range(random.choice((0, 1, 3)))}


def other_object(random: Random, sample: dict[str, Any]) -> dict[str, Any]:
    """
    Change values of a valid JSON object, leave some out, add others.
    """
    made = {name: value(random) if random.random() < 0.4 else one for name, one in sample.items()
            if random.random() < 0.85}
    if random.random() < 0.15:
        made[random.choice(TEXTS)] = value(random)
    return made
