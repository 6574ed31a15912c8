"""
The tracker at a real socket, with a community that knows what the test says: who is told of whom, and who of nobody.
(Two real nodes and stock clients meet in tests/lan/test_tracker.py.)
"""
from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import pytest

from tribler_multicast.community.swarming import OwnSwarms, Swarming
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.swarms import Client
from tribler_multicast.settings import Settings
from tribler_multicast.tracker import server
from tribler_multicast.tracker.limits import MAX_CONNECTIONS_PER_ADDRESS, MAX_REQUEST
from tribler_multicast.tracker.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILM, SECRET = b"\x01" * 20, b"\x02" * 20
OWN = "10.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Community:
    """What a tracker needs of a community."""

    own: OwnSwarms = field(default_factory=OwnSwarms)
    neighbours: dict[bytes, set[tuple[str, int, bool]]] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    swarm_source: Any = None
    core: Any = field(default_factory=lambda: SimpleNamespace(
        links={(2, 4): Link(2, 4, OWN, 32110, ("10.0.0.1/24",))}))
    client: Any = field(default_factory=lambda: SimpleNamespace(
        addresses=lambda: [("libtorrent", OWN, 32126), ("ipv8", OWN, 1)]))

    def own_swarms(self) -> OwnSwarms:
        return self.own

    async def who_has(self, infohash: bytes) -> set[tuple[str, int, bool]]:
        self.asked.append(infohash)
        return self.neighbours.get(infohash, set())

    def refresh_introduction(self) -> None:
        """Tell nobody."""


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    options = Settings(command_line={"tracker_enabled": True, "tracker_port": free_port()})
    made = Tracker(Community(), options)
    await made.start()
    yield made
    made.close()


async def call(tracker: Tracker, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", tracker.server.port)
    writer.write(data)
    answer = b""
    with suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def get(tracker: Tracker, target: str, headers: str = "") -> bytes:
    answer = await call(tracker, f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n{headers}\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return body


def announce(infohash: bytes = FILM, port: int = 5000, left: int = 10, more: str = "") -> str:
    return (f"/announce?info_hash={quote_from_bytes(infohash)}&peer_id=-XX0001-aaaaaaaaaaaa&port={port}&left={left}"
            f"&compact=1{more}")


def compact(address: str, port: int) -> bytes:
    return ip_address(address).packed + port.to_bytes(2, "big")


async def test_clients_of_this_machine_find_each_other(tracker: Tracker) -> None:
    assert b"5:peers0:" in await get(tracker, announce(port=5000))
    assert b"5:peers6:" + compact("127.0.0.1", 5000) in await get(tracker, announce(port=5001))
    as_list = await get(tracker, announce(port=5001, more="&compact=0").replace("&compact=1", ""))
    assert b"ld2:ip9:127.0.0.17:peer id20:-XX0001-aaaaaaaaaaaa4:porti5000eee" in as_list
    assert b"5:peers0:" in await get(tracker, announce(port=5001, more="&numwant=0"))
    assert b"5:peers0:" in await get(tracker, announce(port=5001, more="&event=stopped"))
    assert b"5:peers0:" in await get(tracker, announce(port=5000))


async def test_those_who_have_all_are_not_told_of_each_other(tracker: Tracker) -> None:
    await get(tracker, announce(port=5000, left=0))
    answer = await get(tracker, announce(port=5001, left=0))
    assert b"5:peers0:" in answer
    assert b"8:completei2e" in answer


async def test_peers_of_neighbours_and_of_the_node_itself_are_told(tracker: Tracker) -> None:
    community = tracker.community
    community.neighbours[FILM] = {("10.0.0.7", 51413, True), ("fd00::7", 51413, True)}
    community.own = OwnSwarms({FILM: [Client(32126, False)]})
    answer = await get(tracker, announce())
    assert compact("10.0.0.7", 51413) in answer
    assert compact(OWN, 32126) in answer
    assert b"6:peers618:" + compact("fd00::7", 51413) in answer
    await get(tracker, announce())
    assert community.asked == [FILM]  # not again at once


async def test_neighbours_are_told_of_the_clients_of_this_machine_and_of_no_other(tracker: Tracker) -> None:
    await get(tracker, announce(port=5000, left=0))
    stranger = server.Request("/announce", announce(port=6000).partition("?")[2], "10.0.0.9", OWN)
    status, answer = await tracker._answer(stranger)
    assert status == 200
    assert compact(OWN, 5000) in answer  # and not 127.0.0.1, which is another machine there
    assert tracker.swarms() == {FILM: [Client(5000, True)]}
    assert tracker.community.swarm_source is tracker


async def test_of_a_private_torrent_nobody_is_told_and_nobody_is_asked(tracker: Tracker) -> None:
    community = tracker.community
    community.own = OwnSwarms({}, frozenset({SECRET}))
    community.neighbours[SECRET] = {("10.0.0.7", 51413, True)}
    for port in (5000, 5001):
        assert b"5:peers0:" in await get(tracker, announce(SECRET, port))
    assert community.asked == []
    assert tracker.swarms() == {}
    assert tracker.view()["swarms"] == []


def test_what_a_neighbour_is_answered_leaves_out_private_and_idle_torrents() -> None:
    def status(infohash: bytes, **more: object) -> SimpleNamespace:
        return SimpleNamespace(**{"infohash": infohash, "state": "seeding", "progress": 1.0, "private": False, **more})

    node = Swarming()
    node.now = lambda: 0.0  # type: ignore[method-assign]
    statuses = [status(FILM), status(SECRET, private=True), status(b"\x03" * 20, state="paused"),
                status(b"\x04" * 20, progress=0.0, state="metadata")]
    node.client = SimpleNamespace(torrents=SimpleNamespace(status=lambda: statuses),  # type: ignore[assignment]
                                  addresses=lambda: [("libtorrent", OWN, 32126)])
    node.swarm_source = SimpleNamespace(swarms=lambda: {SECRET: [Client(1, True)], FILM: [Client(2, False)]})  # type: ignore[assignment]
    assert node.swarms_here() == {FILM: [Client(32126, True), Client(2, False)]}


async def test_scrape_and_statistics(tracker: Tracker) -> None:
    await get(tracker, announce(port=5000, left=0))
    await get(tracker, announce(port=5001))
    both = f"/scrape?info_hash={quote_from_bytes(FILM)}&info_hash={quote_from_bytes(SECRET)}"
    assert b"5:filesd20:" + FILM + b"d8:completei1e10:downloadedi0e10:incompletei1eee" in await get(tracker, both)
    assert b"14:failure reason" in await get(tracker, "/scrape")
    assert b"14:failure reason" in await get(tracker, "/announce?port=1")
    view = tracker.view()
    assert (view["announces"], view["scrapes"], view["refused"], view["clients"]) == (2, 1, 2, 2)
    assert view["swarms"] == [{"infohash": FILM.hex(), "seeders": 1, "leechers": 1, "completed": 0, "neighbours": 0}]


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"POST /announce HTTP/1.1\r\n\r\n", b"GET /announce\r\n\r\n",
    b"\x13BitTorrent protocol" + bytes(48) + b"\r\n\r\n", b"GET /../etc/passwd HTTP/1.1\r\n\r\n",
    b"GET /announce?\xff HTTP/1.1\r\n\r\n", b"GET /ann ounce HTTP/1.1\r\n\r\n"])
async def test_what_is_no_request_of_a_client_is_answered_with_an_error(tracker: Tracker, data: bytes) -> None:
    assert (await call(tracker, data)).startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))


@pytest.mark.parametrize("header", ["Origin: http://evil", "Sec-Fetch-Site: cross-site", "Referer: http://evil/"])
async def test_a_web_page_announces_nothing(tracker: Tracker, header: str) -> None:
    assert b"BitTorrent clients" in await get(tracker, announce(), header + "\r\n")
    renamed = f"GET {announce()} HTTP/1.1\r\nHost: evil.example:6969\r\n\r\n".encode()
    assert (await call(tracker, renamed)).startswith(b"HTTP/1.1 403")
    assert tracker.table.clients == 0


async def test_endless_requests_are_cut_off_and_slow_ones_too(tracker: Tracker,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    assert await call(tracker, b"GET /" + b"a" * (4 * MAX_REQUEST)) == b""
    monkeypatch.setattr(server, "REQUEST_TIMEOUT", 0.1)
    assert await call(tracker, b"GET /announce") == b""
    assert tracker.server.refused["too long"] == 1
    assert tracker.server.refused["cut off"] == 1


async def test_connections_of_one_address_have_an_end(tracker: Tracker) -> None:
    open_ones = [await asyncio.open_connection("127.0.0.1", tracker.server.port)
                 for _ in range(MAX_CONNECTIONS_PER_ADDRESS)]
    while tracker.server._connections.total() < MAX_CONNECTIONS_PER_ADDRESS:
        await asyncio.sleep(0.01)
    assert await call(tracker, b"GET / HTTP/1.1\r\n\r\n") == b""
    for _, writer in open_ones:
        writer.close()
    while tracker.server._connections:
        await asyncio.sleep(0.01)
    assert b"404" in await call(tracker, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(("address", "served"), [
    ("127.0.0.1", True), ("::1", True), ("10.0.0.9", True), ("10.0.1.9", False), ("8.8.8.8", False), ("", False)])
async def test_who_is_not_on_a_network_of_ours_is_not_served(tracker: Tracker, address: str, served: bool) -> None:
    assert tracker._allows(address) is served


async def test_a_port_that_is_taken_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.tracker.tracker.FIRST_PAUSE", 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = Settings(command_line={"tracker_enabled": True, "tracker_port": taken.getsockname()[1]})
        tracker = Tracker(Community(), options)
        tracker._pause = 0.05
        await tracker.start()
        assert tracker.url is None
        assert "can't be served" in tracker.error
    async with asyncio.timeout(10):
        while tracker.url is None:
            await asyncio.sleep(0.01)
    assert tracker.error == ""
    options.update({"tracker_enabled": False})
    await tracker.apply()
    assert tracker.url is None
    assert tracker.community.swarm_source is None
    tracker.close()


async def test_a_host_that_is_no_address_is_told() -> None:
    tracker = Tracker(Community(), Settings(command_line={"tracker_enabled": True, "tracker_host": "localhost"}))
    await tracker.start()
    assert "no IP address" in tracker.view()["error"]
    tracker.close()
