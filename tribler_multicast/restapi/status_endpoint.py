"""
``GET /status`` and ``GET /doctor``: how this node is.
"""
from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from ..policy import effective_policy
from .errors import RestError, json_response
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
        self._examining = asyncio.Lock()

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
        context = self.context
        my_peer, group = context.community.my_peer, context.community.group()
        return json_response({
            "version": context.version,
            "client": context.client.name,
            "mid": my_peer.mid.hex(),
            "public_key": my_peer.public_key.key_to_bin().hex(),
            "nickname": context.options["nickname"],
            "policy": effective_policy(context.options),
            "group": None if group is None else dataclasses.asdict(group),
            "uptime": round(time.monotonic() - context.started, 3),
            "interfaces": [dataclasses.asdict(interface) for interface in context.community.interfaces()],
            "counters": context.community.counters(),
        })

    @docs(tags=["Multicast"], summary="Examine the network of this machine: findings, how bad, and what to do.",
          responses=answers(FindingsSchema, 422, 503))
    async def get_doctor(self, request: web.Request) -> web.Response:
        """
        Examine the network of this machine. It takes a second or two; a second caller is told to wait.
        """
        from .. import doctor  # noqa: PLC0415 (rarely used, costs start time)

        read_query(request)
        if self._examining.locked():
            raise RestError(503, "The doctor is busy with another request, try again in a few seconds")
        async with self._examining:
            community = self.context.community
            findings = await asyncio.to_thread(doctor.examine, self.context.options, community.interfaces(),
                                               community.group())
        return json_response({"findings": [dataclasses.asdict(finding) for finding in findings]})
