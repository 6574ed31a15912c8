"""
Has the session follow the rule for the number of connections: what libtorrent counts goes in, a limit comes out.
"""
from __future__ import annotations

import asyncio
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from .connections import WINDOW, Connections, Sample

if TYPE_CHECKING:
    from .core import Core
    from .session import Session

COUNTERS: Final = ("peer.num_peers_connected", "peer.connection_attempts", "peer.connect_timeouts",
                   "peer.connrefused_peers", "peer.transport_timeout_peers", "net.sent_bytes", "net.recv_bytes")
SPEED: Final = range(10, 31)
"""Tries to connect per second: with few connections allowed few are tried at once, as each takes its place in a
router."""


class Adapting:
    """
    Samples what the session counts once a window, while there are peers.
    """

    def __init__(self, core: Core, session: Session, now: float) -> None:
        """
        Begin.
        """
        self.core = core
        self.session = session
        self.rule = Connections(core.options["connections"], now)
        metrics = {metric.name: metric.value_index for metric in core.lt.session_stats_metrics()}
        self._index = {name: metrics[name] for name in COUNTERS if name in metrics}
        self._before: dict[str, int] = {}
        self._asked = now
        self._seen: set[tuple[str, int]] = set()
        self._connect_time: float | None = None
        session.on("session_stats", self._stats)
        self._apply()

    def follow(self) -> None:
        """
        Take over the setting.
        """
        self.rule.change_most(self.core.options["connections"])
        self._apply()

    def tick(self, now: float) -> None:
        """
        Ask for the counters when a window is over.
        """
        if now - self._asked >= WINDOW:
            self._asked = now
            busiest = max(self.core.torrents.values(), key=lambda torrent: torrent.progress.peers, default=None)
            if busiest is not None and busiest.progress.peers and busiest.handle is not None:
                self.core.spawn(self._ask(busiest.handle))

    async def _ask(self, handle: Any) -> None:  # noqa: ANN401
        """
        Have libtorrent say how long connecting to new peers took, and what it counted.
        """
        peers = await asyncio.to_thread(_peers, handle)
        times = [rtt for address, rtt in peers.items() if address not in self._seen and rtt > 0]
        self._seen = set(peers)
        self._connect_time = median(times) / 1000 if times else None
        if self.session.session is not None:
            self.session.session.post_session_stats()

    def _stats(self, alert: Any) -> None:  # noqa: ANN401
        values = alert.values
        count = {name: int(values[name] if isinstance(values, dict) else values[index])
                 for name, index in self._index.items()}
        before, self._before = self._before, count
        if not before:
            return
        new = {name: max(0, count[name] - before[name]) for name in count}
        # libtorrent counts every try that failed as a timeout, and every such timeout among the connections that died.
        failed = max(0, new["peer.connect_timeouts"] - new["peer.connrefused_peers"])
        lost = max(0, new["peer.transport_timeout_peers"] - failed)
        rate = (new["net.sent_bytes"] + new["net.recv_bytes"]) / WINDOW
        sample = Sample(count["peer.num_peers_connected"], new["peer.connection_attempts"], failed, lost, rate,
                        self._connect_time)
        self.rule.update(asyncio.get_running_loop().time(), sample)
        self._apply()

    def _apply(self) -> None:
        limit = self.rule.limit
        speed = min(max(limit // 4, SPEED[0]), SPEED[-1])
        self.session.apply({"connections_limit": limit, "connection_speed": speed, "torrent_connect_boost": speed})


def _peers(handle: Any) -> dict[tuple[str, int], int]:  # noqa: ANN401
    """
    Peers of a torrent, with the milliseconds that connecting to them took.
    """
    try:
        return {tuple(peer.ip): peer.rtt for peer in handle.get_peer_info()}
    except RuntimeError:  # it is gone
        return {}
