"""
Which generation holds which symbols of which segment.

A segment of n symbols is cut into ceil(n / k) generations as equal as can be (61, 60, 60...): the first n mod parts of
them have one symbol more. So no generation needs two segments, a segment is checked as soon as its own generations are
there, and none is so short that loss hits it harder than others. The last symbol of a segment is filled up with zeros,
which are cut off again: 0.1 % of a whole segment.

Generation number = segment x P + part, where P is the number of parts of a whole segment. Shorter segments leave
numbers unused: a generation of that number has no symbols.
"""
from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Protocol

from ...coding import MAX_SYMBOLS
from ..limits import SEGMENT_SIZE
from .fallback_datagrams import SCHEDULED
from .limits import LEAST_K, LEAST_SYMBOL, MAX_GENERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_SYMBOL: Final = 1344
ROOM: Final = 1408
"""Of 1,452 bytes without a header of 44: symbol, and vector where there is one."""

SMALL: Final = 32
USUAL: Final = 64
LARGE: Final = 128
MANY: Final = 16


class Cut(Protocol):
    """
    What is to be known of a content: `content.layout.Layout` is one.
    """

    @property
    def segments(self) -> int:
        """
        How many segments there are.
        """

    def length(self, segment: int, /) -> int:
        """
        Get the bytes of one.
        """


def symbols_for(receivers: int, native: bool) -> int:
    """
    Get the k of a session: 64; 128 for 16 receivers and more; 32 where one has no native code.
    """
    if not native:
        return SMALL
    return LARGE if receivers >= MANY else USUAL


def symbol_size(k: int) -> int:
    """
    Get the bytes of a symbol, so that symbol and vector fit in a datagram.
    """
    return min(LARGEST_SYMBOL, ROOM - k)


class Geometry:
    """
    The cut of one content in one session.
    """

    def __init__(self, cut: Cut, k: int, symbol: int | None = None, segment_size: int = SEGMENT_SIZE) -> None:
        """
        :param k: most symbols of a generation.
        :param symbol: bytes of a symbol; None: what `symbol_size` says.
        :param segment_size: of a whole segment; another one in simulations only.
        :raises ValueError: when there is no such session.
        """
        self.cut = cut
        self.k = k
        self.symbol = symbol_size(k) if symbol is None else symbol
        if not LEAST_K <= k <= MAX_SYMBOLS or not LEAST_SYMBOL <= self.symbol <= ROOM - k:
            raise ValueError("no such code")
        self.segments = cut.segments
        self.parts = self.parts_of(-(-segment_size // self.symbol))
        self.generations = self.segments * self.parts
        if self.generations > MAX_GENERATIONS:
            raise ValueError("too many generations")
        self._sizes = lru_cache(maxsize=8)(self._sizes_of)
        self._schedule = lru_cache(maxsize=16)(self._schedule_of)

    def parts_of(self, symbols: int) -> int:
        """
        Get how many generations so many symbols are.
        """
        return -(-symbols // self.k)

    def _sizes_of(self, length: int) -> tuple[int, ...]:
        symbols = -(-length // self.symbol)
        parts = self.parts_of(symbols)
        each, more = divmod(symbols, parts)
        return tuple(each + (part < more) for part in range(parts)) + (0,) * (self.parts - parts)

    def sizes(self, segment: int) -> tuple[int, ...]:
        """
        Get the symbols of each generation of a segment; zeros for those that are not there.
        """
        return self._sizes(self.cut.length(segment))

    def size(self, generation: int) -> int:
        """
        Get the symbols of a generation.
        """
        segment, part = divmod(generation, self.parts)
        return self.sizes(segment)[part]

    def offset(self, generation: int) -> int:
        """
        Get where in its segment a generation begins, in bytes.
        """
        segment, part = divmod(generation, self.parts)
        return sum(self.sizes(segment)[:part]) * self.symbol

    def of(self, segment: int) -> range:
        """
        Get the generations of a segment, also those without symbols.
        """
        return range(segment * self.parts, (segment + 1) * self.parts)

    def table(self) -> bytearray:
        """
        Get how many symbols each generation lacks when nothing is there: a byte each.
        """
        whole = bytes(self.sizes(0)) if self.segments else b""
        table = bytearray(whole * self.segments)
        longest = self.cut.length(0) if self.segments else 0
        for segment in range(self.segments):
            if self.cut.length(segment) != longest:
                table[segment * self.parts:(segment + 1) * self.parts] = bytes(self.sizes(segment))
        return table

    def schedule(self, segment: int, whole: Iterable[int]) -> bytes:
        """
        Get all symbols of these generations of a segment, neighbours from different generations: a burst of losses as
        long as there are generations takes one symbol of each. Records of `fallback_datagrams.SCHEDULED`.
        """
        first = segment * self.parts
        return self._schedule(self.sizes(segment), frozenset(generation - first for generation in whole))

    def _schedule_of(self, sizes: tuple[int, ...], parts: frozenset[int]) -> bytes:
        begins = [0, *accumulate(sizes)]
        return b"".join(SCHEDULED.pack(part, index, (begins[part] + index) * self.symbol)
                        for index in range(max(sizes)) for part, size in enumerate(sizes)
                        if index < size and part in parts)
