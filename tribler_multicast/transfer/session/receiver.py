"""
The receiver of one session: datagrams in, checked segments and reports out.
"""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...coding import Code, Decoder
from ...protocol.replay import ReplayWindow
from .events import AllStored, Event, SegmentReady, SenderSilent
from .limits import OPEN_SEGMENTS, REPORT_INTERVAL, SENDER_SILENT
from .packets import (
    CLOCK,
    HEARTBEAT,
    NUMBERED,
    PLACE,
    PROOF,
    Head,
    Seal,
    microseconds,
    read_head,
    read_proof,
)
from .reports import FIXED, MAX_REPORT, NOT_ZERO, Arrival, Delay, Report, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from ..content.tree import HashTree
    from .geometry import Geometry
    from .packets import Bytes

SPREAD = 0.04
"""Share of the interval over which reports that all are asked for at once are spread."""


class Track:
    """
    How one stream arrives.
    """

    def __init__(self) -> None:
        """
        Nothing came yet.
        """
        self.window = ReplayWindow()
        self.count = 0
        self.time = 0
        self.at = 0.0

    def arrival(self, now: float) -> Arrival:
        """
        Get what a report says of it.
        """
        if not self.count:
            return Arrival()
        return Arrival(self.window.highest, self.count, self.time, min(CLOCK - 1, max(0, int((now - self.at) * 1e6))))


class Receiver:
    """
    One session: bytes in, reports and events out.
    """

    def __init__(self, geometry: Geometry, tree: HashTree, add_proof: Callable[[int, int, bytes], bool], *, tag: bytes,  # noqa: PLR0913
                 keys: tuple[bytes, bytes], random: Random, now: float, stored: Iterable[int] = (),
                 reports: int = 0) -> None:
        """
        :param tree: of which the root is known; proofs go to it by `add_proof`, which checks them.
        :param keys: of the group's stream and of our unicast stream.
        :param stored: segments that are here.
        :param reports: how many were made in an earlier session with the same sender: the numbers go on.
        """
        self.geometry = geometry
        self.tree = tree
        self.add_proof = add_proof
        self.tag = tag
        self.random = random
        self.seals = Seal(keys[0]), Seal(keys[1])
        self.sizes = geometry.table()
        self.missing = bytearray(self.sizes)
        self.stored_segments: set[int] = set()
        self.counters: Counter[str] = Counter()
        self.events: list[Event] = []
        self.reports: list[bytes] = []
        self.tracks = Track(), Track()
        self.interval = REPORT_INTERVAL
        self._codes: dict[int, Code] = {}
        self._decoders: dict[int, Decoder] = {}
        self._open: dict[int, None] = {}
        self._unproved: dict[int, bytes] = {}
        self._report_at: float | None = None
        self._reported = float("-inf")
        self.number = reports
        """Of the last report."""
        self._cursor = self._base = self._end = 0
        self._delay: Delay | None = None
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

    # --- Datagrams.

    def data_received(self, datagram: Bytes, now: float) -> None:
        """
        Take a datagram that arrived at `now`. Never raises.
        """
        head = read_head(datagram, self.tag, self.seals)
        if isinstance(head, str):
            self.counters[head] += 1
            return
        track = self.tracks[head.unicast]
        if not track.window.is_fresh(head.sequence):
            self.counters["data: replay"] += 1
            return
        self._heard, self._silent = now, False
        if head.sequence > track.window.highest:
            track.time, track.at = head.time, now
        track.window.add(head.sequence)
        track.count += 1
        self._note_delay((microseconds(now) - head.time) % CLOCK, head.time)
        self.interval = head.interval
        if head.form == NUMBERED:
            self._numbered(head)
        elif head.form == PROOF:
            self._proof(head)
        elif head.form == HEARTBEAT:
            self._end = len(self.missing)
        else:
            self._recoded(head)
        self._plan(now, head.at_once)

    def _note_delay(self, delay: int, time: int) -> None:
        least = delay
        if self._delay is not None and (delay - self._delay.least) % CLOCK < CLOCK // 2:
            least = self._delay.least
        self._delay = Delay(least, delay, time)

    def _plan(self, now: float, at_once: bool) -> None:
        when = max(now, self._reported + self.interval)
        if at_once:
            when = now + self.random.random() * SPREAD * self.interval
        if self._report_at is None or when < self._report_at:
            self._report_at = when

    def _numbered(self, head: Head) -> None:
        if len(head.body) != PLACE.size + self.geometry.symbol:
            self.counters["data: malformed"] += 1
            return
        generation, number = PLACE.unpack_from(head.body)
        self._add(generation, number, head.body[PLACE.size:])

    def _recoded(self, head: Head) -> None:
        generation = int.from_bytes(head.body[:4], "big")
        size = self.sizes[generation] if generation < len(self.sizes) else 0
        if not size or len(head.body) != 4 + size + self.geometry.symbol:
            self.counters["data: malformed"] += 1
            return
        self._add(generation, head.body[4:4 + size], head.body[4 + size:])

    def _add(self, generation: int, identity: int | memoryview, symbol: memoryview) -> None:
        if generation >= len(self.sizes) or not self.sizes[generation]:
            self.counters["data: no such generation"] += 1
            return
        self._end = max(self._end, generation + 1)
        if not self.missing[generation]:
            self.counters["data: not needed"] += 1
            return
        decoder = self._decoders.get(generation)
        if decoder is None:
            decoder = self._opened(generation)
        if not decoder.add(identity, symbol):
            self.counters["data: not innovative"] += 1
            return
        self.counters["data: innovative"] += 1
        self.missing[generation] -= 1
        if not self.missing[generation]:
            segment = generation // self.geometry.parts
            if not any(self.missing[segment * self.geometry.parts:(segment + 1) * self.geometry.parts]):
                self._complete(segment)

    def _opened(self, generation: int) -> Decoder:
        segment = generation // self.geometry.parts
        if segment not in self._open and len(self._open) >= OPEN_SEGMENTS:
            parts = self.geometry.parts
            self._give_up(max(self._open, key=lambda each: sum(self.missing[each * parts:(each + 1) * parts])))
            self.counters["segment: given up"] += 1
        self._open[segment] = None
        size = self.sizes[generation]
        if size not in self._codes:
            self._codes[size] = Code(size, self.geometry.symbol)
        decoder = self._decoders[generation] = Decoder(self._codes[size])
        return decoder

    def _give_up(self, segment: int) -> None:
        """
        Forget a segment that is not stored.
        """
        self._open.pop(segment, None)
        for generation in self.geometry.of(segment):
            self._decoders.pop(generation, None)
            self.missing[generation] = self.sizes[generation]
        self._base = min(self._base, segment * self.geometry.parts)

    def _complete(self, segment: int) -> None:
        found = [self._decoders.pop(generation).decode() for generation in self.geometry.of(segment)
                 if self.sizes[generation]]
        self._open.pop(segment, None)
        data = b"".join(found)[:self.geometry.cut.length(segment)]
        if self.tree.leaf(segment) is None:
            self._unproved[segment] = data
        else:
            self.events.append(SegmentReady(segment, data))

    def _proof(self, head: Head) -> None:
        proof = read_proof(head.body)
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
                    self._add(generation, index, memoryview(bytes(data[at:at + size]).ljust(size, b"\0")))
                at += size

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
        delay, self._delay = self._delay, None
        return Report(self.number, self.tracks[0].arrival(now), self.tracks[1].arrival(now), delay,
                      next(iter(self._unproved), None), lacks)
