"""
What is seen of a transfer from outside, whichever way the bytes go.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import Event
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from ..content.manifest import Content, Manifest

WAITING: Final = "waiting"
ACTIVE: Final = "active"
PAUSED: Final = "paused"
CHECKING: Final = "checking"
DONE: Final = "done"
FAILED: Final = "failed"

SOURCE: Final = "source"
RECEIVER: Final = "receiver"
HELPER: Final = "helper"
MULTICAST: Final = "multicast"
UNICAST: Final = "unicast"


class TransferPeer(NamedTuple):
    """
    One that we send to or get from, now. `up` and `down` are bytes/s that it is sent and sends; `role` is its own.
    """

    mid: bytes
    up: float
    down: float
    role: str
    way: str


class Transfer(ABC):
    """
    One content that is received, or sent to somebody. Rates are bytes/s, sizes bytes.
    """

    def __init__(self, id: str, content_id: bytes, role: str) -> None:  # noqa: A002
        """
        Begin, waiting for somebody.
        """
        self.id = id
        self.content_id = content_id
        self.role = role
        self.state = WAITING
        self.error: str | None = None
        """One line; of a paused transfer: what it waits for."""
        self.rate: int | None = None
        """Most bytes/s that it takes; None: any."""
        self.is_removed = False
        self._over = Event()

    @property
    @abstractmethod
    def manifest(self) -> Manifest | None:
        """
        What it is; None while nobody told.
        """

    @property
    @abstractmethod
    def path(self) -> Path:
        """
        Where it is, or goes: once known the result itself.
        """

    @property
    @abstractmethod
    def progress(self) -> float:
        """
        The share that is here, 0 to 1; at a source: that the receivers have, on average.
        """

    @property
    @abstractmethod
    def rank(self) -> int | None:
        """
        Symbols that are here; None where that is not known.
        """

    @property
    @abstractmethod
    def up(self) -> float:
        """
        Bytes/s that leave.
        """

    @property
    @abstractmethod
    def down(self) -> float:
        """
        Bytes/s that come.
        """

    @property
    @abstractmethod
    def total_up(self) -> int:
        """
        Bytes that left, since the start.
        """

    @property
    @abstractmethod
    def total_down(self) -> int:
        """
        Bytes that came, since the start.
        """

    @property
    @abstractmethod
    def peers(self) -> list[TransferPeer]:
        """
        With whom.
        """

    @property
    @abstractmethod
    def files(self) -> list[tuple[str, int, int]] | None:
        """
        Path below the content, where in the data it begins, and size of each file; None while that is not known.
        """

    @abstractmethod
    def available(self, start: int, length: int) -> int:
        """
        Get how many of so many bytes of the data can be read from `start` on, now.
        """

    @abstractmethod
    async def read(self, start: int, length: int) -> bytes:
        """
        Get some of the data from `start` on, `length` bytes at most: waits until there is something. Nothing: the end.

        :raises TransferError: when it failed, or was removed, before that came.
        """

    @property
    def content(self) -> Content | None:
        """
        What it is; None while nobody told.
        """
        return None if self.manifest is None else self.manifest.content

    @property
    def name(self) -> str | None:
        """
        What it is called; None while nobody told.
        """
        return None if self.content is None else self.content.name

    @property
    def size(self) -> int | None:
        """
        Bytes of all files.
        """
        return None if self.content is None else self.content.size

    @property
    def data_size(self) -> int | None:
        """
        As `size`: what `read` and `available` count in.
        """
        return self.size

    @property
    def eta_s(self) -> float | None:
        """
        Seconds until it is done; None: unknown.
        """
        if self.state == DONE:
            return 0.0
        speed = self.down if self.role != SOURCE else self.up
        if self.state != ACTIVE or self.size is None or speed < 1:
            return None
        return (1 - self.progress) * self.size / speed

    async def wait(self) -> None:
        """
        Wait until it is done or has failed, or was removed.
        """
        await self._over.wait()

    def set_state(self, state: str) -> bool:
        """
        Go over to a state; tell whether it is another one.
        """
        if state in (DONE, FAILED) or self.is_removed:
            self._over.set()
        else:
            self._over.clear()
        changed, self.state = state != self.state, state
        return changed

    def end(self) -> None:
        """
        Wake who waits: it was removed.
        """
        self.is_removed = True
        self._over.set()
