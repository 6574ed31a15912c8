"""The kernel's pacing of connections that are somebody else's in the same process, on the loopback interface."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.lan.pacing import (
    LEAST_PACE,
    NO_PACING,
    SO_MAX_PACING_RATE,
    connections,
    is_possible,
    pace,
    round_trips,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not is_possible(), reason="Linux only")


class Connection:
    """
    A TCP connection of this process with itself.
    """

    def __init__(self, stack: ExitStack, family: int = socket.AF_INET, address: str = "127.0.0.1") -> None:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, 0))
        listener.listen()
        self.near = stack.enter_context(socket.socket(socket.AF_INET))
        self.near.connect(("127.0.0.1", listener.getsockname()[1]))
        self.far = stack.enter_context(listener.accept()[0])
        self.peer = "127.0.0.1", listener.getsockname()[1]

    def paced(self) -> int:
        [value] = struct.unpack("@Q", self.near.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 8))
        return int(value)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_only_connections_with_these_peers_are_paced(stack: ExitStack) -> None:
    ours, others = Connection(stack), Connection(stack)
    assert pace({ours.peer}, 123_456.0) == 1
    assert ours.paced() == 123_456
    assert others.paced() == NO_PACING
    assert pace({ours.peer}, None) == 1
    assert ours.paced() == NO_PACING


def test_those_that_have_something_to_send_share_it(stack: ExitStack) -> None:
    busy, idle = [Connection(stack) for _ in range(2)], Connection(stack)
    for connection in busy:
        connection.near.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                connection.near.send(bytes(65536))
    assert pace({connection.peer for connection in (*busy, idle)}, 400_000.0) == 3
    assert [connection.paced() for connection in (*busy, idle)] == [200_000] * 3


def test_pace_never_stops_a_connection(stack: ExitStack) -> None:
    connection = Connection(stack)
    pace({connection.peer}, 0.0)
    assert connection.paced() == LEAST_PACE


def test_peer_by_ipv4_on_a_socket_of_both_families_is_found(stack: ExitStack) -> None:
    connection = Connection(stack, socket.AF_INET6, "::ffff:127.0.0.1")
    assert pace({connection.near.getsockname()}, 50_000.0) == 1


def test_nothing_is_left_open_and_nothing_is_closed(stack: ExitStack) -> None:
    connection = Connection(stack)
    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    stack.enter_context(open(os.devnull, "rb"))  # noqa: SIM115
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(50):
        pace({connection.peer}, 1e6)
    assert sorted(os.listdir("/proc/self/fd")) == before
    connection.near.sendall(b"still there")
    assert connection.far.recv(100) == b"still there"


def test_connection_of_somebody_who_does_not_wait_stays_so(stack: ExitStack) -> None:
    connection = Connection(stack)
    os.set_blocking(connection.near.fileno(), False)
    pace({connection.peer}, 1e6)
    round_trips({connection.peer}, 10.0)
    assert not os.get_blocking(connection.near.fileno())


def test_peers_that_are_not_there_are_none(stack: ExitStack) -> None:
    assert pace({("192.0.2.1", 6881)}, 1000.0) == 0
    assert list(connections({})) == []


def test_round_trips_are_those_the_kernel_knows(stack: ExitStack) -> None:
    connection = Connection(stack)
    for _ in range(20):
        connection.near.sendall(b"ping")
        connection.far.recv(4)
    found = round_trips({connection.peer}, 10.0)
    assert set(found) == {connection.peer}
    assert 0 < found[connection.peer] < 1
    assert round_trips({connection.peer}, -1.0) == {}
