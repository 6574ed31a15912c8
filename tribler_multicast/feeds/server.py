"""
The tiny HTTP server of the own feed: ``/feed.xml``, ``/<infohash>.torrent``, and nothing else.

Whoever can reach it may read it, without a key: it is what the user publishes. It takes no input but a path, and each
connection, its number and its time are bounded.
"""
from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import socket
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aiohttp import web

from .addresses import MACHINE, nearness
from .limits import (
    CLOSE_TIMEOUT,
    IDLE_TIMEOUT,
    MAX_CONNECTION_TIME,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    MAX_REQUEST_LINE,
    PART_SIZE,
)
from .own import FEED_PATH, TORRENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

logger = logging.getLogger(__name__)

BACKLOG: Final = 64
TORRENT: Final = re.compile(r"/([0-9a-f]{40})\.torrent")
HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Server": "tribler-multicast",
                  "Content-Security-Policy": "default-src 'none'; sandbox", "Referrer-Policy": "no-referrer",
                  "Cross-Origin-Resource-Policy": "same-origin"}


class _Connection(web.RequestHandler):
    """
    One connection: counted, and over after a while whatever it does.
    """

    __slots__ = ("_end", "_peer")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Count it, or end it at once.
        """
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        manager = self._manager
        assert isinstance(manager, _Http)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._end = asyncio.get_running_loop().call_later(MAX_CONNECTION_TIME, transport.abort)
        if not manager.admit(self._peer, transport):
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """
        Count it no more.
        """
        if isinstance(self._manager, _Http):
            self._manager.gone(self._peer)
        self._end.cancel()
        super().connection_lost(exc)


    def handle_error(self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None,
                     message: str | None = None) -> web.StreamResponse:
        """
        Answer what is no request. aiohttp would write a trace to the log for each: as many as any stranger likes.
        """
        logger.debug("No request that can be served (%d)", status)
        if request.writer.output_size > 0:
            error = "half an answer was sent"
            raise ConnectionError(error)
        answer = _plain(status, "Bad request" if status < 500 else "Internal error")
        answer.force_close()
        return answer


class _Http(web.Server):
    """
    aiohttp's server with connections of our kind.
    """

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
                 allowed: Callable[[], Collection[str] | None], **options: Any) -> None:  # noqa: ANN401
        super().__init__(handler, **options)
        self._allowed = allowed
        self._peers: Counter[str] = Counter()

    def __call__(self) -> web.RequestHandler:
        """
        Make the handler of a new connection.
        """
        return _Connection(self, loop=self._loop, **self._kwargs)

    def admit(self, peer: str, transport: asyncio.Transport) -> bool:
        """
        Count a connection, and tell whether it may stay: there is room, and it came to an address that is served.
        """
        self._peers[peer] += 1
        own = str((transport.get_extra_info("sockname") or ("",))[0]).partition("%")[0]
        allowed = self._allowed()
        if allowed is not None and own not in allowed and nearness(own) != MACHINE:
            return False
        return self._peers.total() <= MAX_CONNECTIONS and self._peers[peer] <= MAX_CONNECTIONS_PER_ADDRESS

    def gone(self, peer: str) -> None:
        """
        Count a connection no more.
        """
        self._peers[peer] -= 1
        if self._peers[peer] <= 0:
            del self._peers[peer]


class FeedServer:
    """
    Serves a feed and its files while it listens.
    """

    def __init__(self, feed: Callable[[str], bytes], file: Callable[[bytes], tuple[str, int] | None],
                 part: Callable[[bytes, int, int], Awaitable[bytes]],
                 allowed: Callable[[], Collection[str] | None] = lambda: None) -> None:
        """
        Take what to serve: the feed for a base URL, name and size of a ``.torrent`` file by infohash, and a part of it
        (infohash, start, most). `allowed` are the own addresses at which it is served, None for all; this machine
        itself reaches it in any case.
        """
        self._feed = feed
        self._file = file
        self._part = part
        self._allowed = allowed
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self, hosts: Sequence[str], port: int) -> None:
        """
        Listen on these addresses. Raises OSError with one clear line in `strerror` when none can be had, or the port is
        in use on any.
        """
        listeners = _bind(hosts, port)
        server = _Http(self._serve, self._allowed, access_log=None, keepalive_timeout=IDLE_TIMEOUT, lingering_time=0.0,
                       max_line_size=MAX_REQUEST_LINE, max_field_size=4 * MAX_REQUEST_LINE)
        self._runner = web.ServerRunner(server, shutdown_timeout=CLOSE_TIMEOUT)
        await self._runner.setup()
        for listener in listeners:
            await web.SockSite(self._runner, listener).start()
        self.port = listeners[0].getsockname()[1]

    async def stop(self) -> None:
        """
        Listen no more.
        """
        runner, self._runner, self.port = self._runner, None, 0
        if runner is not None:
            await runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ConnectionError:
            raise  # the client is gone, or is to see that it did not get all
        except Exception as error:
            # No trace: whoever asks chooses how often.
            logger.debug("A request for the feed failed: %s", error)
            return _plain(500, "Internal error")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            answer = _plain(405, "Only GET and HEAD")
            answer.headers["Allow"] = "GET, HEAD"
            return answer
        path = request.raw_path.partition("?")[0]
        if path == FEED_PATH:
            body = self._feed(_base(request))
            return _document(request, body, "application/rss+xml; charset=utf-8", sha256(body).hexdigest()[:32])
        found = TORRENT.fullmatch(path)
        file = self._file(bytes.fromhex(found[1])) if found else None
        if found is None or file is None:
            return _plain(404, "Not found")
        return await self._give(request, bytes.fromhex(found[1]), *file)

    async def _give(self, request: web.BaseRequest, infohash: bytes, name: str, size: int) -> web.StreamResponse:
        """
        Answer with a file, part by part, as fast as it is taken.
        """
        headers = {**HEADERS, "ETag": f'"{infohash.hex()}"'}
        if _has(request, infohash.hex()):
            return web.Response(status=304, headers=headers)
        answer = web.StreamResponse(headers={
            **headers, "Content-Type": TORRENT_TYPE, "Content-Length": str(size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name + '.torrent', safe='')}"})
        await answer.prepare(request)
        start = 0
        while start < size and request.method != "HEAD":
            part = await self._part(infohash, start, PART_SIZE)
            if not part:  # withdrawn in the meantime
                raise ConnectionResetError
            await answer.write(part)
            start += len(part)
        await answer.write_eof()
        return answer


def _base(request: web.BaseRequest) -> str:
    """
    What the client calls this server: only the client can know, behind NAT or in a container. It is told its own word.
    """
    host = request.headers.get("Host", "")
    if not HOST.fullmatch(host):
        address, port = (request.transport.get_extra_info("sockname") if request.transport else None) or ("", 0)[:2]
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"http://{host}"


def _document(request: web.BaseRequest, body: bytes, kind: str, tag: str) -> web.Response:
    headers = {**HEADERS, "ETag": f'"{tag}"'}
    if _has(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers={**headers, "Content-Type": kind})


def _has(request: web.BaseRequest, tag: str) -> bool:
    """
    Does the client have this already (RFC 9110 13.1.2)?
    """
    tags = {part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")}
    return f'"{tag}"' in tags or "*" in tags


def _plain(status: int, text: str) -> web.Response:
    headers = {**HEADERS, "Content-Type": "text/plain; charset=utf-8"}
    return web.Response(status=status, body=f"{text}\n".encode(), headers=headers)


def _bind(hosts: Sequence[str], port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    problem = OSError(errno.EADDRNOTAVAIL, "there is no address to listen at")
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = None
        try:
            listener = socket.socket(family, socket.SOCK_STREAM)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if os.name == "posix":  # on Windows it would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError as error:
            problem = error
            if listener is not None:
                listener.close()
            if error.errno == errno.EADDRINUSE:
                break
        else:
            listeners.append(listener)
    if not listeners or problem.errno == errno.EADDRINUSE:
        for listener in listeners:
            listener.close()
        raise problem
    return listeners
