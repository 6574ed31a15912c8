"""
What other programs of this machine send by an interface: the kernel's count of all, less our own.

A TCP flow of the same machine keeps next to nothing in the queue of the interface (TCP small queues, Linux), so its
share is what the length of ours leaves it, and no delay tells of it. The counters do.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EACH: Final = 0.1
"""Seconds between two looks."""
LOOKS: Final = 10
"""Looks that are compared. Our count of headers and the driver's may differ by some percent, which adds up."""
CAME_UP_AGAIN: Final = 1 << 24
"""When the count goes back by so many bytes, the interface began anew."""


def bytes_sent(name: str) -> int | None:
    """
    Get how many bytes have left by an interface since it came up; None: it is not known.
    """
    try:
        counters = psutil.net_io_counters(pernic=True, nowrap=False).get(name)
    except (OSError, ValueError):
        return None
    return None if counters is None else counters.bytes_sent


class InterfaceLoad:
    """
    The traffic of others on one interface. All our data sockets on it count here.
    """

    def __init__(self, name: str, now: float, read: Callable[[str], int | None] = bytes_sent) -> None:
        """
        Begin to watch.
        """
        self.name = name
        self.others = 0.0
        """Bytes/s that others sent of late."""
        self._read = read
        self._own = 0
        self._looked_at = now
        self._excess: deque[int] = deque(maxlen=LOOKS)
        """All that was sent less what we sent, at the last looks. What waits in the queue is missing in it until it
        has left: so only what is above the highest of them was sent by others."""
        self._note()

    def sent(self, size: int) -> None:
        """
        Count what we sent, with all headers.
        """
        self._own += size

    def look(self, now: float) -> float:
        """
        Get how much others send, looking again when it is time.
        """
        if now - self._looked_at >= LOOK_EACH:
            highest = max(self._excess, default=None)
            latest = self._note()
            known = highest is not None and latest is not None
            self.others = max(0, latest - highest) / (now - self._looked_at) if known else 0.0  # type: ignore[operator]
            self._looked_at = now
        return self.others

    def _note(self) -> int | None:
        total = self._read(self.name)
        if total is None or (self._excess and total - self._own < self._excess[-1] - CAME_UP_AGAIN):
            self._excess.clear()
        if total is None:
            return None
        self._excess.append(total - self._own)
        return self._excess[-1]
