"""
The REST server of a standalone node: Tribler's key, error shapes and documentation, without Tribler.
"""
from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp_apispec import AiohttpApiSpec
from ipv8.REST.overlays_endpoint import OverlaysEndpoint

from .. import __version__
from ..page.serve import page_routes
from ..restapi.errors import error_middleware
from ..restapi.security import HostPolicy, api_key_middleware, origin_middleware

if TYPE_CHECKING:
    import socket

    from ipv8_service import IPv8

    from ..restapi.endpoint import MulticastEndpoint

logger = logging.getLogger(__name__)

http_logger = logging.getLogger(f"{__name__}.http")


def _is_ours(record: logging.LogRecord) -> bool:
    """
    Tell whether something is worth a line: what a caller sent that is no HTTP is not. Anybody who reaches the port can
    send that, before any key is asked for, and each time the log would grow by a traceback.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


http_logger.addFilter(_is_ours)

SHUTDOWN_TIMEOUT = 0.3
"""Seconds that a request in progress may still take when the node stops. It has to be gone within two."""


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    """
    Headers that keep a browser from guessing types, from telling the key (in the URL) on, and from framing.
    """
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Frame-Options", "DENY")
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")


class RestServer:
    """
    Serves the API, its documentation and the page on one bound socket.
    """

    def __init__(self, endpoint: MulticastEndpoint, ipv8: IPv8, api_key: str, policy: HostPolicy) -> None:
        """
        Create the server, not yet listening.
        """
        self.app = web.Application(middlewares=[error_middleware, endpoint.door,
                                                api_key_middleware(api_key, open_pages=("/",)),
                                                origin_middleware(policy)])
        self.app.on_response_prepare.append(_harden)
        self.app.add_subapp(endpoint.path, endpoint.app)
        # Only the call that looks: the others of IPv8's endpoint change things that a standalone node does not have.
        overlays = OverlaysEndpoint()
        overlays.initialize(ipv8)
        self.app.router.add_get("/api/ipv8/overlays", overlays.get_overlays, allow_head=False)
        self.app.add_routes(page_routes())
        self._document()
        self.runner: web.AppRunner | None = None

    def _document(self) -> None:
        """
        Serve the documentation under ``/docs``, as Tribler does.
        """
        # Not setup_aiohttp_apispec: the security scheme needs the APISpec itself. How that uses aiohttp makes aiohttp
        # warn, which says nothing to whoever runs a node.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            apispec = AiohttpApiSpec(url="/docs/swagger.json", app=self.app, title="tribler-multicast REST API",
                                     version=__version__, swagger_path="/docs", in_place=True)
            apispec.spec.options["security"] = [{"apiKey": []}]
            apispec.spec.components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-Api-Key"})
            self.app["swagger_dict"] = apispec.swagger_dict()

    async def start(self, listener: socket.socket) -> None:
        """
        Listen on a bound socket.
        """
        self.runner = web.AppRunner(self.app, access_log=None, logger=http_logger, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await self.runner.setup()
        await web.SockSite(self.runner, listener).start()

    async def stop(self) -> None:
        """
        Stop listening and end what is still open.
        """
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None
