"""
The weather in simulated houses, with the real classes on a virtual clock.

    python -m bench.weather_sim [--runs 100] [--nodes N]... [--seeds 5] [--liars 40] [--json]

A live stream of 3 Mbit/s on an uplink of 5 Mbit/s with a second of queue, beside bulk that fills it: with and without
the plugin. Then its end; then crowds that come and go; scenes that must be told apart; and liars. Cost is the
processor time of all nodes per second and node of virtual time, and bytes on the wire with all headers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from tests.weather.house import INFINITE, MBIT
from tests.weather.liars import CROWDS, LIES, under_liars
from tests.weather.scenes import ALL
from tests.weather.test_house import end, fairness, swing, with_stream

from .common import Report, main, say

LIMITS = {"delay": 60.0, "share": 0.75, "back": 0.95, "apart": 95.0}
DATAGRAM = 14 + 20 + 8 + 185 + 34
"""Ethernet, IPv4, UDP, our header and signature, summary."""


def stream(report: Report, options: argparse.Namespace) -> None:
    """
    Bulk of two nodes beside a live stream.
    """
    for follows in (False, True):
        delays, shares, lost, backs, crashes = [], [], [], [], []
        for seed in range(options.seeds):
            house, viewer = with_stream(seed=seed)
            for machine in house.machines:
                machine.follows = follows
            start = house.now
            house.run(20)
            delays.append(1000 * house.delay_percentile(0.95, start + 2))
            shares.append(house.bulk_rate(start + 2) / (2 * MBIT))
            lost.append(100 * house.lost_high / (20 * 3 * MBIT))
            end(viewer)
            start = house.now
            house.run(7)
            backs.append(house.bulk_rate(start + 4, start + 6) / house.uplink.rate)
            house, viewer = with_stream(seed=seed)
            house.run(20)
            house.remove(viewer)
            start = house.now
            house.run(12)
            crashes.append(house.bulk_rate(start + 9, start + 12) / house.uplink.rate)
        what = "with the plugin" if follows else "without"
        report.row(f"live stream beside bulk, {what}: queue, p95", statistics.median(delays), "ms",
                   limit=LIMITS["delay"] if follows else None)
        report.row(f"live stream beside bulk, {what}: lost of the stream", statistics.median(lost), "%")
        report.row(f"live stream beside bulk, {what}: bulk of what is left", statistics.median(shares), "",
                   limit=LIMITS["share"] if follows else None, more_is_better=True)
        if follows:
            report.row("5 s after its end was said: bulk of the uplink", statistics.median(backs), "",
                       limit=LIMITS["back"], more_is_better=True)
            report.row("10 s after its node vanished: bulk of the uplink", statistics.median(crashes), "",
                       limit=LIMITS["back"], more_is_better=True)


def crowd(report: Report, count: int) -> None:
    """
    Nodes that come and go, and then stay.
    """
    house, viewer = with_stream(count - 1, uplink=20 * MBIT, before=4.0)
    begin = time.process_time()
    for _ in range(8):
        house.run(3)
        house.remove(house.random.choice([machine for machine in house.machines if machine is not viewer]))
        house.machine(bulk=INFINITE)
    house.run(40)
    took, since = time.process_time() - begin, house.now - 12
    least, most = fairness(house, since)
    name = f"{count} nodes after they came and went"
    report.row(f"{name}: least of the mean", least, "", limit=0.9, more_is_better=True)
    report.row(f"{name}: most of the mean", most, "", limit=1.1)
    report.row(f"{name}: swing", 100 * swing(house, since), "%", limit=10.0)
    report.row(f"{name}: used of what is left", house.bulk_rate(since) / (17 * MBIT), "", more_is_better=True)
    report.row(f"{name}: queue, p95", 1000 * house.delay_percentile(0.95, since), "ms", limit=LIMITS["delay"])
    report.row(f"{name}: bytes per node and minute", house.datagrams * DATAGRAM / count / house.now * 60, "")
    report.row(f"{name}: processor per node", 100 * took / (64 * count), "%")


def bench(options: argparse.Namespace) -> Report:
    """
    Simulate all that is asked for.
    """
    report = Report("weather_sim")
    say("A live stream beside bulk")
    stream(report, options)
    for count in options.nodes or [5, 30]:
        say(f"{count} nodes")
        crowd(report, count)
    for name, scene in ALL.items():
        say(f"Scene: {name}")
        right = sum(scene(5000 + seed) for seed in range(options.runs))
        report.row(f"told apart, of 100: {name}", 100 * right / options.runs, "", limit=LIMITS["apart"],
                   more_is_better=True)
    for what in LIES if options.liars else ():
        for who in CROWDS:
            say(f"Liars: {what}, {who}")
            least, mean, _ = under_liars(what, who, 3, options.liars)
            name = f"liars, {what}, {who}"
            report.row(f"{name}: least of the fair share of an honest node", least, "", more_is_better=True)
            report.row(f"{name}: used by honest nodes", mean, "", more_is_better=True)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.weather_sim", description="The weather in simulated houses.")
    made.add_argument("--runs", type=int, default=100, metavar="N", help="of each scene")
    made.add_argument("--seeds", type=int, default=5, metavar="N", help="houses with a stream")
    made.add_argument("--liars", type=float, default=40.0, metavar="SECONDS", help="with each kind; 0: none")
    made.add_argument("--nodes", type=int, action="append", metavar="N", help="in a crowd; may be repeated")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
