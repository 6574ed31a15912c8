"""
The sender of one session: one pass over all segments that somebody lacks, and repair as reports come in.

A segment is passed in systematic packets, interleaved over its generations. Whoever reports that something of it is
lacking makes the generation due for repair, which goes before the pass: so segments are complete, and out of memory,
soon. Who joins late lacks what was passed before: that is passed again, behind what was to be passed anyway.

Whatever only one receiver lacks goes to it by unicast. Segments are asked for (`wanted`) and handed over (`give`) by
the owner, who reads the disk.
"""
from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ...coding import MAX_NUMBER, MAX_SYMBOLS, Code, Encoder
from .care import Care
from .events import AllFinished, Event, MemberFinished, MemberGone, MemberGreedy, MemberSilent
from .fallback_datagrams import SCHEDULED
from .held import Held
from .kernels import BEST
from .limits import (
    CHUNK,
    FRAME,
    GONE,
    HEARTBEAT,
    LAST_SEQUENCE,
    MAX_MEMBERS,
    MAX_TABLES,
    POLL,
    POLL_MOST,
    PROOF_EACH,
    PROOF_ROOM,
    REPORT_INTERVAL,
    REPORTS_PER_SECOND,
    ROUND,
    SILENT,
)
from .members import Member
from .packets import (
    GENERATION_AT,
    IDLE,
    LACKING,
    NUMBER_AT,
    NUMBERED,
    OVERHEAD,
    PROOF,
    SYMBOL_AT,
    asked,
    pack_proof,
)
from .packets import HEARTBEAT as BEAT
from .repair import Flight, Passed, need_of
from .reports import Lacks, Report
from .stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..content.tree import HashTree
    from .coop_messages import Want
    from .geometry import Geometry
    from .kernels import Way
    from .rate import RateControl

MOSTLY: Final = 0.75
"""A generation of which somebody lacks this share is passed in systematic packets, of the others repair is made."""

SOLO_CHUNK: Final = 4
SOLO_EACH: Final = 8
"""One batch of so many goes to those who are too slow for the group, while there is something for the group."""

PRUNE_EACH: Final = 256
"""Segments passed between two looks at what nobody lacks any more."""


class Batch(NamedTuple):
    """
    Datagrams of `size` bytes each, one behind the other, to one receiver or (None) to the group.
    """

    member: bytes | None
    datagrams: bytearray
    size: int


class Sender:
    """
    One session: bytes in, batches and events out.
    """

    def __init__(self, geometry: Geometry, tree: HashTree, tag: bytes, key: bytes, rate: RateControl, *,  # noqa: PLR0913
                 seed: int = 1 << 16, way: Way = BEST, sealed: bool = False) -> None:
        """
        :param tree: whole.
        :param key: of the group's stream (32 bytes).
        :param seed: of the first combination: sources that send at once take different ones.
        :param way: to calculate.
        :param sealed: whether the streams are encrypted.
        """
        self.way = way
        self.geometry = geometry
        self.tree = tree
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
        self.flight = Flight()
        self._seed = seed
        self._queue: OrderedDict[int, None] = OrderedDict()
        self._passing = 0
        self._schedule = b""
        self._segment: int | None = None
        self.repairs: OrderedDict[int, None] = OrderedDict()
        self._turn = 0
        self._held = Held()
        self._ready: deque[Batch] = deque()
        self._proved: tuple[int, int] | None = None
        self._poll_at = self._poll = 0.0
        self._all_finished = False

    # --- Members.

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

    def beat(self, member: Member, body: bytes, now: float) -> None:
        """
        Let a receiver hear of us.
        """
        if len(self._ready) < MAX_MEMBERS:
            made = member.stream.one(BEAT, body, now, self._ask())
            self._ready.append(Batch(member.name, made, len(made)))

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

    # --- Segments.

    def wanted(self) -> list[int]:
        """
        Get the segments that should be handed over, the most urgent first.
        """
        return self._held.wanted(self._queue)

    def give(self, segment: int, data: bytes) -> None:
        """
        Hand over a segment.
        """
        self._held.give(segment, data)

    # --- What is sent.

    @property
    def interval(self) -> float:
        """
        Seconds from one report of a receiver to the next.
        """
        return max(REPORT_INTERVAL, len(self.members) / REPORTS_PER_SECOND)

    def make(self, now: float, count: int) -> Batch | None:
        """
        Make what is to be sent next, up to `count` datagrams; None when there is nothing now.
        """
        if self.is_spent:
            self._poll_at = now + HEARTBEAT
            return None
        if self._ready:
            return self._ready.popleft()
        is_wanted = any(member.counts or member.asked for member in self.members.values())
        if is_wanted:
            self._turn += 1
            batch = (self._proof(now) or (None if self._turn % SOLO_EACH else self._repair(now, count, self.care.solo))
                     or self._repair(now, count, self.repairs) or self._pass(now, count)
                     or self._repair(now, count, self.care.solo))
            if batch is not None:
                self._poll, self._poll_at = POLL, now
                return batch
        if not is_wanted or not (self._passing or self.repairs or self._queue):
            self._beat(now)
        return self._ready.popleft() if self._ready else None

    @property
    def is_spent(self) -> bool:
        """
        Whether the sequences of a stream are used up: nothing is sent any more, the session is to end.
        """
        return max((member.stream.sequence for member in self.members.values()), default=0) > LAST_SEQUENCE \
            or self.group.sequence > LAST_SEQUENCE

    def next_timer(self) -> float:
        """
        Get when `make` will have a heartbeat to send, if nothing happens before.
        """
        return self._poll_at

    def _sole(self) -> Member | None:
        """
        The only receiver, when there is only one.
        """
        return next(iter(self.members.values())) if len(self.members) == 1 else None

    def _ask(self) -> int:
        return asked(self.interval)

    def _proof(self, now: float) -> Batch | None:
        for member in self.members.values():
            if member.proof is not None:
                run = self.tree.run_of(member.proof, PROOF_ROOM)
                member.proof = None
                self._charge(member, 1)
                return self._prove(run, member, now)
        return None

    def _prove(self, run: tuple[int, int], member: Member | None, now: float) -> Batch | None:
        hashes = self.tree.proof(*run)
        if hashes is None:
            return None
        stream = self.group if member is None else member.stream
        made = stream.one(PROOF, pack_proof(*run, hashes), now, self._ask())
        return Batch(None if member is None else member.name, made, len(made))

    def _repair(self, now: float, count: int, due: OrderedDict[int, None]) -> Batch | None:
        for _ in range(len(due)):
            generation, _ = due.popitem(last=False)
            segment = generation // self.geometry.parts
            passed = self.passed.get(segment)
            if passed is None or segment == self._segment or segment in self._queue:
                continue
            data = self._held.get(segment)
            if data is None:
                due[generation] = None
                continue
            is_helped = self.care.is_helped
            members = [member for member in self.members.values()
                       if member.wants(generation, is_helped) and (member.alone is not None) == (due is self.care.solo)]
            if due is self.care.solo and not any(self._is_due(member, now) for member in members):
                due[generation] = None
                continue
            members = [member for member in members if member.alone is None or self._is_due(member, now)]
            need = need_of(generation, passed, members, self.group, self.flight)
            if need is None:
                continue
            packets = min(need.packets, count, CHUNK if due is self.repairs else SOLO_CHUNK)
            if packets < need.packets:
                due[generation] = None
            for member in members:
                member.gave(generation, packets if packets < need.packets else MAX_SYMBOLS * 2)
            self._charge(need.cause, packets)
            only = need.only
            stream = self.group if only is None else only.stream
            made = self._combinations(generation, data, packets, stream, now)
            if only is not None and only.alone is not None:
                only.alone.sent(now, len(made) + FRAME * packets)
            self.flight.add(generation, stream, packets)
            self.counters["repair"] += packets
            return Batch(None if only is None else only.name, made, len(made) // packets)
        return None

    @staticmethod
    def _is_due(member: Member, now: float) -> bool:
        if member.alone is None:
            return False
        member.alone.rate.run(now)
        return member.alone.pacer.is_due(now)

    def _charge(self, member: Member, packets: int) -> None:
        member.budget -= packets * self.geometry.symbol
        if member.budget < 0 and not member.greedy:
            member.greedy = True
            self.counters["member: greedy"] += 1
            self.rate.forget((self.tag, member.name))
            self.events.append(MemberGreedy(member.name))

    def _combinations(self, generation: int, data: bytes, count: int, stream: Stream, now: float) -> bytearray:
        symbol, size, start = self.geometry.symbol, self.sizes[generation], self.geometry.offset(generation)
        step = OVERHEAD + symbol
        made = bytearray(step * count)
        if self._seed + count > MAX_NUMBER:
            self._seed = MAX_SYMBOLS + 1
        encoder = Encoder(Code(size, symbol), memoryview(data)[start:start + size * symbol], systematic=False,
                          seed=self._seed, kernels=self.way.coding)
        encoder.encode_into(made, count, step=step, head=NUMBER_AT, payload=SYMBOL_AT)
        self._seed += count
        place = generation.to_bytes(4, "big")
        for at in range(0, len(made), step):
            made[at + GENERATION_AT:at + NUMBER_AT] = place
        return stream.finish(NUMBERED, made, step, now, self._ask())

    def _pass(self, now: float, count: int) -> Batch | None:
        if not self._passing:
            proof = self._begin(now)
            if proof is not None or not self._passing:
                return proof
        segment = self._segment
        assert segment is not None
        data = self._held.get(segment)
        if data is None:
            return None
        sole, symbol = self._sole(), self.geometry.symbol
        stream = self.group if sole is None else sole.stream
        count = min(count, self._passing)
        first = len(self._schedule) // SCHEDULED.size - self._passing
        made = stream.systematic(data, symbol, self._schedule, first, count, segment * self.geometry.parts, now,
                                 self._ask())
        self._passing -= count
        self.counters["systematic"] += count
        if not self._passing:
            self._end(segment, stream)
        return Batch(None if sole is None else sole.name, made, OVERHEAD + symbol)

    def _begin(self, now: float) -> Batch | None:
        """
        Begin the next segment, if its data is there. Gets a proof that goes before it.
        """
        while self._queue:
            segment = next(iter(self._queue))
            shares = {generation: max((member.missing[generation] for member in self.members.values() if member.counts),
                                      default=0) for generation in self.geometry.of(segment)}
            if any(shares.values()) and self._held.get(segment) is None:
                return None
            del self._queue[segment]
            if not any(shares.values()):
                continue
            whole = {generation for generation, missing in shares.items()
                     if missing >= max(1, MOSTLY * self.sizes[generation])}
            self._segment = segment
            self._schedule = self.geometry.schedule(segment, whole)
            self._passing = len(self._schedule) // SCHEDULED.size
            for generation in self.geometry.of(segment):
                self.flight.forget(generation)
            sole = self._sole()
            if not whole:
                self._end(segment, self.group if sole is None else sole.stream)
                continue
            run = self.tree.run_of(segment, PROOF_ROOM)
            if run != self._proved or not segment % PROOF_EACH:
                self._proved = run
                return self._prove(run, sole, now)
            return None
        return None

    def _end(self, segment: int, stream: Stream) -> None:
        """
        Note that a segment was passed. What was lacking in part only is due for repair.
        """
        self.passed[segment] = Passed(stream, stream.sequence)
        self.care.once[segment] = 1
        self._segment = None
        if not len(self.passed) % PRUNE_EACH:
            done = min((member.base for member in self.members.values()), default=0) // self.geometry.parts
            self.passed = {each: passed for each, passed in self.passed.items() if each >= done}
        for generation in self.geometry.of(segment):
            most = MOSTLY * self.sizes[generation]
            if any(0 < member.missing[generation] < most for member in self.members.values()):
                self.repairs[generation] = None

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
            made = member.stream.one(BEAT, body, now, ask)
            self._ready.append(Batch(member.name, made, len(made)))
        if len(alone) < len(lacking) or not lacking:
            made = self.group.one(BEAT, body, now, ask)
            self._ready.append(Batch(None, made, len(made)))
        self._poll_at = now + (self._poll if lacking else HEARTBEAT)
        self._poll = min(2 * self._poll, POLL_MOST)
