"""
Feeds: those the node is subscribed to, and its own.
"""
from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from ..client import ClientError
from .call import GivenUpError
from .check import refuse, shown, take_infohash
from .messages import Command, ListFeeds, NewItem, Subscribe, Unsubscribe, Withdraw
from .transfers import until_complete

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..feeds.model import Feed, FeedItem
    from .call import Call, Handler


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
    items: asyncio.Queue[FeedItem] = asyncio.Queue()
    wanted: str | None = None

    def came(item: FeedItem) -> None:
        if command.url is None or wanted is None or item.feed == wanted:
            items.put_nowait(item)

    # Before the feed is added: its first items may come at once.
    if command.follow:
        feeds.subscribe(came)
    try:
        if command.url is not None:
            feed = await feeds.add(command.url)
            wanted = feed.id
            if not command.follow:
                return feed_view(feed)
        elif not command.follow:
            raise refuse("url must say which feed, when nothing is to be followed")
        with call.control.leaving(wanted) as left:
            await _tell_items(call, items, wanted, left)
        raise GivenUpError("the subscription was ended")
    finally:
        if command.follow:
            feeds.unsubscribe(came)


async def _tell_items(call: Call, items: asyncio.Queue[FeedItem], wanted: str | None, left: asyncio.Event) -> None:
    """
    Tell of items and their downloads until the feed is left.
    """
    tasks: set[asyncio.Task[Any]] = set()

    def begin(what: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(what)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    try:
        gone = begin(left.wait())
        while True:
            waiting = begin(items.get())
            await asyncio.wait((gone, waiting), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            item = waiting.result()
            if wanted in (None, item.feed):
                view = item_view(item)
                call.tell(NewItem, view)
                if item.infohash is not None:
                    begin(_download(call, item.infohash, view))
    finally:
        for task in tasks:
            task.cancel()


async def _download(call: Call, infohash: bytes, item: dict[str, Any]) -> None:
    """
    Tell how the download of an item goes on. One that fails or is given up does not end the subscription.
    """
    try:
        await until_complete(call, infohash, item)
    except ClientError as error:
        call.tell(NewItem, {**item, "error": " ".join(str(error).split())})
    except GivenUpError:
        return


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
    List them.
    """
    return {"feeds": [feed_view(feed) for feed in call.feeds().list()]}


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
