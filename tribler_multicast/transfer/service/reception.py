"""
One content that is received: asked for, taken in, written, and given its name.
"""
from __future__ import annotations

import asyncio
import logging
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final

from ...coding import MAX_SYMBOLS
from ...protocol.wire import Kind
from ..content.source import Source
from ..errors import ChangedError, DiskFullError, TransferError, shown
from ..limits import DEFAULT_UNIT
from ..session.coop_messages import Help
from ..session.geometry import Geometry
from ..session.messages import LACKS_ROOM, Ending, Join
from ..session.reports import lacking_segments
from .alone import Alone
from .dealings import Dealings
from .exchange import Exchange
from .farewell import Farewell
from .found import here
from .incoming import Incoming
from .joining import Joining
from .limits import (
    ALONE_AFTER,
    ALONE_LOOK,
    ASKED_LATELY,
    ASKED_LATELY_ALONE,
    BAD_SEGMENTS,
    DEAF,
    FELLOWS,
    ROOM_LOOK,
    SEGMENTS_QUEUED,
    STAYS,
    STAYS_ALONE,
)
from .links import data_ports
from .received import Received
from .searching import Search
from .storage import Storage
from .transfer import ACTIVE, CHECKING, DONE, FAILED, PAUSED, WAITING, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..content.manifest import Manifest
    from ..session.messages import Accept
    from ..session.packets import Bytes
    from ..session.reports import Lacks
    from ..store.store import Store
    from .courier import Courier, LinkKey, Options
    from .giver import Giver
    from .joining import Admitted
    from .remembered import Wanted
    from .together import Together

logger = logging.getLogger(__name__)

STAY_LOOK: Final = 0.02
"""Seconds between two looks whether somebody asks."""

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
    SPOILT = "somebody spoils what goes to all"
    TROUBLE = "the disk failed"


AVOIDED: Final = frozenset({Outcome.SILENT, Outcome.FINISHED, Outcome.BAD})
"""After these another sender is asked first."""


class Reception(Received):
    """
    Runs as one task, from `begin` until it is done, has failed or is told to stop.
    """

    def __init__(self, wanted: Wanted, courier: Courier, options: Options, together: Together, *,  # noqa: PLR0913
                 records: Path | None, changed: Callable[[Transfer, str], None],
                 done: Callable[[Reception], None], partly: Callable[[Reception], None]) -> None:
        """
        Not running yet.

        :param records: where it is kept what was received; None: nowhere.
        :param changed: takes this and the state that it has now.
        :param done: is told when all of it is there.
        :param partly: is told that somebody has some of it, while it is not known what it is.
        """
        super().__init__(wanted.id, wanted.content_id, Storage(wanted.output, records, self._trouble), wanted.manifest,
                         Dealings(together.dealt))
        self.rate = wanted.rate
        self.courier = courier
        self.together = together
        self.counters = counters = together.counters
        self.joining = Joining(wanted.content_id, courier, counters, lambda: data_ports(options), self._join)
        self.joining.may, self.joining.met = together.may, self.meet
        self.giver: Giver | None = None
        """Who goes on giving when all of it is here."""
        self.fellows: dict[bytes, None] = {}
        """Others who want it, or have some of it."""
        self._alone = Alone(wanted.content_id, courier, lambda: data_ports(options))
        self._search = Search(self.joining, lambda: self._end_session(Outcome.AGAIN))
        self._partly = partly
        self._changed = changed
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._outcome: asyncio.Future[Outcome] | None = None
        self._bad = 0
        self._deaf = 0
        """Sessions in a row that ended in silence, without a datagram of the group."""
        self._is_spoilt = False
        """Whether somebody who has the key of what goes to all sends nonsense under it: ours is asked for then."""
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
                    await self._take_part(await self._admitted())
                if self.storage.source is not None or await self.storage.finish():
                    await self._search.end()
                    self._set(DONE)
                    self._done(self)
                    return
            raise ChangedError(f"{shown(str(self.path))} is changed by another program all the time")
        except TransferError as error:
            await self._fail(error)
        except Exception as error:
            logger.exception("A transfer failed")
            await self._fail(TransferError(f"an error of this program: {error!r}"))
        finally:
            await self._search.end()

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
                       wants_manifest=self._manifest is None, no_multicast=self._deaf >= DEAF or self._is_spoilt,
                       rate=rate,
                       sealed=self.courier.must_seal, helps=self.together.is_on)

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

    async def _admitted(self) -> Admitted:
        """
        Wait until somebody lets us in, or nobody does, but others may help.
        """
        self._search.begin(manifest_wanted=self._manifest is None)
        if not self.together.is_on:
            found = None
            while found is None:
                found = await self._search.wait(None)
            return found
        begun = self._loop.time()
        while True:
            found = await self._search.wait(ALONE_LOOK)
            if found is not None:
                return found
            if self._loop.time() - begun >= ALONE_AFTER and self._manifest is not None \
                    and (self.fellows or self.storage.has_some):
                alone = self._alone.admit(self.fellows, self.storage.unit)
                if alone is not None:
                    return alone

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
            self._set(ACTIVE if incoming.has_source else WAITING)
            incoming.go()
            if not incoming.has_source and self._search.is_over:
                self._end_session(Outcome.AGAIN)
            why = Ending.CANCELLED
            why = await self._ended(await outcome, admitted.mid)
        except asyncio.CancelledError:
            why = Ending.CANCELLED
            raise
        finally:
            self.incoming = self._outcome = None
            incoming.close()
            self._leave(incoming, why)
            if incoming.receiver is not None:
                await storage.keep(incoming.receiver)
        await self._wait_for_room()

    async def _ended(self, how: Outcome, mid: bytes) -> Ending:
        """
        Take note of how a session ended, and get what is to be said of it.
        """
        if how is Outcome.STORED:
            # Still a member: the sender waits for who has it under its name, not for who is about to.
            return Ending.DONE if await self.storage.finish() else Ending.CANCELLED
        if how in AVOIDED:
            self.joining.avoid(mid)
            self._deaf += how is Outcome.SILENT
        logger.info("The session ended: %s", how.value)
        self._is_spoilt = self._is_spoilt or how is Outcome.SPOILT
        return Ending.FAILED if how is Outcome.TROUBLE else Ending.CANCELLED

    def _leave(self, incoming: Incoming, why: Ending) -> None:
        """
        Say goodbye to the sender and to the others, and count.
        """
        if incoming.exchange is not None and why is Ending.DONE:
            self.giver = incoming.exchange.finish()
        elif incoming.exchange is not None:
            incoming.exchange.close()
        if incoming.mid and why is Ending.DONE:
            self._farewell.begin(incoming)
        elif incoming.mid:
            incoming.say(why)
        self.came += incoming.total
        if incoming.receiver is not None:
            self._reports = incoming.receiver.number
            if incoming.receiver.tracks[0].count:
                self._deaf = 0

    async def _begin(self, incoming: Incoming, store: Store) -> None:
        accept = incoming.accept
        geometry = Geometry(store.layout, accept.k, accept.symbol)
        whole = [segment for segment in range(store.layout.segments) if store.has(segment)]
        receiver = incoming.begin(geometry, store.tree, store.add_proof, whole, self._reports)
        await self.storage.give(receiver)
        if self.together.is_on:
            incoming.exchange = Exchange(incoming, receiver, self.together, self, read=self.storage.segment,
                                         dealings=self.dealings, rate=self.rate)
            incoming.exchange.meet(self.fellows)

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
        exchange = incoming.exchange
        if exchange is not None and exchange.is_asked:
            self.storage.check(segment, data).add_done_callback(partial(exchange.checked, segment, data))

    def _written(self, incoming: Incoming, segment: int, is_good: bool) -> None:
        if incoming is not self.incoming or incoming.receiver is None:
            return
        incoming.receiver.stored(segment, is_good)
        if self.state == WAITING:
            self._set(ACTIVE)
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
        Go on with the others, if there are some, else join again.
        """
        if not self._lose_source():
            self._end_session(Outcome.SILENT)

    def _lose_source(self) -> bool:
        """
        Go on without the sender, while another one is looked for; False when there is nobody else.
        """
        incoming = self.incoming
        if incoming is None or incoming.exchange is None or not incoming.exchange.is_helped:
            return False
        if incoming.has_source:
            self.counters["session: without its source"] += 1
            if incoming.receiver is not None and not incoming.receiver.tracks[0].count:
                self._deaf += 1
            incoming.lose_source()
            self.joining.avoid(incoming.mid)
            self._search.begin(manifest_wanted=self._manifest is None)
            incoming.look()
        return True

    def peer_named(self, mid: bytes) -> None:
        """
        Have nothing to do any more with somebody who was caught.
        """
        self.counters["peer: named"] += 1
        self.together.named.add(mid, self._loop.time())
        self.fellows.pop(mid, None)
        if self.incoming is not None and self.incoming.mid == mid:
            self._end_session(Outcome.BAD)

    def group_spoilt(self) -> None:
        """
        Join again without multicast.
        """
        self._end_session(Outcome.SPOILT)

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
        if incoming is None or incoming.mid != mid or incoming.accept.tag != accept.tag or not incoming.has_source:
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
        if not self._lose_source():
            self._end_session(Outcome.FINISHED)
        return True

    @property
    def helps(self) -> bool:
        """
        Whether others may ask for what is here.
        """
        return self.giver is not None or (self.incoming is not None and self.incoming.exchange is not None)

    def is_in(self, tag: bytes) -> bool:
        """
        Tell whether we receive in the session with this tag.
        """
        return self.incoming is not None and self.incoming.accept.tag == tag

    def meet(self, mid: bytes) -> None:
        """
        Note that somebody wants it, too, or has some of it.
        """
        if mid not in self.fellows and len(self.fellows) < FELLOWS and not self.together.is_named(mid):
            self.fellows[mid] = None
            if self._manifest is None:
                self._partly(self)
        if self.incoming is not None and self.incoming.exchange is not None:
            self.incoming.exchange.meet((mid,))

    def is_known(self, manifest: Manifest) -> None:
        """
        Take what it is, of somebody who has some of it.
        """
        if self._manifest is None and manifest.content.id == self.content_id:
            self._manifest = manifest

    def cooperation_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey) -> bool:
        """
        Take a message of another receiver, or of the source about others; False when we can't.
        """
        exchange, giver = None if self.incoming is None else self.incoming.exchange, self.giver
        if exchange is not None:
            exchange.message_received(mid, kind, payload, link)
            for each in exchange.coop.seeker.peers.keys() - self.fellows.keys():
                if len(self.fellows) < FELLOWS:
                    self.fellows[each] = None
            return True
        if kind == Kind.HELP and giver is not None and self.state == DONE:
            wanted = Help.read(payload, giver.helper.geometry)
            if wanted is not None and (wanted.sealed or not self.courier.must_seal):
                giver.help_received(mid, wanted, link)
                return True
        if kind == Kind.HAVE and giver is not None:
            giver.have_received(mid, payload)
            return True
        return False

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Join elsewhere when it was our sender.
        """
        self.fellows.pop(mid, None)
        incoming = self.incoming
        if incoming is not None and incoming.exchange is not None:
            incoming.exchange.part(mid)
        self._farewell.neighbour_gone(mid)
        if self.giver is not None:
            self.giver.finished(mid)
        if incoming is not None and incoming.mid == mid and incoming.has_source and not self._lose_source():
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
        if self.giver is not None:
            self.giver.count(now)
        if self.incoming is not None:
            self.incoming.tick(now)
        if self.incoming is not None and self.courier.must_seal and not self.incoming.accept.sealed:
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

    async def stay(self) -> None:
        """
        Go on giving while others ask, for a bounded time: a short one while the sender is there, for whom it is done.
        """
        most, lately = (STAYS, ASKED_LATELY) if self._farewell.is_heard else (STAYS_ALONE, ASKED_LATELY_ALONE)
        end = self._loop.time() + most
        while self.giver is not None and self.giver.was_asked(lately) and self._loop.time() < end:
            await asyncio.sleep(STAY_LOOK)

    async def close(self, *, delete: bool = False) -> None:
        """
        End it: what was received is durable, or deleted.

        :raises TransferError: when that can't be done.
        """
        self.stop()
        if self._task is not None:
            await asyncio.wait((self._task,))
        await self._farewell.end()
        if self.giver is not None:
            self.giver.close()
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
