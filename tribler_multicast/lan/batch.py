"""
Bulk datagrams: many equal packets with one call of the kernel, in both directions, where it can; one by one elsewhere.

The socket is the bottleneck of a transfer, not the code: a call costs some microseconds whatever it carries. Linux cuts
one large buffer into datagrams on its way out (UDP_SEGMENT, "GSO", since 4.18) and glues datagrams of one sender that
arrive together (UDP_GRO, since 5.0), each behind the other in one buffer; udp(7). All but the last are equally long.

A socket over a full queue of the interface keeps saying that it sent: only a pace (`pacer.py`) helps against that.
"""
from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .interfaces import IPV4, IPV6
from .options import Option, current, read_ancillary, receiving
from .sockets import apply
from .train import SO_RXQ_OVFL, SO_TIMESTAMPNS, SOL_UDP, TIMESPEC, UDP_SEGMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .options import Platform

logger = logging.getLogger(__name__)

UDP_GRO: Final = 104
"""Of Linux, linux/udp.h."""

SO_RCVBUFFORCE: Final = 33
"""Of Linux, asm-generic/socket.h: SO_RCVBUF beyond net.core.rmem_max, for those who may (CAP_NET_ADMIN)."""

SEGMENTS: Final = 64
"""Datagrams that the kernel cuts out of one buffer; 128 since Linux 6.9."""

LARGEST: Final = 65_535 - 40 - 8
"""Bytes of one such buffer: what the length fields of IP hold, less the headers of IPv6 and UDP."""

RECEIVE_BUFFER: Final = 8 << 20
"""Bytes asked of the kernel for what has arrived: 70 ms at 1 Gbit/s, for a loop that is busy elsewhere."""

READ_SIZE: Final = 65_536
"""Bytes read with one call: more than a datagram, or several glued together, can have."""

PLAIN_SLOT: Final = 2048
"""Bytes for each datagram where many are read with one call and none are glued: what an Ethernet frame can hold."""

SLOTS: Final = {True: 8, False: 64}
"""How many such calls of the kernel (glued or not) one of ours may take the place of. All that one brings is in the
processor's cache."""

SENDERS: Final = 64
"""Addresses of senders that are remembered: whoever forges new ones makes us read them again, no more."""

PACKETS_PER_TURN: Final = 512
"""Datagrams taken from one socket before the loop's other work has its turn: some milliseconds."""

LONGEST_WAIT: Final = 5.0
"""Seconds that a datagram may have waited for us: what claims more was there when the clock was set."""

SO_MEMINFO: Final = 55
MEMINFO: Final = struct.Struct("@2I")
"""Of Linux, asm-generic/socket.h and linux/sock_diag.h: how much of the receive buffer is taken, and all of it."""

LATE: Final = 0.002
"""Seconds after which a datagram waited for us: then it is worth asking how full the buffer is."""

FILLED: Final = 0.375
"""Up to this share of the buffer it is our business why datagrams wait there: the processor had other work. With more,
they will soon get lost: who sends them has to feel that, as on any queue."""

FELT: Final = 0.02
"""Seconds of such a wait that count at most: the stream is to slow down a little, not to take us for one behind a slow
link."""

ANCILLARY_SIZE: Final = 256
"""Bytes for what the kernel tells beside the data: interface, hop limit, size of packets, drops."""

LOGGED: Final = 10
"""Failures of a taker that are logged; the others are only counted, so that a sender can't fill the disk."""

FOR_ANY_SIZE: Final = frozenset({errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""The device or the way (no checksum offload before Linux 6.11, IPsec) lets nothing be cut."""

FOR_THIS_SIZE: Final = frozenset({errno.EINVAL, errno.EMSGSIZE})
"""The packets don't fit the interface (EINVAL before Linux 6.14), or the socket's options don't go with it."""

FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})
"""There is no room now, later there will be."""

ASK_AGAIN: Final = 20_000
"""Datagrams one by one until cutting is tried again: the link may have changed."""

LENGTH: Final = struct.Struct("@H")


class Sent(NamedTuple):
    """
    How many datagrams of a batch went, and why not the others; no error: all did.
    """

    went: int
    error: OSError | None = None

    @property
    def full(self) -> bool:
        """
        Whether there is just no room now: send the rest when the socket is writable, or some milliseconds later.
        """
        return self.error is not None and self.error.errno in FULL


Run = tuple[int, int, int, int, int, int, int, "bytes | tuple[str, int]"]
"""
Datagrams that lie one behind the other: offset and length in the buffer, size of each but the last, count, when they
arrived (nanoseconds since 1970, or -1), interface and hop limit (or -1), sender.
"""

Many = Callable[[int, bytearray, int], tuple[int, int, int, list[Run]]]
"""(file, buffer, slot): messages of the kernel, those that were longer than a slot, dropped so far (or -1), runs."""

Take = Callable[[memoryview, int, int, tuple[str, int], int | None, int | None], None]
"""
Takes what arrived: (data, size, count, source, index, hops). `count` datagrams, each `size` bytes but the last, which
may be shorter; where they came from (IP address without scope, port); the arriving interface and the hop limit, None
where the platform does not tell. `data` is valid during the call only: copy what is to be kept.
"""


def cuts(platform: Platform, sock: socket.socket) -> bool:
    """
    Tell whether the kernel cuts buffers into datagrams. It must be asked: an older one ignores the request, and sends
    all as one large datagram.
    """
    if platform.name != "linux":
        return False
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


def enlarge(platform: Platform, sock: socket.socket, wanted: int) -> int:
    """
    Make a receive buffer as large as allowed, up to `wanted` bytes; get how large it is now (Linux: as it counts, twice
    of what one asks for, of which a single packet of 1,452 bytes takes 2,304).
    """
    names = [SO_RCVBUFFORCE] if platform.name == "linux" else []
    while wanted >= 65_536:
        for name in (*names, socket.SO_RCVBUF):
            try:
                sock.setsockopt(socket.SOL_SOCKET, name, wanted)
            except OSError:
                continue  # macOS refuses what is too large; Linux gives as much as it allows.
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        wanted //= 2
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


class Reading(NamedTuple):
    """
    How a socket is read: who is told when some datagrams were taken and it is the turn of others; and what receives
    many with one call (native code; Linux), of those that are not glued up to PLAIN_SLOT bytes.
    """

    turned: Callable[[], None] | None = None
    many: Many | None = None


ONE_BY_ONE: Final = Reading()


class BatchSender:
    """
    Sends batches of equal datagrams by a non-blocking UDP socket that is already set up (`sockets.open_unicast`).

    The socket may send other things too: nothing is set on it. Never raises for what the network does, never waits.
    """

    def __init__(self, sock: socket.socket, index: int = 0, platform: Platform | None = None, *,
                 plain: bool = False) -> None:
        """
        Send by a socket.

        :param index: the interface that link-local addresses of IPv6 are on.
        :param plain: one by one, whatever the kernel can.
        """
        self.sock = sock
        self.scope = (0, index) if sock.family == socket.AF_INET6 else ()
        self.cuts = not plain and cuts(platform or current(), sock)
        self.refused_size = LARGEST
        self.ask_again_at = 0
        self.datagrams = self.bytes = self.calls = 0
        self.errors: Counter[str] = Counter()

    def at_once(self, size: int) -> int:
        """
        Get how many datagrams of so many bytes leave with one call.
        """
        if not self.cuts or (size >= self.refused_size and self.datagrams < self.ask_again_at):
            return 1
        return max(1, min(SEGMENTS, LARGEST // size))

    def send(self, data: bytes | bytearray | memoryview, size: int, address: tuple[str, int] | None = None) -> Sent:
        """
        Send a buffer as datagrams of `size` bytes, the last one what is left; get how many went.

        Each call of the kernel goes whole or not at all, so what did not go begins at `went * size`.

        :param address: numeric IP address and port, of a group or a node; None: where the socket is connected to.
        :raises ValueError: when size is not positive.
        """
        if size <= 0:
            raise ValueError(f"packets of {size} bytes")
        view = memoryview(data).cast("B")
        where = (*address, *self.scope) if address is not None else None
        total, done, stale = -(-len(view) // size), 0, True
        doubted: OSError | None = None
        while done < total:
            count = 1 if doubted is not None else min(self.at_once(size), total - done)
            part = view[done * size:(done + count) * size]
            try:
                self.hand_over(part, size if count > 1 else 0, where)
            except OSError as e:
                if count > 1 and e.errno in FOR_ANY_SIZE | FOR_THIS_SIZE:
                    doubted = e
                    continue
                if e.errno == errno.ECONNREFUSED and stale:
                    stale = False  # Told of an earlier datagram (connected sockets only); this one did not go yet.
                    continue
                self.errors[errno.errorcode.get(e.errno or 0, str(e.errno))] += 1
                return Sent(done, e)
            done += count
            self.calls += 1
            self.datagrams += count
            self.bytes += len(part)
            if doubted is not None:
                self.remember(doubted, size)  # One by one it goes: it was the cutting that is not possible.
                doubted = None
        return Sent(done)

    def hand_over(self, part: memoryview, size: int, where: tuple[Any, ...] | None) -> None:
        """
        Give the kernel one datagram, or with a size as many as it is to cut.

        :raises OSError: when nothing of it went.
        """
        if size:
            ancillary = ((SOL_UDP, UDP_SEGMENT, LENGTH.pack(size)),)
            if where is None:
                self.sock.sendmsg((part,), ancillary)
            else:
                self.sock.sendmsg((part,), ancillary, 0, where)
        elif where is None:
            self.sock.send(part)
        else:
            self.sock.sendto(part, where)

    def remember(self, error: OSError, size: int) -> None:
        """
        Not ask again soon for what was refused, for packets of this size or larger, or for any.
        """
        self.refused_size = 0 if error.errno in FOR_ANY_SIZE else size
        self.ask_again_at = self.datagrams + ASK_AGAIN
        logger.debug("Packets of %d bytes go one by one: %s", size, error)


class BatchReceiver:
    """
    Reads a non-blocking UDP socket whenever something is there and hands it over, many datagrams at once if possible.

    Counts: `datagrams`, `bytes`, `calls` (of the kernel), `truncated` (longer than the buffer, dropped), `errors`,
    `failed` (calls of `take` that raised) and `lost`: what the kernel dropped for want of room since the socket was
    opened, told with the next datagram; where glued ones were dropped it is too low, since those count once.

    `arrived`: during a call of `take`, when what it gets arrived, by time.monotonic: as the kernel noted it, so that a
    program that had to wait for the processor does not take that for a queue on the way; now where it does not. With a
    buffer that is FILLED, part of the wait counts.
    """

    def __init__(self, sock: socket.socket, take: Take, platform: Platform | None = None, *,
                 reading: Reading = ONE_BY_ONE, plain: bool = False) -> None:
        """
        Prepare a socket; nothing is read until `start`.

        :param plain: datagrams one by one, whatever the kernel can.
        """
        self.sock = sock
        self.take = take
        self.turned, many = reading
        self.platform = platform or current()
        self.datagrams = self.bytes = self.calls = self.truncated = self.lost = self.errors = self.failed = 0
        self.started = False
        self.arrived = 0.0
        self.forgiven: float | None = None
        self.linux = self.platform.name == "linux"
        family = IPV6 if sock.family == socket.AF_INET6 else IPV4
        apply(sock, (option._replace(required=False) for option in receiving(self.platform, family)))
        self.receive_buffer = enlarge(self.platform, sock, RECEIVE_BUFFER)
        self.glues = self.linux and not plain and self.let_glue()
        self.many = many if self.linux else None
        self.slot = READ_SIZE if self.glues or self.many is None else PLAIN_SLOT
        self.buffer = bytearray(READ_SIZE if self.many is None else SLOTS[self.glues] * self.slot)
        self.view = memoryview(self.buffer)
        self.known: dict[bytes, tuple[str, int]] = {}
        """Addresses as the system has them, and as we do."""
        if self.linux:
            apply(sock, (Option(socket.SOL_SOCKET, SO_RXQ_OVFL, 1, required=False),
                         Option(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1, required=False)))

    def let_glue(self) -> bool:
        """
        Ask for datagrams that are glued together; tell whether the kernel can.
        """
        try:
            self.sock.setsockopt(SOL_UDP, UDP_GRO, 1)
        except OSError:
            return False
        return True

    def start(self) -> None:
        """
        Read from now on, in the running event loop (on Windows one with a selector).
        """
        if not self.started:
            self.started = True
            asyncio.get_running_loop().add_reader(self.sock, self.drain)

    def stop(self) -> None:
        """
        Read no more. The socket stays open.
        """
        if self.started:
            self.started = False
            asyncio.get_running_loop().remove_reader(self.sock)

    def close(self) -> None:
        """
        Read no more and close the socket.
        """
        self.stop()
        self.sock.close()

    def drain(self) -> int:
        """
        Hand over what has arrived, up to a limit; get how many datagrams.
        """
        begin, started, more = self.datagrams, self.started, True
        self.forgiven = None
        while more and self.datagrams - begin < PACKETS_PER_TURN:
            try:
                runs, more = self.read()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as e:
                self.errors += 1
                if self.errors <= LOGGED:
                    logger.debug("Can't receive: %s", e)
                break
            self.calls += 1
            self.hand_over(runs)
            more = more and self.sock.fileno() >= 0 and self.started == started
        if self.turned is not None and self.datagrams != begin:
            self.turned()
        return self.datagrams - begin

    def hand_over(self, runs: list[Run]) -> None:
        """
        Hand over what was read.
        """
        now, unix = time.monotonic(), time.time()
        for offset, length, size, count, when, index, hops, source in runs:
            self.arrived = now
            if when >= 0 and 0 <= (waited := unix - when / 1e9) < LONGEST_WAIT:
                self.arrived -= waited if waited < LATE else max(waited * self.share(), waited - FELT)
            self.datagrams += count
            self.bytes += length
            sender = source if isinstance(source, tuple) else self.known.get(source) or self.address(source)
            try:
                self.take(self.view[offset:offset + length], size, count, sender, index if index >= 0 else None,
                          hops if hops >= 0 else None)
            except Exception:
                self.failed += 1
                if self.failed <= LOGGED:
                    logger.exception("Failed on a batch of datagrams")
            if self.sock.fileno() < 0:
                break  # Closed by who took it.

    def share(self) -> float:
        """
        Get the share of their wait in the buffer that datagrams are forgiven: looked at once for each turn.
        """
        if self.forgiven is None:
            try:
                taken, size = MEMINFO.unpack(self.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))
            except (OSError, struct.error):
                taken, size = 0, 1  # Before Linux 4.12.
            self.forgiven = min(1.0, FILLED * size / max(1, taken))
        return self.forgiven

    def read(self) -> tuple[list[Run], bool]:
        """
        Read into the buffer: get what is there now, and whether there may be more.

        :raises OSError: when nothing is there, or the socket fails.
        """
        if self.many is not None:
            messages, truncated, lost, runs = self.many(self.sock.fileno(), self.buffer, self.slot)
            self.truncated += truncated
            self.datagrams += truncated
            if lost >= 0:
                self.lost += (lost - self.lost) & 0xFFFFFFFF  # It counts to 2^32.
            return runs, messages * self.slot >= len(self.buffer)
        length, ancillary, flags, source = self.read_one()
        size, when, index, hops = self.tell(ancillary)
        size = size or length
        count = -(-length // size) if length else 1
        if flags & getattr(socket, "MSG_TRUNC", 0):
            self.truncated += count
            self.datagrams += count
            self.bytes += length
            return [], True
        return [(0, length, size, count, -1 if when is None else when, -1 if index is None else index,
                 -1 if hops is None else hops, (source[0].partition("%")[0], source[1]))], True

    def read_one(self) -> tuple[int, Iterable[tuple[int, int, bytes]], int, Any]:
        """
        Read with one call of the kernel: length, what it tells beside it, flags, source.

        :raises OSError: when nothing is there, or the socket fails.
        """
        if self.platform.name == "windows":  # Python has no recvmsg there.
            length, source = self.sock.recvfrom_into(self.buffer)
            return length, (), 0, source
        return self.sock.recvmsg_into((self.buffer,), ANCILLARY_SIZE)

    def address(self, sender: bytes) -> tuple[str, int]:
        """
        Read an address as the system has it (ip(7), ipv6(7)): IP address without scope, and port.
        """
        at, size = (8, 16) if self.sock.family == socket.AF_INET6 else (4, 4)
        found = socket.inet_ntop(self.sock.family, sender[at:at + size]), int.from_bytes(sender[2:4], "big")
        if len(self.known) >= SENDERS:
            self.known.clear()
        self.known[sender] = found
        return found

    def tell(self, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int, int | None, int | None, int | None]:
        """
        Get size of each packet (0: there is one only), time of arrival (nanoseconds since 1970), arriving interface and
        hop limit; note what the kernel dropped.
        """
        size, when, others = 0, None, []
        for level, kind, data in ancillary:
            if self.linux and level == SOL_UDP and kind == UDP_GRO:
                size = int.from_bytes(data, sys.byteorder)
            elif self.linux and level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                self.lost += (int.from_bytes(data[:4], sys.byteorder) - self.lost) & 0xFFFFFFFF  # It counts to 2^32.
            elif self.linux and level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == TIMESPEC.size:
                seconds, nanoseconds = TIMESPEC.unpack(data)
                when = seconds * 1_000_000_000 + nanoseconds
            else:
                others.append((level, kind, data))
        return size, when, *read_ancillary(self.platform, others)
