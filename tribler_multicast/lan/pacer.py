"""
When packets may go, so that a rate is kept to the packet over hours without bursts: by deadlines, not by sleeps.

Two clocks run side by side, each the time at which one more packet is in order (GCRA, ITU-T I.371 annex A):

- the *schedule* goes at the rate itself. A packet is due when its time has come, so that who wakes up late finds
  several due and who sends them is on time again: errors of single sleeps don't add up. It remembers `LAG` seconds.
- the *bucket* goes a little faster than the rate and allows `burst` seconds at once. It spreads what is to be caught
  up after a long delay.

In any window of W seconds go at most (W + burst) x (1 + CATCH_UP) seconds' worth and a packet: in 100 ms 4.9 % more.
"""
from __future__ import annotations

import math
from typing import Final

BURST: Final = 0.004
"""Seconds of the rate that may go at once, after a late wake-up: timers of event loops are off by 1 to 2 ms."""

BATCH: Final = 0.001
"""Seconds of the rate that are waited for, so that packets leave in batches."""

CATCH_UP: Final = 0.009
"""By how much the rate is exceeded while there is more to catch up for."""

LAG: Final = 0.1
"""Seconds of sending that can be caught up for: who was away longer has not missed it."""

MOST: Final = 512
"""Packets at once at most, whatever the rate, so that sockets and switches have room: 4 ms at 1.5 Gbit/s."""


ROUNDING: Final = 1e-3
"""Packets by which the sums of both clocks may be off: a float has a nanosecond after a month."""


class Pacer:
    """
    Says how many packets of one size may go now, and when the next may. Times are seconds of any steady clock.
    """

    def __init__(self, rate: float, size: int, now: float, burst: float = BURST, most: int = MOST) -> None:
        """
        Start: the first packet may go at once.

        :param rate: bytes/s; 0: nothing goes.
        :param size: bytes of each packet, as they count for the rate (with headers or without).
        :raises ValueError: when something is negative, or size or most zero.
        """
        if not (size > 0 and most > 0 and burst >= 0):
            raise ValueError(f"packets of {size} bytes, {most} in {burst} seconds")
        self.size = size
        self.longest_burst = burst
        self.most = most
        self.rate = self.each = self.burst = 0.0
        self.now = self.due = self.tat = now
        self.forgiven = 0.0
        """Seconds of sending that were not made up for: the sender was late for more than LAG, or had nothing."""
        self.set_rate(rate, now)

    def set_rate(self, rate: float, now: float) -> None:
        """
        Go on at another rate (bytes/s; 0: nothing goes until it is changed). What is to be caught up for becomes no
        more by that, neither in packets nor in time.

        :raises ValueError: when it is negative or no number.
        """
        if not 0 <= rate < math.inf:
            raise ValueError(f"a rate of {rate}")
        self.advance(now)
        if not self.rate:
            self.due = max(self.due, self.now)  # A pause is not to be caught up for.
        self.rate = rate
        if not rate:
            return
        before, self.each = self.each, self.size / rate
        self.burst = self.each + min(self.longest_burst, (self.most - 1) * self.each)
        ratio = self.each / before if before else 1.0
        ahead = self.due - self.now
        self.due = self.now + ahead * (ratio if ahead > 0 else min(1.0, ratio))
        self.tat = self.now + min((self.tat - self.now) * ratio, self.burst)

    def ready(self, now: float) -> int:
        """
        Get how many packets may go now, at most `most`.
        """
        self.advance(now)
        if not self.rate or self.due > self.now:
            return 0
        scheduled = int((self.now - self.due) / self.each) + 1
        allowed = int((self.now + self.burst - self.tat) * (1 + CATCH_UP) / self.each + ROUNDING)
        return max(0, min(scheduled, allowed, self.most))

    def sent(self, count: int) -> None:
        """
        Note that so many went, of those that were ready.
        """
        self.due += count * self.each
        self.tat += count * self.each / (1 + CATCH_UP)

    def wake_at(self, now: float) -> float:
        """
        Get when to ask again: when a batch is ready. Infinity while the rate is 0.
        """
        self.advance(now)
        if not self.rate:
            return math.inf
        batch = max(1, int(min(BATCH, self.burst / 2) / self.each))
        allowed = self.tat + batch * self.each / (1 + CATCH_UP) - self.burst
        return max(self.now, self.due + (batch - 1) * self.each, allowed)

    def rest(self, now: float) -> None:
        """
        Note that there was nothing to send up to now: it is not to be caught up for.
        """
        self.advance(now)
        self.forgive(max(0.0, self.now - self.due))

    def advance(self, now: float) -> None:
        """
        Let time pass. A clock that goes back stands still.
        """
        self.now = max(self.now, now)
        self.tat = max(self.tat, self.now)
        self.forgive(self.now - max(LAG, self.each) - self.due)

    def forgive(self, seconds: float) -> None:
        """
        Move the schedule on.
        """
        if seconds > 0:
            self.due += seconds
            if self.rate:
                self.forgiven += seconds
