"""Opening the two sockets that each interface and family gets: one listens to the group, one is for unicast."""
from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING, Final

from .interfaces import IPV4, Interface
from .options import IPPROTO_IP, IPPROTO_IPV6, Option, Platform, group_request, listening, receiving, sending, shared

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

BUFFER: Final = 1 << 20
"""Bytes asked of the kernel per socket and direction, so that a burst does not push out what matters."""

ADVICE: Final = {
    errno.EADDRINUSE: "another program holds the port and does not share it",
    errno.EACCES: "a firewall or a missing permission forbids it",
    errno.EPERM: "a firewall forbids it",
    errno.ENODEV: "the interface is gone",
    errno.EADDRNOTAVAIL: "the address is gone or not ready yet",
    errno.EHOSTUNREACH: "no way out; on macOS allow Local Network access in System Settings, Privacy & Security",
    errno.ENETUNREACH: "the interface has no route for multicast",
    errno.ENOBUFS: "too many groups joined, or no memory for buffers",
    errno.EAFNOSUPPORT: "this family is switched off on this machine",
}


def explain(error: OSError) -> str:
    """
    Say in one line what an error of a socket means to a user.
    """
    advice = ADVICE.get(error.errno or 0)
    text = error.strerror or str(error)
    return f"{text}: {advice}" if advice else text


def apply(sock: socket.socket, options: Iterable[Option]) -> None:
    """
    Set options in order; an optional one that fails is skipped.

    :raises OSError: when a required one fails.
    """
    for option in options:
        try:
            sock.setsockopt(option.level, option.name, option.value)
        except OSError:
            if option.required:
                raise
            logger.debug("Socket option %s is not there", option)


def make(family: int) -> socket.socket:
    """
    Make a non-blocking UDP socket.
    """
    sock = socket.socket(socket.AF_INET if family == IPV4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


def open_multicast(platform: Platform, interface: Interface, family: int, group: str, port: int) -> socket.socket:
    """
    Open a socket that listens to the group on one interface. Nothing stays open or joined after a failure.

    :raises OSError: when the family, the address or the join fails.
    """
    sock = make(family)
    try:
        ip = interface.address(family) or ""
        apply(sock, shared(platform))
        apply(sock, receiving(platform, family))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if not platform.binds_to_group:
            sock.bind(("", port))
        elif family == IPV4:
            sock.bind((group, port))
        else:
            sock.bind((group, port, 0, interface.index))
        apply(sock, listening(platform, family, group, ip, interface.index))
    except BaseException:
        sock.close()
        raise
    return sock


def open_unicast(platform: Platform, interface: Interface, family: int, ports: Iterable[int]) -> socket.socket:
    """
    Open the unicast socket on the first free port; 0 in `ports` means any free one.

    :raises OSError: when none is free, or the address can't be used.
    """
    ip = interface.address(family)
    if ip is None:
        raise OSError(errno.EADDRNOTAVAIL, "no address")
    error = OSError(errno.EADDRINUSE, "no port")
    for port in ports:
        sock = make(family)
        try:
            apply(sock, receiving(platform, family))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            sock.bind((ip, port) if family == IPV4 else (ip, port, 0, interface.index))
            apply(sock, sending(platform, family, ip, interface.index))
        except OSError as e:
            sock.close()
            error = e
            if e.errno != errno.EADDRINUSE:
                break
        else:
            return sock
    raise error


def open_spare(platform: Platform, unicast: socket.socket, interface: Interface, family: int) -> socket.socket | None:
    """
    Open a second socket on the address and port of the first, for what goes to addresses where perhaps nobody is.

    Linux keeps such datagrams for 3 s and charges them to the socket, which then refuses others too. Both must be
    read. None where it can't be had: then there is but one.
    """
    if platform.name != "linux":
        return None
    spare = make(family)
    try:
        unicast.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        spare.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        apply(spare, receiving(platform, family))
        spare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        spare.bind(unicast.getsockname())
        apply(spare, sending(platform, family, interface.address(family) or "", interface.index))
        spare.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as e:
        logger.debug("No spare socket: %s", e)
        spare.close()
        return None
    finally:  # From now on the port is taken for all others.
        unicast.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return spare


def rejoin(platform: Platform, sock: socket.socket, interface: Interface, family: int, group: str) -> None:
    """
    Leave and join the group again: a snooping switch with no querier forgets members after 260 seconds (RFC 3376 8.4).

    :raises OSError: when the join fails.
    """
    request = group_request(platform, family, group, interface.address(family) or "", interface.index)
    if family == IPV4:
        level, leave, join = IPPROTO_IP, platform.ip_drop_membership, platform.ip_add_membership
    else:
        level, leave, join = IPPROTO_IPV6, platform.ipv6_leave_group, platform.ipv6_join_group
    apply(sock, (Option(level, leave, request, required=False), Option(level, join, request)))
