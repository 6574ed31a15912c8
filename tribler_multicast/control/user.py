"""
One user of the control interface: its two queues, and what it has under way.

Memory is bounded however slowly a user reads. Of what is only the newest state (``Progress``, ``Finished``, and the
same of what is sent coded) the newest one of each torrent or transfer waits. Facts (``Found``, ``Heard``, ``NewItem``)
wait up to a bound, and then one ``Lagged`` says how many were left out. Closing events are never left out; when too
many wait, no further command is taken from the queue, which fills, so that whoever puts commands waits.
"""
from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from .coded_messages import FinishedCoded, ProgressCoded
from .messages import Closed, Command, Event, Finished, Found, Heard, Lagged, NewItem, Progress

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

MAX_COMMANDS: Final = 64
"""Commands that wait in a user's queue. Stops a program in a loop from filling the memory: its put waits."""

MAX_UNREAD: Final = 64
"""Closing events that a user has not read yet, above which it gets no further commands carried out."""

MAX_FACTS: Final = 1024
"""Facts that wait for a user. Stops one who does not read from filling the memory."""

MAX_FACT_BYTES: Final = 4 * 1024 * 1024
"""Bytes of these, as JSON; the same for large announcements. A fact that no other waits before is kept whatever its
size."""


class ControlClosedError(Exception):
    """
    This user is closed: nobody takes its commands any more.
    """


class Commands(asyncio.Queue[Command]):
    """
    What a user wants done, at most `MAX_COMMANDS`. Once the user is closed, putting raises ControlClosedError.
    """

    if TYPE_CHECKING:  # What asyncio.Queue has, and typeshed does not say.
        _queue: deque[Command]
        _putters: deque[asyncio.Future[None]]
        _wakeup_next: Callable[[deque[asyncio.Future[None]]], None]

    def __init__(self) -> None:
        """
        Start empty.
        """
        self.closed = False
        super().__init__(MAX_COMMANDS)

    def _put(self, item: Command) -> None:
        if self.closed:
            msg = "this user of the control interface is closed"
            raise ControlClosedError(msg)
        super()._put(item)

    def full(self) -> bool:
        """
        Is there no room? There is when it is closed: nobody waits for nothing.
        """
        return not self.closed and super().full()

    def close(self) -> None:
        """
        Take no more, and wake up whoever waits for room.
        """
        self.closed = True
        self._queue.clear()
        while self._putters:
            self._wakeup_next(self._putters)


class Events(asyncio.Queue[Event]):
    """
    What happened, for one user to read. Only the hub puts; it never waits.
    """

    def __init__(self, on_closing_read: Callable[[], None]) -> None:
        """
        Start empty; call back when a closing event was read.
        """
        self.on_closing_read = on_closing_read
        self.closings = 0
        self._facts = 0
        self._fact_bytes = 0
        self._number = 0
        super().__init__()

    # What asyncio.Queue lets subclasses say: how items are kept.

    def _init(self, maxsize: int) -> None:
        self._queue: OrderedDict[Any, tuple[Event, int]] = OrderedDict()

    def _put(self, item: Event) -> None:
        if isinstance(item, Progress | Finished | ProgressCoded | FinishedCoded):
            self._queue[type(item), item.request, _whose(item)] = (item, 0)
            return
        size = 0
        if isinstance(item, Found | Heard | NewItem):
            size = len(json.dumps(item.as_dict()))
            if self._facts >= MAX_FACTS or (self._facts and self._fact_bytes + size > MAX_FACT_BYTES):
                waiting = self._queue.get(Lagged)
                missed = 1 if waiting is None or not isinstance(waiting[0], Lagged) else waiting[0].missed + 1
                self._queue[Lagged] = (Lagged(missed), 0)
                return
            self._facts += 1
            self._fact_bytes += size
        self.closings += item.closing
        self._number += 1
        self._queue[self._number] = (item, size)

    def _get(self) -> Event:
        _, (item, size) = self._queue.popitem(last=False)
        if size:
            self._facts -= 1
            self._fact_bytes -= size
        if item.closing:
            self.closings -= 1
            self.on_closing_read()
        return item


def _whose(state: Progress | Finished | ProgressCoded | FinishedCoded) -> str | None:
    """
    Get the id of the torrent or transfer that a state is of; None while that is not known.
    """
    if isinstance(state, Finished):
        return state.infohash
    if isinstance(state, FinishedCoded):
        return state.id
    if isinstance(state, ProgressCoded):
        return str(state.transfer["id"])
    return None if state.transfer is None else str(state.transfer["infohash"])


class User:
    """
    A program that drives this node by messages: it puts commands on ``commands`` and reads ``events``. It hears of its
    own commands only, and of what others do only where that concerns a torrent or feed it asked about.

    Also a context manager that closes it at the end.
    """

    def __init__(self, on_close: Callable[[User], None]) -> None:
        """
        Be open; call back when closed. Made by ``Control.connect``.
        """
        self.room = asyncio.Event()
        self.commands = Commands()
        self.events = Events(self.room.set)
        self.under_way: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self.short = 0
        self.closed = False
        self.server: asyncio.Task[None] | None = None
        self._on_close = on_close

    def tell(self, event: Event) -> None:
        """
        Give an event to this user, unless it is closed.
        """
        if not self.closed:
            self.events.put_nowait(event)

    def close(self, reason: str = "this user was closed") -> None:
        """
        End what is under way, except that torrents and feeds go on; ``Closed`` is the last event.
        """
        if self.closed:
            return
        self.tell(Closed(reason))
        self.closed = True
        self.commands.close()
        for task in [*self.under_way.values(), *([self.server] if self.server is not None else [])]:
            task.cancel()
        self._on_close(self)

    def __enter__(self) -> Self:
        """
        Use it for a while.
        """
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """
        Close it.
        """
        self.close()
