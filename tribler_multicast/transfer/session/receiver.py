"""
The receiver of one session: datagrams in, segments (`gathering`) and reports out.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...protocol.limits import REPLAY_WINDOW
from .coop_limits import OLD_ONES
from .events import SenderSilent
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
from .gathering import Gathering
from .kernels import BEST
from .limits import REPORT_INTERVAL, SENDER_SILENT
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
)
from .reports import FIXED, MAX_REPORT, NOT_ZERO, Delay, Report, describe
from .stream import arriving
from .track import Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from ..content.tree import HashTree
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


class Receiver(Gathering):
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
        super().__init__(geometry, tree, add_proof, stored=stored, way=way)
        self.tag = tag
        self.random = random
        self._collect_from = way.datagrams.collect
        self.sealed = sealed
        self.streams = arriving(way, tag, *keys, sealed=sealed)
        self.reports: list[bytes] = []
        self.interval = REPORT_INTERVAL
        self.helpers: dict[bytes, HelpStream] = {}
        """Streams of those who help, by their tags."""
        self.front = 0
        self.passing: int | None = None
        self.first: int | None = None
        self.useful_at = now
        self.useful = 0
        """Packets of the source that told something new."""
        """The segment behind the last one that the source began to pass; the one it passes; the one that it passed when
        we came; when it last told something new."""
        self._report_at: float | None = None
        self._reported = float("-inf")
        self.number = reports
        """Of the last report."""
        self._cursor = 0
        self._delay: tuple[int, int, int] | None = None
        self._old_ones = 0
        self._heard = now
        self._silent = False

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
