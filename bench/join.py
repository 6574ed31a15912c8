"""
How fast nodes find each other: one joins a running one, eight one after the other, eight at once; beside zeroconf.

    sh tests/in_namespace.sh python -m bench.join [--joins 20] [--rounds 3] [--json]

A time ends when both sides list each other as local: the running side by its event, the newcomer by its first answer
to GET /peers or, later, its event. zeroconf's ends when both have heard of the other's service (not yet its address).
"Ready" is a node's ready line; zeroconf's is the end of its imports, before it registers.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import time
from typing import TYPE_CHECKING

from .common import Report, a_lan, main, on_core, say, spread
from .others import Other, zeroconf
from .watch import Watched, processor_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.lan.testbed import Machine

    Start = Callable[[Machine, str], "Joiner"]

APART = 0.5
"""Seconds between two starts, staggered."""

READY_LIMIT, EXEC_LIMIT, STAGGERED_LIMIT, AT_ONCE_LIMIT = 100.0, 700.0, 500.0, 1000.0
"""Milliseconds asked for."""


class Joiner:
    """
    A newcomer of ours or another's, with the same questions to both.
    """

    def __init__(self, watched: Watched | Other) -> None:
        """
        Wait for nothing yet.
        """
        self.watched = watched

    def times(self) -> tuple[float, float]:
        """
        Return when it was started and when it was ready, Unix seconds.
        """
        process = self.watched.node if isinstance(self.watched, Watched) else self.watched
        return process.started_at, process.ready_at


def our_node(machine: Machine, name: str) -> Joiner:
    """
    Start a node.
    """
    return Joiner(Watched(machine.node(name, wait=False)))


def their_service(machine: Machine, name: str) -> Joiner:
    """
    Start a zeroconf service.
    """
    return Joiner(zeroconf(machine, name))


def each_other(joiners: Sequence[Joiner]) -> float:
    """
    Wait until all have found all; return when the last of the directed pairs was there, Unix seconds.
    """
    ready = [joiner.watched.join() for joiner in joiners]
    return max(one.when(other.name) for one, other in itertools.permutations(ready, 2))


def joins(start: Start, count: int) -> dict[str, list[float]]:
    """
    Let a newcomer join a running one so many times, after one time that does not count; get milliseconds.
    """
    figures: dict[str, list[float]] = {"from_ready": [], "from_exec": [], "listed_from_exec": [],
                                       "exec_to_ready": [], "processor": []}
    with a_lan() as lan:
        a, b = lan.machines(2)
        with on_core(0):
            running = start(a, "running")
            running.watched.join()
        time.sleep(2)  # its burst of introductions is over: the newcomer has to make itself heard
        with contextlib.closing(_Stopping(running)):
            for i in range(count + 1):
                with on_core(1):  # two machines have two processors
                    newcomer = start(b, f"newcomer-{i}")
                done = each_other([running, newcomer])
                started, ready = newcomer.times()
                if i:
                    figures["processor"].append(processor_seconds(newcomer.watched.pid) * 1000)
                    listed = running.watched.when(newcomer.watched.name)
                    for name, since, until in (("from_ready", ready, done), ("from_exec", started, done),
                                               ("listed_from_exec", started, listed),
                                               ("exec_to_ready", started, ready)):
                        figures[name].append((until - since) * 1000)
                newcomer.watched.stop()
                time.sleep(0.2)
    return figures


class _Stopping:
    """
    Ends a joiner on the way out.
    """

    def __init__(self, joiner: Joiner) -> None:
        self.close = joiner.watched.stop


def gathering(start: Start, count: int, apart: float, rounds: int) -> dict[str, list[float]]:
    """
    Start so many, some seconds apart, on fresh machines each round; get milliseconds until all pairs are there.
    """
    figures: dict[str, list[float]] = {"from_last_ready": [], "from_last_exec": []}
    for _ in range(rounds):
        with a_lan() as lan, contextlib.ExitStack() as stack:
            joiners = []
            machines = lan.machines(count)
            begin = time.monotonic()
            for i, machine in enumerate(machines):
                time.sleep(max(0.0, begin + i * apart - time.monotonic()))
                joiners.append(start(machine, f"node-{i}"))
                stack.callback(joiners[-1].watched.stop)
            done = each_other(joiners)
            figures["from_last_ready"].append((done - max(joiner.times()[1] for joiner in joiners)) * 1000)
            figures["from_last_exec"].append((done - max(joiner.times()[0] for joiner in joiners)) * 1000)
    return figures


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all, ours and zeroconf's in turn.
    """
    report = Report("join")
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for who, start in (("ours", our_node), ("zeroconf", their_service)):
        say(f"join: {options.joins} joins, {who}")
        one = found.setdefault(who, {})
        measured = {"join": joins(start, options.joins)}
        for name, apart in (("staggered", APART), ("at_once", 0.0)):
            if options.rounds:
                say(f"join: {options.nodes} nodes {name.replace('_', ' ')}, {options.rounds} times, {who}")
                measured[name] = gathering(start, options.nodes, apart, options.rounds)
        report.details[who] = measured
        for name, values in measured.items():
            one[name] = {each: spread(figures) for each, figures in values.items()}
    report.details["spread"] = found

    def row(what: str, group: str, name: str, which: str, limit: float | None = None) -> None:
        report.row(f"{what}, {which}", found["ours"][group][name][which], "ms", limit=limit, other="zeroconf",
                   theirs=found["zeroconf"][group][name][which])

    for which in ("median", "p90", "max"):
        row("B joins A, from B's ready line", "join", "from_ready", which, READY_LIMIT if which == "median" else None)
    for which in ("median", "p90", "max"):
        row("B joins A, from B's exec", "join", "from_exec", which, EXEC_LIMIT if which == "median" else None)
    row("A lists B, from B's exec", "join", "listed_from_exec", "median")
    row("B's exec to its ready line", "join", "exec_to_ready", "median")
    row("B's processor time until it is found and ready", "join", "processor", "median")
    if options.rounds:
        pairs = options.nodes * (options.nodes - 1)
        for name, limit in (("staggered", STAGGERED_LIMIT), ("at_once", AT_ONCE_LIMIT)):
            text = f"{options.nodes} {name.replace('_', ' ')}, all {pairs} pairs, from the last"
            row(f"{text} ready line", name, "from_last_ready", "median", limit)
            row(f"{text} ready line", name, "from_last_ready", "max", limit)
            row(f"{text} exec", name, "from_last_exec", "median")
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.join", description="How fast nodes find each other.")
    made.add_argument("--joins", type=int, default=20, help="times that B joins A (default 20)")
    made.add_argument("--rounds", type=int, default=3, help="times that many nodes gather, 0 for never (default 3)")
    made.add_argument("--nodes", type=int, default=8, help="how many gather (default 8)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
