"""
Runs all benchmarks in turn and prints one table: `make bench`, or

    sh tests/in_namespace.sh python -m bench [--output FILE] [--long] [--only NAME]... [--json]

Short settings, about ten minutes; --long takes those of each benchmark alone, over half an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lan.namespaces import TestbedError

from . import (
    batch,
    checksums,
    coding,
    content,
    control,
    crypto,
    defence,
    distribute,
    feeds,
    flood,
    idle,
    join,
    overhead,
    pace,
    session_speed,
    shares,
    streams,
    throughput,
    torrents,
    transfer_sim,
    weather_sim,
)
from .common import BenchError, Report, machine, say

if TYPE_CHECKING:
    from types import ModuleType

SHORT: dict[ModuleType, list[str]] = {
    crypto: [],
    content: ["--size", "256", "--memory", "1024", "--rounds", "2"],
    join: ["--joins", "10", "--rounds", "2"],
    idle: ["--seconds", "30", "--settle", "12"],
    flood: ["--seconds", "6", "--newcomers", "3"],
    throughput: ["--rounds", "2"],
    feeds: [],
    control: ["--rounds", "5"],
    pace: ["--nodes", "10", "--nodes", "100", "--steady", "60"],
    coding: ["--k", "64", "--rounds", "20"],
    checksums: ["--rounds", "20", "--trials", "100000"],
    overhead: ["--generations", "2000"],
    shares: ["--files", "20000", "--rounds", "1", "--idle", "10"],
    torrents: ["--seconds", "10", "--megabytes", "200"],
    transfer_sim: ["--size", "16", "--receivers", "4"],
    weather_sim: ["--runs", "20", "--seeds", "2", "--nodes", "5", "--nodes", "30", "--liars", "20"],
    session_speed: ["--size", "32"],
    defence: ["--size", "16"],
    batch: ["--rounds", "1", "--seconds", "2"],
    streams: ["--seconds", "15"],
    distribute: ["--only", "table", "--only", "small", "--rounds", "1", "--size", "16", "--loss", "0", "--loss", "10",
                 "--limit", "20"],
}
"""Each benchmark with its arguments for a short run."""


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench", description="Runs all benchmarks in turn.")
    made.add_argument("--output", type=Path, metavar="FILE", help="write all results there, as JSON")
    made.add_argument("--long", action="store_true", help="take as long as each benchmark does alone")
    made.add_argument("--only", action="append", metavar="NAME", choices=[name(each) for each in SHORT], default=[],
                      help="only this one; may be repeated")
    made.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")
    return made


def name(module: ModuleType) -> str:
    """
    Return what a benchmark is called.
    """
    return module.__name__.rpartition(".")[2]


def main() -> int:
    """
    Run them; a failed one does not keep the others from running. Return the exit status.
    """
    options = parser().parse_args()
    if options.output is not None and not options.output.parent.is_dir():
        say(f"bench: there is no folder {options.output.parent}")
        return 2
    document: dict[str, object] = {"machine": machine()}
    failed, reports = [], []
    for module, arguments in SHORT.items():
        if options.only and name(module) not in options.only:
            continue
        try:
            with contextlib.redirect_stdout(sys.stderr):
                report: Report = module.bench(module.parser().parse_args([] if options.long else arguments))
        except (BenchError, TestbedError, OSError) as e:
            failed.append(f"bench: {name(module)}: {e}")
            say(failed[-1])
            continue
        reports.append(report)
        document[report.bench] = report.document()
        if not options.json:
            print(f"\n{report.bench}\n\n{report.text()}", flush=True)
    document["load_after"] = os.getloadavg()[0]
    if options.output is not None:
        options.output.write_text(json.dumps(document, indent=2) + "\n")
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        print("\n" + summary(reports))
    return 1 if failed else 0


def summary(reports: list[Report]) -> str:
    """
    Return one line on what was asked for: how much of it was kept, and what was not.
    """
    asked = [row for report in reports for row in report.rows if row.limit is not None]
    missed = [row for row in asked if not row.kept]
    lines = [f"{len(asked) - len(missed)} of {len(asked)} limits kept"]
    lines += [f"missed: {row.cells()[0]}: {row.cells()[1]}, asked for {row.cells()[2]}" for row in missed]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
