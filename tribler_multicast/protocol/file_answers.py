"""
Shared files of ours: peers ask for one, the client makes a torrent of it, they are told how far it is.

Only the client knows what is shared: a file id that it does not know is refused by it. What others can make us spend
is the disk: one file is hashed at a time, whoever wants it; one file of each peer waits, and of each address, whatever
keys are there; and one that was begun is finished, so that nobody makes us read the same file again and again by giving
up (the client remembers what it made).

Whoever handles the event `FileAsked` calls `take` for the next file, `FileJob.tell` meanwhile, and `give` at the end.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .events import FileAsked
from .file_messages import (
    HASHING,
    INFOHASH_SIZE,
    READY,
    REFUSALS,
    REFUSED,
    UNAVAILABLE,
    WAITING,
    FileAnswer,
    FileRequest,
)
from .limits import (
    FILE_WAITER_LIFETIME,
    MAX_FILE_ANSWERS_KEPT,
    MAX_FILE_WAITERS,
    MAX_FILES_KNOWN,
    MAX_FILES_WAITING,
)
from .wire import Header, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState


@dataclass(slots=True)
class Waiter:
    """
    A peer that waits for a file: the number of its question, when it asked last (seconds), and from which IP address.
    """

    number: bytes
    asked: float
    ip: str


@dataclass(slots=True, eq=False)
class FileJob:
    """
    A file (32 bytes) that peers, by key, wait for; `known`: it was made ready before, so that it takes no time.
    """

    file_id: bytes
    known: bool
    begun: bool = False
    progress: float = 0.0
    waiters: dict[bytes, Waiter] = field(default_factory=dict)

    def tell(self, progress: float) -> None:
        """
        Note how much of it is hashed (0..1; all else counts as the nearest). May be called from any thread.
        """
        self.progress = min(max(progress, 0.0), 1.0) if progress == progress else 0.0  # noqa: PLR0124 (not a number)


class FileAnswers:
    """
    The files that peers of one protocol instance wait for.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.jobs: OrderedDict[bytes, FileJob] = OrderedDict()
        self.known: OrderedDict[bytes, None] = OrderedDict()
        self.kept: OrderedDict[tuple[bytes, bytes], bytes] = OrderedDict()

    # --- Questions.

    def on_request(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Answer a peer how far it is with a file, and let it wait for it if there is room.
        """
        request = FileRequest.unpack(header.payload)
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        if not request.wanted:
            self.leave(peer.key, request)
            return
        kept = self.kept.get((peer.key, request.number))
        if kept is not None:
            self.send(peer.key, kept)
            return
        job = self.join(peer.key, arrival.source[0], request, now)
        if job is not None and job.begun:
            self.send(peer.key, FileAnswer(request.number, HASHING, job.progress).pack())
        else:
            self.send(peer.key, FileAnswer(request.number, WAITING).pack())

    def join(self, key: bytes, ip: str, request: FileRequest, now: float) -> FileJob | None:
        """
        Let a peer wait for a file; get it, None when it is not there and there is no room for it.
        """
        job = self.jobs.get(request.file_id)
        if job is None:
            job = FileJob(request.file_id, request.file_id in self.known)
            if not self.has_room(key, ip, job, now):
                self.core.counters.drop("busy")
                return None
            self.jobs[job.file_id] = job
            self.core.events.append(FileAsked(job))
        waiter = job.waiters.get(key)
        if waiter is None and (len(job.waiters) >= MAX_FILE_WAITERS or self.waits_elsewhere(key, ip, job)):
            self.core.counters.drop("busy")
        else:
            job.waiters[key] = Waiter(request.number, now, ip)
        return job

    def has_room(self, key: bytes, ip: str, job: FileJob, now: float) -> bool:
        """
        Tell whether a peer may have one more file hashed; those that nobody waits for any more make room.
        """
        if self.waits_elsewhere(key, ip, job):
            return False
        if self.count(job.known) >= MAX_FILES_WAITING:
            self.tidy(now)
        return self.count(job.known) < MAX_FILES_WAITING

    def count(self, known: bool) -> int:
        """
        Count the files that wait, or are hashed.
        """
        return sum(job.known == known for job in self.jobs.values())

    def waits_elsewhere(self, key: bytes, ip: str, job: FileJob) -> bool:
        """
        Tell whether a peer, or another one at its address, waits for another file already: of those that take time, or
        of those that take none.
        """
        return any(key in other.waiters or any(waiter.ip == ip for waiter in other.waiters.values())
                   for other in self.jobs.values() if other is not job and other.known == job.known)

    def leave(self, key: bytes, request: FileRequest) -> None:
        """
        Let a peer wait no more. A file that nobody waits for is not begun; one that is begun is finished.
        """
        job = self.jobs.get(request.file_id)
        waiter = job.waiters.get(key) if job is not None else None
        if job is not None and waiter is not None and waiter.number == request.number:
            del job.waiters[key]
            if not job.waiters and not job.begun:
                del self.jobs[job.file_id]

    def tidy(self, now: float) -> None:
        """
        Drop those who ask no more, and the files that nobody waits for.
        """
        for job in list(self.jobs.values()):
            job.waiters = {key: waiter for key, waiter in job.waiters.items()
                           if now - waiter.asked < FILE_WAITER_LIFETIME}
            if not job.waiters and not job.begun:
                del self.jobs[job.file_id]

    # --- What the client does.

    def take(self, known: bool, now: float) -> FileJob | None:
        """
        Get the file to begin with now, of those that take no time (`known`) or of the others; None when none waits.
        """
        self.tidy(now)
        job = next((job for job in self.jobs.values() if not job.begun and job.known == known), None)
        if job is not None:
            job.begun = True
        return job

    def give(self, job: FileJob, infohash: bytes | None, code: int, now: float) -> None:
        """
        Tell all who wait for a file that it can be downloaded by this infohash, or why not (None): a code of
        `REFUSALS`.
        """
        if self.jobs.get(job.file_id) is not job:
            return
        del self.jobs[job.file_id]
        ready = infohash is not None and len(infohash) == INFOHASH_SIZE
        if ready:
            self.known[job.file_id] = None
            self.known.move_to_end(job.file_id)
            if len(self.known) > MAX_FILES_KNOWN:
                self.known.popitem(last=False)
        else:
            self.known.pop(job.file_id, None)
        for key, waiter in job.waiters.items():
            answer = (FileAnswer(waiter.number, READY, infohash=infohash or b"") if ready else
                      FileAnswer(waiter.number, REFUSED, code=code if code in REFUSALS else UNAVAILABLE)).pack()
            while len(self.kept) >= MAX_FILE_ANSWERS_KEPT:
                self.kept.popitem(last=False)
            self.kept[key, waiter.number] = answer
            if now - waiter.asked < FILE_WAITER_LIFETIME:
                self.send(key, answer)

    def send(self, key: bytes, answer: bytes) -> None:
        """
        Send an answer to a peer, if it is still here and may have it.
        """
        peer = self.core.peers.get(key)
        if peer is not None and self.core.policy.allows(peer):
            path = peer.freshest_path()
            self.core.outbox.to_peer(Kind.FILE_ANSWER, peer, path.link, path.address, answer, sealed=True)

    def forget(self) -> None:
        """
        Drop all that wait; the files being hashed answer nobody any more.
        """
        self.jobs.clear()
        self.kept.clear()
