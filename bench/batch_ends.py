"""
The two ends of a bulk transfer, as processes for `bench/batch.py`. The last line of each is what it did, as JSON.

    python -m bench.batch_ends {send,receive} {ours,plain,asyncio} [--rate BYTES] [--seconds S] [--ipv6]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from tribler_multicast.lan.batch import RECEIVE_BUFFER, BatchReceiver, BatchSender, enlarge
from tribler_multicast.lan.interfaces import IPV4, IPV6, snapshot
from tribler_multicast.lan.options import current
from tribler_multicast.lan.pacer import Pacer
from tribler_multicast.lan.session_group import SESSION_PORT, group_of, open_data
from tribler_multicast.lan.sockets import open_multicast

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tribler_multicast.lan.interfaces import Interface

SESSION = bytes(range(32))
SIZE = 1452
END = b"\xff"
"""What the datagrams after the last begin with."""

HEADERS = {IPV4: 14 + 20 + 8, IPV6: 14 + 40 + 8}
"""Bytes of a packet beside its payload that a shaped link counts."""

MAX_SIZE = 2048
"""What asyncio is to allocate for each datagram, instead of 256 KiB."""


class Counts:
    """
    What a receiver got, and when.
    """

    def __init__(self) -> None:
        """
        Nothing yet.
        """
        self.datagrams = self.bytes = 0
        self.begin = self.end = 0.0
        self.done = asyncio.Event()
        self.cpu = time.process_time()

    def take(self, data: memoryview | bytes, size: int, count: int, *_how: object) -> None:
        """
        Count datagrams.
        """
        if data[:1] == END:
            self.done.set()
            return
        self.end = time.monotonic()
        self.begin = self.begin or self.end
        self.datagrams += count
        self.bytes += len(data)


class Protocol(asyncio.DatagramProtocol):
    """
    Counts datagrams as asyncio gives them.
    """

    def __init__(self, counts: Counts) -> None:
        """
        Count there.
        """
        self.counts = counts

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ANN401
        """
        Count one.
        """
        self.counts.take(data, len(data), 1, addr)


async def receive(mode: str, interface: Interface, family: int) -> dict[str, float]:
    """
    Count what comes until the end is told.
    """
    sock = open_multicast(current(), interface, family, group_of(SESSION, family), SESSION_PORT)
    counts, calls = Counts(), None
    if mode == "asyncio":
        enlarge(current(), sock, RECEIVE_BUFFER)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Protocol(counts), sock=sock)
        transport.max_size = MAX_SIZE  # type: ignore[attr-defined]
    else:
        receiver = calls = BatchReceiver(sock, counts.take, plain=mode == "plain")
        receiver.start()
    print("ready", flush=True)
    await asyncio.wait_for(counts.done.wait(), 60)
    return {"datagrams": counts.datagrams, "bytes": counts.bytes, "seconds": counts.end - counts.begin,
            "cpu": time.process_time() - counts.cpu, "calls": calls.calls if calls else counts.datagrams}


async def sender_of(mode: str, sock: socket.socket, address: tuple[str, int],
                    index: int) -> Callable[[memoryview], int]:
    """
    Get what sends a buffer and tells how many datagrams went.
    """
    if mode != "asyncio":
        sender = BatchSender(sock, index, plain=mode == "plain")
        return lambda data: sender.send(data, SIZE, address).went
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, sock=sock)
    where = (*address, 0, index) if ":" in address[0] else address

    def send(data: memoryview) -> int:
        if transport.get_write_buffer_size():  # type: ignore[attr-defined]
            return 0
        for start in range(0, len(data), SIZE):
            transport.sendto(data[start:start + SIZE], where)
        return -(-len(data) // SIZE)

    return send


async def send(mode: str, interface: Interface, family: int, rate: float, seconds: float) -> dict[str, float]:
    """
    Send for so many seconds, at a rate (bytes/s on the link) or as fast as it goes.
    """
    sock = open_data(current(), interface, family, (0,))
    address = group_of(SESSION, family), SESSION_PORT
    give = await sender_of(mode, sock, address, interface.index)
    data = memoryview(bytes(256 * SIZE))
    cpu, begin = time.process_time(), time.monotonic()
    pacer, went = Pacer(rate, SIZE + HEADERS[family], begin), 0
    while (now := time.monotonic()) < begin + seconds:
        sent = give(data[:(pacer.ready(now) if rate else 88) * SIZE])
        went += sent
        pacer.sent(sent)
        now = time.monotonic()
        await asyncio.sleep(pacer.wake_at(now) - now if rate else 0 if sent else 0.0005)
    cpu, taken = time.process_time() - cpu, time.monotonic() - begin
    for _ in range(3):
        await asyncio.sleep(0.05)
        give(memoryview(END))
    return {"datagrams": went, "bytes": went * SIZE, "seconds": taken, "cpu": cpu}


def main() -> int:
    """
    Be one end.
    """
    parser = argparse.ArgumentParser(prog="bench.batch_ends")
    parser.add_argument("role", choices=["send", "receive"])
    parser.add_argument("mode", choices=["ours", "plain", "asyncio"])
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--ipv6", action="store_true")
    options = parser.parse_args()
    interface = next(interface for interface in snapshot() if interface.name == "eth0")
    family = IPV6 if options.ipv6 else IPV4
    if options.role == "receive":
        done = asyncio.run(receive(options.mode, interface, family))
    else:
        done = asyncio.run(send(options.mode, interface, family, options.rate, options.seconds))
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
