"""
How fast bytes go by.
"""
from __future__ import annotations

from collections import deque
from typing import Final

from .limits import RATE_MEMORY

PARTS: Final = 10


class Meter:
    """
    Bytes per second over the last seconds, and of all time.
    """

    def __init__(self) -> None:
        """
        Nothing went by.
        """
        self.total = 0
        self._parts: deque[tuple[float, int]] = deque()
        """When each part began, and the total then."""

    def add(self, now: float, size: int) -> None:
        """
        Count bytes.
        """
        if not self._parts or now - self._parts[-1][0] >= RATE_MEMORY / PARTS:
            self._parts.append((now, self.total))
            self._forget(now)
        self.total += size

    def rate(self, now: float) -> float:
        """
        Get the bytes/s of the last seconds.
        """
        self._forget(now)
        if not self._parts:
            return 0.0
        since, before = self._parts[0]
        return (self.total - before) / max(now - since, RATE_MEMORY / PARTS)

    def _forget(self, now: float) -> None:
        while self._parts and now - self._parts[0][0] > RATE_MEMORY:
            self._parts.popleft()
