"""
What it costs to drive a node by messages, beside REST, and what a program costs that does not read.

    sh tests/in_namespace.sh python -m bench.control [--calls N] [--rounds N] [--facts N] [--json]

One process, on loopback: the same question by the queues and by HTTP on a connection that stays open, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tribler_multicast.control.messages import Listen, ShowActivity, Watch
from tribler_multicast.standalone import EmbeddedNode, open_node
from tribler_multicast.torrents import TorrentStatus

from .common import Report, main, say

MEMORY_LIMIT = 24.0
"""MB that a program which does not read may cost: 4 MiB of facts as JSON are several times that as Python's objects."""


def resident() -> float:
    """
    Return how much memory this process has now, in MB.
    """
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


async def by_queues(node: EmbeddedNode, calls: int) -> float:
    """
    Return seconds per command, one after the other.
    """
    with node.connect() as user:
        begin = time.perf_counter()
        for _ in range(calls):
            await user.commands.put(ShowActivity())
            await user.events.get()
        return (time.perf_counter() - begin) / calls


async def by_rest(session: aiohttp.ClientSession, url: str, calls: int) -> float:
    """
    Return seconds per call, one after the other.
    """
    begin = time.perf_counter()
    for _ in range(calls):
        async with session.get(url) as answer:
            await answer.read()
    return (time.perf_counter() - begin) / calls


async def unread(node: EmbeddedNode, facts: int) -> tuple[float, int]:
    """
    Return the MB that a program costs which does not read, and how many events wait for it in the end.
    """
    with node.connect() as user:
        user.commands.put_nowait(Listen())
        user.commands.put_nowait(Watch())
        await asyncio.sleep(0.1)
        parts = node.control.parts
        [heard] = [each for each in parts.community.announced.handlers if "listen" in each.__qualname__]
        peer = type("Peer", (), {"mid": bytes(20), "nickname": ""})()
        before = resident()
        for number in range(facts):
            heard(peer, (f"{number:01000}", number))
            node.control.following._changed(TorrentStatus(bytes([number % 100]) * 20, "x", "downloading",
                                                          number / facts, 1, "/x"))
            if not number % 1000:
                await asyncio.sleep(0)
        return resident() - before, user.events.qsize()


async def measure(options: argparse.Namespace) -> Report:
    """
    Measure it all.
    """
    report = Report("control")
    with tempfile.TemporaryDirectory() as folder:
        async with open_node(folder, {"interfaces": ["lo"]}, api_port=0) as node:
            assert node.api is not None
            url, key = node.api
            times: dict[str, list[float]] = {"queues": [], "rest": []}
            async with aiohttp.ClientSession(headers={"X-Api-Key": key}) as session:
                for _ in range(options.rounds):
                    times["queues"].append(await by_queues(node, options.calls))
                    times["rest"].append(await by_rest(session, url + "/api/multicast/activity", options.calls))
            say("a program that does not read")
            grown, waiting = await unread(node, options.facts)
    queues, rest = (statistics.median(times[name]) for name in ("queues", "rest"))
    report.row("a command by the queues", 1e6 * queues, "us")
    report.row("the same by REST", 1e6 * rest, "us")
    report.row("REST / queues", rest / queues, "x")
    report.row(f"a program that does not read, after {options.facts:,} announcements of 1 kB and as much progress of "
               "100 torrents: memory", grown, "MB", limit=MEMORY_LIMIT)
    report.row("events that wait for it", waiting, "")
    return report


def bench(options: argparse.Namespace) -> Report:
    """
    Run it.
    """
    return asyncio.run(measure(options))


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.control", description="What driving a node by messages costs.")
    made.add_argument("--calls", type=int, default=2000, help="in each round (default 2000)")
    made.add_argument("--rounds", type=int, default=9, help="default 9")
    made.add_argument("--facts", type=int, default=200_000, help="default 200,000")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
