"""
``GET`` and ``POST /feeds``, ``DELETE /feeds/ID``: the feeds that this node is subscribed to.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.messages import ListFeeds, Subscribe, Unsubscribe
from .errors import RestError, json_response
from .request import read_object, read_query
from .schemas import AddFeedSchema, FeedSchema, FeedsSchema, answers

if TYPE_CHECKING:
    from .context import RestContext


class FeedsRoom:
    """
    The calls about feeds.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Subscribe by the control interface.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/feeds", self.get_feeds, allow_head=False), web.post("/feeds", self.add),
                web.delete("/feeds/{id}", self.remove)]

    @docs(tags=["Multicast"], summary="The feeds that this node is subscribed to, and how they are.",
          responses=answers(FeedsSchema, 422, 503))
    async def get_feeds(self, request: web.Request) -> web.Response:
        """
        List them.
        """
        read_query(request)
        return json_response(await self.context.ask(ListFeeds()))

    @docs(tags=["Multicast"], summary="Subscribe to a feed: its new items are downloaded from now on.",
          responses=answers(FeedSchema, 400, 409, 413, 422, 503))
    @json_schema(AddFeedSchema)
    async def add(self, request: web.Request) -> web.Response:
        """
        Subscribe, and show the feed.
        """
        read_query(request)
        body = await read_object(request, ("url", "first"))
        if body.get("url") is None:
            raise RestError(422, "url must say which feed")
        return json_response(await self.context.ask(Subscribe(body["url"], follow=False, first=body.get("first", 0))))

    @docs(tags=["Multicast"], summary="End a subscription. What was downloaded stays.",
          parameters=[{"in": "path", "name": "id", "type": "string",
                       "description": "of a feed (see GET /feeds), or its URL"}],
          responses=answers(FeedSchema, 404, 422, 503))
    async def remove(self, request: web.Request) -> web.Response:
        """
        Unsubscribe, and show what it was.
        """
        read_query(request)
        return json_response(await self.context.ask(Unsubscribe(request.match_info["id"])))
