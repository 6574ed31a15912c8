"""
What BitTorrent of a hosting P2P client offers: make, get, seed, limit and stop torrents, and tell how they go on.

Nothing of it is ever anonymous, and nothing anonymous is ever told here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

INFOHASH_SIZE: Final = 20

TORRENT_STATES: Final = ("checking", "metadata", "downloading", "seeding", "paused", "failed")
"""What a torrent may be doing: its data is checked, its metadata is fetched, its data is, all is there and offered to
others, it rests, it can't go on (`error` says why)."""


@dataclass(frozen=True, slots=True)
class TorrentStatus:
    """
    How a torrent goes on: `progress` from 0 to 1 of what is wanted, rates in bytes/s, sizes in bytes, None when
    unknown; a limit of None is none of its own. `path` is where the data is, or is to be: a file or a folder.
    """

    infohash: bytes
    name: str
    state: str
    progress: float
    size: int | None
    path: str
    up: float = 0.0
    down: float = 0.0
    total_up: int = 0
    total_down: int = 0
    peers: int = 0
    up_limit: int | None = None
    down_limit: int | None = None
    error: str = ""
    private: bool = False
    """Only its own tracker may name peers (BEP 27), so that nobody on the LAN is told of it."""
    stream: str | None = None
    """The path, at the client's own API, where its largest film or sound plays while it arrives."""


@dataclass(frozen=True, slots=True)
class MadeTorrent:
    """
    A torrent that was made: `data` is the content of its ``.torrent`` file (BEP 3), which is at `file` when it was to
    be written there. `path` is what it was made of, `size` the bytes in that.
    """

    infohash: bytes
    name: str
    size: int
    path: str
    data: bytes
    file: str | None = None


class Torrents(Protocol):
    """
    The BitTorrent of a client. What can't be done raises `ClientError` with one line and the HTTP status that fits.
    """

    async def make(self, path: Path, output: Path | None = None, *, seed: bool = True, trackers: Sequence[str] = (),
                   progress: Callable[[float], None] | None = None) -> MadeTorrent:
        """
        Make a torrent of a file or folder, write it to `output` (a new file; a folder = into it, by its name) when that
        is said, and seed it from where it is, when wanted. `progress` is called with 0..1 while the data is hashed.
        """

    async def fetch(self, source: bytes | str, addresses: Sequence[tuple[str, int]] = (), *,
                    folder: Path | None = None, lan_only: bool = False) -> bytes:
        """
        Begin to download: `source` is an infohash (20 bytes), the content of a ``.torrent`` file (bytes) or a magnet
        link (str); `addresses` are peers to begin with (IP address, port). Get the infohash. One that is there already
        only gets the peers. With `lan_only` it uses no DHT, no peer exchange and no tracker.
        """

    async def stop(self, infohash: bytes, *, delete: bool = False) -> None:
        """
        Give a torrent up, with its downloaded data if `delete`: never data that was here before and is only seeded.
        """

    async def limit(self, infohash: bytes | None, up: int | None, down: int | None) -> None:
        """
        Limit the rates (bytes/s) of one torrent, or of all together when the infohash is None; None lifts a limit.
        """

    def status(self) -> list[TorrentStatus]:
        """
        Get how all torrents go on.
        """

    def subscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call the handler, on the event loop, for each torrent whose status changed: at once when its state did, about
        once a second while it goes on. A handler that raises is logged, and the others still run.
        """

    def unsubscribe(self, handler: Callable[[TorrentStatus], None]) -> None:
        """
        Call it no more.
        """
