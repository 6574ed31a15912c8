"""
What an attacker on the LAN can do: sign with keys of his own, record, alter, replay and relay, from any address.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.handshake import Challenge
from tribler_multicast.protocol.identity import Identity
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.wire import IPV4, IPV6, NO_GUARD, PREFIX, Address, Kind, Writer, channel_of

from .packets import multicast_mac, udp_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from .node import Node
    from .packets import Packet
    from .testbed import Interface, Machine

GROUPS = {IPV4: "239.255.84.77", IPV6: "ff12::5472:6962"}
PORT = 32109
CONTROL_PORT = 32110
ANYWHERE = {IPV4: ("192.168.1.200", CONTROL_PORT), IPV6: ("fe80::200", CONTROL_PORT)}

SIGNATURE = 64
"""Bytes at the end of a signed datagram."""

AFTER_GUARD = 41
"""Bytes of a signed datagram before the signer's key."""


class Forger:
    """
    A key of the attacker's own, which signs datagrams as a node would.
    """

    def __init__(self, epoch: int = 1, nickname: str = "mallory") -> None:
        """
        Make a new key.
        """
        self.identity = Identity(default_eccrypto.generate_key("curve25519"))
        self.writer = Writer(self.identity, epoch)
        self.body = Introduction(5.0, nickname=nickname).pack()

    @property
    def mid(self) -> str:
        """
        The mid in hex.
        """
        return self.identity.mid.hex()

    def introduction(self, family: int = IPV4, source: tuple[str, int] | None = None) -> bytes:
        """
        Return the next introduction, which says it comes from `source`.
        """
        place = Address(family, *(source or ANYWHERE[family]))
        return self.writer.datagram(Kind.INTRODUCTION, channel_of(family, True), place.pack() + self.body)

    def challenge(self, target: bytes, mine: tuple[str, int], theirs: tuple[str, int]) -> bytes:
        """
        Return a challenge over IPv4 to the owner of a key (64 bytes).
        """
        payload = Challenge(target, bytes(16), Address(IPV4, *mine), Address(IPV4, *theirs)).pack()
        return self.writer.datagram(Kind.CHALLENGE, channel_of(IPV4, False), payload, NO_GUARD)


def key_of(node: Node) -> bytes:
    """
    Return the 64 bytes of a node's key, as on the wire.
    """
    return bytes.fromhex(node.status()["public_key"])[-64:]


def control_address(node: Node, seen_by: Node, family: str = "ipv4") -> tuple[str, int]:
    """
    Return the unicast control address of a node, from what another node knows of it.
    """
    address = next(address for address in seen_by.peer(node)["addresses"] if address["family"] == family)
    return address["ip"].partition("%")[0], address["port"]


def to_group(data: bytes, source: tuple[str, int], mac: bytes = b"\x06\x00\x00\x00\x00\x66",
             hop_limit: int = 1) -> bytes:
    """
    Return the frame that brings a datagram to the group as if it came from a source.
    """
    group = GROUPS[IPV6 if ":" in source[0] else IPV4]
    return udp_frame((mac, multicast_mac(group)), source, (group, PORT), data, hop_limit)


def to_host(data: bytes, source: tuple[str, int], interface: Interface, destination: tuple[str, int],
            hop_limit: int = 255) -> bytes:
    """
    Return the frame that brings a datagram to one host as if it came from a source.
    """
    return udp_frame((b"\x06\x00\x00\x00\x00\x66", interface.hardware_address), source, destination, data, hop_limit)


def is_kind(*kinds: Kind) -> Callable[[Packet], bool]:
    """
    Return a filter for Sniffer: datagrams of ours of these kinds that came in.
    """
    return lambda packet: not packet.sent and packet.payload.startswith(PREFIX) and packet.payload[22] in kinds


def is_from(node: Node, *kinds: Kind, key: bytes | None = None) -> Callable[[Packet], bool]:
    """
    Return a filter for Sniffer: datagrams of these kinds signed by a node.
    """
    wanted = key or key_of(node)
    kind = is_kind(*kinds)
    return lambda packet: kind(packet) and packet.payload[AFTER_GUARD:AFTER_GUARD + 64] == wanted


class Relay:
    """
    A proxy between two LANs: what it hears from the group on one it says to the group on the other, from its own
    address there, and what comes to that address goes to the node on the other side, hop limit 255 both times.
    """

    def __init__(self, machine: Machine) -> None:
        """
        Start to relay between eth0 and eth1 of a machine; port 32110 must be free there.
        """
        self.relayed = 0
        self.challenges = 0
        self._stopped = threading.Event()
        self._own = [machine.interfaces[name].ipv4 or "" for name in ("eth0", "eth1")]
        self._nodes: list[tuple[str, int] | None] = [None, None]
        self._group = [self._open(machine, i, PORT) for i in (0, 1)]
        self._direct = [self._open(machine, i, CONTROL_PORT) for i in (0, 1)]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _open(self, machine: Machine, side: int, port: int) -> socket.socket:
        index = machine.namespace.call(socket.if_nametoindex, f"eth{side}")
        request = struct.pack("4s4si", socket.inet_aton(GROUPS[IPV4]), bytes(4), index)
        opened = machine.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, f"eth{side}".encode())
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), index))
        if port == PORT:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            opened.bind((GROUPS[IPV4], port))
        else:
            opened.bind((self._own[side], port))
        return opened

    def _run(self) -> None:
        while not self._stopped.is_set():
            for ready in select.select([*self._group, *self._direct], [], [], 0.1)[0]:
                data, source = ready.recvfrom(2000)
                if ready in self._group:
                    side = self._group.index(ready)
                    self._nodes[side] = source
                    self._direct[1 - side].sendto(data, (GROUPS[IPV4], PORT))
                elif (target := self._nodes[1 - (side := self._direct.index(ready))]) is not None:
                    self.challenges += data[22] == Kind.CHALLENGE
                    self._direct[1 - side].sendto(data, target)
                self.relayed += 1

    def close(self) -> None:
        """
        Stop.
        """
        self._stopped.set()
        self._thread.join()
        for each in (*self._group, *self._direct):
            each.close()
