"""
How coded transfers go on, for any number of commands that want to know.
"""
from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..transfer.service.service import TransferService
    from .parts import Parts

TOPIC: Final = "multicast_transfer"
"""The event that says that a transfer changed."""


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
