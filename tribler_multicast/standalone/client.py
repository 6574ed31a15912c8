"""
The standalone node as the hosting client: shared folders, BitTorrent and feeds, and what others may know of them.
"""
from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..client import Activity, ClientError, Result, Traffic
from ..community.found import matches
from ..community.views import addresses_in_use
from .lan_downloads import LanDownloads
from .shares import Shares
from .torrents import TorrentEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from ..community.multicast import MulticastCommunity
    from ..feeds.feeds import Feeds
    from ..settings import Settings
    from ..torrents import TorrentStatus
    from .shares import SharedFile

logger = logging.getLogger(__name__)

BULK_RATE: Final = 10_000.0
"""Bytes/s, both ways together, from which on torrents count as an activity: less is chatter."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the interfaces in use, and at what this node can do for others."""

PATIENCE: Final = 1.0
"""Seconds that a search waits for the event loop: a node that is that busy tells of shared files only."""

LOOPBACK: Final = ("127.0.0.1", "::1")


class StandaloneClient:
    """
    What the plugin sees of a node without Tribler.

    Its parts need a loaded community to say where they are: they run from `start` to `close`.
    """

    name = "standalone"

    def __init__(self, folder: Path, options: Settings) -> None:
        """
        Begin with nothing to offer; `folder` is the state directory.
        """
        self.folder = folder
        self.options = options
        self.shares = Shares(folder / "sqlite" / "shares.db", self.shared_folders())
        self.torrents = TorrentEngine(folder, options)
        self.feeds: Feeds | None = None
        self.lan_downloads: LanDownloads | None = None
        self.community: MulticastCommunity | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.said: tuple[frozenset[str], list[tuple[str, str, int]]] | None = None
        self.offering = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()

    def shared_folders(self) -> list[Path]:
        """
        The folders that the settings name.
        """
        return [Path(text).expanduser() for text in self.options["share"]]

    # --- From start to end.

    async def load_feeds(self) -> Feeds:
        """
        Make the feeds, not yet running: their libraries take long to load, so in a thread.
        """
        module = await asyncio.to_thread(import_module, "..feeds.feeds", __package__)
        feeds: Feeds = module.Feeds(self.folder / "feeds", lambda: self.torrents, self.options,
                                    lambda: [*LOOPBACK, *self.own_addresses()])
        self.feeds = feeds
        return feeds

    async def start(self, community: MulticastCommunity) -> None:
        """
        Start what there is. A part that can't says why, once, in the log and to whoever wants something of it.

        :raises DatabaseTooNewError: when a newer version of this program wrote the index of the shared folders.
        """
        self.community = community
        self.loop = asyncio.get_running_loop()
        self.shares.subscribe_gone(self.forget_torrent)
        self.shares.subscribe_back(self.seed_again)
        self.leave_out_own()
        await self.shares.start()
        self.torrents.set_addresses(self.own_addresses())
        self.lan_downloads = LanDownloads(self.torrents, community)
        self.lan_downloads.start()
        await self.torrents.start()
        if self.feeds is not None:
            await self.feeds.start()
        self.options.subscribe(self.follow)
        self.run(self.watch())

    async def close(self) -> None:
        """
        Stop everything; what is under way goes on at the next start.
        """
        self.options.unsubscribe(self.follow)
        for task in self.tasks:
            task.cancel()
        if self.lan_downloads is not None:
            self.lan_downloads.close()
        endings = [self.shares.close(), self.torrents.close()]
        if self.feeds is not None:
            endings.append(self.feeds.close())
        for result in await asyncio.gather(*endings, return_exceptions=True):
            if isinstance(result, BaseException):
                logger.error("Something did not end well", exc_info=result)

    def follow(self, changed: set[str]) -> None:
        """
        Take over settings that changed.
        """
        if "share" in changed:
            self.run(self.shares.set_folders(self.shared_folders()))
        if "download_folder" in changed:
            self.leave_out_own()

    def leave_out_own(self) -> None:
        """
        Never share what the node itself is writing.
        """
        folder = self.options["download_folder"]
        self.shares.leave_out([self.folder, *([Path(folder).expanduser() / ".incomplete"] if folder else [])])

    async def watch(self) -> None:
        """
        Follow the interfaces in use, and tell the LAN when what we offer changed.
        """
        assert self.community is not None
        listening = self.own_addresses()
        while True:
            addresses = self.own_addresses()
            if addresses != listening:
                self.torrents.set_addresses(addresses)
                listening = addresses
            offered = self.capabilities(), self.addresses()
            if offered != self.said:
                self.said = offered
                self.community.refresh_introduction()
            await asyncio.sleep(LOOK_AGAIN)

    def own_addresses(self) -> list[str]:
        """
        Our addresses on the interfaces in use.
        """
        return [] if self.community is None else addresses_in_use(self.community.lan.links.values())

    # --- What the plugin asks.

    def download_folder(self) -> Path:
        """
        Get where downloads go.
        """
        return self.torrents.lives.download_folder()

    def capabilities(self) -> frozenset[str]:
        """
        What this node can do for others. It claims nothing that it does not do.
        """
        bittorrent = self.torrents.listen_port is not None
        found = {"search"} if bittorrent or self.options["share"] else set()
        return frozenset(found | {"torrents"} if bittorrent else found)

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Where BitTorrent listens, as (kind, ip, port).
        """
        port = self.torrents.listen_port
        return [] if port is None else [("libtorrent", ip, port) for ip in self.own_addresses()]

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Hear of an event. The REST API tells it to whoever listens; nobody else wants to know.
        """

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Find shared files and torrents by their names. Called in a thread of the plugin.
        """
        shared = self.shares.search(text, kinds | {"torrent", "file"}, most) if kinds & {"torrent", "file"} else []
        if self.loop is None:
            return []
        torrents = asyncio.run_coroutine_threadsafe(self.told(), self.loop).result(PATIENCE)
        found: dict[bytes, Result] = {}
        for result in shared:
            # What was made a torrent once, but is seeded no more, is a file again: who wants it has it made anew.
            if result.kind == "torrent" and result.id not in torrents:
                file = self.shares.find_torrent(result.id)
                if file is None:
                    continue
                result = Result("file", file.file_id, result.name, result.size)  # noqa: PLW2901
            found[result.id] = result
        for infohash, status in torrents.items():
            if matches(text, status.name):
                found.setdefault(infohash, Result("torrent", infohash, status.name, status.size))
        return [result for result in found.values() if result.kind in kinds][:most]

    async def told(self) -> dict[bytes, TorrentStatus]:
        """
        The torrents that others may know of, by infohash: those they can get something of, none that is private.
        """
        return {status.infohash: status for status in self.torrents.status()
                if status.state in {"downloading", "seeding"} and status.progress > 0 and not status.private}

    def streams(self) -> list[Result]:
        """
        List nothing: this node streams nothing.
        """
        return []

    def activity(self) -> Activity:
        """
        Tell what the torrents do; nothing is known without BitTorrent.
        """
        if self.torrents.listen_port is None:
            return Activity()
        states = self.torrents.status()
        up, down = sum(state.up for state in states), sum(state.down for state in states)
        return Activity("bulk" if up + down >= BULK_RATE else "idle", up, down)

    def traffic(self) -> Traffic:
        """
        Tell what torrents move over the internet: all of it is bulk. What they move more is on the LAN.
        """
        traffic, activity = self.torrents.internet.traffic(), self.activity()
        return replace(traffic, more_up=max(0.0, (activity.up or 0.0) - traffic.up),
                       more_down=max(0.0, (activity.down or 0.0) - traffic.down))

    def limit_bulk(self, up: float | None, down: float | None) -> None:
        """
        Limit that.
        """
        self.torrents.internet.limit(up, down)

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Download a torrent from these peers and whoever finds us, and from nobody on the internet.
        """
        await self.torrents.fetch(infohash, addresses, lan_only=True)

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Make a torrent of a shared file and seed it, one file at a time; one that is seeded already waits for no other.
        """
        shared = await self.shared_file(file_id)
        if shared.infohash is not None and shared.infohash in await self.told():
            return shared.infohash
        async with self.offering:
            shared = await self.shared_file(file_id)
            if shared.infohash is not None and shared.infohash in await self.told():
                return shared.infohash
            made = await self.torrents.make(shared.path, progress=progress)
            if not await asyncio.to_thread(self.shares.set_infohash, file_id, made.infohash, shared.size,
                                           shared.mtime_ns):
                await self.torrents.stop(made.infohash)
                message = "the file was changed while it was hashed"
                raise ClientError(message, 409)
        return made.infohash

    async def shared_file(self, file_id: bytes) -> SharedFile:
        """
        Get the shared file of this id.

        :raises ClientError: when there is none.
        """
        shared = await asyncio.to_thread(self.shares.find, file_id)
        if shared is None:
            message = "this node shares no such file"
            raise ClientError(message, 404)
        return shared

    # --- What happens to shared files.

    def forget_torrent(self, infohash: bytes) -> None:
        """
        Seed a file no more that was changed or is gone.
        """
        self.run(self.torrents.stop(infohash))

    def seed_again(self, infohash: bytes) -> None:
        """
        Seed a file that is back, or is at another place now.
        """
        self.run(self.seed(infohash))

    async def seed(self, infohash: bytes) -> None:
        """
        Make the torrent of a shared file anew, unless it is there.
        """
        shared = await asyncio.to_thread(self.shares.find_torrent, infohash)
        if shared is not None and infohash not in await self.told():
            await self.offer_file(shared.file_id, lambda _done: None)

    def run(self, work: Coroutine[Any, Any, None] | Coroutine[Any, Any, bytes]) -> None:
        """
        Do something without waiting for it; a failure is the log's affair.
        """
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: asyncio.Task[Any]) -> None:
        """
        Log what went wrong.
        """
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, ClientError):
                logger.info("%s", error)
            else:
                logger.error("Something of this node failed", exc_info=error)
