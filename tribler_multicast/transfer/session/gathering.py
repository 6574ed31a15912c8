"""
What a receiver has: packets become generations, these segments, which its owner checks and stores.
"""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...coding import Code, Decoder
from .events import AllStored, Event, SegmentReady
from .kernels import BEST
from .limits import OPEN_SEGMENTS, UNPROVED_SEGMENTS
from .packets import read_proof
from .reports import NOT_ZERO
from .rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...coding.fallback_generation import Generation
    from ..content.tree import HashTree
    from .checks import Checks
    from .geometry import Geometry
    from .kernels import Way
    from .packets import Bytes


class Gathering:
    """
    The segments of one session: those that are stored, open, or whole and not stored yet.
    """

    def __init__(self, geometry: Geometry, tree: HashTree, add_proof: Callable[[int, int, bytes], bool], *,
                 stored: Iterable[int] = (), way: Way = BEST) -> None:
        """
        :param tree: of which the root is known; proofs go to it by `add_proof`, which checks them.
        :param stored: segments that are here.
        :param way: to calculate.
        """
        self.geometry = geometry
        self.tree = tree
        self.add_proof = add_proof
        self.way = way
        self.sizes = geometry.table()
        self.missing = bytearray(self.sizes)
        self.stored_segments: set[int] = set()
        self.counters: Counter[str] = Counter()
        self.events: list[Event] = []
        self.checks: Checks | None = None
        """What packets are checked by; None: the hash of segments alone."""
        self._codes: dict[int, Code] = {}
        self._decoders: dict[int, Decoder] = {}
        self._generations: dict[int, Generation] = {}
        self._rooms = Rooms()
        self._open: dict[int, memoryview] = {}
        self._proving: dict[int, tuple[memoryview, dict[int, Decoder]]] = {}
        self._unproved: dict[int, memoryview] = {}
        self._base = self._end = 0
        """Before the one no generation lacks anything; of those from the other on nothing was heard yet."""
        for segment in stored:
            self.missing[segment * geometry.parts:(segment + 1) * geometry.parts] = bytes(geometry.parts)
            self.stored_segments.add(segment)
        self._look_whether_all()

    @property
    def rank(self) -> int:
        """
        How many symbols are here.
        """
        return sum(self.sizes) - sum(self.missing)

    # --- For those who ask, and those who help.

    @property
    def is_complete(self) -> bool:
        """
        Whether nothing is to be asked for: every segment is stored, or about to be.
        """
        return not self._unproved and NOT_ZERO.search(self.missing, self._base) is None

    @property
    def open_segments(self) -> dict[int, memoryview]:
        """
        The segments of which something is here, but not all.
        """
        return self._open

    @property
    def waiting(self) -> int:
        """
        How many segments are whole, but not stored: their hashes are not known.
        """
        return len(self._unproved)

    def decoder(self, generation: int) -> Decoder | None:
        """
        Get what there is of a generation that is not stored yet.
        """
        return self._decoders.get(generation)

    def held(self, generation: int) -> tuple[int, int] | None:
        """
        Get how many coded packets of a generation are here, and which symbols, a bit each; None: nothing.
        """
        decoder = self._decoders.get(generation)
        if decoder is None or not decoder.rank:
            return None
        missing = decoder.missing
        symbols = (1 << decoder.code.k) - 1
        for index in missing:
            symbols ^= 1 << index
        return decoder.rank - decoder.code.k + len(missing), symbols

    def unproved(self, segments: Iterable[int]) -> int | None:
        """
        Get the first segment, of those that are complete or else of these, whose hash is not known.
        """
        found = next(iter(self._unproved), None)
        return next((each for each in segments if self.tree.leaf(each) is None), None) if found is None else found

    # --- What comes.

    def _opened(self, generation: int) -> Decoder:
        segment = generation // self.geometry.parts
        if segment not in self._open and len(self._open) >= OPEN_SEGMENTS:
            parts = self.geometry.parts
            self.give_up(max(self._open, key=lambda each: sum(self.missing[each * parts:(each + 1) * parts])))
            self.counters["segment: given up"] += 1
        if segment not in self._open:
            self._open[segment] = self._rooms.room(sum(self.geometry.sizes(segment)) * self.geometry.symbol)
        size = self.sizes[generation]
        if size not in self._codes:
            self._codes[size] = Code(size, self.geometry.symbol)
        code, start = self._codes[size], self.geometry.offset(generation)
        decoder = self._decoders[generation] = Decoder(code, kernels=self.way.coding,
                                                       room=self._open[segment][start:start + code.generation_size])
        self._generations[generation] = decoder.generation
        return decoder

    def _look_whether_complete(self, generation: int) -> None:
        segment = generation // self.geometry.parts
        if not any(self.missing[segment * self.geometry.parts:(segment + 1) * self.geometry.parts]):
            self._complete(segment)

    def _complete(self, segment: int) -> None:
        decoders = {generation: self._decoders.pop(generation) for generation in self.geometry.of(segment)
                    if self.sizes[generation]}
        for generation, decoder in decoders.items():
            decoder.decode()
            del self._generations[generation]
        room = self._open.pop(segment)
        if self.checks is not None:
            self._proving[segment] = room, decoders
        # The symbols lie one behind the other already: nothing is copied.
        data = room[:self.geometry.cut.length(segment)].toreadonly()
        if self.tree.leaf(segment) is None:
            if len(self._unproved) >= UNPROVED_SEGMENTS:
                self.give_up(next(iter(self._unproved)))
                self.counters["segment: given up"] += 1
            self._unproved[segment] = data
        else:
            self.events.append(SegmentReady(segment, data))

    def _proof(self, body: memoryview) -> None:
        proof = read_proof(body)
        if proof is None or not self.add_proof(*proof):
            self.counters["data: bad proof"] += 1
            return
        for segment in [segment for segment in self._unproved if self.tree.leaf(segment) is not None]:
            self.events.append(SegmentReady(segment, self._unproved.pop(segment)))

    # --- What becomes of it.

    def removed(self, generation: int) -> None:
        """
        Note that bad packets of a generation were removed from its decoder.
        """
        self.missing[generation] = self.sizes[generation] - self._decoders[generation].rank
        self._base = min(self._base, generation)

    def give_up(self, segment: int) -> None:
        """
        Forget a segment that is not stored.
        """
        self._open.pop(segment, None)
        self._proving.pop(segment, None)
        self._unproved.pop(segment, None)
        for generation in self.geometry.of(segment):
            self._decoders.pop(generation, None)
            self._generations.pop(generation, None)
            self.missing[generation] = self.sizes[generation]
        self._base = min(self._base, segment * self.geometry.parts)

    def stored(self, segment: int, is_good: bool) -> None:
        """
        Answer a SegmentReady: it is stored; or it was bad, or could not be stored, and has to come again.
        """
        proving = self._proving.pop(segment, None)
        if not is_good:
            self.counters["segment: bad"] += 1
            if proving is None or self.checks is None or not self.checks.suspect(segment):
                self.give_up(segment)
                return
            self._open[segment], decoders = proving
            self._decoders |= decoders
            self._generations |= {generation: decoder.generation for generation, decoder in decoders.items()}
            return
        if self.checks is not None and proving is not None:
            self.checks.proved(segment, proving[0])
        self.stored_segments.add(segment)
        self._look_whether_all()

    def _look_whether_all(self) -> None:
        if len(self.stored_segments) == self.geometry.segments:
            self.events.append(AllStored())

    def take_events(self) -> list[Event]:
        """
        Take what there is to tell.
        """
        events, self.events = self.events, []
        return events

    # --- Parts of segments, over a restart.

    def partial(self) -> Iterator[tuple[int, int, bytes]]:
        """
        Get (segment, offset, bytes) of what there is of segments that are not complete: units of a store, unchecked.
        """
        size = self.geometry.symbol
        for generation, decoder in self._decoders.items():
            segment, start = generation // self.geometry.parts, self.geometry.offset(generation)
            length = self.geometry.cut.length(segment)
            if decoder.complete:
                decoder.decode()
            for index in range(self.sizes[generation]):
                symbol = decoder.symbol(index)
                at = start + index * size
                if symbol is not None:
                    yield segment, at, bytes(symbol[:length - at])

    def resume(self, segment: int, units: int, data: Bytes) -> None:
        """
        Take what a store has of a segment: a bit for each unit (of a symbol's size), the first lowest.

        :param data: the segment, with anything where there is no unit.
        """
        size, at = self.geometry.symbol, 0
        for generation in self.geometry.of(segment):
            for index in range(self.sizes[generation]):
                if units >> at // size & 1:
                    self._add(generation, index, bytes(data[at:at + size]).ljust(size, b"\0"))
                at += size

    def _add(self, generation: int, index: int, symbol: bytes) -> None:
        self._end = max(self._end, generation + 1)
        if self.missing[generation] and (self._decoders.get(generation) or self._opened(generation)).add(index, symbol):
            self.missing[generation] -= 1
            if not self.missing[generation]:
                self._look_whether_complete(generation)
