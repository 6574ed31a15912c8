"""
Many datagrams in a row: sent at a pace by a thread, received with the kernel's times of arrival.

Sending has a socket of its own: what fills its buffer in front of a slow link fills no other's.
"""
from __future__ import annotations

import socket
import struct
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from .interfaces import IPV4
from .options import Option, read_ancillary, sending
from .sockets import apply, make

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator

    from .interfaces import Interface
    from .options import Platform

TRAIN_BUFFER: Final = 128 * 1024
"""Bytes of our packets that may wait in front of the link: some milliseconds, so that others' find room there."""

SEND_PATIENCE: Final = 0.2
"""Seconds that one packet may wait for room, until the rest is given up."""

CATCH_UP: Final = 0.005
"""Seconds of the pace that may be made up for at once after the thread had to wait: bounds what bursts out."""

LONGEST_NAP: Final = 0.002
"""Seconds of sleep between two looks at the clock."""

LONGEST: Final = 2.0
"""Seconds that one train may take to leave, whatever its pace."""

SEGMENTS: Final = 8
"""Packets that the kernel gets with one call: a tenth of the work, and no larger a burst than announcements make."""

SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
"""Of Linux, linux/udp.h."""

SO_TIMESTAMPNS: Final = 35
SO_RXQ_OVFL: Final = 40
"""Of Linux, asm-generic/socket.h: time of arrival as a timespec, and how many the socket has dropped so far."""

TIMESPEC: Final = struct.Struct("@ll")


class Sink(Protocol):
    """
    Takes the packets of a train that is awaited.
    """

    @property
    def head(self) -> bytes:
        """
        What these packets begin with.
        """

    def take(self, link: tuple[int, int], ip: str, data: bytes, when: int, dropped: int) -> None:
        """
        Take one packet with the time of its arrival (ns) and the number that its socket has dropped so far.
        """


def open_train(platform: Platform, interface: Interface, family: int, group: tuple[str, int],
               loop: bool) -> socket.socket:
    """
    Open a socket that sends to the group by one interface and waits for room. `loop`: this machine hears it too.

    :raises OSError: when the address can't be used.
    """
    sock = make(family)
    try:
        ip = interface.address(family) or ""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TRAIN_BUFFER)
        scope = () if family == IPV4 else (0, interface.index)
        sock.bind((ip, 0, *scope))
        apply(sock, sending(platform, family, ip, interface.index))
        level, name = (0, platform.ip_multicast_loop) if family == IPV4 else (41, platform.ipv6_multicast_loop)
        apply(sock, (Option(level, name, int(loop), required=False),))
        sock.connect((*group, *scope))
        sock.settimeout(SEND_PATIENCE)
    except BaseException:
        sock.close()
        raise
    return sock


def segment(sock: socket.socket, platform: Platform, size: int) -> int:
    """
    Let the kernel cut what is sent into datagrams of `size` bytes, where it can (udp(7), UDP_SEGMENT).

    Get how many datagrams are to be handed over at once: 1 where it can't.
    """
    if platform.name != "linux":
        return 1
    try:
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, size)
    except OSError:
        return 1
    return SEGMENTS if size else 1


def send_paced(sock: socket.socket, packets: Iterator[bytes], seconds_each: float, at_once: int,
               give_up: threading.Event) -> int:
    """
    Send packets at a pace, in this thread, so many with one call; get how many left.

    Ends early when the link takes none any more. Where the driver can't cut what it is given, all go one by one.
    """
    sent, start = 0, time.perf_counter()
    until = start + LONGEST
    try:
        while batch := list(islice(packets, at_once)):
            while (ahead := start + sent * seconds_each - time.perf_counter()) > at_once * seconds_each:
                if give_up.is_set() or time.perf_counter() > until:
                    return sent
                time.sleep(min(ahead, LONGEST_NAP))
            start += max(0.0, -CATCH_UP - ahead)
            try:
                sock.send(b"".join(batch))
            except OSError:
                if at_once == 1 or sent:
                    raise
                at_once = 1
                sock.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
                for packet in batch:
                    sock.send(packet)
            sent += len(batch)
    except OSError:  # Also a timeout: the interface is gone or the link stands still. Reports tell what arrived.
        pass
    return sent


def note_arrivals(platform: Platform, sock: socket.socket, on: bool) -> None:
    """
    Let the kernel tell times of arrival and drops of a socket, where it can.
    """
    if platform.name == "linux":
        apply(sock, (Option(socket.SOL_SOCKET, SO_TIMESTAMPNS, int(on), required=False),
                     Option(socket.SOL_SOCKET, SO_RXQ_OVFL, int(on), required=False)))


def arrival_of(platform: Platform, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int | None, int, int]:
    """
    Get interface index, time of arrival (ns) and drops out of what `recvmsg` gave; the time is now where the kernel
    does not tell.
    """
    when, dropped, others = None, 0, []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and platform.name == "linux":
            if kind == SO_TIMESTAMPNS and len(data) == TIMESPEC.size:
                seconds, nanoseconds = TIMESPEC.unpack(data)
                when = 1_000_000_000 * seconds + nanoseconds
            elif kind == SO_RXQ_OVFL:
                dropped = int.from_bytes(data[:4], sys.byteorder)
        else:
            others.append((level, kind, data))
    index, _ = read_ancillary(platform, others)
    return index, time.time_ns() if when is None else when, dropped
