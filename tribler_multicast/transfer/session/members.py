"""
What a sender knows of one receiver.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .limits import BUDGET_LEAST, BUDGET_SHARE, LOSS_SAMPLE, MAX_LOSS
from .reports import NOT_ZERO, WHOLE, Arrival

if TYPE_CHECKING:
    from .reports import Lacks, Report
    from .stream import Stream

SMOOTH: Final = 0.25


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
        self.unproved = False
        """Whether it has a segment that it can't check, for want of a proof: it is not finished then."""
        self.proof: int | None = None
        """The segment of which a proof is to be sent to it."""
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

    @property
    def counts(self) -> bool:
        """
        Whether rate and repair follow it.
        """
        return not (self.silent or self.greedy or self.finished)

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
        if self._sent < LOSS_SAMPLE:
            return None
        sent, came = self._sent, min(self._came, self._sent)
        self._sent = self._came = 0
        self.loss += SMOOTH * (min(1 - came / sent, MAX_LOSS) - self.loss)
        return sent, came
