"""
``POST /ping``: how long multicast takes to a node and back, and how much of it gets lost.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.messages import Ping
from ..protocol.limits import MAX_PING_COUNT
from .errors import RestError, json_response
from .request import read_object, read_query, shown
from .schemas import PingResultsSchema, PingSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

DEFAULT_COUNT = 4


class PingRoom:
    """
    The call that pings.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Ping by the community.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.post("/ping", self.ping)]

    @docs(tags=["Multicast"], summary="Ping one local node by multicast, or all, and tell times and loss of each.",
          responses=answers(PingResultsSchema, 400, 404, 413, 422, 503))
    @json_schema(PingSchema)
    async def ping(self, request: web.Request) -> web.Response:
        """
        Ping. An empty body pings all, four times. With throughput, packet trains are sent afterwards.
        """
        read_query(request)
        body = await read_object(request, ("mid", "count", "throughput"), empty_is_object=True)
        return json_response(await self.context.ask(Ping(_mid(body), _count(body), _throughput(body))))


def _mid(body: dict[str, Any]) -> str | None:
    """
    The mid that is asked for, None for all; 422 when it is none.
    """
    mid = body.get("mid")
    if mid is None:
        return None
    if not isinstance(mid, str):
        raise RestError(422, f"mid must be 40 hex digits, not {shown(mid)}")
    return mid


def _count(body: dict[str, Any]) -> int:
    """
    How many times; 422 when it is no whole number in range.
    """
    count = body.get("count", DEFAULT_COUNT)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_PING_COUNT:
        raise RestError(422, f"count must be a whole number from 1 to {MAX_PING_COUNT}, not {shown(count)}")
    return count


def _throughput(body: dict[str, Any]) -> bool:
    """
    Whether throughput is to be measured too; 422 when it is neither true nor false.
    """
    throughput = body.get("throughput", False)
    if not isinstance(throughput, bool):
        raise RestError(422, f"throughput must be true or false, not {shown(throughput)}")
    return throughput
