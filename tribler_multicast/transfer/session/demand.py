"""
How much to ask of helpers: by the queue that their answers meet, so that they give way to others' traffic.

As the source's rate (`rate`), but decided where the packets arrive: helpers answer what they are asked for, so who asks
makes the pace. While answers meet no queue on their way more is asked, as long as there is something to ask; above the
target less, down from what arrives. The least queue that the answers of any helper meet is the one in front of our own
link. What those of one helper meet beyond is in front of its link: it is asked for less.
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
GROWTH: Final = 1.1
STRONGEST: Final = 0.5
TAU: Final = 0.1
AHEAD: Final = 2.0
"""No more is asked for than so many times what comes."""
KNOWN_SHARE: Final = 0.8
CAME_SMOOTH: Final = 0.4
HOLD: Final = 2
"""Decisions that are left out after one to ask for less: it takes as long to be felt."""
LOSS_STEP: Final = 0.05
LOSS_SMOOTH: Final = 0.2
LOSS_SAMPLE: Final = 64
SIGMAS: Final = 4.0
SHARE_DOWN: Final = 0.8
SHARE_UP: Final = 1.05
LEAST_SHARE: Final = 0.02


class Way:
    """
    The way from one helper to us: its queue, its loss, and which share of the demand it carries.
    """

    def __init__(self) -> None:
        """
        Know nothing yet.
        """
        self.queue: float | None = None
        self.loss = 0.0
        self.share = 1.0
        self._is_known = False
        self._first: int | None = None
        self._parts: deque[tuple[float, float]] = deque(maxlen=BASE_PARTS)
        self._sent = self._came = 0

    def delay(self, now: float, delay: Delay | None) -> None:
        """
        Take the least delay of what arrived since the last time; None: nothing did.
        """
        if delay is None:
            self.queue = None
            return
        if self._first is None:
            self._first = delay.least
        value = ((delay.least - self._first + CLOCK // 2) % CLOCK - CLOCK // 2) / 1e6
        if not self._parts or now - self._parts[-1][0] >= BASE_MEMORY / BASE_PARTS:
            self._parts.append((now, value))
        elif value < self._parts[-1][1]:
            self._parts[-1] = (self._parts[-1][0], value)
        self.queue = value - min(least for _, least in self._parts)

    def lost(self, sent: int, came: int) -> bool:
        """
        Take how many packets were sent, and came. Tells whether more than usual got lost, and not by chance: in a queue
        too short to be felt.
        """
        self._sent += sent
        self._came += min(came, sent)
        if self._sent < LOSS_SAMPLE:
            return False
        loss, usual = 1 - self._came / self._sent, self.loss
        chance = SIGMAS * sqrt(max(usual * (1 - usual), 0.01) / self._sent)
        is_more = self._is_known and loss > usual + max(LOSS_STEP, chance)
        self.loss += (LOSS_SMOOTH if self._is_known else 1.0) * (loss - usual)
        self._is_known = True
        self._sent = self._came = 0
        return is_more

    def weigh(self, common: float) -> None:
        """
        Carry less when our own link is not what holds answers up.
        """
        if self.queue is not None:
            factor = SHARE_DOWN if self.queue - common > REPAIR_TARGET else SHARE_UP
            self.share = min(1.0, max(LEAST_SHARE, self.share * factor))


class Demand:
    """
    The rate that is asked of all helpers together, bytes per second with all headers.
    """

    def __init__(self, now: float, start: float = ASK_START, floor: float = ASK_LEAST, most: float = ASK_MOST) -> None:
        """
        Begin with little.
        """
        start = min(start, most)
        self.rate = start
        self.floor = min(floor, most)
        self.most = most
        self.starting = True
        self.queue = 0.0
        self.came = self.best = 0.0
        """Bytes per second that come, and the most that ever did: what our link can carry."""
        self._at = now
        self._arrived = 0
        self._hold = 0

    def decide(self, now: float, ways: list[Way], arrived: int, *, is_short: bool, is_lossy: bool,
               is_alone: bool) -> None:
        """
        Decide anew, when something can have changed since the last time.

        :param arrived: bytes that ever came, from whomever.
        :param is_short: more would have been asked for, had there been more rate.
        :param is_lossy: more than usual got lost.
        :param is_alone: the source's stream brings nothing. While it does, what is asked for is a share of what it
            brings, and it gives way; what comes of both shows what our link can carry.
        """
        seconds = now - self._at
        came = (arrived - self._arrived) / seconds if seconds > 0 else 0.0
        self._at, self._arrived = now, arrived
        self.came += CAME_SMOOTH * (came - self.came)
        self.best = max(self.best, self.came)
        queues = [way.queue for way in ways if way.queue is not None]
        self.queue = min(queues, default=0.0)
        for way in ways:
            way.weigh(self.queue)
        if not is_alone:
            self.rate = min(self.most, max(self.rate, KNOWN_SHARE * self.came))
            self.starting, self._hold = False, 0
        elif self._hold:
            self._hold -= 1
        elif self.queue > REPAIR_TARGET or is_lossy:
            self.starting = False
            share = max(STRONGEST, 1 - max(0.0, self.queue - REPAIR_TARGET) / TAU)
            self.rate = max(self.floor, min(self.rate, max(came, self.came)) * share)
            self._hold = HOLD
        elif is_short:
            grown = self.rate * (GROWTH_START if self.starting else GROWTH)
            self.rate = min(self.most, max(self.rate, min(grown, AHEAD * self.came)))
