"""
Every call of the API with bodies, queries and paths that are nearly right: an answer each time, never an error of ours.
"""
from __future__ import annotations

import asyncio
import json
import os
import re
import time
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import ClientError, ClientTimeout

from tests.restapi.conftest import KEY, make_neighbour

from .mutation import TEXTS, changed, other_object, value

if TYPE_CHECKING:
    from tests.restapi.conftest import Api

PATIENCE = 10.0
"""Seconds that an answer may take on a busy machine."""
ROOT = "/api/multicast"
HASH, CONTENT = "ab" * 20, "cd" * 32
NOWHERE = "/nonexistent/folder"
"""Where files would be: nothing is read nor written there."""
BODIES: dict[str, dict[str, Any]] = {
    "POST /discover": {"timeout": 0.01, "capabilities": ["search"]}, "POST /announcements": {"values": [1, "x", {"hex": "00"}]},
    "POST /ping": {"mid": HASH, "count": 1, "throughput": False}, "POST /torrents": {"path": NOWHERE, "output": NOWHERE},
    "POST /downloads": {"infohash": HASH, "peer": HASH}, "POST /feeds": {"url": "http://[::1]:1/feed"},
    "POST /transfers": {"content_id": CONTENT, "output": NOWHERE, "rate": 5}, "POST /publications": {"path": NOWHERE},
    "PATCH /transfers/{id}": {"state": "paused", "rate": None}, "PUT /activity": {"class": "live", "up": 1, "down": 2, "ttl": 5},
    "PATCH /settings": {"nickname": "n", "untrusted": "strangers", "share": []}, "PATCH /downloads/{infohash}": {"up": 5}}
QUERIES = {"local": "true", "online": "false", "friend": "true", "since": "0", "query": "boat", "timeout": "0.01",
           "path": NOWHERE, "delete": "false", "key": KEY, "token": "x", "kinds": "torrent", "limit": "5", "first": "1"}
SLOW = {"GET /events"}
"""Goes on for ever."""


def word(random: Random) -> str:
    return random.choice((HASH, CONTENT, "0", "1", "x", random.choice(TEXTS)))


def query(random: Random) -> str:
    chosen = random.sample(sorted(QUERIES), random.choice((0, 0, 1, 1, 2, 3)))
    return "&".join(f"{name}={_quoted(QUERIES[name] if random.random() < 0.6 else word(random))}" for name in chosen)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def body(random: Random, call: str) -> bytes:
    """Make a body; never one with a path that there is."""
    sample = BODIES.get(call, {})
    made = other_object(random, sample) if random.random() < 0.8 else value(random)
    text = json.dumps(made).encode()
    if random.random() < 0.3:
        text = changed(random, text, [json.dumps(each).encode() for each in BODIES.values()], (b"{", b"[" * 200, b"1e999"))
    # Whatever became of it, what begins with a slash leads nowhere.
    return re.sub(rb"/+(?!nonexistent)", b"", text.replace(b"\\u002f", b"").replace(b"\\/", b""))


async def call(api: Api, random: Random, method: str, path: str) -> int:
    """Call once; gets the status."""
    url = ROOT + re.sub(r"\{[^}]*\}", lambda _: _quoted(word(random)) or "x", path)
    asked = query(random)
    sent = body(random, f"{method} {path}") if method != "GET" else None
    shown = f"{method} {url}?{asked} {sent!r}"
    try:
        async with api.session.request(method, api.url + url + (f"?{asked}" if asked else ""), data=sent,
                                       headers={"X-Api-Key": KEY, "Content-Type": "application/json"},
                                       timeout=ClientTimeout(PATIENCE)) as response:
            answer = await response.read()
    except (ClientError, TimeoutError) as error:
        raise AssertionError(f"{error!r}: {shown}") from error
    assert response.status < 500 or response.status in (501, 503), f"{response.status} {answer[:300]!r}: {shown}"
    if response.status >= 400 and answer and response.content_type == "application/json":
        message = json.loads(answer)["error"]["message"]
        assert "\n" not in message, shown
        assert len(message) < 500 or message.startswith("Could not find"), shown
    return response.status


async def fuzz(api: Api, seconds: float, seed: int) -> dict[int, int]:
    """Call for a while; gets how often which status came."""
    api.community.peers = [make_neighbour()]
    random = Random(seed)
    routes = sorted({(route.method, route.resource.canonical.removeprefix(ROOT)) for route in api.endpoint.app.router.routes()
                     if route.resource is not None and route.method not in ("HEAD", "*")})
    routes = [route for route in routes if " ".join(route) not in SLOW]
    assert len(routes) > 30
    found: dict[int, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end or sum(found.values()) < 3 * len(routes):
        method, path = routes[sum(found.values()) % len(routes)]
        status = await call(api, random, method, path)
        found[status] = found.get(status, 0) + 1
    await talk(api, random)
    return found


async def talk(api: Api, random: Random) -> None:
    """Send what is hardly HTTP; the server goes on after it."""
    address = urlsplit(api.url)
    sample = f"GET {ROOT}/status HTTP/1.1\r\nHost: {address.netloc}\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
    for _ in range(40):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(changed(random, sample, [sample], (b"\r\n", b": ", b"Content-Length: -1\r\n", b"%", b"\0",
                                                        b"Transfer-Encoding: chunked\r\n", b"chunked", b"HTTP/9.9")))
        writer.write_eof()
        try:
            await asyncio.wait_for(reader.read(), PATIENCE)
        except ConnectionError:
            continue
        finally:
            writer.close()
    assert (await api.call("GET", f"{ROOT}/status"))[0] == 200


async def test_every_call_bears_what_is_nearly_right_for_a_moment(api: Api) -> None:
    found = await fuzz(api, 1.0, 1)
    print(dict(sorted(found.items())))
    assert found.get(200), found
    assert found[422]


@pytest.mark.soak
async def test_every_call_bears_what_is_nearly_right_for_a_minute(api: Api) -> None:
    found = await fuzz(api, float(os.environ.get("FUZZ_SECONDS", "600")) / 10, int(os.environ.get("FUZZ_SEED", "7")))
    print(f"REST: {sum(found.values()):,} calls: {dict(sorted(found.items()))}")
