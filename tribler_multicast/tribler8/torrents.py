"""
Tribler's downloads as the BitTorrent of this node: only those without anonymity (hops 0), ever.

Limits are set at libtorrent's handles and taken back at the end: the user's own are in Tribler's configuration, which
is not touched.
"""
from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError
from ..torrent_files.making import make_torrent, write_output
from ..torrent_files.walking import Cancelled
from ..torrents import INFOHASH_SIZE, MadeTorrent, TorrentStatus
from .errors import find, guarded
from .playable import StreamPaths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks at all downloads, while somebody wants to hear of them."""

HANDLE_PATIENCE: Final = 10.0
"""Seconds that libtorrent may take to know a torrent. It does at once, unless Tribler still waits for its DHT."""

MAX_TORRENT: Final = 10_000_000
"""Bytes of a ``.torrent`` file: what is larger is mostly an attack."""

STATES: Final = {"ALLOCATING_DISKSPACE": "checking", "WAITING_FOR_HASHCHECK": "checking", "HASHCHECKING": "checking",
                 "LOADING": "checking", "MOVING": "checking", "METADATA": "metadata", "DOWNLOADING": "downloading",
                 "SEEDING": "seeding", "STOPPED_ON_ERROR": "failed"}
"""Names of Tribler's states; all others are `paused`."""


async def begin(session: Any, parameters: Any, *, lan_only: bool, folder: Path | None = None,  # noqa: ANN401
                stays: bool = False) -> Any:  # noqa: ANN401
    """
    Begin a download without anonymity. With `lan_only` nobody on the internet is asked for it: who downloads
    anonymously as a rule is not to be seen in the DHT because a neighbour has something. What `stays` where it is, is
    not moved to Tribler's folder for what is complete.
    """
    module = importlib.import_module("tribler.core.libtorrent.download_manager.download_config")
    config = find(module, "DownloadConfig", "from_defaults")(session.config)
    config.set_hops(0)
    config.set_safe_seeding(False)
    if folder is not None:
        config.set_dest_dir(folder)
    if stays:
        config.set_completed_dir("")
    if lan_only:
        flags = importlib.import_module("libtorrent").torrent_flags
        parameters.flags |= flags.disable_dht | flags.disable_pex | flags.disable_lsd
    definition = find(importlib.import_module("tribler.core.libtorrent.torrentdef"), "TorrentDef")(parameters)
    return await session.download_manager.start_download(tdef=definition, config=config)


def magnet(infohash: bytes) -> Any:  # noqa: ANN401
    """
    Get what libtorrent adds a torrent of this infohash by, with no tracker.
    """
    return importlib.import_module("libtorrent").parse_magnet_uri(f"magnet:?xt=urn:btih:{infohash.hex()}")


class TriblerTorrents:
    """
    The downloads of one Tribler that are not anonymous.
    """

    def __init__(self, session: Any) -> None:  # noqa: ANN401
        """
        Look at this session.

        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        self.session = session
        self.manager = find(session, "download_manager")
        for name in ("downloads", "metainfo_requests", "start_download", "remove_download"):
            find(self.manager, name)
        self.limits: dict[bytes, tuple[int | None, int | None]] = {}
        self.handlers: list[Callable[[TorrentStatus], None]] = []
        self.told: dict[bytes, TorrentStatus] = {}
        self.task: asyncio.Task[None] | None = None
        self.thread = ThreadPoolExecutor(1, "multicast-hash")
        self.hashing: set[threading.Event] = set()
        self._streams = StreamPaths()

    # --- What goes on.

    def status(self) -> list[TorrentStatus]:
        """
        Get how all go on.
        """
        return [self.view(infohash, download) for infohash, download in list(self.manager.downloads.items())
                if self.is_open(infohash, download)]

    def is_open(self, infohash: bytes, download: Any) -> bool:  # noqa: ANN401
        """
        Is this a download of the user, and not anonymous?
        """
        return (len(infohash) == INFOHASH_SIZE and download.config.get_hops() == 0
                and infohash not in self.manager.metainfo_requests and not getattr(download, "hidden", False))

    def view(self, infohash: bytes, download: Any) -> TorrentStatus:  # noqa: ANN401
        """
        Get how one goes on.
        """
        state, information = download.get_state(), download.tdef.torrent_info
        what = STATES.get(state.get_status().name, "paused")
        own = (download.config.get_upload_limit(), download.config.get_download_limit())
        up_limit, down_limit = (ours or (users if users > 0 else None) for ours, users
                                in zip(self.limits.get(infohash, (None, None)), own, strict=True))
        return TorrentStatus(
            infohash, str(download.tdef.name), what, float(state.get_progress()),
            None if information is None else int(information.total_size()), str(download.get_content_dest()),
            float(state.get_current_speed("up")), float(state.get_current_speed("down")), int(state.all_time_upload),
            int(state.all_time_download), int(getattr(state.lt_status, "num_peers", 0)),
            up_limit, down_limit, str(state.get_error() or "") if what == "failed" else "",
            stream=self._streams.of(infohash, information))

    def subscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call the handler for each that changed, about once a second.
        """
        if handler not in self.handlers:
            self.handlers.append(handler)
        if self.task is None or self.task.done():
            self.told = {status.infohash: status for status in self.status()}
            self.task = asyncio.ensure_future(self.watch())

    def unsubscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call it no more.
        """
        if handler in self.handlers:
            self.handlers.remove(handler)

    async def watch(self) -> None:
        """
        Look at all downloads again and again while somebody wants to hear of them.
        """
        while self.handlers:
            await asyncio.sleep(LOOK)
            self.look()

    @guarded("telling how torrents go on")
    def look(self) -> None:
        """
        Tell what changed.
        """
        now = {status.infohash: status for status in self.status()}
        changed = [status for infohash, status in now.items() if self.told.get(infohash) != status]
        self.told = now
        for status in changed:
            for handler in list(self.handlers):
                try:
                    handler(status)
                except Exception:
                    logger.exception("A handler for torrents failed")

    # --- What is asked for.

    async def make(self, path: Path, output: Path | None = None, *, seed: bool = True, trackers: Sequence[str] = (),
                   progress: Callable[[float], None] | None = None) -> MadeTorrent:
        """
        Make a torrent, and seed it from where it is: with DHT and trackers only where Tribler is set to be seen there.

        :raises ClientError: when it can't be made or written, is there as an anonymous download, or has trackers while
            Tribler is set to download anonymously.
        """
        if seed and trackers and self.anonymous_as_a_rule:
            message = "this Tribler is set to download anonymously: it tells no tracker what it seeds"
            raise ClientError(message, 409)
        made = await self.hash(path, trackers, progress)
        there = self.manager.downloads.get(made.infohash)
        if seed and there is not None and there.config.get_hops() != 0:
            message = "this torrent is there already as an anonymous download, which is not seeded openly"
            raise ClientError(message, 409)
        if output is not None:
            made = replace(made, file=await asyncio.to_thread(write_output, made, output))
        if seed and (there is None or made.infohash in self.manager.metainfo_requests):
            parameters = self.parameters(made.data, lan_only=self.anonymous_as_a_rule)
            await begin(self.session, parameters, lan_only=self.anonymous_as_a_rule, folder=Path(made.path).parent,
                        stays=True)
        return made

    async def hash(self, path: Path, trackers: Sequence[str],
                   progress: Callable[[float], None] | None) -> MadeTorrent:
        """
        Make a torrent in a thread, one after the other; who stops waiting stops it.
        """
        loop, cancelled = asyncio.get_running_loop(), threading.Event()

        def tell(part: float) -> None:
            if progress is not None and not cancelled.is_set() and not loop.is_closed():
                loop.call_soon_threadsafe(progress, part)

        self.hashing.add(cancelled)
        try:
            made = await loop.run_in_executor(self.thread, make_torrent, path, list(trackers), tell, cancelled)
        except (Cancelled, RuntimeError) as error:
            message = "Tribler is stopping"
            raise ClientError(message) from error
        finally:
            self.hashing.discard(cancelled)
            cancelled.set()
        return made.torrent

    async def fetch(self, source: bytes | str, addresses: Sequence[tuple[str, int]] = (), *,
                    folder: Path | None = None, lan_only: bool = False) -> bytes:
        """
        Begin a download without anonymity, or give these addresses to one that is there.

        :raises ClientError: when it is there as an anonymous one, or Tribler is set to download anonymously and this
            would ask the internet.
        """
        parameters = self.parameters(source, lan_only)
        infohash = self.infohash_of(parameters)
        download = self.manager.downloads.get(infohash)
        if download is None or infohash in self.manager.metainfo_requests:
            if not lan_only and self.anonymous_as_a_rule:
                message = ("this Tribler is set to download anonymously, and this would not be anonymous: "
                           "add it in Tribler itself")
                raise ClientError(message, 409)
            download = await begin(self.session, parameters, lan_only=lan_only, folder=folder)
        if download.config.get_hops() != 0:
            message = "this torrent is there already as an anonymous download, which never uses the local network"
            raise ClientError(message, 409)
        information = download.tdef.torrent_info
        if information is None or not information.priv():  # BEP 27: peers of a private torrent come from its tracker.
            for address in addresses:
                download.add_peer(address)
        return infohash

    @property
    def anonymous_as_a_rule(self) -> bool:
        """
        Does the user download anonymously, unless said otherwise?
        """
        return bool(self.session.config.get("libtorrent/download_defaults/anonymity_enabled"))

    def parameters(self, source: bytes | str, lan_only: bool) -> Any:  # noqa: ANN401
        """
        Get what libtorrent adds a torrent by; with `lan_only` with no tracker and no web server in it.

        :raises ClientError: when it is none.
        """
        libtorrent = importlib.import_module("libtorrent")
        message = "that is no torrent of version 1"
        try:
            if isinstance(source, str):
                parameters = libtorrent.parse_magnet_uri(source)
            elif len(source) == INFOHASH_SIZE:
                parameters = magnet(source)
            elif len(source) > MAX_TORRENT:
                message = f"that torrent file has more than {MAX_TORRENT} bytes"
                raise ValueError(message)
            else:
                parameters = libtorrent.load_torrent_buffer(source)
                if lan_only:
                    stripped = libtorrent.bencode({b"info": libtorrent.bdecode(source)[b"info"]})
                    if self.infohash_of(libtorrent.load_torrent_buffer(stripped)) == self.infohash_of(parameters):
                        parameters = libtorrent.load_torrent_buffer(stripped)
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise ClientError(message, 422) from error
        if lan_only:
            parameters.trackers, parameters.url_seeds, parameters.dht_nodes = [], [], []
        if parameters.info_hashes.v1.is_all_zeros() or not parameters.info_hashes.v2.is_all_zeros():
            raise ClientError(message, 422)
        return parameters

    @staticmethod
    def infohash_of(parameters: Any) -> bytes:  # noqa: ANN401
        """
        Get the infohash (20 bytes).
        """
        return bytes(parameters.info_hashes.v1.to_bytes())

    def find(self, infohash: bytes) -> Any:  # noqa: ANN401
        """
        Get a download that is not anonymous.

        :raises ClientError: when there is none.
        """
        download = self.manager.downloads.get(infohash)
        if download is None or not self.is_open(infohash, download):
            message = f"there is no torrent with the infohash {infohash.hex()}"
            raise ClientError(message, 404)
        return download

    async def stop(self, infohash: bytes, *, delete: bool = False) -> None:
        """
        Remove a download. Data that was not downloaded here, all of it, is left alone: it was the user's before.

        :raises ClientError: when there is none.
        """
        download = self.find(infohash)
        state = download.get_state()
        ours = int(state.all_time_download) >= int(getattr(state.lt_status, "total_done", 0)) > 0
        self.limits.pop(infohash, None)
        await self.manager.remove_download(download, remove_content=delete and ours)

    async def limit(self, infohash: bytes | None, up: int | None, down: int | None) -> None:
        """
        Limit one download at its handle; None takes the user's own limit again.

        :raises ClientError: when there is none, or all together are to be limited: that is Tribler's own setting.
        """
        if infohash is None:
            message = "in Tribler the rate of all torrents together is set in its own settings"
            raise ClientError(message, 409)
        download = self.find(infohash)
        try:
            handle = await asyncio.wait_for(asyncio.shield(download.get_handle()), HANDLE_PATIENCE)
        except TimeoutError as error:
            message = "libtorrent does not know that torrent yet, try again later"
            raise ClientError(message) from error
        handle.set_upload_limit(download.config.get_upload_limit() if up is None else max(1, up))
        handle.set_download_limit(download.config.get_download_limit() if down is None else max(1, down))
        self.limits[infohash] = up, down
        if up is None and down is None:
            del self.limits[infohash]

    @guarded("taking limits back")
    def close(self) -> None:
        """
        Take all limits back, and tell nobody any more.
        """
        for cancelled in self.hashing:
            cancelled.set()
        self.thread.shutdown(wait=False, cancel_futures=True)
        self.handlers.clear()
        if self.task is not None:
            self.task.cancel()
        for infohash in list(self.limits):
            del self.limits[infohash]
            download = self.manager.downloads.get(infohash)
            if download is not None and download.handle is not None and download.handle.is_valid():
                download.handle.set_upload_limit(download.config.get_upload_limit())
                download.handle.set_download_limit(download.config.get_download_limit())
