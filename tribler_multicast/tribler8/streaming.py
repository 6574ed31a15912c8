"""
What is streamed in this Tribler now: torrents that a player reads from, or waits for, without anonymity.
"""
from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any, Final

from ..client import Result
from .errors import find, guarded

if TYPE_CHECKING:
    from .privacy import Privacy

LINGER: Final = 3.0
"""Seconds that a stream is still listed after a player was seen last: players read in pieces, with gaps."""

MOST_BUFFERING: Final = 60.0
"""Seconds that waiting for the first pieces counts: Tribler does not notice when a player gives up meanwhile."""


class Streaming:
    """
    Watches Tribler's streams.
    """

    def __init__(self, download_manager: Any, privacy: Privacy) -> None:  # noqa: ANN401
        """
        Watch the streams of this manager.

        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        find(download_manager, "downloads")
        self.download_manager = download_manager
        self.privacy = privacy
        self.buffering: dict[int, tuple[Any, float]] = {}
        """Streams that wait for their first pieces, and since when."""
        self.seen: dict[bytes, float] = {}
        """When each infohash was seen to be streamed last."""
        self._hook(find(importlib.import_module("tribler.core.libtorrent.download_manager.stream"), "Stream"))

    def _hook(self, stream_class: Any) -> None:  # noqa: ANN401
        """
        Notice when a stream begins to wait for its first pieces, and when it has them.
        """
        enable = find(stream_class, "enable")
        buffering, note = self.buffering, self.note

        async def noticed(stream: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            buffering[id(stream)] = stream, time.monotonic()
            try:
                await enable(stream, *args, **kwargs)
            finally:
                buffering.pop(id(stream), None)
                note(stream)

        stream_class.enable = noticed
        self.stream_class, self.enable, self.noticed = stream_class, enable, noticed

    def unhook(self) -> None:
        """
        Leave Tribler as it was, unless somebody else wrapped it since.
        """
        if self.stream_class.enable is self.noticed:
            self.stream_class.enable = self.enable

    @guarded("noting a stream")
    def note(self, stream: Any) -> None:  # noqa: ANN401
        """
        Note that a stream has its first pieces: a short one is over before anybody looks.
        """
        self.seen[stream.download.tdef.infohash] = time.monotonic()

    @guarded("looking at streams")
    def look(self) -> None:
        """
        Note what is streamed; call it about twice a second.
        """
        now = time.monotonic()
        waiting = {id(stream) for stream, since in self.buffering.values() if now - since < MOST_BUFFERING}
        for infohash, download in list(self.download_manager.downloads.items()):
            stream = getattr(download, "stream", None)
            if stream is not None and (stream.cursor_pieces or id(stream) in waiting):
                self.seen[infohash] = now
        self.seen = {infohash: when for infohash, when in self.seen.items() if now - when < LINGER}

    def watched(self) -> set[bytes]:
        """
        Get the infohashes of what somebody watches here without anonymity, private or not; for this node's own use.
        """
        return self._watched() or set()

    @guarded("looking at what is watched")
    def _watched(self) -> set[bytes]:
        self.look()
        downloads = self.download_manager.downloads
        return {infohash for infohash in self.seen
                if infohash in downloads and downloads[infohash].config.get_hops() == 0}

    def now(self) -> list[Result]:
        """
        Get what is streamed now and may be told: nothing anonymous, nothing that is marked private (BEP 27).
        """
        return self._now() or []

    @guarded("listing streams")
    def _now(self) -> list[Result]:
        self.look()
        found = []
        for infohash in self.privacy.allowed(self.seen):
            download = self.download_manager.downloads.get(infohash)
            information = None if download is None else download.tdef.torrent_info
            if (information is None or information.priv() or download.hidden or download.config.get_hops() != 0
                    or download.stream is None):
                continue
            file = information.file_at(download.stream.file_index)
            found.append(Result("stream", infohash, str(file.path), int(file.size)))
        return found
