"""
The live streams of one node on its local networks: a ``streams.network.LiveNetwork``.
"""
from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.wire import Kind
from ..errors import StreamError, TooManyError, UnknownStreamError
from ..limits import MAX_PUBLISHED, MAX_WATCHED
from ..live.descriptor import ID_SIZE, NONCE_SIZE, Descriptor
from ..live.messages import (
    Needs,
    OnAirMessage,
    Tune,
    Tuned,
    Why,
    pack_untune,
    read_roster,
    read_untune,
)
from ..network import OnAir
from .limits import KNOWN, KNOWN_EACH, LOOK_EACH, LOOK_PATIENCE, ON_AIR_EACH, ON_AIR_KEPT, TICK
from .publication import LivePublication
from .receiving import LiveReception

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transfer.service.courier import LinkKey, Options
    from ..log import StreamLog
    from ..network import Reception
    from .courier import LiveCourier

logger = logging.getLogger(__name__)


class Known(NamedTuple):
    """
    A stream that somebody told of, and when.
    """

    message: OnAirMessage
    at: float


class LiveService:
    """
    Publishes and views. Call everything in one event loop.
    """

    def __init__(self, courier: LiveCourier, options: Options) -> None:
        """
        Not running yet.
        """
        self.courier = courier
        self.options = options
        self.counters: Counter[str] = Counter()
        self.publications: dict[bytes, LivePublication] = {}
        self.receptions: dict[bytes, LiveReception] = {}
        self.known: OrderedDict[bytes, Known] = OrderedDict()
        self._asked: dict[bytes, float] = {}
        self._asked_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def start(self) -> None:
        """
        Take part.
        """
        if not self._running:
            self._running = True
            self._tick()

    def close(self) -> None:
        """
        End all streams and view none, as long as others can be told. `start` may follow.
        """
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for publication in list(self.publications.values()):
            publication.close()
        for reception in list(self.receptions.values()):
            reception.say_goodbye()
            reception.log.end("this node takes part no more")
            self._forget(reception)
        self.known.clear()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK, self._tick)
        for each in self._all():
            try:
                each.tick()
            except Exception:
                self.counters["tick: failed"] += 1
                logger.exception("A live stream failed")

    def _all(self) -> list[LivePublication | LiveReception]:
        return [*self.publications.values(), *self.receptions.values()]

    # --- The network of streams.

    def publish(self, name: str, media_type: str) -> LivePublication:
        """
        Begin a stream.

        :raises StreamError: one line, when it can't be.
        """
        if not self._running:
            msg = "this node does not take part in the local network now"
            raise StreamError(msg)
        if len(self.publications) >= MAX_PUBLISHED:
            msg = f"{MAX_PUBLISHED} streams are published here already"
            raise TooManyError(msg)
        descriptor = Descriptor.sign(self.courier.identity, os.urandom(NONCE_SIZE), int(time.time() * 1000), name,
                                     media_type)
        publication = LivePublication(descriptor, self.courier, self.options, self._publication_ended)
        self.publications[descriptor.id] = publication
        self.courier.streams_changed()
        return publication

    def _publication_ended(self, publication: LivePublication) -> None:
        publication.count(self.counters)
        self.publications.pop(publication.descriptor.id, None)
        self.courier.streams_changed()

    async def watch(self, stream_id: str) -> StreamLog:
        """
        Take part in a stream.

        :raises UnknownStreamError: when it is not on air.
        :raises StreamError: one line, when it can't be received.
        """
        id = bytes.fromhex(stream_id) if len(stream_id) == 2 * ID_SIZE else b""  # noqa: A001
        if id in self.publications:
            return self.publications[id].log
        if id in self.receptions:
            return self.receptions[id].log
        if not self._running:
            msg = "this node does not take part in the local network now"
            raise StreamError(msg)
        descriptor = await self._find(id)
        if id in self.receptions:
            return self.receptions[id].log
        if len(self.receptions) >= MAX_WATCHED:
            msg = f"{MAX_WATCHED} streams are watched here already"
            raise TooManyError(msg)
        if not self.courier.may(descriptor.mid):
            msg = "the policy of this node is not to take anything from its publisher"
            raise StreamError(msg)
        reception = self.receptions[id] = LiveReception(descriptor, self.courier, self.options, self._over)
        try:
            await reception.join()
        except BaseException:
            self._forget(reception)
            raise
        return reception.log

    async def _find(self, id: bytes) -> Descriptor:  # noqa: A002
        """
        Get what is told of a stream.

        :raises UnknownStreamError: when nobody tells of it.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + LOOK_PATIENCE
        while id and id not in self.known and loop.time() < end:
            for mid in self.courier.streamers() or self.courier.neighbours():
                self._ask(mid, id)
            wait = loop.time() + LOOK_EACH
            while id not in self.known and loop.time() < wait:
                await asyncio.sleep(0.01)
        if id not in self.known:
            msg = "no peer that is here now streams this"
            raise UnknownStreamError(msg)
        return self.known[id].message.descriptor

    def _ask(self, mid: bytes, id: bytes = b"") -> None:  # noqa: A002
        self._asked[mid] = asyncio.get_running_loop().time()
        self.courier.send(mid, Kind.STREAMS_WANTED, id)

    def leave(self, stream_id: str) -> None:
        """
        View a stream no more.
        """
        reception = self.receptions.get(bytes.fromhex(stream_id))
        if reception is not None:
            reception.say_goodbye()
            self._forget(reception)

    def _over(self, reception: LiveReception) -> None:
        """
        It is received no more, but its log can be read until somebody leaves.
        """
        self.known.pop(reception.descriptor.id, None)
        self._sum(reception)

    def _forget(self, reception: LiveReception) -> None:
        self.receptions.pop(reception.descriptor.id, None)
        self._sum(reception)

    def _sum(self, reception: LiveReception) -> None:
        if not reception.is_closed:
            reception.close()
            reception.count(self.counters)

    def on_air(self) -> list[OnAir]:
        """
        Get what runs now, as far as it is known here; others are asked again.
        """
        now = asyncio.get_running_loop().time()
        if self._running and now - self._asked_at >= ON_AIR_EACH:
            self._asked_at = now
            for mid in self.courier.streamers():
                self._ask(mid)
        own = [OnAir(each.stream_id, each.descriptor.name, each.descriptor.media_type,
                     each.descriptor.mid.hex(), each.descriptor.started / 1000, each.source.rate,
                     len(each.source.viewers))
               for each in self.publications.values() if not each.is_ending]
        others = [OnAir(id.hex(), message.descriptor.name, message.descriptor.media_type, message.descriptor.mid.hex(),
                        message.descriptor.started / 1000, float(message.rate), message.viewers)
                  for id, (message, at) in self.known.items()  # noqa: A001
                  if now - at < ON_AIR_KEPT or id in self.receptions]
        return own + others

    def reception(self, stream_id: str) -> Reception | None:
        """
        Get how a stream comes in.
        """
        reception = self.receptions.get(bytes.fromhex(stream_id))
        return None if reception is None else reception.seen()

    @property
    def is_moving(self) -> bool:
        """
        Whether a stream is published or viewed.
        """
        return bool(self.publications or self.receptions)

    def totals(self) -> Counter[str]:
        """
        Get counts of what was sent, taken and dropped, by reason.
        """
        found = Counter(self.counters)
        for each in self.publications.values():
            each.count(found)
        for reception in self.receptions.values():
            if not reception.is_closed:
                reception.count(found)
        return found

    # --- Called by the community.

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey) -> None:
        """
        Take a message of a verified peer. Never raises.
        """
        if not self._running:
            return
        try:
            TAKERS[kind](self, mid, payload, link)
        except Exception:
            self.counters["message: failed"] += 1
            logger.exception("Failed on a %s", kind.name)

    def _streams_wanted(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        if len(payload) not in (0, ID_SIZE):
            self.counters["streams_wanted: malformed"] += 1
        elif self.courier.may(mid):
            for publication in self.publications.values():
                if payload in (b"", publication.descriptor.id) and not publication.is_ending:
                    source = publication.source
                    said = OnAirMessage(int(source.rate), len(source.viewers), publication.descriptor)
                    self.courier.send(mid, Kind.ON_AIR, said.pack(), link)

    def _on_air(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._asked.get(mid, float("-inf")) > ON_AIR_KEPT:
            self.counters["on_air: not asked for"] += 1
            return
        message = OnAirMessage.read(payload)
        if message is None or message.descriptor.mid != mid:
            self.counters["on_air: malformed" if message is None else "on_air: of somebody else"] += 1
            return
        id = message.descriptor.id  # noqa: A001
        if id not in self.known and sum(each.message.descriptor.mid == mid for each in self.known.values()) \
                >= KNOWN_EACH:
            self.counters["on_air: too many"] += 1
            return
        self.known[id] = Known(message, now)
        self.known.move_to_end(id)
        while len(self.known) > KNOWN:
            self.known.popitem(last=False)

    def _tune(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        tune = Tune.read(payload)
        if tune is None:
            self.counters["tune: malformed"] += 1
            return
        publication = self.publications.get(tune.stream_id)
        why: Why | None = Why.UNKNOWN
        if not self.courier.may(mid):
            why = Why.POLICY
        elif publication is not None and not publication.is_ending:
            why = publication.tune(mid, tune, link)
        if why is not None:
            self.counters[f"tune: {why.name.lower()}"] += 1
            self.courier.send(mid, Kind.UNTUNE, pack_untune(tune.stream_id, why), link)

    def _received_by(self, id: bytes, mid: bytes) -> LiveReception | None:  # noqa: A002
        """
        Get a reception that somebody may speak about: its source.
        """
        reception = self.receptions.get(id)
        return reception if reception is not None and reception.source == mid else None

    def _tuned(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        tuned = Tuned.read(payload)
        reception = None if tuned is None else self._received_by(tuned.descriptor.id, mid)
        if tuned is None or reception is None:
            self.counters["tuned: malformed" if tuned is None else "tuned: not asked for"] += 1
        else:
            reception.tuned(tuned, link)

    def _roster(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        roster = read_roster(payload)
        reception = None if roster is None else self._received_by(roster[0], mid)
        if roster is None or reception is None:
            self.counters["roster: malformed" if roster is None else "roster: not asked for"] += 1
        else:
            reception.roster(roster[1])

    def _needs(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        needs = Needs.read(payload)
        if needs is None:
            self.counters["needs: malformed"] += 1
            return
        publication = self.publications.get(needs.stream_id)
        if not self.courier.may(mid):
            self.counters["needs: policy"] += 1
        elif publication is not None:
            if not publication.needs(mid, needs):
                self.courier.send(mid, Kind.UNTUNE, pack_untune(needs.stream_id, Why.UNKNOWN), link)
        elif needs.stream_id in self.receptions:
            self.receptions[needs.stream_id].needs(mid, needs, link)
        else:
            self.counters["needs: no stream of ours"] += 1

    def _untune(self, mid: bytes, payload: bytes, link: LinkKey) -> None:
        untune = read_untune(payload)
        if untune is None:
            self.counters["untune: malformed"] += 1
            return
        id, why = untune  # noqa: A001
        reception = self._received_by(id, mid)
        if id in self.publications:
            self.publications[id].untune(mid)
        elif reception is not None:
            reception.refused(why)

    def neighbour_found(self, mid: bytes) -> None:
        """
        Note that a peer became local, or said something new.
        """
        if self._running and mid in self.courier.streamers():
            self._ask(mid)

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Note that a peer is not local any more.
        """
        self._asked.pop(mid, None)
        for publication in self.publications.values():
            if mid in publication.source.viewers:
                publication.untune(mid)
        for id in [id for id, each in self.known.items() if each.message.descriptor.mid == mid]:  # noqa: A001
            if id not in self.receptions:
                del self.known[id]

    def links_changed(self) -> None:
        """
        Look at the links again.
        """
        for each in self._all():
            each.links_changed()


TAKERS: dict[Kind, Callable[[LiveService, bytes, bytes, LinkKey], None]] = {
    Kind.STREAMS_WANTED: LiveService._streams_wanted, Kind.ON_AIR: LiveService._on_air,  # noqa: SLF001
    Kind.TUNE: LiveService._tune, Kind.TUNED: LiveService._tuned, Kind.ROSTER: LiveService._roster,  # noqa: SLF001
    Kind.NEEDS: LiveService._needs, Kind.UNTUNE: LiveService._untune}  # noqa: SLF001
