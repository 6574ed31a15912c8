"""
One content that is received: asked for, taken in, written, and given its name.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from ...protocol.wire import Kind
from ..content.source import Source
from ..errors import ChangedError, TransferError, shown
from ..limits import DEFAULT_UNIT
from ..session.coop_messages import Help
from .alone import Alone
from .found import here
from .limits import (
    ALONE_AFTER,
    ALONE_LOOK,
    ASKED_LATELY,
    ASKED_LATELY_ALONE,
    FELLOWS,
    STAYS,
    STAYS_ALONE,
)
from .links import data_ports
from .participation import Outcome, Participation
from .transfer import CHECKING, DONE, FAILED, WAITING, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..content.manifest import Manifest
    from ..session.messages import Accept, Ending
    from .courier import Courier, LinkKey, Options
    from .joining import Admitted
    from .remembered import Wanted
    from .together import Together

logger = logging.getLogger(__name__)

STAY_LOOK: Final = 0.02
"""Seconds between two looks whether somebody asks."""

TRIES: Final = 3
"""Times that a result which somebody writes to meanwhile is looked at again."""


class Reception(Participation):
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
        super().__init__(wanted, courier, options, together, records=records, changed=changed)
        self.joining.met = self.meet
        self._alone = Alone(wanted.content_id, courier, lambda: data_ports(options))
        self._partly = partly
        self._done = done
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

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
        self.need_soon()
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
