"""
A packet generator: `python flood.py OPTIONS` runs inside a machine of the testbed (see Machine.flood).

Sends UDP datagrams at a steady rate for a bounded time, each from another address of a network, through AF_PACKET, so
that neither routes nor neighbours matter. Payloads are random bytes, or those of a file, one in hex per line. All
frames are made before the first is sent; with --scramble N the last N bytes (a signature) are new each time.
On SIGTERM it ends at once. Prints {"sent": n, "seconds": s, "rate": packets/s} at the end.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import random
import signal
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.lan.packets import multicast_mac, udp_frame

FRAMES = 4000
"""Different frames made beforehand; then they repeat. At 20,000/s each comes five times a second."""

LONGEST = 120.0
"""Seconds after which a flood ends whatever it was asked for: it must never outlive its test by much."""

TICK = 0.002
"""Seconds between two bursts."""


def frames(options: argparse.Namespace, chance: random.Random) -> list[bytes]:
    """
    Make the frames.
    """
    network = ipaddress.ip_network(options.sources)
    first, last = (1, min(network.num_addresses - 2, 65000)) if network.num_addresses > 2 else (0, 0)
    receiver = bytes.fromhex(options.mac.replace(":", "")) if options.mac else multicast_mac(options.destination)
    given = Path(options.payloads).read_text().split() if options.payloads else []
    made = []
    for i in range(max(FRAMES, len(given))):
        payload = bytes.fromhex(given[i % len(given)]) if given else chance.randbytes(chance.randint(1, 1400))
        source = str(network[chance.randint(first, last)])
        sender = b"\x06\x00" + ipaddress.ip_address(source).packed[-4:]
        made.append(udp_frame((sender, receiver), (source, options.source_port), (options.destination, options.port),
                              payload, options.hop_limit))
    return [without_checksum(frame) for frame in made] if options.scramble else made


def without_checksum(frame: bytes) -> bytes:
    """
    Return an IPv4 frame with no UDP checksum (RFC 768 allows that), so that its payload may change.
    """
    if frame[12:14] != b"\x08\x00":
        raise SystemExit("--scramble is for IPv4: a UDP checksum is a must in IPv6")
    return frame[:40] + b"\x00\x00" + frame[42:]


def send(options: argparse.Namespace, made: list[bytes], seconds: float) -> tuple[int, float]:
    """
    Send them around and around; return how many went out and in how many seconds.
    """
    sent, rate, scramble = 0, options.rate, options.scramble
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((options.interface, 0))
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds and not ended:
            due = min(int(now * rate), sent + int(rate / 20))  # after a stall at most 50 ms are made up for at once
            while sent < due:
                frame = made[sent % len(made)]
                try:
                    sender.send(frame[:-scramble] + random.randbytes(scramble) if scramble else frame)
                except OSError:  # the queue is full: the deadline will tell how much of it is made up for
                    time.sleep(TICK)
                sent += 1
            time.sleep(TICK)
        return sent, time.monotonic() - start


def main() -> None:
    """
    Read the options, send, print the result.
    """
    parser = argparse.ArgumentParser(description="A bounded UDP flood for the testbed.")
    parser.add_argument("--interface", required=True)
    parser.add_argument("--sources", required=True, help="network of the source addresses, or one address")
    parser.add_argument("--source-port", type=int, default=32110)
    parser.add_argument("--destination", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mac", help="Ethernet address of a unicast destination")
    parser.add_argument("--hop-limit", type=int, default=1)
    parser.add_argument("--payloads", help="file with one payload in hex per line; default: random bytes")
    parser.add_argument("--scramble", type=int, default=0, metavar="N")
    parser.add_argument("--rate", type=float, default=20000.0, help="packets/s")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    made = frames(options, random.Random(options.seed))
    print("started", flush=True)
    sent, seconds = send(options, made, min(options.seconds, LONGEST))
    print(json.dumps({"sent": sent, "seconds": seconds, "rate": sent / seconds}), flush=True)


if __name__ == "__main__":
    main()
