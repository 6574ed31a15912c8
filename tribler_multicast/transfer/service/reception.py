"""
One content that is received: asked for, taken in, checked, written, and given its name.
"""
from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ...coding import MAX_SYMBOLS
from ..content.source import Source
from ..errors import ChangedError, DiskFullError, StoreError, TransferError
from ..limits import DEFAULT_UNIT
from ..session.geometry import Geometry
from ..session.messages import LACKS_ROOM, Ending, Join
from ..session.reports import lacking_segments
from ..store.ending import discard, finish
from ..store.opening import receive_to
from .found import here
from .incoming import Incoming
from .joining import Joining
from .limits import BAD_SEGMENTS, FAREWELLS, ROOM_LOOK, SEGMENTS_QUEUED
from .publication import files_of
from .publishing import data_ports
from .transfer import (
    ACTIVE,
    CHECKING,
    DONE,
    FAILED,
    MULTICAST,
    PAUSED,
    RECEIVER,
    SOURCE,
    UNICAST,
    WAITING,
    Transfer,
    TransferPeer,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

    from ..content.manifest import Content, Manifest
    from ..session.messages import Accept
    from ..store.store import Store
    from .courier import Courier, Options
    from .joining import Admitted

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 3
"""Times that a result which somebody writes to meanwhile is looked at again."""


class Outcome(Enum):
    """
    How a session ended for us.
    """

    STORED = "everything is stored"
    SILENT = "the sender says nothing"
    FINISHED = "the sender ended it"
    AGAIN = "the sender began anew"
    BAD = "segments were bad"
    TROUBLE = "the disk"


class Reception(Transfer):
    """
    Runs as one task, from `begin` until it is done, has failed or is told to stop.
    """

    def __init__(self, id: str, content_id: bytes, output: Path, *, courier: Courier, options: Options,  # noqa: A002, PLR0913
                 counters: Counter[str], records: Path | None, changed: Callable[[Transfer, str], None],
                 done: Callable[[Reception], None], manifest: Manifest | None = None, rate: int | None = None) -> None:
        """
        Not running yet.

        :param records: where it is kept what was received; None: nowhere.
        :param changed: takes this and the state that it has now.
        :param done: is told when all of it is there.
        """
        super().__init__(id, content_id, RECEIVER)
        self.output = output
        self.courier = courier
        self.options = options
        self.counters = counters
        self.records = records
        self.rate = rate
        self.store: Store | None = None
        self.source: Source | None = None
        self.joining = Joining(content_id, courier, counters, lambda: data_ports(options), self._join)
        self._manifest = manifest
        self._changed = changed
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, "transfer-write")
        self._committer = ThreadPoolExecutor(1, "transfer-commit")
        self._committing: asyncio.Future[None] | None = None
        self._incoming: Incoming | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self._trouble: TransferError | None = None
        self._unwritten: list[tuple[int, bytes]] = []
        self._queued = 0
        self._bad = 0
        self._reports = 0
        self._received = 0
        self._is_stopping = False
        self._leaving: tuple[bytes, asyncio.Event] | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._rank: tuple[float, int | None] = (0.0, None)

    # --- The task.

    def begin(self) -> None:
        """
        Run, after what ran before has ended.
        """
        self._is_stopping = False
        self.error = None
        self._task = self._loop.create_task(self._run(self._task))

    def stop(self) -> None:
        """
        End the session, with what came of it on the disk. `begin` goes on.
        """
        if self._task is not None and not self._is_stopping:
            self._is_stopping = True
            self._task.cancel()

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        try:
            await self._open_here()
            for _ in range(TRIES):
                while self.source is None and not (self.store is not None and self.store.is_whole):
                    self._set(WAITING)
                    admitted = await self.joining.admitted(manifest_wanted=self._manifest is None)
                    await self._take_part(admitted)
                if await self._end_store():
                    self._set(DONE)
                    self._done(self)
                    return
            raise ChangedError(f"{self.output} is changed by another program all the time")
        except TransferError as error:
            await self._fail(error)
        except Exception as error:
            logger.exception("A transfer failed")
            await self._fail(TransferError(f"an error of this program: {error!r}"))

    async def _fail(self, error: TransferError) -> None:
        self.error = str(error)
        await self._close_store()
        self._set(FAILED)

    def _set(self, state: str) -> None:
        self._news.set()
        self._changed(self, state)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
        return await self._loop.run_in_executor(self._writer, partial(function, *arguments))

    # --- The store.

    async def _open_here(self) -> None:
        """
        Take what is here already.
        """
        if self.store is None and self.source is None:
            found = await self._in_thread(here, self.content_id, self.output, self.records)
            if isinstance(found, Source):
                self.source = found
            elif self._manifest is None:
                self._manifest = found
            if self.source is None and self._manifest is not None:
                await self._open(DEFAULT_UNIT)

    async def _open(self, unit: int) -> None:
        assert self._manifest is not None
        self._set(CHECKING)
        opened = await self._in_thread(partial(receive_to, self._manifest, self.output, records=self.records,
                                               unit=unit, cancelled=lambda: self._is_stopping))
        if isinstance(opened, Source):
            self.source = opened
            return
        self.store = opened
        await self._recheck()

    async def _recheck(self) -> None:
        store = self.store
        assert store is not None
        while await self._in_thread(lambda: store.unchecked and store.recheck()):
            self._news.set()

    async def _close_store(self) -> None:
        store, self.store = self.store, None
        if store is not None:
            await self._committed()
            try:
                await self._in_thread(store.close)
            except TransferError as error:
                logger.info("%s", error)

    async def _committed(self) -> None:
        """
        Wait for the commit under way.
        """
        if self._committing is not None:
            await asyncio.wait((self._committing,))

    def commit_if_due(self) -> None:
        """
        Have what was written made durable, when that is due.
        """
        store = self.store
        if store is None or self._committing is not None or self._trouble is not None \
                or not store.is_due(self._loop.time()):
            return
        self._committing = self._loop.run_in_executor(self._committer, store.commit)
        self._committing.add_done_callback(self._has_committed)

    def _has_committed(self, done: asyncio.Future[None]) -> None:
        self._committing = None
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._has_trouble(error)
        self._news.set()

    def _has_trouble(self, error: BaseException) -> None:
        if not isinstance(error, TransferError):
            logger.error("A disk failed in an unknown way", exc_info=error)
            error = StoreError(f"an error of this program: {error!r}")
        self._trouble = self._trouble or error
        self._end_session(Outcome.TROUBLE)

    async def _end_store(self) -> bool:
        """
        Give the result its name; False when something of it has to come again.
        """
        if self.source is None:
            store = self.store
            assert store is not None
            await self._committed()
            try:
                self.source = await self._in_thread(finish, store, self.records)
            except ChangedError as error:
                logger.info("%s", error)
                await self._recheck()
                return False
            self.store = None
        return True

    # --- A session.

    def _join(self, port: int) -> Join:
        store = self.store
        if store is None:
            lacks = lacking_segments((), 0, LACKS_ROOM)
        else:
            whole = {segment for segment in range(store.layout.segments) if store.has(segment)}
            lacks = lacking_segments(whole, store.layout.segments, LACKS_ROOM)
        rate = 0 if self.rate is None else max(1, self.rate // 125)
        return Join.of(self.content_id, lacks, port, largest_k=MAX_SYMBOLS, wants_manifest=self._manifest is None,
                       rate=rate)

    async def _take_part(self, admitted: Admitted) -> None:
        """
        Receive in a session until it ends, one way or the other.
        """
        self._manifest = self._manifest or admitted.manifest
        self._outcome = outcome = self._loop.create_future()
        self._bad = 0
        incoming = Incoming(admitted.accept, admitted.mid, admitted.socket, self.courier, self, self.counters)
        self._incoming = incoming
        why = Ending.CANCELLED
        try:
            if self.store is None:
                why = Ending.FAILED
                await self._open(admitted.accept.symbol)
                why = Ending.CANCELLED
            if self.store is None or self.store.is_whole:
                why = Ending.DONE
                return
            await self._begin(incoming, self.store)
            self._set(ACTIVE)
            incoming.go()
            how = await outcome
            if how is Outcome.STORED:
                # Still a member: the sender waits for who has it under its name, not for who is about to.
                if await self._end_store():
                    why = Ending.DONE
            elif how is Outcome.TROUBLE:
                why = Ending.FAILED
            elif how is not Outcome.AGAIN:
                self.joining.avoid(admitted.mid)
        finally:
            self._incoming = self._outcome = None
            incoming.close()
            self._received += incoming.group_meter.total + incoming.unicast_meter.total
            if why is Ending.DONE:
                self._farewell = self._loop.create_task(self._say_done(incoming))
            else:
                incoming.say(why)
            if incoming.receiver is not None:
                self._reports = incoming.receiver.number
                await self._keep_partial(incoming)
        if self._trouble is not None:
            await self._wait_for_room()

    async def _say_done(self, incoming: Incoming) -> None:
        """
        Tell the sender that we have all of it, until it has heard that.
        """
        heard = asyncio.Event()
        self._leaving = incoming.accept.tag, heard
        for wait in FAREWELLS:
            incoming.say(Ending.DONE)
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), wait)
                return

    async def _begin(self, incoming: Incoming, store: Store) -> None:
        accept = incoming.accept
        geometry = Geometry(store.layout, accept.k, accept.symbol)
        whole = [segment for segment in range(store.layout.segments) if store.has(segment)]
        receiver = incoming.begin(geometry, store.tree, store.add_proof, whole, self._reports)
        if store.unit != geometry.symbol:
            return
        for segment in list(store.progress.partial()):
            if not store.has(segment):
                data = await self._in_thread(store.read_units, segment, 0, store.layout.length(segment))
                receiver.resume(segment, store.units(segment), data)

    async def _keep_partial(self, incoming: Incoming) -> None:
        """
        Write what came of segments that are not complete.
        """
        store, receiver = self.store, incoming.receiver
        assert receiver is not None
        await self._in_thread(int)  # What waits to be written is, then.
        if store is None or store.is_whole or self._trouble is not None or store.unit != receiver.geometry.symbol:
            return
        try:
            await self._in_thread(lambda: store.write_many(receiver.partial()))
            await self._committed()
            await self._in_thread(store.commit)
        except TransferError as error:
            self._trouble = error

    async def _wait_for_room(self) -> None:
        """
        Wait until the disk has room for what could not be written.

        :raises TransferError: when the trouble is another one.
        """
        store = self.store
        assert store is not None
        while self._trouble is not None:
            if not isinstance(self._trouble, DiskFullError):
                trouble, self._trouble, self._unwritten = self._trouble, None, []
                raise trouble
            self.error = str(self._trouble)
            self._set(PAUSED)
            await asyncio.sleep(ROOM_LOOK)
            try:
                while self._unwritten:
                    await self._in_thread(store.write_segment, *self._unwritten[-1])
                    self._unwritten.pop()
                await self._committed()
                await self._in_thread(store.commit)
                self._trouble = self.error = None
            except TransferError as error:
                self._trouble = error

    # --- What happens in it (`incoming.Owner`).

    def segment_ready(self, incoming: Incoming, segment: int, data: bytes) -> None:
        """
        Have a segment checked and written.
        """
        assert self.store is not None
        self._queued += 1
        if self._queued >= SEGMENTS_QUEUED:
            incoming.hold()
        writing = self._loop.run_in_executor(self._writer, self.store.write_segment, segment, data)
        writing.add_done_callback(partial(self._written, incoming, segment, data))

    def _written(self, incoming: Incoming, segment: int, data: bytes, done: asyncio.Future[bool | None]) -> None:
        self._queued -= 1
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            if isinstance(error, DiskFullError):
                self._unwritten.append((segment, data))
            if error is not None:
                self._has_trouble(error)
            return
        is_good = bool(done.result())
        self._news.set()
        if incoming is not self._incoming or incoming.receiver is None:
            return
        incoming.receiver.stored(segment, is_good)
        if not is_good:
            self._bad += 1
            if self._bad >= BAD_SEGMENTS:
                self._end_session(Outcome.BAD)
        if self._queued <= SEGMENTS_QUEUED // 2 and self._trouble is None:
            incoming.go()
        incoming.look()
        if self.store is not None and self.store.entries is None:
            self.commit_if_due()

    def all_stored(self, incoming: Incoming) -> None:
        """
        Everything is here.
        """
        self._end_session(Outcome.STORED)

    def sender_silent(self, incoming: Incoming) -> None:
        """
        Join again.
        """
        self._end_session(Outcome.SILENT)

    def _end_session(self, how: Outcome) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(how)

    # --- What others say.

    def accept_received(self, mid: bytes, accept: Accept) -> None:
        """
        Take an ACCEPT for this content.
        """
        incoming = self._incoming
        if incoming is not None and incoming.mid == mid and incoming.accept.tag == accept.tag:
            if incoming.accept.unicast_key != accept.unicast_key:
                self._end_session(Outcome.AGAIN)
            return
        self.joining.accept_received(mid, accept)

    def finish_received(self, mid: bytes, tag: bytes, why: Ending) -> bool:
        """
        Take a FINISH; False when it is not about our session.
        """
        incoming = self._incoming
        if self._leaving is not None and self._leaving[0] == tag:
            self._leaving[1].set()
            return True
        if incoming is None or incoming.mid != mid or incoming.accept.tag != tag:
            return False
        self._end_session(Outcome.FINISHED)
        return True

    def rate_changed(self) -> None:
        """
        Join again with the rate that is set now.
        """
        self._end_session(Outcome.AGAIN)

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Join elsewhere when it was our sender.
        """
        if self._incoming is not None and self._incoming.mid == mid:
            self._end_session(Outcome.SILENT)

    def links_changed(self) -> None:
        """
        Join again when our link is gone, or has another address.
        """
        if self._incoming is not None:
            socket = self._incoming.socket
            interface = self.courier.interface(socket.key)
            if interface is None or interface.address(socket.key[1]) != socket.interface.address(socket.key[1]):
                self._end_session(Outcome.AGAIN)

    def tick(self, now: float) -> None:
        """
        Do what is due.
        """
        self.commit_if_due()
        if self._incoming is not None:
            self._incoming.tick(now)

    # --- The end.

    async def close(self, *, delete: bool = False) -> None:
        """
        End it: what was received is durable, or deleted.

        :raises StoreError: when it can't be deleted.
        """
        self.stop()
        if self._task is not None:
            await asyncio.wait((self._task,))
        if self._farewell is not None:
            await asyncio.wait((self._farewell,))
        try:
            if delete and self.store is not None:
                store, self.store = self.store, None
                await self._in_thread(discard, store)
            await self._close_store()
        finally:
            self._writer.shutdown(wait=False)
            self._committer.shutdown(wait=False)
            self._is_stopping = True
            self.end()
            self._news.set()

    # --- What is seen of it.

    @property
    def content(self) -> Content | None:
        """
        What it is; None while nobody told.
        """
        if self._manifest is not None:
            return self._manifest.content
        return None if self.source is None else self.source.content

    @property
    def manifest(self) -> Manifest | None:
        """
        What it is, signed; None while nobody told.
        """
        return self._manifest

    @property
    def path(self) -> Path:
        """
        Where it goes, then where it is.
        """
        if self.source is not None:
            return self.source.listing.path
        return self.output if self.store is None else self.store.place.result

    @property
    def progress(self) -> float:
        """
        The share that is here and checked.
        """
        store, content = self.store, self.content
        if self.source is not None:
            return 1.0
        if store is None or content is None:
            return 0.0
        return store.bytes_whole / max(1, content.size + content.index_size)

    @property
    def rank(self) -> int | None:
        """
        Symbols that are here, as of half a second ago; None while there is no session.
        """
        receiver = None if self._incoming is None else self._incoming.receiver
        now = self._loop.time()
        if receiver is None:
            return None
        if now - self._rank[0] > 0.5:
            self._rank = now, receiver.rank
        return self._rank[1]

    @property
    def up(self) -> float:
        """
        Nothing leaves.
        """
        return 0.0

    @property
    def down(self) -> float:
        """
        Bytes/s that come.
        """
        if self._incoming is None:
            return 0.0
        now = self._loop.time()
        return self._incoming.group_meter.rate(now) + self._incoming.unicast_meter.rate(now)

    @property
    def total_up(self) -> int:
        """
        Nothing left.
        """
        return 0

    @property
    def total_down(self) -> int:
        """
        Bytes that came.
        """
        if self._incoming is None:
            return self._received
        return self._received + self._incoming.group_meter.total + self._incoming.unicast_meter.total

    @property
    def peers(self) -> list[TransferPeer]:
        """
        Who sends it.
        """
        incoming = self._incoming
        if incoming is None:
            return []
        now = self._loop.time()
        group, unicast = incoming.group_meter.rate(now), incoming.unicast_meter.rate(now)
        return [TransferPeer(incoming.mid, 0.0, group + unicast, SOURCE, MULTICAST if group > unicast else UNICAST)]

    @property
    def files(self) -> list[tuple[str, int, int]] | None:
        """
        Its files, once the index is here.
        """
        return files_of(self.source or self.store)

    def available(self, start: int, length: int) -> int:
        """
        Get how many bytes of the data can be read.
        """
        holder = self.source or self.store
        return 0 if holder is None else holder.available(start, length)

    async def read(self, start: int, length: int) -> bytes:
        """
        Read some of the data, once it is there.
        """
        while True:
            self._news.clear()
            if self.data_size is not None and (start >= self.data_size or length <= 0):
                return b""
            if self.source is not None:
                return await asyncio.to_thread(self.source.read_data, start, length)
            if self.store is not None and self.store.available(start, length):
                data = await self._in_thread(self._read_here, start, length)
                if data:
                    return data
                continue
            if self.state == FAILED or self._over.is_set():
                raise StoreError(self.error or "the transfer was removed")
            await self._news.wait()

    def _read_here(self, start: int, length: int) -> bytes:
        """
        Read in the thread that also ends the store.
        """
        holder = self.source or self.store
        try:
            return b"" if holder is None else holder.read_data(start, length)
        except ChangedError:
            return b""
