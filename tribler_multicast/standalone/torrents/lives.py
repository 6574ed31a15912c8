"""
How a torrent begins, goes on after a failure or restart, gets its name when it is whole, and ends.
"""
from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...client import ClientError
from . import parameters as params
from . import placing
from .core import Core, answer
from .library import shown_name, why
from .records import Record
from .sources import LIMITS
from .torrent import Progress, Torrent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...torrent_files.making import Made
    from .sources import Source

logger = logging.getLogger(__name__)

RENAMES: Final = 1000
"""Files that are renamed at once: each is an alert, and not too many may wait."""
DOWNLOADS: Final = "downloads"


class Lives:
    """
    The life of torrents. Each of these holds the torrent's lock.
    """

    def __init__(self, core: Core) -> None:
        """
        Work on these torrents.
        """
        self.core = core
        self.renaming: dict[bytes, int] = {}
        """Files that are still being renamed, by infohash."""

    def download_folder(self) -> Path:
        """
        Where downloads go.
        """
        chosen = self.core.options["download_folder"]
        return Path(os.path.abspath(Path(chosen).expanduser())) if chosen else \
            self.core.state_folder.absolute() / DOWNLOADS

    # Beginning

    async def begin(self, torrent: Torrent, source: Source) -> None:
        """
        Begin a download. Raises ClientError.
        """
        core, record = self.core, torrent.record
        info = source.parameters.ti
        await core.in_writer(placing.make_room, record.folder, record.infohash, info and info.total_size())
        made = source.parameters
        made.save_path = str(placing.incomplete_folder(record.folder, record.infohash))
        made.flags = core.lt.torrent_flags.update_subscribe
        params.finished(core.lt, record, made)
        record.resume = core.lt.write_resume_data_buf(made)
        if info is not None:
            record.content = params.torrent_content(info, list(made.trackers))
            torrent.progress.size = info.total_size()
        await core.must_keep(record)
        if problem := await core.add(torrent, made):
            core.records.remove(record.infohash)
            raise ClientError(problem)
        core.tell(torrent)

    async def seed(self, torrent: Torrent, made: Made) -> None:
        """
        Offer what a torrent was made of, from where it is. Raises ClientError.
        """
        core, old = self.core, torrent.record
        if torrent.handle is not None and old.whole and not torrent.failure:
            return
        await core.take_out(torrent)
        if not old.whole:
            await core.in_writer(placing.clear, old.folder, old.infohash)  # it is here: nothing to download any more
        path = Path(made.torrent.path)
        files = [("/".join((path.name, *file.parts)), file.size, file.mtime) for file in made.files]
        torrent.record = Record(made.torrent.infohash, path.parent, path.name, whole=True, own=True,
                                up_limit=old.up_limit, down_limit=old.down_limit, content=made.torrent.data,
                                files=files)
        torrent.failure = ""
        torrent.name = shown_name(path.name)
        torrent.progress = Progress(size=made.torrent.size)
        await core.must_keep(torrent.record)
        if problem := await core.add(torrent, params.of_record(core.lt, torrent.record)):
            raise ClientError(problem)
        core.tell(torrent)

    # Going on

    def restore(self, path: Path) -> tuple[Torrent, Any] | None:
        """
        A torrent of before, and what to add for it; None for the latter when it can't go on. It blocks.
        """
        core = self.core
        record = core.records.read(core.lt, path)
        if record is None:
            return None
        torrent = Torrent(record, record.root or record.infohash.hex())
        try:
            if record.moving:
                self._undo_move(record)
            made = params.of_record(core.lt, record, core.totals.get(record.infohash, (0, 0)))
        except (RuntimeError, ValueError) as error:
            torrent.failure = f"what was kept of it can't be read: {why(error)}"
            return torrent, None
        if made.ti is not None:
            torrent.name = shown_name(record.root or made.ti.name())
            torrent.progress.size = made.ti.total_size()
        elif made.name:
            torrent.name = shown_name(made.name)
        torrent.progress.total_up, torrent.progress.total_down = made.total_uploaded, made.total_downloaded
        if record.whole:
            torrent.progress.done = 1.0
            torrent.failure = placing.difference(record.folder, record.files)
        else:
            torrent.failure = self._no_room(record)
        return torrent, None if torrent.failure else made

    def _undo_move(self, record: Record) -> None:
        """
        Bring back what a crash left on its way to its name, and have it all checked again.
        """
        core = self.core
        moved, reserved = record.folder / record.moving, record.reserved
        if reserved:
            info = core.lt.load_torrent_buffer(record.content, LIMITS).ti
            placing.take_back(record.folder, record.infohash, moved, [path for _, path in params.file_paths(info)])
            record.resume = b""
        else:
            placing.release(moved)
        record.moving, record.reserved = "", False
        core.records.write(record)

    def _no_room(self, record: Record) -> str:
        try:
            placing.make_room(record.folder, record.infohash, None)
        except ClientError as error:
            return str(error)
        return ""

    async def go_on(self, torrent: Torrent, source: Source) -> None:
        """
        Go on with one that is there, if it can't without. Raises ClientError.
        """
        core, record, info = self.core, torrent.record, source.parameters.ti
        if not torrent.failure:
            if info is not None and torrent.progress.size is None and torrent.handle is not None:
                torrent.handle.set_metadata(bytes(info.info_section()))
            return
        await core.take_out(torrent)
        if record.whole:  # what was here is gone or changed: get it again, to a name that is free
            torrent.record = record = Record(
                record.infohash, record.folder if not record.own else self.download_folder(), content=record.content,
                lan_only=record.lan_only, up_limit=record.up_limit, down_limit=record.down_limit)
        elif info is not None and not record.content:
            record.content, record.resume = params.torrent_content(info, list(source.parameters.trackers)), b""
        await core.in_writer(placing.make_room, record.folder, record.infohash, torrent.progress.size)
        await core.must_keep(record)
        torrent.failure = ""
        torrent.progress = Progress(size=torrent.progress.size)
        if problem := await core.add(torrent, params.of_record(core.lt, record)):
            torrent.failure = problem
            raise ClientError(problem)
        core.tell(torrent)

    # Whole

    async def give_name(self, torrent: Torrent) -> None:
        """
        Move a download that is whole to its name. A failure is the torrent's.
        """
        core = self.core
        async with torrent.lock:
            record = torrent.record
            if torrent.removed or record.whole or torrent.failure or torrent.handle is None:
                return
            try:
                info = await asyncio.to_thread(torrent.handle.torrent_file)
                problem = await self._move(torrent, info)
            except OSError as error:
                problem = error.strerror or str(error)
            if problem and not core.closing:
                core.fail(torrent, f"it is whole, but can't be moved to {record.folder}: {problem}")

    async def _move(self, torrent: Torrent, info: Any) -> str:  # noqa: ANN401
        core, record, handle = self.core, torrent.record, torrent.handle
        assert core.session is not None
        paths = params.file_paths(info)
        root, _, below = paths[0][1].partition("/")
        trackers = [] if record.lan_only else [entry["url"] for entry in await asyncio.to_thread(handle.trackers)]
        record.content = params.torrent_content(info, trackers)
        moved, problem = await self._reserve(record, root, is_folder=bool(below))
        final = [(index, (moved.name if moved else "") + path[len(root):]) for index, path in paths]
        if moved is not None and not problem and moved.name != root:
            problem = await self._rename(torrent, final)
        if moved is not None and not problem:
            there = core.session.expect("moved", torrent.infohash)
            handle.flush_cache()
            handle.move_storage(str(record.folder), core.lt.move_flags_t.always_replace_files)
            problem = await there  # however long it takes
        if moved is None or problem:
            if moved is not None:
                await core.in_writer(placing.release, moved)
            record.moving, record.reserved = "", False
            await core.keep(record)
            return problem
        handle.set_flags(core.lt.torrent_flags.upload_mode)
        record.files = await core.in_writer(
            lambda: placing.look_at(record.folder, [path for _, path in final], durable=True))
        torrent.take(await asyncio.to_thread(handle.status))
        record.moving, record.reserved, record.root, record.whole, record.resume = "", False, moved.name, True, b""
        if problem := await core.keep(record):
            logger.warning("Torrent %s: %s", torrent.infohash.hex(), problem)
        await core.in_writer(placing.clear, record.folder, record.infohash)
        core.tell(torrent)
        return ""

    async def _reserve(self, record: Record, root: str, *, is_folder: bool) -> tuple[Path | None, str]:
        """
        Find a name for a download that is whole, and take it; or get what went wrong. The record says so before and
        after, so that after a crash nothing is left behind and nothing of others is touched.
        """
        core = self.core
        for moved in placing.names(record.folder, root, is_folder=is_folder):
            record.moving, record.reserved = moved.name, False
            if problem := await core.keep(record):
                return None, problem
            try:
                await core.in_writer(lambda moved=moved: placing.reserve(moved, is_folder=is_folder))
            except FileExistsError:
                continue
            except OSError as error:
                return None, error.strerror or str(error)
            record.reserved = True
            return moved, await core.keep(record)
        return None, f"there are too many of the name {root}"

    async def _rename(self, torrent: Torrent, names: Sequence[tuple[int, str]]) -> str:
        assert self.core.session is not None
        for first in range(0, len(names), RENAMES):
            some = names[first:first + RENAMES]
            self.renaming[torrent.infohash] = len(some)
            renamed = self.core.session.expect("renamed", torrent.infohash)
            for index, name in some:
                torrent.handle.rename_file(index, name)
            if problem := await answer(renamed):
                return problem
        return ""

    # The end

    async def end(self, torrent: Torrent, *, delete: bool) -> None:
        """
        Give a torrent up.
        """
        core, record = self.core, torrent.record
        torrent.removed = True
        await core.take_out(torrent)
        core.torrents.pop(torrent.infohash, None)
        core.totals.pop(torrent.infohash, None)
        await core.in_writer(core.records.remove, torrent.infohash)
        if delete and not record.own:
            await core.in_writer(_delete, record)


def _delete(record: Record) -> None:
    """
    Delete what was downloaded: what grew, and files that nobody changed since, with the folders that are empty then.
    """
    placing.clear(record.folder, record.infohash)
    folders = set()
    for path, size, mtime in record.files:
        if not placing.difference(record.folder, [(path, size, mtime)]):
            with contextlib.suppress(OSError):
                (record.folder / path).unlink()
        folders |= set((record.folder / path).parents) - {record.folder, *record.folder.parents}
    for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
