"""
Two real Triblers and two standalone nodes on one LAN: each finds what every other has, and fetches it from there.
"""
from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.node import RestError
from tests.lan.packets import ETHERTYPE_IPV4, ETHERTYPE_IPV6

from .capture import Capture
from .host import Tribler
from .test_local_search import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lan.node import Node
    from tests.lan.testbed import Lan, Machine

pytest.importorskip("libtorrent")

ANONYMOUS = {"libtorrent": {"download_defaults": {"number_hops": 0}}}
"""What Tribler makes by its own API is seeded openly; what is downloaded is anonymous as a rule, as Tribler comes."""

OPEN = {"libtorrent": {"download_defaults": {"number_hops": 0, "anonymity_enabled": False}}}
"""And here it is not."""

PATIENCE = 60.0


@dataclass
class Member:
    """One of the four: its node, where its downloads go, and the file that only it has."""

    node: Node
    downloads: Path
    name: str
    content: bytes
    capture: Capture

    @property
    def words(self) -> str:
        return self.name.rpartition(".")[0]

    def sent_to(self, other: Member) -> int:
        """Count the bytes that it sent to another one, of whatever protocol."""
        interface = other.node.machine.interfaces["eth0"]
        addresses = {ip_address(text) for text in (interface.ipv4, interface.ipv6, interface.link_local) if text}
        return sum(size for target, size in traffic(self.capture).items() if target in addresses)

    def has(self, other: Member) -> bool:
        """Tell whether it has the file of another one, whole."""
        file = self.downloads / other.name
        return file.is_file() and file.stat().st_size == len(other.content) and file.read_bytes() == other.content


def traffic(capture: Capture) -> Counter[Any]:
    """Add up what was sent, by the IP address it was for."""
    sizes: Counter[Any] = Counter()
    for frame in list(capture.frames):
        ethertype = int.from_bytes(frame[12:14], "big")
        if ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            sizes[ip_address(frame[30:34] if ethertype == ETHERTYPE_IPV4 else frame[38:54])] += len(frame)
    return sizes


def tribler(start: Callable[..., Tribler], machine: Machine, name: str, file: str, config: dict[str, Any]) -> Member:
    """Start a Tribler; its torrent is made by `give`."""
    capture = Capture(machine)
    node = start(machine, name, wait=False, config=config)
    return Member(node, node.saved, file, os.urandom(3_000_000), capture)


def give(member: Member) -> None:
    """Have a Tribler make a torrent of its file by its own API, and seed it."""
    node = member.node
    assert isinstance(node, Tribler)
    (node.saved / member.name).write_bytes(member.content)
    node.api("POST", "/api/createtorrent", {"files": [str(node.saved / member.name)], "export_dir": str(node.saved)})
    wait_for(lambda: [(each["hops"], each["progress"]) for each in node.api("GET", "/api/downloads")["downloads"]
                      if each["name"] == member.name] == [(0, 1)], 20, "Tribler seeds")


def standalone(house: Lan, machine: Machine, name: str, file: str) -> Member:
    """Start a node that shares a folder with its file."""
    shared, downloads = house.folder / f"{name}-shared", house.folder / f"{name}-downloads"
    for folder in (shared, downloads):
        folder.mkdir()
    content, capture = os.urandom(3_000_000), Capture(machine)
    (shared / file).write_bytes(content)
    node = machine.node(name, wait=False, arguments=("--share", str(shared)), download_folder=downloads)
    return Member(node, downloads, file, content, capture)


@pytest.fixture(scope="module")
def members(house: Lan, start: Callable[..., Tribler]) -> Iterator[list[Member]]:
    machines = house.machines(4)
    found = [tribler(start, machines[0], "one", "quokka.harbour.one.bin", OPEN),
             standalone(house, machines[1], "two", "quokka.harbour.two.bin"),
             tribler(start, machines[2], "three", "quokka.harbour.three.bin", ANONYMOUS),
             standalone(house, machines[3], "four", "quokka.harbour.four.bin")]
    for member in found:
        member.node.ready()
    for member in found:
        member.node.wait_local(*(other.node for other in found if other is not member), timeout=30)
    for member in found:
        if isinstance(member.node, Tribler):
            give(member)
    yield found
    for member in found:
        member.capture.stop()
        if isinstance(member.node, Tribler):
            member.node.shutdown()
            assert not member.node.complaints()
        else:
            member.node.stop()
            assert "Traceback" not in member.node.log()


def find(asker: Member, other: Member) -> dict[str, Any]:
    """Search until the file of another one is found at that one; get the result."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        results = asker.node.rest("GET", f"/search?query={other.words}&timeout=3")["results"]
        found[:] = [each for each in results if other.node.mid in each["holders"] and each["name"] == other.name]
        return bool(found)

    wait_for(look, 20, f"{asker.node} finds {other.name}")
    return found[0]


def fetch(asker: Member, other: Member) -> str:
    """Find and begin to fetch the file of another one from there; get what kind of thing it was."""
    result = find(asker, other)
    assert result["size"] == len(other.content)
    name = "file_id" if result["kind"] == "file" else "infohash"
    said = asker.node.rest("POST", "/downloads", {name: result[name], "peer": other.node.mid})
    assert said["peers"] == [other.node.mid]
    return str(result["kind"])


def test_every_node_finds_and_fetches_a_file_of_every_other_from_there(members: list[Member]) -> None:
    begin = time.monotonic()
    pairs = [(members[at], members[(at + step) % 4]) for step in (1, 2, 3) for at in range(4)]
    kinds = Counter(fetch(asker, other) for asker, other in pairs[:4])
    for asker, other in pairs[:4]:
        wait_for(lambda asker=asker, other=other: asker.has(other), PATIENCE, f"{asker.node} has {other.name}")
        assert other.sent_to(asker) > len(other.content), "nobody else had it"
    print(f"each has one of another after {time.monotonic() - begin:.1f} s; found as {dict(kinds)}")
    assert kinds == {"torrent": 2, "file": 2}
    for asker, other in pairs[4:]:
        fetch(asker, other)
    for asker, other in pairs[4:]:
        wait_for(lambda asker=asker, other=other: asker.has(other), PATIENCE, f"{asker.node} has {other.name}")
    print(f"12 of 12 pairs after {time.monotonic() - begin:.1f} s")
    for member in members:
        outside = [target for target in traffic(member.capture)
                   if not (target.is_private or target.is_link_local or target.is_multicast)]
        assert outside == []


def listed(node: Node) -> dict[str, dict[str, Any]]:
    """Get what the control interface says of all torrents, by infohash."""
    return {each["infohash"]: each for each in node.rest("GET", "/downloads")["downloads"]}


def test_in_tribler_torrents_are_made_listed_limited_and_given_up_by_the_control_interface_too(
        members: list[Member]) -> None:
    (one, two), content = members[:2], os.urandom(2_000_000)
    node = one.node
    assert isinstance(node, Tribler)
    path = node.state / "an album.bin"
    path.write_bytes(content)
    made = node.rest("POST", "/torrents", {"path": str(path)})
    infohash = made["infohash"]
    wait_for(lambda: listed(node)[infohash]["state"] == "seeding", 20, "Tribler seeds it")
    seen = listed(node)[infohash]
    assert (seen["name"], seen["size"], seen["path"], seen["progress"]) == (path.name, len(content), str(path), 1)
    assert node.download(infohash)["hops"] == 0

    node.rest("PATCH", f"/downloads/{infohash}", {"up": 400_000})
    assert listed(node)[infohash]["up_limit"] == 400_000
    assert node.download(infohash)["upload_limit"] <= 0, "the user's own limit is as it was"
    began = time.monotonic()
    assert two.node.rest("POST", "/downloads", {"infohash": infohash, "peer": node.mid})["peers"] == [node.mid]
    wait_for(lambda: listed(two.node).get(infohash, {}).get("progress") == 1, PATIENCE, "the other one has it")
    took = time.monotonic() - began
    print(f"2 MB at 400 kB/s took {took:.1f} s")
    assert took > 2
    assert (two.downloads / path.name).read_bytes() == content
    node.rest("DELETE", f"/downloads/{infohash}?delete=true")
    wait_for(lambda: node.download(infohash) == {}, 10, "Tribler forgot it")
    time.sleep(0.5)
    assert path.read_bytes() == content, "it was here before"

    fetched = next(each for each in listed(node).values() if each["name"] == two.name)
    node.rest("DELETE", f"/downloads/{fetched['infohash']}?delete=true")
    wait_for(lambda: not (one.downloads / two.name).exists(), 10, "what was downloaded is deleted with it")


def test_an_anonymous_download_is_not_listed_limited_or_given_up_by_it(members: list[Member]) -> None:
    node = members[2].node
    assert isinstance(node, Tribler)
    path, file = node.saved / "nobodysbusiness.bin", node.state / "nobodysbusiness.torrent"
    path.write_bytes(os.urandom(500_000))
    hidden = node.rest("POST", "/torrents", {"path": str(path), "output": str(file), "seed": False})["infohash"]
    assert listed(node).keys().isdisjoint({hidden})
    node.add(file.as_uri(), hops=1)
    wait_for(lambda: node.download(hidden).get("progress") == 1, 20, "it is complete")
    assert hidden not in listed(node)
    for method, call, body in (("PATCH", f"/downloads/{hidden}", {"up": 1000}),
                               ("DELETE", f"/downloads/{hidden}", None),
                               ("POST", "/torrents", {"path": str(path)}),
                               ("POST", "/downloads", {"magnet": f"magnet:?xt=urn:btih:{hidden}"}),
                               ("POST", "/downloads", {"magnet": f"magnet:?xt=urn:btih:{'ab' * 20}"})):
        with pytest.raises(RestError) as refused:
            node.rest(method, call, body)
        assert refused.value.status == (409 if method == "POST" else 404)
    assert node.download(hidden)["hops"] == 1
