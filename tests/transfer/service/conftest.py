"""
Nodes that end with their test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .nodes import Node, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    for node in list(wire.nodes.values()):
        await node.stop()


@pytest.fixture
def node(wire: Wire, tmp_path: Path) -> Callable[..., Node]:
    def made(name: str, **options: object) -> Node:
        return Node(wire, tmp_path / name, **options)  # type: ignore[arg-type]

    return made
