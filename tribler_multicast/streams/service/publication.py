"""
A stream that this node publishes: from its log to the group of each link that somebody views by.
"""
from __future__ import annotations

import asyncio
import os
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from ...lan.options import current
from ...lan.session_group import SESSION_PORT, group_of, open_data
from ...protocol.wire import Kind
from ...transfer.service.links import data_ports
from ...transfer.session.packets import microseconds
from ...transfer.session.stream import Stream
from ..live.limits import ENDING, MAX_ROSTER
from ..live.messages import KEY_SIZE, TAG_SIZE, Tuned, Why, pack_roster, pack_untune
from ..live.source import Source
from ..log import StreamLog
from .limits import ROOM_EACH, ROSTER_AT_ONCE, ROSTER_EACH
from .sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transfer.service.courier import LinkKey, Options
    from ..live.datagrams import Batch
    from ..live.descriptor import Descriptor
    from ..live.messages import Needs, Tune
    from .courier import LiveCourier


class Outlet:
    """
    The group of a stream on one link.
    """

    def __init__(self, courier: LiveCourier, key: LinkKey, options: Options) -> None:
        """
        Open its socket.

        :raises OSError: when that can't be.
        """
        interface = courier.interface(key)
        if interface is None:
            msg = "the link is gone"
            raise OSError(msg)
        self.key = key
        self.interface = interface
        self.tag, self.group_key = os.urandom(TAG_SIZE), os.urandom(KEY_SIZE)
        self.sock = open_data(current(), interface, key[1], data_ports(options))
        self.sending = Sending(self.sock, interface, current())
        self.stream = Stream(self.tag, self.group_key, unicast=False, sealed=True)
        self.group = group_of(self.tag, key[1]), SESSION_PORT
        self.viewers: set[bytes] = set()
        self.sent = self.counted = 0

    def send(self, batch: Batch, now: float) -> None:
        """
        Send to the group. The same datagrams may go by other links, too.
        """
        own = batch._replace(datagrams=bytearray(batch.datagrams))
        self.sent += self.sending.send(self.stream, own, self.group, now)

    def close(self) -> None:
        """
        Send no more.
        """
        self.sock.close()


class LivePublication:
    """
    A stream of ours.
    """

    def __init__(self, descriptor: Descriptor, courier: LiveCourier, options: Options,
                 ended: Callable[[LivePublication], None]) -> None:
        """
        Begin, with nobody who views.

        :param ended: told when nothing is left to do.
        """
        self.descriptor = descriptor
        self.courier = courier
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.log = StreamLog()
        self.source = Source(descriptor, courier.identity, Random(), self.loop.time())
        self.outlets: dict[LinkKey, Outlet] = {}
        self.is_ending = False
        self.counters: Counter[str] = Counter()
        self._ended = ended
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None
        self._roster: asyncio.TimerHandle | None = None
        self._counted: dict[bytes, int] = {}
        self._closed = False
        self.log.follow(self._fed)
        self._wake()

    @property
    def stream_id(self) -> str:
        """
        Hex.
        """
        return self.descriptor.id.hex()

    # --- Feeding.

    def _fed(self, position: int, data: bytes) -> None:
        now = self.loop.time()
        self._look_at_head(now)
        self.source.feed(data, now)
        self._wake()

    def _look_at_head(self, now: float) -> None:
        if self.log.head != self._head:
            self._head = self.log.head
            self.source.set_head(self._head, now)

    async def ready(self) -> None:
        """
        Wait until more may be appended.
        """
        while self.source.is_full and not self._closed:
            await asyncio.sleep(ROOM_EACH)

    def end(self) -> None:
        """
        Nothing comes any more; who lacks something is still answered for a while.
        """
        if self.is_ending:
            return
        self.is_ending = True
        self.log.unfollow(self._fed)
        self.log.end()
        self.source.end(self.loop.time())
        self._wake()
        self.loop.call_later(ENDING, self.close)

    def close(self) -> None:
        """
        End at once.
        """
        if self._closed:
            return
        self._closed = self.is_ending = True
        self.log.unfollow(self._fed)
        self.log.end()
        for timer in (self._timer, self._roster):
            if timer is not None:
                timer.cancel()
        for outlet in self.outlets.values():
            for mid in outlet.viewers:
                self.courier.send(mid, Kind.UNTUNE, pack_untune(self.descriptor.id, Why.OVER), outlet.key)
            outlet.close()
        self._ended(self)

    def count(self, counters: Counter[str]) -> None:
        """
        Add what was sent and dropped.
        """
        counters.update(self.counters)
        counters.update(self.source.counters)
        counters.update(self.source.giver.counters)
        counters.update(self.source.mender.counters)
        for outlet in self.outlets.values():
            counters.update(outlet.sending.counters)

    # --- Viewers.

    def tune(self, mid: bytes, tune: Tune, link: LinkKey) -> Why | None:
        """
        Let a viewer in; why not, when that can't be.
        """
        address = next((path.address for path in self.courier.paths(mid) if path.link == link), None)
        outlet = self.outlets.get(link)
        if address is None:
            return Why.POLICY
        if outlet is None:
            try:
                outlet = self.outlets[link] = Outlet(self.courier, link, self.options)
            except OSError:
                return Why.FULL
        now = self.loop.time()
        if not outlet.sending.allow(mid, tune.tag, tune.key, (address, tune.port)):
            return Why.UNKNOWN
        if not self.source.join(mid, now):
            return Why.FULL
        for other in self.outlets.values():
            if other is not outlet:
                other.viewers.discard(mid)
        outlet.viewers.add(mid)
        self._look_at_head(now)
        head = self.source.history.head
        start = self.source.start_for(self.log.newest_mark(), now)
        tuned = Tuned(outlet.tag, outlet.group_key, start, self.source.newest, head[0] if head is not None else 0,
                      microseconds(self.source.began), self.source.position_of(start), self.descriptor)
        # Before it can ask: what was before it gets from others, who give to those that they know of.
        if len(outlet.viewers) <= ROSTER_AT_ONCE:
            self._say_roster()
        else:
            self._say_roster_to(mid, outlet)
            self._tell_roster()
        self.courier.send(mid, Kind.TUNED, tuned.pack(), link)
        self._wake()
        return None

    def untune(self, mid: bytes) -> None:
        """
        Let a viewer go.
        """
        self.source.leave(mid)
        for outlet in self.outlets.values():
            outlet.viewers.discard(mid)
            outlet.sending.forget(mid)
        self._tell_roster()

    def needs(self, mid: bytes, needs: Needs) -> bool:
        """
        Take what a viewer lacks; False when it is none.
        """
        if mid not in self.source.viewers:
            return False
        self.source.needs_received(mid, needs.needs, needs.arrived, self.loop.time())
        self._wake()
        return True

    def _tell_roster(self) -> None:
        if self._roster is None and not self._closed:
            self._roster = self.loop.call_later(ROSTER_EACH, self._say_roster)

    def _say_roster(self) -> None:
        """
        Tell each viewer who else is there on its link.
        """
        self._roster = None
        for outlet in self.outlets.values():
            for mid in list(outlet.viewers):
                self._say_roster_to(mid, outlet)

    def _say_roster_to(self, mid: bytes, outlet: Outlet) -> None:
        others = [other for other in outlet.viewers if other != mid]
        if len(others) > MAX_ROSTER:
            others = self.source.random.sample(others, MAX_ROSTER)
        self.courier.send(mid, Kind.ROSTER, pack_roster(self.descriptor.id, others), outlet.key)

    # --- Time.

    def _wake(self) -> None:
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
        self._look_at_head(now)
        for to, batch in self.source.take(now):
            for outlet in self.outlets.values():
                if to is None and outlet.viewers:
                    outlet.send(batch, now)
                elif to in outlet.viewers:
                    assert to is not None
                    size = outlet.sending.to(to, batch, now)
                    self._counted[to] = self._counted.get(to, 0) + size
        self._at(self.source.next_timer(now))

    def tick(self) -> None:
        """
        Look after who is there, and have it written down what was given.
        """
        gone = {mid for outlet in self.outlets.values() for mid in outlet.viewers} - set(self.source.viewers)
        for mid in gone:
            self.untune(mid)
        for outlet in self.outlets.values():  # What went to the group was given to each who is in it.
            size, outlet.counted = outlet.sent - outlet.counted, outlet.sent
            for mid in outlet.viewers:
                self._counted[mid] = self._counted.get(mid, 0) + size
        for mid, size in self._counted.items():
            self.courier.count(mid, up=size)
        self._counted.clear()

    def links_changed(self) -> None:
        """
        Give up links that are gone: their viewers come back by others.
        """
        for key, outlet in list(self.outlets.items()):
            interface = self.courier.interface(key)
            if interface is None or interface.address(key[1]) != outlet.interface.address(key[1]):
                for mid in list(outlet.viewers):
                    self.untune(mid)
                self.counters.update(outlet.sending.counters)
                self.outlets.pop(key).close()

    @property
    def sent(self) -> int:
        """
        Bytes that went to groups.
        """
        return sum(outlet.sent for outlet in self.outlets.values())
