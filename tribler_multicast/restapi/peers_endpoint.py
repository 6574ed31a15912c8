"""
``GET /peers`` and ``POST /discover``: who else is here, and who was.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..protocol.introduction import CAPABILITIES
from .errors import RestError, json_response
from .peer_view import FILTERS, all_peers, live
from .request import read_flags, read_object, read_query, take_names, take_number
from .schemas import DiscoverSchema, PeersSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

MAX_DISCOVER_TIMEOUT = 60.0
"""Seconds. Stops a forgotten request from holding its connection for ever; a LAN answers within two."""

MIN_DISCOVER_TIMEOUT = 0.05
"""Seconds. Less than one exchange on a busy Wi-Fi takes: nobody could answer in time."""

MAX_DISCOVERS = 8
"""Discoveries at once. Each speaks to the whole LAN; stops a script in a loop from making this node shout."""


class PeersRoom:
    """
    The calls about peers.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Serve what the community and the database know.
        """
        self.context = context
        self._discovers = 0

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
        views = all_peers(self.context.database, self.context.community.local_peers())
        return json_response({"peers": [view for view in views
                                        if all(FILTERS[name](view) == wanted for name, wanted in flags.items())]})

    @docs(tags=["Multicast"], summary="Ask the LAN who is there now, and collect the answers for some seconds.",
          responses=answers(PeersSchema, 400, 413, 422, 503))
    @json_schema(DiscoverSchema)
    async def discover(self, request: web.Request) -> web.Response:
        """
        Ask who is there. An empty body asks for everybody, with the default time of 2 s.
        """
        read_query(request)
        body = await read_object(request, ("timeout", "capabilities"), empty_is_object=True)
        timeout = take_number(body, "timeout", 2.0, MIN_DISCOVER_TIMEOUT, MAX_DISCOVER_TIMEOUT)
        capabilities = take_names(body, "capabilities", CAPABILITIES)
        if not self.context.options["enabled"]:
            raise RestError(503, "This node is switched off, the setting enabled is false")
        if self._discovers >= MAX_DISCOVERS:
            raise RestError(503, f"{MAX_DISCOVERS} discoveries are running already, try again later")
        self._discovers += 1
        try:
            found = await self.context.community.discover(timeout=timeout, capabilities=capabilities)
        finally:
            self._discovers -= 1
        known = {view["mid"]: view for view in all_peers(self.context.database, self.context.community.local_peers())}
        peers = {item.peer.mid.hex(): item.peer for item in found}
        return json_response({"peers": [known.get(mid) or live(peer) for mid, peer in peers.items()]})
