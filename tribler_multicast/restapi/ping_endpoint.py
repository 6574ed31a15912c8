"""
``POST /ping``: how long multicast takes to a node and back, and how much of it gets lost.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..protocol.limits import MAX_PING_COUNT
from .errors import RestError, json_response
from .request import read_object, read_query, shown
from .schemas import PingResultsSchema, PingSchema, answers

if TYPE_CHECKING:
    from ..community.local_peer import PingResult
    from .context import RestContext

DEFAULT_COUNT = 4

MAX_PINGS = 4
"""Calls at once. Each speaks to the whole LAN; stops a script in a loop from making this node shout."""


class PingRoom:
    """
    The call that pings.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Ping by the community.
        """
        self.context = context
        self._pings = 0

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
        mid, count, throughput = _mid(body), _count(body), _throughput(body)
        if not self.context.options["enabled"]:
            raise RestError(503, "This node is switched off, the setting enabled is false")
        if self._pings >= MAX_PINGS:
            raise RestError(503, f"{MAX_PINGS} pings are running already, try again later")
        self._pings += 1
        try:
            community = self.context.community
            results = (await community.ping_all(count, throughput=throughput) if mid is None
                       else [await community.ping(mid, count, throughput=throughput)])
        except KeyError as error:
            raise RestError(404, f"No node that is local now has the mid {body['mid']}") from error
        except ValueError as error:
            raise RestError(503, str(error)) from error
        finally:
            self._pings -= 1
        return json_response({"results": [_view(result) for result in results]})


def _mid(body: dict[str, Any]) -> bytes | None:
    """
    The mid that is asked for, None for all; 422 when it is none.
    """
    mid = body.get("mid")
    if mid is None:
        return None
    if not isinstance(mid, str) or not re.fullmatch(r"[0-9a-fA-F]{40}", mid):
        raise RestError(422, f"mid must be 40 hex digits, not {shown(mid)}")
    return bytes.fromhex(mid)


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


def _milliseconds(seconds: float | None) -> float | None:
    """
    A time as it is shown; unknown stays unknown.
    """
    return None if seconds is None else 1000 * seconds


def _view(result: PingResult) -> dict[str, Any]:
    """
    A result as JSON has it.
    """
    return {"mid": result.mid.hex(), "sent": result.sent, "received": result.received, "loss": result.loss,
            "min_ms": _milliseconds(result.min), "avg_ms": _milliseconds(result.avg),
            "max_ms": _milliseconds(result.max), "unicast_rtt_ms": _milliseconds(result.unicast_rtt),
            "throughput_mbps": None if result.throughput_mbps is None else round(result.throughput_mbps, 2)}
