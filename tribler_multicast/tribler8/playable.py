"""
Which file of a torrent Tribler can play while it arrives, and where.
"""
from __future__ import annotations

import mimetypes
from typing import Any, Final

from .errors import guarded

MOST_FILES: Final = 5000
"""Files of a torrent that are looked at: with more it is no film."""

KEPT: Final = 10_000
"""Torrents of which the answer is kept: it does not change, and is asked for each second."""


class StreamPaths:
    """
    The addresses of Tribler's own streams, as paths on its server.
    """

    def __init__(self) -> None:
        """
        Know of none.
        """
        self._known: dict[bytes, str | None] = {}

    def of(self, infohash: bytes, information: Any) -> str | None:  # noqa: ANN401
        """
        Get where a torrent plays; None when there is no film or sound in it, or it is not known yet what is.
        """
        if information is None:
            return None
        if infohash not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[infohash] = self._find(infohash, information)
        return self._known[infohash]

    @guarded("looking for what can be played")
    def _find(self, infohash: bytes, information: Any) -> str | None:  # noqa: ANN401
        count = int(information.num_files())
        if count > MOST_FILES:
            return None
        sizes = {}
        for number in range(count):
            file = information.file_at(number)
            kind = mimetypes.guess_type(str(file.path))[0] or ""
            if kind.startswith(("video/", "audio/")):
                sizes[number] = int(file.size)
        if not sizes:
            return None
        return f"/api/downloads/{infohash.hex()}/stream/{max(sizes, key=sizes.__getitem__)}"
