"""
``/transfers`` (``POST``, ``GET``) and ``/transfers/ID`` (``GET``, ``PATCH``, ``DELETE``): what this node fetches and
sends coded.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.coded_messages import FetchCoded, ListCoded, PauseCoded, RateCoded, RemoveCoded, ResumeCoded
from .errors import RestError, json_response
from .request import read_flags, read_object, read_query, shown
from .schemas import answers
from .schemas_coded import (
    ChangeTransferSchema,
    CodedTransferSchema,
    CodedTransferWholeSchema,
    FetchSchema,
    RemovedTransferSchema,
    TransfersSchema,
)

if TYPE_CHECKING:
    from .context import RestContext
    from .tokens import Tokens

ID_PARAMETER: Final = {"in": "path", "name": "id", "type": "string", "description": "hex"}
STATES: Final = {"paused": PauseCoded, "active": ResumeCoded}


class TransfersRoom:
    """
    The calls about transfers.
    """

    def __init__(self, context: RestContext, tokens: Tokens) -> None:
        """
        Fetch by the control interface; tell these tokens.
        """
        self.context = context
        self.tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        one = "/transfers/{id}"
        return [web.post("/transfers", self.fetch), web.get("/transfers", self.show, allow_head=False),
                web.get(one, self.show_one, allow_head=False), web.patch(one, self.change),
                web.delete(one, self.remove)]

    @docs(tags=["Multicast"], summary="Fetch a content from whoever offers it on the local network. The same again is "
                                      "the same transfer.",
          responses=answers(CodedTransferSchema, 400, 403, 404, 409, 413, 422, 503))
    @json_schema(FetchSchema)
    async def fetch(self, request: web.Request) -> web.Response:
        """
        Begin, and show it.
        """
        read_query(request)
        body = await read_object(request, ("content_id", "output", "rate"))
        if body.get("content_id") is None:
            raise RestError(422, "content_id must say what to fetch")
        return json_response(await self.context.ask(FetchCoded(body["content_id"], body.get("output"),
                                                               body.get("rate"), follow=False)))

    @docs(tags=["Multicast"], summary="All transfers of this node, and how they go on.",
          responses=answers(TransfersSchema, 422, 503))
    async def show(self, request: web.Request) -> web.Response:
        """
        List them.
        """
        read_query(request)
        return json_response(await self.context.ask(ListCoded()))

    @docs(tags=["Multicast"], summary="One transfer, with its files, and the token with which players get its data.",
          parameters=[ID_PARAMETER], responses=answers(CodedTransferWholeSchema, 404, 422, 503))
    async def show_one(self, request: web.Request) -> web.Response:
        """
        Show it.
        """
        read_query(request)
        return self._whole(await self.context.ask(ListCoded(request.match_info["id"])))

    def _whole(self, view: dict[str, Any]) -> web.Response:
        return json_response({**view, "token": self.tokens.token(view["id"])})

    @docs(tags=["Multicast"], summary="Pause a transfer, go on with it, or limit its rate.", parameters=[ID_PARAMETER],
          responses=answers(CodedTransferWholeSchema, 400, 404, 413, 422, 503))
    @json_schema(ChangeTransferSchema)
    async def change(self, request: web.Request) -> web.Response:
        """
        Change it, and show it.
        """
        read_query(request)
        body = await read_object(request, ("state", "rate"))
        id, state = request.match_info["id"], body.get("state")  # noqa: A001
        if state is not None and (not isinstance(state, str) or state not in STATES):
            raise RestError(422, f"state must be paused or active, not {shown(state)}")
        if "rate" in body:  # First: a wrong one changes nothing.
            await self.context.ask(RateCoded(id, body["rate"]))
        return self._whole(await self.context.ask(ListCoded(id) if state is None else STATES[state](id)))

    @docs(tags=["Multicast"], summary="Give a transfer up, with what it fetched if that is said.",
          parameters=[ID_PARAMETER, {"in": "query", "name": "delete", "type": "boolean", "required": False,
                                     "description": "delete what it fetched; never what is whole, or was published"}],
          responses=answers(RemovedTransferSchema, 404, 409, 422, 503))
    async def remove(self, request: web.Request) -> web.Response:
        """
        Remove it.
        """
        delete = read_flags(request, ("delete",)).get("delete", False)
        return json_response(await self.context.ask(RemoveCoded(request.match_info["id"], delete)))
