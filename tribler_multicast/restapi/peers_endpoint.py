"""
``GET /peers`` and ``POST /discover``: who else is here, and who was.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.lan import MAX_DISCOVER_TIMEOUT, MIN_TIMEOUT
from ..control.messages import Discover, ListPeers
from ..control.peer_view import FILTERS
from ..protocol.introduction import CAPABILITIES
from .errors import json_response
from .request import read_flags, read_object, read_query, take_names, take_number
from .schemas import DiscoverSchema, PeersSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

class PeersRoom:
    """
    The calls about peers.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Serve what the community and the database know.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/peers", self.get_peers, allow_head=False), web.post("/discover", self.discover)]

    @docs(tags=["Multicast"], summary="The peers that are local now and those that are remembered.",
          parameters=[{"in": "query", "name": name, "type": "boolean", "required": False,
                       "description": f"only peers for which {meaning}, or for which not"}
                      for name, meaning in (("local", "is_local holds"), ("online", "online holds"),
                                            ("friend", "friend is mutual"))],
          responses=answers(PeersSchema, 422))
    async def get_peers(self, request: web.Request) -> web.Response:
        """
        Show the peers that pass all the given filters.
        """
        flags = read_flags(request, FILTERS)
        return json_response(await self.context.ask(
            ListPeers(flags.get("local"), flags.get("online"), flags.get("friend"))))

    @docs(tags=["Multicast"], summary="Ask the LAN who is there now, and collect the answers for some seconds.",
          responses=answers(PeersSchema, 400, 413, 422, 503))
    @json_schema(DiscoverSchema)
    async def discover(self, request: web.Request) -> web.Response:
        """
        Ask who is there. An empty body asks for everybody, with the default time of 2 s.
        """
        read_query(request)
        body = await read_object(request, ("timeout", "capabilities"), empty_is_object=True)
        timeout = take_number(body, "timeout", 2.0, MIN_TIMEOUT, MAX_DISCOVER_TIMEOUT)
        capabilities = take_names(body, "capabilities", CAPABILITIES)
        return json_response(await self.context.ask(Discover(timeout, tuple(capabilities))))
