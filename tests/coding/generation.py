"""
A generation with checksums, and packets of it.
"""
from __future__ import annotations

from random import Random

from tribler_multicast.coding import field
from tribler_multicast.coding.checksums import KEY_SIZE, Functionals, Verifier


class Generation:
    """
    A generation, who checks it, and packets of it.
    """

    def __init__(self, k: int = 8, size: int = 100, seed: int = 1) -> None:
        self.random = Random(seed)
        self.k, self.size = k, size
        self.key = self.random.randbytes(KEY_SIZE)
        self.symbols = self.random.randbytes(k * size)
        self.functionals = Functionals(self.key, size)
        self.verifier = Verifier(self.functionals, self.functionals.checksums(self.symbols), self.random.randbytes)

    def coded(self, count: int) -> tuple[bytearray, bytearray]:
        """
        Make coefficients and payloads of coded packets.
        """
        return self.combined(self.random.randbytes(count * self.k), self.symbols, self.k)

    def recoded(self, coefficients: bytes | bytearray, payloads: bytes | bytearray,
                count: int) -> tuple[bytearray, bytearray]:
        """
        Combine packets into others.
        """
        n = len(payloads) // self.size
        mixing = self.random.randbytes(count * n)
        return self.combined(mixing, coefficients, n, self.k)[1], self.combined(mixing, payloads, n)[1]

    def combined(self, matrix: bytes, rows: bytes | bytearray, n: int, size: int = 0) -> tuple[bytearray, bytearray]:
        out = bytearray(len(matrix) // n * (size or self.size))
        field.product(out, matrix, len(matrix) // n, n, rows, size or self.size)
        return bytearray(matrix), out
