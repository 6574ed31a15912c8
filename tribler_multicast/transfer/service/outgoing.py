"""
One session: a content on one link, and who receives it there.
"""
from __future__ import annotations

import logging
from dataclasses import dataclass, field
from secrets import randbelow, token_bytes
from typing import TYPE_CHECKING, Final

from ...coding import MAX_SYMBOLS
from ...lan.session_group import SESSION_PORT, group_of
from ..errors import TransferError
from ..session.cooperation import SourceCooperation
from ..session.events import MemberGone, MemberGreedy
from ..session.limits import CATCH_UP, ROUND
from ..session.messages import Accept
from ..session.packets import KEY_SIZE, TAG_SIZE
from ..session.sender import Sender
from .crediting import Credit
from .limits import LEAST_ALONE, LEAST_CAP, READS, REPEATED
from .meter import Meter

if TYPE_CHECKING:
    from asyncio import Future, TimerHandle
    from collections.abc import Callable
    from concurrent.futures import Executor

    from ...protocol.wire import Kind
    from ..session.geometry import Geometry
    from ..session.reports import Lacks
    from ..session.sender import Batch
    from .courier import Courier
    from .publication import Place, Publication
    from .sending import SendingLink

logger = logging.getLogger(__name__)

SEEDS: Final = 1 << 30
"""Combinations begin at any of so many numbers: two sources of one content send different ones."""
LATER: Final = 60.0
"""What is to be told in more than so many seconds is looked at when it comes nearer: `tick` does."""
LOOKED_AT: Final = 8
"""Receivers of which the progress of a session is taken: the table of each may be megabytes."""


@dataclass
class Receiving:
    """
    A receiver as the session's owner knows it: where it is, its key, the most bytes/s that it takes (0: any).
    """

    address: tuple[str, int]
    key: bytes
    rate: float
    joined: float
    group: int
    """Bytes that had gone to the group when it was counted last."""
    shared: int = 0
    """Of those, the ones that it was in the group for."""
    meter: Meter = field(default_factory=Meter)


class OutgoingSession:
    """
    Takes turns on its link; its owner hands it what receivers say.
    """

    def __init__(self, publication: Publication, link: SendingLink, geometry: Geometry, readers: Executor,  # noqa: PLR0913
                 failed: Callable[[Publication, TransferError], None], *, place: Place, courier: Courier) -> None:
        """
        Begin with no receiver. Nothing is sent until `begin`.

        :param failed: is told when the content can't be read any more.
        :param place: whom it is for.
        """
        assert publication.source is not None
        self.publication = publication
        self.source = publication.source
        self.link = link
        self.place = place
        self.courier = courier
        self.tag = token_bytes(TAG_SIZE)
        self.key = token_bytes(KEY_SIZE)
        self.geometry = geometry
        self.sender = Sender(geometry, self.source.tree, self.tag, self.key, link.rate,
                             seed=MAX_SYMBOLS + 1 + randbelow(SEEDS), sealed=place.sealed)
        self.coop = SourceCooperation(self.sender, publication.content_id)
        self.group = group_of(self.tag, link.key[1]), SESSION_PORT
        self.receivers: dict[bytes, Receiving] = {}
        self.empty_since = link.loop.time()
        self.limit = 0.0
        """Most bytes/s that its owner lets it send; 0: any."""
        self.meter = Meter()
        """What goes to the group."""
        self.credit = Credit(courier)
        self.begun = False
        self._symbols = sum(self.sender.sizes)
        self._readers = readers
        self._failed = failed
        self._reading: set[int] = set()
        self._due = self._looked = 0.0
        self._timer: TimerHandle | None = None
        self._is_held = False
        self._closed = False

    # --- Receivers.

    def join(self, mid: bytes, address: tuple[str, int], lacks: Lacks, rate: float, now: float, *,
             helps: bool = False) -> Accept | None:
        """
        Let a receiver in and get what to tell it; None when there is no room. A JOIN that comes again because its
        ACCEPT was lost gets the same; any later one a new key, so that nothing of the old stream fits.
        """
        known, member = self.receivers.get(mid), self.sender.members.get(mid)
        if known is None or member is None or member.report or now - known.joined > REPEATED \
                or known.address != address:
            key = token_bytes(KEY_SIZE)
            if not self.sender.join(mid, key, now, lacks, helps=helps):
                return None
            if helps:
                self.coop.joined(mid)
            self._settle(mid)
            known = self.receivers[mid] = Receiving(address, key, rate, now, self.meter.total)
        known.rate = rate
        self.look()
        self.cooperate(now)
        self.link.wake()
        return Accept(self.publication.content_id, self.tag, self.key, known.key, self.geometry.k, self.geometry.symbol,
                      self.place.sealed)

    def leave(self, mid: bytes) -> None:
        """
        Let a receiver go.
        """
        self._settle(mid)
        self.sender.leave(mid)
        self.coop.left(mid)
        if self.receivers.pop(mid, None) is not None and not self.receivers:
            self.empty_since = self.link.loop.time()
        self.link.wake()

    def count(self) -> None:
        """
        Have it written down who was given how much; what went to the group was given to each who was in it.
        """
        for mid, receiving in self.receivers.items():
            receiving.shared += self.meter.total - receiving.group if self.in_group(mid) else 0
            receiving.group = self.meter.total
            self.credit.total(mid, up=receiving.meter.total + receiving.shared)

    def _settle(self, mid: bytes) -> None:
        if mid in self.receivers:
            self.count()
            self.credit.forget(mid)

    def report_received(self, mid: bytes, report: bytes, now: float) -> None:
        """
        Take a report of a receiver.
        """
        self.sender.report_received(mid, report, now)
        self.look()
        if now - self._looked >= ROUND:
            self.cooperate(now)
        self.link.wake()

    def look(self) -> None:
        """
        Take note of what happened.
        """
        for event in self.sender.take_events():
            if isinstance(event, MemberGone):
                self.leave(event.member)
            elif isinstance(event, MemberGreedy):
                logger.info("A receiver of %s wants more repair than it can need", self.publication.content_id.hex())

    def begin(self, weight: float) -> None:
        """
        Send from now on.
        """
        now = self.link.loop.time()
        for member in self.sender.members.values():
            member.heard = now  # Nobody asked them for anything so far.
        self.begun = True
        self.link.add(self, self, weight)

    @property
    def has_giver(self) -> bool:
        """
        Whether one of its receivers gave us more than it took.
        """
        return any(self.courier.standing(mid) > 0 for mid in self.receivers)

    def tick(self, now: float) -> None:
        """
        Look for receivers that say nothing.
        """
        if self.begun:
            self.sender.run_timers(now)
            self.look()
            self.cooperate(now)
        self.count()

    def in_group(self, mid: bytes) -> bool:
        """
        Tell whether a receiver gets what goes to all.
        """
        member = self.sender.members.get(mid)
        return member is not None and member.alone is None

    @property
    def unfinished(self) -> bool:
        """
        Whether somebody lacks something.
        """
        return any(not member.finished for member in self.sender.members.values())

    @property
    def progress(self) -> float:
        """
        The share that receivers have, on average of the first few.
        """
        members = list(self.sender.members.values())[:LOOKED_AT]
        if not members or not self._symbols:
            return 1.0
        return 1 - sum(sum(member.missing) for member in members) / len(members) / self._symbols

    # --- Cooperation of its receivers.

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, now: float) -> None:
        """
        Take what a receiver asks for because others have it not.
        """
        self.coop.message_received(mid, kind, payload, now)
        self.cooperate(now)
        self.feed()
        self.link.wake()

    def cooperate(self, now: float) -> None:
        """
        Look who holds up the others, and tell receivers what they should know.
        """
        self._looked = now
        if self.begun:
            self.sender.care.look(now)
        for mid, kind, payload in self.coop.take_messages(now):
            self.courier.send(mid, kind, payload, self.link.key)
        when = self.coop.next_timer()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when < now + LATER and not self._closed:
            self._timer = self.link.loop.call_at(max(when, now + ROUND), self._told)

    def _told(self) -> None:
        self._timer = None
        self.cooperate(self.link.loop.time())

    # --- Its turn (`scheduler.Turn`, `sending.Sends`).

    @property
    def cap(self) -> float:
        """
        Most bytes/s; 0: any. The slowest of several receivers does not hold the others up below some rate.
        """
        rates = [receiving.rate for receiving in self.receivers.values() if receiving.rate]
        slowest = max(min(rates), LEAST_CAP if len(self.receivers) > 1 else LEAST_ALONE) if rates else 0.0
        return min(filter(None, (slowest, self.limit)), default=0.0)

    def make(self, now: float, count: int) -> Batch | None:
        """
        Make what is to be sent next.
        """
        self._is_held = now < self._due
        if self._is_held:
            return None
        cap = self.cap
        if cap:
            count = max(1, min(count, int(cap * CATCH_UP / self.geometry.symbol)))
        batch = self.sender.make(now, count)
        if batch is not None and cap:
            self._due = max(self._due, now - CATCH_UP) + len(batch.datagrams) / cap
        return batch

    def next_timer(self) -> float:
        """
        Get when there is something to make.
        """
        return self._due if self._is_held else self.sender.next_timer()

    def address_of(self, batch: Batch) -> tuple[str, int] | None:
        """
        Get where a batch goes; None when nobody is there any more.
        """
        if batch.member is None:
            return self.group
        receiving = self.receivers.get(batch.member)
        return None if receiving is None else receiving.address

    def sent(self, batch: Batch, datagrams: int, now: float) -> None:
        """
        Note what left.
        """
        size = len(batch.datagrams)
        self.publication.meter.add(now, size)
        (self.meter if batch.member is None else self.receivers[batch.member].meter).add(now, size)

    def feed(self) -> None:
        """
        Have segments read that will be due.
        """
        for segment in (*self.sender.wanted(), *self.coop.wanted()):
            if len(self._reading) >= READS:
                return
            if segment not in self._reading:
                self._reading.add(segment)
                reading = self.link.loop.run_in_executor(self._readers, self.source.read, segment)
                reading.add_done_callback(lambda done, segment=segment: self._read(segment, done))  # type: ignore[misc]

    def _read(self, segment: int, done: Future[bytes]) -> None:
        self._reading.discard(segment)
        if done.cancelled():
            return
        error = done.exception()
        if self._closed:
            return
        if error is not None:
            self._failed(self.publication, error if isinstance(error, TransferError) else TransferError(str(error)))
            return
        is_for_sums = segment in self.coop.wanted()
        if is_for_sums:
            self.coop.give(segment, done.result())
            self.cooperate(self.link.loop.time())
        if not is_for_sums or segment in self.sender.wanted():
            self.sender.give(segment, done.result())
        self.link.wake()

    def close(self) -> None:
        """
        Send no more.
        """
        self._closed = True
        self.count()
        if self._timer is not None:
            self._timer.cancel()
        for name in self.sender.members:
            self.link.rate.forget((self.tag, name))
        self.link.remove(self)
