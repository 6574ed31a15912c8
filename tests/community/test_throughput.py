"""Throughput between communities with real sockets on loopback."""
from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time

import pytest

from tribler_multicast.lan.options import LINUX, WINDOWS
from tribler_multicast.lan.train import SO_RXQ_OVFL, SO_TIMESTAMPNS, arrival_of, send_paced
from tribler_multicast.protocol.wire import Kind

from .test_multicast import Maker, make, make_pair

__all__ = ["make"]


async def test_throughput_is_measured_and_the_event_loop_goes_on_meanwhile(make: Maker) -> None:
    a, b = await make_pair(make)
    longest, last = 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

    watching = asyncio.ensure_future(watch())
    [result] = await a.ping_all(count=1, throughput=True)
    watching.cancel()
    print(f"{result.throughput_mbps} Mbit/s, the loop was away for {1000 * longest:.1f} ms at most")
    assert result.mid == b.my_peer.mid
    assert result.throughput_mbps is not None
    assert 1 < result.throughput_mbps <= 1000
    assert b.lan.sink is None
    assert a.core.counters.sent["train_packet"] > 64
    assert a.train_tasks == set()
    with pytest.raises(ValueError, match="just now"):
        await a.ping(b.my_peer.mid, throughput=True)
    assert (await a.ping(b.my_peer.mid, count=1)).throughput_mbps is None


async def test_who_does_not_take_part_has_no_throughput(make: Maker) -> None:
    a, b = await make_pair(make)
    receive = b.core.datagram_received
    b.core.datagram_received = lambda data, *more: None if data[22] == Kind.TRAIN else receive(data, *more)
    result = await a.ping(b.my_peer.mid, count=1, throughput=True)
    assert (result.received, result.throughput_mbps) == (1, None)


async def test_a_measurement_given_up_leaves_nothing(make: Maker) -> None:
    a, b = await make_pair(make)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(a.measure(None), 0.15)
    await asyncio.sleep(0.05)
    assert a.core.trains.run is None
    assert (a.train_ends, a.train_tasks) == ({}, set())
    with pytest.raises(ValueError, match="another node"):
        await b.measure(None)


async def test_a_measurement_ends_with_the_node(make: Maker) -> None:
    a, b = await make_pair(make)
    task = asyncio.ensure_future(b.measure(None))
    await asyncio.sleep(0.15)
    await b.stop()
    assert await asyncio.wait_for(task, 1) in ({a.my_peer.mid: None}, {})
    await asyncio.sleep(0.05)
    assert b.train_tasks == set()
    with pytest.raises(ValueError, match="switched off"):
        await b.measure(None)


def test_a_train_keeps_its_pace_and_ends_in_time() -> None:
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with receiver, sender:
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        start = time.perf_counter()
        assert send_paced(sender, iter([b"x"] * 100), 0.002, 8, threading.Event()) == 100
        assert 0.15 < time.perf_counter() - start < 1
        give_up = threading.Event()
        give_up.set()
        assert send_paced(sender, iter([b"x"] * 100), 1000.0, 1, give_up) <= 2
        start = time.perf_counter()
        assert send_paced(sender, iter([b"x"] * 100), 1000.0, 1, threading.Event()) <= 2
        assert time.perf_counter() - start < 5
    assert send_paced(sender, iter([b"x"] * 100), 0.0, 1, threading.Event()) == 0


def test_times_and_drops_are_read_from_what_the_kernel_tells() -> None:
    told = [(0, LINUX.ip_pktinfo or 0, struct.pack("=i8x", 7)),
            (socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", 5, 9)),
            (socket.SOL_SOCKET, SO_RXQ_OVFL, struct.pack("=I", 3))]
    assert arrival_of(LINUX, told) == (7, 5_000_000_009, 3)
    index, when, dropped = arrival_of(LINUX, [(socket.SOL_SOCKET, SO_TIMESTAMPNS, b"short")])
    assert (index, dropped) == (None, 0)
    assert abs(when - time.time_ns()) < 10**9
    assert arrival_of(WINDOWS, told)[1] > 10**18
