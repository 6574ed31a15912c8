"""
``GET /tracker``: the tracker for BitTorrent clients of any make, and its statistics.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs
from marshmallow.fields import Boolean, Integer, List, Nested, String

from ..control.messages import ShowTracker
from .errors import json_response
from .request import read_query
from .schemas import answers, schema

if TYPE_CHECKING:
    from .context import RestContext

TrackerSchema = schema(MulticastTracker={
    "enabled": (Boolean, "the setting tracker_enabled"),
    "url": String(allow_none=True, metadata={"description": "for clients; null while it is not served"}),
    "error": String(allow_none=True, metadata={"description": "why it is not served, though it is enabled"}),
    "torrents": (Integer, "in which somebody takes part who announced himself here"),
    "clients": (Integer, "who did, each torrent counted by itself"),
    "announces": (Integer, "since the start"), "scrapes": (Integer, "since the start"),
    "refused": (Integer, "requests since the start"),
    "swarms": List(Nested(schema(MulticastTrackerSwarm={
        "infohash": (String, "hex"), "seeders": (Integer, "clients that have all of it"),
        "leechers": (Integer, "the others"), "completed": (Integer, "how many said that they have completed it"),
        "neighbours": (Integer, "peers that other nodes told of when they were asked last")})), metadata={
            "description": "the 100 announced last"}),
})


class TrackerRoom:
    """
    The call about the tracker.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Show what it knows.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/tracker", self.get_tracker, allow_head=False)]

    @docs(tags=["Multicast"], summary="The tracker of this node: where it is served, and its statistics.",
          responses=answers(TrackerSchema, 422))
    async def get_tracker(self, request: web.Request) -> web.Response:
        """
        Show it now.
        """
        read_query(request)
        return json_response(await self.context.ask(ShowTracker()))
