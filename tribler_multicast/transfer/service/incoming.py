"""
One session that we receive: datagrams from its group and by unicast, through the receiver, and reports back.

Where the disk does not keep up, datagrams are left in the sockets (`hold`): the sender feels that as delay, and slows
down.
"""
from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import TYPE_CHECKING, Protocol

from ...lan.batch import BatchReceiver, Reading
from ...lan.session_group import SessionGroup, open_data
from ...protocol.links import Link
from ...protocol.wire import Kind
from ..session.events import AllStored, SegmentReady
from ..session.kernels import RECEIVE
from ..session.limits import SENDER_SILENT
from ..session.messages import Ending, pack_end, pack_report
from ..session.packets import OVERHEAD
from ..session.receiver import Receiver
from .crediting import Credit
from .limits import FIRST_DATA
from .meter import Meter

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from ...lan.interfaces import Interface
    from ...lan.options import Platform
    from ..content.tree import HashTree
    from ..session.geometry import Geometry
    from ..session.messages import Accept
    from ..session.packets import Bytes
    from .courier import Courier, LinkKey
    from .exchange import Exchange

logger = logging.getLogger(__name__)

HOPS = {False: 1, True: 255}
"""What arrives from this link by multicast and by unicast: it crossed no router."""


class Owner(Protocol):
    """
    Who is told what happens.
    """

    def segment_ready(self, incoming: Incoming, segment: int, data: Bytes) -> None:
        """
        Take a segment that is complete; answer by `incoming.receiver.stored`.
        """

    def all_stored(self, incoming: Incoming) -> None:
        """
        Note that every segment is stored.
        """

    def sender_silent(self, incoming: Incoming) -> None:
        """
        Note that nothing came for long.
        """


class DataSocket:
    """
    Where unicast data comes in, on one link: open before anybody is told of it, read once somebody takes it.
    """

    def __init__(self, key: LinkKey, interface: Interface, networks: Iterable[str], platform: Platform,
                 ports: Iterable[int]) -> None:
        """
        Open it.

        :raises OSError: when it can't be.
        """
        self.key = key
        self.interface = interface
        self.platform = platform
        sock = open_data(platform, interface, key[1], ports)
        self.port: int = sock.getsockname()[1]
        self.link = Link(key[0], key[1], interface.address(key[1]) or "", self.port, tuple(networks))
        self._source = "", False
        """The latest source, and whether it is of this link."""
        self.taker: Callable[[memoryview, int, int, float], None] | None = None
        self.strange = 0
        """Datagrams that were dropped because they came from elsewhere."""
        self.receiver = BatchReceiver(sock, self._take, platform, reading=Reading(many=RECEIVE))

    def is_local(self, source: tuple[str, int], hops: int | None, unicast: bool) -> bool:
        """
        Tell whether something came from this link. Where the platform does not tell hops, the source has to do.
        """
        if hops not in (None, HOPS[unicast]):
            return False
        if source[0] != self._source[0]:
            self._source = source[0], self.link.is_on_link(source[0])
        return self._source[1]

    def _take(self, data: memoryview, size: int, count: int, source: tuple[str, int],
              index: int | None, hops: int | None) -> None:
        if self.taker is None or not self.is_local(source, hops, unicast=True):
            self.strange += count
        else:
            self.taker(data, size, count, self.receiver.arrived)

    def close(self) -> None:
        """
        Close it.
        """
        self.receiver.close()


class Incoming:
    """
    A session that let us in. Joins its group at once; reads nothing before `begin`. With nobody's mid (empty) it is
    none: others help without a sender, and what it was accepted with is made up.
    """

    def __init__(self, accept: Accept, mid: bytes, socket: DataSocket, courier: Courier, owner: Owner,
                 counters: Counter[str]) -> None:
        """
        Join the group.

        :param mid: whose session it is.
        :param socket: the one that the JOIN told of; closed with this.
        """
        self.accept = accept
        self.mid = mid
        self.has_source = bool(mid)
        """Whether there is a sender; it may be lost."""
        self.in_group = bool(mid)
        self.exchange: Exchange | None = None
        """What goes on with others; None: nothing."""
        self.socket = socket
        self.courier = courier
        self.owner = owner
        self.counters = counters
        self.loop = asyncio.get_running_loop()
        self.receiver: Receiver | None = None
        self.group = SessionGroup(socket.interface, socket.key[1], accept.tag, self._by_group, socket.platform,
                                  Reading(self.look, RECEIVE))
        self.group_meter, self.unicast_meter = Meter(), Meter()
        self.credit = Credit(courier)
        self._heard = 0, self.loop.time()
        """How many datagrams had come that the sender certainly sent, and when that was seen to be more than before."""
        self._timer: asyncio.TimerHandle | None = None
        self._held = True
        self._closed = False
        self._keep()

    def begin(self, geometry: Geometry, tree: HashTree, add_proof: Callable[[int, int, bytes], bool],
              stored: Iterable[int], reports: int) -> Receiver:
        """
        Make the receiver; what came meanwhile is read after `go`.

        :param reports: how many were made in sessions before this one: numbers go on, so that a late one is known.
        """
        self.receiver = Receiver(geometry, tree, add_proof, tag=self.accept.tag,
                                 keys=(self.accept.group_key, self.accept.unicast_key), random=Random(),
                                 now=self.loop.time(), stored=stored, reports=reports, sealed=self.accept.sealed)
        self.socket.taker = self._by_unicast
        self.socket.receiver.turned = self.look
        return self.receiver

    @property
    def total(self) -> int:
        """
        Bytes that came.
        """
        return self.group_meter.total + self.unicast_meter.total

    def _keep(self) -> None:
        if self.in_group:
            self.group.keep(self.loop.time())
        if self._held and self.group.receiver is not None:
            self.group.receiver.stop()

    def set_group(self, wanted: bool) -> None:
        """
        Be in the group, or not: it is for faster ones.
        """
        self.in_group = wanted
        if wanted:
            self._keep()
        else:
            self.group.leave()

    def lose_source(self) -> None:
        """
        Go on with others alone.
        """
        self.has_source = False
        if self.exchange is not None:
            self.exchange.coop.source_gone()

    def hold(self) -> None:
        """
        Read nothing for now.
        """
        if not self._held:
            self._held = True
            self.socket.receiver.stop()
            if self.group.receiver is not None:
                self.group.receiver.stop()

    def go(self) -> None:
        """
        Read.
        """
        if self._held and not self._closed:
            self._held = False
            self._heard = self._heard[0], self.loop.time()
            self.socket.receiver.start()
            if self.group.receiver is not None:
                self.group.receiver.start()
            self.look()

    # --- Datagrams.

    def _by_group(self, data: memoryview, size: int, count: int, source: tuple[str, int],
                  index: int | None, hops: int | None) -> None:
        if index not in (None, self.socket.key[0]) or not self.socket.is_local(source, hops, unicast=False):
            self.socket.strange += count
            return
        self.group_meter.add(self.loop.time(), len(data))
        if self.group.receiver is not None:
            self._received(data, size, count, self.group.receiver.arrived)

    def _by_unicast(self, data: memoryview, size: int, count: int, arrived: float) -> None:
        self.unicast_meter.add(self.loop.time(), len(data))
        self._received(data, size, count, arrived)

    def _received(self, data: memoryview, size: int, count: int, arrived: float) -> None:
        if self.receiver is not None and not self._closed:
            self.receiver.batch_received(data, size, count, arrived)

    # --- What follows.

    def look(self) -> None:
        """
        Tell what happened, send reports, and be called when there is more.
        """
        receiver = self.receiver
        if receiver is None or self._closed:
            return
        now = self.loop.time()
        if receiver.next_timer() <= now:
            receiver.run_timers(now)
        for report in receiver.take_reports():
            if self.has_source:
                self.courier.send(self.mid, Kind.REPORT, pack_report(self.accept.tag, report), self.socket.key)
        if receiver.events:
            self._tell(receiver)
        when = receiver.next_timer()
        if self.exchange is not None:
            if now >= self.exchange.due:
                self.exchange.look(now)
            when = min(when, self.exchange.due)
        if not self._closed and (self._timer is None or when < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._run)

    def _tell(self, receiver: Receiver) -> None:
        for event in receiver.take_events():
            if isinstance(event, SegmentReady):
                self.owner.segment_ready(self, event.segment, event.data)
            elif isinstance(event, AllStored):
                self.owner.all_stored(self)

    def _run(self) -> None:
        self._timer = None
        self.look()

    def tick(self, now: float) -> None:
        """
        Renew the membership of the group when that is due, and tell when nothing comes any more.
        """
        if self.in_group and now >= self.group.due:
            self._keep()
        self.count()
        if self.exchange is not None:
            self.exchange.count(now)
        if not self.has_source:
            return
        count = 0 if self.receiver is None else sum(track.count for track in self.receiver.tracks)
        if self._held or count != self._heard[0]:
            self._heard = count, now
        elif now - self._heard[1] > (SENDER_SILENT if count else FIRST_DATA):
            self.owner.sender_silent(self)

    def count(self) -> None:
        """
        Have it written down how much the sender gave: what told something new, whatever else was sent to our ports.
        """
        if self.receiver is not None:
            came = self.receiver.useful * (OVERHEAD + self.accept.symbol)
            self.credit.total(self.mid, down=min(came, self.total))

    def say(self, why: Ending) -> None:
        """
        Tell the sender that we go.
        """
        self.courier.send(self.mid, Kind.LEAVE, pack_end(self.accept.tag, why), self.socket.key)

    def close(self) -> None:
        """
        Leave the group and read no more; the receiver keeps what it has.
        """
        if self._closed:
            return
        self._closed = True
        self.count()
        if self.exchange is not None:
            self.exchange.coop.counters.update(self.exchange.coop.helper.counters)
            self.counters.update(self.exchange.coop.counters)
            self.counters.update(self.exchange.coop.seeker.counters)
        if self._timer is not None:
            self._timer.cancel()
        self.group.leave()
        self.socket.close()
        if self.socket.strange:
            self.counters["data: off link"] += self.socket.strange
        if self.receiver is not None:
            self.counters.update(self.receiver.counters)
