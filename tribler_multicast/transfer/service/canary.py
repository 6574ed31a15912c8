"""
What our sending does to neighbours that receive nothing of it: their round trips, as a bird in a mine.

Receivers tell of the queue on their own paths. A queue elsewhere on our way out, or in the air, is felt by others
first: by everybody's round trips. Single ones are late for many reasons (a radio that sleeps, a busy program), so the
least of three counts, erratic ones do not, and what all canaries feel is what the best of them does. The rate gets it
as one more path, with the queue above the least round trip; silence means nothing.
"""
from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from ..session.packets import microseconds
from ..session.rate import SEEN
from ..session.reports import Delay
from .limits import (
    CANARIES,
    CANARY_EACH,
    CANARY_FAILS,
    CANARY_LEAST,
    CANARY_REST,
    CANARY_SAMPLES,
    CANARY_SLOWEST,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..session.rate import RateControl
    from .courier import Courier, LinkKey

PATH: Final = "canary"
"""What the rate knows this path by."""
HOLD: Final = 0.025
"""Seconds between two reminders of what was felt, until the next round trip: a round of the rate."""


class Bird:
    """
    The round trips of one neighbour, lately and at best.
    """

    def __init__(self) -> None:
        """
        Know nothing.
        """
        self.recent: deque[float] = deque(maxlen=CANARY_SAMPLES)
        self.best = float("inf")
        self.fails = 0

    def add(self, seconds: float | None) -> None:
        """
        Take a round trip; None: there was no answer.
        """
        if seconds is None:
            self.fails += 1
            self.recent.clear()
            return
        self.fails = 0
        # Below this it is our own program that takes its time.
        self.recent.append(max(seconds, CANARY_LEAST))
        self.best = min(self.best, self.recent[-1])

    @property
    def queue(self) -> float | None:
        """
        Seconds above the best; None when that can't be told.
        """
        if len(self.recent) < CANARY_SAMPLES or self.best > CANARY_SLOWEST:
            return None
        least = min(self.recent)
        return None if max(self.recent) > 2 * least else least - self.best


class Canary:
    """
    Watches one link while something is sent there.
    """

    def __init__(self, courier: Courier, key: LinkKey, rate: RateControl, busy: Callable[[], bool],
                 receivers: Callable[[], Collection[bytes]]) -> None:
        """
        :param busy: tells whether something is sent now.
        :param receivers: gets who receives by this link: they tell for themselves.
        """
        self.courier = courier
        self.key = key
        self.rate = rate
        self.busy = busy
        self.receivers = receivers
        self.birds: dict[bytes, Bird] = {}
        self.resting: dict[bytes, float] = {}
        """Who did not answer, until when it is left alone."""
        self.loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """
        Watch, until cancelled.
        """
        while True:
            await self._rest()
            if not self.busy():
                self._forget()
                continue
            mid = self._next(self.loop.time())
            if mid is None:
                continue
            seconds = await self.courier.round_trip(mid, self.key)
            self.take(mid, seconds, self.loop.time())

    async def _rest(self) -> None:
        """
        Wait for the time of the next one; until then what was felt last counts.
        """
        end = self.loop.time() + CANARY_EACH
        while (left := end - self.loop.time()) > 0:
            path = self.rate.paths.get(PATH)
            if path is not None and path.queue >= SEEN:
                path.at = self.loop.time()
            await asyncio.sleep(min(left, HOLD))

    def _forget(self) -> None:
        self.birds.clear()
        self.rate.forget(PATH)

    def _next(self, now: float) -> bytes | None:
        """
        Get whom to ask: the two that we know, in turn, or others in place of those that left or do not answer.
        """
        taken = set(self.receivers())
        self.resting = {mid: until for mid, until in self.resting.items() if until > now}
        for mid in [mid for mid in self.birds if mid in taken or mid in self.resting]:
            del self.birds[mid]
        for mid in self.courier.neighbours() if len(self.birds) < CANARIES else ():
            if mid not in taken and mid not in self.resting and mid not in self.birds \
                    and any(path.link == self.key for path in self.courier.paths(mid)):
                self.birds[mid] = Bird()
                if len(self.birds) >= CANARIES:
                    break
        if not self.birds:
            self.rate.forget(PATH)
            return None
        mid = next(iter(self.birds))
        self.birds[mid] = self.birds.pop(mid)
        return mid

    def take(self, mid: bytes, seconds: float | None, now: float) -> None:
        """
        Take a round trip of a neighbour that was asked.
        """
        bird = self.birds.get(mid)
        if bird is None:
            return
        bird.add(seconds)
        if bird.fails >= CANARY_FAILS:
            del self.birds[mid]
            self.resting[mid] = now + CANARY_REST
        queues = [each.queue for each in self.birds.values()]
        felt = [queue for queue in queues if queue is not None]
        if not felt:
            self.rate.forget(PATH)
            return
        queue = min(felt)
        if PATH not in self.rate.paths:
            # The least of the path is no queue: without this the first one would be.
            self.rate.feedback(now, PATH, Delay(0, 0, microseconds(now)))
        delay = round(queue * 1e6)
        self.rate.feedback(now, PATH, Delay(delay, delay, microseconds(now - queue)))
