"""Bulk datagrams on loopback with real sockets: cut and glued by the kernel where it can, one by one elsewhere."""
from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.lan.batch import (
    ASK_AGAIN,
    LARGEST,
    PACKETS_PER_TURN,
    SEGMENTS,
    BatchReceiver,
    BatchSender,
    Sent,
    cuts,
    enlarge,
)
from tribler_multicast.lan.interfaces import IPV4, IPV6
from tribler_multicast.lan.options import DARWIN, LINUX, WINDOWS, receiving
from tribler_multicast.lan.sockets import apply, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 1452
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux cuts and glues")


@dataclass(frozen=True)
class Got:
    """One call of a taker, with a copy of the data."""

    data: bytes
    size: int
    count: int
    source: tuple[str, int]
    index: int | None
    hops: int | None


class Ear:
    """A receiver that keeps copies of what it takes."""

    def __init__(self, family: int = IPV4, *, plain: bool = False, platform: object = None) -> None:
        self.got: list[Got] = []
        self.sock = make(family)
        self.sock.bind(("127.0.0.1" if family == IPV4 else "::1", 0))
        self.receiver = BatchReceiver(self.sock, self.take, platform, plain=plain)  # type: ignore[arg-type]

    @property
    def address(self) -> tuple[str, int]:
        ip, port = self.sock.getsockname()[:2]
        return ip, port

    def take(self, data: memoryview, size: int, count: int, source: tuple[str, int], index: int | None,
             hops: int | None) -> None:
        self.got.append(Got(bytes(data), size, count, source, index, hops))

    def datagrams(self) -> list[bytes]:
        return [each.data[number * each.size:(number + 1) * each.size]
                for each in self.got for number in range(each.count)]


@pytest.fixture
def mouth() -> Iterator[socket.socket]:
    with make(IPV4) as sock:
        yield sock


@pytest.fixture
def hear() -> Iterator[Callable[..., Ear]]:
    ears: list[Ear] = []

    def make_ear(**arguments: object) -> Ear:
        ears.append(Ear(**arguments))  # type: ignore[arg-type]
        return ears[-1]

    yield make_ear
    for ear in ears:
        ear.sock.close()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start:start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("sender_plain", [False, True])
@pytest.mark.parametrize("receiver_plain", [False, True])
@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_batch_arrives_in_order_and_whole(hear: Callable[..., Ear], family: int, sender_plain: bool,
                                          receiver_plain: bool) -> None:
    ear = hear(family=family, plain=receiver_plain)
    data = os.urandom(100 * SIZE + 77)
    with make(family) as sock:
        sender = BatchSender(sock, 0, plain=sender_plain)
        assert sender.send(data, SIZE, ear.address) == Sent(101)
        ear.receiver.drain()
        assert ear.datagrams() == cut(data, SIZE)
        assert {each.source for each in ear.got} == {(ear.address[0], sock.getsockname()[1])}
        assert {each.index for each in ear.got} == {socket.if_nametoindex("lo")}
        assert {each.hops for each in ear.got} == {64}
        assert (sender.datagrams, sender.bytes) == (ear.receiver.datagrams, ear.receiver.bytes) == (101, len(data))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9000), st.integers(0, 70_000), st.booleans())
def test_every_size_and_length_arrives(size: int, length: int, plain: bool) -> None:
    length = min(length, 300 * size)
    data = os.urandom(length)
    with make(IPV4) as sock:
        ear = Ear()
        assert BatchSender(sock, plain=plain).send(data, size, ear.address) == Sent(-(-length // size))
        while ear.receiver.drain():
            pass
        assert ear.datagrams() == cut(data, size)
        ear.sock.close()


@LINUX_ONLY
def test_kernel_takes_and_gives_many_with_one_call(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    sender = BatchSender(mouth)
    assert sender.at_once(SIZE) == LARGEST // SIZE == 45
    assert sender.at_once(100) == SEGMENTS
    assert sender.send(bytes(90 * SIZE), SIZE, ear.address) == Sent(90)
    ear.receiver.drain()
    assert sender.calls == 2
    assert [(each.size, each.count) for each in ear.got] == [(SIZE, 45)] * 2


def test_last_may_be_shorter_and_one_alone_is_a_batch(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    sender = BatchSender(mouth)
    for data in (b"a" * 10, b"b" * 7, b"c" * 23):
        sender.send(data, 10, ear.address)
    ear.receiver.drain()
    assert ear.datagrams() == [b"a" * 10, b"b" * 7, b"c" * 10, b"c" * 10, b"c" * 3]


def test_empty_datagrams_are_datagrams(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    mouth.sendto(b"", ear.address)
    mouth.sendto(b"x", ear.address)
    assert ear.receiver.drain() == 2
    assert [(each.data, each.count) for each in ear.got] == [(b"", 1), (b"x", 1)]
    assert BatchSender(mouth).send(b"", SIZE, ear.address) == Sent(0)


def test_buffers_of_any_kind_are_sent_without_a_copy(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    buffer = bytearray(range(200))
    for data in (buffer, memoryview(buffer)[50:150], memoryview(buffer).cast("I")):
        BatchSender(mouth).send(data, 64, ear.address)
    ear.receiver.drain()
    assert b"".join(ear.datagrams()) == buffer + buffer[50:150] + buffer


def test_sockets_that_are_connected_need_no_address(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    mouth.connect(ear.address)
    assert BatchSender(mouth).send(b"abc", 2) == Sent(2)
    ear.receiver.drain()
    assert ear.datagrams() == [b"ab", b"c"]


def test_error_of_an_earlier_datagram_does_not_lose_one(mouth: socket.socket) -> None:
    with make(IPV4) as gone:
        gone.bind(("127.0.0.1", 0))
        mouth.connect(gone.getsockname())
    sender = BatchSender(mouth)
    assert sender.send(b"1", 1) == Sent(1)  # Told that nobody is there by an ICMP message, later.
    assert sender.send(b"2", 1) == Sent(1)
    assert sender.datagrams == 2


@LINUX_ONLY
def test_cutting_that_is_refused_is_not_asked_for_again(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    mouth.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK: without checksums the kernel does not cut.
    sender = BatchSender(mouth)
    data = os.urandom(70 * SIZE)
    assert sender.send(data, SIZE, ear.address) == Sent(70)
    ear.receiver.drain()
    assert ear.datagrams() == cut(data, SIZE)
    assert (sender.at_once(SIZE), sender.calls) == (1, 70)
    assert sender.at_once(SIZE - 1) > 1


@LINUX_ONLY
def test_wrong_call_does_not_switch_cutting_off(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    sender = BatchSender(mouth)
    sent = sender.send(bytes(10 * SIZE), SIZE, ("127.0.0.1", 0))
    assert (sent.went, sent.error and sent.error.errno, sent.full) == (0, errno.EINVAL, False)
    assert sender.at_once(SIZE) == 45
    assert sender.errors == {"EINVAL": 1}


class Faulty(socket.socket):
    """A socket that fails as told, at the n-th call that sends."""

    def __init__(self, faults: dict[int, int], *, only_cut: bool = False) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.faults, self.calls, self.only_cut = faults, 0, only_cut

    def fail(self) -> None:
        self.calls += 1
        if self.calls in self.faults:
            raise OSError(self.faults[self.calls], os.strerror(self.faults[self.calls]))

    def sendmsg(self, *arguments: object) -> int:
        self.fail()
        return super().sendmsg(*arguments)  # type: ignore[arg-type]

    def sendto(self, *arguments: object) -> int:
        if not self.only_cut:
            self.fail()
        return super().sendto(*arguments)  # type: ignore[call-overload, no-any-return]


@LINUX_ONLY
@pytest.mark.parametrize("code", [errno.EIO, errno.EOPNOTSUPP])
def test_device_that_can_not_cut_gets_all_one_by_one(hear: Callable[..., Ear], code: int) -> None:
    ear = hear()
    with Faulty({1: code}, only_cut=True) as sock:
        sender = BatchSender(sock)
        assert sender.send(bytes(50 * SIZE), SIZE, ear.address) == Sent(50)
        assert ear.receiver.drain() == 50
        assert sender.at_once(10) == sender.at_once(SIZE) == 1


@LINUX_ONLY
@pytest.mark.parametrize("code", [errno.EIO, errno.EMSGSIZE])
def test_cutting_is_tried_again_after_a_while(hear: Callable[..., Ear], code: int) -> None:
    ear = hear()
    with Faulty({1: code, 2: code}, only_cut=True) as sock:
        sender = BatchSender(sock)
        for _ in range(2):
            assert sender.send(bytes(90 * SIZE), SIZE, ear.address) == Sent(90)
            assert sender.at_once(SIZE) == 1
            sender.datagrams += ASK_AGAIN
        calls = sender.calls
        assert sender.send(bytes(90 * SIZE), SIZE, ear.address) == Sent(90)
        assert sender.calls == calls + 2
        assert sender.at_once(SIZE) == 45
        while ear.receiver.drain():
            pass
        assert ear.receiver.datagrams == 270


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("code", "full"), [
    (errno.EAGAIN, True), (errno.ENOBUFS, True), (errno.ENOMEM, True), (errno.ENETDOWN, False),
    (errno.ENETUNREACH, False), (errno.EPERM, False), (errno.ENODEV, False), (errno.EADDRNOTAVAIL, False)])
def test_what_did_not_go_is_said_and_goes_later(hear: Callable[..., Ear], code: int, full: bool, plain: bool) -> None:
    ear = hear()
    data = os.urandom(100 * SIZE)
    with Faulty({2: code}) as sock:
        sender = BatchSender(sock, plain=plain)
        went, error = sent = sender.send(data, SIZE, ear.address)
        assert went == (1 if plain or not sender.cuts else 45)
        assert error is not None
        assert (error.errno, sent.full) == (code, full)
        assert sender.errors == {errno.errorcode[code]: 1}
        assert sender.send(memoryview(data)[went * SIZE:], SIZE, ear.address) == Sent(100 - went)
        ear.receiver.drain()
        assert ear.datagrams() == cut(data, SIZE)


def test_packets_too_large_for_any_interface_are_refused_with_the_reason(mouth: socket.socket) -> None:
    sent = BatchSender(mouth).send(bytes(140_000), 70_000, ("127.0.0.1", 9))
    assert (sent.went, sent.error and sent.error.errno) == (0, errno.EMSGSIZE)
    with pytest.raises(ValueError, match="0 bytes"):
        BatchSender(mouth).send(b"x", 0, ("127.0.0.1", 9))


def test_closed_socket_is_an_error_not_an_exception(mouth: socket.socket) -> None:
    sender = BatchSender(mouth)
    mouth.close()
    sent = sender.send(b"x", 1, ("127.0.0.1", 9))
    assert (sent.went, sent.error and sent.error.errno) == (0, errno.EBADF)


def test_other_platforms_send_and_receive_one_by_one(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    for platform in (DARWIN, WINDOWS):
        assert not cuts(platform, mouth)
        ear = hear(platform=platform)
        sender = BatchSender(mouth, platform=platform)
        assert sender.send(b"abcde", 2, ear.address) == Sent(3)
        ear.receiver.drain()
        assert [(each.data, each.size, each.count) for each in ear.got] == [(b"ab", 2, 1), (b"cd", 2, 1), (b"e", 1, 1)]
        assert (sender.calls, ear.receiver.glues) == (3, False)
    assert {(each.index, each.hops) for each in ear.got} == {(None, None)}


def test_receive_buffer_is_as_large_as_allowed(mouth: socket.socket) -> None:
    small = mouth.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    got = enlarge(LINUX, mouth, 4 << 20)
    assert got == mouth.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= small
    assert enlarge(WINDOWS, mouth, 1000) == got, "too small to be worth a call"


def test_receive_buffer_that_is_refused_is_asked_for_in_halves() -> None:
    class Strict(socket.socket):
        """As on macOS: what is too large is refused."""

        def setsockopt(self, level: int, name: int, value: int) -> None:  # type: ignore[override]
            if value > 300_000:
                raise OSError(errno.ENOBUFS, "no room")
            super().setsockopt(level, name, value)

    with Strict(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert enlarge(DARWIN, sock, 1 << 20) > 400_000


def test_loop_does_other_things_while_much_arrives(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    for _ in range(20):
        BatchSender(mouth).send(bytes(64 * 64), 64, ear.address)
    taken = [ear.receiver.drain(), ear.receiver.drain(), ear.receiver.drain(), ear.receiver.drain()]
    assert sum(taken) == 1280
    assert max(taken) < PACKETS_PER_TURN + SEGMENTS


async def test_reads_in_the_loop_until_stopped(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear()
    ear.receiver.start()
    ear.receiver.start()
    sender = BatchSender(mouth)
    sender.send(b"abc", 1, ear.address)
    for _ in range(100):
        if len(ear.datagrams()) == 3:
            break
        await asyncio.sleep(0.01)
    assert ear.datagrams() == [b"a", b"b", b"c"]
    ear.receiver.stop()
    sender.send(b"d", 1, ear.address)
    await asyncio.sleep(0.02)
    assert len(ear.datagrams()) == 3
    ear.receiver.close()
    ear.receiver.close()
    assert ear.sock.fileno() < 0


async def test_taker_may_raise_or_close(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear(plain=True)

    def take(data: memoryview, *_how: object) -> None:
        if bytes(data) == b"2":
            ear.receiver.close()
        raise RuntimeError

    ear.receiver.take = take
    ear.receiver.start()
    BatchSender(mouth, plain=True).send(b"123", 1, ear.address)
    await asyncio.sleep(0.05)
    assert (ear.receiver.failed, ear.receiver.datagrams) == (2, 2)


async def test_taker_may_stop(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear(plain=True)
    ear.receiver.take = lambda *_how: ear.receiver.stop()
    ear.receiver.start()
    BatchSender(mouth, plain=True).send(b"123", 1, ear.address)
    await asyncio.sleep(0.05)
    assert ear.receiver.datagrams == 1
    ear.receiver.start()
    await asyncio.sleep(0.05)
    assert ear.receiver.datagrams == 2


@LINUX_ONLY
def test_drops_of_the_kernel_are_counted(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear(plain=True)
    ear.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    sender = BatchSender(mouth, plain=True)
    assert sender.send(bytes(1000 * SIZE), SIZE, ear.address) == Sent(1000)
    while ear.receiver.drain():
        pass
    arrived = ear.receiver.datagrams
    assert 0 < arrived < 1000
    sender.send(b"x", 1, ear.address)
    ear.receiver.drain()
    assert ear.receiver.lost == 1000 - arrived
    sender.send(bytes(1000 * SIZE), SIZE, ear.address)
    while ear.receiver.drain():
        pass
    sender.send(b"x", 1, ear.address)
    ear.receiver.drain()
    assert ear.receiver.lost == sender.datagrams - ear.receiver.datagrams


def test_datagram_longer_than_the_buffer_is_dropped_and_counted(mouth: socket.socket, hear: Callable[..., Ear]) -> None:
    ear = hear(plain=True)
    ear.receiver.buffer = bytearray(100)
    ear.receiver.view = memoryview(ear.receiver.buffer)
    for data in (bytes(101), bytes(100)):
        mouth.sendto(data, ear.address)
    assert ear.receiver.drain() == 2
    assert (ear.receiver.truncated, len(ear.got)) == (1, 1)


def test_socket_that_fails_is_counted(hear: Callable[..., Ear]) -> None:
    ear = hear()
    ear.sock.close()
    assert ear.receiver.drain() == 0
    assert ear.receiver.errors == 1


def test_what_a_socket_already_tells_may_be_asked_for_twice() -> None:
    with make(IPV6) as sock:
        apply(sock, receiving(LINUX, IPV6))
        sock.bind(("::1", 0))
        BatchReceiver(sock, lambda *_: None)


@LINUX_ONLY
def test_time_of_arrival_is_the_kernels_however_late_it_is_read() -> None:
    times: list[tuple[float, float]] = []
    with make(IPV4) as mouth, make(IPV4) as sock:
        sock.bind(("127.0.0.1", 0))
        receiver = BatchReceiver(sock, lambda *_: times.append((receiver.arrived, time.monotonic())))
        before = time.monotonic()
        mouth.sendto(b"x", sock.getsockname())
        after = time.monotonic()
        time.sleep(0.2)
        assert receiver.drain() == 1
    [(arrived, now)] = times
    assert before - 0.01 < arrived < after + 0.01
    assert now - arrived > 0.15
