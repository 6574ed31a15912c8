"""
What a flood does to a node: processor, memory, and how long a newcomer takes; beside the same with no flood.

    sh tests/in_namespace.sh python -m bench.flood [--seconds 10] [--rate 20000] [--json]

The floods come from another machine of the LAN with invented source addresses on it: random bytes, and well-formed
introductions with signatures that do not fit, 4,000 of them over and over or each new. The newcomers hear them too.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.lan.attacker import AFTER_GUARD, GROUPS, PORT, SIGNATURE, Forger
from tests.lan.processes import memory
from tribler_multicast.protocol.wire import IPV4

from .common import Report, a_lan, main, say, spread
from .watch import GONE, Watched, processor_seconds, reset_peak

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lan.processes import Process
    from tests.lan.testbed import Machine

NEWCOMER_LIMIT = 3000.0
"""Milliseconds asked for, from a newcomer's ready line."""

LOOPED = 4000
"""Different datagrams of the flood that repeats itself."""

TO_GROUP = ("--destination", GROUPS[IPV4], "--port", str(PORT))


def random_bytes(folder: Path) -> list[str]:
    """
    Nothing that makes sense.
    """
    return [*TO_GROUP]


def looped(folder: Path) -> list[str]:
    """
    Forged introductions of as many keys, the same ones over and over, with all the work done that a stranger must do.
    """
    made = [Forger().introduction()[:-SIGNATURE] + random.randbytes(SIGNATURE) for _ in range(LOOPED)]
    return [*TO_GROUP, "--payloads", _written(folder, made)]


def fresh(folder: Path) -> list[str]:
    """
    Forged introductions, each with a key and a signature that were never there: too quick for any work to be done.
    """
    data = Forger().introduction()
    return [*TO_GROUP, "--payloads", _written(folder, [data]), "--scramble", str(len(data) - AFTER_GUARD)]


def _written(folder: Path, made: list[bytes]) -> str:
    path = folder / "payloads"
    path.write_text("\n".join(data.hex() for data in made))
    return str(path)


KINDS: dict[str, Callable[[Path], list[str]]] = {
    "random bytes": random_bytes, "bad signatures, 4,000 looped": looped, "bad signatures, fresh": fresh}


def newcome(machine: Machine, running: Watched, number: int) -> tuple[float, float]:
    """
    Let a newcomer join; return the milliseconds from its ready line and from its exec until both list each other,
    infinite for never.
    """
    newcomer = Watched(machine.node(f"newcomer-{number}", wait=False)).join()
    try:
        done = max(running.when(newcomer.name, 20.0), newcomer.when(running.name, 20.0))
        return (done - newcomer.node.ready_at) * 1000, (done - newcomer.node.started_at) * 1000
    except TimeoutError:
        return math.inf, math.inf
    finally:
        newcomer.stop()


def under_flood(kind: Callable[[Path], list[str]], options: argparse.Namespace) -> dict[str, Any]:
    """
    Measure newcomers before a flood and under it, and what the flood does to a running node.
    """
    with a_lan() as lan, contextlib.ExitStack() as stack:
        a, b, attacker, newcomers = lan.machines(4)
        running, peer = (Watched(machine.node(wait=False)).join() for machine in (a, b))
        stack.callback(running.stop)
        stack.callback(peer.stop)
        running.when(peer.name)
        before = [newcome(newcomers, running, i) for i in range(options.newcomers)]
        arguments = kind(lan.folder)
        reset_peak(running.pid)
        rss, cpu = memory(running.pid)["rss"], processor_seconds(running.pid)
        flood = attacker.flood(options.seconds, *arguments, rate=options.rate)
        time.sleep(min(1.0, options.seconds / 5))  # the budgets are used up
        during = joined_during(newcomers, running, flood, options.seconds)
        result = flood.wait_json(options.seconds + 30)
        cpu = processor_seconds(running.pid) - cpu  # what it used after the flood is next to nothing
        after = memory(running.pid)
        gone = [kwargs for _, event in (running.events.received if running.events else [])
                if event["topic"] == GONE and (kwargs := event["kwargs"])["mid"] == peer.name]
        return {"sent": result["sent"], "rate": result["rate"], "cpu": cpu / result["seconds"] * 100,
                "cpu_per_packet": cpu / result["sent"] * 1e6, "before_ms": before,
                "during_ms": during, "rss_before": rss / 1e6, "rss_after": after["rss"] / 1e6,
                "peak": after["peak"] / 1e6, "peer_still_local": running.node.is_local(peer.node) and not gone,
                "dropped": running.node.counters("dropped")}


def joined_during(machine: Machine, running: Watched, flood: Process, seconds: float) -> list[tuple[float, float]]:
    """
    Let one newcomer after the other join for as long as the flood goes on; at least one.
    """
    end, figures = time.monotonic() + seconds * 0.8, []
    while not figures or (time.monotonic() < end and flood.poll() is None):
        figure = newcome(machine, running, 100 + len(figures))
        if figures and flood.poll() is not None:
            break  # the flood may have ended before this one was in
        figures.append(figure)
    return figures


def bench(options: argparse.Namespace) -> Report:
    """
    Measure each kind of flood.
    """
    report = Report("flood")
    for name, kind in KINDS.items():
        say(f"flood: {name}, {options.rate:g}/s for {options.seconds:g} s")
        found = report.details[name] = under_flood(kind, options)
        calm, hard = ([spread(figures) for figures in zip(*found[each], strict=True)]
                      for each in ("before_ms", "during_ms"))
        found["before"], found["during"] = ({"from_ready": ready, "from_exec": start} for ready, start in (calm, hard))
        report.row(f"{name}: packets sent", found["rate"], "/s")
        for which in ("median", "max"):
            report.row(f"{name}: newcomer, from its ready line, {which}", hard[0][which], "ms",
                       limit=NEWCOMER_LIMIT, other="with no flood", theirs=calm[0][which])
        report.row(f"{name}: newcomer, from its exec, median", hard[1]["median"], "ms", other="with no flood",
                   theirs=calm[1]["median"])
        report.row(f"{name}: processor of the node", found["cpu"], "% of a core")
        report.row(f"{name}: the same for each packet", found["cpu_per_packet"], "us")
        for which in ("peak", "rss_after"):
            report.row(f"{name}: memory, {'highest' if which == 'peak' else 'after it'}", found[which], "MB",
                       other="before it", theirs=found["rss_before"])
        report.row(f"{name}: verified peers lost", float(not found["peer_still_local"]), "", limit=0.5)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.flood", description="What a flood does to a node.")
    made.add_argument("--seconds", type=float, default=10, help="how long each flood lasts (default 10)")
    made.add_argument("--rate", type=float, default=20_000, help="packets per second (default 20000)")
    made.add_argument("--newcomers", type=int, default=5, help="newcomers before the flood (default 5)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
