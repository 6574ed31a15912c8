"""
The tiny HTTP server of the tracker: one GET per connection, bounded in bytes, time and number.

It reads no header but `Host` and those by which a browser gives itself away: no web page is to announce anything, here
or by a name that it made lead here (DNS rebinding).
"""
from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import ANSWER_TIMEOUT, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, MAX_REQUEST, REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

REQUEST_LINE: Final = re.compile(rb"GET (/[!-~]*) HTTP/1\.[01]")
BROWSERS: Final = (b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"referer")
HOST: Final = re.compile(rb"(localhost|[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?", re.IGNORECASE)
WORDS: Final = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


class Request(NamedTuple):
    """
    What is asked for: path and query, from where, and the address of ours that it came to (without scopes).
    """

    path: str
    query: str
    address: str
    own: str


class Server:
    """
    Listens at one address.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[tuple[int, bytes]]],
                 allows: Callable[[str], bool]) -> None:
        """
        :param answer: gets status and body for a request.
        :param allows: tells whether somebody at an IP address is served.
        """
        self._answer = answer
        self._allows = allows
        self._server: asyncio.Server | None = None
        self._connections: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused: Counter[str] = Counter()
        """What was not answered, by reason."""
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """
        Listen. Raises OSError.
        """
        self._server = await asyncio.start_server(self._connected, host, port, limit=MAX_REQUEST, backlog=128)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """
        Listen no more, and end what is under way.
        """
        if self._server is not None:
            self._server.close()
            self._server = None
        self.port = 0
        for task in self._tasks:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        address = _host(writer.get_extra_info("peername"))
        self._connections[address] += 1
        try:
            if not self._allows(address):
                self.refused["address"] += 1
            elif (self._connections.total() > MAX_CONNECTIONS
                  or self._connections[address] > MAX_CONNECTIONS_PER_ADDRESS):
                self.refused["connections"] += 1
            else:
                await self._serve(reader, writer, address)
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError) as error:
            self.refused["too long" if isinstance(error, asyncio.LimitOverrunError) else "cut off"] += 1
        except asyncio.CancelledError:
            logger.debug("A request was cut off by the end")
        finally:
            self._tasks.discard(task)
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
        first, *rest = head[:-4].split(b"\r\n")
        line = REQUEST_LINE.fullmatch(first)
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(b":") for each in rest)}
        status, body = 400, b"Bad request\n"
        if line is None:
            self.refused["no request"] += 1
        elif any(name in headers for name in BROWSERS) or not HOST.fullmatch(headers.get(b"host", b"localhost")):
            self.refused["browser"] += 1
            status, body = 403, b"This is for BitTorrent clients\n"
        else:
            path, _, query = line[1].decode("ascii").partition("?")
            own = _host(writer.get_extra_info("sockname"))
            status, body = await self._answer(Request(path, query, address, own))
        writer.write(b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                     % (status, WORDS[status].encode(), len(body)) + body)
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await writer.drain()
            with suppress(OSError):
                writer.write_eof()
            await reader.read(MAX_REQUEST)  # until the client closes: else what it said too much would cut it off


def _host(name: tuple[str, int] | None) -> str:
    """
    Get the IP address of a socket's name, without scope, an IPv4 one as such.
    """
    return (name or ("",))[0].partition("%")[0].removeprefix("::ffff:")
