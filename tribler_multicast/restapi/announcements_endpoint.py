"""
``POST /announcements`` and ``GET /announcements``: tuples to all on the local network, and from them.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.messages import Announce
from ..protocol.limits import MAX_ANNOUNCEMENT
from .errors import RestError, json_response
from .request import read_object, read_query, shown
from .schemas import AnnouncedSchema, AnnouncementsSchema, AnnounceSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

MAX_ANNOUNCEMENT_BODY = 8 * MAX_ANNOUNCEMENT
"""Bytes of the body of an announcement. Stops a caller from filling the memory, and yet holds the largest announcement
there is: bytes take two characters of JSON each, the worst (control characters, ``false``) six to seven."""


class AnnouncementsRoom:
    """
    The calls about announcements.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Send by the community, show what was received.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/announcements", self.get_announcements, allow_head=False),
                web.post("/announcements", self.announce)]

    @docs(tags=["Multicast"], summary="The announcements received, the last 1,000; own ones are not among them.",
          parameters=[{"in": "query", "name": "since", "type": "integer", "required": False,
                       "description": "only those with a higher seq; default 0, all that are kept"}],
          responses=answers(AnnouncementsSchema, 422))
    async def get_announcements(self, request: web.Request) -> web.Response:
        """
        Show what was received after a number.
        """
        since = read_query(request, ("since",)).get("since", "0")
        if not re.fullmatch(r"[0-9]{1,15}", since, re.ASCII):
            raise RestError(422, f"The query since must be a whole number from 0, not {shown(since)}")
        return web.Response(body=self.context.announcements.since(int(since)), content_type="application/json")

    @docs(tags=["Multicast"], summary="Send a tuple to all nodes on the local network.",
          responses=answers(AnnouncedSchema, 400, 413, 422, 503))
    @json_schema(AnnounceSchema)
    async def announce(self, request: web.Request) -> web.Response:
        """
        Send values, all or nothing. The answer says that they are on their way, not that somebody received them.
        """
        read_query(request)
        body = await read_object(request, ("values",), limit=MAX_ANNOUNCEMENT_BODY)
        if not isinstance(body.get("values"), list):
            raise RestError(422, f"values must be a list, not {shown(body.get('values'))}")
        return json_response(await self.context.ask(Announce(tuple(body["values"]))))
