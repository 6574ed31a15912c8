"""
The receiver of one session: datagrams in, checked segments and reports out.
"""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ...coding import Code, Decoder
from ...protocol.limits import REPLAY_WINDOW
from .coop_limits import OLD_ONES
from .events import AllStored, Event, SegmentReady, SenderSilent
from .fallback_datagrams import (
    ACCEPTED,
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
from .packets import (
    AT_ONCE,
    CLOCK,
    HEAD,
    MAC_SIZE,
    MORE,
    NUMBERED,
    PROOF,
    RECODED,
    TAG_SIZE,
    UNICAST,
    interval_of,
    microseconds,
    read_proof,
)
from .reports import FIXED, MAX_REPORT, NOT_ZERO, Delay, Report, describe
from .rooms import Rooms
from .stream import arriving
from .track import Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from ...coding.fallback_generation import Generation
    from ..content.tree import HashTree
    from .checks import Checks
    from .geometry import Geometry
    from .kernels import Way
    from .packets import Bytes
    from .track import HelpStream

SPREAD = 0.04
"""Share of the interval over which reports that all are asked for at once are spread."""


REFUSED: Final = {WRONG_LENGTH: "data: length", WRONG_FORM: "data: form", FOREIGN: "data: foreign session",
                  WRONG_MAC: "data: MAC", REPLAYED: "data: replay"}
COLLECTED: Final = ("data: not innovative", "data: not needed", "data: no such generation",
                    "data: malformed")
"""How is counted what became of a datagram, the latter in the order of what `collect` gets."""

GROUP, UNICAST_STREAM = 0, 1
"""Packets are stored with where they came from: tags of the decoders. Above are those of helpers (`HelpStream`)."""

INTERVALS: Final = [interval_of(ask) for ask in range(256)]


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
        self.helpers: dict[bytes, HelpStream] = {}
        """Streams of those who help, by their tags."""
        self.checks: Checks | None = None
        """What packets are checked by; None: the hash of segments alone."""
        self.front = 0
        self.passing: int | None = None
        self.first: int | None = None
        self.useful_at = now
        self.useful = 0
        """Packets of the source that told something new."""
        """The segment behind the last one that the source began to pass; the one it passes; the one that it passed when
        we came; when it last told something new."""
        self._codes: dict[int, Code] = {}
        self._decoders: dict[int, Decoder] = {}
        self._generations: dict[int, Generation] = {}
        self._rooms = Rooms()
        self._open: dict[int, memoryview] = {}
        self._proving: dict[int, tuple[memoryview, dict[int, Decoder]]] = {}
        self._unproved: dict[int, memoryview] = {}
        self._report_at: float | None = None
        self._reported = float("-inf")
        self.number = reports
        """Of the last report."""
        self._cursor = self._base = self._end = 0
        self._delay: tuple[int, int, int] | None = None
        self._old_ones = 0
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
            self._refused(data, size, verdicts, now, clock)
            if not accepted:
                return
        self._heard, self._silent = now, False
        if self._old_ones < OLD_ONES or data[0] & UNICAST:
            before = self._delay
            if before is not None and (least - before[0]) % CLOCK < CLOCK // 2:
                least = before[0]
            self._delay = least, (clock - time) % CLOCK, time
        self.interval = INTERVALS[ask]
        if self._collect(data, size, verdicts, now):
            self.useful_at = now
        self._plan(now, bool(ask & AT_ONCE))

    def _refused(self, data: Bytes, size: int, verdicts: bytes, now: float, clock: int) -> None:
        """
        Look at datagrams that are not the source's, or not for the first time.
        """
        for verdict, name in REFUSED.items():
            if verdict == FOREIGN and self.helpers:
                self._helped(data, size, verdicts, now, clock)
            else:
                self._count(name, verdicts.count(verdict))
        if REPLAYED in verdicts and not self.sealed:
            self._repeated(data, size, verdicts, now)

    def _helped(self, data: Bytes, size: int, verdicts: bytes, now: float, clock: int) -> None:
        """
        Take datagrams that may come from helpers: nobody else can make them.
        """
        view, number = memoryview(data), 0
        while (number := verdicts.find(FOREIGN, number)) >= 0:
            end, tag = number + 1, view[number * size + 1:number * size + 1 + TAG_SIZE]
            while end < len(verdicts) and verdicts[end] == FOREIGN \
                    and view[end * size + 1:end * size + 1 + TAG_SIZE] == tag:
                end += 1
            helper = self.helpers.get(bytes(tag))
            if helper is None:
                self._count(REFUSED[FOREIGN], end - number)
            else:
                mine = view[number * size:end * size]
                found = helper.take(mine, size, end - number, now, clock)
                for verdict, name in REFUSED.items():
                    self._count(name.replace("data", "help"), found.count(verdict))
                helper.useful += self._collect(mine, size, found, now, helper)
            number = end

    def _repeated(self, data: Bytes, size: int, verdicts: bytes, now: float) -> None:
        """
        Take packets of the group whose sequence is far behind, or, in checked mode, was there before. Somebody else who
        has the key may have used it, or one far ahead: what the source sends is good all the same.
        """
        highest, again = self.streams.arrival(GROUP)[0], bytearray(verdicts)
        is_checking = self.checks is not None and self.checks.on
        for number, verdict in enumerate(verdicts):
            again[number] = REPLAYED
            if verdict == REPLAYED:
                form, _, sequence, _, _ = HEAD.unpack_from(data, number * size)
                is_old = form in (NUMBERED, RECODED) and highest - sequence >= REPLAY_WINDOW
                self._old_ones += is_old
                if is_old or (is_checking and form in (NUMBERED, RECODED)):
                    again[number] = ACCEPTED
        if ACCEPTED in again and self._collect(data, size, bytes(again), now):
            self.useful_at = now

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

    def _collect(self, data: Bytes, size: int, verdicts: bytes, now: float, helper: HelpStream | None = None) -> int:
        """
        Hand over what was accepted. Gets how many packets told something new.
        """
        group_tag, unicast_tag = (GROUP, UNICAST_STREAM) if helper is None else (helper.origin, helper.origin)
        if self.checks is not None and self.checks.on:
            verdicts = self._checked(data, size, verdicts, group_tag, unicast_tag)
        at, symbol, generations, sizes, missing = 0, self.geometry.symbol, self._generations, self.sizes, self.missing
        parts, total = self.geometry.parts, 0
        while True:
            at, why, generation, end, front, latest, innovative, *others = self._collect_from(
                data, size, verdicts, at, symbol, generations, sizes, missing, group_tag, unicast_tag)
            self._end = max(self._end, end)
            if latest and helper is None:
                self.passing = (latest - 1) // parts
                self.first = self.passing if self.first is None else self.first
                self.front = max(self.front, (front - 1) // parts + 1)
            total += innovative
            if any(others):
                for name, count in zip(COLLECTED, others, strict=True):
                    self._count(name, count)
            if why == AT_END:
                self._count("data: innovative", total)
                self.useful += total if helper is None else 0
                return total
            if why == TO_OPEN:
                self._opened(generation)
            elif why == COMPLETE:
                self._look_whether_complete(generation)
            else:
                self._other(memoryview(data)[(at - 1) * size:at * size], now, helper)

    def _checked(self, data: Bytes, size: int, verdicts: bytes, group_tag: int, unicast_tag: int) -> bytes:
        """
        Refuse packets that are not what they say, as far as that can be told.
        """
        assert self.checks is not None
        bad = self.checks.bad_in(memoryview(data), size, verdicts, self.missing, (group_tag, unicast_tag))
        if not bad:
            return verdicts
        found = bytearray(verdicts)
        for number in bad:
            found[number] = WRONG_MAC
        self.counters["data: bad"] += len(bad)
        return bytes(found)

    def _other(self, datagram: memoryview, now: float, helper: HelpStream | None) -> None:
        form, body = datagram[0] & ~UNICAST, datagram[HEAD.size:-MAC_SIZE]
        if form == PROOF:
            self._proof(body)
        elif helper is not None:
            helper.account(body, now)
        elif bytes(body) != MORE:
            self._end = len(self.missing)
            self.front, self.passing = self.geometry.segments, None

    def _look_whether_complete(self, generation: int) -> None:
        segment = generation // self.geometry.parts
        if not any(self.missing[segment * self.geometry.parts:(segment + 1) * self.geometry.parts]):
            self._complete(segment)

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
