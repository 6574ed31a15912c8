"""
Serving the page. Its files hold no data, so they need no API key; the module fetches the data with the key.
"""
from __future__ import annotations

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent

CONTENT_SECURITY_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                           "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
"""Nothing inline and nothing from elsewhere: a name that a stranger on the LAN chose can never become a script."""

FILES = {
    "/": ("index.html", "text/html"),
    "/static/local-network.js": ("local-network.js", "text/javascript"),
    "/static/local-network.css": ("local-network.css", "text/css"),
    "/static/local-network.svg": ("local-network.svg", "image/svg+xml"),
}
"""Path -> file and type."""


def page_routes() -> list[web.RouteDef]:
    """
    The paths of the page.
    """
    return [web.get(path, _serve, allow_head=False) for path in FILES]


async def _serve(request: web.Request) -> web.Response:
    """
    Answer with one of the files.
    """
    name, content_type = FILES[request.path]
    return web.Response(body=(FOLDER / name).read_bytes(), content_type=content_type, charset="utf-8",
                        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"})
