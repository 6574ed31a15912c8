"""
A stream as a playlist of segments (HTTP Live Streaming, RFC 8216), made while it runs: a segment begins where a player
can, and is a range of the log, so that nothing is kept twice.
"""
from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .limits import LONGEST_SEGMENT, MAX_SEGMENTS, SEGMENT_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from .log import StreamLog
    from .media.cut import Cut


class Segment(NamedTuple):
    """
    A range of positions, how long it plays (seconds), and whether it does not follow from the one before.
    """

    number: int
    start: int
    end: int
    duration: float
    broken: bool


class Playlist:
    """
    The segments that are kept.
    """

    def __init__(self, log: StreamLog) -> None:
        """
        With none.
        """
        self.log = log
        self._segments: deque[Segment] = deque()
        self._open: tuple[Cut, float] | None = None
        self._number = 0
        self._broken = False
        self._breaks = 0
        """How many breaks are no longer in the playlist: players count them."""
        self._longest = SEGMENT_TIME

    def cut(self, cut: Cut, now: float) -> None:
        """
        A segment may end and the next begin here.
        """
        if self._open is None:
            self._open = cut, now
            return
        first, since = self._open
        duration = _between(first.time, cut.time)
        if duration is None:
            duration = min(now - since, LONGEST_SEGMENT)
        if duration >= SEGMENT_TIME:
            self._close(first.position, cut.position, duration)
            self._open = cut, now

    def gap(self) -> None:
        """
        Bytes were lost: the segment in which they are is none.
        """
        self._open, self._broken = None, True

    def _end(self) -> None:
        """
        The stream ended: what is there is the last segment, as long as it was at the rate of the one before.
        """
        if self._open is not None and self.log.edge > (start := self._open[0].position):
            last = self._segments[-1] if self._segments else None
            duration = SEGMENT_TIME if last is None else (
                last.duration * (self.log.edge - start) / (last.end - last.start))
            self._close(start, self.log.edge, min(duration, LONGEST_SEGMENT))
        self._open = None

    def _close(self, start: int, end: int, duration: float) -> None:
        self._segments.append(Segment(self._number, start, end, duration, self._broken))
        self._number += 1
        self._broken = False
        self._longest = max(self._longest, duration)

    def _refresh(self) -> None:
        if self.log.ended:
            self._end()
        while self._segments and (len(self._segments) > MAX_SEGMENTS or self._segments[0].start < self.log.first):
            self._breaks += self._segments.popleft().broken

    @property
    def empty(self) -> bool:
        """
        Is there no segment?
        """
        self._refresh()
        return not self._segments

    def segment(self, number: int) -> Segment | None:
        """
        Get a segment that is kept.
        """
        self._refresh()
        at = number - self._segments[0].number if self._segments else -1
        return self._segments[at] if 0 <= at < len(self._segments) else None

    def text(self, address: Callable[[int], str], head: str = "") -> str:
        """
        Write it.

        :param address: of a segment, by its number.
        :param head: the address of what players need first; empty where each segment has it.
        """
        self._refresh()
        first = self._segments[0].number if self._segments else self._number
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{math.ceil(self._longest)}",
                 f"#EXT-X-MEDIA-SEQUENCE:{first}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._breaks}",
                 "#EXT-X-INDEPENDENT-SEGMENTS"]
        if head:
            lines.append(f'#EXT-X-MAP:URI="{head}"')
        for segment in self._segments:
            if segment.broken:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [f"#EXTINF:{segment.duration:.3f},", address(segment.number)]
        if self.log.ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"


def _between(first: float | None, second: float | None) -> float | None:
    """
    Get the seconds from one time that a stream says to the next; None when that is not to be believed.
    """
    if first is None or second is None or not 0 <= second - first <= LONGEST_SEGMENT:
        return None
    return second - first
