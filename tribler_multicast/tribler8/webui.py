"""
Tribler's own user interface with the page in it: what serves its files is replaced by a subclass, which adds one tag to
``index.html`` and gives the files of the page. Nothing on the disk is changed.

Paths below ``/ui`` need no API key, so there is nothing here but files that everybody can have; the page gets its data
from ``/api/multicast``, with the key that the browser has.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..gui_patch.inject import PREFIX, with_tag
from ..page.serve import page_files

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

FILES = page_files()
"""Name -> file and type. Only these: nothing that a caller writes becomes a path on the disk."""

INDEX = "index.html"

HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
"""Asked for again each time: what a browser kept of an older plugin, or of one that is gone, must not go on."""


class Switch:
    """
    Whether the page is to be seen: not before the plugin is there, and not while it is switched off.
    """

    def __init__(self) -> None:
        """
        Start with no.
        """
        self.wanted: Callable[[], bool] = lambda: False


switch = Switch()
"""The one of this process, as Tribler has one user interface."""


def with_page(base: Any, shown: Switch = switch) -> type:  # noqa: ANN401
    """
    Make the class that serves Tribler's user interface with the page, of the class that serves it without.
    """
    class WebUIEndpoint(base):  # type: ignore[misc]
        """
        Tribler's class, and what is said above.
        """

        async def return_files(self, request: web.Request) -> web.StreamResponse:
            """
            Give a file of the page; else what Tribler gives, its index with the tag.
            """
            path = request.match_info["path"] or INDEX
            if path.startswith(PREFIX):
                return _file(path.removeprefix(PREFIX))
            response: web.StreamResponse = await super().return_files(request)
            if path != INDEX:
                return response
            try:
                return self._with_tag(response) if shown.wanted() else response
            except Exception:
                logger.critical("tribler-multicast works without its page", exc_info=True)
                return response

        def _with_tag(self, response: web.StreamResponse) -> web.StreamResponse:
            """
            Add the tag to the index, which comes from the build or, where there is none, from a development server.
            """
            if isinstance(response, web.FileResponse):
                html = (self.webui_root / "dist" / INDEX).read_bytes()
            else:
                html = bytes(response.body)  # type: ignore[attr-defined]
            changed = with_tag(html)
            if changed is None:
                logger.critical("tribler-multicast works without its page: the index of this Tribler's user interface "
                                "has no place for it")
                return response
            return web.Response(body=changed, content_type="text/html", charset="utf-8", headers=HEADERS)

    return WebUIEndpoint


def _file(name: str) -> web.Response:
    """
    Give a file of the page.
    """
    found = FILES.get(name)
    if found is None:
        raise web.HTTPNotFound
    path, content_type = found
    return web.Response(body=path.read_bytes(), content_type=content_type, charset="utf-8", headers=HEADERS)
