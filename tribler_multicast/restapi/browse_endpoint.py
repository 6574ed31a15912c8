"""
``GET /browse``: folders and files of the node's machine, for choosing what to offer; in the shape of Tribler's own.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from ..control.messages import Browse
from .errors import RestError, json_response
from .request import read_query
from .schemas import answers
from .schemas_coded import BrowseSchema

if TYPE_CHECKING:
    from .context import RestContext

FLAGS = {"true": True, "1": True, "false": False, "0": False}


class BrowseRoom:
    """
    The call that looks at folders.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Look by the control interface.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/browse", self.browse, allow_head=False)]

    @docs(tags=["Multicast"], summary="What is in a folder of the node's machine, the folders first.",
          parameters=[{"in": "query", "name": "path", "type": "string", "required": False,
                       "description": "absolute; absent: the home folder. Of what is no folder, the one it is in"},
                      {"in": "query", "name": "files", "type": "boolean", "required": False,
                       "description": "list files too, default true"}],
          responses=answers(BrowseSchema, 403, 404, 422))
    async def browse(self, request: web.Request) -> web.Response:
        """
        List it.
        """
        query = read_query(request, ("path", "files"))
        files = FLAGS.get(query.get("files", "true"))
        if files is None:
            raise RestError(422, "The query files must be true or false")
        return json_response(await self.context.ask(Browse(query.get("path") or None, files)))
