"""
The scenario *beside* of `bench/distribute.py`: what a transfer leaves to others.

A TCP flow (of this kernel's default, mostly cubic) goes from the sender to a machine outside: first alone, then beside
the transfer. Round trips are those of a third machine to the sender, through the queue that all share, and to a
fourth, whose links only carry what the switch sends to all. Queues hold 50 ms.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from typing import TYPE_CHECKING

from .common import HERE, percentile, say
from .distribute_figures import told
from .distribute_lan import Watched, a_box, fill
from .distribute_others import Torrent, Uftp
from .distribute_ours import Ours
from .distribute_run import Run
from .distribute_table import installed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tests.lan.testbed import Machine

    from .common import Report
    from .distribute_lan import Box
    from .distribute_run import Outcome, Tool

PORT = 5001
ALONE = 8.0
"""Seconds of the flow, and of the round trips, with nothing else."""

SETTLE = 2.0
"""Seconds until the flow has its rate, and the transfer."""

TCP_FRAMES = 1514 / 1448
"""Bytes of a frame per byte of a TCP flow with time stamps."""

KEPT = 80.0
"""Percent of its lone rate asked for."""


class Line:
    """
    A process that tells figures with their times.
    """

    def __init__(self, box: Box, machine: Machine, *arguments: str) -> None:
        """
        Start it.
        """
        self.watched = Watched(machine, [sys.executable, str(HERE / "distribute_flow.py"), *arguments],
                               box.folder / f"{machine.name}-{arguments[0]}.log", lines=True)

    def between(self, begin: float, end: float) -> list[tuple[float, float]]:
        """
        Return what it told of a time.
        """
        pairs = [line.split() for _, line in list(self.watched.process.lines) if " " in line]
        return [(float(when), float(value)) for when, value in pairs if begin <= float(when) < end]

    def rate(self, begin: float, end: float) -> float:
        """
        Return the Mbit/s of a flow in a time.
        """
        told = self.between(begin, end)
        if len(told) < 2:
            return 0.0
        return 8e-6 * (told[-1][1] - told[0][1]) / (told[-1][0] - told[0][0])


@contextlib.contextmanager
def a_flow(box: Box) -> Iterator[Line]:
    """
    A TCP flow from the sender to the first bystander.
    """
    with contextlib.ExitStack() as stack:
        sink = Line(box, box.bystanders[0], "sink", str(PORT))
        stack.callback(sink.watched.end)
        sink.watched.process.line()
        source = Line(box, box.sender, "flow", str(box.bystanders[0].interfaces["eth0"].ipv4), str(PORT))
        stack.callback(source.watched.end)
        yield sink


@contextlib.contextmanager
def pings(box: Box) -> Iterator[dict[str, Line]]:
    """
    Round trips of the second bystander.
    """
    with contextlib.ExitStack() as stack:
        found = {}
        for name, machine in (("to the sender", box.sender), ("to another", box.bystanders[2])):
            found[name] = Line(box, box.bystanders[1], "ping", str(machine.interfaces["eth0"].ipv4))
            stack.callback(found[name].watched.end)
        yield found


def trips(lines: dict[str, Line], begin: float, end: float) -> dict[str, dict[str, float]]:
    """
    Return median and 95th percentile of the round trips in a time, in ms, by where to.
    """
    return {name: {"p50": percentile(each, 50), "p95": percentile(each, 95)}
            for name, line in lines.items() if (each := [value for _, value in line.between(begin, end)])}


def sent(outcome: Outcome, size: int, flow: Line, begin: float, end: float) -> float:
    """
    Return the Mbit/s of a transfer that was stopped: what the sender sent, without the flow.
    """
    return max(0.0, 8e-6 * outcome.ratio * size / (end - begin) - TCP_FRAMES * flow.rate(begin, end))


def one(box: Box, tool: type[Tool], options: argparse.Namespace) -> dict[str, object]:
    """
    Measure what one tool leaves.
    """
    size = int(options.size * (1 << 20))
    source = fill(box.folder / "file.bin", size)
    found: dict[str, object] = {}
    with pings(box) as lines:
        begin = time.monotonic()
        time.sleep(ALONE / 2)
        found["idle"] = trips(lines, begin, time.monotonic())
        with Run(box, source, options.limit, mbit=options.mbit) as run:
            begin = time.monotonic()
            alone = run.measure(tool, size)
            end = begin + (alone.seconds or options.limit)
        found["alone"] = alone.flowing and 8e-6 * size / alone.flowing
        found["during"] = trips(lines, end - (alone.flowing or options.limit), end)
        with a_flow(box) as flow:
            time.sleep(SETTLE + ALONE)
            now = time.monotonic()
            found["tcp alone"] = flow.rate(now - ALONE, now)
            with Run(box, source, 2 * options.limit, mbit=options.mbit) as run:
                begin = time.monotonic()
                both = run.measure(tool, size)
                end = begin + (both.seconds or 2 * options.limit)
            start = end - (both.flowing or 2 * options.limit)
            found["tcp beside"] = flow.rate(min(start + SETTLE, (start + end) / 2), end)
            found["beside"] = 8e-6 * size / both.flowing if both.flowing else sent(both, size, flow, begin, end)
            found["beside done"] = both.flowing is not None
            found["both"] = trips(lines, start, end)
    say(f"distribute: {tool.name} alone: {told(alone)}; beside a TCP flow: {told(both)}")
    return found


def beside(options: argparse.Namespace, report: Report) -> None:
    """
    Measure what ours, and others, leave to a TCP flow, and how they delay others.
    """
    found = installed((Ours, Torrent, Uftp), options, report)
    results: dict[str, list[dict[str, object]]] = {}
    with a_box(options.receivers, bystanders=3) as box:
        box.shape(options.mbit)
        for _ in range(options.rounds):
            for tool in found:
                results.setdefault(tool.name, []).append(one(box, tool, options))
    report.details["beside"] = results
    for name, several in results.items():
        tell(report, name, several)


def tell(report: Report, name: str, several: Sequence[dict[str, object]]) -> None:
    """
    Add the rows of one tool.
    """
    def median(*path: str) -> float:
        values = []
        for each in several:
            value: object = each
            for step in path:
                value = value[step] if isinstance(value, dict) and step in value else None
            values.append(float(value) if isinstance(value, (int, float)) else 0.0)
        return statistics.median(values)

    lone, left = median("tcp alone"), median("tcp beside")
    report.row(f"TCP beside {name}: of its lone rate", 100 * left / lone if lone else 0.0, "%",
               limit=KEPT if name == Ours.name else None, more_is_better=True)
    stopped = "" if all(each["beside done"] for each in several) else " (not done: what it sends)"
    report.row(f"{name}: its rate beside TCP{stopped}", median("beside"), "Mbit/s", other="alone",
               theirs=median("alone"), more_is_better=True)
    for where in ("to the sender", "to another"):
        for part in ("p50", "p95"):
            report.row(f"{name}: round trip of a bystander {where}, {part}", median("during", where, part), "ms",
                       other="idle", theirs=median("idle", where, part))
