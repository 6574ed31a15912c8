"""
What a node sends of live streams by one socket: sealed for the group or for one viewer, when the core says so.
"""
from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING

from ...lan.batch import BatchSender
from ...transfer.session.stream import Stream
from .limits import GIVE_PACE, GIVEN, STREAMS_KEPT, TAGS_KEPT

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Iterable

    from ...lan.interfaces import Interface
    from ...lan.options import Platform
    from ..live.datagrams import Batch

Address = tuple[str, int]
ASK = 1
"""The byte of a datagram that asks for reports: viewers report by their own clock."""


class Sending:
    """
    One socket of one interface and family, and the unicast streams that leave by it.
    """

    def __init__(self, sock: socket.socket, interface: Interface, platform: Platform) -> None:
        """
        Use a socket that somebody else closes.
        """
        self.batches = BatchSender(sock, interface.index, platform)
        self.counters: Counter[str] = Counter()
        self._to: OrderedDict[bytes, tuple[bytes, bytes, Address, Stream]] = OrderedDict()
        self._spent: OrderedDict[bytes, None] = OrderedDict()

    def allow(self, mid: bytes, tag: bytes, key: bytes, address: Address) -> bool:
        """
        Know where and under which key somebody takes unicast. The same again goes on with its sequence; False for one
        whose sequence is forgotten, since none is used twice under a key.
        """
        known = self._to.get(mid)
        if known is None or known[:3] != (tag, key, address):
            if known is not None and known[:2] == (tag, key):
                stream = known[3]
            elif tag in self._spent:
                self.counters["send: tag used before"] += 1
                return False
            else:
                self.forget(mid)
                stream = Stream(tag, key, unicast=True, sealed=True)
            self._to[mid] = tag, key, address, stream
        self._to.move_to_end(mid)
        while len(self._to) > STREAMS_KEPT:
            self.forget(next(iter(self._to)))
        return True

    def forget(self, mid: bytes) -> None:
        """
        Send nothing more to somebody.
        """
        known = self._to.pop(mid, None)
        if known is not None:
            self._spent[known[0]] = None
            if len(self._spent) > TAGS_KEPT:
                self._spent.popitem(last=False)

    def to(self, mid: bytes, batch: Batch, now: float) -> int:
        """
        Send to one; get how many bytes left.
        """
        known = self._to.get(mid)
        return 0 if known is None else self.send(known[3], batch, known[2], now)

    def send(self, stream: Stream, batch: Batch, address: Address, now: float) -> int:
        """
        Seal datagrams and send them; get how many bytes left. What finds no room is lost, as on the way.
        """
        data = stream.finish(batch.form, batch.datagrams, batch.size, now, ASK)
        sent = self.batches.send(data, batch.size, address)
        if sent.error is not None:
            self.counters["send: full" if sent.full else "send: error"] += 1
        self.counters["send: datagrams"] += sent.went
        return sent.went * batch.size


class GiveQueue:
    """
    What fellow viewers asked for: a batch at a time, since all at once would not find room in front of a link.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        With nothing to send.
        """
        self.loop = loop
        self.sent: Counter[bytes] = Counter()
        """Bytes, by whom they went to."""
        self._waiting: deque[tuple[bytes, Batch, Sending]] = deque(maxlen=GIVEN)
        self._timer: asyncio.TimerHandle | None = None

    def add(self, mid: bytes, batches: Iterable[Batch], sending: Sending) -> None:
        """
        Send batches to somebody, soon.
        """
        self._waiting.extend((mid, batch, sending) for batch in batches)
        if self._timer is None:
            self._run()

    def _run(self) -> None:
        self._timer = None
        if self._waiting:
            mid, batch, sending = self._waiting.popleft()
            self.sent[mid] += sending.to(mid, batch, self.loop.time())
            self._timer = self.loop.call_later(len(batch.datagrams) / GIVE_PACE, self._run)

    def close(self) -> None:
        """
        Send nothing more.
        """
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
