"""
The sessions in which one content is received, one after the other: from being let in to what came of it.
"""
from __future__ import annotations

import asyncio
import logging
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final

from ..errors import DiskFullError
from ..session.geometry import Geometry
from ..session.messages import Ending
from .asking import Asking
from .dealings import Dealings
from .exchange import Exchange
from .farewell import Farewell
from .incoming import Incoming
from .joining import Joining
from .limits import BAD_SEGMENTS, ROOM_LOOK, SEGMENTS_QUEUED
from .links import data_ports
from .received import Received
from .searching import Search
from .storage import Storage
from .transfer import ACTIVE, PAUSED, WAITING, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..session.messages import Join
    from ..session.packets import Bytes
    from ..store.store import Store
    from .courier import Courier, Options
    from .giver import Giver
    from .joining import Admitted
    from .remembered import Wanted
    from .together import Together

logger = logging.getLogger(__name__)


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


class Participation(Received):
    """
    In one session at a time; what happens in it comes by `incoming.Owner` and `exchange.Owner`.
    """

    def __init__(self, wanted: Wanted, courier: Courier, options: Options, together: Together, *,
                 records: Path | None, changed: Callable[[Transfer, str], None]) -> None:
        """
        Begin with none.

        :param records: where it is kept what was received; None: nowhere.
        :param changed: takes this and the state that it has now.
        """
        super().__init__(wanted.id, wanted.content_id, Storage(wanted.output, records, self._trouble), wanted.manifest,
                         Dealings(together.dealt))
        self.rate = wanted.rate
        self.courier = courier
        self.together = together
        self.counters = counters = together.counters
        self.asking = Asking(wanted.content_id, self.storage, courier, together)
        self.joining = Joining(wanted.content_id, courier, counters, lambda: data_ports(options), self._join)
        self.joining.may = together.may
        self.giver: Giver | None = None
        """Who goes on giving when all of it is here."""
        self.fellows: dict[bytes, None] = {}
        """Others who want it, or have some of it."""
        self._search = Search(self.joining, lambda: self._end_session(Outcome.AGAIN))
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Outcome] | None = None
        self._bad = 0
        self._reports = 0
        self._farewell = Farewell()

    def _join(self, port: int) -> Join:
        return self.asking.join(port, self.rate, wants_manifest=self._manifest is None)

    def _set(self, state: str) -> None:
        self._changed(self, state)
        self.storage.news.set()

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

    async def _ended(self, how: Outcome, mid: bytes) -> Ending:
        """
        Take note of how a session ended, and get what is to be said of it.
        """
        if how is Outcome.STORED:
            # Still a member: the sender waits for who has it under its name, not for who is about to.
            return Ending.DONE if await self.storage.finish() else Ending.CANCELLED
        if how in AVOIDED:
            self.joining.avoid(mid)
            self.asking.deaf += how is Outcome.SILENT
        logger.info("The session ended: %s", how.value)
        self.asking.is_spoilt = self.asking.is_spoilt or how is Outcome.SPOILT
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
                self.asking.deaf = 0

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

    # --- What happens in it.

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
                self.asking.deaf += 1
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
