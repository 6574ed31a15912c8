"""
Bulk datagrams between machines: by multicast to a session's group and by unicast, with what goes wrong on real links.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.lan.batch import BatchReceiver, BatchSender, Sent
from tribler_multicast.lan.interfaces import IPV4, IPV6, Interface
from tribler_multicast.lan.options import LINUX
from tribler_multicast.lan.pacer import Pacer
from tribler_multicast.lan.session_group import SESSION_PORT, SessionGroup, group_of, open_data

from .testbed import Families

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from .testbed import Lan, Machine

SIZE = 1452
SESSION, OTHER = bytes(range(32)), bytes(32)
OTHER_PROGRAM = """
import socket, struct, sys
group, port, index = sys.argv[1], int(sys.argv[2]), socket.if_nametoindex("eth0")
family = socket.AF_INET6 if ":" in group else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
packed = socket.inet_pton(family, group)
if family == socket.AF_INET:
    sock.bind((group, port))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packed + struct.pack("@4xi", index))
else:
    sock.bind((group, port, 0, index))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed + struct.pack("@I", index))
print("joined", flush=True)
print(sock.recv(2000).hex(), flush=True)
"""
"""Joins a group as any program would, and prints the first datagram."""

BOTH = pytest.mark.parametrize(("family", "kind"), [(IPV4, Families.IPV4), (IPV6, Families.LINK_LOCAL)])


def index_of(machine: Machine, name: str) -> int:
    return int(machine.namespace.run(["cat", f"/sys/class/net/{name}/ifindex"]))


def interface_of(machine: Machine, name: str = "eth0") -> Interface:
    """The interface as the machine itself sees it."""
    there = machine.interfaces[name]
    return Interface(name, index_of(machine, name), (f"{there.ipv4}/24",) if there.ipv4 else (),
                     (f"{there.link_local}/64",) if there.link_local else ())


class Speaker:
    """The data socket of a machine."""

    def __init__(self, machine: Machine, family: int, name: str = "eth0", *, plain: bool = False) -> None:
        self.machine = machine
        self.interface = interface_of(machine, name)
        self.sock = machine.namespace.call(open_data, LINUX, self.interface, family, range(32110, 32126))
        self.sender = BatchSender(self.sock, self.interface.index, LINUX, plain=plain)
        self.address = self.interface.address(family) or "", self.sock.getsockname()[1]


class Listener(SessionGroup):
    """A member of a session on a machine, or with no session its data socket; keeps what comes."""

    def __init__(self, machine: Machine, family: int, session: bytes = SESSION, name: str = "eth0") -> None:
        super().__init__(interface_of(machine, name), family, session, self.heard, LINUX)
        self.machine = machine
        self.data = bytearray()
        self.how: set[tuple[tuple[str, int], int | None, int | None]] = set()

    def open(self) -> socket.socket:
        return self.machine.namespace.call(super().open)

    def heard(self, data: memoryview, size: int, count: int, source: tuple[str, int], index: int | None,
              hops: int | None) -> None:
        self.data += data
        self.how.add((source, index, hops))

    def joined(self) -> bool:
        """Whether the machine's kernel says that it is a member, which it tells switches by IGMP or MLD."""
        group = group_of(SESSION, self.family)
        return group in self.machine.run(["ip", "maddress", "show", "dev", self.interface.name])


def have_all(listeners: Iterable[Listener], size: int) -> bool:
    return all(len(each.data) >= size for each in listeners)


async def until(condition: Callable[[], object], seconds: float = 3.0) -> None:
    """Wait until something holds, for a bounded time; the caller asserts it."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.005)


async def connected(speaker: Speaker, *listeners: Listener) -> None:
    """Wait until data arrives: a cable that was just plugged in carries nothing for a moment."""
    for each in listeners:
        assert each.keep(0.0), each.error
        await sent_again(speaker, each, b"hello")
    for each in listeners:
        each.data.clear()


async def sent_again(speaker: Speaker, listener: Listener, data: bytes) -> None:
    """Send until something arrives."""
    for _ in range(30):
        assert speaker.sender.send(data, SIZE, listener.address) == Sent(-(-len(data) // SIZE))
        await until(lambda: listener.data, 0.1)
        if listener.data:
            return


async def writable(speaker: Speaker) -> None:
    """Wait until a socket has room again."""
    room = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_writer(speaker.sock, room.set)
    await asyncio.wait_for(room.wait(), 3)
    loop.remove_writer(speaker.sock)


@BOTH
@pytest.mark.parametrize("plain", [False, True])
async def test_members_get_the_data_and_nobody_else_does(lan: Lan, family: int, kind: Families, plain: bool) -> None:
    machines = lan.machines(4, kind)
    speaker = Speaker(machines[0], family, plain=plain)
    members = [Listener(machine, family) for machine in machines[:3]]
    stranger = Listener(machines[3], family, OTHER)
    await connected(speaker, *members)
    assert stranger.keep(0.0), stranger.error
    data = os.urandom(300 * SIZE + 5)
    assert speaker.sender.send(data, SIZE, members[0].address) == Sent(301)
    await until(partial(have_all, members, len(data)))
    for each in members:  # The first is on the sender's own machine.
        assert each.data == data
        assert each.how == {(speaker.address, each.interface.index, 1)}
        assert each.joined()
        each.leave()
        assert not each.joined()
    assert not stranger.data
    stranger.leave()
    speaker.sock.close()


@BOTH
async def test_data_goes_to_one_node_with_255_hops(lan: Lan, family: int, kind: Families) -> None:
    speaker, other = (Speaker(machine, family) for machine in lan.machines(2, kind))
    got, how = bytearray(), set()

    def take(data: memoryview, size: int, count: int, *rest: object) -> None:
        got.extend(data)
        how.add(rest)

    receiver = BatchReceiver(other.sock, take, LINUX)
    receiver.start()
    for _ in range(30):
        speaker.sender.send(b"hello", SIZE, other.address)
        await until(lambda: got, 0.1)
        if got:
            break
    got.clear()
    data = os.urandom(100 * SIZE + 5)
    assert speaker.sender.send(data, SIZE, other.address) == Sent(101)
    await until(lambda: len(got) == len(data))
    assert got == data
    assert how == {(speaker.address, other.interface.index, 255)}
    assert receiver.calls < 101
    receiver.close()
    speaker.sock.close()


@BOTH
async def test_data_goes_out_by_the_interface_it_was_opened_for(lan: Lan, family: int, kind: Families) -> None:
    second = lan.bridge()
    machine, near, far = lan.machine(kind), lan.machine(kind), lan.machine(kind, second)
    machine.plug(second, kind)
    names = "eth0", "eth1"
    speakers = [Speaker(machine, family, name) for name in names]
    listeners = [Listener(near, family), Listener(far, family)]
    own = [Listener(machine, family, name=name) for name in names]
    for number, speaker in enumerate(speakers):
        await connected(speaker, listeners[number], own[number])
    for number, speaker in enumerate(speakers):
        data = bytes((number,)) * 50 * SIZE
        assert speaker.sender.send(data, SIZE, listeners[0].address) == Sent(50)
        await until(partial(have_all, (listeners[number], own[number]), len(data)))
        assert [bytes(listeners[number].data), bytes(own[number].data)] == [data, data]
        speaker.sock.close()
    assert [len(each.data) for each in (*listeners, *own)] == [50 * SIZE] * 4
    for each in (*listeners, *own):
        each.leave()


@BOTH
async def test_packets_larger_than_the_link_takes_leave_one_by_one_in_fragments(
        lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    first.namespace.ip("link set eth0 mtu 1300")
    speaker, listener = Speaker(first, family), Listener(second, family)
    await connected(speaker, listener)
    data = os.urandom(60 * SIZE)
    assert speaker.sender.send(data, SIZE, listener.address) == Sent(60)
    await until(lambda: len(listener.data) == len(data))
    assert listener.data == data
    assert speaker.sender.calls >= 60
    assert speaker.sender.at_once(SIZE) == 1
    assert speaker.sender.at_once(1200) > 1
    listener.leave()
    speaker.sock.close()


@BOTH
async def test_way_said_to_be_narrow_is_not_believed(lan: Lan, family: int, kind: Families) -> None:
    speaker, other = (Speaker(machine, family) for machine in lan.machines(2, kind))
    speaker.machine.namespace.ip(f"route replace {other.address[0]}/{32 if family == IPV4 else 128} dev eth0 mtu 1280")
    assert speaker.sender.send(bytes(90 * SIZE), SIZE, other.address) == Sent(90)
    assert speaker.sender.calls == 2
    got: list[int] = []
    receiver = BatchReceiver(other.sock, lambda _data, size, count, *_how: got.extend([size] * count), LINUX)
    await until(receiver.drain)
    assert set(got) == {SIZE}
    for each in (speaker, other):
        each.sock.close()


@BOTH
async def test_slow_link_fills_up_and_says_how_many_went(lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    first.run(["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "40mbit", "burst", "100k", "latency", "5s"])
    speaker, listener = Speaker(first, family), Listener(second, family)
    await connected(speaker, listener)
    data, done = os.urandom(1000 * SIZE), 0
    went, error = sent = speaker.sender.send(data, SIZE, listener.address)
    assert 0 < went < 1000
    assert sent.full
    assert isinstance(error, BlockingIOError)
    while done + went < 1000:
        done += went
        await writable(speaker)
        went = speaker.sender.send(memoryview(data)[done * SIZE:], SIZE, listener.address).went
    await until(lambda: len(listener.data) == len(data))
    assert listener.data == data
    assert speaker.sender.at_once(SIZE) > 1
    listener.leave()
    speaker.sock.close()


@BOTH
async def test_paced_at_the_rate_of_the_link_nothing_gets_lost(lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    first.shape(100)
    speaker, listener = Speaker(first, family), Listener(second, family)
    await connected(speaker, listener)
    data, done = memoryview(os.urandom(2000 * SIZE)), 0
    pacer = Pacer(0.97 * 100e6 / 8, SIZE + 62, time.monotonic())
    begin = time.monotonic()
    while done < 2000:
        count = min(pacer.ready(time.monotonic()), 2000 - done)
        went = speaker.sender.send(data[done * SIZE:(done + count) * SIZE], SIZE, listener.address).went
        pacer.sent(went)
        done += went
        now = time.monotonic()
        await asyncio.sleep(pacer.wake_at(now) - now)
    seconds = time.monotonic() - begin
    await until(lambda: len(listener.data) == len(data))
    assert listener.data == data
    mbits = 8e-6 * 2000 * (SIZE + 62) / seconds
    print(f"{mbits:.1f} Mbit/s, {speaker.sender.calls} calls, {pacer.forgiven:.3f} s forgiven")
    assert mbits < 100
    assert speaker.sender.calls < 1000
    listener.leave()
    speaker.sock.close()


@BOTH
async def test_interface_that_is_down_is_an_error_until_it_is_up_again(lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    speaker, listener = Speaker(first, family), Listener(second, family)
    await connected(speaker, listener)
    first.link("eth0", up=False)
    sent = speaker.sender.send(bytes(50 * SIZE), SIZE, listener.address)
    assert (sent.went, sent.full) == (0, False)
    assert sent.error is not None
    assert sent.error.errno in (errno.ENETDOWN, errno.ENETUNREACH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.EINVAL)
    print(sent.error)
    first.link("eth0", up=True)
    if family == IPV6:
        ip = str(first.interfaces["eth0"].link_local)
        await until(lambda: ip in first.run(["ip", "address", "show", "dev", "eth0"]))
    data = os.urandom(50 * SIZE)
    await sent_again(speaker, listener, data)
    assert speaker.sender.at_once(SIZE) > 1
    assert listener.data == data
    listener.leave()
    speaker.sock.close()


@BOTH
async def test_member_whose_interface_goes_and_comes_joins_again(lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    speaker, listener = Speaker(first, family), Listener(second, family)
    await connected(speaker, listener)
    second.unplug()
    assert not listener.keep(1000.0)
    assert "the interface is gone" in (listener.error or "")
    second.plug(families=kind)
    listener.interface = interface_of(second)
    assert listener.keep(listener.due), listener.error
    await sent_again(speaker, listener, b"again")
    assert listener.data == b"again"
    listener.leave()
    speaker.sock.close()


@BOTH
async def test_two_programs_on_one_machine_share_a_session_and_its_port(
        lan: Lan, family: int, kind: Families) -> None:
    first, second = lan.machines(2, kind)
    program = second.popen([sys.executable, "-c", OTHER_PROGRAM, group_of(SESSION, family), str(SESSION_PORT)],
                           stdout=subprocess.PIPE)
    assert program.line() == "joined"
    listener = Listener(second, family)
    assert listener.keep(0.0), listener.error
    speaker = Speaker(first, family)
    assert speaker.sender.send(b"a" * 20, 10, listener.address) == Sent(2)
    await until(lambda: len(listener.data) == 20)
    assert listener.data == b"a" * 20
    assert program.line() == (b"a" * 10).hex(), "to who did not ask for batches come single datagrams"
    listener.leave()
    speaker.sock.close()


