"""
How libtorrent is to send and fetch while there is a limit, so that a limit is felt at once and makes no queue.

Left alone it keeps the rate over seconds but not over milliseconds: a limit is handed out once a tick, for all that a
connection holds ready (docs/weather.md), and of what it asked for before the limit seconds come after it.
"""
from __future__ import annotations

from typing import Final

BURST: Final = 0.02
"""Seconds of the limit that a connection holds ready to send. It is at least a block of 16 KiB."""
ENOUGH: Final = 0.6
SHORT_FOR: Final = 6.0
"""Less than that share of the limit for so many seconds is too little: two blocks a round trip of 50 ms are 650 kB/s.
A download that just begins, or stands in a queue of others, is as slow for some seconds."""
MOST_READY: Final = 512_000
"""What libtorrent does by itself."""

ASKED_AHEAD: Final[dict[str, object]] = {"request_queue_time": 1}
"""Always: what was asked for comes whatever limit there is then, so it is a second's worth and not three. With 0 it is
two blocks of each peer, and the other end has no more to burst with; `max_out_request_queue` counts for connections
that are new only, and as long as they last [seen]."""

UNLIMITED: Final[dict[str, object]] = {
    "tick_interval": 100, "send_buffer_watermark": MOST_READY, "send_buffer_low_watermark": 10_240,
    "utp_target_delay": 100, **ASKED_AHEAD}
"""Settings while there is no limit; libtorrent's own, but for the tick (its own: 500 ms)."""


class Asking:
    """
    How many seconds of blocks are to be asked for ahead of a limit: none, unless that is too little for peers that are
    far away, with few of them: then a second's worth, until there is no limit.
    """

    def __init__(self) -> None:
        """
        Begin without a limit.
        """
        self.ahead = 0
        self._short_since: float | None = None

    def look(self, now: float, down: float | None, rate: float) -> int:
        """
        Take a limit, None: none, and what comes, bytes/s.
        """
        if down is None:
            self.ahead, self._short_since = 0, None
        elif rate >= ENOUGH * down:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = now
        elif now - self._short_since >= SHORT_FOR:
            self.ahead = 1
        return self.ahead


def limited(up: float | None, down: float | None, ahead: int = 0) -> dict[str, object]:
    """
    Get the settings for such limits, bytes/s, None: no limit that way; `ahead` is what `Asking` says.

    What is given is rounded to powers of two, so that it seldom changes.
    """
    settings: dict[str, object] = dict(UNLIMITED)
    if up is None and down is None:
        return settings
    settings["tick_interval"] = 10  # a limit is handed out so often
    if up is not None:
        settings["send_buffer_watermark"] = settings["send_buffer_low_watermark"] = 1 + rounded(up * BURST, MOST_READY)
        settings["utp_target_delay"] = 10
    if down is not None:
        settings["request_queue_time"] = ahead
    return settings


def rounded(value: float, most: int) -> int:
    """
    Round down to a power of two; 0 of what is less than one.
    """
    whole = min(int(value), most)
    return 1 << whole.bit_length() - 1 if whole else 0
