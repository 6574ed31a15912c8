"""
Other traffic for the scenario *beside* of `bench/distribute.py`; each prints lines until it is ended.

    python bench/distribute_flow.py sink PORT           "TIME BYTES" so far of a TCP flow, ten times a second
    python bench/distribute_flow.py flow ADDRESS PORT   sends without end
    python bench/distribute_flow.py ping ADDRESS        "TIME MS" of each echo, twenty a second; "TIME inf": lost

TIME is that of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

EVERY = 0.1
PING = 0.05
ECHO, REPLY = 8, 0
LOST = 1.0
"""Seconds after which an echo is lost."""


def sink(port: int) -> None:
    """
    Take what comes.
    """
    with socket.create_server(("", port)) as server:
        print("ready", flush=True)
        sock, _ = server.accept()
        total, buffer, told = 0, bytearray(1 << 18), time.monotonic()
        while count := sock.recv_into(buffer):
            total += count
            if (now := time.monotonic()) >= told + EVERY:
                print(now, total, flush=True)
                told = now


def flow(address: str, port: int) -> None:
    """
    Send.
    """
    data = bytes(1 << 16)
    with socket.create_connection((address, port)) as sock:
        while True:
            sock.sendall(data)


def checksum(data: bytes) -> int:
    """
    Return the Internet checksum (RFC 1071) of an even number of bytes.
    """
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(address: str) -> None:
    """
    Measure round trips (ICMP echo, RFC 792); the kernel of the other answers.
    """
    mark, sequence = os.getpid() & 0xFFFF, 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        while True:
            sequence = (sequence + 1) & 0xFFFF
            head = struct.pack("!BBHHH", ECHO, 0, 0, mark, sequence)
            begin = time.monotonic()
            sock.sendto(struct.pack("!BBHHH", ECHO, 0, checksum(head), mark, sequence), (address, 0))
            taken = echo(sock, begin, mark, sequence)
            print(begin, 1000 * taken, flush=True)
            time.sleep(max(0.0, begin + PING - time.monotonic()))


def echo(sock: socket.socket, begin: float, mark: int, sequence: int) -> float:
    """
    Return how many seconds the answer to this one took.
    """
    while (left := begin + LOST - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            data = sock.recv(2048)
        except TimeoutError:
            break
        kind, _, _, its_mark, its_sequence = struct.unpack_from("!BBHHH", data, 4 * (data[0] & 15))
        if (kind, its_mark, its_sequence) == (REPLY, mark, sequence):
            return time.monotonic() - begin
    return float("inf")


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "sink":
        sink(int(arguments[0]))
    elif role == "flow":
        flow(arguments[0], int(arguments[1]))
    else:
        ping(arguments[0])
