"""
``GET /activity`` and ``PUT /activity``: what this node is doing; a player or a camera may declare it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..client import ACTIVITY_CLASSES
from ..control.messages import DeclareActivity, ShowActivity
from ..control.own import MAX_RATE, MAX_TTL, MIN_TTL
from .errors import RestError, json_response
from .request import read_object, read_query, shown, take_number
from .schemas import ActivitySchema, DeclareActivitySchema, answers

if TYPE_CHECKING:
    from .context import RestContext


class ActivityRoom:
    """
    The calls about this node's own activity.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Show what counts.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/activity", self.get_activity, allow_head=False), web.put("/activity", self.declare)]

    @docs(tags=["Multicast"], summary="What this node is doing: what was declared, else what the client does.",
          responses=answers(ActivitySchema, 422))
    async def get_activity(self, request: web.Request) -> web.Response:
        """
        Show the activity that counts now.
        """
        read_query(request)
        return json_response(await self.context.ask(ShowActivity()))

    @docs(tags=["Multicast"], summary="Declare what this node is doing, for some seconds.",
          responses=answers(ActivitySchema, 400, 413, 422))
    @json_schema(DeclareActivitySchema)
    async def declare(self, request: web.Request) -> web.Response:
        """
        Let it count from now on; the newest declaration holds.
        """
        read_query(request)
        body = await read_object(request, ("class", "up", "down", "ttl"))
        kind = body.get("class")
        if not isinstance(kind, str) or kind not in ACTIVITY_CLASSES:
            raise RestError(422, f"class must be one of {', '.join(ACTIVITY_CLASSES)}, not {shown(kind)}")
        if "ttl" not in body:
            raise RestError(422, "ttl must say for how many seconds this counts")
        ttl = take_number(body, "ttl", MIN_TTL, MIN_TTL, MAX_TTL)
        return json_response(await self.context.ask(DeclareActivity(kind, ttl, _rate(body, "up"), _rate(body, "down"))))


def _rate(body: dict[str, Any], name: str) -> float | None:
    """
    A rate that was declared, None when none was; 422 when it cannot be.
    """
    return None if body.get(name) is None else take_number(body, name, 0.0, 0.0, MAX_RATE)
