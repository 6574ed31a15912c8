"""
How fast the kernel sends what it was given, connection by connection, and the round trips it knows.

A client that limits its uploads limits what it gives to the kernel, in bursts, and what the kernel holds already
leaves at full speed: seconds of it. Linux paces each TCP connection (SO_MAX_PACING_RATE, socket(7); no privilege, no
queue discipline), and that counts at once. The sockets are of this process; which of them are the client's is found by
their remote addresses, of a copy of the descriptor, so that one closed meanwhile is none of anybody else's.
"""
from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

SO_MAX_PACING_RATE: Final = 47
NO_PACING: Final = 2**64 - 1
LEAST_PACE: Final = 1_000
"""Bytes/s: less would make a connection die."""
MOST_DESCRIPTORS: Final = 8192
TCP_INFO_SIZE: Final = 192
RTT_AT: Final = 68
LAST_ACK_AT: Final = 56
UNACKED_AT: Final = 24
NOTSENT_AT: Final = 144
ACKED_AT: Final = 120
"""Of struct tcp_info, linux/tcp.h: smoothed round trip in microseconds, milliseconds since the last acknowledgement,
segments not acknowledged, bytes not sent, bytes acknowledged."""

Peer = tuple[str, int]


def is_possible() -> bool:
    """
    Tell whether this system can do it.
    """
    return sys.platform.startswith("linux") and os.path.isdir("/proc/self/fd")


def connections(peers: Container[Peer]) -> Iterator[tuple[Peer, socket.socket]]:
    """
    Go through the TCP connections of this process with these peers (IP address, port). The socket is a copy, closed
    after its turn.
    """
    if not is_possible():
        return
    for name in os.listdir("/proc/self/fd")[:MOST_DESCRIPTORS]:
        sock = _copy(int(name))
        if sock is None:
            continue
        with sock:
            try:
                if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                address, port, *_ = sock.getpeername()
            except OSError:
                continue
            peer = address.removeprefix("::ffff:"), port
            if peer in peers:
                yield peer, sock


def _copy(descriptor: int) -> socket.socket | None:
    """
    Get a copy of a socket; None when it is none, or is closed already. Whether it blocks is of both, and the client's
    affair: neither `socket.dup` nor a timeout may be set on it, or libtorrent's thread waits in a call for ever
    [seen].
    """
    try:
        descriptor = os.dup(descriptor)
    except OSError:
        return None
    try:
        return socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return None


def pace(peers: Container[Peer], total: float | None) -> int:
    """
    Have the kernel send no faster than this to all these peers together, bytes/s, None: as fast as it can; get how many
    there were. It is shared evenly by those that have something to send; the others may begin with as much.
    """
    busy = 0 if total is None else sum(_has_data(sock) for _, sock in connections(peers))
    value = NO_PACING if total is None else max(LEAST_PACE, int(total / max(1, busy)))
    found = 0
    for _, sock in connections(peers):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("@Q", value))
            found += 1
    return found


def _has_data(sock: socket.socket) -> bool:
    """
    Tell whether the kernel holds something that was not sent, or not acknowledged.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        return any(struct.unpack_from("@I", info, at)[0] for at in (UNACKED_AT, NOTSENT_AT))
    except (OSError, struct.error):
        return False


def round_trips(peers: Container[Peer], fresh: float) -> dict[Peer, float]:
    """
    Get the round trip to each of these peers who acknowledged something in the last `fresh` seconds, in seconds.
    """
    found = {}
    for peer, sock in connections(peers):
        with contextlib.suppress(OSError, struct.error):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
            (last_ack,), (rtt,) = struct.unpack_from("@I", info, LAST_ACK_AT), struct.unpack_from("@I", info, RTT_AT)
            if rtt and last_ack <= 1000 * fresh:
                found[peer] = rtt / 1e6
    return found


def acknowledged(peers: Container[Peer]) -> dict[Peer, int]:
    """
    Get how many bytes each of these peers has acknowledged: what a client counts as sent may wait in the kernel, for
    seconds of it.
    """
    found = {}
    for peer, sock in connections(peers):
        with contextlib.suppress(OSError, struct.error):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
            [found[peer]] = struct.unpack_from("@Q", info, ACKED_AT)
    return found
