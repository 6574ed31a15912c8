"""
The receiver of one session: datagrams in, checked segments and reports out.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...coding import Code, Decoder
from .events import AllStored, Event, SegmentReady, SenderSilent
from .fallback_datagrams import (
    AT_END,
    COMPLETE,
    FOREIGN,
    MAX_SIZE,
    REPLAYED,
    TO_OPEN,
    WRONG_FORM,
    WRONG_LENGTH,
    WRONG_MAC,
)
from .kernels import BEST
from .limits import OPEN_SEGMENTS, REPORT_INTERVAL, SENDER_SILENT, UNPROVED_SEGMENTS
from .packets import AT_ONCE, CLOCK, HEAD, MAC_SIZE, PROOF, UNICAST, interval_of, microseconds, read_proof
from .reports import FIXED, MAX_REPORT, NOT_ZERO, Arrival, Delay, Report, describe
from .stream import arriving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from ...coding.fallback_generation import Generation
    from ..content.tree import HashTree
    from .geometry import Geometry
    from .kernels import Way
    from .packets import Bytes

SPREAD = 0.04
"""Share of the interval over which reports that all are asked for at once are spread."""


REFUSED: Final = {WRONG_LENGTH: "data: length", WRONG_FORM: "data: form", FOREIGN: "data: foreign session",
                  WRONG_MAC: "data: MAC", REPLAYED: "data: replay"}
COLLECTED: Final = ("data: not innovative", "data: not needed", "data: no such generation",
                    "data: malformed")
"""How is counted what became of a datagram, the latter in the order of what `collect` gets."""

GROUP, UNICAST_STREAM = 0, 1
"""Packets are stored with where they came from: tags of the decoders."""

INTERVALS: Final = [interval_of(ask) for ask in range(256)]


@dataclass(frozen=True)
class Track:
    """
    How one stream arrives.
    """

    highest: int
    count: int
    time: int
    at: float

    def arrival(self, now: float) -> Arrival:
        """
        Get what a report says of it.
        """
        if not self.count:
            return Arrival()
        return Arrival(self.highest, self.count, self.time, min(CLOCK - 1, max(0, int((now - self.at) * 1e6))))


class Receiver:
    """
    One session: bytes in, reports and events out.
    """

    def __init__(self, geometry: Geometry, tree: HashTree, add_proof: Callable[[int, int, bytes], bool], *, tag: bytes,  # noqa: PLR0913
                 keys: tuple[bytes, bytes], random: Random, now: float, stored: Iterable[int] = (),
                 reports: int = 0, way: Way = BEST, sealed: bool = False) -> None:
        """
        :param tree: of which the root is known; proofs go to it by `add_proof`, which checks them.
        :param keys: of the group's stream and of our unicast stream.
        :param stored: segments that are here.
        :param reports: how many were made in an earlier session with the same sender: the numbers go on.
        :param way: to calculate.
        :param sealed: whether the streams are encrypted.
        """
        self.geometry = geometry
        self.tree = tree
        self.add_proof = add_proof
        self.tag = tag
        self.random = random
        self.way = way
        self._collect_from = way.datagrams.collect
        self.sealed = sealed
        self.streams = arriving(way, tag, *keys, sealed=sealed)
        self.sizes = geometry.table()
        self.missing = bytearray(self.sizes)
        self.stored_segments: set[int] = set()
        self.counters: Counter[str] = Counter()
        self.events: list[Event] = []
        self.reports: list[bytes] = []
        self.interval = REPORT_INTERVAL
        self._codes: dict[int, Code] = {}
        self._decoders: dict[int, Decoder] = {}
        self._generations: dict[int, Generation] = {}
        self._open: dict[int, memoryview] = {}
        self._unproved: dict[int, memoryview] = {}
        self._report_at: float | None = None
        self._reported = float("-inf")
        self.number = reports
        """Of the last report."""
        self._cursor = self._base = self._end = 0
        self._delay: tuple[int, int, int] | None = None
        self._heard = now
        self._silent = False
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

    @property
    def tracks(self) -> tuple[Track, Track]:
        """
        Get how the group's stream and our unicast stream arrive.
        """
        return Track(*self.streams.arrival(0)), Track(*self.streams.arrival(1))

    # --- Datagrams.

    def data_received(self, datagram: Bytes, now: float) -> None:
        """
        Take a datagram that arrived at `now`. Never raises.
        """
        self.batch_received(datagram, len(datagram), 1, now)

    def batch_received(self, data: Bytes, size: int, count: int, now: float) -> None:
        """
        Take datagrams that arrived together: `count`, of `size` bytes each but the last, which has what is left. Never
        raises; keeps nothing of `data`. What is sealed is opened where it lies, if it may be written there.
        """
        if self.sealed and memoryview(data).readonly:
            data = bytearray(data)
        size, clock = min(size, MAX_SIZE), microseconds(now)
        verdicts, accepted, least, time, ask = self.streams.take(data, size, count, now, clock)
        if accepted < count:
            for verdict, name in REFUSED.items():
                self._count(name, verdicts.count(verdict))
            if not accepted:
                return
        self._heard, self._silent = now, False
        before = self._delay
        if before is not None and (least - before[0]) % CLOCK < CLOCK // 2:
            least = before[0]
        self._delay = least, (clock - time) % CLOCK, time
        self.interval = INTERVALS[ask]
        self._collect(data, size, verdicts, GROUP, UNICAST_STREAM)
        self._plan(now, bool(ask & AT_ONCE))

    def _count(self, name: str, count: int) -> None:
        if count:
            self.counters[name] += count

    def _plan(self, now: float, at_once: bool) -> None:
        when = self._reported + self.interval
        if at_once:
            when = now + self.random.random() * SPREAD * self.interval
        elif when < now:
            when = now
        if self._report_at is None or when < self._report_at:
            self._report_at = when

    def _collect(self, data: Bytes, size: int, verdicts: bytes, group_tag: int, unicast_tag: int) -> None:
        at, symbol, generations, sizes, missing = 0, self.geometry.symbol, self._generations, self.sizes, self.missing
        while True:
            at, why, generation, end, _, _, innovative, *others = self._collect_from(
                data, size, verdicts, at, symbol, generations, sizes, missing, group_tag, unicast_tag)
            self._end = max(self._end, end)
            if innovative:
                self.counters["data: innovative"] += innovative
            if any(others):
                for name, count in zip(COLLECTED, others, strict=True):
                    self._count(name, count)
            if why == AT_END:
                return
            if why == TO_OPEN:
                self._opened(generation)
            elif why == COMPLETE:
                self._look_whether_complete(generation)
            else:
                self._other(memoryview(data)[(at - 1) * size:at * size])

    def _other(self, datagram: memoryview) -> None:
        if datagram[0] & ~UNICAST == PROOF:
            self._proof(datagram[HEAD.size:-MAC_SIZE])
        else:
            self._end = len(self.missing)

    def _look_whether_complete(self, generation: int) -> None:
        segment = generation // self.geometry.parts
        if not any(self.missing[segment * self.geometry.parts:(segment + 1) * self.geometry.parts]):
            self._complete(segment)

    def _opened(self, generation: int) -> Decoder:
        segment = generation // self.geometry.parts
        if segment not in self._open and len(self._open) >= OPEN_SEGMENTS:
            parts = self.geometry.parts
            self._give_up(max(self._open, key=lambda each: sum(self.missing[each * parts:(each + 1) * parts])))
            self.counters["segment: given up"] += 1
        if segment not in self._open:
            self._open[segment] = memoryview(bytearray(sum(self.geometry.sizes(segment)) * self.geometry.symbol))
        size = self.sizes[generation]
        if size not in self._codes:
            self._codes[size] = Code(size, self.geometry.symbol)
        code, start = self._codes[size], self.geometry.offset(generation)
        decoder = self._decoders[generation] = Decoder(code, kernels=self.way.coding,
                                                       room=self._open[segment][start:start + code.generation_size])
        self._generations[generation] = decoder.generation
        return decoder

    def _give_up(self, segment: int) -> None:
        """
        Forget a segment that is not stored.
        """
        self._open.pop(segment, None)
        self._unproved.pop(segment, None)
        for generation in self.geometry.of(segment):
            self._decoders.pop(generation, None)
            self._generations.pop(generation, None)
            self.missing[generation] = self.sizes[generation]
        self._base = min(self._base, segment * self.geometry.parts)

    def _complete(self, segment: int) -> None:
        for generation in self.geometry.of(segment):
            if self.sizes[generation]:
                self._decoders.pop(generation).decode()
                del self._generations[generation]
        # The symbols lie one behind the other already: nothing is copied.
        data = self._open.pop(segment)[:self.geometry.cut.length(segment)].toreadonly()
        if self.tree.leaf(segment) is None:
            if len(self._unproved) >= UNPROVED_SEGMENTS:
                self._give_up(next(iter(self._unproved)))
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

    def stored(self, segment: int, is_good: bool) -> None:
        """
        Answer a SegmentReady: it is stored; or it was bad, or could not be stored, and has to come again.
        """
        if not is_good:
            self.counters["segment: bad"] += 1
            self._give_up(segment)
            return
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

    # --- Reports.

    def next_timer(self) -> float:
        """
        Get when `run_timers` should be called.
        """
        silence = self._heard + SENDER_SILENT
        return silence if self._report_at is None else min(self._report_at, silence)

    def run_timers(self, now: float) -> None:
        """
        Make a report when one is due.
        """
        if self._report_at is not None and now >= self._report_at:
            self.reports.append(self._report(now).pack())
        if now - self._heard >= SENDER_SILENT:
            self._heard = now
            if not self._silent:
                self._silent = True
                self.events.append(SenderSilent())

    def take_reports(self) -> list[bytes]:
        """
        Take the reports to be sent to the sender.
        """
        reports, self.reports = self.reports, []
        return reports

    def _report(self, now: float) -> Report:
        self.number += 1
        self._reported, self._report_at = now, None
        found = NOT_ZERO.search(self.missing, self._base)
        self._base = found.start() if found else len(self.missing)
        start = self._cursor if self._base < self._cursor < self._end else self._base
        lacks = describe(self.missing, self.sizes, start, max(self._end, start), MAX_REPORT - FIXED.size)
        self._cursor = lacks.end if lacks.end < self._end else 0
        if start == self._base:
            lacks = lacks._replace(start=0)
        if self._cursor:
            self._report_at = now + self.interval
        delay = None if self._delay is None else Delay(*self._delay)
        self._delay = None
        group, unicast = self.tracks
        return Report(self.number, group.arrival(now), unicast.arrival(now), delay, next(iter(self._unproved), None),
                      lacks)
