"""
Drives the cooperation of one session that we receive: what is said goes by the overlay, what is given by `Giver`.
"""
from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from ...protocol.wire import Kind
from ..session.coop_limits import ASK_MOST, MAX_PACE
from ..session.cooperation import Cooperation
from ..session.events import Checking, GroupMembership, GroupSpoilt, PeerNamed
from ..session.limits import LEAST_INTERVAL
from .dealings import Since
from .giver import Giver
from .limits import TOLD_AGAIN

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from ..session.packets import Bytes
    from ..session.receiver import Receiver
    from .courier import LinkKey
    from .dealings import Dealings
    from .giver import Read
    from .incoming import Incoming
    from .together import Together

logger = logging.getLogger(__name__)

READY_FOR: Final = 2.0
"""Seconds since somebody asked, for which segments are kept in memory when they are stored."""


class Owner(Protocol):
    """
    Who is told what the others do.
    """

    def peer_named(self, mid: bytes) -> None:
        """
        Note that somebody was caught.
        """

    def group_spoilt(self) -> None:
        """
        Note that the group's stream is worth nothing.
        """


class Exchange:
    """
    Of one session.
    """

    def __init__(self, incoming: Incoming, receiver: Receiver, together: Together, owner: Owner, *,  # noqa: PLR0913
                 read: Read, dealings: Dealings, rate: int | None) -> None:
        """
        Begin with nobody.

        :param read: reads a segment that is stored.
        :param rate: most bytes/s that are taken; None: any.
        """
        self.incoming = incoming
        self.together = together
        self.owner = owner
        self.courier = together.courier
        now = incoming.loop.time()
        self.coop = Cooperation(receiver, incoming.accept.content_id, together.me, port=incoming.socket.port,
                                random=Random(), now=now, source=incoming.mid or None, checked=together.is_checked,
                                cap=together.cap or MAX_PACE, most=float(rate or ASK_MOST),
                                standing=together.courier.standing)
        self.giver = Giver(self.coop.helper, together, read, dealings)
        for mid in together.named.mids(now):
            self.coop.seeker.exclude(mid)
        self._since = Since()
        self.due = now
        """When to `look`."""

    @property
    def is_helped(self) -> bool:
        """
        Whether there is anybody who may help.
        """
        return bool(self.coop.seeker.peers)

    def meet(self, mids: Iterable[bytes]) -> None:
        """
        Know some more who take part, or have the content.
        """
        for mid in mids:
            self.coop.meet(mid)

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey) -> None:
        """
        Take a message that is about this content.
        """
        now = self.incoming.loop.time()
        self.coop.message_received(mid, kind, payload, now)
        if kind == Kind.HELP and mid in self.coop.helper.clients:
            self.giver.asked(mid, link)
            self.giver.look()
        if kind == Kind.HAVE:
            self.giver.have_received(mid, payload)
        self.incoming.look()

    @property
    def is_asked(self) -> bool:
        """
        Whether segments are to be ready for others when they are complete. Where nobody lacks anything their memory is
        used again.
        """
        return self.giver.was_asked(READY_FOR)

    def checked(self, segment: int, data: Bytes, done: asyncio.Future[bool | None]) -> None:
        """
        Have a segment ready for others, if it has its hash.
        """
        if not done.cancelled() and done.exception() is None and done.result():
            self.coop.give(segment, data)  # type: ignore[arg-type]
            self.giver.look()

    def look(self, now: float) -> None:
        """
        Ask for what is lacking.
        """
        coop = self.coop
        coop.run_timers(now)
        for event in coop.take_events() if coop.events else ():
            if isinstance(event, PeerNamed):
                self.owner.peer_named(event.member)
            elif isinstance(event, GroupMembership):
                self.incoming.set_group(event.wanted)
            elif isinstance(event, GroupSpoilt):
                self.owner.group_spoilt()
            elif isinstance(event, Checking):
                self.together.counters["session: checked"] += 1
                logger.info("A segment was wrong: packets are checked as they come")
        for mid, kind, payload in coop.take_messages():
            self.courier.send(mid, kind, payload, self.incoming.socket.key)
        # While the source's stream comes, answers are not waited for: each datagram of it would cost a look.
        self.due = coop.seeker.next_timer()
        if coop.seeker.lacking.is_quiet(now):
            self.due = min(self.due, now + LEAST_INTERVAL)

    def need_soon(self, segments: Sequence[int]) -> None:
        """
        Ask for what is needed soon before all else.
        """
        now = self.incoming.loop.time()
        if self.coop.need_soon(segments, now):
            self.due = now
            self.incoming.look()

    def part(self, mid: bytes) -> None:
        """
        Ask somebody no more who is gone.
        """
        self.coop.part(mid)
        self.giver.finished(mid)

    def count(self, now: float) -> None:
        """
        Count what was given and taken.
        """
        self.giver.count(now, self._since.more(self.coop.taken()))

    def finish(self) -> Giver:
        """
        Tell the others that all of it is here; get who goes on helping them.
        """
        helper = self.coop.helper
        payload, link = helper.have().pack(), self.incoming.socket.key

        def tell() -> None:
            for mid in {*self.coop.seeker.peers, *helper.clients}:
                self.courier.send(mid, Kind.HAVE, payload, link)

        tell()
        self.incoming.loop.call_later(TOLD_AGAIN, tell)
        self.count(self.incoming.loop.time())
        helper.receiver = None
        return self.giver

    def close(self) -> None:
        """
        Ask and answer no more.
        """
        self.coop.end()
        self.count(self.incoming.loop.time())
        self.giver.close()
