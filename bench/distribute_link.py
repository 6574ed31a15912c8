"""
Whether the links of `bench/distribute.py` are what they are meant to be: their rate, their loss, packet by packet.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING

from .common import BenchError

if TYPE_CHECKING:
    from tests.lan.testbed import Machine

    from .distribute_lan import Box

SIZE = 1400
HEADERS = 14 + 20 + 8
BATCH = 40
PORT = 9
UDP_SEGMENT, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 103, 33, 35
BUFFER = 32 << 20
SECONDS = 0.6
"""Of each measurement: tbf lets its burst pass at once, which is over by SETTLED."""

SETTLED = 0.2
TURN = 0.001


def probe(sender: Machine, receiver: Machine, rate: float, *, gently: bool = False) -> list[tuple[float, int]]:
    """
    Send numbered datagrams, many in one buffer, at a rate (bytes/s), and return when which arrived.

    :param gently: when late, do not make up for it: no queue is ever filled.
    """
    with sender.socket() as out, receiver.socket() as back:
        out.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        back.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        back.bind(("", PORT))
        for sock in (out, back):
            sock.setblocking(False)
        address, sent, arrived = (receiver.interfaces["eth0"].ipv4, PORT), 0, list[tuple[float, int]]()
        due, interval = 0.0, BATCH * (SIZE + HEADERS) / rate
        back.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        begin, start = time.monotonic(), time.time()
        while (now := time.monotonic() - begin) < SECONDS + 0.2:
            while due <= now < SECONDS:
                due = (now if gently else due) + interval
                with contextlib.suppress(BlockingIOError):
                    out.sendto(b"".join(map(numbered, range(sent, sent + BATCH))), address)
                    sent += BATCH
            arrived += taken(back, start)
            time.sleep(TURN)
    if len(arrived) < 2:
        raise BenchError(f"nothing arrives at {receiver}")
    return arrived


def numbered(number: int) -> bytes:
    """
    Return a datagram.
    """
    return number.to_bytes(4) + bytes(SIZE - 4)


def taken(sock: socket.socket, start: float) -> list[tuple[float, int]]:
    """
    Return what is there, with the time it came: the kernel's, for we may be late.
    """
    found = []
    while True:
        try:
            data, [(_, _, when)], _, _ = sock.recvmsg(SIZE, 64)
        except BlockingIOError:
            return found
        seconds, nanoseconds = struct.unpack("@ll", when)
        found.append((seconds + 1e-9 * nanoseconds - start, int.from_bytes(data[:4])))


def rate(box: Box, mbit: float) -> float:
    """
    Return the Mbit/s that arrive at the first receiver when far more is sent.
    """
    arrived = [when for when, _ in probe(box.sender, box.receivers[0], 2.5 * mbit * 1e6 / 8)
               if SETTLED < when < SECONDS]
    return 8e-6 * (len(arrived) - 1) * (SIZE + HEADERS) / (arrived[-1] - arrived[0])


def loss(box: Box, mbit: float) -> dict[str, float]:
    """
    Return the percent lost at the first receiver of what is sent at a third of the rate, and the percent lost right
    after one that was lost: the same when each is lost on its own.
    """
    arrived = {number for _, number in probe(box.sender, box.receivers[0], mbit * 1e6 / 8 / 3, gently=True)}
    lost = sorted(set(range(max(arrived) + 1)) - arrived)
    again = sum(number + 1 in set(lost) for number in lost)
    return {"lost": 100 * len(lost) / (max(arrived) + 1), "after_lost": 100 * again / max(1, len(lost))}
