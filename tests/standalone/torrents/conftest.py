"""
Engines that end with their test.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tribler_multicast.standalone.torrents import watching

from .engines import Engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class StartEngine(Protocol):
    """
    Starts an engine by name; one of the same name later is the same node again.
    """

    async def __call__(self, name: str, **settings: Any) -> Engine:  # noqa: ANN401
        """
        Start it, with settings.
        """


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartEngine]:
    """
    Start engines. They look at their torrents more often than is worth it elsewhere, so that tests need not wait for
    that.
    """
    monkeypatch.setattr(watching, "PACES", {**watching.PACES, watching.LIVELY: (0.2, 100), watching.QUIET: (0.3, 500)})
    pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")
    started: list[Engine] = []

    async def start(name: str, **settings: Any) -> Engine:  # noqa: ANN401
        started.append(Engine(tmp_path / name, **settings))
        return await started[-1].run()

    yield start
    for one in started:
        await one.close()
