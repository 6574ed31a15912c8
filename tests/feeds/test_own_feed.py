"""The own feed: what is in it, and who is served it how."""
from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tribler_multicast.feeds import publisher as publisher_module
from tribler_multicast.feeds import server as server_module
from tribler_multicast.feeds.addresses import NETWORK
from tribler_multicast.feeds.model import Published
from tribler_multicast.feeds.parse import parse_feed
from tribler_multicast.torrents import MadeTorrent

from .conftest import Node, free_port, made, refusal, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


async def served(node: Node) -> str:
    """Serve the node's feed, and get the URL of its server."""
    port = free_port()
    node.options.update({"feed_port": port})
    await until(lambda: node.feeds.serving()[0])
    return f"http://127.0.0.1:{port}"


async def test_what_is_published_is_in_the_feed_the_newest_first(node: Node) -> None:
    first, second = made("first"), made("second")
    assert await node.feeds.publish(first) == Published(first.infohash, "first")
    await node.feeds.publish(second, "The <second> & last\u202e")
    feed = parse_feed(node.feeds.own_feed("http://h:1"), "http://h:1/feed.xml", time.time())
    assert [(item.title, item.source) for item in feed.items] == [
        ("The <second> & last", f"http://h:1/{second.infohash.hex()}.torrent"),
        ("first", f"http://h:1/{first.infohash.hex()}.torrent")]
    assert feed.items[0].published == pytest.approx(time.time(), abs=5)
    assert node.feeds.torrent_file(first.infohash) == first.data
    assert [item.title for item in node.feeds.published()] == ["The <second> & last", "first"]


async def test_the_feed_is_called_after_the_node(node: Node) -> None:
    assert b"<title>Torrents of this node</title>" in node.feeds.own_feed()
    node.options.update({"nickname": "Ann & Bob"})
    assert b"<title>Torrents of Ann &amp; Bob</title>" in node.feeds.own_feed()


async def test_what_is_published_outlives_a_restart_and_goes_when_withdrawn(node: Node) -> None:
    first, second = made("first"), made("second")
    await node.feeds.publish(first)
    await node.feeds.publish(second)
    before = node.feeds.own_feed("")
    await node.restart()
    assert node.feeds.own_feed("") == before
    assert first.infohash.hex().encode() in before
    await node.feeds.withdraw(first.infohash)
    assert node.feeds.torrent_file(first.infohash) is None
    assert first.infohash.hex().encode() not in node.feeds.own_feed("")
    assert await refusal(node.feeds.withdraw(first.infohash)) == (404, "there is no such torrent in the feed")
    await node.restart()
    assert [item.infohash for item in node.feeds.published()] == [second.infohash]


async def test_publishing_again_renews_it(node: Node) -> None:
    first, second = made("first"), made("second")
    for torrent in (first, second, first):
        await node.feeds.publish(torrent)
    assert [item.infohash for item in node.feeds.published()] == [first.infohash, second.infohash]
    await node.restart()
    assert [item.infohash for item in node.feeds.published()] == [first.infohash, second.infohash]


async def test_the_oldest_goes_when_there_is_too_much(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "MAX_PUBLISHED", 2)
    monkeypatch.setattr("tribler_multicast.feeds.store.MAX_PUBLISHED", 2)
    for name in ("one", "two", "three"):
        await node.feeds.publish(made(name))
    assert [item.title for item in node.feeds.published()] == ["three", "two"]
    assert node.feeds.torrent_file(made("one").infohash) is None
    await node.restart()
    assert [item.title for item in node.feeds.published()] == ["three", "two"]


async def test_the_feed_has_a_bounded_number_of_items(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.feeds.own.OWN_FEED_ITEMS", 2)
    for name in ("one", "two", "three"):
        await node.feeds.publish(made(name))
    assert node.feeds.own_feed().count(b"<item>") == 2


async def test_what_is_no_torrent_is_not_published(node: Node) -> None:
    for wrong in (MadeTorrent(b"short", "x", 1, "/x", b"d"), MadeTorrent(bytes(20), "x", 1, "/x", b""),
                  MadeTorrent(bytes(20), "x", 1, "/x", bytes(10_000_001))):
        assert (await refusal(node.feeds.publish(wrong)))[0] == 422


async def test_the_server_serves_the_feed_and_its_files_and_nothing_else(node: Node, session: ClientSession) -> None:
    torrent = made("An \u00e9pisode")
    base = await served(node)
    published = await node.feeds.publish(torrent)
    assert published.url == f"{base}/{torrent.infohash.hex()}.torrent"
    async with session.get(f"{base}/feed.xml") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/rss+xml; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not any(name.lower().startswith("access-control") for name in answer.headers)
        assert "aiohttp" not in answer.headers["Server"]
        assert await answer.read() == node.feeds.own_feed(base)
    async with session.get(published.url) as answer:
        assert answer.headers["Content-Type"] == "application/x-bittorrent"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''An%20%C3%A9pisode.torrent"
        assert await answer.read() == torrent.data
    for path in ("/", "/feed.xml/", "/feeds.db", "/../feeds.db", "/%2e%2e/feeds.db", f"/{bytes(20).hex()}.torrent",
                 f"/{torrent.infohash.hex().upper()}.torrent", f"//{torrent.infohash.hex()}.torrent", "//h/feed.xml",
                 "/feed.xml%00"):
        async with session.get(base + path) as answer:
            assert answer.status == 404, path
            assert await answer.text() == "Not found\n"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_the_feed_is_served_by_ipv6_too(node: Node, session: ClientSession) -> None:
    await node.feeds.publish(made("one"))
    base = (await served(node)).replace("127.0.0.1", "[::1]")
    async with session.get(f"{base}/feed.xml") as answer:
        assert await answer.read() == node.feeds.own_feed(base)
    port = free_port()
    node.options.update({"ipv6": False, "feed_port": port})
    await until(lambda: node.feeds.serving()[0] == f"http://127.0.0.1:{port}/feed.xml")
    with pytest.raises(ClientConnectionError):
        await session.get(f"http://[::1]:{port}/feed.xml")


async def test_head_and_conditional_requests_cost_little(node: Node, session: ClientSession) -> None:
    torrent = made("one")
    base = await served(node)
    await node.feeds.publish(torrent)
    for path in ("/feed.xml", f"/{torrent.infohash.hex()}.torrent"):
        async with session.head(base + path) as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) > 0
            tag = answer.headers["ETag"]
        for sent in (tag, f'"x", W/{tag}', "*"):
            async with session.get(base + path, headers={"If-None-Match": sent}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
        async with session.get(base + path, headers={"If-None-Match": '"old"'}) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "MOVE"])
async def test_the_server_only_gives(node: Node, session: ClientSession, method: str) -> None:
    base = await served(node)
    async with session.request(method, f"{base}/feed.xml", data=b"x" * 100_000) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("said", [
    b"\x16\x03\x01\x02\x00\x01garbage\r\n\r\n", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\n" + 300 * b"A: b\r\n" + b"\r\n"])
async def test_what_is_no_request_is_answered_in_a_line_and_not_logged(node: Node, said: bytes,
                                                                       caplog: pytest.LogCaptureFixture) -> None:
    base = await served(node)
    ((reader, writer),) = await _open(base, 1, said)
    answer = await asyncio.wait_for(reader.read(), 2)
    assert b" 40" in answer.partition(b"\r\n")[0]
    assert answer.endswith((b"Bad request\n", b"Not found\n"))
    assert b"aiohttp" not in answer
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]
    writer.close()


@pytest.mark.parametrize(("host", "base"), [
    ("nas.local:8000", "http://nas.local:8000"), ("[fe80::1]:80", "http://[fe80::1]:80"),
    ('x"><script>', None), ("a b", None), ("x" * 300, None)])
async def test_links_lead_to_the_name_by_which_the_server_was_reached(node: Node, session: ClientSession, host: str,
                                                                      base: str | None) -> None:
    await node.feeds.publish(made("one"))
    own = await served(node)
    async with session.get(f"{own}/feed.xml", headers={"Host": host}) as answer:
        assert await answer.read() == node.feeds.own_feed(base or own)


async def test_a_node_subscribes_to_the_feed_of_another(node: Node, tmp_path: Path) -> None:
    other = Node(tmp_path / "other")
    await other.start()
    base = await served(node)
    feed = await other.feeds.add(f"{base}/feed.xml")
    torrent = made("episode")
    await node.feeds.publish(torrent)
    await other.feeds.check(feed.id)
    assert other.downloads.sources == [torrent.data]
    await other.feeds.close()


async def test_changes_of_the_port_count_at_once(node: Node, session: ClientSession) -> None:
    first = await served(node)
    second = await served(node)
    await until(lambda: node.feeds.serving() == (f"{second}/feed.xml", ""))
    with pytest.raises(OSError):
        await session.get(f"{first}/feed.xml")
    node.options.update({"feed_port": 0})
    await until(lambda: node.feeds.serving() == ("", ""))
    with pytest.raises(OSError):
        await session.get(f"{second}/feed.xml")


async def test_a_port_in_use_is_said_and_taken_when_it_is_free(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.feeds.feeds.FIRST_BIND_PAUSE", 0.05)
    node.options.update({"feed_port": free_port()})  # the pause counts from the next change on
    await until(lambda: node.feeds.serving()[0])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node.options.update({"feed_port": port})
        await until(lambda: node.feeds.serving() == (
            "", f"the feed can't be served at port {port}: Address already in use"))
    await until(lambda: node.feeds.serving() == (f"http://127.0.0.1:{port}/feed.xml", ""))


async def test_only_addresses_that_the_node_uses_are_served(node: Node, session: ClientSession,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    base = await served(node)
    node.feeds._addresses = lambda: ["127.0.0.9"]
    last = {"Connection": "close"}
    async with session.get(f"{base}/feed.xml", headers=last) as answer:
        assert answer.status == 200  # this machine itself
    monkeypatch.setattr(server_module, "nearness", lambda _: NETWORK)
    with pytest.raises(ClientConnectionError):
        await session.get(f"{base}/feed.xml")
    node.feeds._addresses = lambda: ["127.0.0.1"]
    async with session.get(f"{base}/feed.xml") as answer:
        assert answer.status == 200


async def _open(base: str, count: int, send: bytes = b"") -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = int(base.rpartition(":")[2])
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for _, writer in opened:
        writer.write(send)
    return opened


async def test_one_host_can_not_take_all_connections(node: Node, session: ClientSession,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    base = await served(node)
    opened = await _open(base, 5)
    assert [await asyncio.wait_for(reader.read(), 1) for reader, _ in opened[3:]] == [b"", b""]
    for _, writer in opened[:3]:
        writer.close()
    await asyncio.sleep(0.05)
    async with session.get(f"{base}/feed.xml") as answer:
        assert answer.status == 200


async def test_a_large_file_is_given_whole_and_slow_takers_cost_little_memory(node: Node,
                                                                             session: ClientSession) -> None:
    infohash, data = bytes(range(20)), bytes(range(250)) * 32_000
    base = await served(node)
    await node.feeds.publish(MadeTorrent(infohash, "large", 1, "/large", data))
    async with session.get(f"{base}/{infohash.hex()}.torrent") as answer:
        assert await answer.read() == data
    tracemalloc.start()
    try:
        opened = await _open(base, 8, b"GET /%s.torrent HTTP/1.1\r\nHost: h\r\n\r\n" % infohash.hex().encode())
        await asyncio.sleep(0.3)
        # What was taken is in the buffers of the system and of this test; eight whole files would be 64 MB.
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()
    await node.feeds.withdraw(infohash)
    reader, _ = opened[0]
    got = 0
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(reader.read(1 << 20), 2):
            got += len(part)
    assert got < len(data)
    for _, writer in opened:
        writer.close()


async def test_connections_end_whatever_they_do(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTION_TIME", 0.3)
    base = await served(node)
    ((reader, writer),) = await _open(base, 1, b"GET /feed.xml HTTP/1.1\r\nHost: x\r\n")
    start = time.monotonic()
    while not reader.at_eof() and time.monotonic() - start < 2:
        writer.write(b"X-A: b\r\n")
        try:
            await asyncio.wait_for(reader.read(100), 0.05)
        except TimeoutError:
            continue
        except ConnectionError:
            break
    assert time.monotonic() - start < 1


async def test_closing_does_not_wait_for_who_is_connected(tmp_path: Path) -> None:
    node = Node(tmp_path / "feeds")
    await node.start()
    base = await served(node)
    large = MadeTorrent(bytes(20), "large", 1, "/large", bytes(9_000_000))
    await node.feeds.publish(large)
    await _open(base, 3, b"GET /feed.xml HTTP/1.1\r\n")
    await _open(base, 3, b"GET /%s.torrent HTTP/1.1\r\nHost: h\r\n\r\n" % large.infohash.hex().encode())
    await asyncio.sleep(0.2)
    start = time.monotonic()
    await node.feeds.close()
    assert time.monotonic() - start < 0.5
