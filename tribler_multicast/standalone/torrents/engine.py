"""
The BitTorrent of a standalone node.

A torrent is *whole* or a download. Whole ones (made here, or finished) are offered from where they are; nothing is ever
written to them. Downloads grow in ``.incomplete`` of the download folder and get their name when they are whole
(`placing`). Both are kept over restarts and crashes (`records`).
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ...client import ClientError
from ...torrent_files.making import make_torrent, write_output
from ...torrent_files.walking import Cancelled
from ...torrents import INFOHASH_SIZE
from .adapting import Adapting
from .alerts import Alerts
from .core import ANSWER_TIMEOUT, Core
from .internet import Internet
from .library import load
from .lives import Lives
from .records import Record
from .session import FAREWELL, Session, is_address
from .sources import read_source
from .torrent import Torrent
from .watching import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from ...settings import Settings
    from ...torrent_files.making import Made
    from ...torrents import MadeTorrent, TorrentStatus

logger = logging.getLogger(__name__)

RESTORED_AT_ONCE: Final = 50
HASHERS: Final = 2
"""Files that are hashed at once."""
CLOSE_TIMEOUT: Final = 1.0
SAVE_TIMEOUT: Final = 0.5
"""Of that, for what is to be saved."""
TCP_FIRST: Final = 1
"""Of libtorrent's pex_flags_t pex_encryption alone, not pex_utp. These peers are on the LAN, where TCP is as good as
uTP, and its end is seen at once when a node is killed. Of the end of a uTP connection nobody hears: until it times out,
the peer takes the node that was started again for a second one at the same address, and refuses it [seen]."""
KNOWN_WELL: Final = 1
"""Of libtorrent's peer_source_flags_t tracker: a peer that others named after it failed is given another try, and not
given up for good after three."""
MOST_PEERS: Final = 200
"""Addresses that one call may name."""


class TorrentEngine:
    """
    Makes, gets, offers and keeps torrents. All methods belong to the event loop.
    """

    def __init__(self, state_folder: Path, options: Settings) -> None:
        """
        Prepare; nothing of libtorrent is loaded before `start`.
        """
        self.core = Core(state_folder, options)
        self.lives = Lives(self.core)
        self.internet = Internet(self.core)
        self.alerts: Alerts | None = None
        self._addresses: list[str] = []
        self._started = asyncio.Event()
        self._problem: ClientError | None = None
        self._adapting: Adapting | None = None
        self._hashers = ThreadPoolExecutor(HASHERS, "torrent hashes")
        self._hashing: set[threading.Event] = set()
        self._watch: Watch | None = None

    # Begin and end

    async def start(self) -> None:
        """
        Load libtorrent in a thread, and have the torrents of before go on. Without libtorrent, or where its state can't
        be kept, everything else raises ClientError with the reason; this doesn't.
        """
        core = self.core
        try:
            core.lt = await asyncio.to_thread(load)
            try:
                await core.in_writer(core.records.open)
            except OSError as error:
                message = f"BitTorrent can't use {core.records.folder}: {error.strerror}"
                raise ClientError(message, 507) from None
            core.totals = await core.in_writer(core.records.read_totals, core.lt)
            wanted = core.options["torrent_port"]
            port = wanted or await core.in_writer(core.records.read_port)
            session = Session(core.lt, port, fixed=bool(wanted))
            session.chosen = self._remember_port
            session.listen(self._addresses)
            self.alerts = Alerts(core, self.lives, session)
            await session.start(core.options)
        except ClientError as error:
            self._problem = error
            self._started.set()
            logger.info("%s", error)
            return
        if core.closing:
            await session.close(CLOSE_TIMEOUT)
            return
        core.session = session
        loop = asyncio.get_running_loop()
        self._adapting = Adapting(core, session, loop.time())
        core.options.subscribe(self._follow)
        await self._restore()
        self._started.set()
        if not core.closing:
            self._watch = Watch(core, self.alerts, self._adapting)

    async def close(self) -> None:
        """
        Save where everything stands, and end, within CLOSE_TIMEOUT seconds.
        """
        core, session = self.core, self.core.session
        if core.closing:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CLOSE_TIMEOUT
        core.closing = True
        if not self._started.is_set():
            self._problem = self._problem or ClientError("the node is stopping")
            self._started.set()
        core.options.unsubscribe(self._follow)
        for cancelled in self._hashing:
            cancelled.set()
        if self._watch is not None:
            self._watch.close()
        if session is not None:
            await self._save_all(session)
            busy = any(torrent.progress.peers for torrent in core.torrents.values())
            await session.close(max(0.1, deadline - loop.time() - FAREWELL), busy=busy)
        self._hashers.shutdown(wait=False)  # what waits its turn finds itself cancelled
        core.shut_down()

    async def _save_all(self, session: Session) -> None:
        assert self.alerts is not None
        waits = [session.expect("updated", b"")]
        session.session.post_torrent_updates()
        for torrent in self.core.torrents.values():
            if torrent.handle is not None and not torrent.record.whole:
                waits.append(session.expect("saved", torrent.infohash))
                self.alerts.save(torrent)
        await asyncio.wait(waits, timeout=SAVE_TIMEOUT)
        await asyncio.wait([asyncio.ensure_future(self.core.keep_totals())], timeout=SAVE_TIMEOUT / 5)

    async def _restore(self) -> None:
        """
        Have the torrents of before go on.
        """
        core = self.core
        assert core.session is not None
        names = await core.in_writer(core.records.names)
        added = []
        for first in range(0, len(names), RESTORED_AT_ONCE):
            some = names[first:first + RESTORED_AT_ONCE]
            for found in await core.in_writer(lambda some=some: [self.lives.restore(name) for name in some]):
                if found is None or found[0].infohash in core.torrents:
                    continue
                torrent, parameters = found
                core.torrents[torrent.infohash] = torrent
                if parameters is not None:
                    added.append(core.session.expect("added", torrent.infohash))
                    core.session.session.async_add_torrent(parameters)
                else:
                    logger.warning("Torrent %s: %s", torrent.infohash.hex(), torrent.failure)
                core.tell(torrent)
            if core.closing:
                return
        if added:
            await asyncio.wait(added, timeout=ANSWER_TIMEOUT)

    async def _ready(self) -> None:
        """
        Wait until everything can be done, or raise ClientError with the reason why it can't.
        """
        await self._started.wait()
        if self._problem is not None:
            raise ClientError(str(self._problem), self._problem.status)
        if self.core.closing:
            message = "the node is stopping"
            raise ClientError(message)

    # Where it listens

    @property
    def listen_port(self) -> int | None:
        """
        The TCP and UDP port that BitTorrent listens on, the same on all addresses; None when on none.
        """
        return None if self.core.session is None else self.core.session.port

    def set_addresses(self, addresses: Sequence[str]) -> None:
        """
        Listen on these addresses of this machine (IP addresses without prefix; link-local ones of IPv6 are passed
        over), and on no other: call it before `start`, and whenever the interfaces in use change.
        """
        self._addresses = list(addresses)
        if self.core.session is not None:
            self.core.session.listen(self._addresses)

    def _remember_port(self, port: int) -> None:
        self.core.spawn(self.core.in_writer(self.core.records.write_port, port))

    def _follow(self, changed: set[str]) -> None:
        if changed & {"upload_rate", "download_rate", "dht"} and self.core.session is not None:
            self.core.session.follow(self.core.options)
        if "connections" in changed and self._adapting is not None:
            self._adapting.follow()

    # Torrents

    async def make(self, path: Path, output: Path | None = None, *, seed: bool = True, trackers: Sequence[str] = (),
                   progress: Callable[[float], None] | None = None) -> MadeTorrent:
        """
        Make a torrent of a file or folder, see `tribler_multicast.torrents`.
        """
        if seed:
            await self._ready()
        made = await self._hash(path, trackers, progress)
        result = made.torrent
        if output is not None:
            where = await asyncio.to_thread(write_output, result, output)
            result = type(result)(result.infohash, result.name, result.size, result.path, result.data, where)
        if seed:
            torrent = self._get(result.infohash, self.lives.download_folder())
            async with self._whole_life(torrent):
                await self.lives.seed(torrent, made)
        return result

    async def _hash(self, path: Path, trackers: Sequence[str], progress: Callable[[float], None] | None) -> Made:
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def tell(done: float) -> None:
            if progress is not None and not cancelled.is_set():
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(progress, done)

        self._hashing.add(cancelled)
        try:
            return await loop.run_in_executor(self._hashers, make_torrent, path, list(trackers), tell, cancelled)
        except (Cancelled, RuntimeError):
            message = "the node is stopping"
            raise ClientError(message) from None
        finally:
            self._hashing.discard(cancelled)
            cancelled.set()  # whoever cancelled us wants no hash either

    async def fetch(self, source: bytes | str, addresses: Sequence[tuple[str, int]] = (), *,
                    folder: Path | None = None, lan_only: bool = False) -> bytes:
        """
        Begin to download, see `tribler_multicast.torrents`. One that failed goes on.
        """
        await self._ready()
        read = await asyncio.to_thread(read_source, self.core.lt, source, lan_only=lan_only)
        place = self.lives.download_folder() if folder is None else folder.expanduser().absolute()
        torrent = self._get(read.infohash, place)
        async with self._whole_life(torrent):
            if torrent.told is None and torrent.handle is None and not torrent.failure:
                torrent.name = read.name
                torrent.record.lan_only = lan_only
                await self.lives.begin(torrent, read)
            else:
                await self.lives.go_on(torrent, read)
            if not read.private:
                self._connect(torrent, addresses)
        return read.infohash

    def _get(self, infohash: bytes, folder: Path) -> Torrent:
        """
        The torrent of an infohash; a new one where there is none.
        """
        torrent = self.core.torrents.get(infohash)
        if torrent is None:
            torrent = self.core.torrents[infohash] = Torrent(Record(infohash, folder), infohash.hex())
            if self._watch is not None:
                self._watch.wake()
        return torrent

    @contextlib.asynccontextmanager
    async def _whole_life(self, torrent: Torrent) -> AsyncIterator[None]:
        """
        Hold a torrent. One that could not begin is none.
        """
        async with torrent.lock:
            if torrent.removed:
                message = "this torrent was given up in the meantime"
                raise ClientError(message, 409)
            try:
                yield
            finally:
                if torrent.told is None:
                    torrent.removed = True
                    self.core.torrents.pop(torrent.infohash, None)

    @staticmethod
    def _connect(torrent: Torrent, addresses: Sequence[tuple[str, int]]) -> None:
        for ip, port in list(addresses)[:MOST_PEERS]:
            if torrent.handle is not None and is_address(ip) and 0 < port < 65536:
                torrent.handle.connect_peer((ip, port), KNOWN_WELL, TCP_FIRST)

    async def stop(self, infohash: bytes, *, delete: bool = False) -> None:
        """
        Give a torrent up, see `tribler_multicast.torrents`. Without `delete` the data of an unfinished download stays,
        to go on from when it is fetched again.
        """
        await self._ready()
        torrent = self._existing(infohash)
        async with torrent.lock:
            if not torrent.removed:
                await self.lives.end(torrent, delete=delete)

    def _existing(self, infohash: bytes) -> Torrent:
        torrent = self.core.torrents.get(infohash)
        if torrent is None:
            message = f"there is no torrent {infohash[:INFOHASH_SIZE].hex()}"
            raise ClientError(message, 404)
        return torrent

    async def limit(self, infohash: bytes | None, up: int | None, down: int | None) -> None:
        """
        Limit rates, see `tribler_multicast.torrents`. They count for all peers, those on the LAN too. The limit of one
        torrent is kept, that of all together counts until the settings `upload_rate` or `download_rate` change.
        """
        await self._ready()
        if any(limit is not None and limit <= 0 for limit in (up, down)):
            message = "a limit is at least 1 byte per second"
            raise ClientError(message, 400)
        assert self.core.session is not None
        if infohash is None:
            self.core.session.apply({"upload_rate_limit": up or 0, "download_rate_limit": down or 0})
            return
        torrent = self._existing(infohash)
        async with torrent.lock:
            torrent.record.up_limit, torrent.record.down_limit = up, down
            if torrent.handle is not None:
                torrent.handle.set_upload_limit(up or -1)
                torrent.handle.set_download_limit(down or -1)
            if not torrent.removed:
                await self.core.must_keep(torrent.record)
                self.core.tell(torrent)

    def status(self) -> list[TorrentStatus]:
        """
        Get how all torrents go on.
        """
        return [torrent.status() for torrent in self.core.torrents.values() if torrent.told is not None]

    def subscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call the handler for each torrent whose status changed.
        """
        self.core.handlers.append(handler)

    def unsubscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call it no more.
        """
        if handler in self.core.handlers:
            self.core.handlers.remove(handler)
