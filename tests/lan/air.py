"""
Bad Wi-Fi between two interfaces: `air.py FIRST SECOND SEED` prints "ready" and carries every frame from the one to the
other, and back, until it is ended. Frames wait for a turn of their direction, mostly some milliseconds, often tens of
them, now and then a whole beacon, and then all that wait go at once, in order, as the air's aggregates do.

No queue discipline of the kernel is needed for it. What the kernel left to hardware to compute (checksums, segments)
stays so: it is in front of each frame (PACKET_VNET_HDR, packet(7)).
"""

from __future__ import annotations

import heapq
import select
import socket
import sys
import time
from random import Random

SOL_PACKET = 263
PACKET_VNET_HDR = 15
ETH_P_ALL = 3
MOST_WAITING = 2000


def turn(random: Random) -> float:
    """
    Get for how long the first frame waits, seconds: half of what tests/weather/scenes.py adds to a round trip.
    """
    chance = random.random()
    if chance < 0.03:
        return random.uniform(0.025, 0.1)
    return random.expovariate(1 / 0.0125) if chance < 0.4 else random.uniform(0.0002, 0.0015)


def opened(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((interface, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def main() -> None:
    first, second, seed = sys.argv[1:]
    random = Random(int(seed))
    ends = [opened(first), opened(second)]
    waiting: list[list[bytes]] = [[], []]
    turns: list[tuple[float, int]] = []
    print("ready", flush=True)
    while True:
        patience = max(0.0, turns[0][0] - time.monotonic()) if turns else None
        ready, _, _ = select.select(ends, [], [], patience)
        for sock in ready:
            way = ends.index(sock)
            while True:
                try:
                    frame, address = sock.recvfrom(70_000)
                except OSError:
                    break
                if address[2] == socket.PACKET_OUTGOING or len(waiting[way]) >= MOST_WAITING:
                    continue
                if not waiting[way]:
                    heapq.heappush(turns, (time.monotonic() + turn(random), way))
                waiting[way].append(frame)
        while turns and turns[0][0] <= time.monotonic():
            _, way = heapq.heappop(turns)
            for frame in waiting[way]:
                try:
                    ends[1 - way].send(frame)
                except OSError:  # its queue is full, or the cable is out: as in the air, it is lost
                    continue
            waiting[way].clear()


if __name__ == "__main__":
    main()
