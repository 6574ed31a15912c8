"""
Frames by hand: Ethernet, IPv4 or IPv6, and UDP, built and read; a sniffer and an injector over AF_PACKET.

What the attacks of these tests need and no socket allows: any source address, any hop limit, any payload.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .namespaces import Namespace

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETH_P_ALL = 0x0003
UDP = 17

CAPTURE_BUFFER = 4 << 20
"""Receive buffer asked for by the sniffer, bytes; the kernel gives an ordinary user what net.core.rmem_max allows."""


@dataclass(frozen=True)
class Packet:
    """
    One captured UDP datagram (unfragmented), with what is around it.
    """

    time: float
    """Unix seconds when it was read from the capture."""
    sent: bool
    """True: this machine sent it. False: it came in."""
    source_mac: bytes
    destination_mac: bytes
    source: str
    destination: str
    hop_limit: int
    source_port: int
    destination_port: int
    payload: bytes
    size: int
    """Bytes on the wire with the Ethernet header, without checksum and preamble."""


def multicast_mac(address: str) -> bytes:
    """
    Return the Ethernet address of a multicast group (RFC 1112, RFC 2464).
    """
    packed = ipaddress.ip_address(address).packed
    if len(packed) == 4:
        return b"\x01\x00\x5e" + bytes([packed[1] & 0x7F]) + packed[2:]
    return b"\x33\x33" + packed[-4:]


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\x00"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(macs: tuple[bytes, bytes], source: tuple[str, int], destination: tuple[str, int], payload: bytes,
              hop_limit: int = 1) -> bytes:
    """
    Return the Ethernet frame of one UDP datagram.

    :param macs: source and destination Ethernet address, 6 bytes each.
    :param source: IP address and port it claims to come from.
    :param destination: IP address and port it goes to, of the same family.
    """
    sender, receiver = ipaddress.ip_address(source[0]).packed, ipaddress.ip_address(destination[0]).packed
    length = 8 + len(payload)
    ports = struct.pack("!HHH", source[1], destination[1], length)
    pseudo = sender + receiver + struct.pack("!II", length, UDP)
    check = _checksum(pseudo + ports + b"\x00\x00" + payload) or 0xFFFF
    datagram = ports + struct.pack("!H", check) + payload
    if len(sender) == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, hop_limit, UDP, 0) + sender + receiver
        header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
        ethertype = ETHERTYPE_IPV4
    else:
        header = struct.pack("!IHBB", 6 << 28, length, UDP, hop_limit) + sender + receiver
        ethertype = ETHERTYPE_IPV6
    return macs[1] + macs[0] + struct.pack("!H", ethertype) + header + datagram


def parse_frame(frame: bytes, sent: bool = False, now: float = 0.0) -> Packet | None:
    """
    Return the UDP datagram in a frame, or None when it is anything else.
    """
    ethertype = int.from_bytes(frame[12:14], "big")
    ip = frame[14:]
    if ethertype == ETHERTYPE_IPV4 and len(ip) >= 28 and ip[9] == UDP and not ip[6] & 0x3F and not ip[7]:
        start, total, hop_limit = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big"), ip[8]
        sender, receiver = ip[12:16], ip[16:20]
    elif ethertype == ETHERTYPE_IPV6 and len(ip) >= 48 and ip[6] == UDP:
        start, total, hop_limit = 40, 40 + int.from_bytes(ip[4:6], "big"), ip[7]
        sender, receiver = ip[8:24], ip[24:40]
    else:
        return None
    source_port, destination_port = struct.unpack_from("!HH", ip, start)
    return Packet(now, sent, frame[6:12], frame[:6], str(ipaddress.ip_address(sender)),
                  str(ipaddress.ip_address(receiver)), hop_limit, source_port, destination_port,
                  ip[start + 8:total], len(frame))


class Sniffer:
    """
    Captures UDP datagrams on an interface until it is stopped. `packets` may be read while it goes on.
    """

    def __init__(self, namespace: Namespace, interface: str) -> None:
        """
        Start to capture at once.
        """
        self.packets: list[Packet] = []
        self._stopped = threading.Event()
        self._socket = namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CAPTURE_BUFFER)
        self._socket.bind((interface, ETH_P_ALL))
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                frame, address = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:  # the interface went down or away: what comes after it returns is still wanted
                self._stopped.wait(0.1)
                continue
            packet = parse_frame(frame, address[2] == socket.PACKET_OUTGOING, time.time())
            if packet is not None:
                self.packets.append(packet)

    def select(self, wanted: Callable[[Packet], bool]) -> list[Packet]:
        """
        Return the packets captured so far that are wanted.
        """
        return [packet for packet in list(self.packets) if wanted(packet)]

    def wait_for(self, wanted: Callable[[Packet], bool], timeout: float = 10.0) -> Packet:
        """
        Return the first captured packet that is wanted, as soon as there is one.

        :raises TimeoutError: when none came in that many seconds.
        """
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            for packet in self.packets[seen:]:
                seen += 1
                if wanted(packet):
                    return packet
            if time.monotonic() > deadline:
                raise TimeoutError(f"no such packet among {len(self.packets)} in {timeout} s")
            time.sleep(0.005)

    def stop(self) -> list[Packet]:
        """
        Stop, after the packets that are already here, and return all packets.
        """
        time.sleep(0.05)
        self._stopped.set()
        self._thread.join()
        self._socket.close()
        return self.packets


def inject(namespace: Namespace, interface: str, frames: Iterable[bytes]) -> int:
    """
    Send frames as they are out of an interface; return how many.
    """
    sender = namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
    with sender:
        sender.bind((interface, 0))
        count = 0
        for frame in frames:
            sender.send(frame)
            count += 1
    return count
