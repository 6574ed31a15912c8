"""
The source of a generation.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import field
from .packets import MAX_NUMBER, NUMBER_SIZE, Code

if TYPE_CHECKING:
    from .field import Buffer, Kernels


class Encoder:
    """
    Makes packets of one generation: first its symbols themselves, if systematic, then random combinations without end.
    """

    def __init__(self, code: Code, source: Buffer, *, systematic: bool = True, seed: int | None = None,
                 kernels: Kernels | None = None) -> None:
        """
        Take a generation. It is not copied unless it is too short: then zeros are added.

        :param source: at most ``code.generation_size`` bytes. ValueError for more.
        :param systematic: begin with the symbols themselves.
        :param seed: the number of the first coded packet, k to 2^32 - 1; None: k. Sources that send the same generation
            at once take different ones.
        :param kernels: another implementation than ``field.kernels``.
        """
        view = memoryview(source).cast("B")
        if len(view) > code.generation_size:
            raise ValueError(f"a generation has {code.generation_size} bytes, not {len(view)}")
        if len(view) < code.generation_size:
            view = memoryview(bytes(view) + bytes(code.generation_size - len(view)))
        self.code = code
        self.source = view.toreadonly()
        self._kernels = kernels or field.kernels
        self._seed = code.k if seed is None else seed
        if not code.k <= self._seed <= MAX_NUMBER:
            raise ValueError(f"seed is {code.k} to {MAX_NUMBER}")
        self._next = 0 if systematic else self._seed

    @property
    def number(self) -> int:
        """
        The number of the packet that comes next.
        """
        return self._next

    def symbol(self, index: int) -> memoryview:
        """
        A symbol of the source. IndexError when there is none.
        """
        if not 0 <= index < self.code.k:
            raise IndexError(index)
        return self.source[index * self.code.symbol_size:(index + 1) * self.code.symbol_size]

    def encode(self) -> tuple[int, bytes]:
        """
        The next packet: its number and its payload. In batches ``encode_into`` is many times faster.
        """
        made = bytearray(NUMBER_SIZE + self.code.symbol_size)
        self.encode_into(made, 1)
        return int.from_bytes(made[:NUMBER_SIZE], "big"), bytes(memoryview(made)[NUMBER_SIZE:])

    def encode_into(self, out: Buffer, count: int, *, step: int | None = None, head: int = 0,
                    payload: int | None = None) -> None:
        """
        Write the next packets into a buffer, ``step`` bytes from each to the next. Batches of 16 and more are fastest.

        :param head: where in a packet its number goes (4 bytes).
        :param payload: where in a packet the payload goes; None: behind the number.
        :param step: None: no gaps.
        :raises ValueError: they do not fit. Nothing has been written then.
        """
        code = self.code
        payload = head + NUMBER_SIZE if payload is None else payload
        step = max(head + NUMBER_SIZE, payload + code.symbol_size) if step is None else step
        view = memoryview(out).cast("B")
        if count > 1 and len(view) < (count - 1) * step + payload + code.symbol_size:
            raise ValueError(f"{count} packets do not fit in {len(view)} bytes")
        while True:
            # Behind the last symbol the seeds begin, behind the last seed the first one after the symbols again.
            end = code.k if self._next < code.k else MAX_NUMBER + 1
            batch = min(count, end - self._next)
            self._kernels.encode(view, batch, step, head, payload, self._next, self.source, code.k, code.symbol_size,
                                 code.density, code.band)
            self._next += batch
            if self._next == code.k:
                self._next = self._seed
            elif self._next > MAX_NUMBER:
                self._next = code.k
            count -= batch
            if not count:
                return
            view = view[batch * step:]
