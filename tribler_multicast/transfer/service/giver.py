"""
Answers those who ask for a content: what a `Helper` makes goes out by the data socket of the link that they asked by.
"""
from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from ...protocol.wire import Kind
from ..session.coop_messages import Have
from .dealings import Since
from .limits import NOTHING, READS, RETRY_FULL

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..session.coop_messages import Help
    from ..session.helper import Helper
    from ..session.sender import Batch
    from .courier import LinkKey
    from .dealings import Dealings
    from .sending import SendingLink
    from .together import Together

    Read = Callable[[int], asyncio.Future[bytes]]
    """Begins to read a segment that is here and checked."""

logger = logging.getLogger(__name__)

NEVER = float("-inf")


class Giver:
    """
    Of one content, in one cut.
    """

    def __init__(self, helper: Helper, together: Together, read: Read, dealings: Dealings) -> None:
        """
        Nobody asks yet.
        """
        self.helper = helper
        self.together = together
        self.courier = together.courier
        self.read = read
        self.dealings = dealings
        self.asked_at = NEVER
        """When somebody asked last who wants more."""
        self.loop = asyncio.get_running_loop()
        self._ways: dict[bytes, tuple[LinkKey, str]] = {}
        self._asked: dict[bytes, float] = {}
        self._reading: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._since = Since()
        self._closed = False

    # --- Asked.

    def asked(self, mid: bytes, link: LinkKey) -> None:
        """
        Note that somebody asked by a link: the answer goes there, to the address that was verified.
        """
        path = next((path for path in self.courier.paths(mid) if path.link == link), None)
        if path is not None:
            self._ways[mid] = link, path.address
            self._asked[mid] = self.loop.time()
            if len(self._ways) > 2 * len(self.helper.clients) + 1:
                self._ways = {each: way for each, way in self._ways.items() if each in self.helper.clients}
                self._asked = {each: at for each, at in self._asked.items() if each in self._ways}

    def help_received(self, mid: bytes, wanted: Help, link: LinkKey) -> None:
        """
        Take a HELP, with no session around it.
        """
        if self.helper.help_received(mid, wanted, self.loop.time()):
            self.asked(mid, link)
            self.look()

    def have_received(self, mid: bytes, payload: bytes) -> None:
        """
        Note that somebody has all of it.
        """
        have = Have.read(payload, self.helper.geometry.segments)
        if have is not None and have.is_whole and have.content_id == self.helper.content_id:
            self.finished(mid)

    def finished(self, mid: bytes) -> None:
        """
        Note that somebody wants nothing any more.
        """
        self.helper.finished(mid)
        self._asked.pop(mid, None)

    def was_asked(self, seconds: float) -> bool:
        """
        Tell whether somebody who may want more asked within so long.
        """
        return self.loop.time() - max(self._asked.values(), default=NEVER) < seconds

    # --- Answered.

    def look(self) -> None:
        """
        Send what may leave now, and be called when there is more.
        """
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, helper = self.loop.time(), self.helper
        for mid, have in helper.take_haves():
            self.tell(mid, have)
        if not helper.is_asked:
            return
        if any(link.is_full for link in self._links()):
            self._timer = self.loop.call_at(now + RETRY_FULL, self.look)
            return
        for batch in helper.take(now):
            self._send(batch)
        for segment in helper.wanted():
            self._fetch(segment)
        when = helper.next_timer(now)
        # An answer that waits for the disk is due now, and goes on when that is read.
        self._timer = self.loop.call_at(when if when > now else now + NOTHING, self.look)

    def tell(self, mid: bytes, have: Have) -> None:
        """
        Tell somebody what is here.
        """
        way = self._ways.get(mid)
        self.courier.send(mid, Kind.HAVE, have.pack(), None if way is None else way[0])

    def _links(self) -> list[SendingLink]:
        keys = {key for key, _ in self._ways.values()}
        return [self.together.links.open[key] for key in keys if key in self.together.links.open]

    def _send(self, batch: Batch) -> None:
        mid = batch.member or b""
        way, client = self._ways.get(mid), self.helper.clients.get(mid)
        link = None if way is None else self.together.links.get(way[0])
        if link is not None and way is not None and client is not None and client.port:
            link.push(batch.datagrams, batch.size, (way[1], client.port))

    def _fetch(self, segment: int) -> None:
        if segment not in self._reading and len(self._reading) < READS:
            self._reading.add(segment)
            self.read(segment).add_done_callback(lambda done: self._read(segment, done))

    def _read(self, segment: int, done: asyncio.Future[bytes]) -> None:
        self._reading.discard(segment)
        if done.cancelled() or self._closed:
            return
        if done.exception() is None:
            self.helper.give(segment, done.result())
        else:
            logger.debug("Segment %d can't be given: %s", segment, done.exception())
            self.together.counters["help: unreadable"] += 1
            self.helper.lost(segment)
        self.look()

    def count(self, now: float, taken: Counter[bytes] | None = None) -> None:
        """
        Count what was given, and taken, since the last time.
        """
        self.dealings.add(now, self._since.more(self.helper.given), taken or Counter())

    def close(self) -> None:
        """
        Answer no more.
        """
        if not self._closed:
            self.count(self.loop.time())
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
