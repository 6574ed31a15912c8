"""
What the node sees of its shared folders.
"""
from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .indexer import Indexer
from .limits import CLOSE_TIME, START_TIME
from .lookup import Lookup
from .roots import folders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ...client import Result
    from .lookup import SharedFile
    from .roots import FolderStatus

logger = logging.getLogger(__name__)

MOMENT: Final = 0.005
"""Seconds between two looks whether the thread has begun or ended."""


@dataclass(frozen=True, slots=True)
class SharesStatus:
    """
    How the shared folders do: whether they are being read, each of them, what keeps the index from being written, and
    how changes are heard of, one line each.
    """

    indexing: bool
    folders: list[FolderStatus]
    error: str
    watching: str


async def _within(seconds: float, condition: Callable[[], bool]) -> None:
    """
    Wait until something is the case, but not longer than that. With no thread for it: those of the loop may hang in a
    network drive too.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(MOMENT)


class Shares:
    """
    The files that the user shares with the local network: those in some folders and everywhere below.

    Only regular files of at least one byte that this user may read. Not hidden files and folders (a name that begins
    with a dot, or hidden on Windows), unfinished downloads (by the ending of their name, or an ``.aria2`` file beside),
    trash and previews that systems make. Symbolic links in a share are not followed, wherever they lead: neither to
    what is outside, which the user did not share, nor to what is inside, which is there anyway. The shared folder
    itself may be named by a link. Mounts inside a share belong to it. The node's own state is never shared, not even
    when the folder around it is.

    A file is found by the beginnings of the words of its name, and of the folders of the share that it is in; others
    see its own name only.
    """

    def __init__(self, database: Path, folders: Sequence[Path]) -> None:
        """
        Share folders, with the index in the file `database`.
        """
        self.lookup = Lookup(database, self._hint, self._damaged)
        self.indexer = Indexer(database, folders, self.lookup, self._tell)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.gone: list[Callable[[bytes], None]] = []
        self.back: list[Callable[[bytes], None]] = []

    async def start(self) -> None:
        """
        Begin. What the index of the last run knows is found at once, the rest as it is read.

        :raises DatabaseTooNewError: when a newer version of this program wrote the index.
        """
        self.loop = asyncio.get_running_loop()
        self.indexer.start()
        await _within(START_TIME, self.indexer.ready.is_set)
        if self.indexer.refused is not None:
            raise self.indexer.refused

    async def set_folders(self, folders: Sequence[Path]) -> None:
        """
        Share these folders from now on. What is no more shared is not found any more from now on.
        """
        self.indexer.set_folders(folders)

    def leave_out(self, paths: Iterable[Path]) -> None:
        """
        Neither find nor tell of these files and folders, and what is below: what the node itself is writing. Instead of
        those of the last call. Links on the way to them are resolved now.
        """
        self.lookup.left_out = folders_of(paths)

    async def close(self) -> None:
        """
        End, in less than half a second. A thread that hangs in a network drive is left behind.
        """
        self.loop = None
        self.indexer.stop()
        self.lookup.close()
        await _within(CLOSE_TIME, lambda: not self.indexer.is_alive())

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Get the best results for words that somebody looks for, at most so many: all words in the name before words that
        it only begins with, before those of folders. From any thread; nothing is read from the shared folders for it.
        """
        return self.lookup.search(text, kinds, most)

    def find(self, file_id: bytes) -> SharedFile | None:
        """
        Get the shared file with this id; None when there is none, any more. It looks at the disk: from any thread but
        that of the event loop, where the disk may be slow.
        """
        return self.lookup.find(file_id)

    def find_torrent(self, infohash: bytes) -> SharedFile | None:
        """
        Get the shared file that a torrent was made of; None when there is none, or it changed. It looks at the disk.
        """
        return self.lookup.find_torrent(infohash)

    def set_infohash(self, file_id: bytes, infohash: bytes, size: int, mtime_ns: int) -> bool:
        """
        Note the infohash of a file that `find` told the size and time of before it was hashed. False when it changed
        meanwhile, is not shared any more, or it can't be written. It looks at the disk, and writes.
        """
        try:
            noted = self.lookup.set_infohash(file_id, infohash, size, mtime_ns)
        except sqlite3.Error as error:
            logger.warning("Cannot note the infohash of a shared file: %s", error)
            return False
        if noted is None:
            return False
        root = self.indexer.roots.get(noted.root)
        if root is not None:
            root.size += noted.grown
        if noted.before is not None:
            self._tell([noted.before], [])
        return True

    def status(self) -> SharesStatus:
        """
        Get how the shared folders do. Costs nothing.
        """
        indexer = self.indexer
        folders = indexer.roots.status()
        watching = indexer.watcher.why or f"{len(indexer.watcher)} folders watched (inotify)"
        indexing = indexer.roots.is_changed() or any(folder.state == "indexing" for folder in folders)
        return SharesStatus(indexing, folders, indexer.problem, watching)

    def subscribe_gone(self, handler: Callable[[bytes], None]) -> None:
        """
        Call the handler, on the event loop, with the infohash of a file that changed or is no more shared.
        """
        self.gone.append(handler)

    def subscribe_back(self, handler: Callable[[bytes], None]) -> None:
        """
        Call the handler, on the event loop, with the infohash of a file that is there again, or still is under another
        path, so that it is found as a torrent and should be seeded.
        """
        self.back.append(handler)

    def _hint(self, folder: int, name: bytes) -> None:
        self.indexer.hint(folder, name)

    def _damaged(self) -> None:
        self.indexer.damage()

    def _tell(self, gone: list[bytes], back: list[bytes]) -> None:
        """
        Hand infohashes to the event loop.
        """
        loop = self.loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(self._told, gone, back)

    def _told(self, gone: list[bytes], back: list[bytes]) -> None:
        for handlers, infohashes in ((self.gone, gone), (self.back, back)):
            for infohash in infohashes:
                for handler in handlers:
                    try:
                        handler(infohash)
                    except Exception:
                        logger.exception("A handler of shared files failed")
