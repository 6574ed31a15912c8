"""
What goes on in a home: bulk with somebody on the internet, a live stream, and figures of both.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .testbed import ROOT
from .uplink import SERVER, Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from .node import Node
    from .testbed import Machine

LIVE = 375_000
"""Bytes/s of a stream of 3 Mbit/s."""
STREAM = str(ROOT / "tests" / "lan" / "live_stream.py")
LEECH = str(ROOT / "tests" / "lan" / "leech.py")
UP, DOWN = "up", "down"
PORT = "32126"
Seen = list[tuple[float, float]]
"""When each packet of a stream was sent, and how long it took."""


def weather(node: Node) -> dict[str, Any]:
    """
    Return GET /weather.
    """
    found: dict[str, Any] = node.rest("GET", "/weather")
    return found


def doing(node: Node, mid: str) -> str | None:
    """
    Return what a node takes another one to do; None when it knows nothing of it.
    """
    return next((each["activity"] for each in weather(node)["nodes"] if each["mid"] == mid), None)


def prepare(home: Home, *, echo: bool = True) -> None:
    """
    Make all use the same TCP, and let them send echo requests or not.
    """
    for machine in (*home.machines, home.server):
        machine.namespace.sysctl(ipv4__tcp_congestion_control="reno")
        home.allow_echo(machine, allowed=echo)


class Bulk:
    """
    A torrent between a node and a stock client on the internet, from the node (up) or to it (down).
    """

    def __init__(self, stack: ExitStack, home: Home, node: Node, machine: Machine, folder: Path, *, utp: bool = False,
                 way: str = UP, size: int = 100) -> None:
        """
        Begin. `size` in MiB.
        """
        folder.mkdir()
        self.machine, self.way = machine, way
        content, got = folder / "content", folder / "got"
        got.mkdir()
        with content.open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        torrent = str(folder / "content.torrent")
        if way == UP:
            node.rest("POST", "/torrents", {"path": str(content), "output": torrent})
        else:
            subprocess.run([sys.executable, LEECH, "make", str(content), torrent], check=True)
            node.rest("POST", "/downloads", {"torrent": torrent, "folder": str(got)})
        self.torrent, self.utp = torrent, utp
        self._begin(stack, home, folder if way == DOWN else got)

    def again(self, stack: ExitStack, home: Home, got: Path) -> Bulk:
        """
        Let another client get from the node what there is already.
        """
        other = copy.copy(self)
        got.mkdir()
        other._begin(stack, home, got)
        return other

    def _begin(self, stack: ExitStack, home: Home, folder: Path) -> None:
        address = str(self.machine.interfaces["eth0"].ipv4)
        command = ["env", f"PYTHONPATH={ROOT}", f"UTP={int(self.utp)}", f"SEED={int(self.way == DOWN)}",
                   sys.executable, LEECH, str(folder), self.torrent, address, PORT]
        self.process = stack.enter_context(subprocess.Popen(home.server.namespace.command(command), text=True,
                                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        stack.callback(self.process.stdin.close)
        assert self.process.stdout.readline() == "ready\n"

    def got(self) -> tuple[float, int]:
        """
        Get the time, and the bytes that came so far: of the torrent at the other end, or on the machine's interface.
        """
        if self.way == DOWN:
            before = time.monotonic()
            text = self.machine.run(["cat", "/proc/net/dev"])
            line = next(line for line in text.splitlines() if "eth0:" in line)
            return (before + time.monotonic()) / 2, int(line.split(":")[1].split()[0])
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return said["time"], said["down"]


def rate(bulks: list[Bulk], seconds: float) -> float:
    """
    Measure what all get together, bytes/s.
    """
    before = [bulk.got() for bulk in bulks]
    time.sleep(seconds)
    after = [bulk.got() for bulk in bulks]
    return sum((new[1] - old[1]) / (new[0] - old[0]) for new, old in zip(after, before, strict=True))


def until_back(bulks: list[Bulk], wanted: float, timeout: float, over: float = 1.5) -> tuple[float, float]:
    """
    Wait until all get so much together, measured over so many seconds; get how long after the call that span began, and
    what it was at last.
    """
    begun = time.monotonic()
    looks = [(time.monotonic(), sum(bulk.got()[1] for bulk in bulks))]
    while True:
        time.sleep(0.25)
        now, count = time.monotonic(), sum(bulk.got()[1] for bulk in bulks)
        looks.append((now, count))
        old = next((look for look in looks if now - look[0] <= over + 0.2 and now - look[0] >= over), None)
        if old is not None:
            got = (count - old[1]) / (now - old[0])
            if got >= wanted or now - begun > timeout:
                return max(0.0, old[0] - begun), got


@contextmanager
def stream(home: Home, machine: Machine, way: str = UP, mbit: float = 3) -> Iterator[Seen]:
    """
    Send a live stream up or down, and get at its end what came of it.
    """
    came: Seen = []
    source, sink, where = machine, home.server, SERVER
    if way == DOWN:
        source, sink, where = home.server, machine, str(machine.interfaces["eth0"].ipv4)
    with subprocess.Popen(sink.namespace.command([sys.executable, STREAM, "receive", "5004"]), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        sender = source.popen([sys.executable, STREAM, "send", where, "5004", str(mbit)])
        try:
            yield came
        finally:
            sender.end()
            said, _ = receiver.communicate(timeout=30)
            came += [tuple(each) for each in json.loads(said)]


def delay(came: Seen, percent: float, since: float = 0.0) -> float:
    """
    Get a percentile of the delays of a stream, seconds.
    """
    delays = sorted(took for sent, took in came if sent >= since)
    return delays[int(percent * (len(delays) - 1))]


def stalls(came: Seen, since: float, buffer: float = 0.2) -> float:
    """
    Get how many seconds a player without a picture would have waited, who began `buffer` seconds behind the sender,
    and waits when nothing has come in time.
    """
    waited, least = 0.0, min(took for _, took in came)
    for sent, took in came:
        if sent >= since and (late := took - least - buffer - waited) > 0:
            waited += late
    return waited
