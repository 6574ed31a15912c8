"""
What a sender knows of one receiver.
"""
from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from .coop_limits import ASKED_MOST, ASKED_SHARE
from .limits import BUDGET_LEAST, BUDGET_SHARE, CATCH_UP, GREEDY_MORE, GREEDY_REST, LOSS_SAMPLE, MAX_LOSS
from .rate import Pacer, RateControl
from .reports import NOT_ZERO, WHOLE, Arrival

if TYPE_CHECKING:
    from .reports import Lacks, Report
    from .stream import Stream

SMOOTH: Final = 0.25


class Alone:
    """
    The way of a receiver that was moved off the group: a rate of its own.
    """

    def __init__(self, now: float, rate: RateControl, link: float) -> None:
        """
        Begin.

        :param rate: of the group: that of the receiver has the same bounds.
        :param link: what it could take of it, bytes per second.
        """
        self.rate = RateControl(now, start=min(max(link, rate.floor), rate.cap), cap=rate.cap, floor=rate.floor)
        self.rate.starting = False
        self.pacer = Pacer(now, CATCH_UP)

    def sent(self, now: float, size: int) -> None:
        """
        Count what was sent to it, with headers.
        """
        self.rate.on_sent(now, size)
        self.pacer.sent(now, size, self.rate.rate)


class Member:
    """
    A receiver: what it lacks, how much of both streams it gets, what it may still cause.
    """

    def __init__(self, name: bytes, stream: Stream, sizes: bytearray, joined: int, now: float) -> None:
        """
        :param stream: the unicast stream to it.
        :param sizes: symbols of each generation: all of them are lacking.
        :param joined: sequence of the group's stream when it joined.
        """
        self.name = name
        self.stream = stream
        self.sizes = sizes
        self.missing = bytearray(sizes)
        self.base = 0
        self.joined = joined
        self.heard = now
        self.report = 0
        self.group = Arrival(joined)
        self.unicast = Arrival()
        self.loss = 0.0
        self.silent = False
        self.finished = False
        self.budget = 0.0
        self.greedy = False
        self._greedy_since: float | None = None
        self.unproved = False
        """Whether it has a segment that it can't check, for want of a proof: it is not finished then."""
        self.proof: int | None = None
        """The segment of which a proof is to be sent to it."""
        self.alone: Alone | None = None
        """How it gets what it lacks by itself; None: with the others."""
        self.forged = inf
        """Since when it is known that somebody else sends to it on the group's stream, too."""
        self.beaten = float("-inf")
        self.reached = joined
        self.helps = False
        self.asked: dict[int, int] = {}
        """Whether it asks others for what it lacks; and what it asks of us, because they have it not: generations, and
        how many packets it may cause of each before it asks again."""
        self._credit, self._credited = ASKED_MOST, joined
        self._sent = self._came = 0

    def begin(self, segments: Lacks | None, parts: int, symbol: int) -> None:
        """
        Take the segments that it lacks (None: all), which have so many generations each.
        """
        if segments is not None:
            self.missing[segments.start * parts:segments.end * parts] = bytes((segments.end - segments.start) * parts)
            for first, count, _ in segments.runs:
                self.missing[first * parts:(first + count) * parts] = self.sizes[first * parts:(first + count) * parts]
        self._look()
        self.budget = max(BUDGET_LEAST, BUDGET_SHARE * symbol * sum(self.missing))

    def rest(self, now: float) -> None:
        """
        Let it cause some repair again when it has caused too much, and rested. To be called often.
        """
        if not self.greedy:
            return
        if self._greedy_since is None:
            self._greedy_since = now
        elif now - self._greedy_since >= GREEDY_REST:
            self.greedy, self._greedy_since, self.budget = False, None, GREEDY_MORE

    @property
    def counts(self) -> bool:
        """
        Whether rate and repair follow it.
        """
        return not (self.silent or self.greedy or self.finished or self.alone is not None)

    def assumed(self, told: Arrival, sequence: int, now: float) -> Arrival:
        """
        Get how the group's stream arrives when a receiver tells of more than was sent: somebody else who has the key
        sends, too. So it is assumed that what was sent before its last report has reached it.

        :param sequence: of what was sent last.
        """
        self.forged = min(self.forged, now)
        reached, self.reached = max(self.reached, self.group.highest), sequence
        return told._replace(highest=reached, came=max(self.group.came, min(told.came, reached)))

    def spend(self, packets: int, sequence: int) -> bool:
        """
        Tell whether it may cause so many packets while others wait for what they have not got at all.

        :param sequence: of what was sent last to the group.
        """
        self._credit = min(ASKED_MOST, self._credit + ASKED_SHARE * (sequence - self._credited))
        self._credited = sequence
        if self._credit < packets:
            return False
        self._credit -= packets
        return True

    def gave(self, generation: int, packets: int) -> None:
        """
        Note that so many packets were sent because it asked, among others.
        """
        left = self.asked.get(generation, 0) - packets
        if left > 0:
            self.asked[generation] = left
        else:
            self.asked.pop(generation, None)

    def wants(self, generation: int, is_helped: bool) -> bool:
        """
        Tell whether the sender is to repair a generation for it, when those who help each other do so by themselves.
        """
        if self.alone is not None:
            return generation in self.asked and not (self.silent or self.greedy)
        return self.counts and (generation in self.asked or not (is_helped and self.helps))

    def fits(self, lacks: Lacks) -> bool:
        """
        Tell whether something like that can be lacking.
        """
        return all(self.sizes[run.first] >= max(run.missing, 1) for run in lacks.runs)

    def apply(self, lacks: Lacks) -> None:
        """
        Take what is lacking.
        """
        start = max(lacks.start, self.base)
        if lacks.end > start:
            self.missing[start:lacks.end] = bytes(lacks.end - start)
        for first, count, missing in lacks.runs:
            self.missing[first:first + count] = self.sizes[first:first + count] if missing == WHOLE else (missing,)
        self.base = min([self.base, *(run.first for run in lacks.runs[:1])])
        self._look()

    def _look(self) -> None:
        found = NOT_ZERO.search(self.missing, self.base)
        self.base = found.start() if found else len(self.missing)
        self.finished = found is None and not self.unproved

    def is_possible(self, report: Report, group: int) -> bool:
        """
        Tell whether such a report can be: nothing that was never sent, nothing that goes back.

        :param group: the last sequence of the group's stream.
        """
        unicast = self.stream.sequence
        for told, known, last in ((report.group, self.group, group), (report.unicast, self.unicast, unicast)):
            if told.came > told.highest or told.highest > last:
                return False
            if told.highest and (told.highest < known.highest or told.came < known.came):
                return False
        return self.fits(report.lacks)

    def arrived(self, report: Report) -> tuple[int, int] | None:
        """
        Count what came and what did not. Gets how many were sent and came since it was last known; None when too few
        were sent to tell.
        """
        for told, known in ((report.group, self.group), (report.unicast, self.unicast)):
            if told.highest:
                self._sent += told.highest - known.highest
                self._came += told.came - known.came
        self.group = report.group if report.group.highest else self.group
        self.unicast = report.unicast if report.unicast.highest else self.unicast
        if self._sent < LOSS_SAMPLE or self.forged < inf:
            return None
        sent, came = self._sent, min(self._came, self._sent)
        self._sent = self._came = 0
        self.loss += SMOOTH * (min(1 - came / sent, MAX_LOSS) - self.loss)
        return sent, came
