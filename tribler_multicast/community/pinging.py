"""The community's part in multicast ping: start a run, wait for its end, tell the result."""
from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from ..protocol.limits import MAX_PING_COUNT
from .local_peer import LocalPeer, PingResult
from .throughput import Throughput

if TYPE_CHECKING:
    from ..protocol.ping import PingRun, Tally

LEAST_INTERVAL = 0.05
MOST_INTERVAL = 60.0
MID_SIZE = 20
MEET_PATIENCE = 1.0
"""Seconds that a ping waits for a node to be verified: a challenge is repeated twice meanwhile."""
MEET_LOOK = 0.02


class Pinging(Throughput):
    """
    Lets a community that drives a protocol instance ping.
    """

    ping_ends: dict[PingRun, asyncio.Future[None]]

    async def ping(self, peer: LocalPeer | bytes, count: int = 4, interval: float = 0.2,
                   throughput: bool = False) -> PingResult:
        """
        Ping one local peer, or the one with this mid (20 bytes), by multicast, `count` times every `interval` seconds.

        With `throughput` the link there is measured afterwards by packet trains: 5 to 14 MB, in about a second.

        :raises KeyError: when no local peer has this mid.
        :raises ValueError: with one line, for a value that can't be, or when too many pings are running already.
        """
        [result] = await self.run_ping(peer if isinstance(peer, bytes) else peer.mid, count, interval, throughput)
        return result

    async def ping_all(self, count: int = 4, interval: float = 0.2, throughput: bool = False) -> list[PingResult]:
        """
        Ping all local peers by multicast, one result for each; with `throughput` as in `ping`.

        Many peers take longer than the interval to answer, and the next ping waits for them.

        :raises ValueError: with one line, for a value that can't be, or when too many pings are running already.
        """
        return await self.run_ping(None, count, interval, throughput)

    async def run_ping(self, mid: bytes | None, count: int, interval: float, throughput: bool) -> list[PingResult]:
        """
        Check the values, start a run of pings and wait for its end.
        """
        if mid is not None and len(mid) != MID_SIZE:
            msg = f"a mid has {MID_SIZE} bytes, not {len(mid)}"
            raise ValueError(msg)
        if not 1 <= count <= MAX_PING_COUNT:
            msg = f"count must be from 1 to {MAX_PING_COUNT}"
            raise ValueError(msg)
        if not (math.isfinite(interval) and LEAST_INTERVAL <= interval <= MOST_INTERVAL):
            msg = f"interval must be from {LEAST_INTERVAL:g} to {MOST_INTERVAL:g} seconds"
            raise ValueError(msg)
        if throughput:
            self.check_measurable()
        if mid is not None:
            await self.meet(mid)
        run = self.core.pings.start(mid, count, interval, self.now())
        self.ping_ends[run] = ended = asyncio.get_running_loop().create_future()
        try:
            self.pump()
            await ended
        finally:
            del self.ping_ends[run]
            self.core.pings.end(run)
        results = [self.ping_result(run, key, tally) for key, tally in run.tallies.items()]
        if throughput and results:
            rates = await self.measure(mid)
            results = [replace(result, throughput_mbps=rates.get(result.mid)) for result in results]
        return results

    async def meet(self, mid: bytes) -> None:
        """
        Verify a node that we only know from the pages of others, because it is asked for now.
        """
        if self.core.want_now(mid, self.now()):
            self.pump()
            until = self.now() + MEET_PATIENCE
            while mid in self.core.candidates.by_mid and self.now() < until:
                await asyncio.sleep(MEET_LOOK)

    def ping_ended(self, run: PingRun) -> None:
        """
        Wake up who waits for this run.
        """
        ended = self.ping_ends.get(run)
        if ended is not None and not ended.done():
            ended.set_result(None)

    def ping_result(self, run: PingRun, key: bytes, tally: Tally) -> PingResult:
        """
        Sum up what came back from one peer. With no unicast answer in this run, the smoothed time of before counts.
        """
        peer, times = self.core.peers.get(key), tally.times
        unicast = fmean(tally.unicast) if tally.unicast else peer.rtt if peer is not None else None
        loss = (run.sent - len(times)) / run.sent if run.sent else 1.0
        return PingResult(tally.mid, run.sent, len(times), loss, min(times, default=None),
                          fmean(times) if times else None, max(times, default=None), unicast)
