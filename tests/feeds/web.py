"""
A web server on loopback as feeds come from: it gains items while it runs, counts what is asked, and can be hostile.

    async with WebServer() as server:
        server.add("Episode 1", torrent_data)
        feed = await feeds.add(server.url)
"""
from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

TORRENT_TYPE = "application/x-bittorrent"


def bencode(value: object) -> bytes:
    """Write a value as BEP 3 says."""
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return bencode(value.encode())
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(bencode(item) for item in value) + b"e"
    assert isinstance(value, dict)
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def torrent_of(name: str, data: bytes = b"episode") -> tuple[bytes, bytes]:
    """Make a torrent of one small file: its infohash, and the content of its .torrent file."""
    info = {"length": len(data), "name": name, "piece length": 16384,
            "pieces": b"".join(sha1(data[at:at + 16384]).digest() for at in range(0, len(data), 16384))}
    return sha1(bencode(info)).digest(), bencode({"info": info})


@dataclass
class Item:
    """An item of the feed."""

    title: str
    guid: str
    enclosure: str
    length: int = 0


@dataclass
class WebServer:
    """
    Serves /feed.xml (RSS with ETag) and the .torrent files of its items; `answer` puts anything at any path.

    `requests` counts requests by path; `full` those for the feed that were answered with all of it, not with a 304.
    """

    host: str = "127.0.0.1"
    port: int = 0
    title: str = "A programme"
    channel: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    full: int = 0
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/feed.xml"

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def add(self, title: str, data: bytes, guid: str | None = None) -> Item:
        """Put a .torrent file on the server, and an item on top of the feed."""
        path = f"/{sha256(title.encode()).hexdigest()[:16]}.torrent"
        self.files[path] = data
        item = Item(title, guid or f"item:{title}", self.base + path, len(data))
        self.items.insert(0, item)
        return item

    def answer(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> str:
        """Answer at a path in this way, and get its URL."""
        async def handler(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=body,
                                headers={name.replace("_", "-"): value for name, value in headers.items()})

        self.answers[path] = handler
        return self.base + path

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        """Redirect from a path, and get its URL."""
        return self.answer(path, status, Location=to)

    def feed(self) -> bytes:
        """Write the feed as it is now."""
        items = "".join(f"<item><title>{escape(item.title)}</title><guid>{escape(item.guid)}</guid>"
                        f'<enclosure url={quoteattr(item.enclosure)} length="{item.length}" type="{TORRENT_TYPE}"/>'
                        "</item>" for item in self.items)
        return (f'<?xml version="1.0"?><rss version="2.0"><channel><title>{escape(self.title)}</title>'
                f"{self.channel}{items}</channel></rss>").encode()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.path] += 1
        self.seen.append(request)
        self.bodies.append(await request.read())
        self.asked.set()
        if request.path in self.answers:
            return await self.answers[request.path](request)
        if request.path == "/feed.xml":
            body = self.feed()
            tag = f'"{sha256(body).hexdigest()[:16]}"'
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={"ETag": tag})
            self.full += 1
            return web.Response(body=body, headers={"ETag": tag, "Content-Type": "application/rss+xml", **self.headers})
        if request.path in self.files:
            return web.Response(body=self.files[request.path], content_type=TORRENT_TYPE)
        raise web.HTTPNotFound
