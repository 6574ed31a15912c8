"""Live streams between services, by real sockets and multicast on lo."""
from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from .nodes import LiveNode, LiveWire, read_all, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[LiveWire]:
    wire = LiveWire()
    yield wire
    for node in list(wire.nodes.values()):
        await node.stop()


@pytest.mark.asyncio
async def test_what_is_fed_is_what_others_read(wire: LiveWire, tmp_path: Path) -> None:
    source, *viewers = [LiveNode(wire, tmp_path / str(number)) for number in range(4)]
    publication = source.live.publish("camera", "video/mp2t")
    content = Random(1).randbytes(1_500_000)
    publication.log.append(content[:10_000])
    logs = [await soon(viewer.live.watch(publication.stream_id)) for viewer in viewers]
    for at in range(10_000, len(content), 20_000):
        await publication.ready()
        publication.log.append(content[at:at + 20_000])
        await asyncio.sleep(0.01)
    publication.end()
    for log in logs:
        assert await read_all(log, log.first) == content[log.first:]
        assert log.first <= 10_000
        assert log.error is None
        assert log.lost == 0
