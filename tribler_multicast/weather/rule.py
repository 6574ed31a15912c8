"""
The figures of the rule of shares (`share`): what each does is beside it. Times are seconds, rates bytes per second.
"""
from __future__ import annotations

from typing import Final

NO_NEED: Final = "none"
BUSY: Final = 0.85
HUNGRY: Final = 0.6
"""Who uses less than this share of the limit does not need more now; who uses less than the second does not want more:
while levels rise, what is used comes after."""
BACK: Final = 0.98
"""Share of its fair share to which a level goes back at once when a need ends."""
FILL: Final = 0.95
"""Share of what the gateway passes that is taken again quickly."""
FELT: Final = 5.0
"""A queue that was felt so many seconds ago counts when levels come together."""
PULL: Final = 0.25
"""Share of the way to the middle of all levels that is gone in a second."""
ROOM_EACH: Final = 5.0
ROOM_WAITS: Final = 2.0
"""Seconds after a new need within which the queue must be felt for room to be made at once."""
EMPTY: Final = 0.4
"""A queue below this share of the target is none."""
EMPTY_FOR: Final = 1.0
ROOM_MOST: Final = 0.7
"""Part of what the gateway passes that is believed to be needed."""
TOLD: Final = 0.6
"""Share of a level, and of what is used when a limit begins, that is left at least by a queue that only others feel."""
RELEASE: Final = 10.0
"""Without a need, and alone in wanting more, the limit goes after so many seconds."""
FULL_FOR: Final = 6.0
"""For so many seconds after a queue was felt growth is careful."""
UNUSED_RATE: Final = 0.7
"""Of what the gateway passes and nobody uses so much is taken per second, the less the more seldom others tell what
they use."""
MOST_PART: Final = 2.0
MOST_OF_BEST: Final = 2.0
KEPT_GROWTH: Final = 10.0
"""Who has less than this part of what he reached lately, and feels no queue, grows whatever the others have or say."""
UP_MOST: Final = 0.5
SLOWEST: Final = 0.1
FASTEST: Final = 2.0
"""Growth per second at most; by how much it is slower for who has more than the middle of all, and faster for who has
less."""
SLOPE_MOST: Final = 0.5
"""What came in while the queue grew would have been less by that share for it not to grow; but at most by so much."""
LEFT: Final = 0.15
"""Share of the level that is left while a queue drains."""
EASE: Final = 0.3
EASE_FOR: Final = 1.5
EASE_ENDS: Final = 2.5
"""When a limit begins, or room is made, so much less for some time, so that the way is seen empty; and over so many
seconds that less and less."""
SETTLES: Final = 1.5
FALLS: Final = -0.05
FOLLOWED: Final = 1.15
LOWER: Final = 0.8
"""What keeps a queue standing lowers the level, by this share of what drains it per second: when nothing was changed
for so many seconds, the queue does not get shorter by so many seconds per second, and this node does not use more than
so many times its limit, so that it was felt."""
BURSTY: Final = 0.025
SPARE: Final = 0.06
SPARED: Final = 0.82
"""Where answers mostly take so many seconds longer than the shortest ones the level sinks by so much per second, to
that share of what is left beside who needs room."""
OVER: Final = 1.5
"""Who has more than his part of what the gateway passes gives so much of that back per second."""
SMALL: Final = 0.5
"""Who has less than this share of the middle of all lowers his level by half as much: others fill the link."""
MOST_GROWTH_GAP: Final = 0.5
KNOWN: Final = 2.0
METERED: Final = 1.0
"""Seconds of bulk traffic until its rate is known well, and at all: nothing that can wait is decided before the first,
on what others say among it, and nothing whatsoever before the second: a limit would be made from next to nothing."""
TOGETHER: Final = 2
NOT_NEEDED: Final = 4.0
NEEDED_FOR: Final = 3.0
"""Where somebody needs room, bulk traffic that is new begins with its part of what is left of what the gateway is known
to pass, as if so many began at once: a queue would be felt, and a rate known, a second too late. When it could have so
many times what it uses so many seconds later, there is nothing to limit. Who says `live` for ever makes what begins
begin slower, and nothing else."""
LEAST_BEGIN: Final = 16_000.0
"""Bytes/s that a limit begins with at least: who was crowded out by others has not shown what he needs."""
CHATTER: Final = 8_000.0
"""Bytes/s that are nothing to limit."""
