"""
Every call of the API of a running node, with bodies, queries and paths that are nearly right: an answer each time,
never an error of ours, and the node goes on.
"""
from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

from .mutation import TEXTS, changed, other_object, value

if TYPE_CHECKING:
    from tests.standalone.conftest import StartNode
    from tests.standalone.nodes import RunningNode

PATIENCE = 30.0
"""Seconds that an answer may take on a busy machine. (The longest honest wait of these calls is a second.)"""
ROOT = "/api/multicast"
HASH, CONTENT = "ab" * 20, "cd" * 32
NOWHERE = "/nonexistent/folder"
"""Where files would be: nothing is read nor written there."""
BODIES: dict[str, dict[str, Any]] = {
    "POST /discover": {"timeout": 0.01, "capabilities": ["search"]},
    "POST /announcements": {"values": [1, "x", {"hex": "00"}]},
    "POST /ping": {"mid": HASH, "count": 1, "throughput": False},
    "POST /torrents": {"path": NOWHERE, "output": NOWHERE}, "POST /feeds": {"url": "http://[::1]:1/feed"},
    "POST /downloads": {"infohash": HASH, "peer": HASH}, "POST /publications": {"path": NOWHERE},
    "POST /transfers": {"content_id": CONTENT, "output": NOWHERE, "rate": 5},
    "PATCH /transfers/{id}": {"state": "paused", "rate": None},
    "PUT /activity": {"class": "live", "up": 1, "down": 2, "ttl": 5},
    "PATCH /settings": {"nickname": "n", "untrusted": "strangers", "upload_rate": 5},
    "PATCH /downloads/{infohash}": {"up": 5}}
QUERIES = {"local": "true", "online": "false", "friend": "true", "since": "0", "query": "boat", "timeout": "0.01",
           "path": NOWHERE, "delete": "false", "token": "x"}
FIXED = {"GET /events", "PUT /streams/{id}/data"}
"""Go on for ever."""


class Caller:
    """
    Calls a node over one connection.
    """

    def __init__(self, node: RunningNode, seed: int) -> None:
        self.node = node
        self.random = Random(seed)
        parts = urlsplit(node.ready["api"])
        self.address = parts.hostname or "", parts.port or 0
        self.connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        self.slowest = 0.0
        self.found: dict[int, int] = {}
        _, document = self.request("GET", "/docs/swagger.json", None)
        self.calls = sorted((method.upper(), path.removeprefix(ROOT))
                            for path, methods in json.loads(document)["paths"].items() if path.startswith(ROOT)
                            for method in methods if f"{method.upper()} {path.removeprefix(ROOT)}" not in FIXED)
        assert len(self.calls) > 30

    def request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        self.connection.request(method, path, body, {"X-Api-Key": self.node.key, "Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()

    def word(self) -> str:
        random = self.random
        return random.choice((HASH, CONTENT, self.node.mid, "0", "1", "x", random.choice(TEXTS)))

    def query(self) -> str:
        chosen = self.random.sample(sorted(QUERIES), self.random.choice((0, 0, 1, 1, 2)))
        return "&".join(f"{name}={quoted(QUERIES[name] if self.random.random() < 0.6 else self.word())}"
                        for name in chosen)

    def body(self, call: str) -> bytes:
        """
        Make a body; never one with a path that there is.
        """
        random = self.random
        made = other_object(random, BODIES.get(call, {})) if random.random() < 0.8 else value(random)
        text = json.dumps(made).encode()
        if random.random() < 0.3:
            text = changed(random, text, [json.dumps(each).encode() for each in BODIES.values()],
                           (b"{", b"[" * 200, b"1e999"))
        return re.sub(rb"/+(?!nonexistent)", b"", text.replace(b"\\u002f", b"").replace(b"\\u002F", b"").replace(
            b"\\/", b""))

    def call(self, method: str, path: str) -> None:
        """
        Call once, and look at the answer.
        """
        url = ROOT + re.sub(r"\{[^}]*\}", lambda _: quoted(self.word()) or "x", path)
        asked = self.query()
        sent = self.body(f"{method} {path}") if method != "GET" else None
        shown = f"{method} {url}?{asked} {sent!r}"
        begun = time.monotonic()
        try:
            status, answer = self.request(method, url + (f"?{asked}" if asked else ""), sent)
        except (OSError, http.client.HTTPException) as error:
            raise AssertionError(f"{error!r}: {shown}") from error
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.found[status] = self.found.get(status, 0) + 1
        assert status < 500 or status == 503, f"{status} {answer[:300]!r}: {shown}"
        if status >= 400 and answer[:1] == b"{":
            message = json.loads(answer)["error"]["message"]
            assert "\n" not in message, shown
            assert len(message) < 500 or message.startswith("Could not find"), shown

    def talk(self) -> None:
        """
        Send what is hardly HTTP.
        """
        host = f"{self.address[0]}:{self.address[1]}"
        sample = f"GET {ROOT}/status HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {self.node.key}\r\n\r\n".encode()
        with socket.create_connection(self.address, PATIENCE) as sock:
            sock.sendall(changed(self.random, sample, [sample], (
                b"\r\n", b": ", b"Content-Length: -1\r\n", b"%", b"\0", b"HTTP/9.9",
                b"Transfer-Encoding: chunked\r\n")))
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(65536):
                    pass
            except ConnectionError:
                return


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def fuzz(node: RunningNode, seconds: float, seed: int) -> Caller:
    """
    Call for a while.
    """
    caller = Caller(node, seed)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end or count < len(caller.calls):
        caller.call(*caller.calls[count % len(caller.calls)])
        count += 1
        if not count % 10:
            caller.talk()
    assert node.process.poll() is None
    assert node.call("GET", "/status")[0] == 200
    log = node.errors.read_text()
    assert "Traceback" not in log, log[-3000:]
    assert len(log) < 20_000, "what callers send fills no log"
    return caller


def test_every_call_bears_what_is_nearly_right_for_a_moment(start_node: StartNode) -> None:
    caller = fuzz(start_node("a"), 1.0, 1)
    print(caller.found)
    assert caller.found[200]
    assert caller.found[422]


@pytest.mark.soak
def test_every_call_bears_what_is_nearly_right_for_a_minute(start_node: StartNode) -> None:
    caller = fuzz(start_node("a"), float(os.environ.get("FUZZ_SECONDS", "600")) / 10,
                  int(os.environ.get("FUZZ_SEED", time.time())))
    print(f"API: {sum(caller.found.values()):,} calls: {dict(sorted(caller.found.items()))}, "
          f"slowest {1000 * caller.slowest:.0f} ms")
