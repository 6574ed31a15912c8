"""
Nodes that end with their test.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from .nodes import RunningNode, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class StartNode(Protocol):
    """
    Starts a node by name; all of one test share their ports, so that they meet.
    """

    def __call__(self, name: str, *arguments: str, program: Sequence[str] = ..., **extra: str) -> RunningNode:
        """
        Start it, with more arguments and environment; `program` instead of this one, as Python takes it.
        """


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """
    Start nodes that are killed when the test ends.
    """
    started: list[RunningNode] = []
    ports = free_ports()

    def start(name: str, *arguments: str, program: Sequence[str] = ("-m", "tribler_multicast"),
              **extra: str) -> RunningNode:
        node = RunningNode(tmp_path / name, *arguments, ports=ports, program=program, **extra)
        started.append(node)
        return node

    yield start
    for node in started:
        node.kill()
