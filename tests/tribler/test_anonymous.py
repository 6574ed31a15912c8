"""
An anonymous download beside an open one, while every kind of message there is goes out: its name, its infohash and its
rates are in no frame that leaves the machine, and in no answer.

Tribler gives a download with hops no rate where there are no exit nodes. So here it says one that could be real.
"""
from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.namespaces import why_no_loss
from tests.lan.node import RestError
from tests.lan.streaming import Feeder, Player
from tribler_multicast.protocol.wire import PREFIXES, TRAIN_PACKET, Kind

from .capture import Capture, traces
from .test_privacy import IPV8_PORT, spied, strangers, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lan.node import Node
    from tests.lan.processes import Process
    from tests.lan.testbed import Lan, Machine

    from .host import Tribler

__all__ = ["strangers"]

RATE = 7_654_321
"""Bytes/s both ways that an anonymous download says it has."""

SLOW = 150_000
"""Bytes/s that the open one may send."""

WRITTEN_RATE = [written for rate in (RATE, 2 * RATE)
                for written in (str(rate).encode(), *(struct.pack(form, rate) for form in (">I", "<I", ">d", "<d")))]


def with_a_rate(tree: Path) -> Path:
    """Let a tree's anonymous downloads have a rate."""
    file = tree / "src" / "tribler" / "core" / "libtorrent" / "download_manager" / "download_state.py"
    before, name, rates = file.read_text().partition("    def get_current_speed(")
    begin = "        if not self.lt_status or self.get_status() not in ["
    assert rates.count(begin) >= 2  # get_current_speed and get_current_payload_speed
    stand_in = f"        if self.download.config.get_hops() > 0:\n            return {RATE}\n{begin}"
    file.write_text(before + name + rates.replace(begin, stand_in, 2))
    return tree


COOPERATION = {Kind.MEMBERS, Kind.HELP, Kind.HAVE, Kind.SUMS, Kind.ALARM}


def kinds(capture: Capture) -> set[int]:
    return {payload[22] for payload in capture.datagrams() if payload.startswith(PREFIXES)}


def handshake(machine: Machine, address: tuple[str, int], infohash: str) -> bytes:
    """Greet a BitTorrent client (BEP 3); return what it says to that."""
    with machine.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
        peer.settimeout(5)
        peer.connect(address)
        peer.sendall(b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(infohash) + b"-XX0001-" + os.urandom(12))
        try:
            return peer.recv(1000)
        except ConnectionError:
            return b""


def play(tribler: Tribler, infohash: str) -> Any:  # noqa: ANN401
    connection = tribler.connection(timeout=20)
    connection.request("GET", f"/api/downloads/{infohash}/stream/0", headers=tribler.headers)
    return connection


class Told:
    """All that neighbours are told, in the clear: the answers of their own REST, which open what is sealed for them."""

    def __init__(self, *neighbours: Node) -> None:
        self.neighbours = neighbours
        self.text: list[str] = []
        self.events = [one.events() for one in neighbours]

    def look(self, *words: str) -> None:
        calls = [f"/search?query={word}&timeout=1" for word in words]
        for one in self.neighbours:
            for call in (*calls, "/streams", "/peers", "/announcements", "/friends", "/status", "/weather",
                         "/weather/history"):
                self.text.append(json.dumps(one.rest("GET", call), ensure_ascii=False))

    def found(self, wanted: list[bytes]) -> list[bytes]:
        events = [json.dumps(each.received, ensure_ascii=False) for each in self.events]
        text = "\n".join(self.text + events).lower().encode()
        return [each for each in wanted if each in text]


def provoke(b: Tribler, a: Tribler, node: Node, capture: Capture) -> None:
    """Have one say what it says to neighbours who are there, with some loss, which makes it ask again."""
    b.rest("POST", "/announcements", {"values": ["hello", "x" * 20_000]})
    for one in (b, a):
        one.rest("POST", "/ping", {"count": 2})
        one.rest("POST", "/discover", {"timeout": 0.5})
        one.rest("GET", "/search?query=opentoall")
        with pytest.raises(RestError, match="shares no such file"):
            one.rest("POST", "/downloads", {"file_id": "ab" * 32, "peer": (a if one is b else b).mid})
    b.rest("PUT", f"/friends/{node.mid}")
    b.rest("POST", "/ping", {"count": 1, "throughput": True})
    time.sleep(3.5)  # the pause between two measurements
    a.rest("POST", "/ping", {"count": 1, "throughput": True})
    b.machine.lose(60)
    for _ in range(10):
        node.rest("POST", "/announcements", {"values": ["y" * 60_000]})
        time.sleep(1)
        if Kind.ASK in kinds(capture):
            break
    b.machine.lose(0)


def fetch(one: Node, content_id: str, output: Path, **more: object) -> str:
    """Have a node fetch a content; return where its REST tells how far it is."""
    got = one.rest("POST", "/transfers", {"content_id": content_id, "output": str(output), **more})
    return f"/transfers/{got['id']}"


def is_so(one: Node, call: str, name: str, value: object) -> bool:
    """Look whether a call's answer has this in it."""
    return bool(one.rest("GET", call)[name] == value)


def receive_any(machine: Machine, state: Path, output: Path) -> None:
    """Receive the first thing that anybody offers, with a node for that alone."""
    machine.run([sys.executable, "-m", "tribler_multicast", "receive", "--any", "--output", str(output),
                 "--state-dir", str(state)], timeout=60)


def content_traces(*content_ids: str) -> list[bytes]:
    """All ways in which content ids could be written."""
    return [each for content_id in content_ids for each in traces(content_id)]


def provoke_transfers(b: Tribler, node: Node, folder: Path) -> list[bytes]:
    """Have one send and receive coded, refuse, ask for offers, and end early; return what tells of the contents."""
    content = {name: os.urandom(2_000_000) for name in ("coded-of-b.mkv", "coded-of-tv.mkv")}
    for name, data in content.items():
        (folder / name).write_bytes(data)
    ours, theirs = (one.rest("POST", "/publications", {"path": str(folder / name)})["content_id"]
                    for one, name in zip((b, node), content, strict=True))
    (folder / "at-tv").mkdir()
    (folder / "at-b").mkdir()
    for one, content_id, name in ((node, ours, "at-tv/coded-of-b.mkv"), (b, theirs, "at-b/coded-of-tv.mkv")):
        call = fetch(one, content_id, folder / name)
        one.wait_for(partial(is_so, one, call, "state", "done"), 90, name)
        assert (folder / name).read_bytes() == content[Path(name).name]
    assert node.rest("GET", fetch(node, "ab" * 32, folder / "nothing"))["state"] == "waiting"
    for machine, name in ((node.machine, "any-near-tv"), (b.machine, "any-near-b")):
        receive_any(machine, folder / f"{name}-state", folder / name)
        assert (folder / name).read_bytes() in content.values()
    (folder / "coded-slow.mkv").write_bytes(os.urandom(3_000_000))
    slow = b.rest("POST", "/publications", {"path": str(folder / "coded-slow.mkv")})["content_id"]
    call = fetch(node, slow, folder / "slow", rate=100_000)
    node.wait_for(lambda: node.rest("GET", call)["progress"] > 0, 30, "the slow one has begun")
    b.rest("DELETE", f"/publications/{slow}")
    return [*content_traces(ours, theirs, slow), b"coded-of-b", b"coded-of-tv", b"coded-slow"]


def provoke_cooperation(b: Tribler, a: Tribler, node: Node, capture: Capture, folder: Path) -> list[bytes]:
    """
    Have one receive together with another one, with some loss, and send to both, all of them checking each packet;
    return what tells of the contents.
    """
    found: list[bytes] = []
    for one in (b, a, node):
        one.rest("PATCH", "/settings", {"untrusted": "everyone"})
    for number in range(8):
        source, receivers = ((node, (a, b)), (b, (a, node)))[number % 2]
        name = f"coded-together-{number}.mkv"
        (folder / name).write_bytes(os.urandom(4_000_000))
        content_id = source.rest("POST", "/publications", {"path": str(folder / name)})["content_id"]
        found += content_traces(content_id)
        losing = receivers[1].machine
        losing.lose(20)
        calls = [(one, fetch(one, content_id, folder / f"{one.name}-{name}")) for one in receivers]
        for one, call in calls:
            one.wait_for(partial(is_so, one, call, "state", "done"), 240, name)
        losing.lose(0)
        if number and kinds(capture) >= COOPERATION:
            break
    return [*found, b"coded-together"]


def wait_listed(viewer: Node, stream_id: str) -> None:
    """Wait until a node knows of a stream."""
    viewer.wait_for(lambda: stream_id in {
        each["stream_id"] for each in viewer.rest("GET", "/streams?timeout=0.5")["streams"]}, 30, "it is listed")


def provoke_streams(b: Tribler, a: Tribler, node: Node) -> None:
    """Have one stream live, and play what another one streams, with some loss, until both leave."""
    for source, viewers in ((b, (a, node)), (node, (b, a))):
        feeder = Feeder(source, f"stream-of-{source.name}", 200_000)
        players = []
        for viewer in viewers:
            wait_listed(viewer, feeder.stream_id)
            players.append(Player(viewer, feeder.stream_id))
        viewers[0].machine.lose(10)
        for player, viewer in zip(players, viewers, strict=True):
            viewer.wait_for(lambda player=player: len(player.delays) > 100, 60, "it plays")  # type: ignore[misc]
        viewers[0].machine.lose(0)
        feeder.stop()
        for player in players:
            player.wait()
            assert player.wrong == 0


def announce(machine: Machine, infohash: str, port: int) -> bytes:
    """Be a client on a machine that announces itself to the tracker there; return what it is told."""
    named = "".join(f"%{infohash[at:at + 2]}" for at in range(0, 40, 2))
    with machine.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", 6969))
        client.sendall(f"GET /announce?info_hash={named}&peer_id=-XX0001-aaaaaaaaaaaa&port={port}&left=1&compact=1 "
                       "HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(4096), b"")).partition(b"\r\n\r\n")[2]


def provoke_swarms(b: Tribler, node: Node, shown: str, hidden: str) -> None:
    """Have trackers ask both ways for an open torrent and a hidden one; the hidden one is told of to nobody."""
    for one in (b, node):
        one.rest("PATCH", "/settings", {"tracker_enabled": True})
        wait_for(lambda: one.rest("GET", "/tracker")["url"], 10, "the tracker is there")  # noqa: B023
    announce(b.machine, shown, 1)
    address = socket.inet_aton(str(b.machine.interfaces["eth0"].ipv4))
    wait_for(lambda: address in announce(node.machine, shown, 2), 30, "b tells of the open one")
    assert address not in announce(node.machine, hidden, 2)


def provoke_newcomers(b: Tribler, house: Lan, capture: Capture) -> None:
    """Have it challenge newcomers, who ask some of those who are there for pages, and ask so as a newcomer itself."""
    for number in range(10):
        if {Kind.PAGE, Kind.CHALLENGE, Kind.CONFIRM} <= kinds(capture):
            break
        house.machine().node(f"guest{number}", introduction_interval=60).wait_local(b)
        time.sleep(3)
    b.rest("PATCH", "/settings", {"enabled": False})
    b.rest("PATCH", "/settings", {"enabled": True})
    wait_for(lambda: Kind.PULL in kinds(capture), 10, "it asks for pages")


def test_nothing_of_an_anonymous_download_is_in_a_full_capture_and_in_no_answer(
        start: Callable[..., Tribler], house: Lan, strangers: Callable[..., Process], copied_tree: Path,
        tmp_path: Path) -> None:
    if reason := why_no_loss():
        pytest.skip(reason)
    a = start(house.machine(), "a", introduction_interval=60, weather=True, config={"libtorrent": {"utp": False}})
    node = house.machine().node("tv", introduction_interval=60, weather=True)
    machine = house.machine()
    machine.shape(100)
    # A gateway, which it takes to speak of the weather and to hear of it; it leads nowhere, and knows no names.
    for each in (machine, a.machine):
        each.namespace.ip(f"route add default via {node.machine.interfaces['eth0'].ipv4}",
                          "rule add ipproto udp dport 53 unreachable")
    capture = Capture(machine)
    address = machine.interfaces["eth0"].ipv4
    assert address is not None
    b = start(machine, "b", tree=with_a_rate(copied_tree), weather=True)
    for one in (a, node):
        b.wait_local(one)
        one.wait_local(b)
    told = Told(a, node)

    # Anonymous ones alone: one stays, one is removed.
    hidden_name, removed_name = "nobodysbusiness-åéß.mp4", "nobodysformerbusiness.mp4"
    hidden, removed = (b.share(name, os.urandom(3_000_000), hops=1) for name in (hidden_name, removed_name))
    secrets = traces(hidden, hidden_name, "nobodysbusiness") + traces(removed, removed_name, "nobodysformerbusiness")
    wait_for(lambda: {hidden, removed} <= set(b.known_torrents()), 10, "b knows them itself")
    wait_for(lambda: b.download(hidden).get("progress") == 1, 20, "it is complete")
    assert b.download(hidden)["speed_up"] == RATE  # what stands in for a rate does
    connections = [play(b, hidden)]
    time.sleep(1)
    quiet = b.rest("GET", "/activity")
    assert (quiet["class"], quiet["up"], quiet["down"]) == ("idle", 0, 0)
    words = "nobodysbusiness", "nobodysformerbusiness", "mp4"
    told.look(*words)

    # An open one beside them, and its rate.
    shown = b.share("opentoall.mp4", os.urandom(6_000_000))
    b.api("PATCH", f"/api/downloads/{shown}", {"upload_limit": SLOW})
    a.wait_for(lambda: "torrents" in a.peer(b)["capabilities"], 30, "b takes connections")
    a.rest("POST", "/downloads", {"infohash": shown, "peer": b.mid})
    seen: list[dict[str, Any]] = []

    def is_sending() -> bool:
        seen.append(b.rest("GET", "/activity"))
        return bool(seen[-1]["up"] > SLOW / 3)

    wait_for(is_sending, 90, "the rate of the open one is shown")
    assert seen[-1]["class"] == "bulk"
    assert all(each["up"] < 3 * SLOW and each["down"] < 3 * SLOW for each in seen)
    [port] = {peer["port"] for peer in a.download(shown)["peers"] if peer["ip"] == address}
    connections.append(play(b, shown))
    wait_for(lambda: b.rest("GET", "/activity")["class"] == "on_demand", 5, "the open stream counts")
    wait_for(lambda: [each["infohash"] for each in a.rest("GET", "/streams")["streams"]] == [shown], 5, "it is listed")
    told.look("opentoall", *words)
    assert told.found([b"opentoall"])
    for change in ({"class": "idle", "ttl": 1}, {"class": "live", "up": 1.0, "down": 2.0, "ttl": 1}):
        answer = b.rest("PUT", "/activity", change)
        assert (answer["up"] or 0) + (answer["down"] or 0) < 6 * SLOW
    said = [node for node in a.rest("GET", "/weather")["nodes"] if node["mid"] == b.mid]
    assert said
    assert all((each[way] or 0) < 6 * SLOW for each in [*a.peers().values(), *said] for way in ("up", "down"))

    provoke(b, a, node, capture)
    contents = [*provoke_transfers(b, node, tmp_path), *provoke_cooperation(b, a, node, capture, tmp_path)]
    provoke_streams(b, a, node)
    told.look("coded", *words)
    assert told.found([b"coded-of-b.mkv"])
    provoke_swarms(b, node, shown, hidden)
    a.api("PUT", "/api/search/remote?fts_text=nobodysbusiness&metadata_type=300")
    assert handshake(node.machine, (address, port), hidden) == b""
    assert bytes.fromhex(shown) in handshake(node.machine, (address, port), shown)
    spy = spied(strangers(house.machine(), "spy", address, str(IPV8_PORT), hidden, "nobodysbusiness"))
    assert {"select", "version", "health"} <= set(spy["answers"])
    assert (spy["names"], spy["leaks"]) == (["select"], [])
    for connection in connections:
        connection.close()
    b.api("DELETE", f"/api/downloads/{removed}", {"remove_data": False})
    wait_for(lambda: b.download(removed) == {}, 5, "it is removed")
    told.look("opentoall", *words)
    provoke_newcomers(b, house, capture)
    b.wait_local(a)
    member = house.machine().node("member", weather=True, group_passphrase="a passphrase that is fine")
    inside = Told(member)
    b.rest("PATCH", "/settings", {"group_passphrase": "a passphrase that is fine"})
    member.wait_local(b)
    inside.look("opentoall", *words)
    assert shown in inside.text[0]
    b.shutdown()
    capture.stop()

    names = {int(kind): kind.name for kind in Kind} | {TRAIN_PACKET: "TRAIN_PACKET"}
    assert {names[kind] for kind in set(names) - kinds(capture)} == set()
    streams = capture.streams()
    print(f"{len(capture.frames)} frames, {sum(map(len, capture.frames)) / 1e6:.1f} MB, {len(streams)} TCP streams, "
          f"{len(kinds(capture))} kinds of ours, {len(capture.datagrams(IPV8_PORT))} datagrams of Tribler's overlays")
    assert sum(map(len, streams.values())) > 1_000_000  # BitTorrent is in it
    assert capture.found([b"\x13bittorrent protocol"])
    assert {frame[12:14] for frame in capture.frames} >= {b"\x08\x00", b"\x86\xdd"}  # both families are
    assert capture.found(secrets) == []
    assert capture.found(contents) == []  # told to those who asked, and not to who listens
    assert told.found(secrets) == inside.found(secrets) == []
    assert told.found([str(RATE).encode()]) == inside.found([str(RATE).encode()]) == []
    overlays = [payload for payload in capture.datagrams() if payload[:1] == b"\x00"]
    assert not [payload for payload in overlays if any(rate in payload for rate in WRITTEN_RATE)]
    assert not {hidden, removed} & set(a.known_torrents())
    assert not a.complaints()
    assert not b.complaints()
    a.shutdown()
