"""
Anonymous downloads (hops above 0) are in no answer.

Tribler puts every torrent that is downloaded into its database of torrents and answers queries from there, whoever asks
and whatever the download's hops. With peers on the LAN that ask at once this would tell the neighbours what is
downloaded anonymously. So what has such a download is left out of every answer and of the health gossip; and while
Tribler has not loaded its downloads, so that nobody can know, nothing is answered.

A download that was begun in the open and is finished may be told, although "safe seeding" then gives it hops: its name
was never a secret here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipv8.peer import Peer


class Privacy:
    """
    Knows what must not be told.
    """

    def __init__(self, download_manager: Any) -> None:  # noqa: ANN401
        """
        Know it of this download manager.

        :raises MissingSymbolError: when it cannot be known.
        """
        find(download_manager, "downloads")
        find(download_manager, "all_checkpoints_are_loaded")
        self.download_manager = download_manager
        self.hidden: set[bytes] = set()
        """Infohashes of downloads that are anonymous, or were so when they were removed."""
        self.open: set[bytes] = set()
        """Infohashes of downloads that were seen without anonymity since the start."""

    @property
    def ready(self) -> bool:
        """
        Does Tribler know its own downloads by now?
        """
        return bool(self.download_manager.all_checkpoints_are_loaded)

    def look(self) -> None:
        """
        Look at all downloads; call it often, so that none is missed that begins in the open.
        """
        for infohash, download in list(self.download_manager.downloads.items()):
            if download.config.get_hops() == 0:
                self.open.add(infohash)
                self.hidden.discard(infohash)
            elif infohash in self.open and download.get_state().get_progress() == 1:
                self.hidden.discard(infohash)
            else:
                self.hidden.add(infohash)

    def filtered(self, entries: Iterable[Any]) -> list[Any]:
        """
        What of these entries (anything with an ``infohash``) may be told.
        """
        if not self.ready:
            return []
        self.look()
        return [entry for entry in entries if bytes(entry.infohash) not in self.hidden]

    def allowed(self, infohashes: Iterable[bytes]) -> list[bytes]:
        """
        Get those of these infohashes that may be told, in their order. Only on the event loop.
        """
        if not self.ready:
            return []
        self.look()
        return [infohash for infohash in infohashes if infohash not in self.hidden]

    def guard(self, overlay: Any) -> None:  # noqa: ANN401
        """
        Filter what Tribler's ContentDiscovery community answers and gossips, on this one object.

        :raises MissingSymbolError: when that cannot be done.
        """
        send_results = find(overlay, "send_db_results")
        alive = find(overlay, "get_alive_checked_torrents")

        def send_filtered(peer: Peer, request: int, results: list[Any]) -> None:
            send_results(peer, request, self.filtered(results))

        def alive_filtered() -> list[Any]:
            return self.filtered(alive())

        overlay.send_db_results = send_filtered
        overlay.get_alive_checked_torrents = alive_filtered
