"""
What leaves by one link: all its sessions, at one rate, by deadlines.

The scheduler says what may leave now and when to ask again. A loop that wakes late makes up for some milliseconds, no
more; a socket that has no room keeps what is left in order, and is tried again before anything new is made.
"""
from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...lan.batch import BatchSender
from ...lan.session_group import open_data
from ...lan.sockets import explain
from ..session.limits import FRAME, MAX_RATE
from ..session.rate import RateControl
from ..session.scheduler import Scheduler
from .limits import BUSY, NOTHING, RETRY_FULL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...lan.interfaces import Interface
    from ...lan.options import Platform
    from ..session.scheduler import Turn
    from ..session.sender import Batch
    from .courier import LinkKey
    from .load import InterfaceLoad

logger = logging.getLogger(__name__)


class Sends(Protocol):
    """
    A session that takes its turn on a link.
    """

    def address_of(self, batch: Batch) -> tuple[str, int] | None:
        """
        Get where a batch goes; None when nobody is there any more.
        """

    def sent(self, batch: Batch, datagrams: int, now: float) -> None:
        """
        Note what left.
        """

    def feed(self) -> None:
        """
        Have segments read that will be due.
        """


class Left(NamedTuple):
    """
    What did not go yet.
    """

    data: memoryview
    size: int
    address: tuple[str, int]


class SendingLink:
    """
    The data socket of one interface and family.
    """

    def __init__(self, key: LinkKey, interface: Interface, platform: Platform, ports: Iterable[int],
                 load: InterfaceLoad | None = None) -> None:
        """
        Open it. Call it in the running event loop.

        :param load: the traffic of others on the interface, None: it does not count.

        :raises OSError: when it can't be opened.
        """
        self.key = key
        self.interface = interface
        self.load = load
        self.loop = asyncio.get_running_loop()
        self.sock = open_data(platform, interface, key[1], ports)
        self.batches = BatchSender(self.sock, interface.index, platform)
        now = self.loop.time()
        self.rate = RateControl(now)
        self.scheduler = Scheduler(self.rate, now)
        self.counters: Counter[str] = Counter()
        self.error: str | None = None
        """Why nothing leaves, in one line."""
        self.used = now
        """When its last session ended."""
        self.canary: asyncio.Task[None] | None = None
        """Who watches what this does to others; ended with the link."""
        self._sent_at = now
        self._sessions: dict[Turn, Sends] = {}
        self._left: deque[Left] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def is_used(self) -> bool:
        """
        Whether a session sends here.
        """
        return bool(self._sessions)

    @property
    def is_busy(self) -> bool:
        """
        Whether something was sent just now.
        """
        return self.loop.time() - self._sent_at < BUSY

    def limit(self, rate: int) -> None:
        """
        Send no more than so many bytes/s; 0: no limit.
        """
        self.rate.cap = float(rate) if rate else MAX_RATE
        self.rate.rate = min(self.rate.rate, self.rate.cap)

    def add(self, turn: Turn, session: Sends, weight: float) -> None:
        """
        Let a session send, or change its weight.
        """
        self._sessions[turn] = session
        self.scheduler.add(turn, weight)
        self.wake()

    def remove(self, turn: Turn) -> None:
        """
        Let it send no more.
        """
        self.scheduler.remove(turn)
        if self._sessions.pop(turn, None) is not None:
            self.used = self.loop.time()

    @property
    def is_full(self) -> bool:
        """
        Whether something waits because the socket had no room.
        """
        return bool(self._left)

    def push(self, datagrams: bytes | bytearray, size: int, address: tuple[str, int]) -> None:
        """
        Send what has a pace of its own: what others asked of us.
        """
        self.used = self.loop.time()
        self._left.append(Left(memoryview(datagrams), size, address))
        if self.load is not None:
            self.load.sent(len(datagrams) + FRAME * (-(-len(datagrams) // size)))
        if not self._drain():
            self._at(self.used + RETRY_FULL)

    def wake(self) -> None:
        """
        Look soon what is to be sent: something changed.
        """
        self._at(self.loop.time())

    def _at(self, when: float) -> None:
        if self._closed or (self._timer is not None and self._timer.when() <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._run)

    def _run(self) -> None:
        self._timer = None
        now = self.loop.time()
        if not self._drain():
            self._at(now + RETRY_FULL)
            return
        if not self._sessions:
            return
        if self.load is not None:
            self.rate.others = self.load.look(now)
        found = self.scheduler.take(now)
        for turn, batch in found:
            session = self._sessions[turn]
            address = session.address_of(batch)
            if address is not None:
                self._left.append(Left(memoryview(batch.datagrams), batch.size, address))
                session.sent(batch, len(batch.datagrams) // batch.size, now)
                if self.load is not None:
                    self.load.sent(len(batch.datagrams) + FRAME * (len(batch.datagrams) // batch.size))
        if not self._drain():
            self._at(now + RETRY_FULL)
            return
        for session in list(self._sessions.values()):
            session.feed()
        when = self.scheduler.next_timer(now)
        # A session that waits for the disk says "now": it wakes us when it has something.
        self._at(when if found or not self.scheduler.pacer.is_due(now) else max(when, now + NOTHING))

    def _drain(self) -> bool:
        """
        Send what is left; False when the socket has no room for all of it.
        """
        while self._left:
            data, size, address = self._left.popleft()
            sent = self.batches.send(data, size, address)
            if sent.error is None:
                self.error = None
                self._sent_at = self.loop.time()
            elif sent.full:
                self.counters["send: full"] += 1
                self._left.appendleft(Left(data[sent.went * size:], size, address))
                return False
            else:
                # The rest of it is lost, as on the way: whoever lacks it says so.
                self.counters["send: error"] += 1
                if self.error is None:
                    logger.warning("Can't send to %s on %s: %s", address[0], self.interface.name, explain(sent.error))
                self.error = explain(sent.error)
        return True

    def close(self) -> None:
        """
        Send nothing more, not even what is left.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self.canary is not None:
            self.canary.cancel()
        self._left.clear()
        self.sock.close()
