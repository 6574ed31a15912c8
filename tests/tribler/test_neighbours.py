"""
Two real Triblers and a standalone node on one LAN, with no internet: found, shown, gossiped with, searched, downloaded
from.
"""
from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.lan.node import ROOT, Node, RestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lan.testbed import Lan

    from .host import Tribler


class Flat(NamedTuple):
    """
    Who lives in the house.
    """

    a: Tribler
    b: Tribler
    node: Node


@pytest.fixture(scope="module")
def flat(house: Lan, start: Callable[..., Tribler]) -> Iterator[Flat]:
    machines = house.machines(3)
    a = start(machines[0], "a", wait=False, nickname="Anna")
    b = start(machines[1], "b", wait=False)
    node = machines[2].node("tv", nickname="tv")
    yield Flat(a.ready(), b.ready(), node)
    for tribler in (a, b):
        assert not tribler.complaints()


def wait_for(condition: Callable[[], object], timeout: float, what: str) -> float:
    """Wait for a condition; return the seconds it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < timeout, f"not within {timeout} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin


def test_two_triblers_and_a_standalone_node_list_each_other_as_local(flat: Flat) -> None:
    for one in flat:
        one.wait_local(*(other for other in flat if other is not one), timeout=20)
    assert flat.b.peer(flat.a)["nickname"] == "Anna"
    assert flat.node.peer(flat.a)["capabilities"] == ["coded", "search", "tribler", "weather"]
    assert flat.a.status()["client"] == "tribler"


@pytest.mark.parametrize("name", ["MulticastCommunity", "CodedTransferCommunity"])
def test_both_overlays_are_in_ipv8s_list_isolated_with_their_peers(flat: Flat, name: str) -> None:
    flat.a.wait_local(flat.b, flat.node)
    wait_for(lambda: len(flat.a.overlay(name)["peers"]) == 2, 10, "both take part")
    overlay = flat.a.overlay(name)
    assert overlay["is_isolated"] is True
    assert {peer["public_key"] for peer in overlay["peers"]} == {flat.b.status()["public_key"],
                                                                 flat.node.status()["public_key"]}


def test_its_identity_is_the_one_of_triblers_own_communities(flat: Flat) -> None:
    assert flat.a.overlay("ContentDiscoveryCommunity")["my_peer"] == flat.a.status()["public_key"]


def test_the_calls_are_in_triblers_swagger_and_behind_its_key(flat: Flat) -> None:
    paths = flat.a.api("GET", "/docs/swagger.json")["paths"]
    assert {"/api/multicast/peers", "/api/multicast/status", "/api/multicast/settings"} <= set(paths)
    right, flat.a.headers = flat.a.headers, {"X-Api-Key": "wrong"}
    try:
        with pytest.raises(RestError) as refused:
            flat.a.api("GET", "/api/multicast/peers")
    finally:
        flat.a.headers = right
    assert refused.value.status == 401


def test_a_tribler_met_is_known_to_content_discovery_at_its_lan_address(flat: Flat) -> None:
    address = flat.b.machine.interfaces["eth0"].ipv4

    def met() -> bool:
        peers = flat.a.overlay("ContentDiscoveryCommunity")["peers"]
        return any(peer["public_key"] == flat.b.status()["public_key"] and peer["ip"] == address for peer in peers)

    wait_for(met, 10, "b in ContentDiscovery of a")


def test_an_event_is_on_triblers_own_stream(flat: Flat) -> None:
    events = flat.a.host_events()
    guest = flat.node.machine.node("guest", nickname="guest")
    events.wait_for("multicast_peer_local", mid=guest.mid, nickname="guest")
    guest.stop()
    events.wait_for("multicast_peer_gone", mid=guest.mid)


def test_a_torrent_that_only_a_neighbour_has_is_found_by_triblers_search(flat: Flat) -> None:
    flat.a.wait_local(flat.b)
    time.sleep(1)  # the first gossip is over: it must be the search that brings the torrent
    events = flat.a.host_events()
    infohash = flat.b.share("bananaboat.bin", os.urandom(1000))
    wait_for(lambda: infohash in flat.b.known_torrents(), 5, "b knows its own torrent")
    begin = time.time()
    asked = flat.a.api("PUT", "/api/search/remote?fts_text=bananaboat&metadata_type=300")
    assert flat.b.mid in asked["peers"]
    when, result = events.wait_for("remote_query_results", peer=flat.b.mid)
    assert [entry["infohash"] for entry in result["results"]] == [infohash]
    print(f"found after {when - begin:.3f} s")


def test_a_torrent_a_neighbour_had_before_comes_by_gossip(flat: Flat, start: Callable[..., Tribler],
                                                          house: Lan) -> None:
    infohash = flat.b.share("gossipedabout.bin", os.urandom(1000))
    wait_for(lambda: infohash in flat.b.known_torrents(), 5, "b knows its own torrent")
    newcomer = start(house.machine(), "newcomer")
    newcomer.wait_local(flat.b)
    took = wait_for(lambda: newcomer.known_torrents().get(infohash) == "gossipedabout.bin", 10, "gossip")
    print(f"gossip took {took:.2f} s")
    newcomer.shutdown()


def test_a_magnet_is_downloaded_from_the_neighbour_directly(flat: Flat) -> None:
    content = os.urandom(8_000_000)
    infohash = flat.b.share("direct.bin", content)
    wait_for(lambda: flat.b.download(infohash).get("progress") == 1, 20, "b seeds")
    begin = time.monotonic()
    assert flat.a.add(f"magnet:?xt=urn:btih:{infohash}") == infohash
    sources: set[str] = set()

    def done() -> bool:
        download = flat.a.download(infohash)
        sources.update(peer["ip"] for peer in download.get("peers", []) if peer.get("completed", 1))
        return download.get("progress") == 1

    wait_for(done, 40, "downloaded")
    print(f"downloaded in {time.monotonic() - begin:.1f} s from {sources}")
    assert (flat.a.saved / "direct.bin").read_bytes() == content
    assert sources == {flat.b.machine.interfaces["eth0"].ipv4}


def test_one_call_downloads_from_the_neighbour_that_is_named(flat: Flat) -> None:
    content = os.urandom(1_000_000)
    infohash = flat.b.share("onecall.bin", content)
    wait_for(lambda: flat.b.download(infohash).get("progress") == 1, 20, "b seeds")
    wait_for(lambda: "torrents" in flat.a.peer(flat.b)["capabilities"], 5, "b takes BitTorrent connections")
    assert flat.a.rest("POST", "/downloads", {"infohash": infohash, "peer": flat.b.mid}) == {
        "infohash": infohash, "peers": [flat.b.mid]}
    wait_for(lambda: flat.a.download(infohash).get("progress") == 1, 30, "downloaded")
    assert (flat.a.saved / "onecall.bin").read_bytes() == content
    assert flat.a.download(infohash)["hops"] == 0


def test_a_download_that_cannot_be_is_refused_with_one_line(flat: Flat) -> None:
    anonymous = flat.a.share("already.bin", os.urandom(1000), hops=1)
    for body, status in (({"infohash": "no"}, 422), ({}, 422), ({"infohash": anonymous, "peer": "0" * 40}, 404),
                         ({"infohash": anonymous}, 409)):
        with pytest.raises(RestError) as refused:
            flat.a.rest("POST", "/downloads", body)
        assert refused.value.status == status


def test_the_command_line_finds_a_running_tribler(flat: Flat) -> None:
    flat.a.wait_local(flat.b)
    said = flat.a.machine.run(["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tribler_multicast", "peers",
                               "--local", "--json", "--state-dir", str(flat.a.state)])
    assert flat.b.mid in {peer["mid"] for peer in json.loads(said)["peers"]}
    assert (flat.a.state / "api.json").stat().st_mode & 0o777 == 0o600


def test_a_private_torrent_is_not_tried_at_the_neighbours(flat: Flat) -> None:
    infohash = flat.b.share("secretclub.bin", os.urandom(300_000), private=True)
    wait_for(lambda: flat.b.download(infohash).get("progress") == 1, 20, "b seeds")
    (flat.a.state / "club.torrent").write_bytes((flat.b.state / "secretclub.bin.torrent").read_bytes())
    flat.a.add((flat.a.state / "club.torrent").as_uri())
    time.sleep(5)
    assert flat.a.download(infohash)["peers"] == []
    assert flat.a.download(infohash)["progress"] == 0
