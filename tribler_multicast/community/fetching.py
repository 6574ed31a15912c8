"""
The community's part in shared files: ask who shares one for its torrent, begin to download it; offer ours to others.
"""
from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError, Result
from ..protocol.events import Event, FileAsked, FileEnded, FileProgress
from ..protocol.file_messages import CHANGED, FILE_ID_SIZE, NOT_FOUND
from ..protocol.file_requests import ASKING
from .handlers import Handlers
from .offering import Offering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..client import Client
    from ..protocol.core import MulticastProtocol
    from ..protocol.file_answers import FileJob
    from ..protocol.file_requests import FileRun
    from .local_peer import LocalPeer

logger = logging.getLogger(__name__)

FETCHES_KEPT: Final = 64
"""Ended fetches whose outcome nobody asked for yet, the newest: a program that never asks costs nothing more."""


@dataclass(eq=False)
class Fetch:
    """
    A shared file (32 bytes) that is being got: `state` is `asking`, `waiting` (others come first), `hashing`, or
    `ready`; `progress` (0..1) is that of the hashing. The result of `task` is the infohash (20 bytes) and the mids of
    those it is downloaded from.

    It ends when none of its `users` waits any more, unless it is `lasting`.
    """

    file_id: bytes
    mid: bytes | None
    state: str = ASKING
    progress: float = 0.0
    users: int = 0
    lasting: bool = False
    watchers: Handlers = field(default_factory=lambda: Handlers("a file"))
    task: asyncio.Task[tuple[bytes, list[bytes]]] | None = None


class Fetching:
    """
    Lets a community that drives a protocol instance get shared files of others, and offer its own.
    """

    core: MulticastProtocol
    client: Client | None
    holders: OrderedDict[bytes, list[bytes]]
    file_runs: dict[FileRun, tuple[Fetch, asyncio.Future[None]]]
    fetches: OrderedDict[tuple[bytes, bytes | None], Fetch]
    offering: Offering | None

    def prepare_fetching(self) -> None:
        """
        Begin with nothing asked for.
        """
        self.file_runs, self.fetches = {}, OrderedDict()
        self.offering = None
        if self.client is not None:
            self.offering = Offering(self.client, lambda known: self.core.file_answers.take(known, self.now()),
                                     self.give_file)

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    def pump_if_running(self) -> None:
        """
        Send what is to be sent, if the LAN is open.
        """
        raise AssertionError

    def now(self) -> float:
        """
        Get the protocol's clock, in seconds.
        """
        raise AssertionError

    def local_peers(self) -> list[LocalPeer]:
        """
        List the peers that are verified on our LAN now.
        """
        raise AssertionError

    def remember(self, mid: bytes, results: Iterable[Result]) -> None:
        """
        Remember who says to have what.
        """
        raise AssertionError

    async def download(self, infohash: bytes, mid: bytes | None = None) -> list[bytes]:
        """
        Have the client download a torrent from a local peer.
        """
        raise AssertionError

    # --- Getting.

    async def download_file(self, file_id: bytes, mid: bytes | None = None,
                            progress: Callable[[str, float], Any] | None = None) -> tuple[bytes, list[bytes]]:
        """
        Have a local peer make a torrent of a file (32 bytes) that it shares, or with no mid one of those who said to
        have it in a search, then have the client download it from there; get the infohash (20 bytes) and whom it comes
        from (mids).

        That may take as long as the peer needs to read the file: `progress` is called with what it does, `waiting` or
        `hashing`, and how much of it is hashed (0..1). Who stops waiting gives it up, if nobody else here waits.

        :raises KeyError: when no local peer has this mid.
        :raises ClientError: with one line, when it can't be had; status 404 when it is not shared (any more).
        """
        fetch = self.begin_fetch(file_id, mid)
        if progress is not None:
            fetch.watchers.add(progress)
        assert fetch.task is not None
        fetch.users += 1
        try:
            await asyncio.wait((fetch.task,))
            if fetch.task.cancelled():
                msg = "it was given up"
                raise ClientError(msg, 409)
            return fetch.task.result()
        finally:
            fetch.users -= 1
            if not fetch.users and not fetch.lasting:
                self.end_fetch(fetch)
            self.told(fetch)

    def begin_fetch(self, file_id: bytes, mid: bytes | None = None) -> Fetch:
        """
        Begin to get a file as `download_file` does, but wait for nothing; get the one under way, or ended and not told
        yet (`told`), when there is one.

        :raises KeyError: when no local peer has this mid.
        :raises ClientError: with one line, when it can't be asked for.
        """
        fetch = self.fetches.get((file_id, mid))
        if fetch is not None:
            return fetch
        asked = self.sharers(file_id, mid)
        fetch = Fetch(file_id, mid)
        fetch.task = asyncio.ensure_future(self.fetch(fetch, asked))
        fetch.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # It may be that nobody asks.
        self.fetches[file_id, mid] = fetch
        for key, old in list(self.fetches.items()):
            if len(self.fetches) > FETCHES_KEPT and old.task is not None and old.task.done():
                del self.fetches[key]
        return fetch

    def told(self, fetch: Fetch) -> None:
        """
        Forget a fetch that has ended: its outcome was told.
        """
        if fetch.task is not None and fetch.task.done() and self.fetches.get((fetch.file_id, fetch.mid)) is fetch:
            del self.fetches[fetch.file_id, fetch.mid]

    def give_up_file(self, file_id: bytes) -> int:
        """
        Give up getting a file, from whomever; get how many fetches that ended. A download that has begun goes on.
        """
        ended = [fetch for fetch in self.fetches.values() if fetch.file_id == file_id]
        for fetch in ended:
            self.end_fetch(fetch)
        return len(ended)

    def end_fetch(self, fetch: Fetch) -> None:
        """
        End one that is under way, and forget it.
        """
        if fetch.task is not None:
            fetch.task.cancel()
        if self.fetches.get((fetch.file_id, fetch.mid)) is fetch:
            del self.fetches[fetch.file_id, fetch.mid]

    def sharers(self, file_id: bytes, mid: bytes | None) -> list[bytes]:
        """
        Choose whom to ask for a file, the one that said last to have it first; get their mids.

        :raises KeyError: when no local peer has this mid.
        :raises ClientError: with one line, when nobody can be asked.
        """
        if self.client is None or self.client.torrents is None:  # Nobody hashes gigabytes for one who can't get them.
            msg = "this node has no BitTorrent client"
            raise ClientError(msg)
        if len(file_id) != FILE_ID_SIZE:
            msg = f"a file id has {FILE_ID_SIZE} bytes, not {len(file_id)}"
            raise ClientError(msg, 422)
        here = {peer.mid for peer in self.local_peers()}
        if mid is not None:
            if mid not in here:
                raise KeyError(mid)
            return [mid]
        known = [each for each in reversed(self.holders.get(file_id, ())) if each in here]
        if not known:
            msg = "no local node is known to share this file: search for it, or say which peer"
            raise ClientError(msg, 404)
        return known

    async def fetch(self, fetch: Fetch, mids: list[bytes]) -> tuple[bytes, list[bytes]]:
        """
        Ask one after the other until one has made its torrent, and download that.
        """
        errors = []
        for mid in mids:
            try:
                infohash = await self.request_file(fetch, mid)
            except ClientError as error:
                errors.append(error)
                continue
            self.remember(mid, [Result("torrent", infohash, "")])
            try:
                return infohash, await self.download(infohash, mid)
            except KeyError as error:
                msg = "that node is local no more"
                raise ClientError(msg, 404) from error
        # What tells most: that a file changed, or is shared no more, rather than that somebody else is silent.
        raise min(errors, key=lambda error: (error.status != CHANGED, error.status != NOT_FOUND))

    async def request_file(self, fetch: Fetch, mid: bytes) -> bytes:
        """
        Ask one peer for the infohash of a file, and wait until it has made the torrent.

        :raises ClientError: with one line, when it does not.
        """
        try:
            run = self.core.file_requests.start(mid, fetch.file_id, self.now())
        except KeyError as error:
            msg = "that node is local no more"
            raise ClientError(msg, 404) from error
        except ValueError as error:
            raise ClientError(str(error)) from error
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.file_runs[run] = fetch, ended
        fetch.state, fetch.progress = ASKING, 0.0
        try:
            self.pump_if_running()
            await ended
        finally:
            del self.file_runs[run]
            self.core.file_requests.give_up(run)
            self.pump_if_running()
        if run.infohash is None:
            raise ClientError(run.error, run.code)
        return run.infohash

    # --- What happens.

    def on_file_event(self, event: Event) -> None:
        """
        Act on what happened around shared files.
        """
        if isinstance(event, FileAsked):
            if self.offering is None:
                self.core.file_answers.give(event.job, None, NOT_FOUND, self.now())
                asyncio.get_running_loop().call_soon(self.pump_if_running)
            else:
                self.offering.wake(event.job.known)
        elif isinstance(event, FileProgress | FileEnded):
            fetch, ended = self.file_runs.get(event.run, (None, None))
            if fetch is not None:
                fetch.state, fetch.progress = event.run.state, event.run.progress
                if isinstance(event, FileProgress):
                    fetch.watchers(fetch.state, fetch.progress)
            if ended is not None and isinstance(event, FileEnded) and not ended.done():
                ended.set_result(None)

    def give_file(self, job: FileJob, infohash: bytes | None, code: int) -> None:
        """
        Answer those who wait for a file of ours.
        """
        self.core.file_answers.give(job, infohash, code, self.now())
        self.pump_if_running()

    def stop_fetching(self) -> None:
        """
        Offer nothing more; what was asked for ends with the protocol.
        """
        if self.offering is not None:
            self.offering.close()

    def unload_fetching(self) -> None:
        """
        End all.
        """
        self.stop_fetching()
        for fetch in list(self.fetches.values()):
            self.end_fetch(fetch)
