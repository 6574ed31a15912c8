"""
A live stream of 4 Mbit/s on a LAN: how old it is when a player gets it, what stalls, and what its source sends.

    sh tests/in_namespace.sh python -m bench.streams [--seconds N] [--case lan|narrow|kills|joining]... [--loss P]

`lan`: 1 source, 4 viewers, links of 20 Mbit/s. `narrow`: the source's link has 1.1 times the rate. `kills`: as that,
and two viewers are killed after a third of the time. `joining`: 8 viewers, one by one.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.lan.node import wait_all_local
from tests.lan.streaming import SIZE, Feeder, Player

from .common import BenchError, Report, a_lan, main, percentile

if TYPE_CHECKING:
    from tests.lan.node import Node
    from tests.lan.testbed import Lan

RATE = 500_000
LINK = 20
CASES = ("lan", "narrow", "kills", "joining")
STALL = 1.0
"""Seconds without a byte that count as a stall: players buffer as much."""


def stage(lan: Lan, viewers: int, loss: float, *, narrow: bool) -> tuple[Node, list[Node]]:
    """
    Get a source and viewers, known to each other.
    """
    machines = lan.machines(viewers + 1)
    nodes = [machine.node(introduction_interval=1) for machine in machines]
    wait_all_local(nodes)
    for number, machine in enumerate(machines):
        machine.namespace.ip("link set eth0 gso_max_segs 1")  # Else eight datagrams are lost at once.
        machine.shape(1.1 * 8 * RATE / 1e6 if narrow and not number else LINK)
        machine.lose(loss)
    return nodes[0], nodes[1:]


def wait_listed(viewers: list[Node], feeder: Feeder) -> None:
    """
    Wait until all know of a stream.
    """
    for viewer in viewers:
        viewer.wait_for(lambda viewer=viewer: any(  # type: ignore[misc]
            each["stream_id"] == feeder.stream_id for each in viewer.rest("GET", "/streams?timeout=0.3")["streams"]),
            30, "the stream is listed")


def sent_by(node: Node) -> int:
    """
    Get the bytes that left by a machine's link.
    """
    text = node.machine.run(["cat", "/proc/net/dev"])
    return int(next(line for line in text.splitlines() if "eth0" in line).split(":")[1].split()[8])


def case(name: str, seconds: float, loss: float, report: Report) -> None:
    """
    Measure one case.
    """
    count = 8 if name == "joining" else 4
    with a_lan() as lan:
        source, viewers = stage(lan, count, loss, narrow=name in ("narrow", "kills"))
        feeder = Feeder(source, "bench", RATE)
        wait_listed(viewers, feeder)
        players: list[Player] = []
        if name != "joining":
            players = [Player(viewer, feeder.stream_id) for viewer in viewers]
            time.sleep(3)
        begin, before, fed = time.monotonic(), sent_by(source), feeder.count
        if name == "joining":
            for viewer in viewers:
                players.append(Player(viewer, feeder.stream_id))
                time.sleep(max(2.0, seconds / count))
        elif name == "kills":
            time.sleep(seconds / 3)
            for viewer in viewers[:2]:
                viewer.kill()
            time.sleep(2 * seconds / 3)
            players, viewers = players[2:], viewers[2:]
        else:
            time.sleep(seconds)
        sent, produced = sent_by(source) - before, (feeder.count - fed) * SIZE
        memory = max(viewer.memory()["rss"] for viewer in viewers)
        processor = max(viewer.cpu_seconds() for viewer in viewers) / (time.monotonic() - begin)
        counters = [viewer.status()["counters"]["transfers"] for viewer in viewers]
        feeder.stop()
        for player in players:
            player.wait()
        if any(player.error or player.wrong for player in players):
            raise BenchError(f"{name}: {[(player.error, player.wrong) for player in players]} {counters} "
                             f"{source.status()['counters']['transfers']}")
        delays = [age for player in players for when, age in player.delays if when > begin]
        clicks = [player.first_byte or 99.0 for player in players]
        what = f"{name}, {loss:g} % loss"
        report.row(f"{what}: delay source to player, p50", percentile(delays, 50), "s", limit=1.0)
        report.row(f"{what}: p95", percentile(delays, 95), "s", limit=1.5)
        report.row(f"{what}: longest", max(delays), "s")
        report.row(f"{what}: stalls over {STALL:g} s in {seconds:g} s, all players",
                   float(sum(player.stalls(STALL) for player in players)), "", limit=1.0)
        report.row(f"{what}: sent by the source's link / produced", sent / produced, "", limit=1.2)
        report.row(f"{what}: click to first byte, longest", max(clicks), "s", limit=1.5)
        report.row(f"{what}: bytes played by the first, all equal", float(players[0].bytes), "")
        report.row(f"{what}: memory of a viewer, most", memory / 1e6, "MB")
        report.row(f"{what}: processor of a viewer, most", processor, "s/s")
        report.details[what] = {"clicks": clicks, "counters": counters,
                                "source": source.status()["counters"]["transfers"]}


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all cases.
    """
    report = Report("streams")
    for name in options.case or CASES:
        case(name, options.seconds, options.loss, report)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.streams", description="A live stream on a LAN.")
    made.add_argument("--seconds", type=float, default=60.0, help="how long each case is measured (default 60)")
    made.add_argument("--case", action="append", choices=CASES, help="only this one")
    made.add_argument("--loss", type=float, default=2.0, help="percent of the frames lost at each node (default 2)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
