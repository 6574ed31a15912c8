"""
``GET /settings`` and ``PATCH /settings``.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..settings import SETTINGS, SettingError, check
from .errors import RestError, json_response
from .request import read_object, read_query, shown
from .schemas import SettingsChangeSchema, SettingsSchema, answers

if TYPE_CHECKING:
    from .context import RestContext

logger = logging.getLogger(__name__)


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
        return json_response({"settings": self.context.options.describe()})

    @docs(tags=["Multicast"], summary="Change settings: all of them, or none when one is wrong.",
          responses=answers(SettingsSchema, 400, 413, 422, 503))
    @json_schema(SettingsChangeSchema)
    async def patch_settings(self, request: web.Request) -> web.Response:
        """
        Change settings, and answer with every setting. They are saved before they take effect.
        """
        read_query(request)
        changes = checked(await read_object(request))
        try:
            await self.context.change_settings(changes)
        except SettingError as error:
            raise RestError(422, str(error)) from error
        except Exception as error:
            logger.exception("The settings could not be saved")
            raise RestError(503, "The settings could not be saved, so nothing is changed: "
                                 "is the disk full or read-only?") from error
        return json_response({"settings": self.context.options.describe()})


def checked(changes: dict[str, Any]) -> dict[str, Any]:
    """
    The changes with every value checked; 422 on the first that is wrong.
    """
    for name in changes:
        if name not in SETTINGS:
            raise RestError(422, f"There is no setting {shown(name)}")
    try:
        return {name: check(SETTINGS[name], value) for name, value in changes.items()}
    except SettingError as error:
        raise RestError(422, str(error)) from error
