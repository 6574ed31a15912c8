"""
The transfers of one node: what it publishes, what it receives, and the links that carry it.
"""
from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from ...protocol.wire import Kind
from ..content.manifest import ID_SIZE
from ..errors import TransferError, shown
from ..session.messages import Ending
from . import remembered
from .desk import Desk
from .limits import MAX_RATE, OFFER_OF_FELLOW, RECEPTIONS, TICK
from .offers import Found, Offers
from .publication import Publication, Serving
from .publishing import Publisher
from .reception import Reception
from .register import Register
from .remembered import Wanted
from .shelf import Shelf
from .transfer import DONE, FAILED, PAUSED, WAITING, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..content.manifest import Manifest
    from ..content.source import Source
    from .courier import Courier, LinkKey, Options

__all__ = ["Found", "Publication", "Transfer", "TransferService"]

logger = logging.getLogger(__name__)

RECORDS: Final = "contents"
"""Below the folder: what was hashed or received, so that it is known again."""


class TransferService:
    """
    Publishes and receives. Call everything in one event loop.
    """

    def __init__(self, courier: Courier, options: Options, *, folder: Path | None, tell: Callable[..., None]) -> None:
        """
        Not running yet.

        :param options: `transfer_rate` is read while it runs.
        :param folder: where publications and transfers are remembered over a restart; None: nowhere. With a folder,
            what was received is published in turn.
        :param tell: takes topic and what is to be told, on each change of state, and twice a second while it goes on.
        """
        self.courier = courier
        self.options = options
        self.folder = folder
        self.counters: Counter[str] = Counter()
        """What was sent, taken and dropped, by reason."""
        self.register = Register(folder, tell)
        self.transfers = self.register.transfers
        """By id (16 hex digits)."""
        self.records = None if folder is None else folder / RECORDS
        self.publisher = Publisher(courier, options, self.counters, self.register.changed)
        self.publisher.partly = self._partly
        self.register.publications = self.publisher.publications
        self.shelf = Shelf(self.publisher, self.register, self.records)
        self.together = self.publisher.together
        self.offered = Offers(courier, self.counters)
        self.desk = Desk(self.publisher, self.offered, self.register)
        self._ticking: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing = False

    @property
    def publications(self) -> Mapping[bytes, Publication]:
        """
        What is offered, by content id.
        """
        return self.publisher.publications

    async def start(self) -> None:
        """
        Offer what was published before, and go on with what was not done.
        """
        self._tick()
        if self.folder is None:
            return
        memory = await asyncio.to_thread(remembered.load, self.folder)
        for wanted in memory.transfers:
            reception = self._reception(wanted)
            if wanted.paused:
                self.register.changed(reception, PAUSED)
            else:
                reception.begin()
        for published in memory.publications:
            await self.shelf.offer_again(published)

    async def close(self) -> None:
        """
        Say goodbye to all sessions, make durable what was received: it goes on at the next start.
        """
        if self._ticking is not None:
            self._ticking.cancel()
        self._is_closing = True
        self.shelf.stop()
        for task in list(self._tasks):
            task.cancel()
        self.register.remember()
        self.publisher.close()
        for reception in self.register.receptions():
            try:
                await reception.close()
            except TransferError as error:
                logger.warning("%s", error)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.shelf.close()

    # --- Called by the community.

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Take a control message of a verified peer. Never raises.
        """
        if self._is_closing and kind != Kind.FINISH:  # Which answers our last word.
            return
        now = asyncio.get_running_loop().time()
        try:
            self.desk.take(mid, kind, payload, link, now)
        except Exception:
            self.counters["message: failed"] += 1
            logger.exception("Failed on a %s", kind.name)

    def neighbour_found(self, mid: bytes) -> None:
        """
        Note that a peer became local, or said something new.
        """
        self.offered.neighbour_found(mid)
        for reception in self.register.receptions():
            reception.joining.neighbour_found(mid)

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Note that a peer is not local any more.
        """
        self.publisher.gone(mid)
        self.offered.neighbour_gone(mid)
        for reception in self.register.receptions():
            reception.neighbour_gone(mid)

    def links_changed(self) -> None:
        """
        Look at the links again: interfaces come, go and get other addresses.
        """
        self.publisher.links_changed()
        for reception in self.register.receptions():
            reception.links_changed()

    # --- Called from above. Errors are transfer.errors.TransferError: one line.

    async def publish(self, path: Path | Source, *, progress: Callable[[int, int], None] | None = None,
                      wait_for: int = 0, weight: float = 1.0) -> Publication:
        """
        Offer a file or folder: hashes it in a thread, unless it comes as a source. The same content again is the same
        publication.

        :param progress: called with bytes done and bytes of all.
        :param wait_for: data flows once so many receivers joined, or 2 s after the first; 0: at once.
        :param weight: its share of a link beside others.
        :raises ContentError: when it can't be offered.
        :raises ChangedError: when a file changes meanwhile.
        """
        return await self.shelf.publish(path, progress, wait_for, weight)

    async def unpublish(self, content_id: bytes) -> None:
        """
        Offer it no more. No error when it is not offered.
        """
        await self.shelf.unpublish(content_id)

    async def receive(self, content_id: bytes, output: Path, *, rate: int | None = None) -> Reception:
        """
        Begin to receive, or go on; the same again is the same transfer.

        :param output: an existing folder: into it, under the offered name; else the name of the result.
        :param rate: most bytes/s that are taken; None: any.
        :raises TransferError: when that can't be.
        """
        if len(content_id) != ID_SIZE:
            raise TransferError("a content id has 64 hexadecimal digits")
        output = Path(os.path.abspath(output))
        for known in self.register.receptions():
            if known.content_id == content_id and known.state != DONE:
                if known.output != output and known.state == FAILED:
                    continue
                if known.output != output:
                    raise TransferError(f"it is being received to {shown(str(known.output))} already")
                if known.state in (FAILED, PAUSED):
                    self.resume(known.id)
                return known
        self.register.check_room()
        if sum(each.state not in (DONE, FAILED) for each in self.register.receptions()) >= RECEPTIONS:
            raise TransferError(f"{RECEPTIONS} transfers are receiving already")
        found = self.offered.known.get(content_id)
        reception = self._reception(Wanted(token_hex(8), content_id, output, checked_rate(rate),
                                           manifest=None if found is None else found.manifest))
        for mid in found.mids if found is not None else ():
            reception.joining.offered(mid)
        self.register.remember()
        reception.begin()
        return reception

    def _reception(self, wanted: Wanted) -> Reception:
        reception = Reception(wanted, self.courier, self.options, self.together, records=self.records,
                              changed=self.register.changed, done=self._done, partly=self._ask_what_it_is)
        self.transfers[wanted.id] = reception
        return reception

    async def offers(self, timeout: float, content_id: bytes | None = None) -> list[Found]:
        """
        Ask all neighbours what they offer, for so many seconds. With a content id only for that one: returns as soon as
        somebody has it.
        """
        return await self.offered.wait(content_id, timeout, first=content_id is not None)

    async def wait_offer(self) -> Found:
        """
        Wait for the first offer of anybody.
        """
        return (await self.offered.wait(None, None, first=True))[0]

    def pause(self, id: str) -> None:  # noqa: A002
        """
        Neither send nor receive any more of a transfer, until `resume`.

        :raises KeyError: when there is no such transfer.
        """
        transfer = self.transfers[id]
        if isinstance(transfer, Reception):
            if transfer.state in (DONE, FAILED):
                return
            transfer.stop()
        elif isinstance(transfer, Serving):
            transfer.publication.paused = True
            self.publisher.end(transfer.publication, Ending.CANCELLED)
        transfer.error = None
        self.register.changed(transfer, PAUSED)
        self.register.remember()

    def resume(self, id: str) -> None:  # noqa: A002
        """
        Go on; one that failed is tried again. Errors as `pause`.

        :raises TransferError: when it is being received to another place meanwhile.
        """
        transfer = self.transfers[id]
        if transfer.state not in (PAUSED, FAILED):
            return
        if isinstance(transfer, Reception):
            other = self.register.receiving(transfer.content_id)
            if other is not None and other is not transfer and other.state not in (DONE, FAILED):
                raise TransferError(f"it is being received to {shown(str(other.output))} already")
            self.register.changed(transfer, WAITING)
            transfer.begin()
        elif isinstance(transfer, Serving) and transfer.publication.error is None:
            transfer.publication.paused = False
            self.register.changed(transfer, transfer.look())
        self.register.remember()

    def set_rate(self, id: str, rate: int | None) -> None:  # noqa: A002
        """
        Limit a transfer to so many bytes/s; None: no limit. Errors as `pause`.

        :raises TransferError: when it is no rate.
        """
        transfer = self.transfers[id]
        transfer.rate = checked_rate(rate)
        if isinstance(transfer, Reception):
            transfer.rate_changed()
        elif isinstance(transfer, Serving):
            transfer.publication.rate = transfer.rate
            for session in transfer.publication.sessions.values():
                session.limit = float(transfer.rate or 0)
        self.register.remember()

    async def remove(self, id: str, *, delete: bool = False) -> None:  # noqa: A002
        """
        End a transfer and forget it. What was received stays, unless it is to be deleted; a whole result is never.

        :raises KeyError: when there is no such transfer.
        :raises StoreError: when it can't be deleted.
        """
        transfer = self.transfers[id]
        self.register.forget(transfer)
        self.register.remember()
        if isinstance(transfer, Reception):
            await transfer.close(delete=delete)
        elif isinstance(transfer, Serving):
            self.publisher.end(transfer.publication, Ending.CANCELLED)
            transfer.publication.serving = None

    # --- What others have some of.

    def _partly(self, content_id: bytes) -> Manifest | None:
        """
        Get what a content is of which some is here, for others.
        """
        if not self.together.is_on:
            return None
        reception = self.register.receiving(content_id)
        return None if reception is None or not reception.helps else reception.manifest

    def _ask_what_it_is(self, reception: Reception) -> None:
        """
        Ask those who have some of a content what it is.
        """
        async def ask() -> None:
            for found in await self.offered.wait(reception.content_id, OFFER_OF_FELLOW, first=True):
                reception.is_known(found.manifest)

        self._task(ask())

    # --- What becomes of it.

    def _done(self, reception: Reception) -> None:
        source = reception.storage.source
        if self.folder is not None and source is not None and reception.content_id not in self.publications:
            self._task(self.shelf.offer_received(source, reception))
        self.register.remember()

    def _task(self, coroutine: Any) -> None:  # noqa: ANN401
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(TICK, self._tick)
        now = loop.time()
        self.publisher.tick(now)
        for reception in self.register.receptions():
            reception.tick(now)
        self.register.tell_progress()


def checked_rate(rate: int | None) -> int | None:
    """
    Get a rate that somebody set.

    :raises TransferError: when it is none.
    """
    if rate is not None and not 0 < rate <= MAX_RATE:
        raise TransferError("a rate is a positive number of bytes per second")
    return rate
