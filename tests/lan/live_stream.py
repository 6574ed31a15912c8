"""
A live stream as a player sees it: `live_stream.py receive PORT` prints, when its input ends, a list of [time sent,
delay] of what came; `live_stream.py send ADDRESS PORT MBIT` sends until it is ended. Both by time.monotonic, which all
machines of a testbed share.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time

PACKET = 1250


def receive(port: int) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("0.0.0.0", port))
    came: list[tuple[float, float]] = []

    def take() -> None:
        while True:
            [sent] = struct.unpack_from("d", sock.recv(2048))
            came.append((sent, time.monotonic() - sent))

    threading.Thread(target=take, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    print(json.dumps(came), flush=True)


def send(address: str, port: int, mbit: float) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    each = PACKET * 8 / (mbit * 1e6)
    due = time.monotonic()
    while True:
        sock.sendto(struct.pack("d", time.monotonic()) + bytes(PACKET - 8), (address, port))
        due += each
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(int(sys.argv[2]))
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
