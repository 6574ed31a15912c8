"""
How the datagrams of one stream arrive at a viewer: opened, counted, timed.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...transfer.session.fallback_datagrams import ACCEPTED
from ...transfer.session.kernels import BEST
from ...transfer.session.packets import CLOCK, HEAD, MAC_SIZE, UNICAST, microseconds
from ...transfer.session.stream import arriving
from ..live.messages import Arrived
from .limits import BASE_EACH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...transfer.session.kernels import Way


class Arriving:
    """
    One stream under one key.
    """

    def __init__(self, tag: bytes, key: bytes, *, unicast: bool, way: Way = BEST) -> None:
        """
        Nothing came yet.
        """
        self.unicast = unicast
        self._streams = arriving(way, tag, None if unicast else key, key if unicast else None, sealed=True)
        self.bytes = 0
        self.refused = 0
        """Datagrams that came to nothing: replayed, forged, damaged."""
        self._base: int | None = None
        self._next_base: int | None = None
        self._based = 0.0
        self._queue = 0.0

    def take(self, data: memoryview, size: int, count: int, arrived: float,
             now: float) -> Iterator[tuple[int, memoryview]]:
        """
        Open datagrams; get form (without the bit for unicast) and body of those that count.
        """
        verdicts, accepted, least, _, _ = self._streams.take(data, size, count, now, microseconds(arrived))
        self.refused += count - accepted
        if accepted:
            self._note(least, now)
        for number, verdict in enumerate(verdicts):
            if verdict == ACCEPTED:
                datagram = data[number * size:(number + 1) * size]
                self.bytes += len(datagram)
                yield datagram[0] & ~UNICAST, datagram[HEAD.size:-MAC_SIZE]

    def _note(self, least: int, now: float) -> None:
        """
        Note how long a datagram took, by two clocks that nobody set.
        """
        if self._base is None or self._next_base is None:
            self._base = self._next_base = least
            self._based = now
        if now - self._based >= BASE_EACH:
            self._base, self._next_base, self._based = self._next_base, least, now
        self._base = min(self._base, least, key=lambda each: _signed(each - least))
        self._next_base = min(self._next_base, least, key=lambda each: _signed(each - least))
        self._queue += 0.25 * (_signed(least - self._base) / 1e6 - self._queue)

    @property
    def arrived(self) -> Arrived:
        """
        What a viewer reports.
        """
        highest, came, _, _ = self._streams.arrival(1 if self.unicast else 0)
        highest = max(0, highest)
        return Arrived(highest, min(came, highest), max(0.0, self._queue))

    def since(self, clock: int, now: float) -> float | None:
        """
        Get the seconds since a time of the sender's clock, but for the least that a datagram takes.
        """
        return None if self._base is None else _signed(microseconds(now) - clock - self._base) / 1e6


def _signed(difference: int) -> int:
    """
    Get a difference of times modulo 2^32 as what is nearest to 0.
    """
    return (difference + CLOCK // 2) % CLOCK - CLOCK // 2
