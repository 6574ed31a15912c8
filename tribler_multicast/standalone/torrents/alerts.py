"""
What libtorrent's alerts mean for a torrent. Nothing of an alert is kept: it is gone with the next ones.
"""
from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from ...client import ClientError
from . import parameters as params
from . import placing
from .library import one_line, shown_name
from .sources import check_info

if TYPE_CHECKING:
    from .core import Core
    from .lives import Lives
    from .session import Session
    from .torrent import Torrent

logger = logging.getLogger(__name__)


class Alerts:
    """
    Takes over what libtorrent tells.
    """

    def __init__(self, core: Core, lives: Lives, session: Session) -> None:
        """
        Listen to the alerts of this session.
        """
        self.core = core
        self.lives = lives
        self.session = session
        for kind in ("add_torrent", "torrent_removed", "state_update", "state_changed", "torrent_paused",
                     "torrent_resumed", "torrent_error", "file_error", "hash_failed", "metadata_received",
                     "torrent_finished", "torrent_checked", "save_resume_data", "save_resume_data_failed",
                     "file_renamed", "file_rename_failed", "storage_moved", "storage_moved_failed",
                     "fastresume_rejected"):
            session.on(kind, getattr(self, "_" + kind))

    def _of(self, alert: Any) -> Torrent | None:  # noqa: ANN401
        """
        The torrent that an alert is about, unless it is in the session no more.
        """
        torrent = self.core.torrents.get(alert.handle.info_hashes().v1.to_bytes())
        return None if torrent is None or torrent.handle is None else torrent

    # In and out

    def _add_torrent(self, alert: Any) -> None:  # noqa: ANN401
        made = alert.params
        hashes = made.info_hashes if made.ti is None else made.ti.info_hashes()
        infohash = hashes.v1.to_bytes()
        torrent = self.core.torrents.get(infohash)
        problem = alert.error.message() if alert.error.value() else ""
        if torrent is not None and not problem:
            torrent.handle = alert.handle
        elif torrent is not None:
            self.core.fail(torrent, one_line(problem))
        self.session.met("added", infohash, one_line(problem))

    def _torrent_removed(self, alert: Any) -> None:  # noqa: ANN401
        self.session.met("removed", alert.info_hashes.v1.to_bytes())

    # States

    def _state_update(self, alert: Any) -> None:  # noqa: ANN401
        for status in alert.status:
            torrent = self.core.torrents.get(status.info_hashes.v1.to_bytes())
            if torrent is not None and torrent.handle is not None:
                torrent.take(status)
                self.core.tell(torrent)
        self.session.met("updated", b"")

    def _state_changed(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self.core.torrents.get(alert.handle.info_hashes().v1.to_bytes())
        if torrent is None:  # without a handle yet is fine: this alert comes before the one that brings it
            return
        torrent.progress.state = str(alert.state)
        if torrent.record.whole and torrent.progress.state in ("checking_files", "downloading"):
            # A piece was not what it should be: libtorrent trusts none any more, and would get it again.
            self._changed(torrent)
        self.core.tell(torrent)

    def _changed(self, torrent: Torrent) -> None:
        record = torrent.record
        self.core.fail(torrent, f"{record.folder / record.root} has changed since it was shared")

    def _torrent_paused(self, alert: Any) -> None:  # noqa: ANN401
        self._pause(alert, paused=True)

    def _torrent_resumed(self, alert: Any) -> None:  # noqa: ANN401
        self._pause(alert, paused=False)

    def _pause(self, alert: Any, *, paused: bool) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None:
            torrent.progress.paused = paused
            self.core.tell(torrent)

    def _torrent_checked(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None and not torrent.record.whole:
            self._want_resume_data(torrent)
            self.session.session.post_torrent_updates()  # how much is there already

    # Failures

    def _torrent_error(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None:
            self.core.fail(torrent, self._line(torrent, alert.error.message()))

    def _file_error(self, alert: Any) -> None:  # noqa: ANN401
        # Also when the disk is full, where libtorrent itself would try again in ten minutes. And what is offered and
        # can't be read would be tried again at once, for as long as somebody asks for it.
        torrent = self._of(alert)
        if torrent is not None:
            self.core.fail(torrent, self._line(torrent, alert.error.message(), alert.filename()))

    def _line(self, torrent: Torrent, said: str, path: str = "") -> str:
        said = said[:1].lower() + said[1:]
        where = path if path and torrent.record.whole else str(torrent.record.folder)
        return one_line(f"{where}: {said}", 400)

    def _hash_failed(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None and torrent.record.whole:
            self._changed(torrent)

    def _fastresume_rejected(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is None:
            return
        if torrent.record.whole:
            self._changed(torrent)
        else:
            logger.info("Torrent %s is checked again: %s", torrent.infohash.hex(), alert.message())

    # Metadata and data

    def _metadata_received(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None:
            self.core.spawn(self._check_metadata(torrent))

    async def _check_metadata(self, torrent: Torrent) -> None:
        """
        Look at metadata that peers sent; keep it when it can be used.
        """
        core, handle = self.core, torrent.handle
        info = await asyncio.to_thread(handle.torrent_file)
        async with torrent.lock:
            record = torrent.record
            if torrent.removed or record.whole or torrent.handle is not handle or info is None:
                return
            try:
                await asyncio.to_thread(lambda: check_info(info, lan_only=record.lan_only))
            except ClientError as error:
                core.fail(torrent, str(error))
                await core.take_out(torrent)
                await core.in_writer(placing.clear, record.folder, record.infohash)  # what libtorrent made at once
                return
            torrent.name, torrent.progress.size = shown_name(info.name()), info.total_size()
            core.tell(torrent)
            trackers = [] if record.lan_only else await asyncio.to_thread(handle.trackers)
            record.content = params.torrent_content(info, [entry["url"] for entry in trackers])
            try:
                await core.in_writer(placing.make_room, record.folder, record.infohash, info.total_size())
            except ClientError as error:
                core.fail(torrent, str(error))
            self._want_resume_data(torrent)

    def _torrent_finished(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is not None and not torrent.record.whole and not self.core.closing:
            self.core.spawn(self.lives.give_name(torrent))

    def _want_resume_data(self, torrent: Torrent) -> None:
        handle = self.core.lt.torrent_handle
        torrent.handle.save_resume_data(handle.flush_disk_cache | handle.save_info_dict)

    def save(self, torrent: Torrent) -> None:
        """
        Have libtorrent say how far a download is, with its data written to the disk, if there is news.
        """
        handle = self.core.lt.torrent_handle
        torrent.handle.save_resume_data(handle.flush_disk_cache | handle.save_info_dict | handle.only_if_modified)

    def _save_resume_data(self, alert: Any) -> None:  # noqa: ANN401
        torrent = self._of(alert)
        if torrent is None or torrent.record.whole or torrent.record.moving:
            self.session.met("saved", alert.handle.info_hashes().v1.to_bytes())
            return
        self.core.spawn(self._keep(torrent, self.core.lt.write_resume_data_buf(alert.params)))

    async def _keep(self, torrent: Torrent, resume: bytes) -> None:
        """
        Write the record of a download. What it says is there must be on the disk before.
        """
        core, record, since = self.core, torrent.record, torrent.synced_at
        torrent.synced_at = time.time()
        place = placing.incomplete_folder(record.folder, record.infohash)
        await asyncio.to_thread(placing.sync_changed, place, since)
        problem = ""
        if torrent.record is record and not (torrent.removed or record.whole or record.moving):
            record.resume = resume
            problem = await core.keep(record)
        if problem:
            logger.warning("Torrent %s: %s", torrent.infohash.hex(), problem)
        self.session.met("saved", torrent.infohash, problem)

    def _save_resume_data_failed(self, alert: Any) -> None:  # noqa: ANN401
        self.session.met("saved", alert.handle.info_hashes().v1.to_bytes())  # nothing is new, mostly

    # Names

    def _file_renamed(self, alert: Any) -> None:  # noqa: ANN401
        infohash = alert.handle.info_hashes().v1.to_bytes()
        self.lives.renaming[infohash] = left = self.lives.renaming.get(infohash, 0) - 1
        if left <= 0:
            self.lives.renaming.pop(infohash, None)
            self.session.met("renamed", infohash)

    def _file_rename_failed(self, alert: Any) -> None:  # noqa: ANN401
        infohash = alert.handle.info_hashes().v1.to_bytes()
        self.lives.renaming.pop(infohash, None)
        self.session.met("renamed", infohash, alert.error.message())

    def _storage_moved(self, alert: Any) -> None:  # noqa: ANN401
        self.session.met("moved", alert.handle.info_hashes().v1.to_bytes())

    def _storage_moved_failed(self, alert: Any) -> None:  # noqa: ANN401
        self.session.met("moved", alert.handle.info_hashes().v1.to_bytes(), alert.error.message())
