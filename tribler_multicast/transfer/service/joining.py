"""
Asks neighbours for a content, round after round, until one lets us in.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.wire import Kind
from ..content.manifest import Manifest
from ..errors import ContentError
from ..session.geometry import Geometry
from ..session.messages import Ending, Refusal, pack_end
from .doors import Doors
from .limits import ASKED, CANDIDATES, FRESH_AFTER, JOIN_AFTER, JOINS_A_ROUND, LEAST_K, LEAST_SYMBOL, SOURCES_AVOIDED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from ..session.messages import Accept, Join
    from .courier import Courier, LinkKey, Path
    from .incoming import DataSocket

logger = logging.getLogger(__name__)


class Admitted(NamedTuple):
    """
    Who let us in, and what it said. The socket is the taker's to close.
    """

    mid: bytes
    socket: DataSocket
    accept: Accept
    manifest: Manifest | None


class Joining:
    """
    Who was asked for one content, when and by which way.
    """

    def __init__(self, content_id: bytes, courier: Courier, counters: Counter[str],
                 ports: Callable[[], tuple[int, ...]], join: Callable[[int], Join]) -> None:
        """
        Ask nobody yet.

        :param ports: gives the ports to try for data.
        :param join: makes the JOIN that tells of a port.
        """
        self.content_id = content_id
        self.courier = courier
        self.counters = counters
        self.doors = Doors(courier, ports)
        self.join = join
        self.loop = asyncio.get_running_loop()
        self.likely: dict[bytes, None] = {}
        """Who offered it."""
        self.avoided: dict[bytes, float] = {}
        """Who failed us, until when it is asked last."""
        self.asked: dict[bytes, tuple[LinkKey, float]] = {}
        self._attempts: dict[bytes, int] = {}
        self._wanted: asyncio.Future[Admitted] | None = None
        self._manifest_wanted = False
        self._taken: tuple[bytes, bytes] | None = None
        """Who let us in, and by which tag."""
        self.may: Callable[[bytes], bool] = courier.may
        """Tells whom we ask."""
        self.met: Callable[[bytes], None] = lambda mid: None
        """Is told who has it, or some of it, and does not let us in."""
        self._fresh: set[bytes] = set()
        """Who just became a neighbour, and did not say that it has not got it."""
        self._next = 0

    async def admitted(self, *, manifest_wanted: bool) -> Admitted:
        """
        Ask until somebody lets us in.
        """
        self._wanted = wanted = self.loop.create_future()
        self._manifest_wanted = manifest_wanted
        number, is_taken = 0, False
        try:
            while not wanted.done():
                self._round()
                await asyncio.wait((wanted,), timeout=JOIN_AFTER[min(number, len(JOIN_AFTER) - 1)])
                number += 1
            admitted: Admitted = wanted.result()
            is_taken = True
            return admitted
        finally:
            self._wanted = None
            if wanted.done() and not wanted.cancelled() and not is_taken:
                wanted.result().socket.close()
            self.doors.close()

    def _round(self) -> None:
        now = self.loop.time()
        neighbours = self.courier.neighbours()
        if neighbours:
            self._next %= len(neighbours)
            neighbours = neighbours[self._next:] + neighbours[:self._next]
            self._next += JOINS_A_ROUND
        neighbours.sort(key=lambda mid: (self.avoided.get(mid, 0.0) > now, mid not in self.likely))
        for mid in neighbours[:JOINS_A_ROUND]:
            self._ask(mid, now)

    def neighbour_found(self, mid: bytes) -> None:
        """
        Ask somebody who just came, if we are asking.
        """
        if self._is_asking and mid not in self._fresh:
            self._fresh.add(mid)
            self._ask_fresh(mid, 0)

    def _ask_fresh(self, mid: bytes, number: int) -> None:
        now = self.loop.time()
        if not self._is_asking or mid not in self._fresh:
            self._fresh.discard(mid)
            return
        asked = self.asked.get(mid)
        if asked is None or now - asked[1] >= FRESH_AFTER[0]:
            self._ask(mid, now)
        if number < len(FRESH_AFTER):
            self.loop.call_later(FRESH_AFTER[number], self._ask_fresh, mid, number + 1)
        else:
            self._fresh.discard(mid)

    def offered(self, mid: bytes) -> None:
        """
        Note that somebody has it, and ask at once, if we are asking and did not just now.
        """
        if len(self.likely) < CANDIDATES:
            self.likely[mid] = None
        now = self.loop.time()
        asked = self.asked.get(mid)
        if self._is_asking and (asked is None or now - asked[1] >= FRESH_AFTER[0]):
            self._ask(mid, now)

    @property
    def _is_asking(self) -> bool:
        return self._wanted is not None and not self._wanted.done()

    def is_hint(self, mid: bytes) -> bool:
        """
        Tell whether an OFFER of somebody whom we asked in vain may be of this content.
        """
        return self._is_asking and mid in self.asked

    def avoid(self, mid: bytes) -> None:
        """
        Ask somebody last for a while.
        """
        now = self.loop.time()
        self.avoided = {each: until for each, until in self.avoided.items() if until > now}
        self.avoided[mid] = now + SOURCES_AVOIDED

    def _ask(self, mid: bytes, now: float) -> None:
        if not self.may(mid):
            return
        paths = ordered(self.courier.paths(mid))
        attempt = self._attempts.get(mid, 0)
        for number in range(len(paths)):
            # The same way twice, then the next one.
            path = paths[(attempt // 2 + number) % len(paths)]
            port = self.doors.port(path.link)
            if port is not None and self.courier.send(mid, Kind.JOIN, self.join(port).pack(), path.link):
                self.counters["join: sent"] += 1
                self.asked = {each: (link, at) for each, (link, at) in self.asked.items() if now - at <= ASKED}
                self.asked[mid] = path.link, now
                self._attempts = {each: tries for each, tries in self._attempts.items() if each in self.asked}
                self._attempts[mid] = attempt + 1
                return

    def accept_received(self, mid: bytes, accept: Accept, link: LinkKey) -> bool:
        """
        Take an ACCEPT for this content, which came by a link; False when it is not taken, and the reason is counted.
        """
        asked = self.asked.get(mid)
        if asked is None or self.loop.time() - asked[1] > ASKED or not self.may(mid):
            self.counters["accept: not asked for"] += 1
            return False
        if self.courier.must_seal and not accept.sealed:
            self.counters["accept: not sealed"] += 1
            self.avoid(mid)
            self.courier.send(mid, Kind.LEAVE, pack_end(accept.tag, Ending.CANCELLED), link)
            return False
        try:
            manifest = self._checked(accept)
        except (ContentError, ValueError):
            self.counters["accept: bad"] += 1
            self.avoid(mid)
        else:
            if self._wanted is not None and not self._wanted.done():
                # The data comes by the link that the sender answers by, of the interface that we asked by.
                socket = self.doors.take(link if link[0] == asked[0][0] else asked[0])
                if socket is not None:
                    self._taken = mid, accept.tag
                    self._wanted.set_result(Admitted(mid, socket, accept, manifest))
                    return True
            if (mid, accept.tag) == self._taken:
                self.counters["accept: again"] += 1
                return False
            self.counters["accept: late"] += 1
            self.met(mid)
        self.courier.send(mid, Kind.LEAVE, pack_end(accept.tag, Ending.CANCELLED), link)
        return False

    def _checked(self, accept: Accept) -> Manifest | None:
        """
        Get the manifest of an ACCEPT, None when none was asked for.

        :raises ContentError: when it is none, or of another content.
        :raises ValueError: when there is no such session.
        """
        if accept.k < LEAST_K or accept.symbol < LEAST_SYMBOL:
            raise ValueError("too small")
        if not self._manifest_wanted:
            return None
        manifest = Manifest.read(accept.manifest, self.content_id)
        Geometry(manifest.content.layout, accept.k, accept.symbol)
        return manifest

    def refuse_received(self, mid: bytes, reason: Refusal) -> None:
        """
        Note that somebody does not let us in.
        """
        if mid not in self.asked:
            self.counters["refuse: not asked for"] += 1
            return
        self.counters[f"refuse: {reason.name.lower()}"] += 1
        if reason == Refusal.PARTLY:
            self.met(mid)
        if reason in (Refusal.UNKNOWN, Refusal.PARTLY):
            self.likely.pop(mid, None)
            self._fresh.discard(mid)


def ordered(paths: list[Path]) -> list[Path]:
    """
    Order the ways to a peer: the best interface first, and on it IPv4, so that all receivers of a link meet in one
    session.
    """
    interfaces = list(dict.fromkeys(path.link[0] for path in paths))
    return sorted(paths, key=lambda path: (interfaces.index(path.link[0]), path.link[1]))
