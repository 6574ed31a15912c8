"""
``POST``, ``GET`` and ``DELETE /publications``: what this node offers to the local network.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.coded_messages import ListPublications, PublishCoded, WithdrawCoded
from .errors import RestError, json_response
from .request import read_object, read_query
from .schemas import answers
from .schemas_coded import PublicationSchema, PublicationsSchema, PublishSchema, UnpublishedSchema

if TYPE_CHECKING:
    from .context import RestContext


class PublicationsRoom:
    """
    The calls about publications.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Publish by the control interface.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.post("/publications", self.publish), web.get("/publications", self.show, allow_head=False),
                web.delete("/publications/{id}", self.withdraw)]

    @docs(tags=["Multicast"], summary="Offer a file or folder. It is hashed, and offered, when this answers; a second "
                                      "time changes nothing.",
          responses=answers(PublicationSchema, 400, 403, 404, 409, 413, 422, 503))
    @json_schema(PublishSchema)
    async def publish(self, request: web.Request) -> web.Response:
        """
        Publish, and show it.
        """
        read_query(request)
        body = await read_object(request, ("path",))
        if body.get("path") is None:
            raise RestError(422, "path must say what to publish")
        return json_response(await self.context.ask(PublishCoded(body["path"])))

    @docs(tags=["Multicast"], summary="What this node offers, and to how many.",
          responses=answers(PublicationsSchema, 422, 503))
    async def show(self, request: web.Request) -> web.Response:
        """
        List them.
        """
        read_query(request)
        return json_response(await self.context.ask(ListPublications()))

    @docs(tags=["Multicast"], summary="Offer something no more; the files stay.",
          parameters=[{"in": "path", "name": "id", "type": "string", "description": "content id, hex"}],
          responses=answers(UnpublishedSchema, 404, 422, 503))
    async def withdraw(self, request: web.Request) -> web.Response:
        """
        Withdraw it.
        """
        read_query(request)
        return json_response(await self.context.ask(WithdrawCoded(request.match_info["id"])))
