"""The community's part in swarms: asks neighbours who takes part in a torrent, and answers for this machine."""
from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..protocol.events import SwarmsAsked, SwarmsEnded
from ..protocol.limits import MAX_OWN_SWARMS, MAX_SWARMS_ASKED
from ..protocol.swarms import Client as Listening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..client import Client
    from ..protocol.core import MulticastProtocol
    from ..protocol.swarms import SwarmRun

    Swarm = set[tuple[str, int, bool]]
    """Where clients listen (IP address, port), and whether they have all."""

TOGETHER: Final = 0.03
"""Seconds in which questions are gathered: a client that begins announces all its torrents at once."""

MAX_SWARMS_WAITING: Final = 2000
"""Torrents that wait to be asked for. Whoever announces more at once, or invents them, is told what is known here."""

FRESH: Final = 2.0
"""Seconds for which the list of our own torrents counts: to make one takes milliseconds."""

OPEN_STATES: Final = frozenset({"downloading", "seeding"})


@dataclass(frozen=True)
class OwnSwarms:
    """
    The torrents of the client itself: the ones that others may know of, and where it listens; and the private ones
    (BEP 27), which nobody is told of or asked for. Anonymous ones are not among a client's `torrents` at all.
    """

    told: Mapping[bytes, Sequence[Listening]] = field(default_factory=dict)
    private: frozenset[bytes] = frozenset()


def look_at(client: Client | None) -> OwnSwarms:
    """
    Get the swarms of a client: those are told that others can get something of.
    """
    if client is None or client.torrents is None:
        return OwnSwarms()
    statuses = client.torrents.status()
    ports = sorted({port for kind, _, port in client.addresses() if kind == "libtorrent" and port})[:1]
    told = {status.infohash: [Listening(port, status.state == "seeding") for port in ports]
            for status in statuses[:MAX_OWN_SWARMS]
            if ports and status.state in OPEN_STATES and status.progress > 0 and not status.private}
    return OwnSwarms(told, frozenset(status.infohash for status in statuses if status.private))


class SwarmSource:
    """
    Who else on this machine takes part in swarms: a tracker knows.
    """

    def swarms(self) -> Mapping[bytes, Sequence[Listening]]:
        """
        Get the clients of this machine, by infohash.
        """
        return {}


class Swarming:
    """
    Lets a community that drives a protocol instance ask about swarms, and answer.
    """

    core: MulticastProtocol
    client: Client | None
    swarm_source: SwarmSource | None = None
    _swarm_waits: dict[bytes, asyncio.Future[Swarm]]
    _swarm_runs: dict[SwarmRun, dict[bytes, asyncio.Future[Swarm]]]
    _swarm_timer: asyncio.TimerHandle | None = None
    _own_swarms: OwnSwarms = OwnSwarms()
    _own_looked: float = float("-inf")

    def prepare_swarming(self) -> None:
        """
        Begin with no question.
        """
        self._swarm_waits, self._swarm_runs = {}, {}

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    def now(self) -> float:
        """
        Get the protocol's clock, in seconds.
        """
        raise AssertionError

    # --- Asking.

    async def who_has(self, infohash: bytes) -> Swarm:
        """
        Ask the neighbours who takes part in a torrent: nobody, when that can't be asked now.
        """
        known = self._swarm_waits.get(infohash)
        if known is None:
            if self.core.started is None or len(self._swarm_waits) >= MAX_SWARMS_WAITING:
                return set()
            loop = asyncio.get_running_loop()
            known = self._swarm_waits[infohash] = loop.create_future()
            if self._swarm_timer is None:
                self._swarm_timer = loop.call_later(TOGETHER, self._ask_swarms)
        return await asyncio.shield(known)

    def _ask_swarms(self) -> None:
        """
        Ask for what waits, as many questions as may be under way; the rest when one of them ends.
        """
        self._swarm_timer = None
        under_way = {infohash for waits in self._swarm_runs.values() for infohash in waits}
        waiting = [infohash for infohash in self._swarm_waits if infohash not in under_way]
        while waiting:
            infohashes, waiting = waiting[:MAX_SWARMS_ASKED], waiting[MAX_SWARMS_ASKED:]
            run = self.core.swarms.start(infohashes, self.now())
            if run is None:
                break
            self._swarm_runs[run] = {infohash: self._swarm_waits[infohash] for infohash in infohashes}
        if not self._swarm_runs:
            self.end_swarming()
        self.pump()

    def end_swarming(self) -> None:
        """
        Tell all who wait that nobody is known.
        """
        for future in self._swarm_waits.values():
            if not future.done():
                future.set_result(set())
        self._swarm_waits.clear()
        self._swarm_runs.clear()

    def on_swarm_event(self, event: SwarmsAsked | SwarmsEnded) -> None:
        """
        Act on what happened around swarms.
        """
        if isinstance(event, SwarmsAsked):
            self.core.swarms.answer(event, self.swarms_here())
            asyncio.get_running_loop().call_soon(self._pump_swarms)
            return
        for infohash, future in self._swarm_runs.pop(event.run, {}).items():
            self._swarm_waits.pop(infohash, None)
            if not future.done():
                future.set_result(event.run.found.get(infohash, set()))
        if self._swarm_waits and self._swarm_timer is None:
            self._swarm_timer = asyncio.get_running_loop().call_later(0.0, self._ask_swarms)

    def _pump_swarms(self) -> None:
        if self.core.started is not None:
            self.pump()

    # --- Answering.

    def own_swarms(self) -> OwnSwarms:
        """
        Get the swarms of the client itself.
        """
        now = self.now()
        if now - self._own_looked > FRESH:
            self._own_looked, self._own_swarms = now, look_at(self.client)
        return self._own_swarms

    def swarms_here(self) -> dict[bytes, Sequence[Listening]]:
        """
        Get the torrents in which this machine takes part, openly, and where its clients listen.
        """
        own = self.own_swarms()
        found: dict[bytes, Sequence[Listening]] = dict(own.told)
        for infohash, clients in (self.swarm_source.swarms() if self.swarm_source is not None else {}).items():
            if infohash not in own.private:
                found[infohash] = [*found.get(infohash, ()), *clients]
        return found
