"""
The receivers of one session, as its sender sees them: they join, report what they lack, are asked to, and go.

What somebody lacks becomes due: a segment that was not passed while it was there is queued for the pass, generations
of others for repair. The sender (`sender`) takes both from here.
"""
from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final

from .care import Care
from .events import AllFinished, Event, MemberFinished, MemberGone, MemberSilent
from .kernels import BEST
from .limits import (
    GONE,
    HEARTBEAT,
    MAX_MEMBERS,
    MAX_TABLES,
    POLL,
    POLL_MOST,
    REPORT_INTERVAL,
    REPORTS_PER_SECOND,
    ROUND,
    SILENT,
)
from .members import Member
from .packets import HEARTBEAT as BEAT
from .packets import IDLE, LACKING, asked
from .repair import Passed
from .reports import Lacks, Report
from .soon import Haste
from .stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .coop_messages import Help, Want
    from .geometry import Geometry
    from .kernels import Way
    from .rate import RateControl

MOSTLY: Final = 0.75
"""A generation of which somebody lacks this share is passed in systematic packets, of the others repair is made."""


class Audience:
    """
    Who takes part in one session, and what is due to them.
    """

    def __init__(self, geometry: Geometry, tag: bytes, key: bytes, rate: RateControl, *, way: Way = BEST,
                 sealed: bool = False) -> None:
        """
        Begin with nobody.

        :param key: of the group's stream (32 bytes).
        :param way: to calculate.
        :param sealed: whether the streams are encrypted.
        """
        self.way = way
        self.geometry = geometry
        self.tag = tag
        self.sealed = sealed
        self.group = Stream(tag, key, unicast=False, way=way, sealed=sealed)
        self.rate = rate
        self.sizes = geometry.table()
        self.members: dict[bytes, Member] = {}
        self.counters: Counter[str] = Counter()
        self.events: list[Event] = []
        self.passed: dict[int, Passed] = {}
        self.care = Care(self)
        self._haste = Haste(self)
        self.repairs: OrderedDict[int, None] = OrderedDict()
        """Generations that are due for repair."""
        self._queue: OrderedDict[int, None] = OrderedDict()
        self._segment: int | None = None
        self._passing = 0
        """Segments to be passed; the one that just is, and how many packets of it are left."""
        self._beats: deque[tuple[bytes | None, bytearray]] = deque()
        self._poll_at = self._poll = 0.0
        self._all_finished = False

    # --- They come, report and go.

    def join(self, name: bytes, key: bytes, now: float, lacks: Lacks | None = None, *, helps: bool = False) -> bool:
        """
        Let a receiver in; one that was in begins anew. False when there is no room.

        :param helps: it asks others first for what it lacks, and us by `help_received` for what they have not.
        :param key: of the unicast stream to it (32 bytes), known to nobody else.
        :param lacks: the segments that it lacks; None: all. The rest comes with its reports.
        """
        if name not in self.members and (len(self.members) >= MAX_MEMBERS
                                         or (len(self.members) + 1) * len(self.sizes) > MAX_TABLES):
            self.counters["join: no room"] += 1
            return False
        self.leave(name)
        member = Member(name, Stream(self.tag, key, unicast=True, way=self.way, sealed=self.sealed), self.sizes,
                        self.group.sequence, now)
        member.helps = helps
        member.begin(lacks, self.geometry.parts, self.geometry.symbol)
        self.members[name] = member
        self._all_finished = False
        self._poll, self._poll_at = POLL, now
        if member.finished:
            self.events.append(MemberFinished(name))
            return True
        known, runs = (0, ()) if lacks is None else (lacks.end, lacks.runs)
        for first, count, _ in (*runs, (known, self.geometry.segments - known, 0)):
            for segment in range(first, first + count):
                self._lacked(member, segment)
        return True

    def leave(self, name: bytes, reason: str = "") -> None:
        """
        Let a receiver go. A reason is told in an event.
        """
        if self.members.pop(name, None) is not None:
            self.rate.forget((self.tag, name))
            self.care.ways.forget(name)
            if reason:
                self.events.append(MemberGone(name, reason))

    def report_received(self, name: bytes, payload: bytes, now: float) -> None:
        """
        Take a report that certainly comes from this receiver. Never raises.
        """
        member = self.members.get(name)
        if member is None:
            self.counters["report: no member"] += 1
            return
        report = Report.read(payload, self.geometry.generations)
        if report is not None and report.group.highest > self.group.sequence:
            self.counters["report: forged stream"] += 1
            report = report._replace(group=member.assumed(report.group, self.group.sequence, now))
            if self.care.settles(member, now):
                report = report._replace(delay=None)
        if report is None:
            self.counters["report: malformed"] += 1
        elif report.number <= member.report:
            self.counters["report: replay"] += 1
        elif not member.is_possible(report, self.group.sequence):
            self.counters["report: impossible"] += 1
        else:
            self._reported(member, report, now)

    def _reported(self, member: Member, report: Report, now: float) -> None:
        self.counters["report"] += 1
        member.report, member.heard, member.silent = report.number, now, False
        self.rate.round, self.rate.shared = max(ROUND, self.interval), self.care.is_helped
        arrived = member.arrived(report)
        rate = self.rate if member.alone is None else member.alone.rate
        rate.feedback(now, (self.tag, member.name), report.delay, arrived)
        was_finished = member.finished
        member.proof = report.proof if report.proof is not None and report.proof < self.geometry.segments else None
        member.unproved = member.proof is not None
        member.apply(report.lacks)
        if member.finished:
            if not was_finished:
                self.events.append(MemberFinished(member.name))
                self._all_finished = False
            return
        before = None
        for first, count, _ in report.lacks.runs:
            for segment in range(first // self.geometry.parts, (first + count - 1) // self.geometry.parts + 1):
                if segment != before:
                    is_passed = self._lacked(member, segment)
                    before = segment
                if is_passed and not (member.helps and self.care.is_helped):
                    begin = segment * self.geometry.parts
                    for generation in range(max(first, begin), min(first + count, begin + self.geometry.parts)):
                        self.repairs[generation] = None

    def needed_soon(self, name: bytes, wanted: Help, now: float) -> None:
        """
        Take a HELP that certainly comes from this receiver: what it needs soon.
        """
        self._haste.wanted(name, wanted, now)

    def help_received(self, name: bytes, wants: Iterable[Want], now: float) -> None:
        """
        Take a HELP that certainly comes from this receiver: what others could not give it.
        """
        self.care.help_received(name, wants, now)

    def run_timers(self, now: float) -> None:
        """
        Look for receivers that say nothing, and for those that are far slower than the rest.
        """
        self.care.look(now)
        for member in list(self.members.values()):
            member.rest(now)
            quiet = now - member.heard
            if quiet > GONE:
                self.leave(member.name, "silent")
            elif quiet > (SILENT if not member.finished else GONE) and not member.silent:
                member.silent = True
                self.rate.forget((self.tag, member.name))
                self.events.append(MemberSilent(member.name))

    def take_events(self) -> list[Event]:
        """
        Take what there is to tell.
        """
        events, self.events = self.events, []
        return events

    # --- What is due.

    def _lacked(self, member: Member, segment: int) -> bool:
        """
        Note that a receiver lacks something of a segment. Tells whether it had its chance, so that repair is due.
        """
        if self.is_coming(segment):
            return False
        passed = self.passed.get(segment)
        reached = None if passed is None else passed.reached(member, self.group)
        if reached is None and not (member.helps and self.care.is_rare(segment)):
            self._queue[segment] = None
        return bool(reached)

    def is_coming(self, segment: int) -> bool:
        """
        Tell whether a segment will be passed, or just is.
        """
        return segment in self._queue or segment == self._segment

    @property
    def queued(self) -> OrderedDict[int, None]:
        """
        The segments to be passed, the next one first.
        """
        return self._queue

    @property
    def is_passing(self) -> bool:
        """
        Whether there is anything to be passed.
        """
        return bool(self._passing or self._queue)

    def lacks_whole(self, member: Member, segment: int) -> bool:
        """
        Tell whether a receiver lacks a segment, as far as its first generation tells.
        """
        generation = segment * self.geometry.parts
        return member.missing[generation] >= MOSTLY * self.sizes[generation]

    def may_repair(self, member: Member, segment: int) -> bool:
        """
        Tell whether a segment can be repaired for a receiver; if it was not there when it was passed, it will be again.
        """
        passed = self.passed.get(segment)
        if member.alone is not None and passed is None:
            passed = self.passed[segment] = Passed(self.group, self.group.sequence)
        if passed is None or passed.reached(member, self.group) is None:
            self._queue[segment] = None
            return False
        return True

    # --- They are asked.

    @property
    def interval(self) -> float:
        """
        Seconds from one report of a receiver to the next.
        """
        return max(REPORT_INTERVAL, len(self.members) / REPORTS_PER_SECOND)

    def _ask(self) -> int:
        return asked(self.interval)

    def beat(self, member: Member, body: bytes, now: float) -> None:
        """
        Let a receiver hear of us.
        """
        if len(self._beats) < MAX_MEMBERS:
            self._beats.append((member.name, member.stream.one(BEAT, body, now, self._ask())))

    def _beat(self, now: float) -> None:
        """
        Ask for reports when all is sent that is known to be lacking; say that we are there when nothing is.
        """
        if now < self._poll_at:
            return
        lacking = [member for member in self.members.values() if member.counts]
        if not lacking and not self._all_finished and any(m.finished for m in self.members.values()):
            self._all_finished = True
            self.events.append(AllFinished())
            self.passed.clear()
            self._poll_at = now
        ask = asked(self.interval, at_once=bool(lacking))
        body = LACKING if lacking else IDLE
        alone = [member for member in lacking if member.stream.sequence > member.unicast.highest]
        for member in alone:
            self._beats.append((member.name, member.stream.one(BEAT, body, now, ask)))
        if len(alone) < len(lacking) or not lacking:
            self._beats.append((None, self.group.one(BEAT, body, now, ask)))
        self._poll_at = now + (self._poll if lacking else HEARTBEAT)
        self._poll = min(2 * self._poll, POLL_MOST)
