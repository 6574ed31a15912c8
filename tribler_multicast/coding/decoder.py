"""
The receiver of a generation.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import field
from .fallback_generation import CODED, FREE, SYSTEMATIC
from .packets import NUMBER_SIZE, Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .field import Buffer, Kernels


class Stored(NamedTuple):
    """
    A packet that is kept: where, whether it is a symbol itself, and the tag it came with.
    """

    slot: int
    systematic: bool
    tag: int


class Decoder:
    """
    Collects packets of one generation until k of them are independent, then solves for the symbols.

    Which packets are innovative is found with coefficients alone. Payloads are stored as they came, a systematic one
    where it belongs, and touched once, by one matrix product in place, when the symbols are wanted. So the memory is
    that of the generation and of at most two matrices of coefficients, at all times.

    All calls may come from several threads; those that take long leave the interpreter to others.
    """

    def __init__(self, code: Code, *, kernels: Kernels | None = None, room: Buffer | None = None) -> None:
        """
        Begin an empty generation.

        :param room: ``code.generation_size`` writable bytes for the symbols, which nobody else may write to meanwhile;
            None: memory of its own.
        :param kernels: another implementation than ``field.kernels``.
        """
        self.code = code
        self.received = 0
        """Packets added, innovative or not."""
        self.generation = (kernels or field.kernels).Generation(code.k, code.symbol_size, code.density, code.band,
                                                                room)
        """The state itself: for ``Recoder``."""

    @property
    def rank(self) -> int:
        """
        How many independent packets there are: 0 to k.
        """
        return self.generation.rank

    @property
    def complete(self) -> bool:
        """
        Whether all symbols can be had.
        """
        return self.generation.rank == self.code.k

    @property
    def missing(self) -> list[int]:
        """
        The symbols that cannot be read: all that did not come systematic, none when decoded.
        """
        if self.generation.decoded:
            return []
        return [index for index, state in enumerate(self.generation.states()) if state != SYSTEMATIC]

    @property
    def memory(self) -> int:
        """
        Bytes in use.
        """
        return self.generation.memory

    def add(self, identity: int | Buffer, payload: Buffer, tag: int = 0) -> bool:
        """
        Add a packet. Whether it was innovative; if not (also: all coefficients zero), nothing of it is kept.

        :param identity: its number, or its vector of k bytes.
        :param payload: ``symbol_size`` bytes.
        :param tag: 32 bits that mean something to the caller, such as who sent it.
        :raises ValueError: a length or number is wrong.
        """
        innovative = self.generation.add(identity, payload, tag)
        self.received += 1
        return innovative

    def add_batch(self, buffer: Buffer, where: int | Sequence[int], *, step: int | None = None,  # noqa: PLR0913
                  head: int = 0, payload: int | None = None, vectors: bool = False, tag: int = 0) -> int:
        """
        Add packets straight from a receive buffer. How many were innovative.

        :param where: how many packets, ``step`` bytes from each to the next; or the offset of each.
        :param head: where in a packet its number (4 bytes), or with ``vectors`` its vector (k bytes), lies.
        :param payload: where in a packet the payload lies; None: behind the head.
        :param step: None: no gaps.
        :raises ValueError: they do not lie within the buffer. None has been added then.
        """
        size = self.code.symbol_size
        head_size = self.code.k if vectors else NUMBER_SIZE
        payload = head + head_size if payload is None else payload
        step = max(head + head_size, payload + size) if step is None else step
        innovative = self.generation.add_batch(buffer, where, step, head, payload, vectors, tag)
        self.received += where if isinstance(where, int) else len(where)
        return innovative

    def symbol(self, index: int) -> memoryview | None:
        """
        A symbol, read-only, without a copy; None when it is missing. Systematic ones are there at once.

        :raises IndexError: the generation has no such symbol.
        """
        if not 0 <= index < self.code.k:
            raise IndexError(index)
        if not self.generation.decoded and self.generation.states()[index] != SYSTEMATIC:
            return None
        size = self.code.symbol_size
        return self.generation.symbols[index * size:(index + 1) * size]

    def decode(self) -> memoryview:
        """
        The whole generation, read-only, without a copy. Takes time only once.

        :raises ValueError: it is not complete.
        """
        self.generation.decode()
        return self.generation.symbols

    def stored(self) -> list[Stored]:
        """
        The packets that are kept.
        """
        return [Stored(slot, state != CODED, self.generation.tag(slot))
                for slot, state in enumerate(self.generation.states()) if state != FREE]

    def vector(self, slot: int) -> bytes:
        """
        The k coefficients of a stored packet.
        """
        return self.generation.vector(slot)

    def packet(self, slot: int) -> bytes:
        """
        The payload of a stored packet as it came, also after decoding: to check it again.
        """
        return self.generation.packet(slot)

    def remove(self, slots: Iterable[int]) -> None:
        """
        Forget stored packets that turned out to be bad: the rank falls, and symbols made with them are missing again.
        """
        self.generation.remove(slots)
