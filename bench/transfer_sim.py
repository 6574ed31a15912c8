"""
The coded transfer from one to many on simulated links, with the real classes on a virtual clock.

    python -m bench.transfer_sim [--size 64] [--receivers N]... [--loss SHARE]... [--mbit 100] [--real] [--json]
    python -m bench.transfer_sim --helpers [--checked]   receivers help each other
    python -m bench.transfer_sim --kill-source           the source dies when they together have everything
    python -m bench.transfer_sim --restart               half of them are killed midway and start again
    python -m bench.transfer_sim --slow 5                one is behind a link of so many Mbit/s
    python -m bench.transfer_sim --attackers all         members who hold the key attack (tests/transfer/attackers.py)
    python -m bench.transfer_sim --churn 30              one leaves or joins each second, for so long

Each link is shaped, with 50 ms of queue; each receiver loses packets of its own, reports get lost too. Seconds are
those from the first join until the last receiver has all, bytes all that the sender puts on its link with all headers.
Symbols are tiny and links slower by as much, unless --real.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.transfer.session_lan import REAL_SYMBOL, TINY_SYMBOL, Content, Greedy, SessionLan

from . import coop_sim
from .common import Report, main, say

MIB = 1 << 20
LIMITS = {0.0: (6.4, 1.10), 0.02: (6.6, 1.14), 0.1: (7.4, 1.28)}
"""What was asked for: seconds and bytes / file, for 64 MiB to 4 receivers at 100 Mbit/s."""


def distribute(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Let one content be distributed.
    """
    name = f"1 to {receivers}, {loss:.0%} loss"
    say(f"transfer_sim: {name}")
    lan = SessionLan(Content(options.size * MIB, REAL_SYMBOL if options.real else TINY_SYMBOL, options.k),
                     mbit=options.mbit, seed=options.seed)
    for _ in range(receivers):
        lan.node(loss=loss)
    begin = time.process_time()
    for node in lan.nodes:
        node.join()
    seconds = lan.run_until_done(600.0)
    usual = options.size == 64 and options.mbit == 100 and receivers == 4
    most, bytes_most = LIMITS.get(loss, (None, None)) if usual else (None, None)
    report.row(f"{name}: last receiver done", seconds, "s", limit=most)
    report.row(f"{name}: sender's bytes / file", lan.bytes_per_file, "", limit=bytes_most)
    report.details[name] = {"seconds": seconds, "bytes_per_file": lan.bytes_per_file, "overflowed": lan.up.overflowed,
                            "sender": dict(lan.sender.counters), "cpu": time.process_time() - begin}


def compete(report: Report, queue: float, options: argparse.Namespace) -> None:
    """
    Let a flow like TCP begin on the link that a transfer uses.
    """
    lan = SessionLan(Content(1024 * MIB), mbit=options.mbit, queue=queue, seed=options.seed)
    for _ in range(2):
        lan.node().join()
    lan.run(1.0)
    alone = lan.up.bytes
    other = Greedy(lan)
    lan.run(1.0)
    before, sent = other.passed, lan.up.bytes
    lan.run(4.0)
    theirs = (other.passed - before) * 8 / 4.0 / 1e6
    ours = (lan.up.bytes - sent) * lan.content.scale * 8 / 4.0 / 1e6 - theirs
    name = f"{queue * 1000:.0f} ms of queue"
    report.row(f"{name}: a flow like TCP keeps", 100 * theirs / options.mbit, "% of the link", limit=80.0,
               more_is_better=True)
    report.details[name] = {"theirs": theirs, "ours": max(0.0, ours),
                            "ours_before": alone * lan.content.scale * 8 / 1e6}


def bench(options: argparse.Namespace) -> Report:
    """
    Simulate all that is asked for.
    """
    report = Report("transfer_sim")
    if any((options.helpers, options.checked, options.kill_source, options.restart, options.slow, options.attackers,
            options.churn)):
        coop_sim.bench(report, options)
        return report
    for receivers in options.receivers or (1, 2, 4, 8, 16):
        for loss in options.loss or (0.0, 0.02, 0.1):
            distribute(report, receivers, loss, options)
    if not options.receivers:
        for queue in (0.02, 0.05, 0.2):
            compete(report, queue, options)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.transfer_sim", description="Coded transfer on simulated links.")
    made.add_argument("--size", type=int, default=64, metavar="MIB", help="of the file (default 64)")
    made.add_argument("--receivers", type=int, action="append", metavar="N", help="how many; may be repeated")
    made.add_argument("--loss", type=float, action="append", metavar="SHARE", help="of each link; may be repeated")
    made.add_argument("--mbit", type=float, default=100.0, help="of each link (default 100)")
    made.add_argument("--k", type=int, default=64, help="symbols in a generation (default 64)")
    made.add_argument("--seed", type=int, default=1, help="of what gets lost (default 1)")
    made.add_argument("--real", action="store_true", help="symbols of 1,344 bytes instead of tiny ones")
    made.add_argument("--helpers", action="store_true", help="receivers help each other")
    made.add_argument("--checked", action="store_true", help="the same, and all packets are checked from the start")
    made.add_argument("--kill-source", action="store_true", help="kill the source when the others have everything")
    made.add_argument("--restart", action="store_true", help="kill half of the receivers midway, start them again")
    made.add_argument("--slow", type=float, default=0.0, metavar="MBIT", help="one receiver behind such a link")
    made.add_argument("--attackers", action="append", metavar="CLASS", help="of tests.transfer.attackers, or all")
    made.add_argument("--together", action="store_true", help="all attackers at once, not one after the other")
    made.add_argument("--churn", type=int, default=0, metavar="S", help="one leaves or joins each second, for so long")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
