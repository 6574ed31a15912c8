"""
What a receiver is to ask for, and in which order.

First what is needed soon (`soon`) and did not come; then what it lacks of segments that the source has passed; of those
that it passed before the receiver came, and of whole segments, only when the source's stream brings nothing: then they
come in an order of chance, so that those who lack the same ask for different ones, and have something for each other.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .coop_limits import BULK_OPEN, END, END_QUIET, PROBABLY_GONE, QUIET
from .coop_messages import Want

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from random import Random

    from .receiver import Receiver
    from .soon import Soon

PARTLY: Final = 0.75
"""While the source's stream brings something, of segments that it had passed before we came only those generations are
asked for of which no more than this share is lacking: the rest has time."""


class Lacking:
    """
    What one receiver lacks.
    """

    def __init__(self, receiver: Receiver, soon: Soon, random: Random) -> None:
        """
        Look at a receiver, and at what it needs soon.
        """
        self.receiver = receiver
        self.soon = soon
        self.random = random
        self._whole: list[int] = []

    def is_quiet(self, now: float) -> bool:
        """
        Tell whether the source's stream brings nothing now, or has passed all.
        """
        return now - self.receiver.useful_at > QUIET or self.receiver.passing is None

    def want(self, generation: int) -> Want:
        """
        Get what is wanted of a generation: all that is lacking.
        """
        found = self.receiver.held(generation)
        missing = self.receiver.missing[generation]
        return Want(generation, missing) if found is None else Want(generation, missing, *found)

    def generations(self, now: float, asked: Container[int], open_segments: Iterable[int], *,
                    has_source: bool) -> Iterator[int]:
        """
        Get the generations to ask for, the most urgent first.

        :param asked: those that were asked for, and may still come.
        :param open_segments: segments of which something may come, beside those that the receiver knows.
        """
        receiver = self.receiver
        is_quiet = self.is_quiet(now)
        is_gone = not has_source or now - receiver.useful_at > PROBABLY_GONE
        front = receiver.geometry.segments if is_gone else receiver.front
        soon = self.soon.overdue(now, has_source=not is_gone)
        for segment in soon:
            yield from (each for each in receiver.geometry.of(segment)
                        if receiver.missing[each] and each not in asked)
        for segment in sorted(receiver.open_segments.keys() - set(soon)):
            if segment < front and (is_quiet or segment != receiver.passing):
                yield from (each for each in self._of(segment, is_quiet) if each not in asked)
        if is_quiet:
            yield from self._whole_ones(front, asked, receiver.open_segments.keys() | {*open_segments, *soon})

    def _of(self, segment: int, is_quiet: bool) -> Iterator[int]:
        receiver = self.receiver
        is_ours = is_quiet or (receiver.first is not None and segment >= receiver.first)
        for generation in receiver.geometry.of(segment):
            missing = receiver.missing[generation]
            if missing and (is_ours or missing < PARTLY * receiver.sizes[generation]):
                yield generation

    def _whole_ones(self, front: int, asked: Container[int], is_open: set[int]) -> Iterator[int]:
        receiver = self.receiver
        if not self._whole and len(receiver.stored_segments) + len(is_open) + receiver.waiting < front:
            self._whole = [segment for segment in range(front)
                           if segment not in receiver.stored_segments and segment not in is_open]
            self.random.shuffle(self._whole)
        while self._whole and len(is_open) < BULK_OPEN:
            segment = self._whole.pop()
            if segment not in is_open:
                is_open.add(segment)
                yield from (each for each in receiver.geometry.of(segment)
                            if receiver.missing[each] and each not in asked)

    def is_end(self, now: float) -> bool:
        """
        Tell whether so little is lacking, of all there is, that it is asked of several at once.
        """
        receiver = self.receiver
        if now - receiver.useful_at < END_QUIET or receiver.front < receiver.geometry.segments:
            return False
        known = len(receiver.stored_segments) + len(receiver.open_segments) + receiver.waiting
        lacking = sum(receiver.missing[each] for segment in receiver.open_segments
                      for each in receiver.geometry.of(segment))
        return known >= receiver.geometry.segments and 0 < lacking <= END

    def last(self) -> list[Want]:
        """
        Get all that is lacking of segments that are open.
        """
        return [self.want(generation) for segment in self.receiver.open_segments
                for generation in self.receiver.geometry.of(segment) if self.receiver.missing[generation]]
