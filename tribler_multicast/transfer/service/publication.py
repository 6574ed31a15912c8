"""
A content that is here and offered, and the transfer that those who receive it are.
"""
from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ContentError
from .meter import Meter
from .transfer import ACTIVE, DONE, HELPER, MULTICAST, RECEIVER, SOURCE, UNICAST, WAITING, Transfer, TransferPeer

if TYPE_CHECKING:
    from pathlib import Path

    from ..content.manifest import Manifest
    from ..content.source import Source
    from ..store.store import Store
    from .courier import LinkKey
    from .dealings import Dealings
    from .outgoing import OutgoingSession

FINISHED_KEPT: Final = 4096
"""Receivers remembered as having got all of it: one that comes again counts once."""


class Place(NamedTuple):
    """
    Whom a session is for: by which link, the one receiver that multicast does not reach (None: all others), and whether
    all that is sent is encrypted.
    """

    link: LinkKey
    only: bytes | None
    sealed: bool


class Publication:
    """
    What is known of one.
    """

    def __init__(self, source: Source | None, manifest: Manifest, path: Path, *, wait_for: int = 0,
                 weight: float = 1.0) -> None:
        """
        Offer a source. None: it is not what it was; `error` says so, and nobody gets it.
        """
        self.source = source
        self.manifest = manifest
        self.path = path
        self.wait_for = wait_for
        """Data flows once so many receivers joined, or some time after the first."""
        self.weight = weight
        """Its share of a link beside others."""
        self.error: str | None = None
        """One line: why it is not offered any more."""
        self.paused = False
        self.rate: int | None = None
        """Most bytes/s of a session; None: any."""
        self.held_until: float | None = None
        """While `wait_for` holds it back, from the first receiver on: until when."""
        self.sessions: dict[Place, OutgoingSession] = {}
        self.look_at = 0.0
        """When its files are to be looked at again."""
        self.meter = Meter()
        self.dealings: Dealings | None = None
        """What was given to those who asked for it with no session; None: nothing ever."""
        self.serving: Serving | None = None
        """The transfer, once somebody joined."""
        self._finished: dict[bytes, None] = {}
        self._finished_count = 0
        self._changed = asyncio.Event()

    @property
    def content_id(self) -> bytes:
        """
        Its id (32 bytes).
        """
        return self.manifest.content.id

    @property
    def name(self) -> str:
        """
        What it is called.
        """
        return self.manifest.content.name

    @property
    def size(self) -> int:
        """
        Bytes of all files.
        """
        return self.manifest.content.size

    @property
    def files(self) -> int:
        """
        How many files and empty folders it has.
        """
        return self.manifest.content.files

    @property
    def receivers(self) -> int:
        """
        Receivers now.
        """
        return sum(len(session.receivers) for session in self.sessions.values())

    @property
    def finished(self) -> int:
        """
        Receivers that got all of it so far.
        """
        return self._finished_count

    @property
    def uploaded(self) -> int:
        """
        Bytes sent of it since the start.
        """
        return self.meter.total + (0 if self.dealings is None else self.dealings.total.total)

    def has_finished(self, mid: bytes) -> None:
        """
        Note that a receiver has all of it.
        """
        if mid not in self._finished:
            self._finished_count += 1
            self._finished[mid] = None
            if len(self._finished) > FINISHED_KEPT:
                del self._finished[next(iter(self._finished))]
        self._changed.set()

    def fail(self, error: str) -> None:
        """
        Offer it no more.
        """
        self.error = self.error or error
        self._changed.set()

    async def wait_finished(self, receivers: int) -> None:
        """
        Wait until so many have all of it, or it fails (`error`).
        """
        while self.finished < receivers and self.error is None:
            self._changed.clear()
            await self._changed.wait()


class Serving(Transfer):
    """
    A publication as a transfer.
    """

    def __init__(self, publication: Publication) -> None:
        """
        Begin with nobody. It is a helper's while it is given to those who ask for some of it, more than in sessions.
        """
        digest = sha256(b"source\0" + publication.content_id).digest()
        super().__init__(digest[:8].hex(), publication.content_id, SOURCE)
        self.publication = publication
        self.clock = asyncio.get_running_loop().time

    def look(self) -> str:
        """
        Get the state that it should have.
        """
        publication, dealings = self.publication, self.publication.dealings
        helped = 0 if dealings is None else dealings.total.total
        self.role = HELPER if helped > publication.meter.total and not publication.receivers else SOURCE
        if any(session.unfinished for session in publication.sessions.values()):
            return ACTIVE
        if dealings is not None and dealings.total.rate(self.clock()) > 0:
            return ACTIVE
        return DONE if publication.finished else WAITING

    @property
    def manifest(self) -> Manifest:
        """
        What it is.
        """
        return self.publication.manifest

    @property
    def path(self) -> Path:
        """
        Where it is.
        """
        return self.publication.path

    @property
    def progress(self) -> float:
        """
        The share that receivers have on average.
        """
        sessions = [session for session in self.publication.sessions.values() if session.receivers]
        if not sessions:
            return 1.0 if self.publication.finished else 0.0
        return sum(session.progress for session in sessions) / len(sessions)

    @property
    def rank(self) -> int | None:
        """
        Not known: that depends on the session.
        """
        return None

    @property
    def up(self) -> float:
        """
        Bytes/s that leave.
        """
        dealings = self.publication.dealings
        now = self.clock()
        return self.publication.meter.rate(now) + (0.0 if dealings is None else dealings.total.rate(now))

    @property
    def down(self) -> float:
        """
        Nothing comes.
        """
        return 0.0

    @property
    def total_up(self) -> int:
        """
        Bytes that left.
        """
        return self.publication.uploaded

    @property
    def total_down(self) -> int:
        """
        Nothing came.
        """
        return 0

    @property
    def peers(self) -> list[TransferPeer]:
        """
        Who receives it.
        """
        now = self.clock()
        found = [TransferPeer(mid, receiving.meter.rate(now) + session.meter.rate(now), 0.0, RECEIVER,
                              MULTICAST if len(session.receivers) > 1 and session.in_group(mid) else UNICAST)
                 for session in self.publication.sessions.values() for mid, receiving in session.receivers.items()]
        known, dealings = {peer.mid for peer in found}, self.publication.dealings
        if dealings is not None:
            found += [TransferPeer(mid, rate, 0.0, RECEIVER, UNICAST) for mid in dealings.up
                      if mid not in known and (rate := dealings.rates(mid, now)[0])]
        return found

    @property
    def files(self) -> list[tuple[str, int, int]] | None:
        """
        Its files.
        """
        return files_of(self.publication.source)

    def available(self, start: int, length: int) -> int:
        """
        All of it is here.
        """
        source = self.publication.source
        return 0 if source is None else source.available(start, length)

    async def read(self, start: int, length: int) -> bytes:
        """
        Read some of it.
        """
        source = self.publication.source
        if source is None:
            raise ContentError(self.publication.error or "it is not offered any more")
        return await asyncio.to_thread(source.read_data, start, length)


def files_of(holder: Source | Store | None) -> list[tuple[str, int, int]] | None:
    """
    Get path, begin in the data, and size of each file.
    """
    if holder is None or holder.entries is None:
        return None
    found, at = [], 0
    for entry in holder.entries:
        if not entry.is_folder:
            found.append((entry.path, at, entry.size))
        at += entry.size
    return found
