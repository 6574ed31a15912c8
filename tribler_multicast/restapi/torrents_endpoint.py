"""
``POST /torrents``, ``GET /downloads``, ``PATCH`` and ``DELETE /downloads/INFOHASH``: the torrents of this node.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.messages import ListTransfers, MakeTorrent, SetRate, Stop
from .errors import RestError, json_response
from .request import read_flags, read_object, read_query
from .schemas import (
    DownloadsSchema,
    LimitSchema,
    MadeTorrentSchema,
    MakeTorrentSchema,
    StoppedSchema,
    TransferSchema,
    answers,
)

if TYPE_CHECKING:
    from .context import RestContext

INFOHASH_PARAMETER = {"in": "path", "name": "infohash", "type": "string", "description": "hex"}


class TorrentsRoom:
    """
    The calls about torrents that are made or go on.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Make and move them by the control interface.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        # By their length they differ from the files that are waited for (search_endpoint).
        one = "/downloads/{infohash:[0-9a-fA-F]{40}}"
        return [web.post("/torrents", self.make), web.get("/downloads", self.downloads, allow_head=False),
                web.patch(one, self.limit), web.delete(one, self.stop)]

    @docs(tags=["Multicast"], summary="Make a torrent of a file or folder, and seed it. It is made when this answers.",
          responses=answers(MadeTorrentSchema, 400, 403, 404, 409, 413, 422, 503))
    @json_schema(MakeTorrentSchema)
    async def make(self, request: web.Request) -> web.Response:
        """
        Make a torrent.
        """
        read_query(request)
        body = await read_object(request, ("path", "output", "seed", "publish", "trackers", "title"))
        if "path" not in body:
            raise RestError(422, "path must say what to make a torrent of")
        return json_response(await self.context.ask(MakeTorrent(**_without_null(body))))

    @docs(tags=["Multicast"], summary="All torrents of this node, and how they go on.",
          responses=answers(DownloadsSchema, 422, 503))
    async def downloads(self, request: web.Request) -> web.Response:
        """
        List them.
        """
        read_query(request)
        return json_response({"downloads": (await self.context.ask(ListTransfers()))["transfers"]})

    @docs(tags=["Multicast"], summary="Limit the rates of one torrent.", parameters=[INFOHASH_PARAMETER],
          responses=answers(TransferSchema, 400, 404, 413, 422, 503))
    @json_schema(LimitSchema)
    async def limit(self, request: web.Request) -> web.Response:
        """
        Limit it, and show it.
        """
        read_query(request)
        body = await read_object(request, ("up", "down"))
        infohash = request.match_info["infohash"].lower()
        now = await self._transfer(infohash) or {"up_limit": None, "down_limit": None}
        await self.context.ask(SetRate(infohash, body.get("up", now["up_limit"]), body.get("down", now["down_limit"])))
        limited = await self._transfer(infohash)
        if limited is None:  # It was given up at this very moment.
            raise RestError(404, f"there is no torrent {infohash}")
        return json_response(limited)

    async def _transfer(self, infohash: str) -> dict[str, Any] | None:
        """
        How one torrent goes on; None when there is none.
        """
        transfers: list[dict[str, Any]] = (await self.context.ask(ListTransfers()))["transfers"]
        return next((transfer for transfer in transfers if transfer["infohash"] == infohash), None)

    @docs(tags=["Multicast"], summary="Give a torrent up, with its downloaded data if that is said.",
          parameters=[INFOHASH_PARAMETER,
                      {"in": "query", "name": "delete", "type": "boolean", "required": False,
                       "description": "delete its data too; never what was only seeded"}],
          responses=answers(StoppedSchema, 404, 422, 503))
    async def stop(self, request: web.Request) -> web.Response:
        """
        Give it up.
        """
        delete = read_flags(request, ("delete",)).get("delete", False)
        return json_response(await self.context.ask(Stop(request.match_info["infohash"], delete)))


def _without_null(body: dict[str, Any]) -> dict[str, Any]:
    """
    A body without fields that are null, which is the same as absent.
    """
    return {name: value for name, value in body.items() if value is not None or name == "path"}
