"""
How libtorrent is to send and fetch while there is a limit, so that a limit is felt at once and makes no queue.

Left alone it keeps the rate over seconds but not over milliseconds: a limit is handed out once a tick, for all that a
connection holds ready (docs/weather.md), and of what it asked for before the limit seconds come after it.
"""
from __future__ import annotations

from typing import Final

BURST: Final = 0.02
"""Seconds of the limit that a connection holds ready to send. It is at least a block of 16 KiB."""
AHEAD: Final = 0.05
"""Seconds of the limit that are asked for ahead, of each peer."""
BLOCK: Final = 16_384
LEAST_AHEAD: Final = 2
MOST_AHEAD: Final = 500
MOST_READY: Final = 512_000
"""What libtorrent does by itself."""

ASKED_AHEAD: Final[dict[str, object]] = {"request_queue_time": 1}
"""Always: what was asked for comes whatever limit there is then, so it is a second's worth and not three."""

UNLIMITED: Final[dict[str, object]] = {
    "tick_interval": 100, "send_buffer_watermark": MOST_READY, "send_buffer_low_watermark": 10_240,
    "utp_target_delay": 100, "max_out_request_queue": MOST_AHEAD}
"""Settings while there is no limit; libtorrent's own, but for the tick (its own: 500 ms)."""


def limited(up: float | None, down: float | None) -> dict[str, object]:
    """
    Get the settings for such limits, bytes/s, None: no limit that way.

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
        settings["max_out_request_queue"] = max(LEAST_AHEAD, rounded(down * AHEAD / BLOCK, MOST_AHEAD))
    return settings


def rounded(value: float, most: int) -> int:
    """
    Round down to a power of two; 0 of what is less than one.
    """
    whole = min(int(value), most)
    return 1 << whole.bit_length() - 1 if whole else 0
