"""The group of a session: its address, and sockets that hear nothing else, on loopback."""
from __future__ import annotations

import asyncio
import errno
import socket
import sys
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tribler_multicast.lan.batch import BatchSender, Sent
from tribler_multicast.lan.interfaces import IPV4, IPV6, Interface, snapshot
from tribler_multicast.lan.options import LINUX
from tribler_multicast.lan.session_group import (
    RENEW_INTERVAL,
    RETRY_LAST,
    SESSION_PORT,
    SessionGroup,
    group_of,
    open_data,
)
from tribler_multicast.lan.sockets import make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, TWO = bytes(range(32)), bytes(32)
LO = next(interface for interface in snapshot() if interface.loopback)
GONE = Interface("gone0", 99_999, ("192.0.2.1/24",), ("fe80::1/64",))


class Member:
    """A member of a session that keeps what it hears."""

    def __init__(self, session_id: bytes, interface: Interface = LO, family: int = IPV4) -> None:
        self.heard: list[bytes] = []
        self.group = SessionGroup(interface, family, session_id, self.take, LINUX)

    def take(self, data: memoryview, size: int, count: int, *_rest: object) -> None:
        self.heard += [bytes(data[number * size:(number + 1) * size]) for number in range(count)]

    async def hears(self, count: int) -> list[bytes]:
        for _ in range(200):
            if len(self.heard) >= count:
                break
            await asyncio.sleep(0.005)
        return self.heard


@pytest.fixture
def member() -> Iterator[Callable[..., Member]]:
    members: list[Member] = []

    def join(*arguments: object) -> Member:
        members.append(Member(*arguments))  # type: ignore[arg-type]
        assert members[-1].group.keep(0.0), members[-1].group.error
        return members[-1]

    yield join
    for each in members:
        if each.group.receiver is not None:
            each.group.receiver.sock.close()


@pytest.fixture
def sender() -> Iterator[BatchSender]:
    with open_data(LINUX, LO, IPV4, (0,)) as sock:
        yield BatchSender(sock, LO.index)


@given(st.binary(min_size=8, max_size=64))
def test_addresses_are_in_their_ranges(session_id: bytes) -> None:
    four, six = (ip_address(group_of(session_id, family)) for family in (IPV4, IPV6))
    assert four in ip_network("239.255.128.0/17")
    assert six in ip_network("ff12::/16")
    assert six.packed[12] & 0x80, "dynamic by RFC 3307: no Ethernet address of a well-known group"


@given(st.binary(min_size=8, max_size=64))
def test_addresses_are_as_described(session_id: bytes) -> None:
    d = blake2b(session_id, digest_size=16, person=b"tm-session-1").digest()
    assert group_of(session_id, IPV4) == f"239.255.{d[0] % 128 + 128}.{d[1]}"
    assert ip_address(group_of(session_id, IPV6)).packed == b"\xff\x12" + d[2:12] + bytes((d[12] | 128,)) + d[13:]


def test_addresses_stay_the_same() -> None:
    assert group_of(ONE, IPV4) == "239.255.185.26"
    assert group_of(ONE, IPV6) == "ff12:5e74:10bb:59f2:8798:6856:9ecc:7ee2"


def test_sessions_are_spread_over_the_groups() -> None:
    assert len({group_of(number.to_bytes(32, "big"), IPV4) for number in range(1000)}) > 950
    assert len({group_of(number.to_bytes(32, "big"), IPV6) for number in range(1000)}) == 1000


@pytest.mark.parametrize("size", [0, 7, 65])
def test_session_ids_have_8_to_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        group_of(bytes(size), IPV4)


async def test_all_members_on_a_machine_hear_everything(member: Callable[..., Member], sender: BatchSender) -> None:
    members = [member(ONE) for _ in range(3)]
    data = bytes(range(200))
    assert sender.send(data, 30, members[0].group.address) == Sent(7)
    for each in members:
        assert b"".join(await each.hears(7)) == data


async def test_members_hear_no_other_session_and_nothing_else_of_the_port(
        member: Callable[..., Member], sender: BatchSender) -> None:
    one, two = member(ONE), member(TWO)
    sender.send(b"one", 10, one.group.address)
    sender.send(b"two", 10, two.group.address)
    sender.send(b"overlay", 10, ("239.255.84.77", SESSION_PORT))
    sender.send(b"unicast", 10, ("127.0.0.1", SESSION_PORT))
    sender.send(b"end", 10, one.group.address)
    assert await one.hears(2) == [b"one", b"end"]
    assert two.heard == [b"two"]


async def test_who_has_left_hears_nothing_and_may_join_again(
        member: Callable[..., Member], sender: BatchSender) -> None:
    one = member(ONE)
    assert one.group.receiver is not None
    sock = one.group.receiver.sock
    one.group.leave()
    assert sock.fileno() < 0
    sender.send(b"1", 1, one.group.address)
    assert one.group.keep(1.0)
    sender.send(b"2", 1, one.group.address)
    assert await one.hears(1) == [b"2"]


async def test_membership_is_renewed_and_nothing_gets_lost(member: Callable[..., Member], sender: BatchSender) -> None:
    one = member(ONE)
    before = one.group.receiver
    assert one.group.due == RENEW_INTERVAL
    assert one.group.keep(1.0)
    assert one.group.due == RENEW_INTERVAL
    assert one.group.keep(RENEW_INTERVAL)
    assert one.group.due == 2 * RENEW_INTERVAL
    assert one.group.receiver is before
    sender.send(b"still here", 10, one.group.address)
    assert await one.hears(1) == [b"still here"]


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.skipif(sys.platform != "linux", reason="numbers of Linux")
async def test_interface_that_is_gone_is_said_and_tried_again(family: int) -> None:
    group = Member(ONE, GONE, family).group
    now, waits = 0.0, []
    for _ in range(8):
        assert not group.keep(now)
        assert "the interface is gone" in (group.error or "")
        assert not group.keep(now), "not before its time"
        waits.append(group.due - now)
        now = group.due
    assert waits == [1, 2, 4, 8, 16, 32, RETRY_LAST, RETRY_LAST]
    group.interface = LO
    group.family, group.address = IPV4, (group_of(ONE, IPV4), SESSION_PORT)
    assert group.keep(now)
    assert (group.error, group.due) == (None, now + RENEW_INTERVAL)
    group.interface = GONE
    assert not group.keep(group.due)
    assert group.due == now + RENEW_INTERVAL + 1, "it worked in between"


async def test_failed_renewal_leaves_and_is_tried_again(member: Callable[..., Member]) -> None:
    one = member(ONE)
    one.group.interface = GONE
    assert not one.group.keep(RENEW_INTERVAL)
    assert one.group.receiver is None
    assert "the interface is gone" in (one.group.error or "")
    one.group.interface = LO
    assert one.group.keep(RENEW_INTERVAL + 1)


def test_data_socket_takes_the_next_free_port_and_says_when_there_is_none() -> None:
    with make(IPV4) as control:
        control.bind(("127.0.0.1", 0))
        port = control.getsockname()[1]
        with open_data(LINUX, LO, IPV4, (port, 0)) as sock:
            assert sock.getsockname()[1] != port
        with pytest.raises(OSError) as refused:
            open_data(LINUX, LO, IPV4, (port,))
    assert refused.value.errno == errno.EADDRINUSE


def test_data_goes_no_further_than_the_link() -> None:
    with open_data(LINUX, LO, IPV4, (0,)) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) == 1
