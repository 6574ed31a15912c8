"""
How streams arrive at a receiver: those of the source, and those of helpers.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .coop_messages import read_account
from .fallback_datagrams import ACCEPTED
from .packets import CLOCK
from .reports import Arrival, Delay
from .stream import arriving

if TYPE_CHECKING:
    from .kernels import Way
    from .packets import Bytes


@dataclass(frozen=True)
class Track:
    """
    How one stream arrives.
    """

    highest: int
    count: int
    time: int
    at: float

    def arrival(self, now: float) -> Arrival:
        """
        Get what a report says of it.
        """
        if not self.count:
            return Arrival()
        return Arrival(self.highest, self.count, self.time, min(CLOCK - 1, max(0, int((now - self.at) * 1e6))))


class HelpStream:
    """
    What comes from one helper: only it and we hold the key.
    """

    def __init__(self, tag: bytes, key: bytes, origin: int, way: Way, *, sealed: bool) -> None:
        """
        Nothing came yet.

        :param origin: number under which its packets are stored.
        """
        self.tag = tag
        self.key = key
        self.origin = origin
        self.bytes = self.count = self.useful = 0
        self.delay: Delay | None = None
        self.accounts: list[tuple[int, bytes, float]] = []
        self._streams = arriving(way, tag, None, key, sealed=sealed)

    @property
    def highest(self) -> int:
        """
        The highest sequence that came; 0: none.
        """
        return max(0, self._streams.arrival(1)[0])

    def take(self, data: Bytes, size: int, count: int, now: float, clock: int) -> bytes:
        """
        Take datagrams that arrived together. Gets what becomes of each (`fallback_datagrams`).
        """
        verdicts, accepted, least, time, _ = self._streams.take(data, size, count, now, clock)
        if accepted:
            self.count += accepted
            self.bytes += len(data) if accepted == count else size * verdicts.count(ACCEPTED)
            before = self.delay
            if before is not None and (least - before.least) % CLOCK < CLOCK // 2:
                least = before.least
            self.delay = Delay(least, (clock - time) % CLOCK, time)
        return verdicts

    def account(self, body: Bytes, now: float) -> None:
        """
        Take an account: an answer has ended.
        """
        found = read_account(body)
        if found is not None:
            self.accounts.append((*found, now))
