"""
How much this machine's interfaces move: what is not this node's own is of other programs.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import psutil

from ..summary import Both

if TYPE_CHECKING:
    from collections.abc import Callable

EACH: Final = 1.0
MARGIN: Final = 0.15
"""Share of this node's own rate by which headers, and times that do not fit, may make the interface's rate larger."""
RETURNING: Final = 0.1
"""The same of what goes the other way: acknowledgements."""
EVEN: Final = 6.0
"""How much more may go one way than the other: in a call both speak."""
SOME: Final = 12_000.0
"""Bytes/s both ways below which other programs need no room: a call takes more."""
LASTS: Final = 3
"""Looks in a row at which there must be more: a page that loads needs none."""
STEADY_FOR: Final = 4
STEADY: Final = 1.35
STREAM: Final = (60_000.0, 1_250_000.0)
"""What goes one way only is a stream (a camera, a broadcast) when it is between these, bytes/s, and for so many looks
the most of it is no more than that many times the least: a copy within the house goes as fast as it can, in bursts."""


class OtherPrograms:
    """
    Tells what other programs move by one interface, bytes/s. Nobody can tell from outside what of it crosses the
    gateway, so it only says something of what looks like a call, which goes both ways, or like a stream, which is
    steady; copying a file within the house is neither.
    """

    def __init__(self, read: Callable[[str], tuple[int, int] | None] | None = None) -> None:
        """
        :param read: gets the bytes sent and received so far by an interface (default: as this system tells).
        """
        self.read = read or read_counters
        self._last: tuple[float, str, tuple[int, int]] | None = None
        self._seen = 0
        self._lately: deque[Both] = deque(maxlen=STEADY_FOR)
        self._streams = [False, False]
        self.rates = Both()

    def look(self, now: float, interface: str, own: Both) -> Both:
        """
        Get what others move now, both ways; `own` is all that this node moves by that interface.
        """
        if self._last is not None and now - self._last[0] < EACH and self._last[1] == interface:
            return self.rates
        counted = self.read(interface)
        last, self._last = self._last, None if counted is None else (now, interface, counted)
        if counted is None or last is None or last[1] != interface:
            self._seen, self._streams, self.rates = 0, [False, False], Both()
            self._lately.clear()
            return self.rates
        passed = now - last[0]
        rates = Both(*(max(0.0, (new - old) / passed - (1 + MARGIN) * mine - RETURNING * other)
                       for new, old, mine, other in zip(counted, last[2], own, reversed(own), strict=True)))
        self._seen = self._seen + 1 if min(rates) >= SOME and max(rates) <= EVEN * min(rates) else 0
        self._lately.append(Both(rates.up - RETURNING * rates.down, rates.down - RETURNING * rates.up))
        self._streams = [self._is_stream(way) for way in (0, 1)]
        self.rates = rates if self._seen >= LASTS else Both(*(
            rate if stream else 0.0 for rate, stream in zip(rates, self._streams, strict=True)))
        return self.rates

    def _is_stream(self, way: int) -> bool:
        """
        Tell whether one goes that way. It begins steadily, and ends when there is too little of it, or too much.
        """
        least, most = STREAM
        lately = [rates[way] for rates in self._lately]
        if self._streams[way]:
            return least / 2 <= lately[-1] <= 2 * most
        return (len(lately) == STEADY_FOR and least <= min(lately) and max(lately) <= most
                and max(lately) <= STEADY * min(lately))


def read_counters(interface: str) -> tuple[int, int] | None:
    """
    Get the bytes that an interface sent and received so far; None when there is no such interface.
    """
    try:
        found = psutil.net_io_counters(pernic=True, nowrap=False).get(interface)
    except OSError:
        return None
    return None if found is None else (found.bytes_sent, found.bytes_recv)
