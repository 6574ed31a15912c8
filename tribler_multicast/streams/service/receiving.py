"""
A stream that this node views: from its group, its source and fellow viewers to a log, and what those lack to them.
"""
from __future__ import annotations

import asyncio
import os
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ...lan.batch import Reading
from ...lan.options import current
from ...lan.session_group import SessionGroup
from ...protocol.wire import Kind
from ...transfer.service.incoming import DataSocket
from ...transfer.service.joining import ordered
from ...transfer.service.links import data_ports
from ...transfer.session.kernels import RECEIVE
from ..errors import StreamError, UnknownStreamError
from ..live.limits import REPORT_EACH, SOURCE_GONE
from ..live.messages import KEY_SIZE, TAG_SIZE, Arrived, Needs, Tune, Why, pack_untune
from ..live.opened import GROUP
from ..live.viewer import Data, Head, Over, Viewer
from ..log import StreamLog
from ..network import Reception
from .arriving import Arriving
from .limits import RETUNE, TUNE_EACH, TUNE_PATIENCE
from .sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transfer.service.courier import LinkKey, Options
    from ..live.descriptor import Descriptor
    from ..live.messages import Tuned
    from .courier import LiveCourier

FRESH = 5.0
"""Seconds since something of somebody came, in which it counts as one of whom the stream comes."""


class Way(NamedTuple):
    """
    How something comes from one who was asked: under which tag and key.
    """

    who: bytes | None
    tag: bytes
    key: bytes
    arriving: Arriving


class LiveReception:
    """
    One stream of somebody else.
    """

    def __init__(self, descriptor: Descriptor, courier: LiveCourier, options: Options,
                 ended: Callable[[LiveReception], None]) -> None:
        """
        Nothing is asked yet: see `join`.

        :param ended: told when nothing more comes.
        """
        self.descriptor = descriptor
        self.courier = courier
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.log = StreamLog()
        self.counters: Counter[str] = Counter()
        self.viewer: Viewer | None = None
        self.source = descriptor.mid
        self.delay: float | None = None
        self._ended = ended
        self._random = Random()
        self._socket: DataSocket | None = None
        self._sending: Sending | None = None
        self._group: SessionGroup | None = None
        self._arriving: Arriving | None = None
        self._clock = 0
        self._key = b"", b""
        self._rated = 0.0, 0
        self._ways: dict[bytes, Way] = {}
        """By tag: the source's unicast and that of helpers."""
        self._tags: dict[bytes | None, bytes] = {}
        self._tuned: asyncio.Future[Tuned] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._report_at = 0.0
        self._tuned_at = 0.0
        self._heard: dict[bytes, float] = {}
        self._ups: Counter[bytes] = Counter()
        self._downs: Counter[bytes] = Counter()
        self.is_closed = False

    # --- Joining.

    async def join(self) -> None:
        """
        Ask its source to let us in.

        :raises StreamError: with one line, when it does not.
        """
        end = self.loop.time() + TUNE_PATIENCE
        self._tuned = self.loop.create_future()
        try:
            while not self._tuned.done():
                if self.loop.time() > end:
                    msg = "the publisher of this stream does not answer"
                    raise UnknownStreamError(msg)
                self._tune()
                await asyncio.wait((self._tuned,), timeout=TUNE_EACH)
            self._begin(self._tuned.result())
        except BaseException:
            self.close()
            raise

    def _tune(self) -> None:
        """
        Ask the source, by the best way.
        """
        self._tuned_at = self.loop.time()
        paths = ordered(self.courier.paths(self.source))
        if not paths:
            return
        if self._socket is None or self._socket.key != paths[0].link:
            self._open(paths[0].link)
        if self._socket is not None:
            way = self._ways[self._tags[None]]
            tune = Tune(self.descriptor.id, way.tag, way.key, self._socket.port)
            self.courier.send(self.source, Kind.TUNE, tune.pack(), self._socket.key)

    def _open(self, link: LinkKey) -> None:
        """
        Open where unicast comes in, and leaves to fellow viewers.
        """
        self._shut()
        interface = self.courier.interface(link)
        if interface is None:
            return
        try:
            self._socket = DataSocket(link, interface, self.courier.networks(link), current(), data_ports(self.options))
        except OSError:
            self.counters["socket: failed"] += 1
            return
        self._sending = Sending(self._socket.receiver.sock, interface, current())
        self._socket.taker = self._by_unicast
        self._socket.receiver.turned = self._look
        self._socket.receiver.start()
        self._ways.clear()
        self._tags.clear()
        self._way(None)

    def _way(self, who: bytes | None) -> Way:
        """
        Get how something comes from somebody.
        """
        if who not in self._tags:
            tag, key = os.urandom(TAG_SIZE), os.urandom(KEY_SIZE)
            self._tags[who] = tag
            self._ways[tag] = Way(who, tag, key, Arriving(tag, key, unicast=True))
        return self._ways[self._tags[who]]

    def _drop_way(self, who: bytes | None) -> None:
        tag = self._tags.pop(who, None)
        if tag is not None:
            self._ways.pop(tag)

    def tuned(self, tuned: Tuned, link: LinkKey) -> None:
        """
        Take the answer of the source.
        """
        if self._socket is None or link != self._socket.key or tuned.descriptor.id != self.descriptor.id:
            self.counters["tuned: not asked for"] += 1
        elif self._tuned is not None and not self._tuned.done():
            self._tuned.set_result(tuned)
        elif self.viewer is not None and (self._group is None or self._key != (tuned.tag, tuned.key)):
            self._listen(tuned)

    def _begin(self, tuned: Tuned) -> None:
        """
        Join the group, and fetch what there is to begin with.
        """
        now = self.loop.time()
        self.viewer = Viewer(self.descriptor, tuned.start, tuned.newest, tuned.head, self._random, now)
        self._report_at = now
        self._listen(tuned)

    def _listen(self, tuned: Tuned) -> None:
        assert self._socket is not None
        if self._group is not None:
            self._group.leave()
        self._key = tuned.tag, tuned.key
        self._clock = tuned.clock
        self._arriving = Arriving(tuned.tag, tuned.key, unicast=False)
        self._group = SessionGroup(self._socket.interface, self._socket.key[1], tuned.tag, self._by_group,
                                   current(), Reading(self._look, RECEIVE))
        self._group.keep(self.loop.time())
        self._look()

    def refused(self, why: Why) -> None:
        """
        Take that the source does not let us in, or that it is over.
        """
        if self._tuned is not None and not self._tuned.done():
            if why == Why.UNKNOWN:
                self._tuned.set_exception(UnknownStreamError("its publisher does not stream it any more"))
            elif why == Why.FULL:
                self._tuned.set_exception(StreamError("its publisher has as many viewers as it takes"))
            elif why == Why.POLICY:
                self._tuned.set_exception(StreamError("its publisher does not stream to this node"))
            else:
                self._tuned.set_exception(UnknownStreamError("this stream is over"))
        elif self.viewer is None:
            return
        elif why in (Why.UNKNOWN, Why.POLICY, Why.FULL):
            self._retune()
        elif why == Why.OVER and self.viewer.final is None:
            self._end("its publisher ended it in the middle")

    def _retune(self) -> None:
        """
        Ask to be let in again, under a new key.
        """
        if self.loop.time() - self._tuned_at >= TUNE_EACH and not self.is_closed:
            self._drop_way(None)
            self._way(None)
            self._tune()

    # --- What comes.

    def _by_group(self, data: memoryview, size: int, count: int, source: tuple[str, int], index: int | None,
                  hops: int | None) -> None:
        socket, group = self._socket, self._group
        if socket is None or group is None or self._arriving is None or group.receiver is None:
            return
        if index not in (None, socket.key[0]) or not socket.is_local(source, hops, unicast=False):
            self.counters["data: off link"] += count
            return
        self._take(self._arriving, data, size, count, group.receiver.arrived, GROUP)

    def _by_unicast(self, data: memoryview, size: int, count: int, arrived: float) -> None:
        way = self._ways.get(bytes(data[1:1 + TAG_SIZE]))
        if way is None:
            self.counters["data: foreign"] += count
        else:
            self._take(way.arriving, data, size, count, arrived, way.who)

    def _take(self, arriving: Arriving, data: memoryview, size: int, count: int, arrived: float,
              who: bytes | None) -> None:
        if self.viewer is None or self.is_closed:
            return
        now, refused = self.loop.time(), arriving.refused
        mid = who or self.source
        for form, body in arriving.take(data, size, count, arrived, now):
            before = self.viewer.counters["data: innovative"]
            self.viewer.datagram(form, body, who, now)
            if self.viewer.counters["data: innovative"] > before:
                self._downs[mid] += len(body)  # nobody gets credit for a flood of what is known
            self._heard[mid] = now
        self.counters["data: refused"] += arriving.refused - refused

    def _look(self) -> None:
        """
        Do what is due: give the log what is proved, ask for what is lacking.
        """
        viewer = self.viewer
        if viewer is None or self.is_closed:
            return
        now = self.loop.time()
        self._deliver(viewer, now)
        if now >= viewer.due:
            for ask in viewer.asks(now):
                self._ask(ask.who, Needs(self.descriptor.id, *self._way(ask.who)[1:3], self._port, self._arrived(),
                                         ask.needs))
            self._deliver(viewer, now)
        if now >= self._report_at:
            self._report_at = now + REPORT_EACH * self._random.uniform(0.8, 1.2)
            self._ask(None, Needs(self.descriptor.id, *self._way(None)[1:3], self._port, self._arrived(), ()))
        when = min(viewer.due, self._report_at)
        if not self.is_closed and (self._timer is None or when < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._run)

    def _run(self) -> None:
        self._timer = None
        self._look()

    def _arrived(self) -> Arrived:
        return Arrived() if self._arriving is None else self._arriving.arrived

    @property
    def _port(self) -> int:
        return 0 if self._socket is None else self._socket.port

    def _ask(self, who: bytes | None, needs: Needs) -> None:
        if self._socket is not None:
            self.courier.send(who or self.source, Kind.NEEDS, needs.pack(), self._socket.key)

    def _deliver(self, viewer: Viewer, now: float) -> None:
        events, viewer.events = viewer.events, []
        for event in events:
            if isinstance(event, Head):
                self.log.set_head(event.data)
            elif isinstance(event, Data):
                self.log.append_at(event.position, event.data)
                if self._arriving is not None:
                    since = self._arriving.since((self._clock + event.cut) % (1 << 32), now)
                    self.delay = since if since is None else max(0.0, since)
            elif isinstance(event, Over):
                self._end(None)

    # --- Fellow viewers.

    def roster(self, mids: list[bytes]) -> None:
        """
        Take who else views.
        """
        if self.viewer is None or self._socket is None:
            return
        link = self._socket.key
        there = [mid for mid in mids if self.courier.may(mid)
                 and any(path.link == link for path in self.courier.paths(mid))]
        self.viewer.helpers.set(there)
        for who in [who for who in self._tags if who is not None and who not in self.viewer.helpers.known]:
            self._drop_way(who)

    def needs(self, mid: bytes, needs: Needs, link: LinkKey) -> None:
        """
        Give a fellow viewer what it lacks, if we have it.
        """
        viewer, sending = self.viewer, self._sending
        if viewer is None or sending is None or self._socket is None or link != self._socket.key:
            return
        if mid not in viewer.helpers.known:
            self.counters["needs: no fellow viewer"] += 1
            return
        address = next((path.address for path in self.courier.paths(mid) if path.link == link), None)
        if address is None or not sending.allow(mid, needs.tag, needs.key, (address, needs.port)):
            return
        now = self.loop.time()
        for batch in viewer.giver.give(mid, needs.needs, now).batches:
            self._ups[mid] += sending.to(mid, batch, now)

    # --- Life.

    def tick(self) -> None:
        """
        Look after the membership of the group, and whether anything comes.
        """
        now = self.loop.time()
        if self._group is not None and now >= self._group.due:
            self._group.keep(now)
        for mid, size in self._ups.items():
            self.courier.count(mid, up=size, helped=True)
        for mid, size in self._downs.items():
            self.courier.count(mid, down=size, helped=mid != self.source)
        self._ups.clear()
        self._downs.clear()
        if self.viewer is None or self.is_closed:
            return
        self.viewer.giver.rate = 0.0 if self._arriving is None else self._rate(now)
        heard = self._heard.get(self.source, self._tuned_at)
        if now - heard > SOURCE_GONE and not self.viewer.over:
            self._end("nothing comes from its publisher any more")
        elif now - heard > RETUNE and now - self._tuned_at > RETUNE:
            self._retune()

    def _rate(self, now: float) -> float:
        """
        Get what comes by the group, bytes/s.
        """
        assert self._arriving is not None
        (at, before), self._rated = self._rated, (now, self._arriving.bytes)
        return max(0.0, (self._arriving.bytes - before) / max(now - at, 0.1))

    def links_changed(self) -> None:
        """
        Go on by another link when ours is gone.
        """
        if self._socket is None or self.viewer is None:
            return
        interface = self.courier.interface(self._socket.key)
        if interface is None or interface.address(self._socket.key[1]) != \
                self._socket.interface.address(self._socket.key[1]):
            self._shut()

    def _end(self, error: str | None) -> None:
        self.log.end(error)
        if not self.is_closed:
            self._ended(self)

    def seen(self) -> Reception:
        """
        Get how it comes in.
        """
        now = self.loop.time()
        return Reception(self.delay, tuple(mid.hex() for mid, at in self._heard.items() if now - at < FRESH),
                         0 if self.viewer is None else self.viewer.missing)

    def say_goodbye(self) -> None:
        """
        Tell the source that we leave.
        """
        if self._socket is not None and self.viewer is not None:
            self.courier.send(self.source, Kind.UNTUNE, pack_untune(self.descriptor.id, Why.LEFT), self._socket.key)

    def _shut(self) -> None:
        if self._group is not None:
            self._group.leave()
            self._group = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """
        Receive no more.
        """
        if self.is_closed:
            return
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._shut()

    def count(self, counters: Counter[str]) -> None:
        """
        Add what came, was given and dropped.
        """
        counters.update(self.counters)
        if self.viewer is not None:
            counters.update(self.viewer.counters)
            counters.update(self.viewer.giver.counters)
        if self._sending is not None:
            counters.update(self._sending.counters)
