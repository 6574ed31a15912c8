"""
A content that is here and offered.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..content.manifest import Manifest
    from ..content.source import Source


class Publication:
    """
    What is known of one.
    """

    def __init__(self, source: Source | None, manifest: Manifest, path: Path, wait_for: int = 0) -> None:
        """
        Offer a source. None: it is no longer what it was; `error` says so, and nobody gets it.
        """
        self.source = source
        self.manifest = manifest
        self.path = path
        self.wait_for = wait_for
        """Data flows once so many receivers joined, or some time after the first."""
        self.error: str | None = None
        """One line: why it is not offered any more."""
        self.uploaded = 0
        """Bytes sent of it, since the start."""
        self.receivers = 0
        """Receivers now."""
        self.finished = 0
        """Receivers that got all of it so far."""
        self._changed = asyncio.Event()

    @property
    def content_id(self) -> bytes:
        """
        Its id (32 bytes).
        """
        return self.manifest.content.id

    @property
    def name(self) -> str:
        """
        What it is called.
        """
        return self.manifest.content.name

    @property
    def size(self) -> int:
        """
        Bytes of all files.
        """
        return self.manifest.content.size

    @property
    def files(self) -> int:
        """
        How many files and empty folders it has.
        """
        return self.manifest.content.files

    async def wait_finished(self, receivers: int) -> None:
        """
        Wait until so many have all of it, or it fails (`error`).
        """
        while self.finished < receivers and self.error is None:
            self._changed.clear()
            await self._changed.wait()

    def note(self) -> None:
        """
        Wake who waits: something changed.
        """
        self._changed.set()
