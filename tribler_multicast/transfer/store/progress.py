"""
How much of a content is here: segments that are whole and checked, and of the others the units that were written.

A unit is what is remembered as written at once: the symbol of a session. The last one of a segment may be shorter.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..limits import SEGMENT_SIZE
from .journal import Commit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..content.layout import Layout

MISSING, WHOLE, UNCHECKED = 0, 1, 2


class Progress:
    """
    One byte of memory per segment, and some 200 for each that is there in part.
    """

    def __init__(self, layout: Layout, unit: int) -> None:
        """
        Begin with nothing.
        """
        self.layout = layout
        self.unit = unit
        self.whole = 0
        self.bytes = 0
        self._state = bytearray(layout.segments)
        self._short = {segment: layout.length(segment) for segment in (layout.index_segments - 1, layout.segments - 1)
                       if segment >= 0}
        """The only two that may be shorter."""
        self._partial: dict[int, int] = {}
        self._changed: set[int] = set()
        self._unchecked = 0

    def length(self, segment: int) -> int:
        """
        Get the bytes of a segment.

        :raises ValueError: when there is none of that number.
        """
        if not 0 <= segment < len(self._state):
            raise ValueError("no such segment")
        return self._short.get(segment, SEGMENT_SIZE)

    def units_of(self, segment: int) -> int:
        """
        Get how many units a segment has.
        """
        return -(-self.length(segment) // self.unit)

    def is_missing(self, segment: int) -> bool:
        """
        Tell whether units of a segment are to be written.
        """
        return self._state[segment] == MISSING

    def is_whole(self, segment: int) -> bool:
        """
        Tell whether a segment is here and checked.
        """
        return self._state[segment] == WHOLE

    def is_unchecked(self, segment: int) -> bool:
        """
        Tell whether a segment was said to be whole, and must be checked again before it counts.
        """
        return self._state[segment] == UNCHECKED

    @property
    def unchecked(self) -> int:
        """
        How many must be checked again.
        """
        return self._unchecked

    def next_unchecked(self) -> int | None:
        """
        Get one of them.
        """
        found = self._state.find(UNCHECKED)
        return None if found < 0 else found

    def next_not_whole(self, start: int, stop: int) -> int:
        """
        Get the first of these segments that is not here and checked; `stop` when all are.
        """
        return min(found if found >= 0 else stop
                   for found in (self._state.find(state, start, stop) for state in (MISSING, UNCHECKED)))

    def units(self, segment: int) -> int:
        """
        Get the units that were written, a bit each, the first lowest; all of them for a whole segment.
        """
        if self._state[segment]:
            return (1 << self.units_of(segment)) - 1
        return self._partial.get(segment, 0)

    def is_full(self, segment: int) -> bool:
        """
        Tell whether all units of a segment were written.
        """
        return self.units(segment) == (1 << self.units_of(segment)) - 1

    @property
    def has_partial(self) -> bool:
        """
        Whether there is something of a segment that is not whole.
        """
        return bool(self._partial)

    def partial(self) -> Iterator[int]:
        """
        Get the segments of which some units were written, and that are not whole.
        """
        yield from self._partial

    def add_units(self, segment: int, first: int, count: int) -> None:
        """
        Remember units as written.
        """
        self._partial[segment] = self._partial.get(segment, 0) | ((1 << count) - 1) << first
        self._changed.add(segment)

    def drop_units(self, segment: int, units: int | None = None) -> None:
        """
        Forget units (bits; all of them when None) of a segment, which is not whole any more.
        """
        left = 0 if units is None else self.units(segment) & ~units
        self._set(segment, MISSING)
        self._partial.pop(segment, None)
        if left:
            self._partial[segment] = left
        self._changed.add(segment)

    def set_whole(self, segment: int) -> None:
        """
        Remember a segment as whole and checked.
        """
        was_unchecked = self.is_unchecked(segment)
        self._set(segment, WHOLE)
        self._partial.pop(segment, None)
        if not was_unchecked:
            self._changed.add(segment)

    def trust(self) -> None:
        """
        Count all segments that should be checked again as whole: nobody can have changed them.
        """
        while (segment := self.next_unchecked()) is not None:
            self._set(segment, WHOLE)

    def doubt(self, segment: int) -> None:
        """
        Have a whole segment checked again before it counts.
        """
        if self.is_whole(segment):
            self._set(segment, UNCHECKED)

    def _set(self, segment: int, state: int) -> None:
        before = self._state[segment]
        self.whole += (state == WHOLE) - (before == WHOLE)
        self.bytes += self.length(segment) * ((state == WHOLE) - (before == WHOLE))
        self._unchecked += (state == UNCHECKED) - (before == UNCHECKED)
        self._state[segment] = state

    @property
    def is_changed(self) -> bool:
        """
        Whether there is something that `changes` would tell.
        """
        return bool(self._changed)

    def changes(self) -> Commit:
        """
        Take what changed since the last call, for the journal.
        """
        changed, self._changed = self._changed, set()
        return self._told(changed)

    def undo(self, commit: Commit) -> None:
        """
        Put back what could not be told.
        """
        self._changed |= {*commit.whole, *commit.partial}

    def all(self) -> Commit:
        """
        Get all that there is to tell.
        """
        return self._told({segment for segment, state in enumerate(self._state) if state} | set(self._partial))

    def _told(self, segments: set[int]) -> Commit:
        return Commit([segment for segment in segments if self._state[segment]],
                      {segment: self.units(segment) for segment in segments if not self._state[segment]})

    def restore(self, commit: Commit, unit: int) -> None:
        """
        Take what a journal told, with units of so many bytes: whole segments are still to be checked.
        """
        for segment in commit.whole:
            if segment < len(self._state):
                self._partial.pop(segment, None)
                self._set(segment, UNCHECKED)
        for segment, units in commit.partial.items():
            if segment < len(self._state):
                self._set(segment, MISSING)
                self._partial.pop(segment, None)
                if kept := self._converted(segment, units, unit):
                    self._partial[segment] = kept

    def _converted(self, segment: int, units: int, unit: int) -> int:
        """
        Get our units that are covered by those of another size.
        """
        length = self.length(segment)
        if unit == self.unit:
            return units & (1 << self.units_of(segment)) - 1
        found = 0
        for number in range(self.units_of(segment)):
            first = number * self.unit // unit
            last = (min((number + 1) * self.unit, length) - 1) // unit
            if units >> first & (mask := (1 << last - first + 1) - 1) == mask:
                found |= 1 << number
        return found
