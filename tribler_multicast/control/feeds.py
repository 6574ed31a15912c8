"""
Feeds: those the node is subscribed to, and its own.
"""
from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError
from .call import GivenUpError
from .check import refuse, shown, take_infohash
from .following import is_complete
from .messages import Command, ListFeeds, NewItem, Subscribe, Subscribed, Unsubscribe, Withdraw
from .transfers import published_view, until_complete

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..feeds.model import Feed, FeedItem
    from .call import Call, Handler


MAX_FIRST: Final = 100
"""Items that can be asked for with a subscription."""


def item_view(item: FeedItem) -> dict[str, Any]:
    """
    Get an item of a feed as plain values.
    """
    return {"feed": item.feed, "title": item.title, "link": item.link,
            "infohash": None if item.infohash is None else item.infohash.hex(), "published": item.published,
            "error": item.error or None}


def feed_view(feed: Feed) -> dict[str, Any]:
    """
    Get a feed as plain values.
    """
    view = dataclasses.asdict(feed)
    return {**view, "error": view["error"] or None}


async def subscribe(call: Call, command: Subscribe) -> dict[str, Any]:
    """
    Subscribe the node, and tell what comes.
    """
    feeds = call.feeds()
    if command.url is None and not command.follow:
        raise refuse("url must say which feed, when none is to be followed")
    if not 0 <= command.first <= MAX_FIRST:
        raise refuse(f"first must be from 0 to {MAX_FIRST}, not {shown(command.first)}")
    items: asyncio.Queue[FeedItem] = asyncio.Queue()
    if command.follow:
        feeds.subscribe(items.put_nowait)  # Before the feed is added: its first items may come at once.
    try:
        added = None if command.url is None else await feeds.add(command.url, command.first)
        if added is not None:
            call.tell(Subscribed, feed_view(added))
            if not command.follow:
                return feed_view(added)
        wanted = None if added is None else added.id
        old = await _begun(call, feeds.list() if added is None else [added], command.earlier)
        with call.control.leaving(wanted) as left:
            await _tell_items(call, items, (wanted, old), left)
        raise GivenUpError("the subscription was ended")
    finally:
        feeds.unsubscribe(items.put_nowait)


async def _begun(call: Call, feeds: list[Feed], complete: bool) -> list[FeedItem]:
    """
    Get the items of feeds whose download began earlier and goes on, or also those that are `complete`, the oldest
    first.
    """
    torrents = call.parts.client.torrents
    statuses = [] if torrents is None else torrents.status()
    wanted = {status.infohash for status in statuses if complete or not is_complete(status)}
    return [item for feed in feeds if wanted for item in reversed(await call.feeds().items(feed.id))
            if item.infohash in wanted]


async def _tell_items(call: Call, items: asyncio.Queue[FeedItem], these: tuple[str | None, list[FeedItem]],
                      left: asyncio.Event) -> None:
    """
    Tell of the new items of a feed (its id, None: of all) and of their downloads, and of those that go on already,
    until the feed is left.
    """
    (wanted, old), tasks, followed = these, set[asyncio.Task[Any]](), set[bytes]()

    def begin(what: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(what)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def follow(item: FeedItem) -> None:
        if item.infohash is not None and item.infohash not in followed:
            followed.add(item.infohash)
            begin(_download(call, item.infohash, item_view(item)))

    try:
        for item in old:
            follow(item)
        gone = begin(left.wait())
        while True:
            waiting = begin(items.get())
            await asyncio.wait((gone, waiting), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            item = waiting.result()
            if wanted in (None, item.feed):
                call.tell(NewItem, item_view(item))
                follow(item)
    finally:
        for task in tasks:
            task.cancel()


async def _download(call: Call, infohash: bytes, item: dict[str, Any]) -> None:
    """
    Tell how the download of an item goes on. One that fails or is given up does not end the subscription.
    """
    with suppress(GivenUpError):
        try:
            await until_complete(call, infohash, item)
        except ClientError as error:
            call.tell(NewItem, {**item, "error": " ".join(str(error).split())})


async def unsubscribe(call: Call, command: Unsubscribe) -> dict[str, Any]:
    """
    End a subscription.
    """
    feeds = call.feeds()
    feed = next((feed for feed in feeds.list() if command.feed in (feed.id, feed.url)), None)
    if feed is None:
        raise refuse(f"This node is not subscribed to {shown(command.feed)}", 404)
    await feeds.remove(feed.id)
    call.control.left(feed.id)
    return feed_view(feed)


async def list_feeds(call: Call, command: ListFeeds) -> dict[str, Any]:
    """
    List them, and what the own feed has.
    """
    feeds = call.feeds()
    url, error = feeds.serving()
    return {"feeds": [feed_view(feed) for feed in feeds.list()],
            "own": {"url": url or None, "error": error or None,
                    "published": [published_view(item) for item in feeds.published()]}}


async def withdraw(call: Call, command: Withdraw) -> dict[str, Any]:
    """
    Take a torrent out of the own feed.
    """
    infohash = take_infohash(command.infohash)
    await call.feeds().withdraw(infohash)
    return {"infohash": infohash.hex()}


HANDLERS: dict[type[Command], Handler] = {
    Subscribe: subscribe, Unsubscribe: unsubscribe, ListFeeds: list_feeds, Withdraw: withdraw,
}
