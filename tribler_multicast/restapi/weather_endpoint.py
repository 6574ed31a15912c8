"""
``GET /weather`` and ``GET /weather/history``: how full the gateway is, who does what, and who steps aside.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs

from ..control.messages import ShowWeather, ShowWeatherHistory
from .errors import RestError, json_response
from .request import read_query, shown
from .schemas import WeatherHistorySchema, WeatherSchema, answers

if TYPE_CHECKING:
    from .context import RestContext


class WeatherRoom:
    """
    The calls about the weather.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Show what is known.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/weather", self.get_weather, allow_head=False),
                web.get("/weather/history", self.get_history, allow_head=False)]

    @docs(tags=["Multicast"], summary="The network weather: gateway, own link, all nodes, limits in force here.",
          responses=answers(WeatherSchema, 422, 503))
    async def get_weather(self, request: web.Request) -> web.Response:
        """
        Show it now.
        """
        read_query(request)
        return json_response(await self.context.ask(ShowWeather()))

    @docs(tags=["Multicast"], summary="The weather of the last day, a line a minute.",
          parameters=[{"in": "query", "name": "since", "type": "number", "required": False,
                       "description": "Unix seconds: only minutes that began then or later"}],
          responses=answers(WeatherHistorySchema, 422, 503))
    async def get_history(self, request: web.Request) -> web.Response:
        """
        Show what it was.
        """
        text = read_query(request, ("since",)).get("since", "0")
        try:
            since = float(text)
        except ValueError:
            since = math.nan
        if not math.isfinite(since):
            raise RestError(422, f"since must be a number, not {shown(text)}")
        return json_response(await self.context.ask(ShowWeatherHistory(since)))
