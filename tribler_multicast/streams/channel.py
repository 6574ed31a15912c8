"""
A stream as this node has it: its log, what knows its format, its playlist, and who reads.
"""
from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import GoneError
from .limits import CHUNK, PLAYED, PREROLL, UNMARKED
from .media.scanner import scanner_for
from .playlist import Playlist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .log import StreamLog

LIVE, FIRST = "live", "first"
"""Where a player begins: at the newest picture that stands alone, or at the first byte that is kept."""


class Channel:
    """
    A stream that is published or watched here.
    """

    def __init__(self, stream_id: str, name: str, media_type: str, log: StreamLog,
                 changed: Callable[[Channel], None]) -> None:
        """
        Begin with what of it is there.

        :param changed: told when somebody begins or ends to read.
        """
        self.stream_id = stream_id
        self.name = name
        self.media_type = media_type
        self.log = log
        self.scanner = scanner_for(media_type)
        self.playlist = Playlist(log)
        self.readers = 0
        self.skipped = 0
        """Bytes that readers did not get, because they were too slow or the bytes were lost."""
        self._played = -1e9
        self._changed = changed
        self._next = log.first
        if self.scanner is not None:
            if log.head:
                self.scanner.adopt(log.head)
            self._catch_up()
            log.follow(self._scan)

    def close(self) -> None:
        """
        Look at it no more.
        """
        self.log.unfollow(self._scan)

    # --- What comes.

    def _catch_up(self) -> None:
        """
        Look at what is there already.
        """
        at = self.log.first
        while at < self.log.edge:
            try:
                data = self.log.read(at, CHUNK)
                self._scan(at, data)
                at += len(data)
            except GoneError as gone:
                at = max(gone.next_position, at + 1)

    def _scan(self, position: int, data: bytes) -> None:
        """
        Look for places where players can begin.
        """
        assert self.scanner is not None
        if position != self._next:
            self.playlist.gap()
        self._next = position + len(data)
        now = time.monotonic()
        for cut in self.scanner.feed(position, data):
            self.log.mark(cut.position)
            self.playlist.cut(cut, now)
        if self.scanner.head and self.scanner.head != self.log.head:
            self.log.set_head(self.scanner.head)

    @property
    def has_playlist(self) -> bool:
        """
        Can a playlist be made of its format?
        """
        return self.scanner is not None and bool(self.scanner.extension)

    # --- Who reads.

    @property
    def watched(self) -> bool:
        """
        Does somebody watch it now, by a connection that lasts or by a playlist?
        """
        return bool(self.readers) or self.played_for() < PLAYED

    def played_for(self) -> float:
        """
        Get the seconds since a segment was asked for.
        """
        return time.monotonic() - self._played

    def play(self) -> None:
        """
        A player of the playlist is there.
        """
        self._played = time.monotonic()
        self._changed(self)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """
        Be one of those who read.
        """
        self.readers += 1
        self._changed(self)
        try:
            yield
        finally:
            self.readers -= 1
            self._changed(self)


class Reader:
    """
    One player of a stream: gets it as one piece, from where it can begin on.
    """

    def __init__(self, channel: Channel, start: str = LIVE) -> None:
        """
        Begin where the format has it, or at the first byte kept.
        """
        self.channel = channel
        self.position = -1
        self.skipped = 0
        self._log = channel.log
        self._head = b""
        self._start = start
        self._may_skip = channel.media_type.startswith(("audio/", "video/"))

    async def read(self, size: int = CHUNK) -> bytes:
        """
        Get what comes next, at most so much; none at the end.

        :raises GoneError: when something is missing, and this is no sound or picture that goes on without it.
        """
        if self.position < 0:
            await self._begin()
        if self._head:
            head, self._head = self._head, b""
            return head
        while await self._log.wait(self.position):
            try:
                data = self._log.read(self.position, size)
            except GoneError as gone:
                if not self._may_skip:
                    raise
                await self._skip(gone.next_position)
                continue
            self.position += len(data)
            return data
        return b""

    async def _begin(self) -> None:
        """
        Find where to begin.
        """
        scanner, first = self.channel.scanner, self._log.first
        if scanner is None:
            sound = self._start != FIRST and self._may_skip
            self.position = max(first, self._log.edge - PREROLL) if sound else first
        elif self._start == FIRST:
            self.position = 0
            if first:
                await self._go_to(first)
                self._head = scanner.head
        else:
            await self._wait_for_mark()
            self._head = scanner.head if self.position else b""

    async def _wait_for_mark(self) -> None:
        """
        Go to the newest place where a player can begin, or the first that comes. The beginning of a stream is one, too;
        and where none is found for long there will be none.
        """
        log = self._log
        while ((mark := log.newest_mark()) is None or mark < log.first) and 0 < log.first > log.edge - UNMARKED:
            if not await log.wait(log.edge):
                break
        self.position = log.first if mark is None or mark < log.first else mark

    async def _go_to(self, position: int) -> None:
        """
        Go to a place where a player can begin, at or behind a position; wait for one.
        """
        while (found := self._log.boundary(position)) >= self._log.edge and await self._log.wait(self._log.edge):
            pass
        self.position = found

    async def _skip(self, position: int) -> None:
        """
        Go on behind what is gone.
        """
        before = self.position
        await self._go_to(position)
        self.skipped += self.position - before
        self.channel.skipped += self.position - before
        if self.channel.scanner is not None and self.channel.scanner.repeats_head:
            self._head = self.channel.scanner.head
