"""
``GET /status`` and ``GET /doctor``: how this node is.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from ..control.messages import Examine, ShowStatus
from .errors import json_response
from .request import read_query
from .schemas import FindingsSchema, StatusSchema, answers

if TYPE_CHECKING:
    from .context import RestContext


class StatusRoom:
    """
    The calls that only look.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Serve what the context shows.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/status", self.get_status, allow_head=False),
                web.get("/doctor", self.get_doctor, allow_head=False)]

    @docs(tags=["Multicast"], summary="This node: who it is, its interfaces, and what it sent, received and dropped.",
          responses=answers(StatusSchema, 422))
    async def get_status(self, request: web.Request) -> web.Response:
        """
        Show this node.
        """
        read_query(request)
        return json_response(await self.context.ask(ShowStatus()))

    @docs(tags=["Multicast"], summary="Examine the network of this machine: findings, how bad, and what to do.",
          responses=answers(FindingsSchema, 422, 503))
    async def get_doctor(self, request: web.Request) -> web.Response:
        """
        Examine the network of this machine. It takes a second or two; a second caller is told to wait.
        """
        read_query(request)
        return json_response(await self.context.ask(Examine()))
