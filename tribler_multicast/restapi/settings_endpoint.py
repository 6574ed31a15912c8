"""
``GET /settings`` and ``PATCH /settings``.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.messages import ChangeSettings, ShowSettings
from .errors import json_response
from .request import read_object, read_query
from .schemas import SettingsChangeSchema, SettingsSchema, answers

if TYPE_CHECKING:
    from .context import RestContext


class SettingsRoom:
    """
    The calls about settings.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Serve the settings of the context.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/settings", self.get_settings, allow_head=False), web.patch("/settings", self.patch_settings)]

    @docs(tags=["Multicast"], summary="Every setting with its type, unit, limits, help and value.",
          responses=answers(SettingsSchema, 422))
    async def get_settings(self, request: web.Request) -> web.Response:
        """
        Show every setting.
        """
        read_query(request)
        return json_response(await self.context.ask(ShowSettings()))

    @docs(tags=["Multicast"], summary="Change settings: all of them, or none when one is wrong.",
          responses=answers(SettingsSchema, 400, 413, 422, 503))
    @json_schema(SettingsChangeSchema)
    async def patch_settings(self, request: web.Request) -> web.Response:
        """
        Change settings, and answer with every setting. They are saved before they take effect.
        """
        read_query(request)
        return json_response(await self.context.ask(ChangeSettings(await read_object(request))))
