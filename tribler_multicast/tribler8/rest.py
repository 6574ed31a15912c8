"""
What the REST calls need inside Tribler: a gate while the plugin is off, and a check at Tribler's own door to the
settings.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from ..restapi.errors import RestError, error_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

    from ..community.multicast import MulticastCommunity
    from ..settings import Settings
    from .config import ConfigSettings

SETTINGS_PATH = "/api/settings"
OPEN_WHILE_OFF = "/api/multicast/settings"


def gate(options: Settings, community: MulticastCommunity) -> Middleware:
    """
    Answer 404 while the plugin is switched off or not started yet, as Tribler does for components that are not there.

    The settings stay open, so that it can be switched on.
    """
    @web.middleware
    async def check_running(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != OPEN_WHILE_OFF:
            if not options["enabled"]:
                raise RestError(404, "The local network is switched off: multicast/enabled is false")
            if not community.running:
                raise RestError(404, "The local network is not started yet")
        return await handler(request)

    return check_running


def settings_door(config: ConfigSettings, applied: Callable[[], Awaitable[None]]) -> Middleware:
    """
    Refuse wrong values of ours in ``POST /api/settings`` with 422 before anything is changed, and answer when all is in
    effect.
    """
    @web.middleware
    async def check_updates(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != SETTINGS_PATH or request.method != "POST":
            return await handler(request)
        try:
            updates = json.loads(await request.read())
        except ValueError:
            updates = None
        if isinstance(updates, dict) and "multicast" in updates:
            refusal = config.refusal(updates["multicast"])
            if refusal is not None:
                return error_response(422, refusal)
            config.take_secrets(updates["multicast"])
            # What Tribler reads, and logs: aiohttp keeps a body that was read here, and offers no other way.
            request._read_bytes = json.dumps(updates).encode()  # noqa: SLF001
        response = await handler(request)
        await applied()
        return response

    return check_updates
