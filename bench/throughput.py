"""
Throughput by packet train on links of known rates, and what is measured of it: measured / shaped.

    sh tests/in_namespace.sh python -m bench.throughput [--rates 20,100,400] [--rounds 5] [--busy N] [--json]

The link is shaped by `tc tbf` (a bucket of 10 ms, a queue of 50 ms) at the sender's interface, then at the switch's
port to the receiver. `--busy` adds so many processes that do nothing but use processors.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.lan.node import wait_all_local
from tests.lan.testbed import Families

from .common import Report, a_lan, main, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lan.node import Node

PAUSE = 3.1
"""Seconds that a node asks for between two measurements."""

TOLERANCE = 0.2
"""What the issue allows."""


def measure(asker: Node, other: Node) -> float:
    """
    Measure once; 0 when it is unknown.
    """
    time.sleep(PAUSE)
    [result] = asker.rest("POST", "/ping", {"mid": other.mid, "count": 1, "throughput": True})["results"]
    return result["throughput_mbps"] or 0.0


def figures(rates: Sequence[float], rounds: int, families: Families) -> dict[str, list[float]]:
    """
    Measure each rate at each side so many times; get Mbit/s.
    """
    found = {}
    with a_lan() as lan:
        machines = lan.machines(2, families)
        asker, other = nodes = [machine.node() for machine in machines]
        wait_all_local(nodes)
        for side, machine in zip(("sender", "receiver"), machines, strict=True):
            for rate in rates:
                say(f"throughput: {rate:g} Mbit/s at the {side}, {rounds} times")
                machine.shape(rate)
                found[f"{rate:g} Mbit/s at the {side}"] = [measure(asker, other) for _ in range(rounds)]
                machine.shape(None)
    return found


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all.
    """
    report = Report("throughput")
    rates = [float(text) for text in options.rates.split(",")]
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        found = figures(rates, options.rounds, Families.LINK_LOCAL if options.ipv6 else Families.IPV4)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    for what, values in found.items():
        rate = float(what.split(maxsplit=1)[0])
        ratios = [value / rate for value in values]
        report.row(f"{what}: measured / shaped, median", statistics.median(ratios), "")
        report.row(f"{what}: farthest from 1", max(abs(ratio - 1) for ratio in ratios), "", limit=TOLERANCE)
    report.details["mbps"] = found
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.throughput", description="Throughput by packet train.")
    made.add_argument("--rates", default="20,100,400", help="Mbit/s, separated by commas (default 20,100,400)")
    made.add_argument("--rounds", type=int, default=5, help="measurements of each (default 5)")
    made.add_argument("--busy", type=int, default=0, help="processes that keep processors busy (default 0)")
    made.add_argument("--ipv6", action="store_true", help="IPv6 instead of IPv4")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
