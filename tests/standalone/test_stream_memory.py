"""
What players that were paused cost a node: nothing but their connections, whatever is streamed meanwhile.
"""
from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.lan.processes import memory
from tribler_multicast.streams.limits import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import StartNode
    from .nodes import RunningNode

PAUSED = 30
CHUNK = bytes(range(256)) * 256
FED = 3 * KEPT


def paused(node: RunningNode, stream_id: str) -> socket.socket:
    """Begin to play, and read no more than the first byte."""
    parts = urlsplit(node.ready["api"])
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((parts.hostname, parts.port))
    sock.sendall(f"GET /api/multicast/streams/{stream_id}?from=first HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 f"X-Api-Key: {node.key}\r\n\r\n".encode())
    assert sock.recv(1)
    return sock


@pytest.mark.soak
def test_paused_players_and_one_that_reads_slowly_take_no_memory(start_node: StartNode) -> None:
    node = start_node("a")
    created = node.call("POST", "/streams", json.dumps({"name": "x", "type": "audio/mpeg"}).encode(),
                        {"Content-Type": "application/json"})[1]
    before = memory(node.process.pid, share=False)["rss"]
    players: list[socket.socket] = []
    top = 0

    def body() -> Iterator[bytes]:
        nonlocal top
        for number in range(FED // len(CHUNK)):
            yield CHUNK
            if number == 0:
                time.sleep(0.5)
                players.extend(paused(node, created["stream_id"]) for _ in range(PAUSED))
            elif not number % 100:
                players[0].recv(4096)
                top = max(top, memory(node.process.pid, share=False)["rss"])

    parts = urlsplit(node.ready["api"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=200)
    connection.request("PUT", f"/api/multicast/streams/{created['stream_id']}/data", body(), {"X-Api-Key": node.key})
    assert connection.getresponse().status == 200
    [stream] = node.call("GET", "/streams?timeout=0.1")[1]["streams"]
    assert stream["readers"] == PAUSED
    print(f"{FED / 1e6:.0f} MB streamed to {PAUSED} players that read nothing: {(top - before) / 1e6:.0f} MB more, "
          f"{stream['buffered'] / 1e6:.0f} MB of them the stream")
    assert top - before < 3 * KEPT, "once for players, and what the network keeps of it"
    for player in players:
        player.close()
