"""
Cooperation on simulated links: what `bench.transfer_sim` runs with --helpers and the options behind it.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any

from tests.transfer import attackers
from tests.transfer.coop_lan import CoopLan, CoopNode
from tests.transfer.session_lan import REAL_SYMBOL, TINY_SYMBOL, Content

from .common import Report, say

if TYPE_CHECKING:
    import argparse

MIB = 1 << 20
START_UP = 0.5
LIMITS = {0.02: (6.5 - START_UP, 1.09), 0.1: (7.1 - START_UP, 1.11), 0.2: (8.0 - START_UP, 1.13)}
"""What was asked for, less half a second for the start of processes, which is not in here: seconds and bytes / file,
for 64 MiB to 4 receivers at 100 Mbit/s."""
ATTACKERS = ("Spoiler", "NumberedSpoiler", "Forger", "JumpingForger", "Liar", "Replayer")
LONGEST = 600.0


def lan_of(options: argparse.Namespace, receivers: int, loss: float, *bad: str, **more: Any) -> CoopLan:  # noqa: ANN401
    """
    Make a LAN, with attackers of these classes, whom everybody joins.
    """
    content = Content(options.size * MIB, REAL_SYMBOL if options.real else TINY_SYMBOL, options.k)
    lan = CoopLan(content, mbit=options.mbit, seed=options.seed, **more)
    for _ in range(receivers):
        lan.node(loss=loss)
    for name in bad:
        lan.node(loss=loss, of=getattr(attackers, name))
    for node in lan.nodes:
        node.join()
    return lan


def figures(report: Report, name: str, lan: CoopLan, seconds: float, begin: float) -> None:
    """
    Keep what there is to know beside the rows.
    """
    content = lan.content
    report.details[name] = {
        "seconds": seconds, "bytes_per_file": lan.bytes_per_file, "cpu": time.process_time() - begin,
        "helped_per_file_and_receiver": lan.helped_bytes * content.scale / content.real_size / max(1, len(lan.nodes)),
        "sums_per_file": lan.sums_bytes * content.scale / content.real_size, "sender": dict(lan.sender.counters)}


def distribute(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Let one content be distributed.
    """
    name = f"1 to {receivers}, {loss:.0%} loss, helpers"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    lan = lan_of(options, receivers, loss, checked=options.checked)
    seconds = lan.run_until_done(LONGEST)
    usual = options.size == 64 and options.mbit == 100 and receivers == 4 and not options.checked
    most, bytes_most = LIMITS.get(loss, (None, None)) if usual else (None, None)
    report.row(f"{name}: last receiver done", seconds, "s", limit=most)
    report.row(f"{name}: sender's bytes / file", lan.bytes_per_file, "", limit=bytes_most)
    if options.checked:
        report.row(f"{name}: of these checksums", 100 * report_share(lan), "%")
    figures(report, name, lan, seconds, begin)


def report_share(lan: CoopLan) -> float:
    """
    Get what checksums are of the content, by receiver.
    """
    return lan.sums_bytes * lan.content.scale / lan.content.real_size / len(lan.nodes)


def kill_source(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Let the source die when the receivers together have everything.
    """
    name = f"1 to {receivers}, {loss:.0%} loss, source killed"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    lan = lan_of(options, receivers, loss)
    sender = lan.sender

    def is_whole() -> bool:
        return (sender._segment is None and not sender._queue and sender.counters["systematic"] > 0 and not any(
            map(min, zip(*(node.receiver.missing for node in lan.nodes if node.receiver is not None), strict=True))))

    lan.run(LONGEST, is_whole)
    lan.kill_source()
    killed = lan.now
    lacking = sum(node.receiver.geometry.symbol * sum(node.receiver.missing) for node in lan.nodes
                  if node.receiver is not None) / lan.content.cut.size / receivers
    seconds = lan.run_until_done(LONGEST)
    report.row(f"{name}: after", killed, "s")
    report.row(f"{name}: each then lacked", 100 * lacking, "%")
    report.row(f"{name}: last receiver done", seconds, "s")
    figures(report, name, lan, seconds, begin)


def restart(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Kill half of the receivers midway and start them again a second later, with nothing but whole segments.
    """
    name = f"1 to {receivers}, {loss:.0%} loss, half killed midway"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    lan = lan_of(options, receivers, loss)
    lan.run(options.size * MIB * 8 / options.mbit / 1e6 / 2)
    killed = lan.nodes[:receivers // 2]
    again = 0
    for node in killed:
        assert node.receiver is not None
        again += node.receiver.rank * lan.content.geometry.symbol - sum(map(len, node.segments.values()))
        node.receiver = None
    lan.run(1.0)
    for node in killed:
        node.join()
    seconds = lan.run_until_done(LONGEST)
    report.row(f"{name}: last receiver done", seconds, "s")
    report.row(f"{name}: fetched again by each", 100 * again / lan.content.cut.size / len(killed), "% of the file")
    report.row(f"{name}: sender's bytes / file", lan.bytes_per_file, "")
    figures(report, name, lan, seconds, begin)


def slow(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Put one receiver behind a slow link.
    """
    name = f"1 to {receivers}, {loss:.0%} loss, one behind {options.slow:g} Mbit/s"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    without = lan_of(options, receivers - 1, loss).run_until_done(LONGEST)
    lan = lan_of(options, receivers - 1, loss)
    lan.node(loss=loss, mbit=options.slow).join()
    fast = lan.nodes[:-1]
    lan.run(LONGEST, lambda: all(node.done for node in fast))
    done = max(node.done or LONGEST for node in fast)
    seconds = lan.run_until_done(LONGEST)
    report.row(f"{name}: the others done", done, "s", limit=1.2 * without, other="without it", theirs=without)
    report.row(f"{name}: that one done", seconds, "s")
    report.row(f"{name}: sender's bytes / file", lan.bytes_per_file, "")
    figures(report, name, lan, seconds, begin)


def attacked(report: Report, receivers: int, loss: float, bad: list[str], options: argparse.Namespace) -> None:
    """
    Let members who hold the key attack the others.
    """
    name = f"{receivers} honest, {loss:.0%} loss, {' '.join(bad)}"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    without = lan_of(options, receivers + len(bad), loss).run_until_done(LONGEST)
    lan = lan_of(options, receivers, loss, *bad)
    seconds = lan.run_until_honest_done(LONGEST)
    innocent = {node.name for node in lan.nodes if type(node) is CoopNode}
    report.row(f"{name}: last honest receiver done", seconds, "s", limit=(1.3 if len(bad) == 1 else 2.0) * without,
               other="without", theirs=without)
    report.row(f"{name}: guilty that were named", len(lan.named - innocent), "")
    report.row(f"{name}: innocent that were named", len(lan.named & innocent), "", limit=0.5)
    figures(report, name, lan, seconds, begin)


def churn(report: Report, receivers: int, loss: float, options: argparse.Namespace) -> None:
    """
    Let a receiver leave without a word or join, in turn, each second for so long; then wait for all that stayed.
    """
    name = f"1 to {receivers}, {loss:.0%} loss, churn for {options.churn:g} s"
    say(f"transfer_sim: {name}")
    begin = time.process_time()
    lan = lan_of(options, receivers, loss)
    random, changes = Random(options.seed), 0
    while changes < options.churn:
        lan.run(1.0)
        changes += 1
        if changes % 2:
            random.choice([node for node in lan.staying if not node.done] or lan.staying).leave()
        else:
            lan.node(loss=loss).join()
    seconds = lan.run_until_done(LONGEST)
    first = max(node.done or LONGEST for node in lan.staying if node.number <= receivers)
    report.row(f"{name}: those there from the start done", first, "s")
    report.row(f"{name}: last one done", seconds, "s")
    report.row(f"{name}: sender's bytes / file", lan.bytes_per_file, "")
    figures(report, name, lan, seconds, begin)


def bench(report: Report, options: argparse.Namespace) -> None:
    """
    Simulate all that is asked for.
    """
    for receivers in options.receivers or (4,):
        for loss in options.loss or (0.02, 0.1, 0.2):
            if options.kill_source:
                kill_source(report, receivers, loss, options)
            elif options.restart:
                restart(report, receivers, loss, options)
            elif options.slow:
                slow(report, receivers, loss, options)
            elif options.attackers:
                bad = [name for each in options.attackers for name in (ATTACKERS if each == "all" else (each,))]
                for chosen in [bad] if options.together else [[name] for name in bad]:
                    attacked(report, receivers, loss, chosen, options)
            elif options.churn:
                churn(report, receivers, loss, options)
            else:
                distribute(report, receivers, loss, options)
