"""Feeds subscribed to: what is new is fetched and begun, once, whatever the feed and its server do."""
from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tribler_multicast.feeds import subscriptions as subscriptions_module
from tribler_multicast.feeds.limits import HOUR, MINUTE
from tribler_multicast.feeds.model import FeedItem

from .conftest import Node, only, refusal, subscribed, until
from .web import Item, WebServer, torrent_of

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = torrent_of("one"), torrent_of("two"), torrent_of("three")


async def test_subscribing_looks_at_once_and_downloads_nothing_old(node: Node, server: WebServer) -> None:
    server.add("old", ONE[1])
    before = time.time()
    feed = await node.feeds.add(server.url)
    assert (feed.url, feed.title, feed.state, feed.seen, feed.begun, feed.waiting, feed.error) == (
        server.url, "A programme", "ok", 1, 0, 0, "")
    assert feed.last_check is not None
    assert before <= feed.last_check <= time.time()
    assert feed.next_check > time.time() + 6 * 86400
    assert node.feeds.list() == [feed]
    await node.feeds.check(feed.id)
    assert node.downloads.begun == []
    assert server.requests == {"/feed.xml": 2}


async def test_a_new_item_is_fetched_and_begun_and_told(node: Node, server: WebServer) -> None:
    server.add("old", ONE[1])
    feed = await subscribed(node, server)
    server.add("Episode 2", TWO[1])
    await node.feeds.check(feed)
    assert node.downloads.sources == [TWO[1]]
    assert node.told == [FeedItem(feed, "Episode 2", "", TWO[0])]
    assert (only(node).seen, only(node).begun) == (2, 1)


async def test_the_newest_items_are_begun_at_once_if_that_is_wished(node: Node, server: WebServer) -> None:
    for name, made in (("one", ONE), ("two", TWO), ("three", THREE)):
        server.add(name, made[1])
    await subscribed(node, server, first=2)
    await until(lambda: len(node.told) == 2)
    assert node.downloads.begun == [TWO[0], THREE[0]]


async def test_items_that_came_together_are_begun_in_the_order_in_which_they_came(node: Node,
                                                                                   server: WebServer) -> None:
    feed = await subscribed(node, server)
    for name, made in (("one", ONE), ("two", TWO), ("three", THREE)):
        server.add(name, made[1])
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0], TWO[0], THREE[0]]


async def test_a_feed_is_looked_at_by_itself_when_it_is_time(node: Node, server: WebServer) -> None:
    await subscribed(node, server)
    server.add("new", ONE[1])
    node.ahead = only(node).next_check - time.time() - 0.2
    node.feeds._subscriptions._wake.set()
    await asyncio.sleep(0.1)
    assert node.told == []
    await until(lambda: node.told, 2.0)
    assert node.downloads.begun == [ONE[0]]


async def test_a_clock_that_is_set_back_does_not_stop_the_looks(node: Node, server: WebServer) -> None:
    node.ahead = 86400.0
    await subscribed(node, server)
    node.ahead = 0.0
    node.feeds._subscriptions._wake.set()
    await until(lambda: server.requests["/feed.xml"] == 2)
    await until(lambda: only(node).state == "ok")
    assert only(node).last_check == pytest.approx(time.time(), abs=5)


async def test_a_shorter_interval_counts_at_once(node: Node, server: WebServer) -> None:
    await subscribed(node, server)
    node.options.update({"feed_interval": 30.0})
    assert only(node).next_check == pytest.approx(time.time() + 31.5 * MINUTE, abs=5)


async def test_the_same_feed_twice_is_one(node: Node, server: WebServer) -> None:
    feeds = await asyncio.gather(*(node.feeds.add(url) for url in
                                   (server.url, server.url, server.url + "#top", server.url.replace("http", "HTTP"))))
    assert len({feed.id for feed in feeds}) == 1
    assert len(node.feeds.list()) == 1
    assert server.requests["/feed.xml"] == 1


async def test_magnet_links_are_begun_as_they_are(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    link = f"magnet:?xt=urn:btih:{ONE[0].hex()}&dn=one"
    server.items.append(Item("magnet", "1", link))
    await node.feeds.check(feed)
    assert node.downloads.sources == [link]
    assert node.told[0].infohash == ONE[0]


async def test_what_did_not_change_is_not_sent_again(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    for _ in range(3):
        assert (await node.feeds.check(feed)).state == "ok"
    assert (server.requests["/feed.xml"], server.full) == (4, 1)
    await node.restart()
    await node.feeds.check(feed)
    assert (server.requests["/feed.xml"], server.full) == (5, 1)
    server.add("new", ONE[1])
    await node.feeds.check(feed)
    assert (server.requests["/feed.xml"], server.full) == (6, 2)
    assert node.downloads.begun == [ONE[0]]


async def test_an_answer_of_not_changed_need_not_repeat_the_tag(node: Node, server: WebServer) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(body=server.feed(), headers={"ETag": '"1"'})

    server.answers["/feed.xml"] = handler
    feed = await subscribed(node, server)
    for _ in range(2):
        assert (await node.feeds.check(feed)).state == "ok"
    assert [request.headers.get("If-None-Match") for request in server.seen] == [None, '"1"', '"1"']


async def test_last_modified_is_sent_back_too(node: Node, server: WebServer) -> None:
    date = "Sun, 05 Apr 2026 10:00:00 GMT"
    url = server.answer("/m", body=server.feed(), Last_Modified=date)
    feed = (await node.feeds.add(url)).id
    await node.feeds.check(feed)
    assert server.seen[-1].headers["If-Modified-Since"] == date
    assert "If-None-Match" not in server.seen[-1].headers


async def test_what_the_feed_says_on_when_to_look_again_is_heeded(node: Node, server: WebServer) -> None:
    node.options.update({"feed_interval": 30.0})
    server.channel, server.headers = "<ttl>120</ttl>", {"Cache-Control": "max-age=60"}
    feed = await node.feeds.add(server.url)
    assert feed.next_check == pytest.approx(time.time() + 2 * HOUR * 1.05, abs=5)
    # An answer of "not changed" does not take it back.
    feed = await node.feeds.check(feed.id)
    assert feed.next_check == pytest.approx(time.time() + 2 * HOUR * 1.05, abs=5)


async def test_an_item_is_begun_once_whatever_becomes_of_it(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    item = server.add("one", ONE[1])
    await node.feeds.check(feed)
    item.title, item.enclosure = "another title", server.base + "/other.torrent"
    server.files["/other.torrent"] = TWO[1]
    await node.feeds.check(feed)
    server.items.clear()
    await node.feeds.check(feed)
    server.add("one", ONE[1])
    await node.feeds.check(feed)
    await node.restart()
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]
    assert only(node).begun == 1


async def test_the_same_torrent_under_another_id_is_not_begun_again(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    await node.feeds.check(feed)
    server.items[0].guid = "changes at each look"
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]
    assert len(node.told) == 1


async def test_an_item_that_gets_its_torrent_later_is_new_then(node: Node, server: WebServer) -> None:
    server.items.append(Item("announced", "1", "http://h/soon.html"))
    server.items[0].enclosure = "ftp://h/soon.torrent"
    feed = await subscribed(node, server)
    server.items[0] = server.add("announced", ONE[1], "1")
    server.items.pop()
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]


async def test_a_feed_is_removed_with_what_it_had_waiting(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    server.files.clear()
    await node.feeds.check(feed)
    await node.feeds.remove(feed)
    assert node.feeds.list() == []
    assert await refusal(node.feeds.remove(feed)) == (404, "there is no such feed")
    assert await refusal(node.feeds.check(feed)) == (404, "there is no such feed")
    assert await refusal(node.feeds.items(feed)) == (404, "there is no such feed")
    await node.restart()
    assert node.feeds.list() == []
    # Subscribed to again it begins anew.
    assert (await node.feeds.add(server.url)).waiting == 0


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def test_a_feed_is_removed_while_it_is_looked_at(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    server.answers["/feed.xml"] = _hang
    look = asyncio.create_task(node.feeds.check(feed))
    await until(lambda: only(node).state == "checking")
    await asyncio.wait_for(node.feeds.remove(feed), 1.0)
    await asyncio.wait_for(look, 1.0)
    await node.restart()
    assert node.feeds.list() == []


async def test_closing_waits_for_nobody(tmp_path: Path, server: WebServer) -> None:
    node = Node(tmp_path / "feeds")
    await node.start()
    feed = await subscribed(node, server)
    server.answers["/feed.xml"] = _hang
    look = asyncio.create_task(node.feeds.check(feed))
    await until(lambda: only(node).state == "checking")
    start = time.monotonic()
    await node.feeds.close()
    assert time.monotonic() - start < 0.5
    await look


async def test_one_slow_server_does_not_hold_up_the_others(node: Node, server: WebServer) -> None:
    slow = [(await node.feeds.add(server.answer(f"/slow{number}", body=server.feed()))).id for number in range(3)]
    quick = await subscribed(node, server)
    for number in range(3):
        server.answers[f"/slow{number}"] = _hang
    looks = [asyncio.create_task(node.feeds.check(feed)) for feed in slow]
    await until(lambda: sum(feed.state == "checking" for feed in node.feeds.list()) == 3)
    server.add("one", ONE[1])
    await node.feeds.check(quick)
    assert node.downloads.begun == [ONE[0]]
    for feed in slow:
        await node.feeds.remove(feed)
    await asyncio.gather(*looks)


async def test_a_listener_that_fails_keeps_nothing_from_the_others(node: Node, server: WebServer) -> None:
    def fail(_: FeedItem) -> None:
        raise ValueError

    node.feeds.unsubscribe(node.told.append)
    node.feeds.subscribe(fail)
    told: list[FeedItem] = []
    node.feeds.subscribe(told.append)
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    await node.feeds.check(feed)
    assert len(told) == 1
    node.feeds.unsubscribe(told.append)
    node.feeds.unsubscribe(told.append)
    server.add("two", TWO[1])
    await node.feeds.check(feed)
    assert len(told) == 1


async def test_there_is_an_end_to_feeds(node: Node, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions_module, "MAX_FEEDS", 1)
    await subscribed(node, server)
    assert await refusal(node.feeds.add(server.base + "/other")) == (409, "there are 1 feeds already")
