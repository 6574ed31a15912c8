"""
What the doctor finds on the network interfaces: which are used, whether the ports are free, whether multicast loops.
"""
from __future__ import annotations

import errno
import secrets
import select
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from ..lan.endpoint import LanConfig
from ..lan.interfaces import IPV4, IPV6, snapshot, usable
from ..lan.options import IPPROTO_IP, IPPROTO_IPV6, current
from ..lan.sockets import explain, open_multicast, open_unicast
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..community.local_peer import InterfaceStatus
    from ..lan.interfaces import Interface
    from ..settings import Settings

LOOP_TIMEOUT = 0.5
"""Seconds for a datagram to come back from the kernel itself; it takes microseconds."""

FAMILY_NAMES = {IPV4: "IPv4", IPV6: "IPv6"}
NOTES = {
    "vpn": "looks like a VPN: who is on it is not on your LAN",
    "container": "looks like a bridge of containers or virtual machines",
}


class LoopResult(NamedTuple):
    """
    Whether a datagram came back on one interface in one family, and if not, why.
    """

    interface: str
    family: int
    error: str | None


def families(options: Settings) -> list[int]:
    """
    The families that the settings switch on.
    """
    return [family for family, name in ((IPV4, "ipv4"), (IPV6, "ipv6")) if options[name]]


def chosen(options: Settings) -> list[Interface]:
    """
    The interfaces that a node uses under these settings.
    """
    return usable(snapshot(), options["interfaces"], options["interfaces_deny"])


def interfaces(options: Settings, statuses: Sequence[InterfaceStatus] | None) -> Iterator[Finding]:
    """
    Which interfaces are used, and why not the others?
    """
    if not options["enabled"]:
        yield Finding("the node is switched off", "warning", "tribler-multicast settings enabled=true")
    if not families(options):
        yield Finding("both IPv4 and IPv6 are switched off", "error", "tribler-multicast settings ipv4=true")
    present = {interface.name for interface in snapshot()}
    for name in options["interfaces"]:
        if name not in present:
            yield Finding(f"there is no interface {name}, which the setting interfaces names", "warning",
                          f"This machine has: {', '.join(sorted(present))}")
    used = chosen(options)
    if not used:
        yield Finding("no network interface can be used", "error",
                      "Connect a cable or Wi-Fi, or look at the settings interfaces and interfaces_deny.")
    for interface in used:
        yield from _interface(interface, options, statuses)
    if options["ipv6"] and used and not any(interface.ipv6 for interface in used):
        yield Finding("no interface in use has an IPv6 address", "info",
                      "IPv4 is enough as long as the others have it too.")


def _interface(interface: Interface, options: Settings,
               statuses: Sequence[InterfaceStatus] | None) -> Iterator[Finding]:
    """
    Judge one interface in use.
    """
    addresses = [interface.address(family) for family in families(options)]
    shown = ", ".join(address for address in addresses if address)
    name = interface.name
    if interface.note in NOTES:
        yield Finding(f"interface {name} ({shown}) {NOTES[interface.note]}", "info",
                      f"To leave it out: tribler-multicast settings interfaces_deny={name}")
    elif interface.loopback:
        yield Finding(f"interface {name} is this machine itself: only nodes on this machine see each other", "info",
                      "For the network: tribler-multicast settings interfaces=")
    status = next((item for item in statuses or () if item.index == interface.index), None)
    visibility = status.visibility if status is not None else "visible"
    if visibility != "visible":
        what = ("only listened to: nobody there sees this node, and it lists nobody" if visibility == "listen"
                else "switched off")
        yield Finding(f"interface {name} ({shown or 'no address yet'}) is {what}", "info",
                      "So say the settings visibility and visibility_networks.")
    if visibility == "off":
        return
    if statuses is None:
        yield Finding(f"interface {name} can be used ({shown or 'no address yet'})", "ok")
    elif status is None or not status.joined:
        reason = status.error if status is not None and status.error else "not opened yet"
        yield Finding(f"interface {name} ({shown or 'no address yet'}) is not in use: {reason}", "error",
                      "The node goes on trying. Is the address there, and does a firewall forbid it?")
    else:
        yield Finding(f"interface {name} is in use with {' and '.join(sorted(status.joined))} ({shown})", "ok")
        if status.error:
            yield Finding(f"interface {name} has trouble: {status.error}", "warning", "The node goes on trying.")


def ports(options: Settings, statuses: Sequence[InterfaceStatus] | None) -> Iterator[Finding]:
    """
    Can the multicast port be shared, and is one of the control ports free?
    """
    first = options["control_port"]
    wanted = range(first, first + LanConfig().ports)
    own = {status.port for status in statuses or () if status.port is not None}
    for port in sorted(own - set(wanted)):
        yield Finding(f"all of the UDP ports {wanted[0]} to {wanted[-1]} were taken, so this node uses {port}",
                      "warning",
                      "A firewall that lets in only the usual ports keeps it from being seen: stop other programs on "
                      "these ports, or change the setting control_port, and restart the node.")
    if own & set(wanted):
        yield Finding(f"this node uses the UDP port {min(own & set(wanted))} for its own messages", "ok")
    if statuses is None:
        free = [port for port in wanted if _is_free(port)]
        if free:
            yield Finding(f"the UDP port {free[0]} is free for the node's own messages", "ok")
        else:
            yield Finding(f"all of the UDP ports {wanted[0]} to {wanted[-1]} are taken: a node uses any free port",
                          "warning", "Let that port through the firewall, or change the setting control_port.")


def _is_free(port: int) -> bool:
    """
    Can a UDP port be bound by somebody else than its users?
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def loops(options: Settings) -> Iterator[Finding]:
    """
    Does a multicast datagram that this machine sends come back to it, on each interface and in each family?
    """
    for interface in chosen(options):
        results = [loop(interface, family, options) for family in families(options)
                   if interface.address(family) is not None]
        works = any(result.error is None for result in results)
        for result in results:
            yield judge_loop(result, options["port"], "info" if works else "error")


def judge_loop(result: LoopResult, port: int, severity: str) -> Finding:
    """
    Say what the result of a loop means.

    :param severity: how bad it is when it failed; one family is enough to be found.
    """
    where = f"{FAMILY_NAMES[result.family]} on {result.interface}"
    if result.error is None:
        return Finding(f"multicast works inside this machine with {where}", "ok")
    if severity == "info":
        return Finding(f"multicast does not work with {where}: {result.error}", severity,
                       "The other family works, which is enough as long as the others have it too.")
    return Finding(f"multicast does not work inside this machine with {where}: {result.error}", severity,
                   f"A firewall of this machine may drop it: let in and out UDP port {port} to the groups "
                   f"{LanConfig().group4} and {LanConfig().group6}.")


def loop(interface: Interface, family: int, options: Settings) -> LoopResult:
    """
    Send one datagram to the group with a hop limit of 0, which never leaves the machine, and wait for it.

    Group, port and interface are the real ones, because it is these that a firewall knows.
    """
    platform, group, port = current(), LanConfig().group(family), options["port"]
    token = b"tribler-multicast doctor " + secrets.token_bytes(16)
    try:
        with open_multicast(platform, interface, family, group, port) as receiver, \
                open_unicast(platform, interface, family, (0,)) as sender:
            if family == IPV4:
                sender.setsockopt(IPPROTO_IP, platform.ip_multicast_ttl, 0)
                sender.sendto(token, (group, port))
            else:
                sender.setsockopt(IPPROTO_IPV6, platform.ipv6_multicast_hops, 0)
                sender.sendto(token, (group, port, 0, interface.index))
            came = _comes(receiver, token)
    except OSError as error:
        hint = " (is it another program?)" if error.errno == errno.EADDRINUSE else ""
        return LoopResult(interface.name, family, explain(error) + hint)
    return LoopResult(interface.name, family, None if came else "the datagram did not come back")


def _comes(receiver: socket.socket, token: bytes) -> bool:
    """
    Wait for a datagram among whatever else arrives, at most ``LOOP_TIMEOUT``.
    """
    deadline = time.monotonic() + LOOP_TIMEOUT
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([receiver], [], [], left)[0]:
            return False
        try:
            if receiver.recv(2048) == token:
                return True
        except BlockingIOError:
            continue
    return False

