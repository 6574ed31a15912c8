"""
GF(2^8) with polynomial 0x11B: the native code where it is there, else the standard library. Both give the same bytes.

``kernels`` is the module in use. A folder that was copied may carry native code of another version: it is not used.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from . import fallback

if TYPE_CHECKING:
    from .fallback_generation import Generation

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Anything with the buffer protocol, contiguous (``collections.abc.Buffer`` is of Python 3.12)."""

VERSION = 4
"""Raised when what Python expects of the native code changes."""


class Kernels(Protocol):
    """
    What both implementations offer. ``out`` and ``target`` are writable and are checked for their exact length.
    """

    def paths(self) -> tuple[str, ...]:
        """
        The ways to calculate on this processor, the best first: of gfni512, gfni256, avx2, ssse3, neon, portable.
        """

    def path(self) -> str:
        """
        The way in use.
        """

    def use(self, name: str, /) -> None:
        """
        Force one way to calculate, for all. ValueError when this processor has not got it.
        """

    def multiply(self, a: int, b: int, /) -> int:
        """
        The product of two elements.
        """

    def inverse(self, a: int, /) -> int:
        """
        The element that gives 1 when multiplied with this one. ZeroDivisionError for 0.
        """

    def axpy(self, target: Buffer, factor: int, source: Buffer, /) -> None:
        """
        Add a multiple: ``target ^= factor * source``.
        """

    def scale(self, target: Buffer, factor: int, /) -> None:
        """
        Multiply in place.
        """

    def dot(self, a: Buffer, b: Buffer, /) -> int:
        """
        The inner product of two buffers of the same length.
        """

    def dots(self, out: Buffer, a: Buffer, rows: int, b: Buffer, columns: int, size: int,  # noqa: PLR0913, PLR0917
             stride: int = 0, /) -> None:
        """
        Inner products of each row of ``a`` (rows x size) with each row of ``b`` (columns x size), rows x columns. Rows
        of ``b`` may lie ``stride`` bytes apart.
        """

    def product(self, out: Buffer, matrix: Buffer, rows: int, columns: int, sources: Buffer, size: int, /) -> None:
        """
        The matrix product: ``out`` (rows x size) = ``matrix`` (rows x columns) * ``sources`` (columns x size).
        """

    def coefficients(self, seed: int, k: int, density: int, band: int, /) -> bytes:
        """
        The coefficient vector of a seed: see the module ``coefficients``.
        """

    def encode(self, out: Buffer, count: int, step: int, head: int, payload: int, first: int,  # noqa: PLR0913, PLR0917
               source: Buffer, k: int, symbol_size: int, density: int, band: int, /) -> None:
        """
        Write packets of a generation: see ``fallback_packets.encode``.
        """

    def Generation(self, k: int, symbol_size: int, density: int, band: int,  # noqa: N802
                   room: Buffer | None = None, /) -> Generation:
        """
        Make the state of a generation at a receiver: see ``fallback_generation.Generation``.
        """


def load() -> tuple[Kernels, str]:
    """
    The best implementation, and why it is not the native one (empty: it is).
    """
    try:
        native: Any = import_module("._native", __package__)
    except ModuleNotFoundError:
        return fallback, "it was not built when the package was installed"
    except ImportError as error:
        return fallback, f"{error}"
    if getattr(native, "VERSION", None) != VERSION:
        return fallback, "it was built from another version of the sources"
    return cast("Kernels", native), ""


kernels, why_not_native = load()

paths, path, use = kernels.paths, kernels.path, kernels.use
multiply, inverse = kernels.multiply, kernels.inverse
axpy, scale, dot, dots, product = kernels.axpy, kernels.scale, kernels.dot, kernels.dots, kernels.product
coefficients = kernels.coefficients
