"""
Packets in buffers, and the encoder, with the standard library alone: what ``native/module_packets.c`` does.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .coefficients import check_code, expand
from .fallback_arithmetic import check_shapes, combine, read, write

if TYPE_CHECKING:
    from .field import Buffer

MAX_SYMBOL_SIZE = 65_535
"""Bytes. No datagram carries a longer symbol."""
MAX_NUMBER = 0xFFFFFFFF
"""A packet number has 32 bits on the wire."""


class Layout(NamedTuple):
    """
    Where in a packet its head (number or vector) and its payload lie, and how long a packet is.
    """

    head: int
    payload: int
    extent: int


def limited(value: int, what: str, least: int, most: int) -> int:
    """
    A number within limits. ValueError else.
    """
    if not least <= value <= most:
        raise ValueError(f"{what} is {least} to {most}")
    return value


def find_layout(head: int, head_size: int, payload: int, size: int) -> Layout:
    """
    A layout without overlap. ValueError else.
    """
    if head < 0 or payload < 0:
        raise ValueError("head and payload lie within the packet")
    if head + head_size > payload and payload + size > head:
        raise ValueError("head and payload overlap")
    return Layout(head, payload, max(head + head_size, payload + size))


def check_fit(length: int, count: int, step: int, where: Layout) -> None:
    """
    Raise ValueError unless so many packets, so far apart, lie within so many bytes.
    """
    if count < 0 or step < 1:
        raise ValueError("count is at least 0, step at least 1")
    if count and (count - 1) * step + where.extent > length:
        raise ValueError(f"{count} packets do not fit in {length} bytes")


def check_output(length: int, count: int, step: int, where: Layout) -> None:
    """
    Raise ValueError unless so many packets can be written beside each other.
    """
    check_fit(length, count, step, where)
    if count > 1 and where.extent > step:
        raise ValueError("a packet is longer than the step to the next")


def encode(out: Buffer, count: int, step: int, head: int, payload: int, first: int,  # noqa: PLR0913, PLR0917
           source: Buffer, k: int, symbol_size: int, density: int, band: int) -> None:
    """
    Write the packets number ``first`` and following: number (4 bytes, big-endian) at ``head``, payload at ``payload``.

    :param source: k x symbol_size.
    """
    check_code(k, density, band)
    limited(symbol_size, "symbol_size", 1, MAX_SYMBOL_SIZE)
    limited(first, "a packet number", 0, MAX_NUMBER)
    layout, target, view = find_layout(head, 4, payload, symbol_size), write(out), read(source)
    check_output(len(target), count, step, layout)
    check_shapes((len(view), k, symbol_size))
    if count and first + count - 1 > MAX_NUMBER:
        raise ValueError(f"packet numbers end at {MAX_NUMBER}")
    symbols = [bytes(view[index * symbol_size:(index + 1) * symbol_size]) for index in range(k)]
    matrix = [expand(number, k, density, band) for number in range(max(first, k), first + count)]
    made = iter(combine(matrix, symbols, symbol_size))
    for number in range(first, first + count):
        at = (number - first) * step
        target[at + head:at + head + 4] = number.to_bytes(4, "big")
        target[at + payload:at + payload + symbol_size] = (
            symbols[number] if number < k else next(made).to_bytes(symbol_size, "little"))
