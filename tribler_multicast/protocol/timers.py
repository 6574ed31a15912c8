"""Timers on an injected clock: a heap of calls that are due."""
from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer:
    """
    A call that is due at some time, unless cancelled.
    """

    __slots__ = ("call", "number", "when")

    def __init__(self, when: float, number: int, call: Callable[[float], None]) -> None:
        """
        Create a timer for `when` (seconds); `number` keeps the order of those due at the same time.
        """
        self.when = when
        self.number = number
        self.call: Callable[[float], None] | None = call

    def cancel(self) -> None:
        """
        Never make the call.
        """
        self.call = None

    def __lt__(self, other: Timer) -> bool:
        """
        Order by time, then by age.
        """
        return (self.when, self.number) < (other.when, other.number)


class Timers:
    """
    All timers of one protocol instance.
    """

    def __init__(self) -> None:
        """
        Start with none.
        """
        self.heap: list[Timer] = []
        self.made = 0

    def at(self, when: float, call: Callable[[float], None]) -> Timer:
        """
        Call `call(now)` at the first `run` at or after `when`.
        """
        self.made += 1
        timer = Timer(when, self.made, call)
        heapq.heappush(self.heap, timer)
        return timer

    def next(self) -> float | None:
        """
        Get the time of the next call, None when there is none.
        """
        while self.heap and self.heap[0].call is None:
            heapq.heappop(self.heap)
        return self.heap[0].when if self.heap else None

    def run(self, now: float) -> None:
        """
        Make every call that is due; calls they add for this very moment wait for the next run.
        """
        due = []
        while self.heap and self.heap[0].when <= now:
            due.append(heapq.heappop(self.heap))
        for timer in due:
            if timer.call is not None:
                timer.call(now)
