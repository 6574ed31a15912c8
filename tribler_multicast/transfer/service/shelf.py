"""
What this node offers, from a path to a publication and away: hashed, signed, known again by its record.
"""
from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

from ..content import record
from ..content.manifest import Manifest
from ..content.source import Source
from ..errors import StoreError, shown
from ..session.messages import Ending
from .publication import Publication

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .publishing import Publisher
    from .reception import Reception
    from .register import Register
    from .remembered import Published


class Shelf:
    """
    Puts contents to the publisher, and takes them away.
    """

    def __init__(self, publisher: Publisher, register: Register, records: Path | None) -> None:
        """
        Begin with nothing.

        :param records: where it is kept what was hashed or received, so that it is known again; None: nowhere.
        """
        self.publisher = publisher
        self.register = register
        self.records = records
        self._is_closing = threading.Event()

    async def publish(self, path: Path | Source, progress: Callable[[int, int], None] | None, wait_for: int,
                      weight: float) -> Publication:
        """
        Offer a file or folder: see `TransferService.publish`.
        """
        self.register.check_room()
        source = path if isinstance(path, Source) else await self._hash(path, progress)
        known = self.publisher.publications.get(source.content.id)
        if known is not None and known.source is not None and known.error is None:
            return known
        manifest = Manifest.sign(source.content, self.publisher.courier.identity, time.time())
        publication = Publication(source, manifest, source.listing.path, wait_for=wait_for, weight=weight)
        await self.offer(publication)
        return publication

    async def _hash(self, path: Path, progress: Callable[[int, int], None] | None) -> Source:
        loop = asyncio.get_running_loop()

        def told(done: int, whole: int) -> None:
            if progress is not None and not loop.is_closed():
                loop.call_soon_threadsafe(progress, done, whole)

        is_over = threading.Event()
        try:
            return await asyncio.to_thread(Source.publish, path, told,
                                           lambda: is_over.is_set() or self._is_closing.is_set())
        finally:
            is_over.set()

    async def offer(self, publication: Publication) -> None:
        """
        Put a publication to the others.
        """
        before = self.publisher.publications.get(publication.content_id)
        if before is not None:
            self.publisher.end(before, Ending.CANCELLED)
            if before.serving is not None:
                self.register.transfers.pop(before.serving.id, None)
        self.publisher.offer(publication)
        if self.records is not None and publication.source is not None:
            # Without a record it is hashed again some day, no more.
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(record.save, self.records, publication.source)
        self.register.remember()

    async def offer_received(self, source: Source, reception: Reception) -> None:
        """
        Offer in turn what was received.
        """
        manifest = reception.manifest or Manifest.sign(source.content, self.publisher.courier.identity, time.time())
        await self.offer(Publication(source, manifest, reception.path))

    async def offer_again(self, published: Published) -> None:
        """
        Offer what was offered before a restart, if it is as it was.
        """
        assert self.records is not None
        content_id = published.manifest.content.id
        source = await asyncio.to_thread(record.load, self.records, content_id)
        if content_id in self.publisher.publications:
            return
        publication = Publication(source, published.manifest, published.path, weight=published.weight)
        publication.paused, publication.rate = published.paused, published.rate
        if source is None:
            publication.fail(f"{shown(str(published.path))} was changed or deleted since it was offered")
        self.publisher.offer(publication)

    async def unpublish(self, content_id: bytes) -> None:
        """
        Offer it no more. No error when it is not offered.
        """
        publication = self.publisher.publications.pop(content_id, None)
        if publication is None:
            return
        self.publisher.end(publication, Ending.CANCELLED)
        publication.fail("it is not offered any more")
        if publication.serving is not None:
            self.register.forget(publication.serving)
        self.register.remember()
        if publication.source is not None:
            await asyncio.to_thread(publication.source.close)
        if self.records is not None:
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(record.forget, self.records, content_id)

    def stop(self) -> None:
        """
        Hash no more.
        """
        self._is_closing.set()

    async def close(self) -> None:
        """
        Have no file open any more.
        """
        for publication in self.publisher.publications.values():
            if publication.source is not None:
                await asyncio.to_thread(publication.source.close)
