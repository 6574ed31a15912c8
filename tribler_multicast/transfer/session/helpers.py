"""
Those who may help one receiver, and what they were asked for.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .coop_limits import HAVE_VALID, HELPS_KEPT, LATE_KEPT, MAX_PACKETS_ASKED, REST, REST_MOST
from .coop_messages import LARGEST_WANT, MOST_WANTED, WANTED_ROOM, size_of
from .demand import Way

if TYPE_CHECKING:
    from .coop_messages import Want
    from .geometry import Geometry
    from .track import HelpStream

SMOOTH: Final = 0.25
TAKES: Final = 0.05
"""Seconds that an answer is expected to take at first, beside its length."""
JUMP: Final = 1 << 19
"""A helper that does not know which sequences it has used goes on far behind them (`helper`): nothing got lost then."""
STRIKES: Final = 4
"""So many answers may fail to come one after the other before a helper gets a rest: HELPs and accounts get lost."""


class Asked(NamedTuple):
    """
    A HELP that was sent: when, how long the answer takes at its pace, and until when it is waited for. `wants`: of each
    generation how many packets, and how many were lacking.
    """

    number: int
    at: float
    lasts: float
    packets: int
    wants: dict[int, tuple[int, int]]
    until: float


class Peer:
    """
    One who may help.
    """

    def __init__(self, mid: bytes, stream: HelpStream) -> None:
        """
        Nothing was asked yet.
        """
        self.mid = mid
        self.stream = stream
        self.way = Way()
        self.number = 0
        self.asked: dict[int, Asked] = {}
        self.late: dict[int, Asked] = {}
        """What was not waited for any longer, of late: an answer that comes still tells how long they take."""
        self.takes, self.varies = TAKES, TAKES / 2
        self.strikes = 0
        self.rest_until = 0.0
        self.lacks: set[int] | None = set()
        self.have_at = float("-inf")
        self.told_at = float("-inf")
        self.room = 0.0
        self.counted = (0, 0)

    def has(self, segment: int, now: float) -> bool:
        """
        Tell whether something of a segment may be there: what it said it lacks it may have got since.
        """
        return now - self.have_at > HAVE_VALID or (self.lacks is not None and segment not in self.lacks)

    def answered(self, asked: Asked, now: float) -> None:
        """
        Learn how long an answer took, beside what it takes at its pace.
        """
        self.strikes = 0
        takes = now - asked.at - asked.lasts
        self.varies += SMOOTH * (abs(takes - self.takes) - self.varies)
        self.takes += SMOOTH * (takes - self.takes)

    def came_late(self, number: int, now: float) -> bool:
        """
        Learn from an account of a HELP that is waited for no more. It was our patience that was short, or its processor
        is busy, or ours: no reason to ask no more. Tells whether it was of a HELP of late.
        """
        asked = self.late.pop(number, None)
        if asked is None or now > asked.until + LATE_KEPT:
            return False
        self.answered(asked, now)
        self.rest_until = 0.0
        return True

    def failed(self, asked: Asked, now: float) -> None:
        """
        Learn that no answer came.
        """
        self.late[asked.number] = asked
        if len(self.late) > HELPS_KEPT:
            del self.late[next(iter(self.late))]
        self.strikes += 1
        if self.strikes >= STRIKES:
            self.rest_until = now + min(REST * 2 ** (self.strikes - STRIKES), REST_MOST)

    def lost(self) -> bool:
        """
        Learn how much of the stream got lost since the last time. Tells whether it is more than usual.
        """
        highest, came = self.stream.highest, self.stream.count
        before_highest, before_came = self.counted
        if highest <= before_highest:
            return False
        self.counted = highest, came
        if highest - before_highest >= JUMP:
            return False
        return self.way.lost(highest - before_highest, came - before_came)


class Plan:
    """
    What one is going to be asked for in the next HELP.
    """

    def __init__(self, peer: Peer) -> None:
        """
        Nothing yet.
        """
        self.peer = peer
        self.wants: list[Want] = []
        self._bytes, self._packets = WANTED_ROOM, MAX_PACKETS_ASKED

    @property
    def has_room(self) -> bool:
        """
        Whether one more can be asked for.
        """
        return self.peer.room > 0 and self._bytes >= LARGEST_WANT and self._packets >= MOST_WANTED

    def add(self, want: Want, geometry: Geometry) -> None:
        """
        Ask for that, too.
        """
        self.wants.append(want)
        self._bytes -= size_of(want, 0, geometry)
        self._packets -= want.packets
