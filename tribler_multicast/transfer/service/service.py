"""
The transfers of one node: what it publishes, what it receives, and the links that carry it.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import Counter
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from ...protocol.budget import KeyedBuckets
from ...protocol.wire import Kind
from ..content import record
from ..content.manifest import ID_SIZE, Manifest
from ..content.source import Source
from ..errors import StoreError, TransferError, shown
from ..session.messages import Accept, Ending, read_end, read_refusal
from . import remembered
from .limits import (
    HINTS_AT_ONCE,
    HINTS_PER_SECOND,
    MAX_RATE,
    OFFER_OF_FELLOW,
    PEERS_KEPT,
    RECEPTIONS,
    TICK,
    TRANSFERS,
)
from .offers import Found, Offers
from .publication import Publication, Serving
from .publishing import Publisher
from .reception import Reception
from .remembered import Memory, Published, Wanted
from .together import COOPERATION, Desk
from .transfer import ACTIVE, CHECKING, DONE, FAILED, PAUSED, WAITING, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .courier import Courier, LinkKey, Options

__all__ = ["Found", "Publication", "Transfer", "TransferService"]

logger = logging.getLogger(__name__)

TOPIC: Final = "multicast_transfer"
REMOVED: Final = "removed"
"""The state that is told last of a transfer, when it is forgotten."""
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
        self.tell = tell
        self.counters: Counter[str] = Counter()
        """What was sent, taken and dropped, by reason."""
        self.transfers: dict[str, Transfer] = {}
        """By id (16 hex digits)."""
        self.records = None if folder is None else folder / RECORDS
        self.publisher = Publisher(courier, options, self.counters, self._changed)
        self.publisher.partly = self._partly
        self.together = self.publisher.together
        self.desk = Desk(self.together, self.publisher, self._receiving, self._receptions)
        self.offered = Offers(courier, self.counters)
        self._hints = KeyedBuckets(HINTS_PER_SECOND, HINTS_AT_ONCE, PEERS_KEPT)
        self._told: dict[str, tuple[str, float]] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._publishing: dict[Path, asyncio.Task[Publication]] = {}
        self._is_closing = threading.Event()

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
                self._changed(reception, PAUSED)
            else:
                reception.begin()
        for published in memory.publications:
            await self._publish_again(published)

    async def close(self) -> None:
        """
        Say goodbye to all sessions, make durable what was received: it goes on at the next start.
        """
        if self._ticking is not None:
            self._ticking.cancel()
        self._is_closing.set()
        for task in list(self._tasks):
            task.cancel()
        self._remember()
        self.publisher.close()
        for reception in self._receptions():
            try:
                await reception.close()
            except TransferError as error:
                logger.warning("%s", error)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for publication in self.publications.values():
            if publication.source is not None:
                await asyncio.to_thread(publication.source.close)

    # --- Called by the community.

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Take a control message of a verified peer. Never raises.
        """
        if self._is_closing.is_set() and kind != Kind.FINISH:  # Which answers our last word.
            return
        now = asyncio.get_running_loop().time()
        try:
            self._take(mid, kind, payload, link, now)
        except Exception:
            self.counters["message: failed"] += 1
            logger.exception("Failed on a %s", kind.name)

    def _take(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        if kind == Kind.REPORT:
            self.publisher.report_received(mid, payload, now)
        elif kind == Kind.JOIN:
            self.publisher.join_received(mid, payload, link, now)
        elif kind == Kind.LEAVE:
            self.publisher.leave_received(mid, payload, link)
        elif kind == Kind.OFFERS_WANTED:
            self.publisher.offers_wanted(mid, payload, link, now)
        elif kind == Kind.OFFER:
            self._offer_received(mid, payload, now)
        elif kind == Kind.ACCEPT:
            self._accept_received(mid, payload, link)
        elif kind == Kind.REFUSE:
            self._refuse_received(mid, payload)
        elif kind == Kind.FINISH:
            self._finish_received(mid, payload)
        elif kind in COOPERATION:
            self.desk.take(mid, kind, payload, link, now)
        else:
            self.counters["message: unknown"] += 1

    def _offer_received(self, mid: bytes, payload: bytes, now: float) -> None:
        is_hint = any(reception.joining.is_hint(mid) for reception in self._receptions()) and self._hints.take(mid, now)
        found = self.offered.offer_received(mid, payload, is_hint=is_hint)
        if found is not None:
            reception = self._receiving(found.manifest.content.id)
            if reception is not None:
                reception.joining.offered(mid)

    def _accept_received(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        accept = Accept.read(payload)
        reception = None if accept is None else self._receiving(accept.content_id)
        if accept is None:
            self.counters["accept: malformed"] += 1
        elif reception is None:
            self.counters["accept: not asked for"] += 1
        else:
            reception.accept_received(mid, accept, link)

    def _refuse_received(self, mid: bytes, payload: bytes) -> None:
        refusal = read_refusal(payload)
        reception = None if refusal is None else self._receiving(refusal[0])
        if refusal is None:
            self.counters["refuse: malformed"] += 1
        elif reception is None:
            self.counters["refuse: not asked for"] += 1
        else:
            reception.joining.refuse_received(mid, refusal[1])

    def _finish_received(self, mid: bytes, payload: bytes) -> None:
        end = read_end(payload)
        if end is None:
            self.counters["finish: malformed"] += 1
        elif not any(reception.finish_received(mid, *end) for reception in self._receptions()):
            self.counters["finish: no session of ours"] += 1

    def neighbour_found(self, mid: bytes) -> None:
        """
        Note that a peer became local, or said something new.
        """
        self.offered.neighbour_found(mid)
        for reception in self._receptions():
            reception.joining.neighbour_found(mid)

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Note that a peer is not local any more.
        """
        self.publisher.gone(mid)
        self.offered.neighbour_gone(mid)
        for reception in self._receptions():
            reception.neighbour_gone(mid)

    def links_changed(self) -> None:
        """
        Look at the links again: interfaces come, go and get other addresses.
        """
        self.publisher.links_changed()
        for reception in self._receptions():
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
        self._check_room()
        source = path if isinstance(path, Source) else await self._hash(path, progress)
        known = self.publications.get(source.content.id)
        if known is not None and known.source is not None and known.error is None:
            return known
        manifest = Manifest.sign(source.content, self.courier.identity, time.time())
        publication = Publication(source, manifest, source.listing.path, wait_for=wait_for, weight=weight)
        await self._offer(publication)
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

    async def _offer(self, publication: Publication) -> None:
        """
        Put a publication to the others.
        """
        before = self.publications.get(publication.content_id)
        if before is not None:
            self.publisher.end(before, Ending.CANCELLED)
            if before.serving is not None:
                self.transfers.pop(before.serving.id, None)
        self.publisher.offer(publication)
        if self.records is not None and publication.source is not None:
            # Without a record it is hashed again some day, no more.
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(record.save, self.records, publication.source)
        self._remember()

    async def _publish_again(self, published: Published) -> None:
        assert self.records is not None
        content_id = published.manifest.content.id
        source = await asyncio.to_thread(record.load, self.records, content_id)
        if content_id in self.publications:
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
            self._forget(publication.serving)
        self._remember()
        if publication.source is not None:
            await asyncio.to_thread(publication.source.close)
        if self.records is not None:
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(record.forget, self.records, content_id)

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
        for known in self._receptions():
            if known.content_id == content_id and known.state != DONE:
                if known.output != output and known.state == FAILED:
                    continue
                if known.output != output:
                    raise TransferError(f"it is being received to {shown(str(known.output))} already")
                if known.state in (FAILED, PAUSED):
                    self.resume(known.id)
                return known
        self._check_room()
        if sum(each.state not in (DONE, FAILED) for each in self._receptions()) >= RECEPTIONS:
            raise TransferError(f"{RECEPTIONS} transfers are receiving already")
        found = self.offered.known.get(content_id)
        reception = self._reception(Wanted(token_hex(8), content_id, output, checked_rate(rate),
                                           manifest=None if found is None else found.manifest))
        for mid in found.mids if found is not None else ():
            reception.joining.offered(mid)
        self._remember()
        reception.begin()
        return reception

    def _reception(self, wanted: Wanted) -> Reception:
        reception = Reception(wanted, self.courier, self.options, self.together, records=self.records,
                              changed=self._changed, done=self._done, partly=self._ask_what_it_is)
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
        self._changed(transfer, PAUSED)
        self._remember()

    def resume(self, id: str) -> None:  # noqa: A002
        """
        Go on; one that failed is tried again. Errors as `pause`.

        :raises TransferError: when it is being received to another place meanwhile.
        """
        transfer = self.transfers[id]
        if transfer.state not in (PAUSED, FAILED):
            return
        if isinstance(transfer, Reception):
            other = self._receiving(transfer.content_id)
            if other is not None and other is not transfer and other.state not in (DONE, FAILED):
                raise TransferError(f"it is being received to {shown(str(other.output))} already")
            self._changed(transfer, WAITING)
            transfer.begin()
        elif isinstance(transfer, Serving) and transfer.publication.error is None:
            transfer.publication.paused = False
            self._changed(transfer, transfer.look())
        self._remember()

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
        self._remember()

    async def remove(self, id: str, *, delete: bool = False) -> None:  # noqa: A002
        """
        End a transfer and forget it. What was received stays, unless it is to be deleted; a whole result is never.

        :raises KeyError: when there is no such transfer.
        :raises StoreError: when it can't be deleted.
        """
        transfer = self.transfers[id]
        self._forget(transfer)
        self._remember()
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
        reception = self._receiving(content_id)
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

    def _receptions(self) -> list[Reception]:
        return [transfer for transfer in self.transfers.values() if isinstance(transfer, Reception)]

    def _receiving(self, content_id: bytes) -> Reception | None:
        found = [each for each in self._receptions() if each.content_id == content_id]
        return next((each for each in found if each.state not in (DONE, FAILED)), found[0] if found else None)

    def _check_room(self) -> None:
        if len(self.transfers) + len(self.publications) >= TRANSFERS:
            raise TransferError(f"there are {TRANSFERS} transfers and publications already: remove some")

    def _forget(self, transfer: Transfer) -> None:
        self.transfers.pop(transfer.id, None)
        self._told.pop(transfer.id, None)
        transfer.end()
        self.tell(TOPIC, id=transfer.id, content_id=transfer.content_id.hex(), state=REMOVED,
                  progress=transfer.progress)

    def _changed(self, transfer: Transfer, state: str) -> None:
        if isinstance(transfer, Serving):
            self.transfers.setdefault(transfer.id, transfer)
        if self.transfers.get(transfer.id) is transfer and transfer.set_state(state):
            self._say(transfer)

    def _say(self, transfer: Transfer) -> None:
        self._told[transfer.id] = transfer.state, transfer.progress
        self.tell(TOPIC, id=transfer.id, content_id=transfer.content_id.hex(), state=transfer.state,
                  progress=transfer.progress)

    def _done(self, reception: Reception) -> None:
        source = reception.storage.source
        if self.folder is not None and source is not None and reception.content_id not in self.publications:
            manifest = reception.manifest or Manifest.sign(source.content, self.courier.identity, time.time())
            self._task(self._offer(Publication(source, manifest, reception.path)))
        self._remember()

    def _task(self, coroutine: Any) -> None:  # noqa: ANN401
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(TICK, self._tick)
        now = loop.time()
        self.publisher.tick(now)
        for reception in self._receptions():
            reception.tick(now)
        for transfer in self.transfers.values():
            if transfer.state in (ACTIVE, CHECKING) \
                    and self._told.get(transfer.id) != (transfer.state, transfer.progress):
                self._say(transfer)

    def _remember(self) -> None:
        if self.folder is None:
            return
        memory = Memory(
            [Published(each.path, each.manifest, each.paused, each.rate, each.weight)
             for each in self.publications.values()],
            [Wanted(each.id, each.content_id, each.output, each.rate, each.state == PAUSED, each.manifest)
             for each in self._receptions() if each.state != DONE])
        try:
            remembered.save(self.folder, memory)
        except StoreError as error:
            logger.warning("%s", error)


def checked_rate(rate: int | None) -> int | None:
    """
    Get a rate that somebody set.

    :raises TransferError: when it is none.
    """
    if rate is not None and not 0 < rate <= MAX_RATE:
        raise TransferError("a rate is a positive number of bytes per second")
    return rate
