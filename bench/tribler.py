"""
What the plugin costs a real Tribler, and how fast it does its job: beside the same Tribler without it.

    TRIBLER_SRC=... sh tests/in_namespace.sh python -m bench.tribler [--starts 5] [--megabytes 200] [--json]

Two Triblers with no internet, each in a network namespace. Start is from exec to the first answer of Tribler's own
REST; what is asked then, once it has settled, is the memory. A search is `PUT /api/search/remote` for a torrent that
only the neighbour has, until its result is on `/api/events`. Gossip is from the neighbour being listed as local to its
torrent being in the database. A download is of a magnet, with DHT, local service discovery, trackers and UPnP off.
"""
from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.tribler.host import Tribler, python_for, sources

from .common import BenchError, Report, a_lan, main, say, spread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lan.testbed import Lan, Machine

SEARCH_LIMIT, GOSSIP_LIMIT = 2000.0, 10_000.0
"""Milliseconds asked for."""

SETTLE = 8.0
"""Seconds after the start until memory is read."""


class Made:
    """
    Starts Triblers.
    """

    def __init__(self, lan: Lan) -> None:
        """
        Find Tribler, and a Python for it.
        """
        try:
            self.tree: Path = sources()
            self.python = python_for(self.tree)
        except LookupError as error:
            raise BenchError(str(error)) from error
        self.lan = lan

    def start(self, machine: Machine, name: str, **options: Any) -> Tribler:  # noqa: ANN401
        """
        Start one.
        """
        return Tribler(machine, name, self.lan.folder / name, python=self.python, tree=self.tree, **options)


def wait_for(condition: Callable[[], object], patience: float, what: str) -> float:
    """
    Wait for a condition; get the milliseconds it took.
    """
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            raise BenchError(f"not within {patience:g} s: {what}")
        time.sleep(0.02)
    return 1000 * (time.monotonic() - begin)


def lives(made: Made, name: str, count: int, plain: bool) -> dict[str, Any]:
    """
    Start and end Triblers one after the other, with the plugin or plain.
    """
    found: dict[str, list[float]] = {"start_ms": [], "rss_mb": [], "shutdown_ms": []}
    machine = made.lan.machine()
    for number in range(count):
        tribler = made.start(machine, name, plain=plain)
        found["start_ms"].append(1000 * (tribler.answered_at - tribler.started_at))
        if number == count - 1:
            time.sleep(SETTLE)
            found["rss_mb"].append(tribler.memory()["rss"] / 1e6)
        found["shutdown_ms"].append(1000 * tribler.shutdown())
    return {what: statistics.median(values) for what, values in found.items()}


def searches(a: Tribler, b: Tribler, count: int) -> list[float]:
    """
    Search for torrents that only the neighbour has; get the milliseconds each took.
    """
    times = []
    for number in range(count):
        infohash = b.share(f"needle{number}x.bin", os.urandom(1000))
        wait_for(lambda infohash=infohash: infohash in b.known_torrents(), 10, "b knows its own torrent")
        events = a.host_events()
        begin = time.time()
        a.api("PUT", f"/api/search/remote?fts_text=needle{number}x&metadata_type=300")
        when, _ = events.wait_for("remote_query_results", timeout=10, peer=b.mid)
        times.append(1000 * (when - begin))
    return times


def gossips(made: Made, b: Tribler, count: int) -> list[float]:
    """
    Newcomers, one after the other; get the milliseconds from local to the neighbour's torrent being known.
    """
    infohash = b.share("rumour.bin", os.urandom(1000))
    times = []
    for number in range(count):
        newcomer = made.start(made.lan.machine(), f"newcomer{number}")
        newcomer.wait_local(b)
        times.append(wait_for(lambda who=newcomer: infohash in who.known_torrents(), 20, "gossip"))
        newcomer.shutdown()
    return times


def downloads(a: Tribler, b: Tribler, megabytes: int) -> dict[str, Any]:
    """
    Download from the neighbour.
    """
    content = os.urandom(1_000_000) * megabytes
    infohash = b.share("film.bin", content)
    wait_for(lambda: b.download(infohash).get("progress") == 1, 120, "b seeds")
    sources_seen: set[str] = set()
    begin = time.monotonic()
    a.add(f"magnet:?xt=urn:btih:{infohash}")

    def done() -> bool:
        download = a.download(infohash)
        sources_seen.update(peer["ip"] for peer in download.get("peers", []))
        return bool(download.get("progress") == 1)

    wait_for(done, 600, "downloaded")
    seconds = time.monotonic() - begin
    equal = hashlib.sha256((a.saved / "film.bin").read_bytes()).digest() == hashlib.sha256(content).digest()
    return {"seconds": seconds, "equal": equal, "sources": sorted(sources_seen),
            "neighbour": b.machine.interfaces["eth0"].ipv4}


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all in turn.
    """
    report = Report("tribler")
    with a_lan() as lan:
        made = Made(lan)
        say("tribler: starts and ends")
        ours = report.details["with"] = lives(made, "with", options.starts, plain=False)
        theirs = report.details["without"] = lives(made, "without", options.starts, plain=True)
        for what, words, unit in (("start_ms", "from exec to the first answer", "ms"), ("rss_mb", "memory, RSS", "MB"),
                                  ("shutdown_ms", "shutdown", "ms")):
            report.row(words, ours[what], unit, other="without the plugin", theirs=theirs[what])
        a, b = (made.start(lan.machine(), name) for name in "ab")
        a.wait_local(b)
        time.sleep(2)
        say("tribler: searches")
        report.details["search_ms"] = found = searches(a, b, options.searches)
        report.row("search, median", spread(found)["median"], "ms", limit=SEARCH_LIMIT)
        report.row("search, max", max(found), "ms", limit=SEARCH_LIMIT)
        say("tribler: gossip")
        report.details["gossip_ms"] = found = gossips(made, b, options.newcomers)
        report.row("gossip, max", max(found), "ms", limit=GOSSIP_LIMIT)
        say("tribler: download")
        report.details["download"] = got = downloads(a, b, options.megabytes)
        if not got["equal"] or got["sources"] != [got["neighbour"]]:
            raise BenchError(f"the download is not as it should be: {got}")
        report.row(f"download of {options.megabytes} MB from the neighbour", got["seconds"], "s")
        for tribler in (a, b):
            tribler.shutdown()
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.tribler", description="What the plugin costs and does in Tribler.")
    made.add_argument("--starts", type=int, default=5, help="starts with and without the plugin (default 5)")
    made.add_argument("--searches", type=int, default=10, help="searches (default 10)")
    made.add_argument("--newcomers", type=int, default=3, help="newcomers that are gossiped with (default 3)")
    made.add_argument("--megabytes", type=int, default=200, help="size of the download (default 200)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
