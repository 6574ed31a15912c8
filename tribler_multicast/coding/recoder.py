"""
Whoever has some of a generation makes new packets of it.
"""
from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .packets import DENSE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .decoder import Decoder
    from .field import Buffer


class Recoder:
    """
    Makes random combinations of what a decoder has stored, without decoding it.
    """

    def __init__(self, decoder: Decoder, *, seed: int | None = None, density: int = DENSE) -> None:
        """
        Recode what is in a decoder, now and later.

        :param seed: 64 bits, from which the factors are drawn; None: random. Nobody else needs to know it.
        :param density: of 256: how many of the stored packets go into each new one, on average.
        """
        if not 1 <= density <= DENSE:
            raise ValueError(f"density is 1 to {DENSE}")
        self.decoder = decoder
        self.density = density
        self._seed = secrets.randbits(64) if seed is None else seed
        if not 0 <= self._seed < 1 << 64:
            raise ValueError("a seed has 64 bits")

    def recode(self) -> tuple[bytes, bytes]:
        """
        A packet: its vector and its payload. In batches ``recode_into`` is many times faster.
        """
        code = self.decoder.code
        made = bytearray(code.k + code.symbol_size)
        self.recode_into(made, 1)
        return bytes(made[:code.k]), bytes(memoryview(made)[code.k:])

    def recode_into(self, out: Buffer, count: int, *, step: int | None = None, head: int = 0,
                    payload: int | None = None, only: Iterable[int] | None = None) -> None:
        """
        Write new packets into a buffer, ``step`` bytes from each to the next. Batches of 16 and more are fastest.

        :param head: where in a packet its vector goes (k bytes).
        :param payload: where in a packet the payload goes; None: behind the vector.
        :param step: None: no gaps.
        :param only: use only these slots (as ``Decoder.stored`` tells them), such as those that have been checked.
        :raises ValueError: they do not fit, or there is nothing to recode.
        """
        code = self.decoder.code
        payload = head + code.k if payload is None else payload
        step = max(head + code.k, payload + code.symbol_size) if step is None else step
        chosen = None
        if only is not None:
            chosen = bytearray(code.k)
            for slot in only:
                if not 0 <= slot < code.k:
                    raise ValueError(f"a slot is 0 to {code.k - 1}")
                chosen[slot] = 1
        self.decoder.generation.recode(out, count, step, head, payload, self._seed, self.density, chosen)
        self._seed = (self._seed + count) % (1 << 64)
