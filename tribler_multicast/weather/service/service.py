"""
The weather of a running node, on real sockets: probes, summaries, limits.

It asks its surroundings where home is and what the node does, ten times a second while there is something to decide,
and once a second else.
"""
from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ...client import Traffic
from ...lan.pacing import pace, round_trips
from ...lan.probes import Probes
from ...lan.windows import Windows
from ..prober import Prober
from ..summary import Both
from ..view import limit_text, minute_view, weather_view
from ..weather import Doing, Limits, Weather
from .counting import OtherPrograms

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

logger = logging.getLogger(__name__)

TICK: Final = 0.1
IDLE_TICK: Final = 1.0
FAR_EACH: Final = 0.5
"""Seconds between two looks at the round trips of connections there are."""
FAR_FRESH: Final = 1.0
PACE_EACH: Final = 1.0
"""Seconds after which connections are paced again, because there may be new ones."""
GREETING: Final = (0.5, 3.0)
GREETED: Final = 32
"""A node that is new hears within so many seconds what there is, though nothing has changed; of nodes without load
only where no more than so many peers are: in a crowd each newcomer would make all speak."""
WATCHED: Final = 10.0
"""Somebody who looks at the weather has it measured for so many seconds."""
WORTH: Final = 0.03
"""A limit that changed by less than this share is not worth telling."""


class Home(NamedTuple):
    """
    Where this node's way to the internet begins: interface (name and index), our IPv4 address there, the gateway's, and
    what it is called: by its hardware address, or its IP address while that is not known. `is_silent`: this node only
    listens there.
    """

    interface: str
    number: int
    address: str
    router: str
    gateway: str
    is_silent: bool = False


class Surroundings(Protocol):
    """
    What is around the weather.
    """

    def home(self) -> Home | None:
        """
        Get where home is; None while this node is not to be seen there, or has no gateway.
        """

    def activity(self) -> str:
        """
        Get what this node does: one of ACTIVITY_CLASSES; and the rates that were declared with it.
        """

    def declared(self) -> Both | None:
        """
        Get the rates of a stream that somebody declared, None when nobody did.
        """

    def traffic(self) -> Traffic:
        """
        Get what the client moves now.
        """

    def limit(self, up: float | None, down: float | None) -> None:
        """
        Limit its bulk traffic.
        """

    def say(self, home: Home, payload: bytes, *, anyway: bool) -> None:
        """
        Say something to all on that interface; `anyway`: also when nobody is known there.
        """

    def tell(self, topic: str, **kwargs: object) -> None:
        """
        Tell users that something happened.
        """


class WeatherService:
    """
    Runs while the node does.
    """

    def __init__(self, around: Surroundings, options: Mapping[str, Any]) -> None:
        """
        Prepare.
        """
        self.around = around
        self.options = options
        self.weather = Weather(time.monotonic(), os.urandom)
        self.probes = Probes(self._answered)
        self.prober = Prober(self.weather.sensor, random.Random(), echo=False)
        self.others = OtherPrograms()
        self.home: Home | None = None
        self.limits = Limits()
        self.traffic = Traffic()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._paced: frozenset[tuple[str, int]] = frozenset()
        self._is_pacing = False
        self._windows = Windows()
        self._paced_at = self._far_at = 0.0
        self._greet_at: float | None = None
        self._watched_until = 0.0

    # Life

    def start(self) -> None:
        """
        Begin.
        """
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """
        End; no limit is left.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._leave()

    async def _run(self) -> None:
        while True:
            try:
                busy = self.step(time.monotonic())
            except Exception:
                logger.exception("The weather could not be looked at")
                busy = False
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), TICK if busy else IDLE_TICK)
            except TimeoutError:
                continue

    def step(self, now: float) -> bool:
        """
        Look once; get whether there is something to decide soon.
        """
        self.weather.yields = self.options.get("step_aside", True)
        self.weather.room_for_others = self.options.get("room_for_others", True)
        for share in (self.weather.up, self.weather.down):
            share.floor_share = self.options.get("least_share", 0.1)
        self._follow_home(self.around.home() if self.options.get("weather", True) else None)
        if self.home is None:
            return False
        self._look(now)
        self._probe(now)
        if self._greet_at is not None and now >= self._greet_at:
            self._greet_at = None
            self.weather.speak()
        output = self.weather.run(now, time.time())
        self._apply(now, output.limits)
        if output.summary is not None and not self.home.is_silent:
            self.around.say(self.home, output.summary, anyway=self.weather.needs)
        if output.new_state is not None:
            self._tell()
        return self.weather.has_load or output.limits[:2] != (None, None) or now < self._watched_until

    # What others say

    def heard(self, mid: bytes, host: Hashable, payload: bytes, *, verified: bool = True) -> None:
        """
        Take what a peer said; `host` is its hardware address, or its IP address where that is not known.
        """
        if self.home is None:
            return
        self.weather.heard(time.monotonic(), mid, host, payload, verified=verified)
        if self.weather.is_urgent:
            self._wake.set()

    def found(self, peers: int) -> None:
        """
        Take it that a peer is new, and how many there are now.
        """
        if self._greet_at is None and (self.weather.has_load or peers <= GREETED):
            self._greet_at = time.monotonic() + random.uniform(*GREETING)

    def gone(self, mid: bytes) -> None:
        """
        Take it that a peer is gone.
        """
        self.weather.gone(mid)
        if self.weather.is_urgent:
            self._wake.set()

    def changed(self) -> None:
        """
        Look at once: the activity was declared, a setting changed, a link came or went.
        """
        self._wake.set()

    # Where home is

    def _follow_home(self, home: Home | None) -> None:
        if home == self.home:
            return
        if home is None:
            self._leave()
            return
        before, self.home = self.home, home
        moved = before is None or home.address != before.address
        # By its IP address until its hardware address is known: the same gateway under another name.
        renamed = before is not None and not moved and before.gateway == before.router == home.router
        self.weather.set_gateway(home.gateway, renamed=renamed)
        if moved:
            self.prober.reset()
            try:
                self.probes.open(home.address)
            except OSError as e:
                logger.info("The gateway can't be probed from %s: %s", home.address, e)
            self.prober.echo = self.probes.can_echo

    def _leave(self) -> None:
        self.home = None
        self.weather.set_gateway(None)
        self.probes.close()
        self.prober.reset()
        self._apply(time.monotonic(), Limits())

    # What is felt and done

    def _look(self, now: float) -> None:
        assert self.home is not None
        self.traffic = traffic = self.around.traffic()
        rates, bulk = Both(traffic.up, traffic.down), Both(traffic.bulk_up, traffic.bulk_down)
        declared = self.around.declared()
        if declared is not None:  # a stream is beside what the client moves
            rates = Both(*(max(rate, of_bulk + stream) for rate, of_bulk, stream in
                           zip(rates, bulk, declared, strict=True)))
        own = Both(rates.up + traffic.more_up, rates.down + traffic.more_down)
        others = self.others.look(now, self.home.interface, own) if self.weather.room_for_others else Both()
        self.weather.doing(now, Doing(self.around.activity(), rates, bulk, others))

    def _probe(self, now: float) -> None:
        crowd, has_load = self.weather.claims.crowd(now), self.weather.has_load
        for probe in self.prober.due(now, loaded=crowd.loaded + has_load,
                                     has_load=has_load or now < self._watched_until):
            self.probes.send(*probe)
        if has_load and now - self._far_at >= FAR_EACH and self.traffic.peers:
            self._far_at = now
            for peer, rtt in round_trips(self.traffic.peers, FAR_FRESH).items():
                self.weather.sensor.wan_answer(now, peer, rtt)

    def _answered(self, number: int, address: str, when: float) -> None:
        idle = not self.weather.has_load and not self.weather.claims.crowd(when).loaded
        self.prober.answered(when, number, address, idle=idle)

    def _apply(self, now: float, limits: Limits) -> None:
        news = limits.why != self.limits.why or any(
            (new is None) != (old is None) or (new is not None and old is not None and abs(new - old) > WORTH * old)
            for new, old in zip(limits[:2] + limits.in_force, self.limits[:2] + self.limits.in_force, strict=True))
        if news:
            told = limits.why != self.limits.why
            self.limits = limits
            self.around.limit(*limits.in_force)
            if told:
                self._tell()
        peers = frozenset() if self.limits[:2] == (None, None) else self.traffic.peers
        if news or peers - self._paced or now - self._paced_at >= PACE_EACH:
            self._pace(now, peers)

    def _pace(self, now: float, peers: frozenset[tuple[str, int]]) -> None:
        """
        Have the kernel keep the limits, also for what it holds already, or was said to have room for.
        """
        self._paced_at = now
        up, down = self.limits.up, self.limits.down
        if self._is_pacing and (gone := self._paced - peers if up is not None else self._paced):
            pace(gone, None)
        self._is_pacing = up is not None
        if down is None:
            self._windows.free()
        if peers and up is not None:
            pace(peers, up)
        if peers and down is not None:
            self._windows.narrow(peers, down)
        self._paced = peers

    def _tell(self) -> None:
        self.around.tell("multicast_weather", state=self.weather.state, why=self.limits.why or None,
                         up=self.limits.up, down=self.limits.down, text=limit_text(self.limits))

    # What is shown

    def view(self) -> dict[str, Any]:
        """
        Show it, as JSON values.
        """
        now = time.monotonic()
        if now >= self._watched_until:
            self._wake.set()
        self._watched_until = now + WATCHED
        return weather_view(self.weather, now)

    def said(self) -> dict[str, dict[str, Any]]:
        """
        Get activity and rates of other nodes, by mid (hex).
        """
        claims = self.weather.claims.all(time.monotonic())
        return {claim.mid.hex(): {"activity": claim.summary.kind, "up": claim.summary.rates.up,
                                  "down": claim.summary.rates.down} for claim in claims}

    def history(self, since: float = 0.0) -> list[dict[str, Any]]:
        """
        Show the minutes since then (Unix seconds), at most a day.
        """
        return [minute_view(minute) for minute in self.weather.history.since(since)]
