"""
At the source: secure random checksums for receivers in checked mode.

Each receiver has a key of its own, and gets the checksums of the segments that it asks for, sealed: who knows another's
could make packets that pass there.
"""
from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from ...coding import field
from ...coding.checksums import KEY_SIZE, Functionals
from .coop_limits import SUMS_AT_ONCE, SUMS_TIMES
from .coop_messages import LARGEST_CHECKED, SUMS_ROOM, Sums
from .held import Held

if TYPE_CHECKING:
    from collections.abc import Callable

    from .geometry import Geometry
    from .reports import Lacks


class Summer:
    """
    Makes SUMS for the receivers of one session: ALARMs in, SUMS out.
    """

    def __init__(self, geometry: Geometry, tag: bytes, *, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """
        :param random: makes so many bytes that nobody can foretell.
        """
        self.geometry = geometry
        self.tag = tag
        self.counters: Counter[str] = Counter()
        self._random = random
        self._keys: dict[bytes, tuple[bytes, Functionals]] = {}
        self._made: Counter[tuple[bytes, int]] = Counter()
        self._due: dict[tuple[bytes, int], None] = {}
        self._held = Held()

    def alarm_received(self, mid: bytes, segments: Lacks) -> None:
        """
        Take an ALARM that certainly comes from this member.
        """
        if self.geometry.k > LARGEST_CHECKED:
            return
        for first, count, _ in segments.runs:
            for segment in range(first, first + count):
                if self._made[mid, segment] < SUMS_TIMES:
                    self._due[mid, segment] = None
                else:
                    self.counters["sums: too often"] += 1

    def forget(self, mid: bytes) -> None:
        """
        Forget a member that left.
        """
        self._keys.pop(mid, None)
        for due in [due for due in self._due if due[0] == mid]:
            del self._due[due]
        for made in [made for made in self._made if made[0] == mid]:
            del self._made[made]

    def wanted(self) -> list[int]:
        """
        Get the segments that should be handed over, the most urgent first.
        """
        return self._held.wanted(())

    def give(self, segment: int, data: bytes) -> None:
        """
        Hand over a segment.
        """
        self._held.give(segment, data)

    def take(self) -> list[tuple[bytes, Sums]]:
        """
        Take SUMS that can be made now, and for whom; `is_due` tells whether there are more. Without native code those
        of one segment take a good part of a second, in which nothing else goes on, so that there are no more at once.
        """
        found, left = [], 1 if field.why_not_native else SUMS_AT_ONCE
        for mid, segment in list(self._due):
            data = self._held.get(segment)
            if data is None or not left:
                continue
            left -= 1
            del self._due[mid, segment]
            self._made[mid, segment] += 1
            found += [(mid, sums) for sums in self._of(mid, segment, data)]
        return found

    @property
    def is_due(self) -> bool:
        """
        Whether some can be made now.
        """
        return any(self._held.has(segment) for _, segment in self._due)

    def _of(self, mid: bytes, segment: int, data: bytes) -> list[Sums]:
        symbol = self.geometry.symbol
        if mid not in self._keys:
            key = self._random(KEY_SIZE)
            self._keys[mid] = key, Functionals(key, symbol)
        key, functionals = self._keys[mid]
        found: list[list[tuple[int, bytes]]] = [[]]
        room = SUMS_ROOM
        for generation, size in zip(self.geometry.of(segment), self.geometry.sizes(segment), strict=True):
            if not size:
                continue
            start = self.geometry.offset(generation)
            sums = functionals.checksums(data[start:start + size * symbol].ljust(size * symbol, b"\0"))
            if room < 4 + len(sums):
                found.append([])
                room = SUMS_ROOM
            room -= 4 + len(sums)
            found[-1].append((generation, sums))
        self.counters["sums"] += len(found)
        return [Sums(self.tag, key, each) for each in found]
