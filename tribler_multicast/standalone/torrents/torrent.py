"""
One torrent: what is kept of it, what libtorrent says of it, and what that means.
"""
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...torrents import TorrentStatus

if TYPE_CHECKING:
    from .records import Record

STATES = {"queued_for_checking": "checking", "checking_files": "checking", "checking_resume_data": "checking",
          "allocating": "checking", "downloading_metadata": "metadata", "downloading": "downloading"}
"""What libtorrent calls a state, and we. What is finished there is not here, until it has its name."""


@dataclass(slots=True)
class Progress:
    """
    The last that libtorrent said.
    """

    state: str = "checking_resume_data"
    done: float = 0.0
    size: int | None = None
    up: float = 0.0
    down: float = 0.0
    total_up: int = 0
    total_down: int = 0
    peers: int = 0
    paused: bool = False


class Torrent:
    """
    A torrent of this node.
    """

    def __init__(self, record: Record, name: str) -> None:
        """
        Begin with what is kept.
        """
        self.record = record
        self.name = name
        self.handle: Any = None
        """libtorrent's; None while it is not in the session."""
        self.progress = Progress()
        self.failure = ""
        """Why it can't go on, one line."""
        self.synced_at = 0.0
        """When its data was written to the disk last (Unix seconds)."""
        self.looked_at = 0.0
        """When its files were looked at last (monotonic seconds)."""
        self.removed = False
        self.told: TorrentStatus | None = None
        """The last status that was told."""
        self.lock = asyncio.Lock()
        """Held by whatever adds, moves or removes it."""

    @property
    def infohash(self) -> bytes:
        """
        Its id.
        """
        return self.record.infohash

    def take(self, status: Any) -> None:  # noqa: ANN401
        """
        Take over a torrent_status of libtorrent.
        """
        progress = self.progress
        progress.state = str(status.state)
        progress.done = status.progress_ppm / 1_000_000
        progress.size = status.total_wanted if status.has_metadata else None
        progress.up, progress.down = float(status.upload_payload_rate), float(status.download_payload_rate)
        progress.total_up, progress.total_down = status.all_time_upload, status.all_time_download
        progress.peers = status.num_peers
        progress.paused = bool(status.paused)

    @property
    def private(self) -> bool:
        """
        Is it private (BEP 27)? Where these bytes should stand elsewhere in the file it only counts as private.
        """
        return b"7:privatei1e" in self.record.content

    @property
    def state(self) -> str:
        """
        One of TORRENT_STATES.
        """
        if self.failure:
            return "failed"
        if self.handle is None:
            return "checking"
        if self.progress.paused:
            return "paused"
        if self.record.whole:
            return "checking" if STATES.get(self.progress.state) == "checking" else "seeding"
        return STATES.get(self.progress.state, "downloading")

    def status(self) -> TorrentStatus:
        """
        How it goes on.
        """
        record, progress, state = self.record, self.progress, self.state
        alive = state in ("metadata", "downloading", "seeding")
        path = record.folder / (record.root or self.name) if record.root or progress.size is not None \
            else record.folder
        return TorrentStatus(
            self.infohash, self.name, state, 1.0 if state == "seeding" else progress.done, progress.size, str(path),
            up=progress.up if alive else 0.0, down=progress.down if alive else 0.0, total_up=progress.total_up,
            total_down=progress.total_down, peers=progress.peers if alive else 0, up_limit=record.up_limit,
            down_limit=record.down_limit, error=self.failure, private=self.private)
