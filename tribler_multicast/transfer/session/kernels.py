"""
What is done with the datagrams of a session many at a time: by native code where it is there, else by the standard
library. Both give the same.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from ...coding import fallback, field
from . import fallback_datagrams

if TYPE_CHECKING:
    from ...coding.fallback_generation import Generation
    from ...coding.field import Kernels
    from ...lan.batch import Many
    from .fallback_datagrams import MacKey, Streams
    from .packets import Bytes


class Datagrams(Protocol):
    """
    What both implementations offer: see `fallback_datagrams`.
    """

    def mac_key(self, key: Bytes, /) -> MacKey:
        """
        Prepare the key of a stream (32 bytes).
        """

    def seal(self, datagrams: bytearray, size: int, form: int, tag: bytes, sequence: int,  # noqa: PLR0913, PLR0917
             time: int, ask: int, key: MacKey, cipher: bytes | None, /) -> None:
        """
        Write heads and MACs, with the bodies encrypted in between.
        """

    def lay(self, segment: Bytes, symbol: int, schedule: Bytes, first: int, count: int,
            generation: int, /) -> bytearray:
        """
        Make numbered datagrams of symbols, without heads and MACs.
        """

    def Streams(self, tag: Bytes, group_key: Bytes | None, unicast_key: Bytes | None,  # noqa: N802
                group_cipher: Bytes | None = None, unicast_cipher: Bytes | None = None, /) -> Streams:
        """
        Make what checks the datagrams of a session that arrive.
        """

    def collect(self, buffer: Bytes, size: int, verdicts: bytes, start: int, symbol: int,  # noqa: PLR0913, PLR0917
                generations: dict[int, Generation], sizes: Bytes, missing: bytearray, group_tag: int,
                unicast_tag: int, /) -> tuple[int, int, int, int, int, int, int, int, int, int, int]:
        """
        Hand over symbols to their generations.
        """


class Way(NamedTuple):
    """
    One way to calculate: datagrams, and generations that go with them.
    """

    datagrams: Datagrams
    coding: Kernels


FALLBACK: Final = Way(fallback_datagrams, fallback)
NATIVE: Final = None if field.why_not_native else Way(cast("Datagrams", field.kernels), field.kernels)
BEST: Final = NATIVE or FALLBACK
RECEIVE: Final[Many | None] = None if NATIVE is None else getattr(NATIVE.datagrams, "receive", None)
"""Reads many datagrams with one call of the kernel, where there is such a thing."""
