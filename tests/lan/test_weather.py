"""The weather of real nodes behind a real gateway: who is told, who steps aside, and that nothing of it stays."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.lan.probes import NOWHERE
from tribler_multicast.protocol.wire import OVERHEAD, PREFIXES, Kind
from tribler_multicast.weather.summary import FIELDS

from .household import DOWN, LIVE, UP, Bulk, Seen, delay, doing, prepare, rate, stalls, stream, until_back, weather
from .node import wait_all_local
from .uplink import Home

if TYPE_CHECKING:
    from pathlib import Path

    from .node import Node
    from .testbed import Lan, Machine

RATES = {UP: 5, DOWN: 20}
"""Mbit/s of the gateway."""
HEADERS = {UP: 1.06, DOWN: 1.0}
"""What the gateway carries for each byte that is counted: of the torrent, or on the wire."""


BLOCK = "chain {0} {{\n type filter hook {0} priority 0;\n ip protocol icmp drop;\n}}\n"
NO_ICMP = {"nothing": f"table ip blocks {{\n{BLOCK.format('output')}{BLOCK.format('forward')}}}\n",
           "the gateway only": f"table ip blocks {{\n{BLOCK.format('forward')}}}\n"}
"""Rules of a gateway that lets such answers pass."""


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


def test_nothing_goes_beyond_the_routers_behind_the_gateway(lan: Lan) -> None:
    """Idle and with load: no packet of a node passes the fourth router."""
    home = Home(lan, 2)
    prepare(home)
    sniffer = home.gateway.sniff("out")
    nodes = [machine.node(weather=True) for machine in home.machines]
    wait_all_local(nodes)
    nodes[0].rest("PUT", "/activity", {"class": "live", "up": LIVE, "ttl": 60})
    nodes[0].wait_for(lambda: weather(nodes[0])["gateway"]["state"] == "clear", 30)
    nodes[1].wait_for(lambda: doing(nodes[1], nodes[0].mid) == "live", 10)
    went = sniffer.select(lambda packet: packet.sent)
    assert went  # probes
    assert max(packet.hop_limit for packet in went) <= 3  # one hop was the gateway
    assert {packet.destination for packet in went} == {NOWHERE}
    names, values = [line.split()[1:] for line in home.server.run(["cat", "/proc/net/snmp"]).splitlines()
                     if line.startswith("Icmp:")]
    assert int(values[names.index("InEchos")]) == 0


def test_who_only_listens_steps_aside_and_says_nothing(lan: Lan, tmp_path: Path) -> None:
    home = Home(lan, 2)
    prepare(home)
    sniffer = home.machines[0].sniff()
    listener = home.machines[0].node(weather=True, visibility="listen")
    viewer = home.machines[1].node(weather=True)
    for node in (listener, viewer):
        node.wait_for(lambda node=node: weather(node)["gateway"]["state"] == "clear", 30)
    assert not viewer.peers()
    with ExitStack() as stack:
        bulk = Bulk(stack, home, listener, home.machines[0], tmp_path / "bulk", size=20)
        listener.wait_for(lambda: weather(listener)["gateway"]["delay_ms"] > 100, 30, "it fills the queue")
        viewer.rest("PUT", "/activity", {"class": "live", "up": LIVE, "ttl": 60})
        with stream(home, home.machines[1]) as came:
            listener.wait_for(lambda: weather(listener)["limit"]["why"] == "live", 10)
            settled = time.monotonic() + 3
            time.sleep(6)
            beside = rate([bulk], 3)
    assert doing(listener, viewer.mid) == "live"
    assert delay(came, 0.5, settled) <= 0.3  # a second without
    assert beside <= 0.5 * RATES[UP] * 125_000
    assert not listener.peers()
    assert not sniffer.select(lambda packet: packet.sent and packet.payload.startswith(PREFIXES))


@pytest.mark.parametrize("hears", ["nothing", pytest.param("the gateway only", marks=pytest.mark.soak)])
def test_where_no_answer_comes_nothing_is_claimed_and_nothing_limited(lan: Lan, tmp_path: Path, hears: str) -> None:
    """ICMP is blocked: the node says that it does not know, however full the gateway is, and yields to nobody."""
    home = Home(lan, 2)
    prepare(home, echo=False)
    home.gateway.run(["nft", "-f", "-"], stdin=NO_ICMP[hears])
    nodes = [machine.node(weather=True) for machine in home.machines]
    wait_all_local(nodes)
    uploader, viewer = nodes
    viewer.rest("PUT", "/activity", {"class": "live", "up": LIVE, "ttl": 60})
    uploader.wait_for(lambda: doing(uploader, viewer.mid) == "live", 10)
    with ExitStack() as stack:
        bulk = Bulk(stack, home, uploader, home.machines[0], tmp_path / "bulk", size=20)
        bulk.got()
        uploader.wait_for(lambda: uploader.rest("GET", "/activity")["up"] > 0.5 * RATES[UP] * 125_000, 30)
        for _ in range(20):
            time.sleep(0.25)
            seen = weather(uploader)
            gateway, limit = seen["gateway"], seen["limit"]
            assert (gateway["state"], gateway["delay_ms"], limit["up"]) == ("unknown", None, None)
    own = weather(uploader)["own_link"]["state"]
    assert own == "unknown" if hears == "nothing" else own != "unknown"


class Evening:
    """
    Nodes that move bulk, and one that watches.
    """

    def __init__(self, lan: Lan, folder: Path, way: str, *, utp: bool, size: int) -> None:
        """
        Let two nodes move bulk that way, after they saw the way empty.
        """
        self.way = way
        self.home = Home(lan, 3)
        prepare(self.home)
        self.nodes = [machine.node(weather=True) for machine in self.home.machines]
        wait_all_local(self.nodes)
        for node in self.nodes:
            node.wait_for(lambda node=node: weather(node)["gateway"]["state"] == "clear", 30)
        time.sleep(5)  # the empty way is seen a few times
        self.stack = ExitStack()
        self.bulks = [Bulk(self.stack, self.home, self.nodes[number], self.home.machines[number],
                           folder / str(number), utp=utp, way=way, size=size) for number in range(2)]
        self.capacity = RATES[way] * 125_000

    @property
    def left(self) -> float:
        """
        What is left beside the stream, as bulk is counted.
        """
        return (self.capacity - 1.034 * LIVE) / HEADERS[self.way]

    def watch(self, seconds: float) -> tuple[Seen, float, float]:
        """
        Watch so long; get what came, when it began, and what bulk got from the fourth second on.
        """
        begun = time.monotonic()
        self.nodes[2].rest("PUT", "/activity", {"class": "live", self.way: LIVE, "ttl": 60})
        with stream(self.home, self.home.machines[2], self.way) as came:
            time.sleep(4)
            beside = rate(self.bulks, seconds - 4)
        return came, begun, beside


def test_two_nodes_that_upload_step_aside_for_a_stream_and_come_back(lan: Lan, tmp_path: Path) -> None:
    """The short form of what follows below: with bounds that a busy machine keeps too."""
    evening = Evening(lan, tmp_path, UP, utp=False, size=20)
    with evening.stack:
        evening.nodes[0].wait_for(lambda: weather(evening.nodes[0])["limit"]["up"] is not None, 20)
        came, begun, beside = evening.watch(9)
        assert weather(evening.nodes[0])["limit"]["why"] == "live"
        evening.nodes[2].rest("PUT", "/activity", {"class": "idle", "ttl": 60})
        _, back = until_back(evening.bulks, 0.8 * evening.capacity / HEADERS[UP], 20)
    assert delay(came, 0.5, begun + 2) <= 0.3  # a second without
    assert 0.3 * evening.left <= beside <= 1.1 * evening.left
    assert back >= 0.8 * evening.capacity / HEADERS[UP]


def users_limits(node: Node, infohash: str) -> dict[str, object]:
    """
    Get all limits that the user set: of one torrent, and of all.
    """
    [torrent] = [each for each in node.rest("GET", "/downloads")["downloads"] if each["infohash"] == infohash]
    settings = {each["name"]: each["value"] for each in node.rest("GET", "/settings")["settings"]}
    return {**{name: torrent[name] for name in ("up_limit", "down_limit")},
            **{name: settings[name] for name in ("upload_rate", "download_rate")}}


@pytest.mark.soak
@pytest.mark.parametrize("ends", ["kill -9", "stop"])
def test_limits_are_as_the_user_set_them_after_the_node_ended_while_it_stepped_aside(
        lan: Lan, tmp_path: Path, ends: str) -> None:
    home = Home(lan, 2)
    prepare(home)
    state, of_torrent, of_all, crowded = tmp_path / "state", 300_000, 400_000, 4.5

    def start(**options: bool) -> Node:
        return home.machines[0].node("uploader", state=state, **options)

    node, viewer = start(weather=True), home.machines[1].node(weather=True)
    wait_all_local([node, viewer])
    with ExitStack() as stack:
        bulk = Bulk(stack, home, node, home.machines[0], tmp_path / "bulk", size=60)
        [infohash] = [each["infohash"] for each in node.rest("GET", "/downloads")["downloads"]]
        node.rest("PATCH", "/settings", {"upload_rate": of_all, "download_rate": 2 * of_all})
        node.rest("PATCH", f"/downloads/{infohash}", {"up": of_torrent, "down": 2 * of_torrent})
        wanted = users_limits(node, infohash)
        assert wanted == {"up_limit": of_torrent, "down_limit": 2 * of_torrent, "upload_rate": of_all,
                          "download_rate": 2 * of_all}
        node.wait_for(lambda: 0.7 * of_torrent < rate([bulk], 2) < 1.1 * of_torrent, 40, "as the user wants it")
        viewer.rest("PUT", "/activity", {"class": "live", "up": crowded * 125_000, "ttl": 60})
        with stream(home, home.machines[1], mbit=crowded):
            node.wait_for(lambda: (weather(node)["limit"]["up"] or of_all) < of_torrent / 2, 30, "it steps aside")
            node.wait_for(lambda: rate([bulk], 2) < of_torrent / 2, 30, "it is felt")
            assert users_limits(node, infohash) == wanted
            if ends == "stop":
                node.stop()
            else:
                node.kill()
        viewer.rest("PUT", "/activity", {"class": "idle", "ttl": 60})
    for number, options in enumerate(({"weather": False}, {"weather": True})):
        node = start(**options)
        node.wait_for(lambda node=node: any(each["infohash"] == infohash and each["state"] == "seeding"
                                            for each in node.rest("GET", "/downloads")["downloads"]), 30)
        assert users_limits(node, infohash) == wanted
        with ExitStack() as stack:
            again = bulk.again(stack, home, tmp_path / f"again{number}")
            node.wait_for(lambda again=again: 0.7 * of_torrent < rate([again], 2) < 1.1 * of_torrent, 40, "as before")
        node.stop()


@pytest.mark.soak
@pytest.mark.parametrize("utp", [False, True], ids=["TCP", "uTP"])
@pytest.mark.parametrize("way", [UP, DOWN])
@pytest.mark.parametrize("crashes", [False, True], ids=["ends", "crashes"])
def test_bulk_steps_aside_for_a_stream_of_a_third(lan: Lan, tmp_path: Path, way: str, utp: bool, crashes: bool
                                                  ) -> None:
    evening = Evening(lan, tmp_path, way, utp=utp, size=60 if way == UP else 300)
    with evening.stack:
        time.sleep(9)
        came, begun, beside = evening.watch(18)
        wanted = 0.95 * evening.capacity / HEADERS[way]
        found = [weather(node)["gateway"][way] for node in evening.nodes[:2]]
        if crashes:
            evening.nodes[2].kill()
        else:
            evening.nodes[2].rest("PUT", "/activity", {"class": "idle", "ttl": 60})
        after, back = until_back(evening.bulks, wanted, 20)
    late, stalled = delay(came, 0.95, begun + 2), stalls(came, begun + 2)
    print(f"\n{way} {'uTP' if utp else 'TCP'}: queue p50 {1000 * delay(came, 0.5, begun + 2):.0f} p95 "
          f"{1000 * late:.0f} ms, stalled {stalled:.2f} s, bulk {100 * beside / evening.left:.0f} % of what is left; "
          f"after {'kill -9' if crashes else 'its end'} {100 * back * HEADERS[way] / evening.capacity:.0f} % of the "
          f"capacity {after:.1f} s later; capacity found {[round(each / 1000) for each in found]} kB/s")
    assert found == pytest.approx([evening.capacity] * 2, rel=0.15)
    assert stalled <= 0.1
    assert late <= 0.06
    assert beside >= 0.75 * evening.left
    assert back >= wanted
    assert after <= (10 if crashes else 5)


@pytest.mark.soak
@pytest.mark.parametrize("utp", [False, True], ids=["TCP", "uTP"])
@pytest.mark.parametrize("way", [UP, DOWN])
def test_without_stepping_aside_the_stream_is_late(lan: Lan, tmp_path: Path, way: str, utp: bool) -> None:
    evening = Evening(lan, tmp_path, way, utp=utp, size=60 if way == UP else 300)
    with evening.stack:
        for node in evening.nodes:
            node.rest("PATCH", "/settings", {"step_aside": False})
        time.sleep(9)
        came, begun, _ = evening.watch(12)
    late = delay(came, 0.95, begun + 2)
    print(f"\n{way} {'uTP' if utp else 'TCP'}, without: queue p95 {1000 * late:.0f} ms")
    assert late >= 0.08


ECHO = 14 + 20 + 8 + 24
"""Bytes on the wire of an echo request of ours."""


@pytest.mark.soak
def test_what_it_costs(lan: Lan, tmp_path: Path) -> None:
    """Idle, and with bulk of two nodes beside a stream: what each node says and asks, and what its processor does."""
    home = Home(lan, 3)
    prepare(home)
    nodes = [machine.node(weather=True, upload_rate=150_000) for machine in home.machines]
    wait_all_local(nodes)
    for node in nodes:
        node.wait_for(lambda node=node: weather(node)["gateway"]["state"] == "clear", 30)
    time.sleep(12)  # nobody looks any more
    sniffers = [machine.sniff() for machine in home.machines]

    def asked(machine: Machine) -> int:
        names, values = [line.split()[1:] for line in machine.run(["cat", "/proc/net/snmp"]).splitlines()
                         if line.startswith("Icmp:")]
        return int(values[names.index("OutEchos")])

    def measure(what: str, seconds: float) -> list[tuple[float, float, float]]:
        counts, cpu = [asked(machine) for machine in home.machines], [node.cpu_seconds() for node in nodes]
        seen, begun = [len(sniffer.packets) for sniffer in sniffers], time.monotonic()
        time.sleep(seconds)
        minutes = (time.monotonic() - begun) / 60
        found = []
        for number, (machine, node, sniffer) in enumerate(zip(home.machines, nodes, sniffers, strict=True)):
            sent = [packet for packet in sniffer.packets[seen[number]:] if packet.sent]
            said = sum(packet.size for packet in sent if packet.payload[22:23] == bytes((Kind.WEATHER,)))
            probes = sum(packet.size for packet in sent if packet.destination == NOWHERE)
            found.append((said / minutes, (probes + ECHO * (asked(machine) - counts[number])) / minutes,
                          100 * (node.cpu_seconds() - cpu[number]) / 60 / minutes))
        print(f"{what}: " + "; ".join(f"says {says:.0f} and asks {asks:.0f} bytes a minute, {share:.2f} % of a core"
                                      for says, asks, share in found))
        return found

    idle = measure("idle", 60)
    with ExitStack() as stack:
        for number in range(2):
            Bulk(stack, home, nodes[number], home.machines[number], tmp_path / str(number), size=60)
        nodes[2].rest("PUT", "/activity", {"class": "live", "up": LIVE, "ttl": 120})
        with stream(home, home.machines[2]):
            time.sleep(5)
            loaded = measure("with load", 30)
            for node in nodes:
                node.rest("PATCH", "/settings", {"weather": False})
            time.sleep(2)
            without = measure("the same load, without", 30)
    assert max(says + asks for says, asks, _ in idle) <= 3_000
    assert max(says + asks for says, asks, _ in loaded) <= 120_000
    assert all(says == asks == 0 for says, asks, _ in without)
    assert max(with_it[2] - without_it[2] for with_it, without_it in zip(loaded, without, strict=True)) <= 6
