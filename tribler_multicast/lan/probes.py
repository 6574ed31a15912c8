"""
Sockets that ask routers for the time it takes, with no privilege.

A datagram with few hops to live ends at a router, who says so. Linux keeps that for the socket that sent it
(IP_RECVERR, ip(7)), with the address of the router and the kernel's time of arrival. The number of a probe is in its
port: what comes back quotes no more than that for sure. Where the system lets (net.ipv4.ping_group_range, icmp(7)),
echo requests go out by a datagram socket of ICMP. What can't be done here is not sent, and `send` says so.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

IP_RECVERR: Final = 11
SO_TIMESTAMPNS: Final = 35
MSG_ERRQUEUE: Final = 0x2000
ERROR: Final = struct.Struct("=IBBBBII")
"""sock_extended_err of linux/errqueue.h; the address of who sent the error is behind it."""
FROM_ICMP: Final = 2
TIMESPEC: Final = struct.Struct("@qq")
ECHO: Final = struct.Struct(">BBHHH")
ECHO_REQUEST: Final = 8
ECHO_REPLY: Final = 0
PAYLOAD: Final = bytes(24)

FIRST_PORT: Final = 33434
PORTS: Final = 32
"""Where datagrams go that never arrive: ports of traceroute(8). So few, that they take few entries of the gateway's
table of connections; more are never under way."""
NOWHERE: Final = "203.0.113.1"
"""Where to, when nothing better is known: an address of RFC 5737, of nobody."""
FARTHEST: Final = 4
"""Hops that an echo request goes at most: routers right behind the gateway are asked, nobody beyond."""
MOST_AT_ONCE: Final = 64
"""Answers taken in a row: then others have their turn."""
OLDEST: Final = 1.0
"""A time of arrival that is longer ago is no such time: the clock was set."""


class Probes:
    """
    The sockets; `answered` is called with number, address and time (of time.monotonic) of each answer.
    """

    def __init__(self, answered: Callable[[int, str, float], None]) -> None:
        """
        Open nothing yet.
        """
        self.answered = answered
        self.destination = NOWHERE
        self.can_echo = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._datagrams: socket.socket | None = None
        self._echo: socket.socket | None = None
        self._numbers: dict[int, int] = {}
        """By port."""

    def open(self, address: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """
        Open them at this IPv4 address of ours, on this event loop (default: the running one).

        :raises OSError: when it is not ours any more.
        """
        self.close()
        self._loop = loop = loop or asyncio.get_running_loop()
        if sys.platform.startswith("linux"):
            self._datagrams = _bound(socket.SOCK_DGRAM, 0, address)
            self._datagrams.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            loop.add_reader(self._datagrams, self._read_errors, self._datagrams)
        with contextlib.suppress(OSError):
            self._echo = _bound(socket.SOCK_DGRAM, socket.IPPROTO_ICMP, address)
            self._echo.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, FARTHEST)
            loop.add_reader(self._echo, self._read_echo, self._echo)
        self.can_echo = self._echo is not None

    def close(self) -> None:
        """
        Close them; nothing that is under way comes back.
        """
        for sock in (self._datagrams, self._echo):
            if sock is not None:
                assert self._loop is not None
                self._loop.remove_reader(sock)
                sock.close()
        self._datagrams = self._echo = None
        self._numbers.clear()

    def send(self, number: int, ttl: int | None, address: str | None) -> bool:
        """
        Send a probe with this number (0..65535): an echo request to an address, or a datagram that ends after so many
        hops.
        """
        try:
            if address is not None and ttl is None and self._echo is not None:
                self._echo.sendto(_echo_request(number), (address, 0))
            elif ttl is not None and self._datagrams is not None:
                port = FIRST_PORT + number % PORTS
                self._numbers[port] = number
                self._datagrams.sendmsg([PAYLOAD], [(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("@i", ttl))], 0,
                                        (self.destination, port))
            else:
                return False
        except OSError as e:  # no route, a full queue; or an error of an earlier one, which is read below
            logger.debug("A probe was not sent: %s", e)
            return False
        return True

    def _read_errors(self, sock: socket.socket) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                _, ancillary, _, where = sock.recvmsg(len(PAYLOAD), 512, MSG_ERRQUEUE)
            except OSError:
                break
            address = _offender(ancillary)
            number = self._numbers.pop(where[1], None) if where else None
            if address is not None and number is not None:
                self.answered(number, address, _arrival(ancillary))
        with contextlib.suppress(OSError):  # a datagram for us: nobody was asked for one
            sock.recv(1)

    def _read_echo(self, sock: socket.socket) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data, ancillary, _, where = sock.recvmsg(2048, 512)
            except OSError:
                return
            if data[:1] >= b"\x40" and len(data) > 20:  # with its IP header, on macOS
                data = data[(data[0] & 15) * 4:]
            if len(data) >= ECHO.size and data[0] == ECHO_REPLY:
                self.answered(ECHO.unpack_from(data)[4], where[0], _arrival(ancillary))


def can_echo() -> bool:
    """
    Tell whether echo requests can be made on this system by this user.
    """
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True


def _bound(kind: int, protocol: int, address: str) -> socket.socket:
    """
    Get a socket at an address of ours.
    """
    sock = socket.socket(socket.AF_INET, kind, protocol)
    try:
        sock.setblocking(False)
        sock.bind((address, 0))
        if sys.platform.startswith("linux"):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _echo_request(number: int) -> bytes:
    """
    Get the bytes of an echo request (RFC 792). Linux puts in its own identifier and checksum.
    """
    message = ECHO.pack(ECHO_REQUEST, 0, 0, 0, number) + PAYLOAD
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ECHO.pack(ECHO_REQUEST, 0, ~total & 0xFFFF, 0, number) + PAYLOAD


def _offender(ancillary: list[tuple[int, int, bytes]]) -> str | None:
    """
    Find who sent an ICMP error.
    """
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_RECVERR and len(data) >= ERROR.size + 8:
            _, origin, *_ = ERROR.unpack_from(data)
            if origin == FROM_ICMP:
                return socket.inet_ntoa(data[ERROR.size + 4:ERROR.size + 8])
    return None


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    """
    Find when it arrived, by time.monotonic: the kernel's time, or now.
    """
    now = time.monotonic()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= TIMESPEC.size:
            seconds, nanoseconds = TIMESPEC.unpack_from(data)
            ago = time.time() - seconds - nanoseconds / 1e9
            return now - ago if 0 <= ago <= OLDEST else now
    return now
