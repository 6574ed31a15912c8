"""
``GET /friends``, ``PUT`` and ``DELETE /friends/MID``: who the friends of the user are, asking, accepting, and the end.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from .errors import RestError, json_response
from .peer_view import PeerView, all_peers
from .request import read_object, read_query, shown
from .schemas import PeerSchema, PeersSchema, answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import RestContext

MID_PARAMETER = {"in": "path", "name": "mid", "type": "string", "description": "of a node that is known, hex"}


class FriendsRoom:
    """
    The calls about friends.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Make friends by the community.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/friends", self.get_friends, allow_head=False), web.put("/friends/{mid}", self.ask),
                web.delete("/friends/{mid}", self.withdraw)]

    @docs(tags=["Multicast"], summary="Friends, nodes that were asked, and nodes that ask: whose friend is not none.",
          responses=answers(PeersSchema, 422))
    async def get_friends(self, request: web.Request) -> web.Response:
        """
        Show all peers with which there is something.
        """
        read_query(request)
        return json_response({"peers": [view for view in self._peers() if view["friend"] != "none"]})

    @docs(tags=["Multicast"], summary="Ask a node to be friends, or accept when it asked. It is told when it is here.",
          parameters=[MID_PARAMETER], responses=answers(PeerSchema, 400, 404, 413, 422))
    async def ask(self, request: web.Request) -> web.Response:
        """
        Ask or accept; a second time changes nothing.
        """
        return await self._decide(request, self.context.community.ask_friend)

    @docs(tags=["Multicast"], summary="Refuse, take an ask back, or end a friendship: it is gone on both sides.",
          parameters=[MID_PARAMETER], responses=answers(PeerSchema, 400, 404, 413, 422))
    async def withdraw(self, request: web.Request) -> web.Response:
        """
        End what there is; where there is nothing it changes nothing.
        """
        return await self._decide(request, self.context.community.withdraw_friend)

    async def _decide(self, request: web.Request, decide: Callable[[bytes], str]) -> web.Response:
        """
        Check the request, carry out the decision, show the peer.
        """
        read_query(request)
        await read_object(request, (), empty_is_object=True)
        text = request.match_info["mid"]
        if not re.fullmatch(r"[0-9a-fA-F]{40}", text, re.ASCII):
            raise RestError(422, f"mid must be 40 hex digits, not {shown(text)}")
        mid = text.lower()
        try:
            decide(bytes.fromhex(mid))
        except KeyError as error:
            raise RestError(404, f"No node with the mid {mid} is known") from error
        except ValueError as error:
            raise RestError(422, f"The mid {mid} cannot be asked: {error}") from error
        view = next((view for view in self._peers() if view["mid"] == mid), None)
        if view is None:  # It left, and was forgotten, at this very moment.
            raise RestError(404, f"No node with the mid {mid} is known")
        return json_response(view)

    def _peers(self) -> list[PeerView]:
        """
        All peers.
        """
        return all_peers(self.context.database, self.context.community.local_peers())
