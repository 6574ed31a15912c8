"""
Engines that end with their test.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

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
async def engine(tmp_path: Path) -> AsyncIterator[StartEngine]:
    """
    Start engines.
    """
    pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")
    started: list[Engine] = []

    async def start(name: str, **settings: Any) -> Engine:  # noqa: ANN401
        started.append(Engine(tmp_path / name, **settings))
        return await started[-1].run()

    yield start
    for one in started:
        await one.close()
