"""
A real Tribler behind a slow gateway: what it uploads steps aside while somebody in the house streams, comes back after
that, and its user's own limits are as they were, whatever happens.
"""
from __future__ import annotations

import base64
import configparser
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.household import LIVE, UP, Bulk, doing, rate, stream, until_back, weather
from tests.lan.node import ROOT, wait_all_local
from tests.lan.uplink import Home

from .host import Tribler, torrent
from .test_anonymous import play
from .test_mixed_lan import OPEN, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lan.node import Node
    from tests.lan.testbed import Lan

libtorrent = pytest.importorskip("libtorrent")

PORT = 32126
"""Of BitTorrent, in a standalone node as it comes, and here in Tribler too."""

SIZE = 60 << 20

UPLINK = 625_000
"""Bytes/s: 5 Mbit/s."""

HEADERS = 1.06
"""What the uplink carries of each byte of a torrent."""

LEFT = (UPLINK - 1.034 * LIVE) / HEADERS
"""What is left beside the stream, as what comes of a torrent."""

CAMERA = 250_000
"""Bytes/s: 2 Mbit/s."""

CONFIG: dict[str, Any] = {"libtorrent": {**OPEN["libtorrent"], "port": PORT}}


@pytest.fixture(scope="module")
def home(house: Lan) -> Home:
    """Set up a home of three machines; the users of all may send echo requests, as on most systems."""
    home = Home(house, 3)
    for machine in (*home.machines, home.server):
        machine.namespace.sysctl(ipv4__tcp_congestion_control="reno")
        home.allow_echo(machine, allowed=True)
    # No names are known here, and to wait for them takes all threads that Tribler reads torrents with.
    home.machines[0].namespace.ip("rule add ipproto udp dport 53 unreachable")
    return home


@pytest.fixture(scope="module")
def tribler(home: Home, start: Callable[..., Tribler]) -> Tribler:
    return start(home.machines[0], "one", config=CONFIG, weather=True)


@pytest.fixture(scope="module")
def nodes(home: Home, tribler: Tribler) -> Iterator[list[Node]]:
    """Start a Tribler that uploads, a standalone node that does too, and one whose user streams."""
    found = [tribler, *(machine.node(weather=True) for machine in home.machines[1:])]
    wait_all_local(found)
    for node in found:
        node.wait_for(lambda node=node: weather(node)["gateway"]["state"] == "clear", 60)
    yield found
    assert not tribler.complaints()


class Leech(Bulk):
    """
    Somebody on the internet who gets a torrent from one of these nodes.
    """

    def __init__(self, stack: ExitStack, home: Home, node: Node, folder: Path) -> None:
        self.way = UP
        folder.mkdir()
        name, content = f"{folder.name}.bin", os.urandom(SIZE)
        file = folder / "content.torrent"
        if isinstance(node, Tribler):
            file.write_bytes(torrent(name, content))
            self.infohash = node.share(name, content)
        else:
            (folder / name).write_bytes(content)
            made = node.rest("POST", "/torrents", {"path": str(folder / name), "output": str(file)})
            self.infohash = made["infohash"]
        node.wait_for(lambda: listed(node).get(self.infohash, {}).get("state") == "seeding", 60, "it is seeded")
        self.command = [
            "env", f"PYTHONPATH={ROOT}", sys.executable, str(ROOT / "tests" / "lan" / "leech.py"),
            str(folder / "got"), str(file), str(node.machine.interfaces["eth0"].ipv4), str(PORT)]
        (folder / "got").mkdir()
        self.begin(stack, home)

    def begin(self, stack: ExitStack, home: Home) -> None:
        """
        Connect, with what there is already.
        """
        self.process = stack.enter_context(subprocess.Popen(home.server.namespace.command(self.command), text=True,
                                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        stack.callback(self.process.stdin.close)
        assert self.process.stdout.readline() == "ready\n"


def percentile(delays: list[float], part: float) -> float:
    delays = sorted(delays)
    return delays[int(part * (len(delays) - 1))]


def delay(node: Node) -> float:
    """Get the milliseconds of queue that a node feels, -1 while it does not know."""
    found = weather(node)["gateway"]["delay_ms"]
    return -1.0 if found is None else float(found)


def said_by_the_command(node: Node) -> str:
    """Get what `weather` prints."""
    return node.machine.run([sys.executable, "-m", "tribler_multicast", "weather", "--state-dir", str(node.state)])


def test_uploads_of_tribler_and_of_a_node_step_aside_for_a_stream_and_come_back(
        home: Home, tribler: Tribler, nodes: list[Node], tmp_path: Path) -> None:
    with ExitStack() as stack:
        bulks = [Leech(stack, home, node, tmp_path / node.name) for node in nodes[:2]]
        for node in nodes[:2]:
            node.wait_for(lambda node=node: node.rest("GET", "/activity")["up"] > 50_000, 30, "it uploads")
        for node in nodes[:2]:
            node.rest("PATCH", "/settings", {"step_aside": False})
        with stream(home, home.machines[2]) as without:
            time.sleep(6)
        for node in nodes[:2]:
            node.rest("PATCH", "/settings", {"step_aside": True})
        # As it comes two that fill the queue hold back when nobody streams, too.
        nodes[1].wait_for(lambda: -1 < delay(nodes[1]) < 100, 30, "they hold back")
        time.sleep(5)
        begun = time.monotonic()
        told, events = tribler.host_events(), [node.events() for node in nodes[:2]]
        nodes[2].rest("PUT", "/activity", {"class": "live", "up": LIVE, "down": 0, "ttl": 60})
        with stream(home, home.machines[2]) as came:
            for node in nodes[:2]:
                node.wait_for(lambda node=node: weather(node)["limit"]["why"] == "live", 15)
                assert "a live stream on this network needs room" in said_by_the_command(node)
            time.sleep(4)
            before = [bulk.got() for bulk in bulks]
            time.sleep(12)
            shares = [(new[1] - old[1]) / (new[0] - old[0])
                      for new, old in zip([bulk.got() for bulk in bulks], before, strict=True)]
        beside = sum(shares)
        for heard in (told, *events):
            assert "uploads" in heard.wait_for("multicast_weather", 5, why="live")[1]["text"]
        nodes[2].rest("PUT", "/activity", {"class": "idle", "ttl": 60})
        took, after = until_back(bulks, 0.95 * UPLINK / HEADERS, 20)
    delays = [took for sent, took in came if sent >= begun + 2]
    print(f"without: {1000 * percentile([took for _, took in without], 0.5):.0f} ms; "
          f"added delay p50 {1000 * percentile(delays, 0.5):.0f}, p95 {1000 * percentile(delays, 0.95):.0f} ms, "
          f"bulk {100 * beside / LEFT:.0f} % of what is left ({[round(s / 1000) for s in shares]} kB/s), "
          f"then {100 * after * HEADERS / UPLINK:.0f} % of all {took:.1f} s after the end")
    assert percentile(delays, 0.95) <= 0.06
    assert beside >= 0.75 * LEFT
    assert after >= 0.95 * UPLINK / HEADERS
    assert took <= 5


def test_what_is_watched_in_tribler_is_told_without_being_declared(nodes: list[Node]) -> None:
    host, other = nodes[0], nodes[2]
    assert isinstance(host, Tribler)
    infohash = host.share("film.mp4", os.urandom(6 << 20))
    host.wait_for(lambda: host.download(infohash).get("progress") == 1, 60, "it is complete")
    player = play(host, infohash)
    other.wait_for(lambda: doing(other, host.mid) == "on_demand", 20, "somebody watches")
    player.close()
    other.wait_for(lambda: doing(other, host.mid) in {"idle", "bulk"}, 60, "nobody does")
    # Not removed: Tribler 8.4.3 closes what was streamed once more after libtorrent let go of it, and answers 500.
    host.api("PATCH", f"/api/downloads/{infohash}", {"state": "stop"})


def stored(tribler: Tribler, infohash: str) -> tuple[int, int]:
    """Get the upload limit of a download as its user set it, and as it was at its handle when Tribler wrote that."""
    config = configparser.ConfigParser()
    config.read(tribler.state / "dlcheckpoints" / f"{infohash}.conf")
    resumed = libtorrent.read_resume_data(base64.b64decode(config["state"]["engineresumedata"]))
    return config["download_defaults"].getint("upload_limit"), resumed.upload_limit


def limit_up(node: Node) -> float | None:
    found: float | None = weather(node)["limit"]["up"]
    return found


@pytest.mark.parametrize("number", [0, 1], ids=["Tribler", "standalone"])
def test_other_programs_of_the_machine_get_room_unless_the_user_says_otherwise(
        home: Home, nodes: list[Node], tmp_path: Path, number: int) -> None:
    node = nodes[number]
    with ExitStack() as stack:
        leech = Leech(stack, home, node, tmp_path / f"beside{number}")
        node.wait_for(lambda: node.rest("GET", "/activity")["up"] > 50_000, 60, "it uploads")
        node.rest("PATCH", "/settings", {"room_for_others": False})
        with stream(home, home.machines[number], mbit=2) as before:  # nobody declares it
            time.sleep(8)
            assert weather(node)["limit"]["why"] != "room"
            node.rest("PATCH", "/settings", {"room_for_others": True})
            node.wait_for(lambda: weather(node)["limit"]["why"] == "room", 30, "room is made")
            assert "another program needs room" in weather(node)["limit"]["text"]
            settled = time.monotonic() + 6
            time.sleep(6)
            beside = rate([leech], 6)
            node.rest("PATCH", "/settings", {"step_aside": False})
            node.wait_for(lambda: weather(node)["limit"]["up"] is None, 10, "at once, without a restart")
            node.rest("PATCH", "/settings", {"step_aside": True})
            node.wait_for(lambda: weather(node)["limit"]["why"] == "room", 30, "and again")
        node.wait_for(lambda: weather(node)["limit"]["why"] != "room", 60, "nobody needs room any more")
    came = [took for sent, took in before if sent >= settled]
    full = [took for sent, took in before if sent < settled - 12]
    print(f"queue p95 {1000 * percentile(full, 0.95):.0f} ms, with room {1000 * percentile(came, 0.95):.0f} ms, "
          f"upload {beside / 1000:.0f} kB/s of {(UPLINK - CAMERA) / 1000:.0f}")
    assert percentile(came, 0.5) < max(0.06, percentile(full, 0.5) / 2)
    assert beside < 1.1 * (UPLINK - CAMERA)


def test_users_own_limit_is_a_ceiling_and_the_same_after_kill_stop_and_without_the_plugin(
        home: Home, nodes: list[Node], start: Callable[..., Tribler], tribler_source: Path, tmp_path: Path) -> None:
    """The last one: this Tribler is no more after it."""
    host, watcher = nodes[0], nodes[2]
    assert isinstance(host, Tribler)
    much, little = 900_000, 30_000
    with ExitStack() as stack:
        leech = Leech(stack, home, host, tmp_path / "kept")
        call = f"/api/downloads/{leech.infohash}"
        host.api("PATCH", call, {"upload_limit": much})
        watcher.rest("PUT", "/activity", {"class": "live", "up": LIVE, "down": 0, "ttl": 300})
        with stream(home, home.machines[2]):
            host.wait_for(lambda: 2 * little < (limit_up(host) or much) < UPLINK - LIVE, 60, "it steps aside")
            host.api("PATCH", call, {"upload_limit": little})
            host.wait_for(lambda: rate([leech], 4) < 1.4 * little, 60, "the user wants less than it may use")
            host.api("PATCH", call, {"upload_limit": much})
            host.wait_for(lambda: rate([leech], 4) > 1.6 * little, 90, "and more again")
            host.api("PATCH", call, {"state": "move_storage", "dest_dir": str(host.saved)})  # has it written
            host.wait_for(lambda: 0 < stored(host, leech.infohash)[1] < UPLINK, 20, "ours is in what Tribler keeps")
            assert stored(host, leech.infohash)[0] == much
            host.kill()
        assert host.configuration["libtorrent"]["max_upload_rate"] == 0
    for plugin in (False, True):
        again = start(home.machines[0], host.name, **({"weather": True} if plugin else
                                                      {"plain": True, "tree": tribler_source}))
        again.wait_for(lambda again=again: again.download(leech.infohash).get("progress") == 1, 60, "it is back")
        if plugin:
            with ExitStack() as stack:
                leech.begin(stack, home)
                again.wait_for(lambda again=again: limit_up(again) is not None, 60, "it steps aside again")
                again.shutdown()
        else:
            again.shutdown()
        assert stored(again, leech.infohash) == (much, much)
        assert again.configuration["libtorrent"]["max_upload_rate"] == 0
    watcher.rest("PUT", "/activity", {"class": "idle", "ttl": 1})
