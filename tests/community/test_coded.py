"""The community of coded transfers with real sockets on loopback: what its service is told and can do."""
from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tribler_multicast import CodedTransferCommunity
from tribler_multicast.protocol.limits import MAX_CODED_PAYLOAD
from tribler_multicast.protocol.wire import CODED_PREFIX, Kind
from tribler_multicast.transfer.service.service import TransferService

from .test_multicast import Host, Maker, make, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tribler_multicast import MulticastCommunity
    from tribler_multicast.protocol.introduction import Introduction
    from tribler_multicast.transfer.service.courier import Courier, LinkKey

__all__ = ["make"]


class Recorder:
    """Stands in for the service: writes down what it is told."""

    def __init__(self, courier: Courier, options: Any, *, folder: Path | None,  # noqa: ANN401
                 tell: Callable[..., None]) -> None:
        self.courier, self.options, self.folder, self.tell = courier, options, folder, tell
        self.publications: dict[bytes, Any] = {}
        self.counters = {"join: malformed": 3}
        self.heard: list[tuple[bytes, Kind, bytes, LinkKey]] = []
        self.found: list[bytes] = []
        self.gone: list[bytes] = []
        self.looked = 0
        self.life: list[str] = []
        self.at_close: Callable[[], Any] = lambda: None
        self.failure: Exception | None = None

    async def start(self) -> None:
        self.life.append("start")
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.life.append("close")
        result = self.at_close()
        if asyncio.iscoroutine(result):
            await result

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        assert abs(now - asyncio.get_running_loop().time()) < 5
        self.heard.append((mid, kind, payload, link))

    def neighbour_found(self, mid: bytes) -> None:
        self.found.append(mid)

    def neighbour_gone(self, mid: bytes) -> None:
        self.gone.append(mid)

    def links_changed(self) -> None:
        self.looked += 1

    def offer(self, name: str, number: int = 1, error: str | None = None) -> bytes:
        content_id = bytes([number]) * 32
        self.publications[content_id] = SimpleNamespace(content_id=content_id, name=name, size=1000 * number,
                                                        error=error)
        return content_id


def ride(multicast: MulticastCommunity, **more: Any) -> CodedTransferCommunity:  # noqa: ANN401
    return CodedTransferCommunity(CodedTransferCommunity.settings_class(
        multicast=multicast, **{"service": Recorder, **more}))


def recorder(node: CodedTransferCommunity) -> Recorder:
    assert isinstance(node.service, Recorder)
    return node.service


def mid(node: CodedTransferCommunity | MulticastCommunity) -> bytes:
    return node.my_peer.mid


class Store(Host):
    """A client that can be searched, and has nothing itself."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[frozenset[str]] = []

    def streams(self) -> list[Any]:
        return []

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Any]:
        self.asked.append(kinds)
        return []


async def pair(make: Maker) -> tuple[CodedTransferCommunity, CodedTransferCommunity]:
    """Make two nodes that hold each other as neighbours."""
    a, b = ride(await make()), ride(await make())
    await a.start()
    await b.start()
    await until(lambda: a.neighbours() and b.neighbours() and recorder(a).found and recorder(b).found)
    return a, b


async def test_neighbours_are_those_whose_coded_transfers_run(make: Maker) -> None:
    a, other = ride(await make()), await make()
    await a.start()
    await until(a.multicast.local_peers)
    assert (a.neighbours(), recorder(a).found) == ([], [])
    b = ride(other)
    await b.start()
    await until(lambda: recorder(a).found and recorder(b).found)
    assert (a.neighbours(), b.neighbours()) == ([mid(b)], [mid(a)])
    assert [peer.mid for peer in a.get_peers()] == [mid(b)]
    assert "coded" in a.multicast.local_peers()[0].capabilities


async def test_ipv8_sees_an_overlay_of_its_own_with_peers_of_its_own(make: Maker) -> None:
    a, b = await pair(make)
    assert a.community_id != a.multicast.community_id
    assert a.network is not a.multicast.network
    assert a.network.get_services_for_peer(a.get_peers()[0]) == {CodedTransferCommunity.community_id}
    assert a.endpoint is a.multicast.endpoint
    assert b.multicast.network.get_peers_for_service(CodedTransferCommunity.community_id) == []


async def test_messages_go_from_service_to_service_by_the_prefix_of_their_own(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    taken: list[bytes] = []
    deliver = b.on_datagram
    b.on_datagram = lambda datagram: (taken.append(datagram.data), deliver(datagram))  # type: ignore[method-assign]
    assert a.send(mid(b), Kind.JOIN, b"all of it", way.link)
    assert a.send(mid(b), Kind.REPORT, bytes(MAX_CODED_PAYLOAD))
    await until(lambda: len(recorder(b).heard) == 2)
    assert recorder(b).heard == [(mid(a), Kind.JOIN, b"all of it", way.link),
                                 (mid(a), Kind.REPORT, bytes(MAX_CODED_PAYLOAD), way.link)]
    assert [(data[:22], data[22]) for data in taken] == [(CODED_PREFIX, Kind.JOIN), (CODED_PREFIX, Kind.REPORT)]
    assert not [data for data in taken if b"all of it" in data], "it is sealed"
    assert way.address == "127.0.0.1"


async def test_what_cannot_be_sent_is_not(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    assert not a.send(bytes(20), Kind.JOIN, b"")
    assert not a.send(mid(b), Kind.JOIN, b"", (way.link[0] + 1, 4))
    assert not a.send(mid(b), Kind.JOIN, bytes(MAX_CODED_PAYLOAD + 1))
    assert not a.send(mid(b), Kind.PING, b"")
    assert a.paths(bytes(20)) == []
    assert not a.may(bytes(20))
    assert a.may(mid(b))


async def test_what_the_service_counts_is_among_the_counters_of_the_node(make: Maker) -> None:
    multicast = await make()
    assert "transfers" not in multicast.counters()
    ride(multicast)
    assert multicast.counters()["transfers"] == {"join: malformed": 3}


async def test_the_service_learns_of_its_links_and_when_they_change(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    interface = a.interface(way.link)
    assert interface is not None
    assert interface.name == "lo"
    assert "127.0.0.1/8" in a.networks(way.link)
    assert a.interface((4711, 4)) is None
    assert a.networks((4711, 4)) == ()
    looked = recorder(a).looked
    a.multicast.links_changed()
    assert recorder(a).looked == looked + 1


async def test_the_round_trip_to_a_neighbour_is_measured_and_nobody_elses(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    trips = await asyncio.gather(*(a.round_trip(mid(b), way.link) for _ in range(3)))
    assert all(trip is not None and 0 <= trip < 1 for trip in trips)
    assert await a.round_trip(bytes(20), way.link) is None
    assert await a.round_trip(mid(b), (4711, 4)) is None
    assert (a.trips, a.core.liveness.measured) == ({}, set())


async def test_a_round_trip_that_is_not_answered_is_none_and_leaves_nothing(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    b.multicast.lan.close()
    assert await a.round_trip(mid(b), way.link) is None
    assert (a.trips, a.core.liveness.measured) == ({}, set())


async def test_measuring_without_end_is_bounded(make: Maker) -> None:
    a, b = await pair(make)
    [way] = a.paths(mid(b))
    trips = await asyncio.gather(*(a.round_trip(mid(b), way.link) for _ in range(100)))
    assert 0 < sum(trip is not None for trip in trips) < 30


async def test_a_neighbour_that_leaves_or_takes_part_no_more_is_gone(make: Maker) -> None:
    a, b = await pair(make)
    await b.unload()
    await until(lambda: recorder(a).gone == [mid(b)])
    assert a.multicast.get_local_peer(mid(b)) is not None
    assert (a.neighbours(), a.get_peers()) == ([], [])
    again = ride(b.multicast)
    await again.start()
    await until(lambda: recorder(a).found[1:])
    await again.multicast.stop()
    await until(lambda: recorder(a).gone == [mid(b), mid(b)])
    assert a.get_peers() == []


async def test_transfers_say_goodbye_before_the_node_does(make: Maker) -> None:
    a, b = await pair(make)
    recorder(a).at_close = lambda: a.send(mid(b), Kind.FINISH, b"the end")
    await a.multicast.unload()
    await until(lambda: recorder(b).gone)
    assert recorder(b).heard[-1][1:3] == (Kind.FINISH, b"the end")
    assert recorder(a).life == ["start", "close"]
    await a.unload()
    assert recorder(a).life == ["start", "close"]


async def test_a_disk_that_is_slow_does_not_hold_up_the_goodbye(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.community.carrying.STOP_PATIENCE", 0.05)
    a, b = await pair(make)
    go_on = asyncio.Event()
    recorder(a).at_close = go_on.wait
    async with asyncio.timeout(20):
        await a.multicast.stop()
    await until(lambda: recorder(b).gone)
    ending = asyncio.ensure_future(a.unload())
    await asyncio.sleep(0)
    assert not ending.done()
    go_on.set()
    await ending


async def test_switched_off_and_on_it_ends_and_begins_with_the_other_one(make: Maker) -> None:
    a, b = await pair(make)
    await a.multicast.stop()
    await until(lambda: recorder(b).gone)
    assert not a.send(mid(b), Kind.JOIN, b"")
    assert await a.round_trip(mid(b), (1, 4)) is None
    await a.start()
    former = recorder(a)
    assert former.life == ["start", "close"], "not without the LAN"
    await a.multicast.start()
    await until(lambda: recorder(b).found == [mid(a), mid(a)] and recorder(a).found)
    assert (former.life, recorder(a).life) == (["start", "close"], ["start"])
    assert a.send(mid(b), Kind.JOIN, b"again")
    await until(lambda: recorder(b).heard)


async def test_the_first_introduction_says_already_that_it_takes_part(make: Maker) -> None:
    a, b = await pair(make)
    await b.multicast.stop()
    await until(lambda: recorder(a).gone)
    said: list[bool] = []
    say = b.core.set_introduction

    def note(introduction: Introduction, now: float) -> None:
        said.append("coded" in introduction.capabilities)
        say(introduction, now)

    b.core.set_introduction = note  # type: ignore[method-assign]
    await b.multicast.start()
    assert said
    assert all(said)


async def test_a_service_that_cannot_start_is_not_claimed_and_harms_nobody(make: Maker) -> None:
    b = ride(await make())
    await b.start()
    a = ride(await make())
    recorder(a).failure = OSError("no disk")
    await a.start()
    assert a.capabilities() == frozenset()
    await until(lambda: b.multicast.local_peers() and a.multicast.local_peers())
    await until(lambda: "coded" not in b.multicast.local_peers()[0].capabilities)
    assert b.neighbours() == []
    assert not a.send(mid(b), Kind.JOIN, b"")
    await a.start()
    await until(lambda: b.neighbours() == [mid(a)])


async def test_with_the_policy_friends_only_friends_count(make: Maker) -> None:
    a = ride(await make(options={"policy": "friends"}))
    b = ride(await make())
    await a.start()
    await b.start()
    await until(lambda: recorder(a).found and recorder(b).found)
    assert not a.may(mid(b))
    assert not a.send(mid(b), Kind.JOIN, b"")
    assert b.send(mid(a), Kind.JOIN, b"please")
    await until(lambda: a.multicast.counters()["dropped"].get("not_friend"))
    assert recorder(a).heard == []


async def test_data_is_sealed_with_every_policy_but_everyone(make: Maker) -> None:
    node = ride(await make())
    assert not node.must_seal
    options = node.multicast.options
    assert isinstance(options, dict)
    for policy, passphrase, must_seal in (("friends", "", True), ("everyone", "", False),
                                          ("group", "a passphrase that is fine", True), ("everyone", "", False)):
        options.update(policy=policy, group_passphrase=passphrase)
        await node.multicast.apply_settings({"policy", "group_passphrase"})
        assert node.must_seal is must_seal


async def test_what_a_node_offers_is_found_by_its_name(make: Maker) -> None:
    a, b = ride(await make(client=Store())), ride(await make())
    content = recorder(a).offer("Red Boat.mkv")
    recorder(a).offer("Red Bicycle.mkv", 2)
    recorder(a).offer("Red Boat broken.mkv", 3, "it was changed")
    await a.start()
    await b.start()
    await until(lambda: b.multicast.local_peers() and "search" in b.multicast.local_peers()[0].capabilities)
    for kinds in (("coded",), ("coded", "stream"), ("coded", "torrent")):
        [found] = await b.multicast.search("boat", kinds)
        assert (found.kind, found.id, found.name, found.size, found.mids) == ("coded", content, "Red Boat.mkv", 1000,
                                                                              [mid(a)])
    assert await b.multicast.search("boat", ("torrent",)) == []
    client = a.multicast.client
    assert isinstance(client, Store)
    assert set(client.asked) == {frozenset({"torrent"})}, "the store is not asked for what is known without it"


async def test_a_node_can_be_searched_while_it_offers_something(make: Maker) -> None:
    a, b = await pair(make)
    a.multicast.client = Host()
    assert "search" not in b.multicast.local_peers()[0].capabilities
    content = recorder(a).offer("boat")
    await until(lambda: "search" in b.multicast.local_peers()[0].capabilities)
    del recorder(a).publications[content]
    await until(lambda: "search" not in b.multicast.local_peers()[0].capabilities)


async def test_without_one_what_others_say_around_transfers_is_counted(make: Maker) -> None:
    a, other = ride(await make()), await make()
    await a.start()
    await until(lambda: a.multicast.local_peers() and other.local_peers())
    assert a.send(mid(other), Kind.JOIN, b"")
    await until(lambda: other.counters()["dropped"].get("not_ours"))


async def test_a_file_gets_from_one_node_to_the_other(make: Maker, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(3_000_000)
    (tmp_path / "boat.mkv").write_bytes(content)
    a, b = [ride(await make(), service=TransferService) for _ in range(2)]
    for node in (a, b):
        await node.start()
    publication = await a.service.publish(tmp_path / "boat.mkv")
    [result] = a.search("boat", 5)
    assert (result.id, result.size) == (publication.content_id, len(content))
    transfer = await b.service.receive(publication.content_id, tmp_path / "got.mkv")
    async with asyncio.timeout(30):
        await transfer.wait()
    assert (tmp_path / "got.mkv").read_bytes() == content
    await until(lambda: {"join", "report", "leave"} <= a.multicast.counters()["received"].keys())
    said = a.multicast.counters()
    assert said["sent"]["accept"] >= 1
    assert not {reason for reason, count in said["dropped"].items() if count} & {"rate", "unexpected", "not_sealed"}


async def test_switched_off_and_on_a_node_still_gives_what_it_published(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "boat.mkv").write_bytes(b"boat" * 10_000)
    a = ride(await make(), service=TransferService, folder=tmp_path / "transfers")
    b = ride(await make(), service=TransferService)
    for node in (a, b):
        await node.start()
    publication = await a.service.publish(tmp_path / "boat.mkv")
    await a.multicast.stop()
    await a.multicast.start()
    transfer = await b.service.receive(publication.content_id, tmp_path / "got.mkv")
    async with asyncio.timeout(30):
        await transfer.wait()
    assert (tmp_path / "got.mkv").read_bytes() == b"boat" * 10_000


async def test_members_of_a_group_transfer_among_each_other_and_who_is_outside_sees_no_message_of_it(
        make: Maker, tmp_path: Path) -> None:
    (tmp_path / "boat.mkv").write_bytes(b"boat" * 100_000)
    inside = {"group_passphrase": "a passphrase that is fine", "policy": "group"}
    a, b = [ride(await make(options=inside), service=TransferService) for _ in range(2)]
    outside = ride(await make())
    for node in (a, b, outside):
        await node.start()
    publication = await a.service.publish(tmp_path / "boat.mkv")
    transfer = await b.service.receive(publication.content_id, tmp_path / "got.mkv")
    async with asyncio.timeout(30):
        await transfer.wait()
    assert (tmp_path / "got.mkv").read_bytes() == b"boat" * 100_000
    assert outside.neighbours() == []
    assert outside.multicast.counters()["received"].get("join", 0) == 0
    assert b.multicast.counters()["received"]["accept"] >= 1


async def test_in_another_group_there_are_other_neighbours(make: Maker) -> None:
    a, b = await pair(make)
    options = a.multicast.options
    assert isinstance(options, dict)
    options.update(group_passphrase="a passphrase that is fine", policy="group")
    await a.multicast.apply_settings({"group_passphrase", "policy"})
    await until(lambda: recorder(a).gone == [mid(b)] and recorder(b).gone == [mid(a)])
    assert not a.send(mid(b), Kind.JOIN, b"")
    options.update(group_passphrase="", policy="everyone")
    await a.multicast.apply_settings({"group_passphrase", "policy"})
    await until(lambda: recorder(a).found == [mid(b)] * 2 and recorder(b).found == [mid(a)] * 2)
    assert recorder(a).life == ["start"], "it goes on with whoever is there"


async def test_where_a_node_only_listens_there_is_no_interface_for_transfers(make: Maker) -> None:
    node = ride(await make(options={"visibility": "listen"}))
    await node.start()
    assert node.lan.links
    assert [node.interface(link) for link in node.lan.links] == [None] * len(node.lan.links)
