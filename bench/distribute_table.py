"""
Scenarios of `bench/distribute.py` in which one file, or folder, goes from one to many and nothing else happens.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from .common import BenchError, say
from .distribute_figures import compare, middle, ratio, summary, told
from .distribute_lan import Box, a_box, fill
from .distribute_link import loss as measured_loss
from .distribute_link import rate as measured_rate
from .distribute_others import OTHERS, UNTUNED, Nginx, Udpcast, Uftp
from .distribute_ours import Fallback, Ours, WithoutHelpers
from .distribute_run import Outcome, Run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from .common import Report
    from .distribute_run import Tool

TOOLS: dict[str, type[Tool]] = {tool.name: tool for tool in (Ours, WithoutHelpers, *OTHERS, *UNTUNED, Fallback)}

LOSSES = (0.0, 2.0, 10.0)
LONG_LOSSES = (*LOSSES, 20.0)
STANDARD = {"size": 64, "mbit": 100, "receivers": 4}
"""What the limits are for: MiB, Mbit/s, how many."""

SECONDS = {0.0: 6.4, 2.0: 6.5, 10.0: 7.1, 20.0: 8.0}
RATIOS = {0.0: 1.10, 2.0: 1.09, 10.0: 1.11, 20.0: 1.13}
"""Asked for, by percent of loss."""

COUNTS = (1, 2, 8, 16)
GIGABIT = 1000.0
GOODPUT = 850.0
"""Mbit/s asked for, of a link of GIGABIT."""

MEMORY = 150.0
"""MB asked for, of sender and receiver."""

FILES, BYTES = 2000, 10_000
FOLDER = 2.0
"""How many times longer than one file as large they may take."""

MANY_LIMIT, MEMORY_LIMIT = 120.0, 900.0
"""Seconds for 16 receivers on few cores, and for gigabytes."""


def installed(asked: Sequence[type[Tool]], options: argparse.Namespace, report: Report) -> list[type[Tool]]:
    """
    Return what is installed of what was asked for, else of these, and say what is not.

    :raises BenchError: when nothing is.
    """
    wanted = [TOOLS[name] for name in options.tool] or asked
    missing = [reason for tool in wanted if (reason := tool.missing())]
    for reason in missing:
        if reason not in report.details.setdefault("missing", []):
            say(f"distribute: {reason}")
            report.details["missing"].append(reason)
    if not (found := [tool for tool in wanted if not tool.missing()]):
        raise BenchError("there is nothing to measure: " + "; ".join(missing))
    return found


def transfer(box: Box, tool: type[Tool], source: Path, size: int, **more: Any) -> Outcome:  # noqa: ANN401
    """
    Let a tool distribute once; more as for Run. What does not even start is told as what is not done.
    """
    try:
        with Run(box, source, **more) as run:
            outcome = run.measure(tool, size)
    except BenchError as e:
        outcome = Outcome(None, 0.0, [None] * len(box.receivers), error=str(e))
    say(f"distribute: {tool.name}, {source.name} to {len(box.receivers)}, {more.get('loss', 0.0):g} % lost: "
        f"{told(outcome)}")
    return outcome


def table(options: argparse.Namespace, report: Report) -> None:
    """
    Measure how long each tool takes at each loss, and what the sender sends for it.
    """
    size, limit = int(options.size * (1 << 20)), options.limit
    runs: dict[float, dict[str, list[Outcome]]] = {}
    links: dict[str, Any] = {}
    found = installed((Ours, *OTHERS, *(UNTUNED if options.long else ())), options, report)
    if options.without_helpers and WithoutHelpers not in found:
        found.insert(1, WithoutHelpers)
    with a_box(options.receivers, cut=not options.whole) as box:
        source = fill(box.folder / "file.bin", size)
        box.shape(options.mbit)
        for _ in range(options.rounds):
            for loss in options.loss or (LONG_LOSSES if options.long else LOSSES):
                box.lose(loss)
                if f"{loss:g} % lost" not in links:
                    links[f"{loss:g} % lost"] = measured_loss(box, options.mbit)
                    links["mbit"] = links.get("mbit") or measured_rate(box, options.mbit)
                for tool in found:
                    runs.setdefault(loss, {}).setdefault(tool.name, []).append(
                        transfer(box, tool, source, size, limit=limit, loss=loss, mbit=options.mbit))
    standard = all(getattr(options, name) == value for name, value in STANDARD.items())
    report.details["table"] = {
        "ideal_seconds": size * 8e-6 / options.mbit, "to": options.receivers, "mbit": options.mbit, "bytes": size,
        "whole": options.whole, "links": links,
        "runs": {f"{loss:g} % lost": {name: summary(each) for name, each in by_tool.items()}
                 for loss, by_tool in runs.items()}}
    for loss, by_tool in runs.items():
        compare(report, f"{loss:g} % lost: last of {options.receivers} done", "s",
                {name: middle((each.seconds for each in several), limit) for name, several in by_tool.items()},
                SECONDS.get(loss) if standard else None)
    for loss, by_tool in runs.items():
        compare(report, f"{loss:g} % lost: sender's bytes / file", "",
                {name: ratio(several) for name, several in by_tool.items()}, RATIOS.get(loss) if standard else None)


def receivers(options: argparse.Namespace, report: Report) -> None:
    """
    Measure what more receivers change.
    """
    size = int(options.size * (1 << 20))
    counts = [count for count in COUNTS if count <= options.most]
    found = installed((Ours, Udpcast, Uftp), options, report)
    runs: dict[str, dict[str, list[Outcome]]] = {}
    with a_box(max(counts)) as box:
        source = fill(box.folder / "file.bin", size)
        box.shape(options.mbit)
        for _ in range(options.rounds):
            for count in counts:
                some = Box(box.lan, box.sender, box.receivers[:count], box.folder)
                for tool in found:
                    runs.setdefault(f"1 to {count}", {}).setdefault(tool.name, []).append(
                        transfer(some, tool, source, size, limit=MANY_LIMIT, mbit=options.mbit))
    report.details["receivers"] = {what: {name: summary(each) for name, each in by_tool.items()}
                                   for what, by_tool in runs.items()}
    for what, by_tool in runs.items():
        compare(report, f"{what}: last done", "s",
                {name: middle((each.seconds for each in several), MANY_LIMIT) for name, several in by_tool.items()})
        compare(report, f"{what}: sender's bytes / file", "",
                {name: ratio(several) for name, several in by_tool.items()})


def gigabit(options: argparse.Namespace, report: Report) -> None:
    """
    Measure goodput and processor time on a fast link, with native code and without.
    """
    large, small = int(options.size * (1 << 24)), int(options.size * (1 << 20))
    found = installed((Ours, Fallback, Udpcast, Uftp, Nginx), options, report)
    runs: dict[str, list[Outcome]] = {}
    with a_box(options.receivers, cut=False) as box:
        sources = {large: fill(box.folder / "large.bin", large), small: fill(box.folder / "small.bin", small)}
        box.shape(GIGABIT)
        for _ in range(options.rounds):
            for tool in found:
                size = small if tool is Fallback else large
                runs.setdefault(tool.name, []).append(
                    transfer(box, tool, sources[size], size, limit=MANY_LIMIT, mbit=GIGABIT))
    report.details["gigabit"] = {name: summary(each) for name, each in runs.items()}
    bits = {name: 8 * (small if name == Fallback.name else large) for name in runs}
    done = {name: [each for each in several if each.seconds] for name, several in runs.items()}
    figures: dict[str, dict[str, tuple[float, str]]] = {}
    for name, several in done.items():
        if not several:
            say(f"distribute: {name} was never done at {GIGABIT:g} Mbit/s")
            continue
        for what, values in (
                ("goodput", [1e-6 * bits[name] / (each.seconds or 1) for each in several]),
                ("goodput while data flows", [1e-6 * bits[name] / (each.flowing or 1) for each in several]),
                ("sender's processor per gigabit", [1e12 * each.cpu_sender / bits[name] for each in several]),
                ("a receiver's processor per gigabit", [1e12 * each.cpu_receiver / bits[name] for each in several])):
            figures.setdefault(what, {})[name] = statistics.median(values), ""
    for what, values in figures.items():
        goodput = what.startswith("goodput")
        compare(report, f"1 Gbit/s to {options.receivers}: {what}", "Mbit/s" if goodput else "ms", values,
                GOODPUT if what == "goodput" and options.size >= STANDARD["size"] else None, more_is_better=goodput)


def folder(options: argparse.Namespace, report: Report) -> None:
    """
    Measure many small files against one of the same size.
    """
    files = max(20, int(FILES * min(1, options.size / STANDARD["size"])))
    size, times = files * BYTES, dict[str, list[float | None]]()
    [tool] = installed((Ours,), options, report)[:1]
    with a_box(options.receivers) as box:
        many = box.folder / "folder"
        many.mkdir()
        for number in range(files):
            fill(many / f"{number:05}.bin", BYTES)
        box.shape(options.mbit)
        for _ in range(options.rounds):
            for source in (fill(box.folder / "file.bin", size), many):
                times.setdefault(source.name, []).append(
                    transfer(box, tool, source, size, limit=options.limit, mbit=options.mbit).seconds)
    report.details["folder"] = times
    one, several = (middle(times[name], options.limit) for name in ("file.bin", "folder"))
    report.row(f"{files:,} files of 10 KB to {options.receivers}{several[1]}", several[0], "s",
               limit=FOLDER * one[0], other=f"one file of {size / 1e6:g} MB{one[1]}", theirs=one[0])


def memory(options: argparse.Namespace, report: Report) -> None:
    """
    Measure the memory that a large file takes, by a link that is not shaped.
    """
    size = int(options.size * (1 << 26))
    found = installed((Ours, Udpcast), options, report)
    runs: dict[str, list[Outcome]] = {}
    with a_box(1, cut=False) as box:
        source = fill(box.folder / "file.bin", size)
        for tool in found:
            runs[tool.name] = [transfer(box, tool, source, size, limit=MEMORY_LIMIT)]
    report.details["memory"] = {name: summary(each) for name, each in runs.items()}
    what, firsts = f"{size / (1 << 30):g} GiB", {name: each[0] for name, each in runs.items()}
    for side in ("sender", "receiver"):
        compare(report, f"{what}: {side}'s memory (peak RSS)", "MB",
                {name: (1e-6 * getattr(each, f"peak_{side}"), "") for name, each in firsts.items()}, MEMORY)
    compare(report, f"{what}, not shaped: done", "s",
            {name: middle([each.seconds], MEMORY_LIMIT) for name, each in firsts.items()})
