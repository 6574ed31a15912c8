"""
The bodies of the datagrams of a live stream. Head, sequence, MAC and encryption are those of a session of coded
transfer (``transfer/session/packets``), the bodies are:

    numbered    block (4), symbols of it (1), number (4): below that the symbol itself, else the seed of a combination;
                symbol
    recoded     block (4), symbols of it (1), vector (as many bytes), symbol
    proof       a record, see ``records``
    heartbeat   by unicast only: numbers of blocks (4 each) that were asked for and are not here

All symbols of a block have the same size, which follows from the length in its record.
"""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ...coding import Code, Encoder, Recoder
from ...transfer.session.packets import HEAD, MAC_SIZE, NUMBERED, RECODED
from .limits import MAX_K, MAX_NEEDS, SYMBOL

if TYPE_CHECKING:
    from ...coding import Decoder

PLACE: Final = struct.Struct(">IB")
NUMBER_SIZE: Final = 4
NUMBER_AT: Final = HEAD.size + PLACE.size
BLOCK_NUMBER: Final = struct.Struct(">I")


class Batch(NamedTuple):
    """
    Datagrams of one form and size, with room for heads and MACs.
    """

    form: int
    datagrams: bytearray
    size: int

    @property
    def packets(self) -> int:
        """
        How many there are.
        """
        return len(self.datagrams) // self.size


class Symbol(NamedTuple):
    """
    A symbol that came: of which block, of how many there are, what it is (its number or vector).
    """

    block: int
    k: int
    identity: int | memoryview
    payload: memoryview


def single(form: int, body: bytes) -> Batch:
    """
    Make one datagram.
    """
    datagram = bytearray(HEAD.size) + body + bytes(MAC_SIZE)
    return Batch(form, datagram, len(datagram))


def numbered(block: int, encoder: Encoder, count: int) -> Batch:
    """
    Make datagrams of the next packets of an encoder.
    """
    code = encoder.code
    size = NUMBER_AT + NUMBER_SIZE + code.symbol_size + MAC_SIZE
    made = bytearray(size * count)
    for at in range(0, len(made), size):
        PLACE.pack_into(made, at + HEAD.size, block, code.k)
    encoder.encode_into(made, count, step=size, head=NUMBER_AT)
    return Batch(NUMBERED, made, size)


def recoded(block: int, decoder: Decoder, count: int) -> Batch:
    """
    Make datagrams of combinations of what came of a block.
    """
    code = decoder.code
    size = NUMBER_AT + code.k + code.symbol_size + MAC_SIZE
    made = bytearray(size * count)
    for at in range(0, len(made), size):
        PLACE.pack_into(made, at + HEAD.size, block, code.k)
    Recoder(decoder).recode_into(made, count, step=size, head=NUMBER_AT)
    return Batch(RECODED, made, size)


def encoder_of(data: bytes, shape: tuple[int, int], seed: int | None = None) -> Encoder:
    """
    Make what codes a block; without a seed it begins with the symbols themselves.
    """
    return Encoder(Code(*shape), data, systematic=seed is None, seed=seed)


def read_symbol(form: int, body: memoryview) -> Symbol | None:
    """
    Read the body of a datagram with a symbol; None when there is none like this.
    """
    if len(body) < PLACE.size + NUMBER_SIZE:
        return None
    block, k = PLACE.unpack_from(body)
    head = PLACE.size + (k if form == RECODED else NUMBER_SIZE)
    if not 0 < k <= MAX_K or not 0 < len(body) - head <= SYMBOL:
        return None
    told = body[PLACE.size:head]
    return Symbol(block, k, told if form == RECODED else int.from_bytes(told, "big"), body[head:])


def pack_numbers(numbers: list[int]) -> bytes:
    """
    Write which blocks are not here.
    """
    return b"".join(map(BLOCK_NUMBER.pack, numbers))


def read_numbers(body: memoryview) -> list[int] | None:
    """
    Read that; None when it is none.
    """
    if len(body) % BLOCK_NUMBER.size or not 0 < len(body) <= MAX_NEEDS * BLOCK_NUMBER.size:
        return None
    return [number for number, in BLOCK_NUMBER.iter_unpack(body)]
