"""
Shared files of others: ask who shares one to make a torrent of it, and wait until that is done.

The sharer reads the whole file for that, which may take minutes. It is asked again and again, by unicast, sealed for
the pair, less and less often, and answers how far it is; so any message may be lost, and either side restarted. A
sharer that falls silent is given up soon, one that goes on is waited for.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from os import urandom
from typing import TYPE_CHECKING, Final

from .events import FileEnded, FileProgress
from .file_messages import (
    FILE_ID_SIZE,
    READY,
    REFUSALS,
    REFUSED,
    REQUEST_ID_SIZE,
    STATES,
    UNAVAILABLE,
    FileAnswer,
    FileRequest,
)
from .limits import (
    FILE_ASK_LATE,
    FILE_ASK_SOON,
    FILE_FIRST_PATIENCE,
    FILE_PATIENCE,
    MAX_FILE_RUNS,
    MAX_FILE_RUNS_PER_PEER,
    MAX_FILE_TIME,
)
from .wire import Header, Kind

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import PeerState
    from .timers import Timer

ASKING: Final = "asking"
"""The state of a file whose sharer has not answered yet; the others are those of `STATES`."""


@dataclass(slots=True, eq=False)
class FileRun:
    """
    A file (32 bytes) that one peer was asked for. Times are on the protocol's clock; `heard` is that of the last
    answer.

    When it has ended, `infohash` (20 bytes) is there, or `error`: one line, with the HTTP status that fits as `code`.
    """

    number: bytes
    key: bytes
    mid: bytes
    file_id: bytes
    began: float
    heard: float | None = None
    state: str = ASKING
    progress: float = 0.0
    infohash: bytes | None = None
    code: int = 0
    error: str = ""
    ended: bool = False
    timer: Timer | None = None


class FileRequests:
    """
    The files that one protocol instance waits for.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.runs: dict[bytes, FileRun] = {}
        core.gate.awaits_file = self.awaits

    # --- Asking.

    def start(self, mid: bytes, file_id: bytes, now: float) -> FileRun:
        """
        Ask the peer with this mid for a file; FileProgress tells how far it is, FileEnded the end.

        :raises KeyError: when no local peer has this mid.
        :raises ValueError: with one line that says why, when it can't be asked.
        """
        peer = next((peer for peer in self.core.peers if peer.mid == mid), None)
        if peer is None:
            raise KeyError(mid)
        if len(file_id) != FILE_ID_SIZE:
            msg = f"a file id has {FILE_ID_SIZE} bytes, not {len(file_id)}"
            raise ValueError(msg)
        if not self.core.policy.allows(peer):
            msg = "that node is no friend, and the policy is friends"
            raise ValueError(msg)
        if (len(self.runs) >= MAX_FILE_RUNS
                or sum(run.key == peer.key for run in self.runs.values()) >= MAX_FILE_RUNS_PER_PEER):
            msg = "too many files are being asked for already, try again later"
            raise ValueError(msg)
        run = FileRun(urandom(REQUEST_ID_SIZE), peer.key, mid, file_id, now)
        self.runs[run.number] = run
        self.ask(run, now)
        return run

    def ask(self, run: FileRun, now: float) -> None:
        """
        Ask, or ask again, unless there was silence for too long.
        """
        if run.ended:
            return
        silent = now - run.began >= FILE_FIRST_PATIENCE if run.heard is None else now - run.heard >= FILE_PATIENCE
        if silent or now - run.began >= MAX_FILE_TIME:
            self.say(run, wanted=False)
            self.fail(run, "that node does not answer" if silent else
                      f"that node did not finish the file in {MAX_FILE_TIME / 3600:g} hours")
            return
        self.say(run)
        delay = min(max((now - run.began) / 4, FILE_ASK_SOON), FILE_ASK_LATE)
        run.timer = self.core.timers.at(now + delay, partial(self.ask, run))

    def say(self, run: FileRun, wanted: bool = True) -> None:
        """
        Send the question, or that it is given up, to a peer that is still here and may know.
        """
        peer = self.core.peers.get(run.key)
        if peer is not None and self.core.policy.allows(peer):
            path = peer.freshest_path()
            payload = FileRequest(run.number, run.file_id, wanted).pack()
            self.core.outbox.to_peer(Kind.FILE_REQUEST, peer, path.link, path.address, payload, sealed=True)

    # --- The end.

    def give_up(self, run: FileRun) -> None:
        """
        Wait for a file no more, and tell its sharer.
        """
        if not run.ended:
            self.say(run, wanted=False)
            self.fail(run, "it was given up")

    def fail(self, run: FileRun, error: str, code: int = UNAVAILABLE) -> None:
        """
        End without the file.
        """
        run.code, run.error = code, error
        self.end(run)

    def end(self, run: FileRun) -> None:
        """
        Take no more answers, and tell the end.
        """
        run.ended = True
        del self.runs[run.number]
        if run.timer is not None:
            run.timer.cancel()
        self.core.events.append(FileEnded(run))

    def forget(self) -> None:
        """
        End all.
        """
        for run in list(self.runs.values()):
            self.fail(run, "this node was switched off")

    # --- Answers.

    def awaits(self, header: Header) -> bool:
        """
        Tell whether an answer is one to a question of ours, from whom we asked.
        """
        run = self.runs.get(header.payload[:REQUEST_ID_SIZE])
        return run is not None and run.key == header.signer

    def on_answer(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take an answer: how far it is, or the end.
        """
        answer = FileAnswer.unpack(header.payload)
        run = self.runs[answer.number]
        if not self.core.heard(peer, arrival, now):
            self.core.exchange.want(peer.key, arrival.link, arrival.source, now)
            return
        run.heard = now
        if answer.state == REFUSED:
            code = answer.code if answer.code in REFUSALS else UNAVAILABLE
            run.state = STATES[REFUSED]
            self.fail(run, REFUSALS[code], code)
        elif answer.state == READY:
            run.state, run.progress, run.infohash = STATES[READY], 1.0, answer.infohash
            self.end(run)
        elif (STATES[answer.state], answer.progress) != (run.state, run.progress):
            run.state, run.progress = STATES[answer.state], answer.progress
            self.core.events.append(FileProgress(run))
