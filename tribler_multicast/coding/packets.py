"""
What a code is, and where the packets of it lie in a buffer.

A packet is known by its *number* (32 bits, big-endian, as the encoding symbol id of RFC 5053): below k it is that
symbol itself (systematic), from k on the number is the seed of its coefficients (see ``coefficients``). A recoded
packet has no number; it carries its *vector*, the k coefficients themselves, one byte each, that of symbol 0 first.

Number or vector lie at ``head`` bytes from the beginning of a packet, the payload at ``payload``; from one packet to
the next it is ``step`` bytes. So packets can be made in, and read from, the buffers that go to and come from the
network.
"""
from __future__ import annotations

from dataclasses import dataclass

from .coefficients import DENSE, MAX_SYMBOLS, check_code
from .fallback_packets import MAX_NUMBER, MAX_SYMBOL_SIZE

__all__ = ["DENSE", "MAX_NUMBER", "MAX_SYMBOLS", "MAX_SYMBOL_SIZE", "NUMBER_SIZE", "Code"]

NUMBER_SIZE = 4
"""Bytes of a packet number."""


@dataclass(frozen=True)
class Code:
    """
    The parameters that a session's members share. ValueError for what no code has.
    """

    k: int
    """Symbols in a generation: 1 to 255."""
    symbol_size: int
    """Bytes: 1 to 65,535."""
    density: int = DENSE
    """Of 256: how many coefficients are not zero, on average; 256: all are drawn from all 256 elements."""
    band: int = 0
    """Coefficients outside a window of so many are zero; 0: no window."""

    def __post_init__(self) -> None:
        """
        Check the parameters.
        """
        check_code(self.k, self.density, self.band)
        if not 1 <= self.symbol_size <= MAX_SYMBOL_SIZE:
            raise ValueError(f"symbol_size is 1 to {MAX_SYMBOL_SIZE}")

    @property
    def generation_size(self) -> int:
        """
        Bytes in a generation.
        """
        return self.k * self.symbol_size
