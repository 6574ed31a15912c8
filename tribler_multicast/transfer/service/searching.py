"""
Looks for a sender, also while others help without one.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...protocol.wire import Kind
from ..session.messages import Ending, pack_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from .joining import Admitted, Joining


class Search:
    """
    At most one at a time.
    """

    def __init__(self, joining: Joining, found: Callable[[], None]) -> None:
        """
        Not begun.

        :param found: is told when somebody let us in: `take` gets it.
        """
        self.joining = joining
        self.found = found
        self._task: asyncio.Task[Admitted] | None = None

    def begin(self, *, manifest_wanted: bool) -> None:
        """
        Look from now on, unless that goes on already.
        """
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self.joining.admitted(manifest_wanted=manifest_wanted))
            self._task.add_done_callback(lambda _: self.found())

    @property
    def is_over(self) -> bool:
        """
        Whether somebody let us in who was not taken yet.
        """
        return self._task is not None and self._task.done()

    async def wait(self, seconds: float | None) -> Admitted | None:
        """
        Wait so long for somebody to let us in; None: nobody did.
        """
        assert self._task is not None
        await asyncio.wait((self._task,), timeout=seconds)
        return self.take()

    def take(self) -> Admitted | None:
        """
        Get who let us in, once; None: nobody yet.
        """
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return None if task.cancelled() else task.result()

    async def end(self) -> None:
        """
        Look no more. Who let us in meanwhile is told that we do not come.
        """
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled() and task.exception() is None:
            admitted = task.result()
            admitted.socket.close()
            self.joining.courier.send(admitted.mid, Kind.LEAVE, pack_end(admitted.accept.tag, Ending.CANCELLED),
                                      admitted.socket.key)
