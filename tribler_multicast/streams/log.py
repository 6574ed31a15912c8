"""
The bytes of one live stream, as far as they are kept: written at one end, read by any number of players.

A position is the number of bytes since the stream began, the same on all nodes. Writers only append, at the edge or,
where bytes were lost for good, behind a gap. Kept are the newest bytes, whoever reads: a reader that is slow or paused
costs nothing. It gets ``GoneError`` when what it wants is kept no longer, or never came, and that says where it can go
on: at the next mark, which is a position where a player can begin (who knows the format makes marks), or the next byte
kept when nobody makes any. All on the event loop.
"""
from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from .errors import GoneError
from .limits import BLOCK, KEPT, MAX_BLOCKS, MAX_HEAD, MAX_MARKS, MAX_POSITION

if TYPE_CHECKING:
    from collections.abc import Callable

    Follower = Callable[[int, bytes], None]

END: Final = b""
"""What is read where a stream has ended, and where it is at its edge: `wait` tells which."""


class StreamLog:
    """
    A bounded, append-only piece of a stream.
    """

    def __init__(self, kept: int = KEPT) -> None:
        """
        Begin with nothing.

        :param kept: bytes to keep at most, but for one block.
        """
        self.kept = kept
        self.edge = 0
        self.ended = False
        self.error: str | None = None
        self.lost = 0
        """Bytes that never came."""
        self.size = 0
        """Bytes that are kept."""
        self.head = b""
        """What a player needs before it can begin at a mark (tables, an initialisation segment), MAX_HEAD bytes at
        most. Who joins late gets it with the first bytes: it may have been said once, at the beginning."""
        self._starts: list[int] = []
        self._blocks: list[bytearray] = []
        self._marks: list[int] = []
        self._marked = False
        self._followers: list[Follower] = []
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def first(self) -> int:
        """
        The first position kept; the edge when nothing is.
        """
        return self._starts[0] if self._starts else self.edge

    # --- Writing.

    def begin(self, position: int) -> None:
        """
        Say where it begins here: who joins late has nothing of what was before.
        """
        if not self._blocks and not self.ended and 0 <= position <= MAX_POSITION:
            self.edge = position

    def append(self, data: bytes) -> None:
        """
        Add what comes next. After the end it is ignored.
        """
        self.append_at(self.edge, data)

    def append_at(self, position: int, data: bytes) -> None:
        """
        Add bytes at a position: the edge, or behind it, and then those between are lost for good. What is before the
        edge was said already, and is ignored; so is all after the end.
        """
        if self.ended or position + len(data) > MAX_POSITION:
            return
        if position < self.edge:
            position, data = self.edge, data[self.edge - position:]
        if not data:
            return
        gap = position > self.edge
        if gap and self.edge:
            self.lost += position - self.edge
        self._keep(position, data, joined=not gap)
        self.edge = position + len(data)
        self._forget()
        for follower in list(self._followers):
            follower(position, data)
        self._wake()

    def end(self, error: str | None = None) -> None:
        """
        Nothing comes any more.

        :param error: one line, when it is not the end that the publisher meant.
        """
        if not self.ended:
            self.ended, self.error = True, error
            self._wake()

    def mark(self, position: int) -> None:
        """
        Say that a player can begin at a position. Later marks are at later positions.
        """
        self._marked = True
        if self._marks and position <= self._marks[-1]:
            return
        self._marks.append(position)
        if len(self._marks) > MAX_MARKS:
            del self._marks[:MAX_MARKS // 4]

    def set_head(self, head: bytes) -> None:
        """
        Say what a player needs first; one that is too long is none.
        """
        if len(head) <= MAX_HEAD:
            self.head = head

    def _keep(self, position: int, data: bytes, *, joined: bool) -> None:
        view = memoryview(data)
        if joined and self._blocks and (room := BLOCK - len(self._blocks[-1])) > 0:
            self._blocks[-1] += view[:room]
            position, view = position + min(room, len(view)), view[room:]
        for at in range(0, len(view), BLOCK):
            self._starts.append(position + at)
            self._blocks.append(bytearray(view[at:at + BLOCK]))
        self.size += len(data)

    def _forget(self) -> None:
        """
        Let go of the oldest blocks.
        """
        count, size = 0, self.size
        while count < len(self._blocks) - 1 and (size > self.kept or len(self._blocks) - count > MAX_BLOCKS):
            size -= len(self._blocks[count])
            count += 1
        if count:
            del self._starts[:count], self._blocks[:count]
            self.size = size
            del self._marks[:bisect_left(self._marks, self.first)]

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    # --- Reading.

    def read(self, position: int, size: int) -> bytes:
        """
        Get at most so many of the bytes from a position on, of one piece; none at the edge.

        :raises GoneError: when that byte is kept no longer, or was lost.
        """
        if position >= self.edge:
            return END
        at = bisect_right(self._starts, position) - 1
        if at < 0 or position >= self._starts[at] + len(self._blocks[at]):
            raise GoneError(position, self.boundary(position))
        begin = position - self._starts[at]
        return bytes(self._blocks[at][begin:begin + size])

    def boundary(self, position: int) -> int:
        """
        Get the first kept position from here on at which a player can begin: a mark, where there are any; the edge when
        none is known yet.
        """
        if self._marked:
            at = bisect_left(self._marks, max(position, self.first))
            return self._marks[at] if at < len(self._marks) else self.edge
        at = bisect_right(self._starts, position) - 1
        if at >= 0 and position < self._starts[at] + len(self._blocks[at]):
            return position
        return self._starts[at + 1] if at + 1 < len(self._starts) else self.edge

    def newest_mark(self) -> int | None:
        """
        Get the last position at which a player can begin; None when none is known.
        """
        return self._marks[-1] if self._marks else None

    async def wait(self, position: int) -> bool:
        """
        Wait until the stream goes beyond a position; False: it has ended before.
        """
        while self.edge <= position and not self.ended:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
        return self.edge > position

    def follow(self, follower: Follower) -> None:
        """
        Have all that is added from now on (position, bytes) told at once, before any reader wakes up: who knows the
        format makes marks then, a publisher's network cuts it into blocks.
        """
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """
        End that.
        """
        if follower in self._followers:
            self._followers.remove(follower)
