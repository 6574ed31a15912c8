"""
What is said about shared files, on the wire: questions for a file, and how far its sharer is with it.

A refusal is a code and no text: what a file is called, or where it is, is nobody's affair who does not get it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .wire import Reader, WireError

REQUEST_ID_SIZE: Final = 8
FILE_ID_SIZE: Final = 32
INFOHASH_SIZE: Final = 20
PROGRESS_FULL: Final = 0xffff

WANT: Final = 1
GIVE_UP: Final = 2

WAITING: Final = 1
HASHING: Final = 2
READY: Final = 3
REFUSED: Final = 4
STATES: Final = {WAITING: "waiting", HASHING: "hashing", READY: "ready", REFUSED: "refused"}

NOT_FOUND: Final = 404
CHANGED: Final = 409
UNAVAILABLE: Final = 503
REFUSALS: Final = {NOT_FOUND: "that node shares no such file any more: search again",
                   CHANGED: "the file changed while that node read it: search again",
                   UNAVAILABLE: "that node can't make a torrent of the file now"}
"""What codes say; any other one counts as the last."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """
    A question for a file: `number` is the same each time it is asked. `wanted` is False to give it up.
    """

    number: bytes
    file_id: bytes
    wanted: bool = True

    def pack(self) -> bytes:
        """
        Write: number (8), 1 or, to give up, 2 (1), file id (32).
        """
        return self.number + bytes((WANT if self.wanted else GIVE_UP,)) + self.file_id

    @classmethod
    def unpack(cls, payload: bytes) -> FileRequest:
        """
        Read what `pack` wrote.

        :raises WireError: when it is none.
        """
        reader = Reader(payload)
        number, verb, file_id = reader.take(REQUEST_ID_SIZE), reader.number(1), reader.take(FILE_ID_SIZE)
        reader.end()
        if verb not in (WANT, GIVE_UP):
            msg = "no question for a file"
            raise WireError(msg)
        return cls(number, file_id, verb == WANT)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """
    How far a sharer is with a file: one of STATES, how much of it is hashed (0..1), its infohash (20 bytes) when it is
    ready, or the code of a refusal.
    """

    number: bytes
    state: int
    progress: float = 0.0
    infohash: bytes = b""
    code: int = 0

    def pack(self) -> bytes:
        """
        Write: number (8), state (1), and what the state has: hashing: progress of 65535 (2); ready: infohash (20);
        refused: code (2).
        """
        said = {WAITING: b"", HASHING: round(self.progress * PROGRESS_FULL).to_bytes(2, "big"), READY: self.infohash,
                REFUSED: self.code.to_bytes(2, "big")}
        return self.number + bytes((self.state,)) + said[self.state]

    @classmethod
    def unpack(cls, payload: bytes) -> FileAnswer:
        """
        Read what `pack` wrote.

        :raises WireError: when it is none.
        """
        reader = Reader(payload)
        number, state = reader.take(REQUEST_ID_SIZE), reader.number(1)
        progress, infohash, code = 0.0, b"", 0
        if state == HASHING:
            progress = reader.number(2) / PROGRESS_FULL
        elif state == READY:
            infohash = reader.take(INFOHASH_SIZE)
        elif state == REFUSED:
            code = reader.number(2)
        elif state != WAITING:
            msg = f"unknown state {state} of a file"
            raise WireError(msg)
        reader.end()
        return cls(number, state, progress, infohash, code)
