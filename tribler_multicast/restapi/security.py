"""
Who may call: the API key as in Tribler, and Host and Origin checks for calls that change something.

The API key keeps other users of this machine out. The Host check stops DNS rebinding (a web page whose name suddenly
resolves to 127.0.0.1 has the name of its own site in ``Host``), the Origin check stops a web page of another site, or
of another port of this machine, that rides on the cookie of the browser (cookies are shared between ports).
"""
from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from .errors import error_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.typedefs import Handler, Middleware

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = ("/docs", "/static")  # like Tribler: documents, never data
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def api_key_middleware(api_key: str, open_pages: Iterable[str] = ()) -> Middleware:
    """
    Ask for the key in the header ``X-Api-Key``, the query ``key`` or the cookie ``api_key``; 401 without.

    :param open_pages: exact paths that need no key, next to the documents under ``OPEN_PATHS``.
    """
    expected = api_key.encode()
    pages = frozenset(open_pages)

    def is_open(path: str) -> bool:
        return path in pages or any(path == root or path.startswith(root + "/") for root in OPEN_PATHS)

    @web.middleware
    async def check_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = (request.headers.get("X-Api-Key") or request.query.get("key") or request.cookies.get("api_key") or "")
        if is_open(request.path) or hmac.compare_digest(given.encode(errors="surrogateescape"), expected):
            return await handler(request)
        return error_response(401, "Unauthorized access")

    return check_key


class HostPolicy:
    """
    The names under which this server may be addressed by a call that changes something.
    """

    def __init__(self, api_host: str = "127.0.0.1") -> None:
        """
        Permit loopback and the host that the server was told to listen on.

        A server that listens on every address (``0.0.0.0``, ``::``) cannot know its names; it permits every literal
        address, which is safe: rebinding needs a name.
        """
        self.names = LOOPBACK_NAMES | {api_host.lower().strip("[]")}
        self.any_address = _is_unspecified(api_host)

    def permits_host(self, host: str) -> bool:
        """
        May a request name this host (a name or address, without port)?
        """
        name = host.lower().strip("[]")
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback

    def refusal(self, request: web.Request) -> str | None:
        """
        Say why a call that changes something is refused, None when it is not.
        """
        host = request.headers.get("Host")
        target = _parse(f"http://{host}") if host else None
        if target is None or target.host is None or not self.permits_host(target.host):
            return "The Host of this request is not a name of this node"
        origin = request.headers.get("Origin")
        if origin is not None:
            source = _parse(origin)
            if source is None or source.scheme not in {"http", "https"} or source.authority != target.authority:
                return "The Origin of this request is another site"
        elif request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return "This request comes from another site"
        return None


def origin_middleware(policy: HostPolicy) -> Middleware:
    """
    Refuse calls that change something unless Host and Origin are this node's own; 403 otherwise.
    """
    @web.middleware
    async def check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = None if request.method in SAFE_METHODS else policy.refusal(request)
        if refusal is not None:
            return error_response(403, refusal)
        return await handler(request)

    return check_origin


def _is_unspecified(host: str) -> bool:
    """
    Is this the address that means "every address"?
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _parse(url: str) -> URL | None:
    """
    Read a URL that a stranger sent, None when it is none.
    """
    try:
        parsed = URL(url)
        _ = parsed.authority, parsed.host, parsed.explicit_port
    except ValueError:
        return None
    return parsed
