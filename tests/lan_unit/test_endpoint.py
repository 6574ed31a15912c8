"""The LAN endpoint on loopback with real sockets, and on interfaces that come and go."""
from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING, Any

import pytest
from ipv8.messaging.interfaces.endpoint import EndpointListener

from tribler_multicast.lan.endpoint import Datagram, LanConfig, LanEndpoint, LanListener
from tribler_multicast.lan.interfaces import IPV4, Interface, snapshot
from tribler_multicast.lan.watcher import InterfaceWatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = b"\x00\x02" + b"p" * 20
CONFIG = LanConfig(group4="239.255.84.99", port=32209, first_port=32210, allow=("lo",))


class Ear(EndpointListener, LanListener):
    """Keeps what it hears."""

    def __init__(self, endpoint: LanEndpoint) -> None:
        super().__init__(endpoint)
        self.heard: list[Datagram] = []
        self.failing = False
        endpoint.add_prefix_listener(self, PREFIX)

    def on_datagram(self, datagram: Datagram) -> None:
        self.heard.append(datagram)
        if self.failing:
            raise RuntimeError

    def on_packet(self, packet: tuple[Any, bytes]) -> None:
        raise AssertionError

    async def hears(self, count: int) -> list[Datagram]:
        for _ in range(200):
            if len(self.heard) >= count:
                break
            await asyncio.sleep(0.01)
        return self.heard


@pytest.fixture
async def two() -> AsyncIterator[tuple[LanEndpoint, LanEndpoint]]:
    first, second = LanEndpoint(CONFIG), LanEndpoint(CONFIG)
    await first.open()
    await second.open()
    yield first, second
    first.close()
    second.close()


def key_of(endpoint: LanEndpoint) -> tuple[int, int]:
    [key] = endpoint.links
    return key


async def test_multicast_reaches_all_on_one_machine_the_sender_too(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ears = Ear(first), Ear(second)
    first.send_on(key_of(first), None, PREFIX + b"hello")
    for ear in ears:
        [datagram] = await ear.hears(1)
        assert datagram == Datagram(PREFIX + b"hello", key_of(first), True, first.links[key_of(first)].address, 1)


async def test_batch_is_sent_in_order_and_doubtful_datagrams_leave_from_the_same_address(
        two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ear, address = Ear(second), second.links[key_of(second)].address
    first.send_batch((key_of(first), address, PREFIX + bytes((number,)), number % 2 == 1) for number in range(6))
    heard = await ear.hears(6)
    assert [datagram.data[-1] for datagram in heard] == [*range(6)]
    assert {datagram.source for datagram in heard} == {first.links[key_of(first)].address}
    assert first.links[key_of(first)].spare is not None


async def test_unicast_arrives_with_255_hops_from_the_address_that_multicast_comes_from(
        two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ear = Ear(second)
    first.send_on(key_of(first), second.links[key_of(second)].address, PREFIX + b"you")
    [datagram] = await ear.hears(1)
    assert (datagram.multicast, datagram.hop_limit) == (False, 255)
    assert datagram.source == first.links[key_of(first)].address


async def test_each_node_has_a_unicast_port_of_its_own(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    ports = {endpoint.links[key_of(endpoint)].address[1] for endpoint in two}
    assert len(ports) == 2
    assert ports <= set(range(32210, 32226))


async def test_foreign_prefix_is_counted_and_a_failing_listener_does_no_harm(
        two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ear = Ear(second)
    ear.failing = True
    for data in (b"nonsense", PREFIX + b"1", PREFIX + b"2"):
        first.send_on(key_of(first), second.links[key_of(second)].address, data)
    assert len(await ear.hears(2)) == 2
    assert second.dropped == {"not_ours": 1, "listener_error": 2}


async def test_oversize_datagram_arrives_larger_than_any_limit(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ear = Ear(second)
    first.send_on(key_of(first), second.links[key_of(second)].address, PREFIX + bytes(9000))
    [datagram] = await ear.hears(1)
    assert len(datagram.data) == 2048


async def test_send_error_is_noted_and_not_raised(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, _ = two
    first.send_on(key_of(first), ("127.0.0.1", 9), bytes(70_000))
    assert first.dropped["send_error"] == 1
    assert "too long" in (first.links[key_of(first)].send_error or "")
    first.send_on(key_of(first), None, b"fine again")
    assert first.links[key_of(first)].send_error is None
    first.send_on((99, 4), None, b"no such link")
    assert first.dropped["send_no_link"] == 1


async def test_ipv8_may_send_by_address() -> None:
    first, second = LanEndpoint(CONFIG), LanEndpoint(CONFIG)
    assert not first.is_open()
    assert first.get_address() == ("0.0.0.0", 0)
    await first.open()
    await second.open()
    ear = Ear(second)
    first.assert_open()
    first.send(second.get_address(), PREFIX + b"x")
    assert len(await ear.hears(1)) == 1
    assert first.bytes_up == 23
    first.reset_byte_counters()
    assert first.bytes_up == 0
    first.close()
    second.close()
    first.close()


async def test_links_follow_the_interfaces_there_are() -> None:
    lo = next(interface for interface in snapshot() if interface.loopback)
    present: list[Interface] = []
    changes: list[set[tuple[int, int]]] = []
    endpoint = LanEndpoint(CONFIG, snapshot=lambda: list(present))
    endpoint.on_links = lambda: changes.append({key for key, link in endpoint.links.items() if link.address})
    await endpoint.open()
    assert endpoint.links == {}
    present.append(lo)
    endpoint.reconcile()
    assert set(endpoint.links) == {(lo.index, IPV4)}
    assert endpoint.get_address()[0] == "127.0.0.1"
    endpoint.reconcile()
    present[0] = dataclasses.replace(lo, ipv4=("127.0.0.2/8",))
    endpoint.reconcile()
    assert endpoint.get_address()[0] == "127.0.0.2"
    present[0] = dataclasses.replace(lo, ipv4=("127.0.0.9/8", "127.0.0.2/8"))
    endpoint.reconcile()
    assert endpoint.get_address()[0] == "127.0.0.2"
    present[0] = dataclasses.replace(lo, up=False)
    endpoint.reconcile()
    assert endpoint.links == {}
    endpoint.close()
    assert changes == [{(lo.index, IPV4)}] * 3 + [set()]


async def test_link_that_can_not_be_opened_says_why_and_is_tried_again() -> None:
    lo = next(interface for interface in snapshot() if interface.loopback)
    broken = dataclasses.replace(lo, ipv4=("203.0.113.7/24",))
    present = [broken]
    endpoint = LanEndpoint(CONFIG, snapshot=lambda: list(present))
    await endpoint.open()
    link = endpoint.links[lo.index, IPV4]
    assert link.address is None
    assert "address is gone" in (link.error or "")
    present[0] = lo
    for _ in range(300):
        await asyncio.sleep(0.01)
        if endpoint.links[lo.index, IPV4].address:
            break
    assert endpoint.links[lo.index, IPV4].error is None
    endpoint.close()


async def test_multicast_port_held_by_another_program_is_explained() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 32309))
        endpoint = LanEndpoint(dataclasses.replace(CONFIG, port=32309))
        await endpoint.open()
        [link] = endpoint.links.values()
        assert link.address is None
        assert "another program" in (link.error or "")
        endpoint.close()


async def test_membership_is_renewed(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, second = two
    ear = Ear(second)
    [link] = second.links.values()
    link.rejoin_at = 0.0
    second.reconcile()
    assert link.rejoin_at > 0
    first.send_on(key_of(first), None, PREFIX + b"still heard")
    assert len(await ear.hears(1)) == 1


async def test_other_port_by_setting_reopens_the_sockets(two: tuple[LanEndpoint, LanEndpoint]) -> None:
    first, _ = two
    first.configure(dataclasses.replace(CONFIG, first_port=32310))
    assert first.get_address()[1] == 32310
    first.configure(dataclasses.replace(CONFIG, first_port=32310, ipv4=False, ipv6=False))
    assert first.links == {}


async def test_watcher_looks_when_told_and_is_not_put_off_by_endless_changes() -> None:
    looks: list[float] = []
    watcher = InterfaceWatcher(lambda: looks.append(1.0))
    watcher.start()
    for _ in range(30):
        watcher.told()
        await asyncio.sleep(0.01)
    assert len(looks) >= 3
    watcher.stop()
    before = len(looks)
    await asyncio.sleep(0.1)
    assert len(looks) == before
