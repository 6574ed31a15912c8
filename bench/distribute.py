"""
A file from one machine to many on a LAN: ours beside udpcast, UFTP, BitTorrent and HTTP, in one run.

    sh tests/in_namespace.sh python -m bench.distribute [--only table] [--rounds 3] [--tool NAME]... [--long] [--json]

- *table*: 64 MiB to 4 receivers, every link shaped to 100 Mbit/s both ways, 0, 2 and 10 % of the packets lost at each
  receiver on its own (--long: 20 % too). Time is from the sender's exec, with receivers that wait, to the last
  receiver's end; bytes are those of the sender on its link; files are compared byte by byte; tools take turns; medians.

What is not installed is left out, and said. A transfer that is not over after --limit seconds is stopped.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING

from .common import BenchError, Report, main, say
from .distribute_lan import a_box
from .distribute_others import OTHERS
from .distribute_run import Run, fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .distribute_run import Outcome, Tool

TOOLS: dict[str, type[Tool]] = {tool.name: tool for tool in OTHERS}
OURS = "tribler-multicast"
LOSSES = (0.0, 2.0, 10.0)
LONG_LOSSES = (*LOSSES, 20.0)
SECONDS = {0.0: 6.4, 2.0: 6.6, 10.0: 7.4}
RATIOS = {0.0: 1.10, 2.0: 1.14, 10.0: 1.28}
"""Asked for, by percent of loss, of 64 MiB to 4 receivers at 100 Mbit/s."""


def tools(options: argparse.Namespace, report: Report) -> list[type[Tool]]:
    """
    Return what is installed of what was asked for, and say what is not.

    :raises BenchError: when nothing is.
    """
    asked = [TOOLS[name] for name in options.tool or TOOLS]
    report.details["missing"] = [reason for tool in asked if (reason := tool.missing())]
    for reason in report.details["missing"]:
        say(f"distribute: {reason}")
    if not (found := [tool for tool in asked if not tool.missing()]):
        raise BenchError("there is nothing to measure: " + "; ".join(report.details["missing"]))
    return found


def table(options: argparse.Namespace, report: Report) -> None:
    """
    Measure how long each tool takes at each loss, and what the sender sends for it.
    """
    size = int(options.size * (1 << 20))
    runs: dict[tuple[str, float], list[Outcome]] = {}
    losses = options.loss or (LONG_LOSSES if options.long else LOSSES)
    found = tools(options, report)
    with a_box(options.receivers) as box:
        source = fill(box.folder / "file.bin", size)
        box.shape(options.mbit)
        for _ in range(options.rounds):
            for loss in losses:
                box.lose(loss)
                for tool in found:
                    with Run(box, source, options.limit, loss, options.mbit) as run:
                        outcome = run.measure(tool, size)
                    say(f"distribute: {loss:g} % lost, {tool.name}: {told(outcome)}")
                    runs.setdefault((tool.name, loss), []).append(outcome)
    standard = options.size == 64 and options.mbit == 100 and options.receivers == 4
    ideal = size * 8 / options.mbit / 1e6
    report.details["table"] = {"ideal_seconds": ideal, "to": options.receivers, "mbit": options.mbit, "bytes": size,
                               "tools": [summary(name, loss, each) for (name, loss), each in runs.items()]}
    for loss in losses:
        what = f"{loss:g} % lost"
        rows(report, f"{what}: last of {options.receivers} done", "s",
             {tool.name: middle((each.seconds for each in runs[tool.name, loss]), options.limit) for tool in found},
             SECONDS.get(loss) if standard else None)
        rows(report, f"{what}: sender's bytes / file", "x",
             {tool.name: (statistics.median(each.ratio for each in runs[tool.name, loss]), True) for tool in found},
             RATIOS.get(loss) if standard else None)


def rows(report: Report, what: str, unit: str, values: dict[str, tuple[float, bool]], limit: float | None) -> None:
    """
    Tell ours beside each other, or, without ours, each.
    """
    ours = values.get(OURS)
    if ours is None:
        for name, (value, done) in values.items():
            report.row(f"{what}, {name}" + ("" if done else ", not done"), value, unit)
        return
    others = [(name, each) for name, each in values.items() if name != OURS]
    for name, (value, done) in others:
        report.row(what + ("" if ours[1] else ", not done"), ours[0], unit, limit=limit,
                   other=name + ("" if done else ", not done"), theirs=value)
        limit = None
    if not others:
        report.row(what + ("" if ours[1] else ", not done"), ours[0], unit, limit=limit)


def middle(values: Iterable[float | None], limit: float) -> tuple[float, bool]:
    """
    Return the median, where one that was stopped counts as the limit, and whether that one was done.
    """
    found = statistics.median_high([limit if value is None else value for value in values])
    return found, found < limit


def summary(name: str, loss: float, outcomes: list[Outcome]) -> dict[str, object]:
    """
    Return what several transfers took, for the details.
    """
    return {"tool": name, "loss": loss, "seconds": [each.seconds for each in outcomes],
            "each": [each.each for each in outcomes], "bytes_out": [each.ratio for each in outcomes],
            "bytes_in": [each.back for each in outcomes], "cpu_sender": [each.cpu_sender for each in outcomes],
            "cpu_receiver": [each.cpu_receiver for each in outcomes],
            "errors": [each.error for each in outcomes if each.error]}


def told(outcome: Outcome) -> str:
    """
    Return it in a few words.
    """
    when = "not done" if outcome.seconds is None else f"{outcome.seconds:.2f} s"
    return f"{when}, {outcome.ratio:.3f} x the file" + (f" ({outcome.error})" if outcome.error else "")


SCENARIOS = {"table": table}


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all that was asked for.
    """
    report = Report("distribute")
    for name in options.only or SCENARIOS:
        SCENARIOS[name](options, report)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.distribute", description="A file from one to many, beside other tools.")
    made.add_argument("--only", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    made.add_argument("--tool", action="append", choices=TOOLS, help="only this one; may be repeated")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--size", type=float, default=64, metavar="MIB")
    made.add_argument("--mbit", type=float, default=100, help="of every link, both ways")
    made.add_argument("--receivers", type=int, default=4)
    made.add_argument("--loss", type=float, action="append", metavar="PERCENT", help="instead of 0, 2 and 10")
    made.add_argument("--limit", type=float, default=60, metavar="S", help="after which a transfer is stopped")
    made.add_argument("--long", action="store_true", help="20 %% loss, too")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
