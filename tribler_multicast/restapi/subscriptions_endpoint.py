"""
``GET`` and ``POST /subscriptions``, ``DELETE /subscriptions/MID``: the nodes whose new publications are received.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema
from marshmallow.fields import Boolean, Float, Integer, List, Nested, String

from ..control.coded_messages import ListSubscriptions, SubscribeCoded, UnsubscribeCoded
from .errors import RestError, json_response
from .request import read_object, read_query
from .schemas import answers, schema

if TYPE_CHECKING:
    from .context import RestContext

SubscriptionSchema = schema(MulticastSubscription={
    "mid": (String, "hex"), "nickname": String, "is_local": (Boolean, "whether it is local now"),
    "folder": (String, "where its contents go"), "since": (Float, "Unix seconds"),
    "last_look": Float(allow_none=True, metadata={"description": "Unix seconds: when it said what it offers"}),
    "error": String(allow_none=True, metadata={"description": "what keeps something from being received"}),
    "begun": List(Nested(schema(MulticastSubscriptionBegun={
        "content_id": (String, "hex"), "name": String, "size": (Integer, "bytes"), "at": (Float, "Unix seconds"),
        "id": (String, "of the transfer"),
        "state": String(allow_none=True, metadata={"description": "of the transfer; null: it was removed"})})),
        metadata={"description": "what was received of it, the newest first, at most 100"}),
})
SubscriptionsSchema = schema(MulticastSubscriptions={"subscriptions": List(Nested(SubscriptionSchema))})
SubscribeSchema = schema(MulticastSubscribe={
    "mid": (String, "of the node, hex"),
    "folder": (String, "an absolute path; absent: as the settings have it"),
    "first": (Integer, "how many of the newest there are to receive as well, default 0"),
})


class SubscriptionsRoom:
    """
    The calls about following others.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Follow by the control interface.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/subscriptions", self.show, allow_head=False), web.post("/subscriptions", self.add),
                web.delete("/subscriptions/{mid}", self.remove)]

    @docs(tags=["Multicast"], summary="The nodes that this one follows, and what was received of them.",
          responses=answers(SubscriptionsSchema, 422, 503))
    async def show(self, request: web.Request) -> web.Response:
        """
        List them.
        """
        read_query(request)
        return json_response(await self.context.ask(ListSubscriptions()))

    @docs(tags=["Multicast"], summary="Follow a node: what it publishes from now on is received.",
          responses=answers(SubscriptionSchema, 400, 403, 404, 409, 413, 422, 503))
    @json_schema(SubscribeSchema)
    async def add(self, request: web.Request) -> web.Response:
        """
        Follow it, and show the subscription.
        """
        read_query(request)
        body = await read_object(request, ("mid", "folder", "first"))
        if body.get("mid") is None:
            raise RestError(422, "mid must say whom to follow")
        return json_response(await self.context.ask(SubscribeCoded(body["mid"], body.get("folder"),
                                                                   body.get("first", 0))))

    @docs(tags=["Multicast"], summary="Follow a node no more. What was begun goes on.",
          parameters=[{"in": "path", "name": "mid", "type": "string", "description": "of the node, hex"}],
          responses=answers(SubscriptionSchema, 404, 422, 503))
    async def remove(self, request: web.Request) -> web.Response:
        """
        Unsubscribe, and show what it was.
        """
        read_query(request)
        return json_response(await self.context.ask(UnsubscribeCoded(request.match_info["mid"])))
