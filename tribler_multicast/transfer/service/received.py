"""
What is seen of a content that is received.
"""
from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..errors import StoreError
from ..limits import SEGMENT_SIZE
from .ahead import Ahead
from .limits import READ_LATELY
from .publication import files_of
from .transfer import FAILED, HELPER, MULTICAST, RECEIVER, SOURCE, UNICAST, Transfer, TransferPeer

if TYPE_CHECKING:
    from pathlib import Path

    from ..content.manifest import Content, Manifest
    from .dealings import Dealings
    from .incoming import Incoming
    from .storage import Storage

RANK_EACH: Final = 0.5
"""Seconds for which a rank is good: it takes a look at every generation."""


class Received(Transfer):
    """
    A transfer with a storage, and now and then a session.
    """

    def __init__(self, id: str, content_id: bytes, storage: Storage, manifest: Manifest | None,  # noqa: A002
                 dealings: Dealings) -> None:
        """
        Begin without a session.

        :param dealings: what others gave and took.
        """
        super().__init__(id, content_id, RECEIVER)
        self.storage = storage
        self.incoming: Incoming | None = None
        self.dealings = dealings
        self.came = 0
        """Bytes of sessions before this one."""
        self._manifest = manifest
        self._clock = asyncio.get_running_loop().time
        self._rank: tuple[float, int] = (-1.0, 0)
        self.ahead = Ahead()

    @property
    def manifest(self) -> Manifest | None:
        """
        What it is, signed; None while nobody told.
        """
        return self._manifest

    @property
    def content(self) -> Content | None:
        """
        What it is; None while nobody told.
        """
        if self._manifest is not None:
            return self._manifest.content
        return None if self.storage.source is None else self.storage.source.content

    @property
    def output(self) -> Path:
        """
        Where the user wants it.
        """
        return self.storage.output

    @property
    def path(self) -> Path:
        """
        Where it goes, then where it is.
        """
        if self.storage.source is not None:
            return self.storage.source.listing.path
        return self.output if self.storage.store is None else self.storage.store.place.result

    @property
    def progress(self) -> float:
        """
        The share that is here and checked.
        """
        store, content = self.storage.store, self.content
        if self.storage.source is not None:
            return 1.0
        if store is None or content is None:
            return 0.0
        return store.bytes_whole / max(1, content.size + content.index_size)

    @property
    def rank(self) -> int | None:
        """
        Symbols that are here, as of half a second ago; None while there is no session.
        """
        receiver = None if self.incoming is None else self.incoming.receiver
        if receiver is None:
            return None
        now = self._clock()
        if now - self._rank[0] > RANK_EACH:
            self._rank = now, receiver.rank
        return self._rank[1]

    @property
    def up(self) -> float:
        """
        Bytes/s that others are given.
        """
        return self.dealings.total.rate(self._clock())

    @property
    def down(self) -> float:
        """
        Bytes/s that come.
        """
        return sum(self._rates)

    @property
    def _rates(self) -> tuple[float, float]:
        if self.incoming is None:
            return 0.0, 0.0
        now = self._clock()
        return self.incoming.group_meter.rate(now), self.incoming.unicast_meter.rate(now)

    @property
    def total_up(self) -> int:
        """
        Bytes that others were given.
        """
        return self.dealings.total.total

    @property
    def total_down(self) -> int:
        """
        Bytes that came.
        """
        return self.came + (0 if self.incoming is None else self.incoming.total)

    @property
    def peers(self) -> list[TransferPeer]:
        """
        Who sends it, and with whom it is exchanged.
        """
        now, helped = self._clock(), 0.0
        found = []
        for mid in self.dealings.up.keys() | self.dealings.down.keys():
            up, down = self.dealings.rates(mid, now)
            helped += down
            if up or down:
                found.append(TransferPeer(mid, up, down, HELPER, UNICAST))
        if self.incoming is not None and self.incoming.has_source:
            group, unicast = self._rates
            way = MULTICAST if group > unicast - helped else UNICAST
            found.insert(0, TransferPeer(self.incoming.mid, 0.0, max(0.0, group + unicast - helped), SOURCE, way))
        return found

    @property
    def files(self) -> list[tuple[str, int, int]] | None:
        """
        Its files, once the index is here.
        """
        return files_of(self.storage.source or self.storage.store)

    def available(self, start: int, length: int) -> int:
        """
        Get how many bytes of the data can be read.
        """
        return self.storage.available(start, length)

    async def read(self, start: int, length: int) -> bytes:
        """
        Read some of the data, once it is there. What is behind it is needed soon.
        """
        while True:
            self._reads(start)
            self.storage.news.clear()
            if self.data_size is not None and (start >= self.data_size or length <= 0):
                return b""
            if self.is_removed or (self.state == FAILED and not self.available(start, length)):
                raise StoreError(self.error or "the transfer was removed")
            if self.available(start, length):
                data = await self.storage.read(start, length)
                if data:
                    return data
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self.storage.news.wait(), READ_LATELY / 2)

    def _reads(self, start: int) -> None:
        """
        Note that somebody reads from here on.
        """
        store = self.storage.store
        if store is not None:
            self.ahead.reads(store.layout.index_segments + start // SEGMENT_SIZE, self._clock())
            self.need_soon()

    def need_soon(self) -> None:
        """
        Say what is needed soon, if anybody can be told.
        """
        store, exchange = self.storage.store, None if self.incoming is None else self.incoming.exchange
        if store is not None and exchange is not None:
            last = store.layout.segments
            exchange.need_soon(self.ahead.segments(self._clock(), lambda each: each >= last or store.has(each)))
