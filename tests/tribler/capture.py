"""
A full capture: every frame that a machine sends, whole, and what is looked for in it.
"""
from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.lan.packets import ETH_P_ALL, ETHERTYPE_IPV4, ETHERTYPE_IPV6, parse_frame

if TYPE_CHECKING:
    from tests.lan.testbed import Machine

TCP = 6
LONGEST_FRAME = 1 << 17
"""Bytes: the kernel hands TCP over in pieces of up to 64 KB, before the network card divides them."""

BUFFER = 64 << 20
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6

Stream = tuple[bytes, bytes, bytes]


def traces(infohash: str, *names: str) -> list[bytes]:
    """
    All ways in which an infohash (hex) or names could be written, in lower case.
    """
    raw = bytes.fromhex(infohash)
    written = [raw, infohash.encode(), base64.b32encode(raw), base64.b64encode(raw)]
    for name in names:
        written += [name.encode(), name.encode("utf-16-le"), json.dumps(name)[1:-1].encode(), quote(name).encode()]
    return [each.lower() for each in written]


class Capture:
    """
    Keeps all that a machine sends on an interface, of any protocol, until it is stopped.
    """

    def __init__(self, machine: Machine, name: str = "eth0") -> None:
        """
        Start at once.
        """
        self.frames: list[bytes] = []
        self._stopped = threading.Event()
        self._socket = machine.namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
        for option in (socket.SO_RCVBUF, SO_RCVBUFFORCE):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self._socket.bind((name, ETH_P_ALL))
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                frame, address = self._socket.recvfrom(LONGEST_FRAME)
            except TimeoutError:
                if self._stopped.is_set():
                    return
                continue
            if address[2] == socket.PACKET_OUTGOING:
                self.frames.append(frame)

    def stop(self) -> None:
        """
        Stop when all is read that was sent.

        :raises AssertionError: when the kernel had to leave out a frame, so that the capture is not full.
        """
        self._stopped.set()
        self._thread.join()
        seen, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()
        assert lost == 0, f"{lost} of {seen} frames are not in the capture"

    def datagrams(self, port: int = 0) -> list[bytes]:
        """
        Return the payloads of UDP, all or those to or from a port.
        """
        packets = [packet for packet in map(parse_frame, list(self.frames)) if packet is not None]
        return [packet.payload for packet in packets if port in (0, packet.source_port, packet.destination_port)]

    def streams(self) -> dict[Stream, bytes]:
        """
        Return what was sent on each TCP connection, in order; by its two addresses and ports, as on the wire.
        """
        parts: dict[Stream, dict[int, bytes]] = defaultdict(dict)
        for frame in list(self.frames):
            ethertype, ip = int.from_bytes(frame[12:14], "big"), frame[14:]
            if ethertype == ETHERTYPE_IPV4 and ip[9] == TCP:
                start, end, ends = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big"), (ip[12:16], ip[16:20])
            elif ethertype == ETHERTYPE_IPV6 and ip[6] == TCP:
                start, end, ends = 40, 40 + int.from_bytes(ip[4:6], "big"), (ip[8:24], ip[24:40])
            else:
                continue
            segment = ip[start:end]
            if payload := segment[(segment[12] >> 4) * 4:]:
                parts[*ends, segment[:4]][int.from_bytes(segment[4:8], "big")] = payload
        return {stream: b"".join(each[number] for number in sorted(each)) for stream, each in parts.items()}

    def found(self, wanted: list[bytes]) -> list[bytes]:
        """
        Return which of these bytes, given in lower case, are in a frame or in what a connection carried.
        """
        everything = [each.lower() for each in (*self.frames, *self.streams().values())]
        return [each for each in wanted if any(each in one for one in everything)]
