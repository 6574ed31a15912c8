"""
How coded transfers go on, as plain values, and for any number of commands that want to know.
"""
from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..transfer.service.publication import Publication
    from ..transfer.service.service import TransferService
    from ..transfer.service.transfer import Transfer
    from .parts import Parts

TOPIC: Final = "multicast_transfer"
"""The event that says that a transfer changed."""

REMOVED: Final = "removed"
"""The state in the last event of a transfer."""

MOST_FILES: Final = 1000
"""Files of one transfer that are listed. Stops a folder of a hundred thousand from being an answer of 10 MB; how many
there are is told."""


def publication_view(publication: Publication) -> dict[str, Any]:
    """
    Get what is offered as plain values.
    """
    return {"content_id": publication.content_id.hex(), "name": publication.name, "size": publication.size,
            "files": publication.files, "path": str(publication.path), "receivers": publication.receivers,
            "finished": publication.finished, "uploaded": publication.uploaded, "error": publication.error}


def coded_view(transfer: Transfer) -> dict[str, Any]:
    """
    Get how a transfer goes on as plain values. `rank` is how many symbols of those on their way count already.
    """
    peers = [{"mid": peer.mid.hex(), "up": peer.up, "down": peer.down, "role": peer.role, "way": peer.way}
             for peer in transfer.peers]
    return {"id": transfer.id, "content_id": transfer.content_id.hex(), "name": transfer.name, "size": transfer.size,
            "role": transfer.role, "state": transfer.state, "progress": transfer.progress, "rank": transfer.rank,
            "up": transfer.up, "down": transfer.down, "total_up": transfer.total_up,
            "total_down": transfer.total_down, "rate": transfer.rate, "peers": peers, "eta_s": transfer.eta_s,
            "path": str(transfer.path), "error": transfer.error}


def whole_view(transfer: Transfer) -> dict[str, Any]:
    """
    Get the same with its files, null until they are known; at most `MOST_FILES` of them, and how many there are.
    """
    files = transfer.files
    listed = None if files is None else [{"path": path, "size": size} for path, _, size in files[:MOST_FILES]]
    return {**coded_view(transfer), "files": listed, "files_total": None if files is None else len(files)}


class CodedChanges:
    """
    What changed since it was looked at last: the ids of transfers, each once.
    """

    def __init__(self) -> None:
        """
        Nothing yet.
        """
        self._changed: dict[str, None] = {}
        self._any = asyncio.Event()

    def put(self, id: str) -> None:  # noqa: A002
        """
        Note a change.
        """
        self._changed[id] = None
        self._any.set()

    async def next(self) -> str:
        """
        Wait for a change.
        """
        while not self._changed:
            self._any.clear()
            await self._any.wait()
        id = next(iter(self._changed))  # noqa: A001
        del self._changed[id]
        return id


class CodedFollowing:
    """
    Spreads what the community tells of transfers.
    """

    def __init__(self, parts: Parts) -> None:
        """
        With nobody who follows.
        """
        self._community = parts.community
        self._followers: dict[CodedChanges, str | None] = {}

    @contextmanager
    def follow(self, service: TransferService, id: str | None = None, *,  # noqa: A002
               current: bool = True) -> Iterator[CodedChanges]:
        """
        Get the changes of one transfer, or of all; those there are come first, if that is wanted.
        """
        changes = CodedChanges()
        for each in list(service.transfers):
            if current and id in (None, each):
                changes.put(each)
        if not self._followers:
            self._community.add_event_handler(self._told)
        self._followers[changes] = id
        try:
            yield changes
        finally:
            del self._followers[changes]
            if not self._followers:
                self._community.remove_event_handler(self._told)

    def _told(self, topic: str, kwargs: dict[str, Any]) -> None:
        if topic == TOPIC:
            for changes, wanted in self._followers.items():
                if wanted in (None, kwargs["id"]):
                    changes.put(kwargs["id"])
