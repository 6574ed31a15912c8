"""
The last word to a sender: all of it is here, under its name. It may wait for that, so it is said until it is heard.
"""
from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ..session.messages import Ending
from .incoming import Incoming
from .limits import FAREWELLS

if TYPE_CHECKING:
    from .joining import Joining
    from .reception import Reception


class Farewell:
    """
    Takes leave of one sender.
    """

    def __init__(self) -> None:
        """
        There is no need yet.
        """
        self._tag = self._mid = b""
        self._heard = False
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self, incoming: Incoming) -> None:
        """
        Say it to the sender of this session.
        """
        self._tag, self._mid = incoming.accept.tag, incoming.mid
        self._task = asyncio.get_running_loop().create_task(self._say(incoming))

    async def _say(self, incoming: Incoming) -> None:
        for wait in FAREWELLS:
            incoming.say(Ending.DONE)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), wait)
                return

    def finish_received(self, tag: bytes) -> bool:
        """
        Take a FINISH, which answers; False when it is about another session.
        """
        if tag != self._tag:
            return False
        self._heard = True
        self._over.set()
        return True

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Say it no more to a sender that is gone.
        """
        if mid == self._mid:
            self._over.set()

    @property
    def is_heard(self) -> bool:
        """
        Whether it was answered.
        """
        return self._heard

    async def end(self) -> None:
        """
        Wait until it was heard, or was said often enough.
        """
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def find(self, reception: Reception, joining: Joining, patience: float) -> None:
        """
        Find a sender for which there was no need, because all of it was here before, and say it; give up after so many
        seconds.
        """
        if self._task is not None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                admitted = await joining.admitted(manifest_wanted=False)
                incoming = Incoming(admitted.accept, admitted.mid, admitted.socket, reception.courier, reception,
                                    reception.counters)
                incoming.close()
                self.begin(incoming)
                await self.end()
