"""
The hub: takes commands from any number of users, has them carried out at once, and gives each user the events of its
own.

A program connects, puts commands and reads events::

    with control.connect() as user:
        await user.commands.put(Query("red boat"))
        while not (event := await user.events.get()).closing:
            print(event)
"""
from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError
from . import browsing, coded, feeds, lan, own, streams, transfers
from .call import Call, GivenUpError
from .check import shown, what_is_wrong
from .coded_following import CodedFollowing
from .following import Following
from .messages import Cancel, Closed, Command, Done, Event, Failed, Stopped
from .user import MAX_UNREAD, User

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .call import Handler
    from .parts import Parts

logger = logging.getLogger(__name__)

MAX_USERS: Final = 256
"""Users at once; each call of the REST API is one. Stops a program that connects and never closes."""

MAX_SHORT: Final = 64
"""Commands of one user that are carried out at once; further ones wait in its queue. They end within a minute."""

MAX_LONG: Final = 1000
"""Long-lived commands of one user. Stops a program from asking without end for what never ends."""

HANDLERS: Final[dict[type[Command], Handler]] = {
    **lan.HANDLERS, **own.HANDLERS, **transfers.HANDLERS, **feeds.HANDLERS, **coded.HANDLERS, **browsing.HANDLERS,
    **streams.HANDLERS}
"""Who carries out which command; `Cancel` is the hub's own."""


class Control:
    """
    The control interface of one node.
    """

    def __init__(self, parts: Parts) -> None:
        """
        Move these parts.
        """
        self.parts = parts
        self.following = Following(parts.client)
        self.coded = CodedFollowing(parts)
        self.examining = asyncio.Lock()
        self._running: Counter[str] = Counter()
        self._leavings: dict[asyncio.Event, str | None] = {}
        self.users: set[User] = set()
        self.closed = False

    def connect(self) -> User:
        """
        Get a new user: its queues, to be closed when it is no longer needed. Called with the event loop running.

        :raises ClientError: with one line, when the node stops, or has too many users.
        """
        if self.closed:
            msg = "this node is stopping"
            raise ClientError(msg)
        if len(self.users) >= MAX_USERS:
            msg = f"{MAX_USERS} programs are connected already"
            raise ClientError(msg)
        user = User(self.users.discard)
        self.users.add(user)
        user.server = asyncio.ensure_future(self._serve(user))
        return user

    async def ask(self, command: Command,
                  meanwhile: Callable[[Event], Awaitable[None]] | None = None) -> dict[str, Any]:
        """
        Carry out one command, as a user for just that, and get its result; what it tells before that goes to
        ``meanwhile``.

        :raises ClientError: with one line and the HTTP status that fits, when it failed or was stopped.
        """
        with self.connect() as user:
            user.commands.put_nowait(command)
            while True:
                event = await user.events.get()
                if isinstance(event, Done):
                    return event.result
                if isinstance(event, Failed):
                    raise ClientError(event.reason, event.status)
                if isinstance(event, Stopped | Closed):
                    raise ClientError(event.reason)
                if meanwhile is not None:
                    await meanwhile(event)

    def close(self, reason: str = "this node is stopping") -> None:
        """
        End all users, each with ``Closed``; nobody connects any more.
        """
        self.closed = True
        for user in list(self.users):
            user.close(reason)
        self.following.close()

    @contextmanager
    def limit(self, what: str, most: int) -> Iterator[None]:
        """
        Do something of which at most so many may run at once, whoever wants it; 503 when they do.
        """
        if self._running[what] >= most:
            msg = f"{most} {what} are running already, try again later"
            raise ClientError(msg)
        self._running[what] += 1
        try:
            yield
        finally:
            self._running[what] -= 1

    @contextmanager
    def leaving(self, feed: str | None) -> Iterator[asyncio.Event]:
        """
        Get what is set when the node is no longer subscribed to a feed (its id); for None never.
        """
        event = asyncio.Event()
        self._leavings[event] = feed
        try:
            yield event
        finally:
            del self._leavings[event]

    def left(self, feed: str) -> None:
        """
        The node is no longer subscribed to a feed.
        """
        for event, wanted in self._leavings.items():
            if wanted == feed:
                event.set()

    async def _serve(self, user: User) -> None:
        """
        Take one command after the other, as long as the user reads what they end with.
        """
        while True:
            while user.events.closings >= MAX_UNREAD or user.short >= MAX_SHORT:
                user.room.clear()
                await user.room.wait()
            self._take(user, await user.commands.get())

    def _take(self, user: User, command: object) -> None:
        """
        Begin to carry out what came from the queue; whatever it is, nothing is raised.
        """
        if not isinstance(command, Command) or (type(command) not in HANDLERS and not isinstance(command, Cancel)):
            user.tell(Failed(f"{shown(type(command).__name__)} is no command", 422))
            return
        if not isinstance(command.request, str) or command.request in user.under_way:
            user.tell(Failed(f"{shown(command.request)} is no request that can be: it is one of a command under way, "
                             "or no text", 422))
            return
        call = Call(self, user, command)
        wrong = what_is_wrong(command)
        if wrong is not None:
            call.tell(Failed, wrong, 422)
        elif command.long and len(user.under_way) - user.short >= MAX_LONG:
            call.tell(Failed, f"{MAX_LONG} commands that go on are under way already", 503)
        elif isinstance(command, Cancel):
            self._cancel(call, command)
        else:
            user.short += not command.long
            # How it ends is told by a callback: a task that is cancelled before it began to run catches nothing.
            task = user.under_way[command.request] = asyncio.ensure_future(HANDLERS[type(command)](call, command))
            task.add_done_callback(partial(self._ended, call))

    @staticmethod
    def _cancel(call: Call, command: Cancel) -> None:
        """
        End another command of the same user.
        """
        task = call.user.under_way.get(command.target)
        if task is None:
            call.tell(Failed, f"no command of yours with the request {shown(command.target)} is under way", 404)
            return
        task.cancel()
        call.tell(Done, {})

    @staticmethod
    def _ended(call: Call, task: asyncio.Task[dict[str, Any]]) -> None:
        """
        Tell the one closing event of a command.
        """
        command, user = call.command, call.user
        call.ended = True
        user.short -= not command.long
        del user.under_way[command.request]
        user.room.set()
        error = None if task.cancelled() else task.exception()
        end: Event
        if task.cancelled():
            end = Stopped("it was cancelled", request=command.request)
        elif error is None:
            end = Done(task.result(), request=command.request)
        elif isinstance(error, GivenUpError):
            end = Stopped(str(error), request=command.request)
        elif isinstance(error, ClientError):
            end = Failed(" ".join(str(error).split()), error.status, request=command.request)
        else:
            # A path or a value in it may be nobody's business: the log says what it was.
            logger.error("The command %s failed", type(command).__name__, exc_info=error)
            end = Failed(f"{type(command).__name__} failed in a way that was not foreseen; the node's log says how",
                         request=command.request)
        user.tell(end)
