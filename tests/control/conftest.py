"""
Real nodes inside the test, on the loopback interface, driven by messages.
"""
from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from tests.standalone.nodes import free_ports
from tribler_multicast.control.messages import Command, Discover, Event
from tribler_multicast.standalone import EmbeddedNode, open_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tribler_multicast.control import User

PATIENCE = 20.0
E = TypeVar("E", bound=Event)


class OpenNode(Protocol):
    """
    Opens a node by name; all of one test share their ports, so that they meet.
    """

    async def __call__(self, name: str, **more: Any) -> EmbeddedNode:  # noqa: ANN401
        """
        Open it; `settings`, `share` and `api_port` as `open_node` takes them.
        """


@pytest.fixture
async def open_a(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenNode]:
    """
    Open nodes that end with the test.
    """
    for name in ("INTERFACES", "NICKNAME"):
        monkeypatch.delenv(f"TRIBLER_MULTICAST_{name}", raising=False)
    port, control_port = free_ports()
    async with AsyncExitStack() as stack:
        async def opened(name: str, **more: Any) -> EmbeddedNode:  # noqa: ANN401
            settings = {"interfaces": ["lo"], "port": port, "control_port": control_port, "nickname": name,
                        "introduction_interval": 1.0, **more.pop("settings", {})}
            return await stack.enter_async_context(open_node(tmp_path / name, settings, **more))

        yield opened


async def next_event(user: User) -> Event:
    """
    Wait for the next event.
    """
    return await asyncio.wait_for(user.events.get(), PATIENCE)


async def until_closing(user: User, command: Command) -> list[Event]:
    """
    Put a command and get all its events, the closing one last; others are not allowed.
    """
    await user.commands.put(command)
    events: list[Event] = []
    while not events or not events[-1].closing:
        events.append(await next_event(user))
        assert events[-1].request == command.request, events[-1]
    return events


async def closing(user: User, command: Command, kind: type[E]) -> E:
    """
    Put a command and get its closing event, which must be of this kind.
    """
    end = (await until_closing(user, command))[-1]
    assert isinstance(end, kind), end
    return end


async def meet(*nodes: EmbeddedNode) -> None:
    """
    Wait until all nodes know each other.
    """
    for node in nodes:
        with node.connect() as user:
            for _ in range(20):
                await user.commands.put(Discover(0.1))
                peers = (await next_event(user)).as_dict()["result"]["peers"]
                if {peer["mid"] for peer in peers} >= {other.mid for other in nodes} - {node.mid}:
                    break
            else:
                raise AssertionError("they did not meet")


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """
    Wait until something holds.
    """
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
