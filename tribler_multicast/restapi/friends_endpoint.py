"""
``GET /friends``, ``PUT`` and ``DELETE /friends/MID``: who the friends of the user are, asking, accepting, and the end.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from ..control.messages import AddFriend, ListFriends, RemoveFriend
from .errors import json_response
from .request import read_object, read_query
from .schemas import PeerSchema, PeersSchema, answers

if TYPE_CHECKING:
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
        return json_response(await self.context.ask(ListFriends()))

    @docs(tags=["Multicast"], summary="Ask a node to be friends, or accept when it asked. It is told when it is here.",
          parameters=[MID_PARAMETER], responses=answers(PeerSchema, 400, 404, 413, 422))
    async def ask(self, request: web.Request) -> web.Response:
        """
        Ask or accept; a second time changes nothing.
        """
        return await self._decide(request, AddFriend)

    @docs(tags=["Multicast"], summary="Refuse, take an ask back, or end a friendship: it is gone on both sides.",
          parameters=[MID_PARAMETER], responses=answers(PeerSchema, 400, 404, 413, 422))
    async def withdraw(self, request: web.Request) -> web.Response:
        """
        End what there is; where there is nothing it changes nothing.
        """
        return await self._decide(request, RemoveFriend)

    async def _decide(self, request: web.Request, command: type[AddFriend | RemoveFriend]) -> web.Response:
        """
        Check the request, carry out the decision, show the peer.
        """
        read_query(request)
        await read_object(request, (), empty_is_object=True)
        return json_response(await self.context.ask(command(request.match_info["mid"])))
