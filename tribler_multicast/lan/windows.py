"""
How much the peers of this process's TCP connections may have under way to it: its receive windows.

A client that limits its downloads reads less, and what others send waits in the kernel's buffers: megabytes, seconds of
it, before they notice. The window (TCP_WINDOW_CLAMP, tcp(7); no privilege) says at once how much may be under way, and
a rate is a window per round trip. The kernel widens windows by itself, unless the buffer's size is fixed; so it is
fixed while there is a limit, and set free afterwards (SO_BUF_LOCK, Linux 5.14), with the size it had. Like
`lan.pacing` it works on copies of the descriptors, and needs to be called again for connections that are new.
"""
from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

from .pacing import TCP_INFO_SIZE, Peer, connections

if TYPE_CHECKING:
    from collections.abc import Container

SO_BUF_LOCK: Final = 72
RECEIVE_LOCK: Final = 2
TCP_WINDOW_CLAMP: Final = 10
WIDEST: Final = 1 << 28
LAST_DATA_AT: Final = 52
MIN_RTT_AT: Final = 148
"""Of struct tcp_info, linux/tcp.h: milliseconds since data came last, least round trip in microseconds."""
MSS_AT: Final = 20
BUSY: Final = 300
"""Milliseconds: who sent something so lately takes part."""
BURST: Final = 0.02
"""Seconds of its rate that may wait at the gateway, beside what is on the way; no less than two ticks of libtorrent,
who reads once a tick."""
FEWEST: Final = 2
"""Segments: with a smaller window acknowledgements are delayed."""
LONGEST: Final = 0.5
"""A round trip that is believed, seconds: no window is made wider by a connection that says more."""
PER_BYTE: Final = 3
"""Size of the buffer for each byte of the window: the kernel counts what packets take, not what is in them."""


class Windows:
    """
    Narrows the windows of connections, and sets them free again.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self._before: dict[Peer, tuple[int, int]] = {}
        """Of those that were narrowed: the size of the buffer, and its locks."""

    def narrow(self, peers: Container[Peer], total: float) -> int:
        """
        Let all these peers together send no faster than about this, bytes/s; get how many there were.
        """
        self.free({peer for peer in self._before if peer not in peers})
        busy = sum(_info(sock, LAST_DATA_AT) <= BUSY for _, sock in connections(peers))
        each = total / max(1, busy)
        found = 0
        for peer, sock in connections(peers):
            with contextlib.suppress(OSError, struct.error):
                round_trip = min(LONGEST, _info(sock, MIN_RTT_AT) / 1e6)
                self._set(peer, sock, max(FEWEST * max(536, _info(sock, MSS_AT)), int(each * (round_trip + BURST))))
                found += 1
        return found

    def _set(self, peer: Peer, sock: socket.socket, window: int) -> None:
        with contextlib.suppress(OSError):  # an older kernel: the window alone, which it widens again
            locks = sock.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK)
            if peer not in self._before:
                self._before[peer] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2, locks
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PER_BYTE * window)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, window)

    def free(self, peers: Container[Peer] | None = None) -> None:
        """
        Take it back, for some of them, None: for all.
        """
        chosen = {peer for peer in self._before if peers is None or peer in peers}
        for peer, sock in connections(chosen) if chosen else ():
            with contextlib.suppress(OSError):
                size, locks = self._before[peer]
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
                sock.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, locks)
                sock.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, WIDEST)
        for peer in chosen:
            del self._before[peer]


def _info(sock: socket.socket, at: int) -> int:
    """
    Read one number of a connection's state, 0 where the kernel does not tell it.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        value: int = struct.unpack_from("@I", info, at)[0]
    except (OSError, struct.error):
        return 0
    return value
