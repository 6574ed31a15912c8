"""
Engines for tests, on the loopback interface, and what to wait for.
"""
from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from tribler_multicast.settings import Settings
from tribler_multicast.standalone.torrents import TorrentEngine, watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.torrents import TorrentStatus

LOOPBACK = ("127.0.0.1", "::1")
TIMEOUT = 20.0
# Looked at more often than is worth it outside of tests, so that these wait for nothing but libtorrent.
watching.PACES.update({watching.LIVELY: (0.2, 100), watching.QUIET: (0.3, 500)})


def data_of(size: int, seed: int = 1) -> bytes:
    """
    Bytes that are the same in every run and don't repeat.
    """
    return random.Random(seed).randbytes(size)


class Engine(TorrentEngine):
    """
    An engine that remembers what it told.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:  # noqa: ANN401
        self.folder = folder
        self.settings = Settings(file={"download_folder": str(folder / "got"), **settings})
        super().__init__(folder / "state", self.settings)
        self.told: list[TorrentStatus] = []
        self.subscribe(self.told.append)
        self.set_addresses(LOOPBACK)

    @property
    def downloads(self) -> Path:
        return self.folder / "got"

    @property
    def address(self) -> tuple[str, int]:
        assert self.listen_port is not None
        return "127.0.0.1", self.listen_port

    async def run(self) -> Engine:
        await self.start()
        await until(lambda: self.listen_port is not None)
        return self

    def of(self, infohash: bytes) -> TorrentStatus:
        return next(status for status in self.status() if status.infohash == infohash)

    async def reaches(self, infohash: bytes, state: str, timeout: float = TIMEOUT) -> TorrentStatus:
        await until(lambda: self.of(infohash).state == state, timeout, lambda: self.of(infohash))
        return self.of(infohash)

    def states(self, infohash: bytes) -> list[str]:
        """
        The states that were told, one after the other.
        """
        states = [status.state for status in self.told if status.infohash == infohash]
        return [state for state, before in zip(states, [None, *states], strict=False) if state != before]


async def until(condition: Callable[[], object], timeout: float = TIMEOUT,
                shown: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout} s: {shown()}"
        await asyncio.sleep(0.01)
