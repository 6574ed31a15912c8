"""
A standalone node inside a program, driven by messages::

    async with open_node("~/my-node", share=["~/films"]) as node:
        with node.connect() as user:
            await user.commands.put(Query("red boat"))
            print(await user.events.get())
"""
from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..community.grouping import check_group
from ..settings import SettingError, Settings
from .listener import ListenError, bind_api
from .node import Node, NodeArguments, NodeError
from .state import StateDir, StateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ..control import Control, User


class EmbeddedNode:
    """
    A running node.
    """

    def __init__(self, node: Node) -> None:
        """
        Wrap a node that was started.
        """
        self._node = node

    @property
    def control(self) -> Control:
        """
        Its control interface.
        """
        assert self._node.assembly is not None
        return self._node.assembly.control

    def connect(self) -> User:
        """
        Get a new user of its control interface: `commands` in, `events` out.
        """
        return self.control.connect()

    @property
    def mid(self) -> str:
        """
        Its mid, hex.
        """
        return self.control.parts.community.my_peer.mid.hex()

    @property
    def api(self) -> tuple[str, str] | None:
        """
        The URL and the key of its REST API, None when it has none.
        """
        return None if self._node.listener is None else (self._node.url, self._node.api_key)


@asynccontextmanager
async def open_node(state_dir: str | os.PathLike[str], settings: Mapping[str, Any] | None = None,
                    share: Sequence[str | os.PathLike[str]] = (), *,
                    api_port: int | None = None) -> AsyncIterator[EmbeddedNode]:
    """
    Run a node for a while; it says goodbye at the end. It takes no signals and writes no log of its own.

    :param state_dir: where it keeps its files, made when it is not there; one node at a time.
    :param settings: values by name (docs/install.md), stronger than the environment and ``settings.json`` in the state
        directory; a text is read as on the command line.
    :param share: folders whose files others may find and get.
    :param api_port: TCP port of its REST API on this machine, 0 for any free one; None: no REST API.
    :raises NodeError: with one line, when it cannot start.
    """
    path = Path(state_dir).expanduser().absolute()
    values = dict(settings or {})
    if share:
        values["share"] = [str(Path(folder).expanduser().absolute()) for folder in share]
    async with AsyncExitStack() as stack:
        try:
            listener = None if api_port is None else stack.enter_context(bind_api("127.0.0.1", api_port))
            state = await asyncio.to_thread(StateDir, path)
            stack.callback(state.close)
            options = Settings(file=state.load_settings(), environment=os.environ, command_line=values)
            check_group(options)
            node = Node(NodeArguments(state_dir=path, settings=values), listener, state, options)
            stack.push_async_callback(node.stop)
            await node.start()
        except (ListenError, StateError, SettingError) as error:
            raise NodeError(str(error)) from error
        yield EmbeddedNode(node)
