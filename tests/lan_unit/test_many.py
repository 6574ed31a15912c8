"""Many datagrams with one call of the kernel give the same as one by one, on loopback with real sockets."""
from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.lan.batch import FELT, FILLED, PLAIN_SLOT, SENDERS, BatchReceiver, BatchSender, Reading
from tribler_multicast.lan.interfaces import IPV4, IPV6
from tribler_multicast.lan.sockets import make
from tribler_multicast.transfer.session.kernels import RECEIVE

from .test_batch import LINUX_ONLY, SIZE, Ear

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(RECEIVE is None, reason="no native code that reads many")


class ManyEar(Ear):
    """A receiver that reads many at once."""

    def __init__(self, family: int = IPV4, *, plain: bool = False) -> None:
        super().__init__(family, plain=plain)
        self.receiver = BatchReceiver(self.sock, self.take, reading=Reading(many=RECEIVE), plain=plain)


def all_of(ear: Ear) -> list[tuple[bytes, object, object, object]]:
    return [(each.data[at * each.size:(at + 1) * each.size], each.source, each.index, each.hops)
            for each in ear.got for at in range(each.count)]


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("plain", [False, True])
@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1, 7, 1388, SIZE, 2000]), st.integers(0, 70),
                                  st.integers(0, 1999)), max_size=12))
def test_the_same_arrives_from_whoever_sends_whatever(family: int, plain: bool,
                                                      batches: list[tuple[int, int, int, int]]) -> None:
    many, single = ManyEar(family, plain=plain), Ear(family, plain=plain)
    mouths = [make(family) for _ in range(3)]
    for ear in (many, single):
        for who, size, count, rest in batches:
            BatchSender(mouths[who], plain=plain).send(bytes([who]) * (count * size + rest % size), size, ear.address)
        while ear.receiver.drain():
            pass
        ear.sock.close()
    assert all_of(many) == all_of(single)
    assert (many.receiver.datagrams, many.receiver.bytes) == (single.receiver.datagrams, single.receiver.bytes)
    for mouth in mouths:
        mouth.close()


def test_what_comes_together_is_handed_over_together() -> None:
    with make(IPV4) as mouth:
        ear, data = ManyEar(plain=True), os.urandom(50 * SIZE + 5)
        BatchSender(mouth).send(data, SIZE, ear.address)
        assert ear.receiver.drain() == 51
        assert (ear.receiver.calls, b"".join(each.data for each in ear.got)) == (1, data)
        # One call of the taker, or a few where the kernel was late.
        assert len(ear.got) < 10
        ear.sock.close()


def test_empty_and_shorter_ones_end_what_goes_together() -> None:
    with make(IPV4) as mouth:
        ear, sent = ManyEar(plain=True), [b"", b"aa", b"bb", b"c", b"dd", b"", b"e"]
        for data in sent:
            mouth.sendto(data, ear.address)
        while ear.receiver.drain():
            pass
        assert ear.datagrams() == sent
        ear.sock.close()


def test_longer_ones_are_dropped_and_counted() -> None:
    with make(IPV4) as mouth:
        ear = ManyEar(plain=True)
        for size in (10, PLAIN_SLOT + 1, PLAIN_SLOT, 20):
            mouth.sendto(bytes(size), ear.address)
        assert ear.receiver.drain() == 4
        assert [len(data) for data in ear.datagrams()] == [10, PLAIN_SLOT, 20]
        assert ear.receiver.truncated == 1
        ear.sock.close()


def test_more_senders_than_are_remembered_are_all_told_apart() -> None:
    ear = ManyEar()
    mouths = [make(IPV4) for _ in range(SENDERS + 10)]
    for mouth in mouths:
        mouth.sendto(b"x", ear.address)
    while ear.receiver.drain():
        pass
    assert [each.source[1] for each in ear.got] == [mouth.getsockname()[1] for mouth in mouths]
    assert len(ear.receiver.known) <= SENDERS
    for sock in (*mouths, ear.sock):
        sock.close()


def test_nothing_is_handed_over_once_the_taker_has_closed_the_socket() -> None:
    with make(IPV4) as mouth, make(IPV4) as sock:
        taken: list[int] = []
        sock.bind(("127.0.0.1", 0))

        def take(_data: memoryview, size: int, *_how: object) -> None:
            taken.append(size)
            receiver.close()

        receiver = BatchReceiver(sock, take, reading=Reading(many=RECEIVE))
        for size in (3, 5, 7):
            mouth.sendto(bytes(size), sock.getsockname())
        receiver.drain()
        assert taken == [3]
        assert receiver.errors == 0


@pytest.mark.parametrize("arguments", [(0, bytearray(10), 0), (0, bytearray(10), 65_537), (0, bytes(10), 5),
                                       (-1, bytearray(10), 5), ("0", bytearray(10), 5), (0, bytearray(10))])
def test_native_code_refuses_what_makes_no_sense(arguments: tuple[object, ...]) -> None:
    assert RECEIVE is not None
    with pytest.raises((TypeError, ValueError, BufferError)):
        RECEIVE(*arguments)  # type: ignore[arg-type]


def test_native_code_tells_the_error_of_the_system() -> None:
    assert RECEIVE is not None
    with make(IPV4) as sock, pytest.raises(BlockingIOError):
        RECEIVE(sock.fileno(), bytearray(100), 10)
    with open(os.devnull, "rb") as file, pytest.raises(OSError, match="non-socket"):
        RECEIVE(file.fileno(), bytearray(100), 10)


@LINUX_ONLY
@pytest.mark.parametrize("ear", [Ear, ManyEar])
def test_wait_in_a_buffer_that_fills_up_counts_as_a_queue(ear: Callable[[], Ear]) -> None:
    """Who sends has to feel it before datagrams get lost; a late processor with room in the buffer it need not feel."""
    counted = {}
    with make(IPV4) as mouth:
        for name, share in (("room", FILLED / 4), ("full", 0.95)):
            each = ear()
            each.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
            room = each.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            for _ in range(int(share * room / 2304)):
                mouth.sendto(bytes(SIZE), each.address)
            sent = time.monotonic()
            time.sleep(0.1)
            arrivals: list[float] = []
            each.receiver.take = lambda *_, each=each, arrivals=arrivals: arrivals.append(  # type: ignore[misc]
                each.receiver.arrived)
            while each.receiver.drain():
                pass
            counted[name] = max(arrivals) - sent
            each.sock.close()
    assert counted["room"] < 0.01
    assert 0.01 < counted["full"] < FELT + 0.01
