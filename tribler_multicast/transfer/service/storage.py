"""
The store of one reception, and the threads that work on it.

Segments are checked and written by one thread, in order; commits wait for the disk in another one. What the disk can't
take is told once (`trouble`), and what could not be written is kept until there is room.
"""
from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..content.source import Source
from ..errors import ChangedError, DiskFullError, StoreError, TransferError
from ..store.ending import discard, finish
from ..store.opening import receive_to
from .limits import SEGMENTS_DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..content.manifest import Manifest
    from ..session.packets import Bytes
    from ..session.receiver import Receiver
    from ..store.store import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Storage:
    """
    Nothing, then a store, then (or at once) the content itself as a source.
    """

    def __init__(self, output: Path, records: Path | None, trouble: Callable[[], None]) -> None:
        """
        Open nothing yet.

        :param records: where it is kept what was received; None: nowhere.
        :param trouble: is called when the disk fails: `error` says how.
        """
        self.output = output
        self.records = records
        self.store: Store | None = None
        self.source: Source | None = None
        self.error: TransferError | None = None
        """Why nothing more is written."""
        self.queued = 0
        """Segments that wait to be written."""
        self.news = asyncio.Event()
        """Set whenever there may be more to read."""
        self.cancelled = False
        """Whether what takes long is to end."""
        self._trouble = trouble
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, "transfer-write")
        self._committer = ThreadPoolExecutor(1, "transfer-commit")
        self._checker = ThreadPoolExecutor(1, "transfer-check")
        self._committing: asyncio.Future[None] | None = None
        self._is_ending = False
        self._unwritten: list[tuple[int, Bytes]] = []

    @property
    def is_whole(self) -> bool:
        """
        Whether all of it is here and checked.
        """
        return self.source is not None or (self.store is not None and self.store.is_whole)

    @property
    def has_some(self) -> bool:
        """
        Whether there is something of it.
        """
        return self.store is not None and bool(self.store.bytes_whole or self.store.progress.has_partial)

    @property
    def unit(self) -> int | None:
        """
        Bytes of the pieces in which parts of segments are kept; None: nothing is here.
        """
        return None if self.store is None else self.store.unit

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
        """
        Run something in the thread that writes, behind what waits there.
        """
        return await self._loop.run_in_executor(self._writer, partial(function, *arguments))

    async def flush(self) -> None:
        """
        Wait until all that waits is written.
        """
        await self.run(int)

    async def open(self, manifest: Manifest, unit: int) -> None:
        """
        Begin, or go on: `store`, or `source` when it is there already. Errors as `receive_to`.
        """
        # Kept by the thread itself: whoever waits may be cancelled meanwhile, and the store holds a lock.
        await self.run(self._open, manifest, unit)
        while await self.run(self._recheck):
            self.news.set()

    def _open(self, manifest: Manifest, unit: int) -> None:
        if self.store is not None or self.source is not None:
            return
        self._is_ending = False
        opened = receive_to(manifest, self.output, records=self.records, unit=unit, cancelled=lambda: self.cancelled)
        if isinstance(opened, Source):
            self.source = opened
        else:
            self.store = opened

    def _recheck(self) -> int:
        return 0 if self.store is None or not self.store.unchecked else self.store.recheck()

    # --- Writing.

    def write(self, segment: int, data: Bytes, written: Callable[[int, bool], None]) -> None:
        """
        Have a segment checked and written; `written` is told whether it was good, or not at all when the disk fails.
        """
        assert self.store is not None
        self.queued += 1
        writing = self._loop.run_in_executor(self._writer, self._write, self.store, segment, data)
        writing.add_done_callback(partial(self._written, segment, data, written))

    def _write(self, store: Store, segment: int, data: Bytes) -> bool | None:
        # Past the cache is less work, but waits for the disk: the cache is for when that can't keep up.
        return store.write_segment(segment, data, cached=self.queued > SEGMENTS_DIRECT)

    def _written(self, segment: int, data: Bytes, written: Callable[[int, bool], None],
                 done: asyncio.Future[bool | None]) -> None:
        self.queued -= 1
        error = None if done.cancelled() else done.exception()
        if error is None and not done.cancelled():
            self.news.set()
            if done.result() is False and self.store is not None:
                self.store.drop(segment)  # Parts of it that an earlier session left may be what is wrong.
            written(segment, bool(done.result()))
            return
        if isinstance(error, DiskFullError):
            self._unwritten.append((segment, data))
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, TransferError):
            logger.error("A disk failed in an unknown way", exc_info=error)
            error = StoreError(f"an error of this program: {error!r}")
        if self.error is None:
            self.error = error
            self._trouble()

    def commit_if_due(self) -> None:
        """
        Have what was written made durable, when that is due.
        """
        if self.store is None or self._committing is not None or self.error is not None or self._is_ending:
            return
        self._committing = self._loop.run_in_executor(self._committer, self._commit_if_due, self.store,
                                                      self._loop.time())
        self._committing.add_done_callback(self._committed)

    @staticmethod
    def _commit_if_due(store: Store, now: float) -> None:
        if store.is_due(now):
            store.commit()

    def _committed(self, done: asyncio.Future[None]) -> None:
        self._committing = None
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._fail(error)
        self.news.set()

    async def settle(self) -> None:
        """
        Wait until nothing is written any more, and nothing made durable.
        """
        await self.flush()
        if self._committing is not None:
            await asyncio.wait((self._committing,))

    # --- Parts of segments, over a restart.

    async def keep(self, receiver: Receiver) -> None:
        """
        Write what a receiver has of segments that are not complete, and make all durable. Trouble is kept in `error`.
        """
        await self.settle()
        store = self.store
        if store is None or store.is_whole or self.error is not None:
            return
        try:
            if store.unit == receiver.geometry.symbol:
                await self.run(lambda: store.write_many(receiver.partial()))
            await self.run(store.commit)
        except TransferError as error:
            self.error = error

    async def give(self, receiver: Receiver) -> None:
        """
        Give a receiver what was written of segments that are not complete.
        """
        store = self.store
        if store is None or store.unit != receiver.geometry.symbol:
            return
        for segment in await self.run(lambda: list(store.progress.partial())):
            data = await self.run(store.read_units, segment, 0, store.layout.length(segment))
            receiver.resume(segment, store.units(segment), data)

    # --- For others.

    def check(self, segment: int, data: Bytes) -> asyncio.Future[bool | None]:
        """
        Begin to check a segment that waits to be written: others need not wait for the disk.
        """
        assert self.store is not None
        return self._loop.run_in_executor(self._checker, self.store.tree.check, segment, data)

    def segment(self, segment: int) -> asyncio.Future[bytes]:
        """
        Begin to read a segment that is here and checked. The result may be any error.
        """
        return self._loop.run_in_executor(self._writer, self._segment, segment)

    def _segment(self, segment: int) -> bytes:
        holder = self.source or self.store
        if holder is None:
            raise StoreError("nothing is here")
        return holder.read(segment)

    # --- When the disk is full.

    async def try_again(self) -> None:
        """
        Write what could not be written. Without an error (`error` is None) all of it is there.
        """
        store = self.store
        assert store is not None
        await self.settle()
        try:
            while self._unwritten:
                await self.run(store.write_segment, *self._unwritten[-1])
                self._unwritten.pop()
            await self.run(store.commit)
            self.error = None
        except TransferError as error:
            self.error = error

    # --- The end.

    async def finish(self) -> bool:
        """
        Give the result its name: it is in `source` then. False when something was changed, and has to come again.

        :raises TransferError: as `ending.finish`.
        """
        self._is_ending = True
        await self.settle()
        try:
            await self.run(self._finish)
        except ChangedError as error:
            logger.info("%s", error)
            self._is_ending = False
            while await self.run(self._recheck):
                pass
            return False
        self.news.set()
        return True

    def _finish(self) -> None:
        if self.store is not None:
            self.source, self.store = finish(self.store, self.records), None

    async def close(self, *, delete: bool = False) -> None:
        """
        Make durable what there is, or delete it, and give the place free. `open` goes on.

        :raises TransferError: when that can't be done; the place is free all the same.
        """
        self._is_ending = True
        self._unwritten.clear()
        self.error = None
        await self.settle()
        await self.run(self._close, delete)
        self.news.set()

    def _close(self, delete: bool) -> None:
        store, self.store = self.store, None
        if store is not None and delete:
            discard(store)
        elif store is not None:
            store.close()

    def shut_down(self) -> None:
        """
        Let the threads end.
        """
        self._writer.shutdown(wait=False)
        self._committer.shutdown(wait=False)
        self._checker.shutdown(wait=False)

    # --- Reading.

    def available(self, start: int, length: int) -> int:
        """
        Get how many of so many bytes of the data can be read from `start` on.
        """
        holder = self.source or self.store
        return 0 if holder is None else holder.available(start, length)

    async def read(self, start: int, length: int) -> bytes:
        """
        Read some of the data, up to the first segment that is not here. Errors as `Source.read`.
        """
        return await self.run(self._read, start, length)

    def _read(self, start: int, length: int) -> bytes:
        holder = self.source or self.store
        try:
            return b"" if holder is None else holder.read_data(start, length)
        except ChangedError:
            if self.source is not None:
                raise
            return b""  # It counts as missing now, and comes again.
