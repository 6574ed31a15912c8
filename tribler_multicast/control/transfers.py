"""
Torrents: made, fetched, watched, limited, stopped.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..client import ClientError
from .call import GivenUpError
from .check import refuse, shown, take_existing, take_folder, take_infohash, take_path, take_trackers
from .following import is_complete, transfer_view
from .messages import (
    Command,
    Fetch,
    Finished,
    ListTransfers,
    Made,
    MakeTorrent,
    Progress,
    Publish,
    Removed,
    SetRate,
    Started,
    Stop,
    Watch,
)
from .sources import begin

if TYPE_CHECKING:
    from ..feeds.model import Published
    from ..torrents import TorrentStatus
    from .call import Call, Handler

MAX_RATE: Final = 2**40
"""Bytes/s: more is a mistake in the unit."""

STEP: Final = 0.01
"""Of the hashing of data: progress is told in such steps."""


# --- Making.


async def make_torrent(call: Call, command: MakeTorrent) -> dict[str, Any]:
    """
    Make a torrent, seed and publish it as is wanted.
    """
    path = take_existing(command.path)
    output = None if command.output is None else take_path(command.output, "output")
    trackers = take_trackers(command.trackers)
    torrents = call.control.following.torrents()
    feeds = call.feeds() if command.publish else None
    loop, told = asyncio.get_running_loop(), 0.0

    def hashed(part: float) -> None:
        nonlocal told
        if part >= told + STEP:
            told = part
            loop.call_soon_threadsafe(call.tell, Progress, part)

    made = await torrents.make(path, output, seed=command.seed or command.publish, trackers=trackers, progress=hashed)
    item = None if feeds is None else await feeds.publish(made, command.title)
    infohash = made.infohash.hex()
    call.tell(Made, infohash, made.name, made.size, made.path, made.file, item is not None)
    return {"infohash": infohash, "name": made.name, "size": made.size, "path": made.path, "file": made.file,
            "magnet": f"magnet:?xt=urn:btih:{infohash}&dn={quote(made.name, safe='', errors='replace')}",
            "published": None if item is None else published_view(item)}


def published_view(item: Published) -> dict[str, Any]:
    """
    Get what is in the own feed as plain values.
    """
    return {"infohash": item.infohash.hex(), "title": item.title, "url": item.url or None, "uploaded": item.uploaded,
            "error": item.error or None}


async def publish(call: Call, command: Publish) -> dict[str, Any]:
    """
    Make a torrent and publish it.
    """
    return await make_torrent(call, MakeTorrent(command.path, publish=True, title=command.title,
                                                trackers=command.trackers))


# --- Fetching.


async def fetch(call: Call, command: Fetch) -> dict[str, Any]:
    """
    Fetch a torrent, to its end unless it is only to be begun.
    """
    folder = take_folder(command.folder)
    before = {status.infohash for status in _statuses(call)}
    infohash, mids = await begin(call, command.source, command.peer, folder)
    name = next((status.name for status in _statuses(call) if status.infohash == infohash), "")
    peers = [mid.hex() for mid in mids]
    call.tell(Started, infohash.hex(), name, infohash in before, tuple(peers))
    result = {"infohash": infohash.hex(), "peers": peers}
    if not command.follow or call.parts.client.torrents is None:
        return result
    return {**result, **await until_complete(call, infohash)}


def _statuses(call: Call) -> list[TorrentStatus]:
    """
    Get how all torrents go on, as far as the client tells.
    """
    torrents = call.parts.client.torrents
    return [] if torrents is None else torrents.status()


async def until_complete(call: Call, infohash: bytes, item: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    Tell how a torrent goes on until it is complete; get its transfer then.
    """
    with call.control.following.follow(infohash) as changes:
        while True:
            _, status = await changes.next()
            if status is None:
                raise GivenUpError("the torrent was given up")
            view = transfer_view(status)
            if status.state == "failed":
                raise ClientError(status.error or "the download failed")
            call.tell(Progress, status.progress, view)
            if is_complete(status):
                call.tell(Finished, view["infohash"], status.name, status.path, item)
                return {"name": status.name, "path": status.path, "size": status.size}


# --- All that go on.


async def stop(call: Call, command: Stop) -> dict[str, Any]:
    """
    Give a torrent up.
    """
    infohash = take_infohash(command.infohash)
    await call.control.following.torrents().stop(infohash, delete=command.delete)
    call.control.following.removed(infohash)
    return {"infohash": infohash.hex(), "deleted": command.delete}


async def set_rate(call: Call, command: SetRate) -> dict[str, Any]:
    """
    Limit one torrent, or all together.
    """
    infohash = None if command.infohash is None else take_infohash(command.infohash)
    for name, rate in (("up", command.up), ("down", command.down)):
        if rate is not None and not 0 <= rate <= MAX_RATE:
            raise refuse(f"{name} must be from 0 to {MAX_RATE} bytes/s, not {shown(rate)}")
    torrents = call.control.following.torrents()
    up, down = command.up or None, command.down or None
    await torrents.limit(infohash, up, down)
    return {"infohash": command.infohash, "up": up, "down": down}


async def list_transfers(call: Call, command: ListTransfers) -> dict[str, Any]:
    """
    Tell how all go on.
    """
    return {"transfers": [transfer_view(status) for status in call.control.following.torrents().status()]}


async def watch(call: Call, command: Watch) -> dict[str, Any]:
    """
    Tell how they go on, until cancelled.
    """
    wanted = None if command.infohash is None else take_infohash(command.infohash)
    with call.control.following.follow(wanted, current=command.current) as changes:
        while True:
            infohash, status = await changes.next()
            if status is None:
                call.tell(Removed, infohash.hex())
            else:
                call.tell(Progress, status.progress, transfer_view(status))


HANDLERS: dict[type[Command], Handler] = {
    MakeTorrent: make_torrent, Publish: publish, Fetch: fetch, Stop: stop, SetRate: set_rate,
    ListTransfers: list_transfers, Watch: watch,
}
