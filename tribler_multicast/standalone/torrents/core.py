"""
What all parts of the engine share: the torrents there are, the session, the records, and who is told.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...client import ClientError
from .records import Record, Records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ...settings import Settings
    from ...torrents import TorrentStatus
    from .session import Session
    from .torrent import Torrent

    T = TypeVar("T")
else:
    T = TypeVar("T")

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT: Final = 20.0
"""Seconds that libtorrent may take to add or remove a torrent. Its disk threads may be busy; for ever they aren't."""


class Core:
    """
    The shared parts.
    """

    def __init__(self, state_folder: Path, options: Settings) -> None:
        """
        Begin with no torrent.
        """
        self.options = options
        self.state_folder = state_folder
        self.records = Records(state_folder)
        self.torrents: dict[bytes, Torrent] = {}
        self.totals: dict[bytes, tuple[int, int]] = {}
        """Bytes up and down of torrents of before, until they are in the session."""
        self.handlers: list[Callable[[TorrentStatus], None]] = []
        self.lt: Any = None
        self.session: Session | None = None
        self.closing = False
        # One thread for all records: they are written in the order in which they were to be.
        self._writer = ThreadPoolExecutor(1, "torrent records")
        self._tasks: set[asyncio.Future[Any]] = set()

    # Threads and tasks

    async def in_writer(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401
        """
        Call something that touches the disk in the one thread that does.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    def spawn(self, work: Any) -> asyncio.Task[Any]:  # noqa: ANN401
        """
        Run a coroutine beside; a failure is logged.
        """
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)
        return task

    def _spawned_ended(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("Something in BitTorrent failed", exc_info=task.exception())

    def shut_down(self) -> None:
        """
        End the tasks and the thread; what is being written is still written.
        """
        for task in list(self._tasks):
            task.cancel()
        self._writer.shutdown(wait=False)

    async def keep(self, record: Record) -> str:
        """
        Write a record; get what went wrong, empty when nothing did.
        """
        data = Record(**{name: getattr(record, name) for name in Record.__slots__})
        try:
            await self.in_writer(self.records.write, data)
        except OSError as error:
            return f"can't write {self.records.path(record.infohash)}: {error.strerror}"
        return ""

    async def must_keep(self, record: Record) -> None:
        """
        Write a record, or raise ClientError.
        """
        if problem := await self.keep(record):
            raise ClientError(problem, 507)

    async def keep_totals(self) -> None:
        """
        Keep how much torrents that are whole uploaded and downloaded, if that changed.
        """
        totals = {torrent.infohash: (torrent.progress.total_up, torrent.progress.total_down)
                  for torrent in self.torrents.values() if torrent.record.whole}
        totals = {infohash: total for infohash, total in totals.items() if any(total)}
        if totals != self.totals:
            with contextlib.suppress(OSError):
                await self.in_writer(self.records.write_totals, totals)
            self.totals = totals

    # Telling

    def tell(self, torrent: Torrent) -> None:
        """
        Tell the handlers how a torrent goes on, if that is news.
        """
        status = torrent.status()
        if status == torrent.told or torrent.removed:
            return
        torrent.told = status
        for handler in list(self.handlers):
            try:
                handler(status)
            except Exception:
                logger.exception("A handler of torrents failed")

    def fail(self, torrent: Torrent, line: str) -> None:
        """
        A torrent can't go on: it rests, and says why. The first reason is the one.
        """
        if torrent.failure or self.closing:
            return
        torrent.failure = line
        if torrent.handle is not None:
            torrent.handle.pause()
        logger.warning("Torrent %s: %s", torrent.infohash.hex(), line)
        self.tell(torrent)

    # The session

    async def add(self, torrent: Torrent, parameters: Any) -> str:  # noqa: ANN401
        """
        Put a torrent into the session; get what went wrong, empty when nothing did.
        """
        assert self.session is not None
        added = self.session.expect("added", torrent.infohash)
        self.session.session.async_add_torrent(parameters)
        return await answer(added)

    async def take_out(self, torrent: Torrent) -> None:
        """
        Take a torrent out of the session; its files are closed after that.
        """
        handle, torrent.handle = torrent.handle, None
        if handle is None or self.session is None or self.session.session is None:
            return
        removed = self.session.expect("removed", torrent.infohash)
        self.session.session.remove_torrent(handle)
        await answer(removed)


async def answer(future: asyncio.Future[str]) -> str:
    """
    Wait for what libtorrent says to something.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(future), ANSWER_TIMEOUT)
    except TimeoutError:
        return "libtorrent gave no answer"
