"""
Nodes seen from outside: when they list whom, and what they cost.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lan.processes import cpu_seconds, memory

from .common import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.lan.node import Events, Node

LOCAL, GONE = "multicast_peer_local", "multicast_peer_gone"


class Watched:
    """
    A node seen from outside: `seen` has for each mid that it lists as local the time (Unix seconds) that showed.

    Listens to its events from its ready line on, and looks once at what it listed already: nothing is polled.
    """

    def __init__(self, node: Node) -> None:
        """
        Wait for the ready line in a thread of its own, then watch; `join` waits for that.
        """
        self.node = node
        self.seen: dict[str, float] = {}
        self.events: Events | None = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            self.events = self.node.ready().events()
            listed = [mid for mid, peer in self.node.peers().items() if peer["is_local"]]
            now = time.time()
            self.seen = dict.fromkeys(listed, now)
        except BaseException as e:
            self._failed = e

    def join(self, timeout: float = 60.0) -> Watched:
        """
        Wait until it is watched.

        :raises BenchError: when the node did not get ready.
        """
        self._thread.join(timeout)
        if self._failed is not None or self.events is None:
            raise BenchError(f"{self.node.name} did not start: {self._failed}") from self._failed
        return self

    @property
    def name(self) -> str:
        """
        What others call it.
        """
        return self.node.mid

    @property
    def pid(self) -> int:
        """
        The id of its process.
        """
        return self.node.pid

    def when(self, name: str, timeout: float = 30.0) -> float:
        """
        Wait until it lists a peer, and return when it first did.

        :raises TimeoutError: when it does not in so many seconds.
        """
        if name in self.seen:
            return self.seen[name]
        assert self.events is not None
        return self.events.wait_for(LOCAL, timeout, mid=name)[0]

    def stop(self) -> None:
        """
        End the node.
        """
        if self.events is not None:
            self.events.close()
        self.node.stop()


def nodes_memory(pids: Iterable[int]) -> dict[str, float]:
    """
    Return the average memory of some processes in MB (1,000,000 bytes): rss, pss.
    """
    each = [memory(pid) for pid in pids]
    return {name: statistics.fmean(one.get(name, math.nan) for one in each) / 1e6 for name in ("rss", "pss")}


def processor_seconds(pid: int) -> float:
    """
    Return the processor time of a process so far, to the nanosecond where the kernel tells it.

    /proc/PID/stat counts in hundredths; an idle node uses few of them. The clock is that of clock_getcpuclockid(3).
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return cpu_seconds(pid)


def wake_ups(pid: int) -> int:
    """
    Return how often the threads of a process went to sleep so far.
    """
    return sum(int(line.split()[1]) for status in Path(f"/proc/{pid}/task").glob("*/status")
               for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))


def reset_peak(pid: int) -> None:
    """
    Let the highest memory of a process (VmHWM) be counted from now on, where that is allowed (proc(5), clear_refs).
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")
