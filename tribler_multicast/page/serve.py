"""
Serving the page. Its files hold no data, so they need no API key; the module fetches the data with the key.
"""
from __future__ import annotations

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent

CONTENT_SECURITY_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                           "img-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
                           "frame-ancestors 'none'")
"""Nothing inline and nothing from elsewhere: a name that a stranger on the LAN chose can never become a script.
A live stream is put together here before it is played: that is what blob: is for, which runs nothing."""

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}


def page_files() -> dict[str, tuple[Path, str]]:
    """
    Find the files that the page consists of: path below its own folder, as in a URL, -> file and type.
    """
    found = (path for kind in (".js", ".css", ".svg") for path in FOLDER.rglob(f"*{kind}"))
    return {path.relative_to(FOLDER).as_posix(): (path, TYPES[path.suffix]) for path in sorted(found)}


def on_demand() -> frozenset[str]:
    """
    Tell which of them nobody loads who does not need them: languages but English, and what plays live streams.
    """
    always = ("strings.js", "strings.en.js")
    return frozenset(name for name in page_files()
                     if name == "vendor/hls.js" or (name.startswith("strings.") and name not in always))


FILES = {"/": (FOLDER / "index.html", "text/html"),
         **{f"/static/{name}": found for name, found in page_files().items()}}
"""Path -> file and type. Only these: nothing that a caller writes becomes a path on the disk."""


def page_routes() -> list[web.RouteDef]:
    """
    The paths of the page.
    """
    return [web.get(path, _serve, allow_head=False) for path in FILES]


async def _serve(request: web.Request) -> web.Response:
    """
    Answer with one of the files.
    """
    file, content_type = FILES[request.path]
    return web.Response(body=file.read_bytes(), content_type=content_type, charset="utf-8",
                        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"})
