"""
HTTP towards strangers: everything that comes is bounded while it comes, and leads nowhere it must not.

One request at a time over a connection of its own, without cookies, proxy or referrer. Redirects are followed by hand:
to HTTP only, and never nearer than where they came from (see `addresses`), judged by the addresses that are connected
to, so that a name which changes its mind is no way around it.
"""
from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from .. import __version__
from ..settings import shown
from .addresses import MACHINE, PLACES, nearness
from .limits import CONNECT_TIMEOUT, MAX_REDIRECTS, MAX_URL, SILENCE_TIMEOUT, TOTAL_TIMEOUT
from .model import FeedError, clean_line, shown_url
from .schedule import max_age, retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp.abc import ResolveResult

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MEDIA: Final = ("image/", "video/", "audio/", "font/")
AGENT: Final = f"tribler-multicast/{__version__}"


@dataclass(frozen=True, slots=True)
class Place:
    """
    A host that was asked: how near the farthest and the nearest of its addresses are.
    """

    host: str
    farthest: int
    nearest: int

    def bound(self, url: URL) -> int:
        """
        How near a URL may be to which this host leads us. It may lead to itself: many hosts have an address of the
        local network and one of the internet under one name.
        """
        return self.nearest if url.host == self.host else self.farthest


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a server answered: `body` is None if nothing changed (304). `url` is where it came from in the end, `place` the
    host there, `first` the one that was asked first; `fresh` the seconds it is good for, None if that is not said.
    """

    url: str
    place: Place
    first: Place
    body: bytes | None
    charset: str = ""
    etag: str = ""
    modified: str = ""
    fresh: float | None = None


def checked_url(text: str) -> URL:
    """
    The URL of a feed or a file. Raises FeedError (422) for anything but HTTP.
    """
    if len(text) > MAX_URL:
        message = f"the URL is longer than {MAX_URL} characters"
        raise FeedError(message, 422, again=False)
    try:
        url = URL(text.strip())
        host, _ = url.host, url.port
    except ValueError:
        host = None
    odd = any(ord(letter) < 33 for letter in text.strip())
    if host is None or url.scheme not in ("http", "https") or not host or odd:
        message = f"{shown(shown_url(text))} is no address of the form http://host/path or https://host/path"
        raise FeedError(message, 422, again=False)
    url = url.with_fragment(None)
    return url.with_port(None) if url.is_default_port() else url


class _Resolver(AbstractResolver):
    """
    Looks up the addresses of a host, and keeps to those that are not too near. Remembers how near they are.
    """

    def __init__(self, most: int, judge: Callable[[str], int]) -> None:
        self.most = most
        self.judge = judge
        self.levels: set[int] = set()
        self.refused: int | None = None

    async def resolve(self, host: str, port: int = 0,
                      family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """
        Get the addresses. Raises OSError if there is none, or none that may be used.
        """
        found: list[ResolveResult] = []
        for kind, _, protocol, _, place in await _look_up(host, port, family):
            address = str(place[0])
            if kind == socket.AF_INET6 and len(place) > 3 and place[3] and "%" not in address:
                address = f"{address}%{place[3]}"
            if self.allows(address):
                found.append({"hostname": host, "host": address, "port": port, "family": kind, "proto": protocol,
                              "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV})
        if not found:
            message = "no address that may be used"
            raise OSError(None, message)
        return found

    def allows(self, address: str) -> bool:
        """
        May this address be connected to?
        """
        near = self.judge(address)
        if near > self.most:
            self.refused = near
            return False
        self.levels.add(near)
        return True

    async def close(self) -> None:
        """
        Nothing is kept.
        """


async def _look_up(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    """
    Ask the system's resolver, in a thread that nobody waits for: it may hang for half a minute, and closing must not.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(found: list[tuple[Any, ...]], error: OSError | None) -> None:
        if waiter.done():
            return
        if error is None:
            waiter.set_result(found)
        else:
            waiter.set_exception(error)

    def ask() -> None:
        found: list[tuple[Any, ...]] = []
        error: OSError | None = None
        try:
            found = list(socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM))
        except OSError as problem:
            error = problem
        except UnicodeError:
            error = OSError(None, "no name of a host")
        try:
            loop.call_soon_threadsafe(settle, found, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=ask, name="feeds look-up", daemon=True).start()
    return await waiter


class Web:
    """
    Gets files, and sends some. Every failure is a FeedError of one line.
    """

    def __init__(self, judge: Callable[[str], int] = nearness, total: float = TOTAL_TIMEOUT,
                 silence: float = SILENCE_TIMEOUT) -> None:
        """
        Set the judge of how near an address is, and the patience in seconds.
        """
        self.judge = judge
        self.total = total
        self.silence = silence

    async def get(self, text: str, most: int, near: int = MACHINE,
                  headers: Mapping[str, str] | None = None) -> Answer:
        """
        Get a file of at most so many bytes from hosts that are at most this near.
        """
        url = checked_url(text)
        try:
            async with asyncio.timeout(self.total):
                return await self._get(url, most, near, headers or {})
        except TimeoutError:
            message = f"{shown_url(str(url))} took longer than {self.total:g} seconds"
            raise FeedError(message) from None

    async def _get(self, url: URL, most: int, near: int, headers: Mapping[str, str]) -> Answer:
        first: Place | None = None
        sent = {"Accept-Encoding": "gzip", **headers}
        for _ in range(MAX_REDIRECTS + 1):
            async with self.request("GET", url, near, headers=sent) as (answer, place):
                first = first or place
                if answer.status not in REDIRECTS:
                    return await self._taken(url, (place, first), answer, most)
                url = redirected(url, answer)
                near = place.bound(url)
        message = f"{shown_url(str(url))} redirects more than {MAX_REDIRECTS} times"
        raise FeedError(message)

    @asynccontextmanager
    async def request(self, method: str, url: URL, near: int,
                      **arguments: Any) -> AsyncIterator[tuple[aiohttp.ClientResponse, Place]]:  # noqa: ANN401
        """
        Make one request, without redirects: a context that gives the answer and its host.
        """
        resolver = _Resolver(near, self.judge)
        host = url.host or ""
        place = shown_url(str(url))
        # Literal addresses never come to the resolver. Odd spellings of them ("127.1") do.
        if _is_literal(host) and not resolver.allows(host):
            raise _too_near(place, resolver.refused)
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=self.silence)
        try:
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
            async with (aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout,
                                              auto_decompress=False, headers={"User-Agent": AGENT}) as session,
                        session.request(method, url, allow_redirects=False, **arguments) as answer):
                yield answer, Place(host, min(resolver.levels), max(resolver.levels))
        except aiohttp.ClientConnectorCertificateError:
            message = f"the certificate of {place} is not valid"
            raise FeedError(message) from None
        except aiohttp.ClientConnectorError as error:
            if not resolver.levels and resolver.refused is not None:
                raise _too_near(place, resolver.refused) from None
            message = f"can't reach {place}: {_reason(error.os_error)}"
            raise FeedError(message) from None
        except (aiohttp.ServerTimeoutError, TimeoutError):
            message = f"{place} does not answer"
            raise FeedError(message) from None
        except (aiohttp.InvalidURL, ValueError):
            message = f"{place} is no address that can be asked"
            raise FeedError(message, 422, again=False) from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"the connection to {place} broke ({clean_line(type(error).__name__)})"
            raise FeedError(message) from None

    async def _taken(self, url: URL, places: tuple[Place, Place], answer: aiohttp.ClientResponse, most: int) -> Answer:
        headers = answer.headers
        fresh = max_age(headers.get("Cache-Control", "")[:1024])
        tags = (_tag(headers.get("ETag", "")), _tag(headers.get("Last-Modified", "")))
        if answer.status == 304:
            return Answer(str(url), *places, None, "", *tags, fresh)
        if answer.status != 200:
            raise refusal(url, answer)
        kind = answer.content_type
        if kind.startswith(MEDIA):
            message = f"{shown_url(str(url))} is {shown(kind)}"
            raise FeedError(message, 422, again=False)
        body = await _read(url, answer, most)
        return Answer(str(url), *places, body, (answer.charset or "")[:64], *tags, fresh)


def _tag(value: str) -> str:
    """
    A header's value if it can be sent back as it is, else "".
    """
    return value if value.isascii() and value.isprintable() and len(value) <= 1024 else ""


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _too_near(place: str, near: int | None) -> FeedError:
    where = PLACES[MACHINE if near is None else near]
    message = f"{place} is on {where}, where what comes from farther away must not lead"
    return FeedError(message, 422)


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    return os.strerror(error.errno) if error.errno else clean_line(str(error) or "no connection", 80)


def redirected(url: URL, answer: aiohttp.ClientResponse) -> URL:
    """
    Where a redirect leads. Raises FeedError if that is nowhere, or not HTTP.
    """
    target = answer.headers.get("Location", "")
    try:
        return checked_url(str(url.join(URL(target)))) if target else checked_url("")
    except (FeedError, ValueError):
        message = f"{shown_url(str(url))} redirects to {shown(target)}, which is not HTTP"
        raise FeedError(message, 422) from None


def refusal(url: URL, answer: aiohttp.ClientResponse) -> FeedError:
    """
    Say that a server answered with an error.
    """
    wait = retry_after(answer.headers.get("Retry-After", ""), time.time())
    reason = clean_line(answer.reason or "", 40)
    return FeedError(f"{shown_url(str(url))} answers {answer.status} {reason}".rstrip(), retry_after=wait,
                     again=answer.status != 410)


async def _read(url: URL, answer: aiohttp.ClientResponse, most: int) -> bytes:
    """
    Read a body, unpacked, of at most so many bytes.
    """
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        message = f"{shown_url(str(url))} is packed as {shown(coding)}, which was not asked for"
        raise FeedError(message)
    too_large = FeedError(f"{shown_url(str(url))} is larger than {most:,} bytes", 422, again=False)
    if (answer.content_length or 0) > most:
        raise too_large
    unpacker = _Gunzip() if coding.endswith("gzip") else None
    body = bytearray()
    async for chunk in answer.content.iter_any():
        try:
            body += chunk if unpacker is None else unpacker.take(chunk, most + 1 - len(body))
        except zlib.error:
            message = f"{shown_url(str(url))} is damaged (gzip)"
            raise FeedError(message) from None
        if len(body) > most:
            raise too_large
    if unpacker is not None and not unpacker.whole:
        message = f"{shown_url(str(url))} ended too early"
        raise FeedError(message)
    return bytes(body)


class _Gunzip:
    """
    Unpacks gzip, member after member, never more than is asked for.
    """

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(31)
        self.whole = False

    def take(self, data: bytes, most: int) -> bytes:
        """
        Unpack what came, to at most so many bytes: what is beyond is lost, and so is who sent it.
        """
        out = bytearray()
        while data and len(out) < most:
            if self._unpacker.eof:
                self._unpacker = zlib.decompressobj(31)
            out += self._unpacker.decompress(data, most - len(out))
            self.whole = self._unpacker.eof
            data = self._unpacker.unused_data if self.whole else b""
        return bytes(out)
