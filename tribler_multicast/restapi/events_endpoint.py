"""
``GET /events``: what happens, as it happens (server-sent events).
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs

from .errors import RestError
from .request import read_query
from .schemas import EventSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

MAX_LISTENERS = 32
"""Open event streams. Stops a script that reconnects without closing from using up the file descriptors."""

MAX_WAITING = 256
"""Events that wait for one listener. Stops a listener that does not read from filling the memory: it is cut off, and
sees the truth again when it reconnects."""

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


class EventsRoom:
    """
    The stream of events, for any number of listeners.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Listen to the community.
        """
        self.context = context
        self._queues: dict[asyncio.Queue[bytes | None], web.Request] = {}
        self._closed = False
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
        line = b"data: " + json.dumps({"topic": topic, "kwargs": kwargs}, default=_plain).encode() + b"\n\n"
        for queue in list(self._queues):
            if queue.qsize() >= MAX_WAITING:
                self._cut_off(queue)
            else:
                queue.put_nowait(line)

    def _cut_off(self, queue: asyncio.Queue[bytes | None]) -> None:
        """
        End one listener's stream.
        """
        self._queues.pop(queue, None)
        queue.put_nowait(None)

    def _forget_gone(self) -> None:
        """
        End the streams of listeners that went away, which a quiet stream notices only at its next write.
        """
        for queue, request in list(self._queues.items()):
            if request.transport is None or request.transport.is_closing():
                self._cut_off(queue)

    def close(self) -> None:
        """
        End every stream and listen no more.
        """
        self._closed = True
        self.context.community.remove_event_handler(self.publish)
        for queue in list(self._queues):
            self._cut_off(queue)

    @docs(tags=["Multicast"], summary="Server-sent events; each is a JSON object with a topic and its kwargs.",
          produces=["text/event-stream"], responses=answers(EventSchema, 422, 503))
    async def get_events(self, request: web.Request) -> web.StreamResponse:
        """
        Send events until the listener or this node goes.
        """
        read_query(request)
        if self._closed:
            raise RestError(503, "This node is stopping")
        if len(self._queues) >= MAX_LISTENERS:
            self._forget_gone()
        if len(self._queues) >= MAX_LISTENERS:
            raise RestError(503, f"{MAX_LISTENERS} listeners are connected already")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues[queue] = request
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        try:
            await response.prepare(request)
            await response.write(b": connected\n\n")
            await _pump(queue, response)
        except ConnectionError:
            pass  # the listener went away, which is how streams end
        finally:
            self._queues.pop(queue, None)
        return response


async def _pump(queue: asyncio.Queue[bytes | None], response: web.StreamResponse) -> None:
    """
    Write what the queue brings until it brings None.
    """
    while True:
        try:
            line = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
        except TimeoutError:
            line = b": still here\n\n"
        if line is None:
            return
        await response.write(line)
