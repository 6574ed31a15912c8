"""
The weather of the last day, one line a minute.
"""
from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .grouping import STATES
from .limits import HISTORY, HISTORY_STEP


class Minute(NamedTuple):
    """
    What it was: when the minute began; the worst state; the longest queue felt in seconds, None when it was not known;
    rates of all together, the highest, bytes/s; the limit in force, the lowest, None: none.
    """

    time: float
    state: str
    delay: float | None
    up: float
    down: float
    limit_up: float | None
    limit_down: float | None


def longest(*values: float | None) -> float | None:
    """
    Get the greatest of what is known.
    """
    return max((value for value in values if value is not None), default=None)


def lowest(*values: float | None) -> float | None:
    """
    Get the least of what is known.
    """
    return min((value for value in values if value is not None), default=None)


class History:
    """
    A bounded list of minutes. Times are of whatever clock they come with: Unix seconds for who looks at it.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self.minutes: deque[Minute] = deque(maxlen=int(HISTORY / HISTORY_STEP))

    def add(self, new: Minute) -> None:
        """
        Take what it is now.
        """
        start = new.time // HISTORY_STEP * HISTORY_STEP
        if self.minutes and self.minutes[-1].time == start:
            old = self.minutes.pop()
            new = Minute(start, max(old.state, new.state, key=STATES.index), longest(old.delay, new.delay),
                         max(old.up, new.up), max(old.down, new.down), lowest(old.limit_up, new.limit_up),
                         lowest(old.limit_down, new.limit_down))
        self.minutes.append(new._replace(time=start))

    def since(self, time: float = 0.0) -> list[Minute]:
        """
        Get the minutes that began at or after a time, and not more than a day before the last.
        """
        newest = self.minutes[-1].time if self.minutes else 0.0
        return [minute for minute in self.minutes if minute.time >= max(time, newest - HISTORY)]
