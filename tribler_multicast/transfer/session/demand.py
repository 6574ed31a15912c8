"""
How much to ask of one helper: by the queue that its answers meet, so that they give way to others' traffic.

As the source's rate (`rate`), but decided where the packets arrive: a helper answers what it is asked for, so who asks
makes the pace. While answers meet no queue on their way, more is asked, as long as there is something to ask; above the
target less, down from what arrives.
"""
from __future__ import annotations

from collections import deque
from math import sqrt
from typing import TYPE_CHECKING, Final

from .coop_limits import ASK_LEAST, ASK_MOST, ASK_START, REPAIR_TARGET
from .limits import BASE_MEMORY, BASE_PARTS
from .packets import CLOCK

if TYPE_CHECKING:
    from .reports import Delay

GROWTH_START: Final = 1.6
GROWTH: Final = 1.15
STRONGEST: Final = 0.5
TAU: Final = 0.05
LOSS_STEP: Final = 0.05
LOSS_SMOOTH: Final = 0.2
LOSS_SAMPLE: Final = 64
SIGMAS: Final = 4.0


class Demand:
    """
    The rate that is asked of one helper, bytes per second with all headers.
    """

    def __init__(self, start: float = ASK_START, floor: float = ASK_LEAST) -> None:
        """
        Begin with little.
        """
        self.rate = start
        self.floor = floor
        self.target = REPAIR_TARGET
        self.loss = 0.0
        self.queue = 0.0
        self.starting = True
        self.is_known = False
        self._is_fresh = False
        self._sent = self._came = 0
        self._first: int | None = None
        self._parts: deque[tuple[float, float]] = deque(maxlen=BASE_PARTS)

    def delay(self, now: float, delay: Delay) -> None:
        """
        Take the least delay of what arrived lately.
        """
        if self._first is None:
            self._first = delay.least
        value = ((delay.least - self._first + CLOCK // 2) % CLOCK - CLOCK // 2) / 1e6
        if not self._parts or now - self._parts[-1][0] >= BASE_MEMORY / BASE_PARTS:
            self._parts.append((now, value))
        elif value < self._parts[-1][1]:
            self._parts[-1] = (self._parts[-1][0], value)
        self._is_fresh = True
        self.queue = value - min(least for _, least in self._parts)

    def lost(self, sent: int, came: int) -> None:
        """
        Take how many packets were sent, and came. Loss above its usual share, and not by chance, is a queue that is too
        short to be felt.
        """
        self._sent += sent
        self._came += min(came, sent)
        if self._sent < LOSS_SAMPLE:
            return
        loss, chance = 1 - self._came / self._sent, SIGMAS * sqrt(max(self.loss * (1 - self.loss), 0.01) / self._sent)
        if self.is_known and loss > self.loss + max(LOSS_STEP, chance):
            self.rate = max(self.rate * max(STRONGEST, 1 - loss + self.loss), self.floor)
            self.starting = False
        self.loss += (LOSS_SMOOTH if self.is_known else 1.0) * (loss - self.loss)
        self.is_known = True
        self._sent = self._came = 0

    def decide(self, is_short: bool, arrived: float, seconds: float) -> None:
        """
        Decide anew.

        :param is_short: more would have been asked for, had there been more rate.
        :param arrived: bytes that came in so many seconds.
        """
        is_fresh, self._is_fresh = self._is_fresh, False
        if self.queue > self.target:
            self.starting = False
            if not is_fresh:
                return
            share = max(STRONGEST, 1 - (self.queue - self.target) / TAU)
            self.rate = max(self.floor, min(self.rate, max(arrived / seconds, self.rate / 2)) * share)
        elif is_short:
            self.rate = min(ASK_MOST, self.rate * (GROWTH_START if self.starting else GROWTH))
