"""Feeds and items that fail, are hostile, or lead where they must not."""
from __future__ import annotations

import time

import pytest

from tribler_multicast.client import ClientError
from tribler_multicast.feeds import items as items_module
from tribler_multicast.feeds import subscriptions as subscriptions_module
from tribler_multicast.feeds.addresses import INTERNET, nearness
from tribler_multicast.feeds.items import NO_TORRENTS
from tribler_multicast.feeds.limits import HOUR, MAX_ITEM_TRIES, MINUTE
from tribler_multicast.feeds.model import FeedItem

from .conftest import Node, only, refusal, subscribed, until
from .web import Item, WebServer, torrent_of

ONE, TWO, THREE = torrent_of("one"), torrent_of("two"), torrent_of("three")


async def test_a_torrent_that_can_not_be_fetched_yet_is_tried_again(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    item = server.add("late", ONE[1])
    path = item.enclosure.removeprefix(server.base)
    del server.files[path]
    await node.feeds.check(feed)
    view = only(node)
    assert (view.state, view.waiting, view.error) == ("ok", 1, f"an item waits: {item.enclosure} answers 404 Not Found")
    assert await node.feeds.items(feed) == [
        FeedItem(feed, "late", "", error=f"{item.enclosure} answers 404 Not Found")]
    server.files[path] = ONE[1]
    await node.feeds.check(feed)
    assert node.told == []  # not before its time
    node.ahead = 2 * MINUTE
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]
    assert (only(node).waiting, only(node).error) == (0, "")


async def test_tries_end_and_that_is_told(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    item = server.add("gone", ONE[1])
    server.files.clear()
    for _ in range(MAX_ITEM_TRIES):
        await node.feeds.check(feed)
        node.ahead += 12 * HOUR
    assert node.told == [FeedItem(feed, "gone", "", error=f"{item.enclosure} answers 404 Not Found")]
    assert server.requests[item.enclosure.removeprefix(server.base)] == MAX_ITEM_TRIES
    assert only(node).waiting == 0
    # Another torrent for it is another chance.
    item.enclosure = server.base + "/better.torrent"
    server.files["/better.torrent"] = ONE[1]
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]


@pytest.mark.parametrize(("body", "headers", "line"), [
    (b"<!DOCTYPE html><p>log in", {}, "is not a .torrent file but a web page"),
    (b"\x89PNG", {"Content-Type": "image/png"}, "is 'image/png'"),
    (b"", {}, "is not a .torrent file but empty"),
    (bytes(10_000_001), {}, "is larger than 10,000,000 bytes")])
async def test_what_is_no_torrent_is_given_up_in_one_line(node: Node, server: WebServer, body: bytes,
                                                          headers: dict[str, str], line: str) -> None:
    feed = await subscribed(node, server)
    item = server.add("bad", ONE[1])
    server.answer(item.enclosure.removeprefix(server.base), body=body, **headers)
    await node.feeds.check(feed)
    assert [told.error for told in node.told] == [f"{item.enclosure} {line}"]
    assert node.downloads.begun == []


async def test_what_the_client_refuses_is_given_up_and_what_it_can_not_now_waits(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    node.downloads.fail = ClientError("the disk is full", 503)
    await node.feeds.check(feed)
    assert (only(node).waiting, only(node).error) == (1, "an item waits: the disk is full")
    node.ahead = HOUR
    node.downloads.fail = ClientError("this torrent is damaged", 422)
    await node.feeds.check(feed)
    assert [told.error for told in node.told] == ["this torrent is damaged"]
    assert server.requests[server.items[0].enclosure.removeprefix(server.base)] == 1  # fetched once, kept meanwhile


async def test_without_bittorrent_items_wait_for_it(node: Node, server: WebServer) -> None:
    node.downloads.absent = True
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    await node.feeds.check(feed)
    assert (only(node).waiting, only(node).error) == (1, NO_TORRENTS)
    node.downloads.absent = False
    await node.restart()
    await until(lambda: node.told)
    assert node.downloads.begun == [ONE[0]]


async def test_without_its_library_items_wait_for_it_too(node: Node, server: WebServer) -> None:
    node.downloads.fail = ClientError("BitTorrent needs libtorrent", 501)
    feed = await subscribed(node, server)
    server.add("one", ONE[1])
    for _ in range(MAX_ITEM_TRIES + 1):
        await node.feeds.check(feed)
        node.ahead += HOUR
    assert (only(node).waiting, only(node).error) == (1, "new items wait: BitTorrent needs libtorrent")
    node.downloads.fail = None
    await node.feeds.check(feed)
    assert node.downloads.begun == [ONE[0]]
    assert server.requests[server.items[0].enclosure.removeprefix(server.base)] == 1


async def test_a_feed_that_fails_is_tried_again_later_and_later(node: Node, server: WebServer) -> None:
    node.options.update({"feed_interval": 30.0})
    feed = await subscribed(node, server)
    server.answer("/feed.xml", status=500)
    pauses = []
    for _ in range(3):
        view = await node.feeds.check(feed)
        assert (view.state, view.error) == ("failing", f"{server.url} answers 500 Internal Server Error")
        assert view.last_check is not None
        pauses.append(round((view.next_check - view.last_check) / MINUTE))
    assert pauses == [1, 2, 4]
    # The pause and the count of failures outlive a restart.
    await node.restart()
    assert only(node).state == "failing"
    assert only(node).next_check == view.next_check
    assert round(((await node.feeds.check(feed)).next_check - time.time()) / MINUTE) == 8
    del server.answers["/feed.xml"]
    server.add("one", ONE[1])
    assert (await node.feeds.check(feed)).state == "ok"
    assert node.downloads.begun == [ONE[0]]


async def test_retry_after_is_heeded(node: Node, server: WebServer) -> None:
    feed = await subscribed(node, server)
    server.answer("/feed.xml", status=429, Retry_After="7200")
    view = await node.feeds.check(feed)
    assert view.next_check == pytest.approx(time.time() + 2 * HOUR * 1.125, abs=5)


@pytest.mark.parametrize(("body", "kind", "line"), [
    (b"<!DOCTYPE html><p>", "text/html", "is a web page, not a feed"),
    (b'{"a": 1}', "application/json", "is JSON, not a feed"),
    (b"\x89PNG", "image/png", "is 'image/png'"),
    (b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rss/>', "text/xml",
     "has a DTD or entities, which are refused"),
    (bytes(5_000_000), "text/xml", "is larger than 4,194,304 bytes"),
    (ONE[1], "application/x-bittorrent", "is a .torrent file, not a feed")])
async def test_a_hostile_feed_is_refused_in_one_line_and_changes_nothing(node: Node, server: WebServer, body: bytes,
                                                                         kind: str, line: str) -> None:
    url = server.answer("/hostile", body=body, Content_Type=kind)
    assert await refusal(node.feeds.add(url)) == (422, f"{url} {line}")
    assert node.feeds.list() == []
    # One that turns hostile later keeps what it had.
    feed = await subscribed(node, server)
    server.answer("/feed.xml", body=body, Content_Type=kind)
    assert (await node.feeds.check(feed)).error == f"{server.url} {line}"
    del server.answers["/feed.xml"]
    assert (await node.feeds.check(feed)).state == "ok"


async def test_who_is_not_reached_is_not_subscribed_to(node: Node) -> None:
    assert await refusal(node.feeds.add("http://127.0.0.1:1/feed.xml")) == (
        503, "can't reach http://127.0.0.1:1/feed.xml: Connection refused")
    assert await refusal(node.feeds.add("file:///etc/passwd")) == (
        422, "'file:///etc/passwd' is no address of the form http://host/path or https://host/path")
    assert (await refusal(node.feeds.add("http://h/", first=101)))[0] == 400
    assert node.feeds.list() == []


async def test_a_feed_from_far_away_leads_to_nothing_near(node: Node) -> None:
    node.feeds.web.judge = lambda address: INTERNET if address == "127.0.0.2" else nearness(address)
    async with WebServer("127.0.0.2") as far, WebServer("127.0.0.1") as here:
        feed = await subscribed(node, far)
        far.items.append(Item("router", "1", f"http://127.0.0.1:{here.port}/reboot.torrent"))
        far.items.append(Item("round about", "2", far.redirect("/r.torrent", f"{here.base}/reboot.torrent")))
        far.items.append(Item("good", "3", far.answer("/good.torrent", body=ONE[1])))
        await node.feeds.check(feed)
        # What fails is tried again, since a name may have led astray for a while; nothing near is ever asked.
        assert [item.error for item in await node.feeds.items(feed) if item.infohash is None] == 2 * [
            f"{here.base}/reboot.torrent is on this machine, where what comes from farther away must not lead"]
        assert node.downloads.begun == [ONE[0]]
        assert not here.requests
        # Its name may not become one of this machine either.
        node.feeds.web.judge = nearness
        assert (await node.feeds.check(feed)).error == (
            f"{far.url} is on this machine, where what comes from farther away must not lead")


async def test_a_flood_of_items_is_begun_a_hundred_a_day(node: Node, server: WebServer,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "MAX_BEGUN_PER_DAY", 3)
    monkeypatch.setattr(subscriptions_module, "MAX_WAITING", 5)
    feed = await subscribed(node, server)
    server.items = [Item(f"{number}", f"{number}", f"magnet:?xt=urn:btih:{number:040}") for number in range(10, 0, -1)]
    await node.feeds.check(feed)
    assert [int(infohash.hex()) for infohash in node.downloads.begun] == [1, 2, 3]
    assert (only(node).waiting, only(node).error) == (2, "more than 3 new items in a day: the others wait")
    for _ in range(4):
        node.ahead += 25 * HOUR
        await node.feeds.check(feed)
    assert [int(infohash.hex()) for infohash in node.downloads.begun] == list(range(1, 11))
    assert only(node).seen == 10
