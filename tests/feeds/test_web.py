"""Getting files from strangers: what is too large, too slow, too near or not HTTP ends in one line."""
from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tribler_multicast.feeds.addresses import INTERNET, MACHINE, NETWORK, nearness
from tribler_multicast.feeds.limits import MAX_FEED_SIZE, MAX_REDIRECTS
from tribler_multicast.feeds.web import Place, Web, _Gunzip, checked_url

from .conftest import refusal
from .web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST = 100_000


async def test_a_file_comes_with_its_tags(server: WebServer) -> None:
    url = server.answer("/x", body=b"text", ETag='W/"1"', Last_Modified="Sun, 05 Apr 2026 10:00:00 GMT",
                        Cache_Control="max-age=60", Content_Type="text/xml; charset=koi8-r")
    answer = await Web().get(url, MOST)
    assert (answer.body, answer.url, answer.etag, answer.modified) == (b"text", url, 'W/"1"',
                                                                      "Sun, 05 Apr 2026 10:00:00 GMT")
    assert (answer.charset, answer.fresh, answer.first) == ("koi8-r", 60.0, Place("127.0.0.1", MACHINE, MACHINE))


async def test_a_request_tells_nothing_but_what_it_must(server: WebServer) -> None:
    server.answer("/cookie", Set_Cookie="id=1", body=b"x")
    caller = Web()
    await caller.get(server.base + "/cookie", MOST)
    await caller.get(server.base + "/cookie", MOST)
    assert set(server.seen[1].headers) == {"Host", "Accept-Encoding", "User-Agent", "Accept", "Connection"}


@pytest.mark.parametrize("text", [
    "file:///etc/passwd", "ftp://h/x", "/feed.xml", "h/feed.xml", "http://", "http:///x", "javascript:alert(1)", "",
    "http://h:99999/", "http://[::1", "http://h/\r\nHost: x", "http://\x00h/", "data:text/xml,<rss/>"])
async def test_what_is_no_http_address_is_refused(text: str) -> None:
    status, line = await refusal(Web().get(text, MOST))
    assert status == 422
    assert "is no address of the form http://host/path" in line


async def test_a_long_url_is_refused() -> None:
    assert await refusal(Web().get("http://h/" + 5000 * "x", MOST)) == (422, "the URL is longer than 2048 characters")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "data:,x", "", "http://[",
                                    "magnet:?xt=urn:btih:00", "http://h:99999/"])
async def test_a_redirect_to_anything_but_http_is_refused(server: WebServer, target: str) -> None:
    _, line = await refusal(Web().get(server.redirect("/r", target), MOST))
    assert line.startswith(f"{server.base}/r redirects to ")
    assert line.endswith(", which is not HTTP")


async def test_redirects_are_followed_but_not_for_ever(server: WebServer) -> None:
    server.answer("/end", body=b"there")
    for number in range(MAX_REDIRECTS):
        server.redirect(f"/{number}", f"{number + 1}" if number < MAX_REDIRECTS - 1 else "/end", 301 + number % 3)
    answer = await Web().get(server.base + "/0", MOST)
    assert (answer.body, answer.url) == (b"there", server.base + "/end")
    server.redirect("/loop", "/loop")
    _, line = await refusal(Web().get(server.base + "/loop", MOST))
    assert line == f"{server.base}/loop redirects more than 5 times"
    assert server.requests["/loop"] == MAX_REDIRECTS + 1


async def test_a_password_goes_to_its_own_host_only(server: WebServer) -> None:
    async with WebServer("127.0.0.2") as other:
        server.redirect("/here", "/end")
        server.redirect("/away", other.answer("/end", body=b"x"))
        server.answer("/end", body=b"x")
        own = server.base.replace("//", "//user:secret@")
        for path in ("/here", "/away"):
            await Web().get(own + path, MOST)
        assert ["Authorization" in request.headers for request in server.seen] == [True, True, True]
        assert ["Authorization" in request.headers for request in other.seen] == [False]


async def test_a_gigabyte_is_not_read(server: WebServer) -> None:
    sent = 0

    async def gigabyte(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": "text/xml"})
        await answer.prepare(request)
        while sent < 1 << 30:
            await answer.write(bytes(1 << 16))
            sent += 1 << 16
        return answer

    server.answers["/gigabyte"] = gigabyte
    line = f"{server.base}/gigabyte is larger than 4,194,304 bytes"
    assert await refusal(Web().get(server.base + "/gigabyte", MAX_FEED_SIZE)) == (422, line)
    assert sent < 32 << 20


async def test_a_gigabyte_that_is_announced_is_not_waited_for(server: WebServer) -> None:
    async def announce(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(1 << 30)})
        await answer.prepare(request)
        await asyncio.sleep(60)
        return answer

    server.answers["/announced"] = announce
    line = f"{server.base}/announced is larger than 4,194,304 bytes"
    assert await refusal(Web(total=2).get(server.base + "/announced", MAX_FEED_SIZE)) == (422, line)


async def test_a_gzip_bomb_is_unpacked_to_the_limit_only(server: WebServer) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < MOST * 3
    url = server.answer("/bomb", body=bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        status, line = await refusal(Web().get(url, MAX_FEED_SIZE))
        assert tracemalloc.get_traced_memory()[1] < 5 * MAX_FEED_SIZE
    finally:
        tracemalloc.stop()
    assert (status, line) == (422, f"{url} is larger than 4,194,304 bytes")
    assert len(_Gunzip().take(bomb, 1000)) == 1000


async def test_gzip_is_unpacked_member_by_member(server: WebServer) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    assert (await Web().get(server.answer("/x", body=packed, Content_Encoding="gzip"), MOST)).body == b"one two"


@pytest.mark.parametrize(("body", "coding", "line"), [
    (gzip.compress(b"text", mtime=0)[:-6], "gzip", "ended too early"), (b"text", "gzip", "is damaged (gzip)"),
    (b"text", "br", "is packed as 'br', which was not asked for"),
    (b"text", "gzip, gzip", "is packed as 'gzip, gzip', which was not asked for")])
async def test_packing_that_is_wrong_is_refused(server: WebServer, body: bytes, coding: str, line: str) -> None:
    url = server.answer("/x", body=body, Content_Encoding=coding)
    assert (await refusal(Web().get(url, MOST)))[1] == f"{url} {line}"


async def test_media_are_refused_before_they_are_read(server: WebServer) -> None:
    url = server.answer("/x", body=bytes(50_000), Content_Type="video/mp4")
    assert await refusal(Web().get(url, MOST)) == (422, f"{url} is 'video/mp4'")


@pytest.mark.parametrize(("status", "line"), [
    (404, "answers 404 Not Found"), (500, "answers 500 Internal Server Error"),
    (206, "answers 206 Partial Content"), (401, "answers 401 Unauthorized")])
async def test_an_error_of_the_server_is_told(server: WebServer, status: int, line: str) -> None:
    url = server.answer("/x", status=status)
    assert await refusal(Web().get(url + "?key=secret", MOST)) == (503, f"{url} {line}")


async def _raw(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> tuple[asyncio.Server, str]:
    raw = await asyncio.start_server(talk, "127.0.0.1", 0)  # type: ignore[arg-type]
    return raw, f"http://127.0.0.1:{raw.sockets[0].getsockname()[1]}/x"


@pytest.mark.parametrize(("said", "line"), [
    (b"", "does not answer"), (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1", "does not answer")])
async def test_a_server_that_falls_silent_is_given_up(said: bytes, line: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        while await reader.read(1000):
            continue
        writer.close()

    raw, url = await _raw(talk)
    async with raw:
        start = time.monotonic()
        assert await refusal(Web(silence=0.2).get(url, MOST)) == (503, f"{url} {line}")
        assert time.monotonic() - start < 1.5


async def test_a_byte_now_and_then_is_no_way_to_hold_us(server: WebServer) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    server.answers["/slow"] = slow
    start = time.monotonic()
    assert await refusal(Web(total=0.4, silence=0.3).get(server.base + "/slow", MOST)) == (
        503, f"{server.base}/slow took longer than 0.4 seconds")
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
                                  b"HTTP/1.1 200 OK\r\nX: " + 100_000 * b"x", b"HTTP/9.9 abc\r\n\r\n", b""])
async def test_what_is_no_http_is_told(said: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    raw, url = await _raw(talk)
    async with raw:
        assert (await refusal(Web().get(url, MOST)))[1].startswith(f"the connection to {url} broke")


async def test_nobody_there_is_told() -> None:
    assert await refusal(Web().get("http://127.0.0.1:1/", MOST)) == (
        503, "can't reach http://127.0.0.1:1/: Connection refused")
    assert await refusal(Web().get("http://nowhere.invalid/x", MOST)) == (
        503, "can't reach http://nowhere.invalid/x: no such host")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
async def test_certificates_are_checked(tmp_path: Path) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    await asyncio.to_thread(subprocess.run, make, check=True, timeout=30, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    raw = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with raw:
        url = f"https://127.0.0.1:{raw.sockets[0].getsockname()[1]}/x"
        assert await refusal(Web().get(url, MOST)) == (503, f"the certificate of {url} is not valid")


@pytest.mark.parametrize(("address", "near"), [
    ("8.8.8.8", INTERNET), ("2a00:1450::1", INTERNET), ("192.168.1.1", NETWORK), ("10.0.0.1", NETWORK),
    ("172.16.0.1", NETWORK), ("169.254.169.254", NETWORK), ("100.64.0.1", NETWORK), ("fd00::1", NETWORK),
    ("fe80::1%eth0", NETWORK), ("224.0.0.1", NETWORK), ("255.255.255.255", NETWORK), ("127.0.0.1", MACHINE),
    ("127.9.9.9", MACHINE), ("::1", MACHINE), ("0.0.0.0", MACHINE), ("::", MACHINE), ("::ffff:127.0.0.1", MACHINE),
    ("::ffff:10.0.0.1", NETWORK), ("64:ff9b::7f00:1", MACHINE), ("64:ff9b::808:808", INTERNET),
    ("2002:c0a8:101::", NETWORK)])
def test_how_near_an_address_is(address: str, near: int) -> None:
    assert nearness(address) == near


# Addresses of loopback stand for others here: nothing leaves this machine.
def _as_if(address: str) -> int:
    return {"127.0.0.2": INTERNET, "127.0.0.3": NETWORK, "127.0.0.4": INTERNET}.get(address, nearness(address))


@pytest.mark.parametrize(("source", "target", "said"), [
    ("127.0.0.2", "127.0.0.1", "this machine"), ("127.0.0.2", "127.0.0.3", "the local network"),
    ("127.0.0.3", "127.0.0.1", "this machine"), ("127.0.0.2", "localhost", "this machine"),
    ("127.0.0.2", "0.0.0.0", "this machine"), ("127.0.0.2", "[::1]", "this machine"),
    ("127.0.0.2", "[::ffff:127.0.0.1]", "this machine")])
async def test_a_redirect_leads_nowhere_nearer(source: str, target: str, said: str) -> None:
    async with WebServer(source) as far, WebServer("127.0.0.1") as here:
        url = far.redirect("/r", f"http://{target}:{here.port}/secret")
        status, line = await refusal(Web(_as_if).get(url, MOST))
        assert status == 422
        assert line.endswith(f"is on {said}, where what comes from farther away must not lead")
        assert not here.requests


@pytest.mark.parametrize("target", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1"])
async def test_odd_spellings_of_an_address_are_no_way_around(target: str) -> None:
    async with WebServer("127.0.0.2") as far, WebServer("127.0.0.1") as here:
        await refusal(Web(_as_if).get(far.redirect("/r", f"http://{target}:{here.port}/secret"), MOST))
        assert not here.requests


@pytest.mark.parametrize(("source", "target"), [
    ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2"), ("127.0.0.3", "127.0.0.2"), ("127.0.0.2", "127.0.0.4")])
async def test_a_redirect_leads_as_far_as_it_likes(source: str, target: str) -> None:
    async with WebServer(source) as one, WebServer(target) as other:
        answer = await Web(_as_if).get(one.redirect("/r", other.answer("/x", body=b"there")), MOST)
        assert answer.body == b"there"
        assert answer.place.farthest == _as_if(target)


async def test_far_away_once_is_far_away_for_the_rest_of_the_way() -> None:
    async with WebServer("127.0.0.3") as near, WebServer("127.0.0.2") as far:
        far.redirect("/back", near.answer("/x", body=b"secret"))
        _, line = await refusal(Web(_as_if).get(near.redirect("/out", far.base + "/back"), MOST))
        assert "is on the local network" in line
        assert near.requests["/x"] == 0


def test_a_host_with_near_and_far_addresses_may_lead_to_itself_only() -> None:
    place = Place("nas.example", INTERNET, NETWORK)
    assert place.bound(checked_url("https://nas.example/x")) == NETWORK
    assert place.bound(checked_url("https://other.example/x")) == INTERNET


@pytest.mark.parametrize(("one", "other"), [("HTTP://Host.Example:80/x#part", "http://host.example/x"),
                                            (" https://h:443/x ", "https://h/x")])
def test_one_address_written_in_two_ways_is_one(one: str, other: str) -> None:
    assert str(checked_url(one)) == other
