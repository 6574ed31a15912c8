"""
What ``POST /downloads`` takes beside the infohash of something on the local network.
"""
from __future__ import annotations

import re
from typing import Any, Final

from ..control.messages import Fetch
from .errors import RestError
from .request import shown

BY_THE_CLIENT: Final = ("magnet", "torrent", "folder")
"""With one of these in its body a call is for `fetch_of`."""

SOURCES: Final = {
    "magnet": (re.compile(r"magnet:\?.+", re.IGNORECASE | re.DOTALL), "a magnet link"),
    "torrent": (re.compile(r"https?://.+|/.+|[A-Za-z]:[\\/].+", re.IGNORECASE | re.DOTALL),
                "the absolute path or the URL of a .torrent file"),
    "infohash": (re.compile(r"[0-9a-fA-F]{40}"), "40 hex digits"),
}
"""The fields that say what to download: what they look like, and what that is."""


def fetch_of(body: dict[str, Any]) -> Fetch:
    """
    The command of a body that says what to download in one of these fields; 422 when it does not.
    """
    if body.get("file_id") is not None or body.get("timeout") is not None:
        raise RestError(422, "file_id and timeout go with peer only")
    given = [name for name in SOURCES if body.get(name) is not None]
    if len(given) != 1:
        raise RestError(422, f"The body must have one of {', '.join(SOURCES)}")
    [name] = given
    form, words = SOURCES[name]
    source = body[name]
    if not isinstance(source, str) or not form.fullmatch(source):
        raise RestError(422, f"{name} must be {words}, not {shown(source)}")
    return Fetch(source, peer=body.get("peer"), folder=body.get("folder"), follow=False)
