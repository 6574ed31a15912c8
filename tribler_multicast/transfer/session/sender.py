"""
The sender of one session: one pass over all segments that somebody lacks, and repair as reports come in.

A segment is passed in systematic packets, interleaved over its generations. Whoever reports that something of it is
lacking makes the generation due for repair, which goes before the pass: so segments are complete, and out of memory,
soon. Who joins late lacks what was passed before: that is passed again, behind what was to be passed anyway.

Whatever only one receiver lacks goes to it by unicast. Segments are asked for (`wanted`) and handed over (`give`) by
the owner, who reads the disk. Who takes part, and what is due to whom: `audience`.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...coding import MAX_NUMBER, MAX_SYMBOLS, Code, Encoder
from .audience import MOSTLY, Audience
from .events import MemberGreedy
from .fallback_datagrams import SCHEDULED
from .held import Held
from .kernels import BEST
from .limits import CHUNK, FRAME, HEARTBEAT, LAST_SEQUENCE, POLL, PROOF_EACH, PROOF_ROOM
from .packets import GENERATION_AT, NUMBER_AT, NUMBERED, OVERHEAD, PROOF, SYMBOL_AT, pack_proof
from .repair import Flight, Passed, need_of

if TYPE_CHECKING:
    from collections import OrderedDict

    from ..content.tree import HashTree
    from .geometry import Geometry
    from .kernels import Way
    from .members import Member
    from .rate import RateControl
    from .stream import Stream

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


class Sender(Audience):
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
        super().__init__(geometry, tag, key, rate, way=way, sealed=sealed)
        self.tree = tree
        self.flight = Flight()
        self._seed = seed
        self._schedule = b""
        self._turn = 0
        self._held = Held()
        self._proved: tuple[int, int] | None = None

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

    def make(self, now: float, count: int) -> Batch | None:
        """
        Make what is to be sent next, up to `count` datagrams; None when there is nothing now.
        """
        if self.is_spent:
            self._poll_at = now + HEARTBEAT
            return None
        if self._beats:
            return self._next_beat()
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
        return self._next_beat()

    def _next_beat(self) -> Batch | None:
        if not self._beats:
            return None
        name, made = self._beats.popleft()
        return Batch(name, made, len(made))

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

