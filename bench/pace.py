"""
The pace on LANs of 10 to 5,000 nodes, simulated with the real protocol classes on a virtual clock.

    python -m bench.pace [--nodes N]... [--full 50] [--loss 0.02] [--steady 240] [--json]

Up to 300 nodes all are complete; of more, --full hold full tables and the rest keep the pace and answer (see
tests/simulation). The largest takes some ten minutes.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.simulation.cached import cached_cryptography
from tests.simulation.lan import RECEIVE_BUFFER, SimulatedLan
from tests.simulation.runs import document, newcome, power_up, steady

from .common import Report, main, say

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (10, 100, 300, 1000, 2400, 5000)
COMPLETE = 300
NEWCOMER_AT = 1000


def introductions_limit(nodes: int) -> float:
    """
    Return how many introductions per second are asked for at most.
    """
    return 20.0 if nodes <= 2400 else 1.2 * nodes / 120


def measure(report: Report, nodes: int, options: argparse.Namespace) -> None:
    """
    Let one LAN power up and settle, watch it, and let a newcomer in.
    """
    lan = SimulatedLan(nodes, nodes if nodes <= COMPLETE else options.full)
    up = power_up(lan, options.within, tell=say)
    name = f"{nodes} nodes"
    report.details[f"{name}, power-up"] = document(up)
    report.row(f"{name}: settled after power-up within {options.within:g} s", up.seconds, "s")
    report.row(f"{name}: packets on the LAN, highest second", up.packets_highest, "/s")
    report.row(f"{name}: bytes sent per node-minute meanwhile", up.bytes_sent_per_minute, "")
    report.row(f"{name}: bytes received per node-minute meanwhile", up.bytes_received_per_minute, "")
    report.row(f"{name}: highest receive buffer", up.buffer_highest, "bytes", limit=RECEIVE_BUFFER)
    report.row(f"{name}: lost for want of room", up.lost_for_want_of_room, "datagrams")
    calm = steady(lan, options.steady)
    report.details[f"{name}, steady"] = document(calm)
    report.row(f"{name}: introductions, mean", calm.introductions, "/s", limit=introductions_limit(nodes))
    report.row(f"{name}: introductions, highest second", calm.introductions_highest, "/s")
    report.row(f"{name}: packets on the LAN, highest second, steady", calm.packets_highest, "/s")
    report.row(f"{name}: bytes sent per node-minute, steady", calm.bytes_sent_per_minute, "")
    report.row(f"{name}: bytes received per node-minute, steady", calm.bytes_received_per_minute, "")
    for loss in (0.0, options.loss) if nodes >= NEWCOMER_AT else ():
        lan.loss = loss
        new, _ = newcome(lan)
        report.details[f"{name}, newcomer, {loss:.0%} loss"] = document(new)
        asked: dict[str, float | None] = {"limit": 5.0} if nodes == NEWCOMER_AT else {}
        report.row(f"{name}: newcomer knows 95 %, {loss:.0%} loss", new.knows, "s", **asked)
        asked = {"limit": 60.0} if nodes == NEWCOMER_AT else {}
        report.row(f"{name}: newcomer has verified 95 %, {loss:.0%} loss", new.verified, "s", **asked)


def bench(options: argparse.Namespace) -> Report:
    """
    Measure LANs of all sizes asked for.
    """
    report = Report("pace")
    sizes: Sequence[int] = options.nodes or SIZES
    with cached_cryptography():
        for nodes in sizes:
            measure(report, nodes, options)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.pace", description="The pace on LANs of any size, simulated.")
    made.add_argument("--nodes", type=int, action="append", metavar="N", help="a LAN of so many; may be repeated")
    made.add_argument("--full", type=int, default=50, help="nodes that hold full tables, of more than 300 (default 50)")
    made.add_argument("--within", type=float, default=5.0, help="seconds in which all start (default 5)")
    made.add_argument("--steady", type=float, default=240.0, help="seconds that a settled LAN is watched (default 240)")
    made.add_argument("--loss", type=float, default=0.02, help="loss in a second run of a newcomer (default 0.02)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
