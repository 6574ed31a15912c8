"""
Errors in Tribler's shape, ``{"error": {"handled": true, "message": "..."}}``, whatever goes wrong.
"""
from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)


class RestError(Exception):
    """
    A request cannot be served: an HTTP status and one clear line.
    """

    def __init__(self, status: int, message: str) -> None:
        """
        Remember what to answer.
        """
        super().__init__(message)
        self.status = status
        self.message = message


def json_response(body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """
    Answer with a JSON document.
    """
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json",
                        headers=headers)


def error_response(status: int, message: str, handled: bool = True,
                   headers: Mapping[str, str] | None = None) -> web.Response:
    """
    Answer with an error in Tribler's shape.
    """
    return json_response({"error": {"handled": handled, "message": message}}, status, headers)


def _from_http_exception(request: web.Request, error: web.HTTPException) -> web.Response:
    """
    Put an error that aiohttp raised by itself in Tribler's shape.
    """
    if isinstance(error, web.HTTPNotFound):
        return error_response(404, f"Could not find {request.path}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return error_response(405, f"{request.method} is not allowed on {request.path}, use {allowed}",
                              headers={"Allow": allowed})
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return error_response(413, "The request is too large")
    return error_response(error.status, error.reason)


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """
    Turn every exception into an answer in Tribler's shape.

    What was not foreseen is told to the log only: a traceback shows paths and values that are nobody's business.
    """
    try:
        return await handler(request)
    except RestError as error:
        return error_response(error.status, error.message, error.status != 500)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _from_http_exception(request, error)
    except ConnectionError:
        # The client went away: nobody is left to answer, and nothing is wrong with this node.
        raise
    except Exception:
        logger.exception("Unexpected error while serving %s %s", request.method, request.path)
        return error_response(500, "Internal error, the log of the node says more", handled=False)
