"""
One content that is received: asked for, taken in, written, and given its name.
"""
from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Final

from ...coding import MAX_SYMBOLS
from ..content.source import Source
from ..errors import ChangedError, DiskFullError, TransferError, shown
from ..limits import DEFAULT_UNIT
from ..session.geometry import Geometry
from ..session.messages import LACKS_ROOM, Ending, Join
from ..session.reports import lacking_segments
from .farewell import Farewell
from .found import here
from .incoming import Incoming
from .joining import Joining
from .limits import BAD_SEGMENTS, DEAF, ROOM_LOOK, SEGMENTS_QUEUED
from .links import data_ports
from .received import Received
from .storage import Storage
from .transfer import ACTIVE, CHECKING, DONE, FAILED, PAUSED, WAITING, Transfer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

    from ..session.messages import Accept
    from ..session.packets import Bytes
    from ..session.reports import Lacks
    from ..store.store import Store
    from .courier import Courier, LinkKey, Options
    from .joining import Admitted
    from .remembered import Wanted

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""Times that a result which somebody writes to meanwhile is looked at again."""


class Outcome(Enum):
    """
    How a session ended for us.
    """

    STORED = "everything is stored"
    SILENT = "the sender says nothing"
    FINISHED = "the sender ended it"
    AGAIN = "it is to begin anew"
    BAD = "segments were bad"
    TROUBLE = "the disk failed"


AVOIDED: Final = frozenset({Outcome.SILENT, Outcome.FINISHED, Outcome.BAD})
"""After these another sender is asked first."""


class Reception(Received):
    """
    Runs as one task, from `begin` until it is done, has failed or is told to stop.
    """

    def __init__(self, wanted: Wanted, courier: Courier, options: Options, counters: Counter[str], *,  # noqa: PLR0913
                 records: Path | None, changed: Callable[[Transfer, str], None],
                 done: Callable[[Reception], None]) -> None:
        """
        Not running yet.

        :param records: where it is kept what was received; None: nowhere.
        :param changed: takes this and the state that it has now.
        :param done: is told when all of it is there.
        """
        super().__init__(wanted.id, wanted.content_id, Storage(wanted.output, records, self._trouble), wanted.manifest)
        self.rate = wanted.rate
        self.courier = courier
        self.counters = counters
        self.joining = Joining(wanted.content_id, courier, counters, lambda: data_ports(options), self._join)
        self._changed = changed
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._outcome: asyncio.Future[Outcome] | None = None
        self._bad = 0
        self._deaf = 0
        """Sessions in a row that ended in silence, without a datagram of the group."""
        self._reports = 0
        self._lacks: tuple[int, Lacks] | None = None
        self._farewell = Farewell()

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
            self._is_stopping = self.storage.cancelled = True
            self._task.cancel()

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        self.storage.cancelled = False
        try:
            await self._open_here()
            for _ in range(TRIES):
                while not self.storage.is_whole:
                    self._set(WAITING)
                    await self._take_part(await self.joining.admitted(manifest_wanted=self._manifest is None))
                if self.storage.source is not None or await self.storage.finish():
                    self._set(DONE)
                    self._done(self)
                    return
            raise ChangedError(f"{shown(str(self.path))} is changed by another program all the time")
        except TransferError as error:
            await self._fail(error)
        except Exception as error:
            logger.exception("A transfer failed")
            await self._fail(TransferError(f"an error of this program: {error!r}"))

    async def _fail(self, error: TransferError) -> None:
        self.error = str(error)
        try:
            await self.storage.close()
        except TransferError as another:
            logger.info("%s", another)
        self._set(FAILED)

    def _set(self, state: str) -> None:
        self._changed(self, state)
        self.storage.news.set()

    async def _open_here(self) -> None:
        """
        Take what is here already.
        """
        storage = self.storage
        await storage.flush()
        if storage.store is not None or storage.source is not None:
            return
        if self._manifest is None:
            found = await storage.run(here, self.content_id, self.output, storage.records)
            if isinstance(found, Source):
                storage.source = found
                return
            self._manifest = found
        if self._manifest is not None:
            self._set(CHECKING)
            await storage.open(self._manifest, DEFAULT_UNIT)

    # --- A session.

    def _join(self, port: int) -> Join:
        rate = 0 if self.rate is None else max(1, self.rate // 125)
        return Join.of(self.content_id, self._lacking(), port, largest_k=MAX_SYMBOLS,
                       wants_manifest=self._manifest is None, no_multicast=self._deaf >= DEAF, rate=rate,
                       sealed=self.courier.must_seal)

    def _lacking(self) -> Lacks:
        store, source = self.storage.store, self.storage.source
        if source is not None:
            segments = source.layout.segments
            return lacking_segments(range(segments), segments, LACKS_ROOM)
        if store is None:
            return lacking_segments((), 0, LACKS_ROOM)
        if self._lacks is None or self._lacks[0] != store.progress.whole:
            self._lacks = store.progress.whole, lacking_segments(Stored(store), store.layout.segments, LACKS_ROOM)
        return self._lacks[1]

    async def _take_part(self, admitted: Admitted) -> None:
        """
        Receive in a session until it ends, one way or the other.
        """
        self._manifest = self._manifest or admitted.manifest
        self._outcome = outcome = self._loop.create_future()
        self._bad = 0
        storage = self.storage
        self.incoming = incoming = Incoming(admitted.accept, admitted.mid, admitted.socket, self.courier, self,
                                            self.counters)
        why = Ending.FAILED
        try:
            if storage.store is None:
                assert self._manifest is not None
                await storage.open(self._manifest, admitted.accept.symbol)
            if storage.is_whole or storage.store is None:
                why = Ending.DONE if storage.source is not None or await storage.finish() else Ending.CANCELLED
                return
            await self._begin(incoming, storage.store)
            self._set(ACTIVE)
            incoming.go()
            why = Ending.CANCELLED
            how = await outcome
            if how is Outcome.STORED:
                # Still a member: the sender waits for who has it under its name, not for who is about to.
                why = Ending.DONE if await storage.finish() else Ending.CANCELLED
            elif how is Outcome.TROUBLE:
                why = Ending.FAILED
            elif how in AVOIDED:
                self.joining.avoid(admitted.mid)
                self._deaf += how is Outcome.SILENT
        except asyncio.CancelledError:
            why = Ending.CANCELLED
            raise
        finally:
            self.incoming = self._outcome = None
            incoming.close()
            if why is Ending.DONE:
                self._farewell.begin(incoming)
            else:
                incoming.say(why)
            self.came += incoming.total
            if incoming.receiver is not None:
                self._reports = incoming.receiver.number
                if incoming.receiver.tracks[0].count:
                    self._deaf = 0
                await storage.keep(incoming.receiver)
        await self._wait_for_room()

    async def _begin(self, incoming: Incoming, store: Store) -> None:
        accept = incoming.accept
        geometry = Geometry(store.layout, accept.k, accept.symbol)
        whole = [segment for segment in range(store.layout.segments) if store.has(segment)]
        receiver = incoming.begin(geometry, store.tree, store.add_proof, whole, self._reports)
        await self.storage.give(receiver)

    async def _wait_for_room(self) -> None:
        """
        Wait until the disk has room for what could not be written.

        :raises TransferError: when the trouble is another one.
        """
        storage = self.storage
        while storage.error is not None:
            if not isinstance(storage.error, DiskFullError):
                raise storage.error
            self.error = str(storage.error)
            self._set(PAUSED)
            await asyncio.sleep(ROOM_LOOK)
            await storage.try_again()
        self.error = None

    # --- What happens in it (`incoming.Owner`).

    def segment_ready(self, incoming: Incoming, segment: int, data: Bytes) -> None:
        """
        Have a segment checked and written.
        """
        self.storage.write(segment, data, lambda segment, is_good: self._written(incoming, segment, is_good))
        if self.storage.queued >= SEGMENTS_QUEUED:
            incoming.hold()

    def _written(self, incoming: Incoming, segment: int, is_good: bool) -> None:
        if incoming is not self.incoming or incoming.receiver is None:
            return
        incoming.receiver.stored(segment, is_good)
        if not is_good:
            self.counters["segment: bad"] += 1
            self._bad += 1
            if self._bad >= BAD_SEGMENTS:
                self._end_session(Outcome.BAD)
        if self.storage.queued <= SEGMENTS_QUEUED // 2 and self.storage.error is None:
            incoming.go()
        incoming.look()
        store = self.storage.store
        if store is not None and store.entries is None:
            self.storage.commit_if_due()

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

    def _trouble(self) -> None:
        self._end_session(Outcome.TROUBLE)

    def _end_session(self, how: Outcome) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(how)

    # --- What others say.

    def accept_received(self, mid: bytes, accept: Accept, link: LinkKey) -> None:
        """
        Take an ACCEPT for this content, which came by a link.
        """
        incoming = self.incoming
        if incoming is None or incoming.mid != mid or incoming.accept.tag != accept.tag:
            self.joining.accept_received(mid, accept, link)
        elif incoming.accept.unicast_key != accept.unicast_key:
            # Our JOIN came twice, and the sender began anew.
            self._end_session(Outcome.AGAIN)

    def finish_received(self, mid: bytes, tag: bytes, why: Ending) -> bool:
        """
        Take a FINISH; False when it is not about our session.
        """
        incoming = self.incoming
        if self._farewell.finish_received(tag):
            return True
        if incoming is None or incoming.mid != mid or incoming.accept.tag != tag:
            return False
        self.counters[f"finish: {why.name.lower()}"] += 1
        self._end_session(Outcome.FINISHED)
        return True

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Join elsewhere when it was our sender.
        """
        if self.incoming is not None and self.incoming.mid == mid:
            self._end_session(Outcome.SILENT)

    def rate_changed(self) -> None:
        """
        Join again with the rate that is set now.
        """
        self._end_session(Outcome.AGAIN)

    def links_changed(self) -> None:
        """
        Join again when our link is gone, or has another address.
        """
        if self.incoming is not None:
            socket = self.incoming.socket
            interface = self.courier.interface(socket.key)
            if interface is None or interface.address(socket.key[1]) != socket.interface.address(socket.key[1]):
                self._end_session(Outcome.AGAIN)

    def tick(self, now: float) -> None:
        """
        Do what is due.
        """
        self.storage.commit_if_due()
        if self.incoming is not None:
            self.incoming.tick(now)
            if self.courier.must_seal and not self.incoming.accept.sealed:
                self._end_session(Outcome.AGAIN)

    async def tell(self, patience: float) -> bool:
        """
        Tell who sends it that it is here, if nobody was told yet; give up after so many seconds. False when nobody
        heard.
        """
        if self.state == DONE:
            await self._farewell.find(self, self.joining, patience)
            await self._farewell.end()
        return self._farewell.is_heard

    async def close(self, *, delete: bool = False) -> None:
        """
        End it: what was received is durable, or deleted.

        :raises TransferError: when that can't be done.
        """
        self.stop()
        if self._task is not None:
            await asyncio.wait((self._task,))
        await self._farewell.end()
        try:
            await self.storage.close(delete=delete)
        finally:
            self.storage.shut_down()
            self.end()
            self.storage.news.set()


class Stored:
    """
    The segments that a store has, to look up.
    """

    def __init__(self, store: Store) -> None:
        """
        Of that store.
        """
        self.store = store

    def __contains__(self, segment: object) -> bool:
        """
        Tell whether one is here and checked.
        """
        return isinstance(segment, int) and self.store.has(segment)
