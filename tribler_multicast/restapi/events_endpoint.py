"""
``GET /events``: what happens, as it happens (server-sent events).
"""
from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs

from ..client import ClientError
from ..control.messages import Closed, NewItem, Progress, Removed, Subscribe, Watch
from .errors import RestError
from .request import read_query
from .schemas import EventSchema, answers

if TYPE_CHECKING:
    from ..control import User
    from .context import RestContext

MAX_LISTENERS = 32
"""Open event streams. Stops a script that reconnects without closing from using up the file descriptors."""

MAX_WAITING = 256
"""Events that wait for one listener. Stops a listener that does not read from filling the memory: it is cut off, and
sees the truth again when it reconnects."""

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""Bytes of the events that wait for one listener; the same for large announcements, of which far fewer than
``MAX_WAITING`` fill the memory. An event that nothing waits before is sent whatever its size."""

KEEP_ALIVE = 15.0
"""Seconds between comments on a quiet stream, so that a proxy keeps it open and a dead client is noticed."""


def _plain(value: object) -> object:
    """
    A value of an event as JSON has it: bytes become hex, sets become sorted lists.
    """
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


class _Waiting:
    """
    The events that wait for one listener, at most so many and so many bytes of them.
    """

    def __init__(self, request: web.Request) -> None:
        """
        Nothing waits yet.
        """
        self.request = request
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._bytes = 0

    def put(self, line: bytes) -> bool:
        """
        Add an event; False when too much waits already.
        """
        if self._queue.qsize() >= MAX_WAITING or (self._bytes and self._bytes + len(line) > MAX_WAITING_BYTES):
            return False
        self._bytes += len(line)
        self._queue.put_nowait(line)
        return True

    def end(self) -> None:
        """
        End the stream after what waits.
        """
        self._queue.put_nowait(None)

    async def get(self) -> bytes | None:
        """
        Wait for an event; None at the end.
        """
        line = await self._queue.get()
        self._bytes -= len(line or b"")
        return line


class EventsRoom:
    """
    The stream of events, for any number of listeners.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Listen to the community.
        """
        self.context = context
        self._listeners: set[_Waiting] = set()
        self._closed = False
        self._watcher: User | None = None
        self._watching: asyncio.Task[None] | None = None
        context.community.add_event_handler(self.publish)

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/events", self.get_events, allow_head=False)]

    def publish(self, topic: str, kwargs: dict[str, Any]) -> None:
        """
        Give an event to every listener.
        """
        if not self._listeners:
            return
        line = b"data: " + json.dumps({"topic": topic, "kwargs": kwargs}, default=_plain).encode() + b"\n\n"
        for listener in list(self._listeners):
            if not listener.put(line):
                self._cut_off(listener)

    def _cut_off(self, listener: _Waiting) -> None:
        """
        End one listener's stream.
        """
        self._listeners.discard(listener)
        listener.end()

    def _watch(self) -> None:
        """
        Hear of torrents and feeds from now on, as a user of the control interface.
        """
        if self._watcher is None or self._watcher.closed:
            with suppress(ClientError):
                self._watcher = self.context.control.connect()
                self._watching = asyncio.ensure_future(self._tell(self._watcher))

    async def _tell(self, user: User) -> None:
        """
        Tell what the control interface tells of torrents and feeds, until there is nothing of both.
        """
        with user:
            user.commands.put_nowait(Watch(current=False, request="downloads"))
            user.commands.put_nowait(Subscribe(request="feeds"))
            left = 2
            while left:
                event = await user.events.get()
                if isinstance(event, Closed):
                    return
                if isinstance(event, Progress) and event.request == "downloads":
                    self.publish("multicast_download", event.transfer or {})
                elif isinstance(event, Removed):
                    self.publish("multicast_download", {"infohash": event.infohash, "state": "removed"})
                elif isinstance(event, NewItem):
                    self.publish("multicast_feed", event.item)
                left -= event.closing
                # A thousand torrents may change at once: let the listeners' streams be written meanwhile.
                await asyncio.sleep(0)

    def _forget_gone(self) -> None:
        """
        End the streams of listeners that went away, which a quiet stream notices only at its next write.
        """
        for listener in list(self._listeners):
            if listener.request.transport is None or listener.request.transport.is_closing():
                self._cut_off(listener)

    def close(self) -> None:
        """
        End every stream and listen no more.
        """
        self._closed = True
        if self._watcher is not None:
            self._watcher.close()
        self.context.community.remove_event_handler(self.publish)
        for listener in list(self._listeners):
            self._cut_off(listener)

    @docs(tags=["Multicast"], summary="Server-sent events; each is a JSON object with a topic and its kwargs.",
          produces=["text/event-stream"], responses=answers(EventSchema, 422, 503))
    async def get_events(self, request: web.Request) -> web.StreamResponse:
        """
        Send events until the listener or this node goes.
        """
        read_query(request)
        if self._closed:
            raise RestError(503, "This node is stopping")
        if len(self._listeners) >= MAX_LISTENERS:
            self._forget_gone()
        if len(self._listeners) >= MAX_LISTENERS:
            raise RestError(503, f"{MAX_LISTENERS} listeners are connected already")
        listener = _Waiting(request)
        self._listeners.add(listener)
        self._watch()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        try:
            await response.prepare(request)
            await response.write(b": connected\n\n")
            await _pump(listener, response)
        except ConnectionError:
            pass  # the listener went away, which is how streams end
        finally:
            self._listeners.discard(listener)
        return response


async def _pump(listener: _Waiting, response: web.StreamResponse) -> None:
    """
    Write what waits for the listener, until the end.
    """
    while True:
        try:
            line = await asyncio.wait_for(listener.get(), KEEP_ALIVE)
        except TimeoutError:
            line = b": still here\n\n"
        if line is None:
            return
        await response.write(line)
