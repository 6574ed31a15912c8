"""
The standalone node as the hosting client: shared folders, BitTorrent and feeds, and what others may know of them.
"""
from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..client import Activity, ClientError, Result
from ..community.found import matches
from ..community.views import addresses_in_use
from ..feeds import Feeds
from .shares import Shares
from .torrents import TorrentEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..community.multicast import MulticastCommunity
    from ..settings import Settings
    from ..torrents import Torrents, TorrentStatus
    from .shares import SharedFile

logger = logging.getLogger(__name__)

BULK_RATE: Final = 10_000.0
"""Bytes/s, both ways together, from which on torrents count as an activity: less is chatter."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the interfaces in use, and at what this node can do for others."""


class StandaloneClient:
    """
    What the plugin sees of a node without Tribler.

    Its parts need a loaded community to say where they are: they are there from `start` to `close`.
    """

    name = "standalone"

    def __init__(self, folder: Path, options: Settings) -> None:
        """
        Begin with nothing to offer; `folder` is the state directory.
        """
        self.options = options
        self.shares = Shares(folder / "sqlite" / "shares.db", self.shared_folders())
        self.engine = TorrentEngine(folder, options)
        self.feeds = Feeds(folder / "feeds", lambda: self.torrents, options)
        self.torrents: Torrents | None = None
        self.missing = "BitTorrent has not started yet"
        self.community: MulticastCommunity | None = None
        self.said: tuple[frozenset[str], list[tuple[str, str, int]]] | None = None
        self.offering = asyncio.Lock()
        self.watching: asyncio.Task[None] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    def shared_folders(self) -> list[Path]:
        """
        The folders that the settings name.
        """
        return [Path(text).expanduser() for text in self.options["share"]]

    # --- From start to end.

    async def start(self, community: MulticastCommunity) -> None:
        """
        Start what there is: without libtorrent there is search, but nothing to get.
        """
        self.community = community
        self.shares.subscribe_gone(self.forget_torrent)
        await self.shares.start()
        try:
            await self.engine.start(addresses_in_use(community.lan.links.values()))
            self.torrents = self.engine
        except ClientError as error:
            self.missing = str(error)
            logger.warning("%s", error)
        await self.feeds.start()
        self.options.subscribe(self.follow)
        self.watching = asyncio.ensure_future(self.watch())

    async def close(self) -> None:
        """
        Stop everything; what is under way goes on at the next start.
        """
        self.options.unsubscribe(self.follow)
        if self.watching is not None:
            self.watching.cancel()
        await asyncio.gather(self.feeds.close(), self.shares.close(), self.engine.close(), return_exceptions=True)
        self.torrents = None

    def follow(self, changed: set[str]) -> None:
        """
        Take over settings that changed.
        """
        if "share" in changed:
            self.run(self.shares.set_folders(self.shared_folders()))

    async def watch(self) -> None:
        """
        Follow the interfaces in use, and tell the LAN when what we offer changed.
        """
        assert self.community is not None
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            with suppress(ClientError):
                await self.engine.set_addresses(addresses_in_use(self.community.lan.links.values()))
            offered = self.capabilities(), self.addresses()
            if offered != self.said:
                self.said = offered
                self.community.refresh_introduction()

    # --- What the plugin asks.

    def capabilities(self) -> frozenset[str]:
        """
        What this node can do for others. It claims nothing that it does not do.
        """
        found = set()
        if self.options["share"] or self.torrents is not None:
            found.add("search")
        if self.torrents is not None and self.engine.listen_port:
            found.add("torrents")
        return frozenset(found)

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Where BitTorrent listens, as (kind, ip, port).
        """
        port = self.engine.listen_port if self.torrents is not None else None
        if self.community is None or not port:
            return []
        return [("libtorrent", ip, port) for ip in addresses_in_use(self.community.lan.links.values())]

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Hear of an event. The REST API tells it to whoever listens; nobody else wants to know.
        """

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Find shared files and torrents by their names, what is complete first.
        """
        found = {(result.kind, result.id): result for result in self.shares.search(text, kinds, most)}
        if "torrent" in kinds and self.torrents is not None:
            for status in self.told():
                if len(found) >= most:
                    break
                if matches(text, status.name):
                    found.setdefault(("torrent", status.infohash),
                                     Result("torrent", status.infohash, status.name, status.size))
        return list(found.values())[:most]

    def told(self) -> list[TorrentStatus]:
        """
        The torrents that others may know of: those they can get something of.
        """
        return [status for status in self.engine.status()
                if status.state in {"downloading", "seeding"} and status.progress > 0
                and not self.engine.is_private(status.infohash)]

    def streams(self) -> list[Result]:
        """
        List nothing: this node streams nothing.
        """
        return []

    def activity(self) -> Activity:
        """
        Tell what the torrents do.
        """
        states = [] if self.torrents is None else self.torrents.status()
        up, down = sum(state.up for state in states), sum(state.down for state in states)
        return Activity("bulk" if up + down >= BULK_RATE else "idle", up, down)

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Download a torrent from these peers and whoever finds us, and from nobody on the internet.
        """
        if self.torrents is None:
            raise ClientError(self.missing)
        await self.torrents.fetch(infohash, addresses, lan_only=True)

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Make a torrent of a shared file and seed it, one file at a time.
        """
        shared = self.find_file(file_id)
        if self.torrents is None:
            raise ClientError(self.missing)
        if shared.infohash is not None and self.has(shared.infohash):
            return shared.infohash
        async with self.offering:
            shared = self.find_file(file_id)
            made = await self.torrents.make(shared.path, progress=progress)
            if not self.shares.set_infohash(file_id, made.infohash, shared.size, shared.mtime_ns):
                await self.torrents.stop(made.infohash)
                message = "the file was changed while it was hashed"
                raise ClientError(message, 409)
        return made.infohash

    def find_file(self, file_id: bytes) -> SharedFile:
        """
        The shared file of this id.
        """
        shared = self.shares.find(file_id)
        if shared is None:
            message = "this node shares no such file"
            raise ClientError(message, 404)
        return shared

    def has(self, infohash: bytes) -> bool:
        """
        Is this torrent here, and can it be got from us?
        """
        return any(status.infohash == infohash for status in self.told())

    def forget_torrent(self, infohash: bytes) -> None:
        """
        Seed a file no more that was changed or is gone.
        """
        if self.torrents is not None:
            self.run(self.torrents.stop(infohash))

    def run(self, work: object) -> None:
        """
        Do something without waiting for it; a failure is the log's affair.
        """
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: asyncio.Task[None]) -> None:
        """
        Log what went wrong.
        """
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("%s", error, exc_info=None if isinstance(error, ClientError) else error)
