"""
What nodes cost that do nothing: processor, memory, packets and bytes; beside zeroconf and IPv8's broadcasts.

    sh tests/in_namespace.sh python -m bench.idle [--seconds 60] [--json]

Datagrams are what a sniffer on each machine saw it send, by Ethernet frame; `all frames` are the interface's own
count, with ARP, neighbour discovery and IGMP. UDPBroadcastBootstrapper sends more than a sniffer keeps up with: for it
only the interface's count is used. It runs in its namespaces only and for so many seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tribler_multicast.protocol.wire import KIND_NAMES, PREFIX, PREFIXES

from .common import Report, a_lan, main, say
from .others import Other, ipv8_broadcast, zeroconf
from .watch import Watched, nodes_memory, processor_seconds, wake_ups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.lan.packets import Packet
    from tests.lan.testbed import Machine

CPU_LIMIT, MEMORY_LIMIT = 0.5, 80.0
"""Percent of a core and MB asked for."""

MEASURES = {
    "cpu": ("processor", "% of a core", CPU_LIMIT),
    "rss": ("memory (RSS)", "MB", MEMORY_LIMIT),
    "pss": ("memory (PSS)", "MB", None),
    "wake_ups": ("wake-ups", "/s", None),
    "packets": ("datagrams", "/node-minute", None),
    "bytes": ("bytes", "/node-minute", None),
    "frames": ("all frames", "/node-minute", None),
}


def our_node(machine: Machine, name: str) -> Watched:
    """
    Start a node.
    """
    return Watched(machine.node(name, wait=False))


def frames(machine: Machine) -> tuple[int, int]:
    """
    Return frames and bytes that a machine has sent so far, as its interface counts.
    """
    counted = machine.run(["cat", *(f"/sys/class/net/eth0/statistics/tx_{what}" for what in ("packets", "bytes"))])
    packets, size = counted.split()
    return int(packets), int(size)


def kind_of(packet: Packet) -> str:
    """
    Return what a datagram is, for the details.
    """
    if packet.payload.startswith(PREFIXES) and len(packet.payload) > len(PREFIX):
        return KIND_NAMES.get(packet.payload[len(PREFIX)], "unknown")
    return f"port {packet.destination_port}"


def idle(start: Callable[[Machine, str], Watched | Other], count: int, settle: float, seconds: float) -> dict[str, Any]:
    """
    Start so many, wait until they have found each other and settled, then measure. Get averages per node.
    """
    with a_lan() as lan, contextlib.ExitStack() as stack:
        machines = lan.machines(count)
        nodes = []
        for i, machine in enumerate(machines):
            nodes.append(start(machine, f"node-{i}"))
            stack.callback(nodes[-1].stop)
        nodes = [node.join() for node in nodes]
        for node in nodes:
            for other in nodes:
                if node is not other:
                    node.when(other.name)
        for node in nodes:
            if isinstance(node, Watched) and node.events is not None:
                node.events.close()  # nobody looks at an idle node
        time.sleep(settle)
        return measure(machines, [node.pid for node in nodes], seconds)


def measure(machines: Sequence[Machine], pids: Sequence[int], seconds: float) -> dict[str, Any]:
    """
    Measure for so many seconds with nothing asked of the nodes; get averages per node.
    """
    sniffers = [machine.sniff() for machine in machines]
    sent = [frames(machine)[0] for machine in machines]
    cpu, wakes = [processor_seconds(pid) for pid in pids], [wake_ups(pid) for pid in pids]
    begin = time.monotonic()
    time.sleep(seconds)
    cpu = [processor_seconds(pid) - before for pid, before in zip(pids, cpu, strict=True)]
    elapsed = time.monotonic() - begin
    wakes = [wake_ups(pid) - before for pid, before in zip(pids, wakes, strict=True)]
    packets = [packet for sniffer in sniffers for packet in sniffer.stop() if packet.sent]
    sent = [frames(machine)[0] - before for machine, before in zip(machines, sent, strict=True)]
    node_minutes = len(pids) * elapsed / 60
    return {"nodes": len(pids), "seconds": elapsed, "cpu": statistics.fmean(cpu) / elapsed * 100,
            "cpu_most": max(cpu) / elapsed * 100, "wake_ups": statistics.fmean(wakes) / elapsed,
            **nodes_memory(pids), "packets": len(packets) / node_minutes,
            "bytes": sum(packet.size for packet in packets) / node_minutes, "frames": sum(sent) / node_minutes,
            "kinds": {kind: n / node_minutes for kind, n in Counter(map(kind_of, packets)).most_common()}}


def broadcasts(seconds: float) -> dict[str, Any]:
    """
    Run two IPv8 with the UDPBroadcastBootstrapper for so many seconds from their start; get averages per node.
    """
    with a_lan() as lan, contextlib.ExitStack() as stack:
        machines = lan.machines(2)
        before = [frames(machine) for machine in machines]
        begin = time.monotonic()
        nodes = [ipv8_broadcast(machine, f"ipv8-{i}") for i, machine in enumerate(machines)]
        for node in nodes:
            stack.callback(node.stop)
        first = first_burst(machines, [node.join() for node in nodes])
        time.sleep(max(0.0, begin + seconds - time.monotonic()))
        minutes = (time.monotonic() - begin) / 60
        cpu = statistics.fmean(processor_seconds(node.pid) for node in nodes)
        after = [frames(machine) for machine in machines]
        packets, size = (statistics.fmean(late[i] - early[i] for late, early in zip(after, before, strict=True))
                         for i in (0, 1))
        found = [sum(line.startswith("found") for _, line in node.process.lines) for node in nodes]
        return {"nodes": 2, "seconds": minutes * 60, "one_bootstrap": first, "sent": packets, "found": found,
                "packets": packets / minutes, "bytes": size / minutes, "cpu": cpu / minutes / 60 * 100}


def first_burst(machines: Sequence[Machine], nodes: Sequence[Other]) -> float:
    """
    Return how many frames the first of these machines has sent when its node has paused for a while, after a start.
    """
    last = -1
    for _ in range(50):
        now = frames(machines[0])[0]
        if now > len(nodes) * 100 and now - last < 100:
            break
        last = now
        time.sleep(0.3)
    return float(last)


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all in turn.
    """
    report = Report("idle")
    many = options.nodes
    runs = {"ours_2": (our_node, 2), f"ours_{many}": (our_node, many), "zeroconf_2": (zeroconf, 2)}
    for name, (start, count) in runs.items():
        say(f"idle: {name}, {options.seconds:g} s after {options.settle:g} s")
        report.details[name] = idle(start, count, options.settle, options.seconds)
    for count in sorted({2, many}):
        ours = report.details[f"ours_{count}"]
        for name, (what, unit, limit) in MEASURES.items():
            report.row(f"{count} nodes: {what}", ours[name], unit, limit=limit, other="zeroconf, 2",
                       theirs=report.details["zeroconf_2"][name])
    if options.broadcast:
        say(f"idle: IPv8's UDPBroadcastBootstrapper, {options.broadcast:g} s")
        theirs = report.details["ipv8_broadcast_2"] = broadcasts(options.broadcast)
        ours = report.details["ours_2"]
        for name in ("packets", "bytes"):
            what, unit, _ = MEASURES[name]
            report.row(f"2 nodes: {what}", ours[name], unit, other="IPv8 broadcast, from its start",
                       theirs=theirs[name])
        report.row("one bootstrap of UDPBroadcastBootstrapper", theirs["one_bootstrap"], "packets")
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.idle", description="What idle nodes cost.")
    made.add_argument("--seconds", type=float, default=60, help="how long each is measured (default 60)")
    made.add_argument("--nodes", type=int, default=8, help="how many, besides two (default 8)")
    made.add_argument("--settle", type=float, default=15, help="seconds before that (default 15)")
    made.add_argument("--broadcast", type=float, default=60,
                      help="seconds for IPv8's UDPBroadcastBootstrapper, 0 for not at all (default 60)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
