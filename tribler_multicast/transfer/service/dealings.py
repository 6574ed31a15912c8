"""
What each peer gave and took in one transfer.
"""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .limits import DEALINGS_KEPT
from .meter import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    Dealt = Callable[[bytes, int, int], None]
    """Takes a member id, and how many more bytes it was given, and gave."""


class Dealings:
    """
    Bytes of datagrams by peer. `up` is what we gave it, `down` what it gave us.
    """

    def __init__(self, dealt: Dealt) -> None:
        """
        Nothing yet.

        :param dealt: is told what is added.
        """
        self.up: dict[bytes, Meter] = {}
        self.down: dict[bytes, Meter] = {}
        self.total = Meter()
        """All that was given."""
        self._dealt = dealt

    def add(self, now: float, given: Counter[bytes], taken: Counter[bytes]) -> None:
        """
        Count what was given and taken since the last time.
        """
        for mid in given.keys() | taken.keys():
            for count, meters in ((given[mid], self.up), (taken[mid], self.down)):
                if count:
                    meters.setdefault(mid, Meter()).add(now, count)
                    if len(meters) > DEALINGS_KEPT:
                        del meters[next(iter(meters))]
            self._dealt(mid, given[mid], taken[mid])
        if given:
            self.total.add(now, given.total())

    def rates(self, mid: bytes, now: float) -> tuple[float, float]:
        """
        Get the bytes/s that somebody is given, and gives, of late.
        """
        up, down = self.up.get(mid), self.down.get(mid)
        return 0.0 if up is None else up.rate(now), 0.0 if down is None else down.rate(now)

    @property
    def taken(self) -> int:
        """
        Bytes that came from peers.
        """
        return sum(meter.total for meter in self.down.values())


class Since:
    """
    A counter that others raise, and what it was when it was looked at last.
    """

    def __init__(self) -> None:
        """
        It began with nothing.
        """
        self._before: Counter[bytes] = Counter()

    def more(self, count: Counter[bytes]) -> Counter[bytes]:
        """
        Get by how much it was raised.
        """
        before, self._before = self._before, Counter(count)
        return count - before
