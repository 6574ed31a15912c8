"""
How much this machine's interfaces move: what is not this node's own is of other programs.
"""
from __future__ import annotations

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


class OtherPrograms:
    """
    Tells what other programs move by one interface, bytes/s. Nobody can tell from outside what of it crosses the
    gateway, so it only says something when it goes both ways, steadily: calls do; copying a file within the house does
    not.
    """

    def __init__(self, read: Callable[[str], tuple[int, int] | None] | None = None) -> None:
        """
        :param read: gets the bytes sent and received so far by an interface (default: as this system tells).
        """
        self.read = read or read_counters
        self._last: tuple[float, str, tuple[int, int]] | None = None
        self._seen = 0
        self.rates = Both()

    def look(self, now: float, interface: str, own: Both) -> Both:
        """
        Get what others move now, both ways; `own` is what this node moves by that interface.
        """
        if self._last is not None and now - self._last[0] < EACH and self._last[1] == interface:
            return self.rates
        counted = self.read(interface)
        last, self._last = self._last, None if counted is None else (now, interface, counted)
        if counted is None or last is None or last[1] != interface:
            self._seen, self.rates = 0, Both()
            return self.rates
        passed = now - last[0]
        rates = Both(*(max(0.0, (new - old) / passed - (1 + MARGIN) * mine - RETURNING * other)
                       for new, old, mine, other in zip(counted, last[2], own, reversed(own), strict=True)))
        self._seen = self._seen + 1 if min(rates) >= SOME and max(rates) <= EVEN * min(rates) else 0
        self.rates = rates if self._seen >= LASTS else Both()
        return self.rates


def read_counters(interface: str) -> tuple[int, int] | None:
    """
    Get the bytes that an interface sent and received so far; None when there is no such interface.
    """
    try:
        found = psutil.net_io_counters(pernic=True, nowrap=False).get(interface)
    except OSError:
        return None
    return None if found is None else (found.bytes_sent, found.bytes_recv)
