"""
Socket options per platform, as data: numbers that Python's socket module does not name, and the order to set them in.

Linux numbers are from linux/in.h and linux/in6.h, macOS ones from netinet/in.h and netinet6/in6.h, Windows ones from
ws2ipdef.h. The platform is an argument, so that all three can be tested anywhere.
"""
from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .interfaces import IPV4

if TYPE_CHECKING:
    from collections.abc import Iterable

IPPROTO_IP: Final = 0
IPPROTO_IPV6: Final = 41


class Option(NamedTuple):
    """
    One call of setsockopt; an optional one may fail.
    """

    level: int
    name: int
    value: int | bytes
    required: bool = True


@dataclass(frozen=True)
class Platform:
    """
    The numbers of one operating system; None where it has no such option.
    """

    name: str
    reuse_port: int | None
    ip_ttl: int
    ip_multicast_if: int
    ip_multicast_ttl: int
    ip_multicast_loop: int
    ip_add_membership: int
    ip_drop_membership: int
    ip_pktinfo: int | None
    ip_recvttl: int | None
    ip_ttl_message: int | None
    ip_multicast_all: int | None
    ipv6_unicast_hops: int
    ipv6_multicast_if: int
    ipv6_multicast_hops: int
    ipv6_multicast_loop: int
    ipv6_join_group: int
    ipv6_leave_group: int
    ipv6_v6only: int
    ipv6_recvpktinfo: int | None
    ipv6_pktinfo: int | None
    ipv6_recvhoplimit: int | None
    ipv6_hoplimit: int | None
    ipv6_multicast_all: int | None
    binds_to_group: bool
    membership_by_index: bool


LINUX: Final = Platform("linux", None, 2, 32, 33, 34, 35, 36, 8, 12, 2, 49,
                        16, 17, 18, 19, 20, 21, 26, 49, 50, 51, 52, 29, True, True)
DARWIN: Final = Platform("darwin", 0x200, 4, 9, 10, 11, 12, 13, 26, 24, 24, None,
                         4, 9, 10, 11, 12, 13, 27, 61, 46, 37, 47, None, True, True)
WINDOWS: Final = Platform("windows", None, 4, 9, 10, 11, 12, 13, None, None, None, None,
                          4, 9, 10, 11, 12, 13, 27, None, None, None, None, None, False, False)


def current() -> Platform:
    """
    Get the platform this process runs on.
    """
    if sys.platform == "win32":
        return WINDOWS
    return DARWIN if sys.platform == "darwin" else LINUX


def group_request(platform: Platform, family: int, group: str, ip: str, index: int) -> bytes:
    """
    Write the structure that joins or leaves a group on one interface: ip_mreqn, ip_mreq or ipv6_mreq.
    """
    if family == IPV4:
        if platform.membership_by_index:
            return socket.inet_aton(group) + socket.inet_aton(ip) + struct.pack("@i", index)
        return socket.inet_aton(group) + socket.inet_aton(ip)
    return socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)


def shared(platform: Platform) -> Iterable[Option]:
    """
    Get the options that let several nodes on one machine listen to one group and port.

    Not SO_REUSEPORT on Linux: SO_REUSEADDR is enough there, also between users, and since 6.6 a datagram for one
    interface may be given to any socket of a reuse-port group, also to one that listens on another [measured].
    """
    yield Option(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if platform.reuse_port is not None:
        yield Option(socket.SOL_SOCKET, platform.reuse_port, 1, required=False)


def receiving(platform: Platform, family: int) -> Iterable[Option]:
    """
    Get the options that make the kernel tell the arriving interface and the hop limit.
    """
    level = IPPROTO_IP if family == IPV4 else IPPROTO_IPV6
    names = ((platform.ip_pktinfo, platform.ip_recvttl) if family == IPV4
             else (platform.ipv6_recvpktinfo, platform.ipv6_recvhoplimit))
    for name in names:
        if name is not None:
            yield Option(level, name, 1)
    if family != IPV4:
        yield Option(level, platform.ipv6_v6only, 1)


def listening(platform: Platform, family: int, group: str, ip: str, index: int) -> Iterable[Option]:
    """
    Get the options of a socket that listens to the group on one interface, and to no other socket's interface.
    """
    request = group_request(platform, family, group, ip, index)
    if family == IPV4:
        yield Option(IPPROTO_IP, platform.ip_add_membership, request)
        if platform.ip_multicast_all is not None:
            yield Option(IPPROTO_IP, platform.ip_multicast_all, 0, required=False)
        yield Option(IPPROTO_IP, platform.ip_multicast_loop, 1, required=False)  # Windows looks at the receiver's.
    else:
        yield Option(IPPROTO_IPV6, platform.ipv6_join_group, request)
        if platform.ipv6_multicast_all is not None:
            yield Option(IPPROTO_IPV6, platform.ipv6_multicast_all, 0, required=False)
        yield Option(IPPROTO_IPV6, platform.ipv6_multicast_loop, 1, required=False)


def sending(platform: Platform, family: int, ip: str, index: int) -> Iterable[Option]:
    """
    Get the options of the unicast socket: hop limit 255 to one node, 1 to the group, which goes out of this interface.
    """
    if family == IPV4:
        interface = (bytes(4) + socket.inet_aton(ip) + struct.pack("@i", index) if platform.membership_by_index
                     else socket.inet_aton(ip))
        yield Option(IPPROTO_IP, platform.ip_ttl, 255)
        yield Option(IPPROTO_IP, platform.ip_multicast_if, interface)
        yield Option(IPPROTO_IP, platform.ip_multicast_ttl, 1)
        yield Option(IPPROTO_IP, platform.ip_multicast_loop, 1)
    else:
        yield Option(IPPROTO_IPV6, platform.ipv6_unicast_hops, 255)
        yield Option(IPPROTO_IPV6, platform.ipv6_multicast_if, index)
        yield Option(IPPROTO_IPV6, platform.ipv6_multicast_hops, 1)
        yield Option(IPPROTO_IPV6, platform.ipv6_multicast_loop, 1)


def read_ancillary(platform: Platform, ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int | None, int | None]:
    """
    Get the arriving interface's index and the hop limit out of what `recvmsg` gave; None for what is not there.
    """
    index: int | None = None
    hops: int | None = None
    for level, kind, data in ancillary:
        if level == IPPROTO_IP:
            if kind == platform.ip_pktinfo:
                index = int.from_bytes(data[:4], sys.byteorder)
            elif kind == platform.ip_ttl_message:
                hops = int.from_bytes(data, sys.byteorder)
        elif level == IPPROTO_IPV6:
            if kind == platform.ipv6_pktinfo:
                index = int.from_bytes(data[16:20], sys.byteorder)
            elif kind == platform.ipv6_hoplimit:
                hops = int.from_bytes(data, sys.byteorder)
    return index, hops
