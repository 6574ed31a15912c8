"""
The multicast group of a session: joined only by who wants its data, so that nobody else's link carries it.
"""
from __future__ import annotations

import logging
import math
import socket
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from .batch import ONE_BY_ONE, BatchReceiver
from .interfaces import IPV4
from .link import LOG_INTERVAL, RETRY_FIRST
from .options import Option, current
from .sockets import apply, explain, open_multicast, open_unicast, rejoin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .batch import Reading, Take
    from .interfaces import Interface
    from .options import Platform

logger = logging.getLogger(__name__)

SESSION_ID_SIZES: Final = range(8, 65)
"""Bytes of what names a session: its tag, or a longer id; what BLAKE2b takes at once is more than enough."""

SESSION_PORT: Final = 32109
"""The port of the overlay's own group, so that a firewall needs no more; sockets are bound to their group."""

GROUP_DOMAIN: Final = b"tm-session-1"
"""Personalisation of the hash: nothing else that is hashed has the same digest."""

RENEW_INTERVAL: Final = 120.0
"""Seconds between two joins: a snooping switch with no querier forgets members after 260 (RFC 3376, 8.4)."""

RETRY_LAST: Final = 60.0
"""Seconds until a group that could not be joined is tried again, doubled from the first up to this; never given up."""

SEND_BUFFER: Final = 256 * 1024
"""Bytes of ours that may wait in front of the link: little, so that a pace that is too high shows soon."""


OWN_MTU: Final = {4: (0, 10), 6: (41, 23)}
IP_PMTUDISC_OMIT: Final = 5
"""
Of Linux, linux/in.h and linux/in6.h: IP_MTU_DISCOVER and IPV6_MTU_DISCOVER per family (level, name): the MTU is the
interface's whatever ICMP says. On a link there is no smaller one; who forges such a message would make each packet two.
"""


def group_of(session_id: bytes, family: int) -> str:
    """
    Get the group's address for a session: `d` is BLAKE2b of its id (its tag) with a digest of 16 bytes and the
    personalisation "tm-session-1" (padded with zeros to 16 bytes, as BLAKE2 does).

    IPv4, in 239.255.128.0/17 (administratively scoped, RFC 2365): 239 . 255 . (128 | d[0] & 127) . d[1]

    IPv6, in ff12::/16 (transient, link-local scope): bytes ff 12, then d[2] ... d[11], then the group ID, of which
    the Ethernet address is made: (128 | d[12]), d[13], d[14], d[15] (the high bit says dynamic, RFC 3307, 4.3).

    Two sessions may share an IPv4 group: the group keeps data off others' links; whose it is, the packets say.

    :raises ValueError: when the id does not have 8 to 64 bytes.
    """
    if len(session_id) not in SESSION_ID_SIZES:
        raise ValueError(f"a session id of {len(session_id)} bytes")
    d = blake2b(session_id, digest_size=16, person=GROUP_DOMAIN).digest()
    if family == IPV4:
        return f"239.255.{128 | d[0] & 127}.{d[1]}"
    return socket.inet_ntop(socket.AF_INET6, bytes((0xFF, 0x12, *d[2:12], 128 | d[12], *d[13:16])))


def open_data(platform: Platform, interface: Interface, family: int, ports: Iterable[int]) -> socket.socket:
    """
    Open the socket that data leaves by, to groups with one hop and heard on this machine too, or to one node; unicast
    comes in by it. It gets the first free of the ports; 0 means any free one.

    :raises OSError: when none is free, or the address can't be used.
    """
    sock = open_unicast(platform, interface, family, ports)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if platform.name == "linux":
        apply(sock, (Option(*OWN_MTU[family], IP_PMTUDISC_OMIT, required=False),))
    return sock


class SessionGroup:
    """
    Membership of a session's group on one interface, from the first `keep` until `leave`, and what comes by it.

    Several processes on this machine may be in it: each gets all. Where sockets can't be bound to a group (Windows),
    datagrams of other groups of the port may come along.
    """

    def __init__(self, interface: Interface, family: int, session_id: bytes, take: Take,
                 platform: Platform | None = None, reading: Reading = ONE_BY_ONE) -> None:
        """
        Not joined yet.

        :raises ValueError: when the id does not have 8 to 64 bytes.
        """
        self.interface = interface
        self.family = family
        self.take = take
        self.reading = reading
        self.platform = platform or current()
        self.address = group_of(session_id, family), SESSION_PORT
        self.receiver: BatchReceiver | None = None
        self.error: str | None = None
        self.retry = RETRY_FIRST
        self.due = -math.inf
        """When `keep` has something to do next."""
        self.logged_at = -LOG_INTERVAL

    def keep(self, now: float) -> bool:
        """
        Join, renew the membership, or try again, whichever is due; tell whether it is joined. `error` says why not.

        Call it in the running event loop when `due` has come, and with a new interface after `leave`.
        """
        if now < self.due:
            return self.receiver is not None
        try:
            if self.receiver is None:
                self.receiver = BatchReceiver(self.open(), self.take, self.platform, reading=self.reading)
                self.receiver.start()
            else:
                rejoin(self.platform, self.receiver.sock, self.interface, self.family, self.address[0])
        except OSError as e:
            self.leave()
            self.error = explain(e)
            self.due, self.retry = now + self.retry, min(2 * self.retry, RETRY_LAST)
            if now - self.logged_at >= LOG_INTERVAL:
                self.logged_at = now
                logger.warning("Can't join %s on %s: %s", self.address[0], self.interface.name, self.error)
            return False
        self.error = None
        self.due, self.retry = now + RENEW_INTERVAL, RETRY_FIRST
        return True

    def open(self) -> socket.socket:
        """
        Open a socket that is joined.

        :raises OSError: when the family, the address or the join fails.
        """
        return open_multicast(self.platform, self.interface, self.family, *self.address)

    def leave(self) -> None:
        """
        Leave the group; `keep` joins again.
        """
        if self.receiver is not None:
            self.receiver.close()
        self.receiver, self.due = None, -math.inf
