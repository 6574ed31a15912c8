"""The weather of real nodes behind a real gateway: who is told, who steps aside, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import OVERHEAD, Kind
from tribler_multicast.weather.summary import FIELDS

from .node import wait_all_local
from .testbed import ROOT
from .uplink import SERVER, Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .node import Node
    from .testbed import Lan, Machine

LIVE = 375_000
"""Bytes/s of a stream of 3 Mbit/s."""
STREAM = str(ROOT / "tests" / "lan" / "live_stream.py")


def weather(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.rest("GET", "/weather")
    return found


def doing(node: Node, mid: str) -> str | None:
    return next((each["activity"] for each in weather(node)["nodes"] if each["mid"] == mid), None)


def test_activity_is_seen_by_the_others_and_names_nothing(lan: Lan) -> None:
    home = Home(lan, 2)
    sniffer = home.machines[1].sniff()
    first, second = (machine.node(weather=True) for machine in home.machines)
    wait_all_local([first, second])
    mid = second.status()["mid"]
    second.rest("PUT", "/activity", {"class": "live", "down": LIVE, "ttl": 60})
    first.wait_for(lambda: doing(first, mid) == "live", 10)
    peer = first.peer(second)
    assert peer["activity"] == "live"
    assert peer["down"] == pytest.approx(LIVE, rel=0.06)
    second.rest("PUT", "/activity", {"class": "idle", "ttl": 60})
    first.wait_for(lambda: doing(first, mid) == "idle", 10)
    second.kill()
    first.wait_for(lambda: doing(first, mid) is None, 30)
    assert first.rest("GET", "/weather/history")["history"]
    said = sniffer.select(lambda packet: packet.payload[22:23] == bytes((Kind.WEATHER,)))
    assert said
    assert {len(packet.payload) for packet in said} == {OVERHEAD + FIELDS.size}


def test_gateway_is_found_and_shown(lan: Lan) -> None:
    home = Home(lan, 1)
    node = home.machines[0].node(weather=True)
    node.wait_for(lambda: weather(node)["gateway"]["state"] == "clear", 30)
    found = weather(node)
    assert found["gateway"]["delay_ms"] < 30
    assert found["own_link"]["state"] in {"clear", "unsteady"}
    assert found["limit"] == {"up": None, "down": None, "why": None, "text": None}


def test_node_without_a_gateway_says_unknown(lan: Lan) -> None:
    [machine] = lan.machines(1)
    node = machine.node(weather=True)
    assert weather(node)["gateway"]["state"] == "unknown"
    assert weather(node)["gateway"]["delay_ms"] is None


class Bulk:
    """
    Somebody on the internet who gets a torrent from a node.
    """

    def __init__(self, stack: ExitStack, home: Home, node: Node, machine: Machine, folder: Path, *, utp: bool) -> None:
        folder.mkdir()
        content = folder / "content"
        content.write_bytes(os.urandom(100 << 20))
        made = node.rest("POST", "/torrents", {"path": str(content), "output": str(folder / "content.torrent")})
        command = ["env", f"PYTHONPATH={ROOT}", f"UTP={int(utp)}", sys.executable,
                   str(ROOT / "tests" / "lan" / "leech.py"), str(folder / "got"), made["file"],
                   str(machine.interfaces["eth0"].ipv4), "32126"]
        (folder / "got").mkdir()
        self.process = stack.enter_context(subprocess.Popen(home.server.namespace.command(command), text=True,
                                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        stack.callback(self.process.stdin.close)
        assert self.process.stdout.readline() == "ready\n"

    def got(self) -> tuple[float, int]:
        """
        Get the time, and the bytes that came so far.
        """
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return said["time"], said["down"]


def rate(bulks: list[Bulk], seconds: float) -> float:
    """
    Measure what all get together, bytes/s.
    """
    before = [bulk.got() for bulk in bulks]
    time.sleep(seconds)
    after = [bulk.got() for bulk in bulks]
    return sum((new[1] - old[1]) / (new[0] - old[0]) for new, old in zip(after, before, strict=True))


@contextmanager
def stream(home: Home, machine: Machine, mbit: float = 3) -> Iterator[list[tuple[float, float]]]:
    """
    Send a live stream up, and get at its end when each packet was sent, and how long it took.
    """
    came: list[tuple[float, float]] = []
    with subprocess.Popen(home.server.namespace.command([sys.executable, STREAM, "receive", "5004"]), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        sender = machine.popen([sys.executable, STREAM, "send", SERVER, "5004", str(mbit)])
        try:
            yield came
        finally:
            sender.end()
            said, _ = receiver.communicate(timeout=30)
            came += [tuple(each) for each in json.loads(said)]


@pytest.mark.soak
@pytest.mark.parametrize("utp", [False, True], ids=["TCP", "uTP"])
def test_two_nodes_that_upload_step_aside_for_a_stream_of_a_third(lan: Lan, tmp_path: Path, utp: bool) -> None:
    home = Home(lan, 3)
    for machine in (*home.machines, home.server):
        machine.namespace.sysctl(ipv4__tcp_congestion_control="reno")
        home.allow_echo(machine, allowed=True)
    nodes = [machine.node(weather=True) for machine in home.machines]
    wait_all_local(nodes)
    time.sleep(6)  # the empty way is seen
    with ExitStack() as stack:
        bulks = [Bulk(stack, home, nodes[number], home.machines[number], tmp_path / str(number), utp=utp)
                 for number in range(2)]
        time.sleep(6)
        begun = time.monotonic()
        nodes[2].rest("PUT", "/activity", {"class": "live", "up": LIVE, "down": 0, "ttl": 60})
        with stream(home, home.machines[2]) as came:
            time.sleep(4)
            beside = rate(bulks, 16)
            assert weather(nodes[0])["limit"]["why"] == "live"
        nodes[2].rest("PUT", "/activity", {"class": "idle", "ttl": 60})
        time.sleep(3)
        after = rate(bulks, 4)
        for node in nodes[:2]:
            node.rest("PATCH", "/settings", {"step_aside": False})
            node.wait_for(lambda node=node: weather(node)["limit"]["up"] is None, 10)
    delays = sorted(delay for sent, delay in came if sent >= begun + 2)
    late = delays[int(0.95 * (len(delays) - 1))]
    print(f"\nqueue p95 {1000 * late:.0f} ms, bulk {beside / 1000:.0f} kB/s of 250, then {after / 1000:.0f} of 600")
    assert late <= 0.15
    assert beside >= 0.6 * 250_000
    assert after >= 0.5 * 600_000
