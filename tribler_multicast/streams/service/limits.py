"""
Bounds of live streams on the event loop, and the failure that each stops. Times are seconds.
"""
from __future__ import annotations

from typing import Final

TUNE_EACH: Final = 0.3
TUNE_PATIENCE: Final = 6.0
"""A stream is asked for so often, and for so long: the publisher may just have come."""

LOOK_PATIENCE: Final = 3.0
LOOK_EACH: Final = 0.4
"""So long and so often it is asked who publishes a stream that nobody told of yet."""

ON_AIR_EACH: Final = 1.0
ON_AIR_KEPT: Final = 12.0
"""Neighbours are asked again what they stream while somebody looks, and what they said is forgotten after so long."""

KNOWN: Final = 512
KNOWN_EACH: Final = 16
"""Streams of others that are remembered, and of one of them: who invents some pushes out its own ones."""

ROSTER_EACH: Final = 0.25
"""Between two messages about who views, to each viewer."""

TICK: Final = 0.5

ROOM_EACH: Final = 0.01
"""A feeder that has to wait looks again after so long."""

STREAMS_KEPT: Final = 256
"""Unicast streams to viewers that asked for something, one for each: with the least recently used goes its sequence."""

RETUNE: Final = 3.0
"""A viewer that hears nothing for so long asks its publisher to let it in again, each time it has passed."""

BASE_EACH: Final = 60.0
"""The least time that a datagram takes is believed so long, and as long again."""

TAGS_KEPT: Final = 4096
"""Tags of unicast streams that ended, so that none begins again at its first sequence: 300 KB."""
