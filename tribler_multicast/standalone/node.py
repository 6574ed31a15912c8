"""
A standalone node: ``tribler-multicast node``.

The LAN part starts first and the REST server, whose libraries take longest to load, after it and in a thread: by the
time the node says that it is ready, it is known on the LAN.
"""
from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import secrets
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..community.grouping import check_group
from ..settings import SettingError, Settings
from .listener import ListenError, api_url, bind_api
from .log import set_up_log
from .state import StateDir, StateError

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine
    from pathlib import Path

    from ..assembly import Assembly
    from ..community.multicast import MulticastCommunity
    from .client import StandaloneClient
    from .server import RestServer

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 1.5
"""Seconds for goodbye and the end of all requests; the process is to be gone two seconds after the signal."""


class NodeError(Exception):
    """
    The node cannot start: one clear line.
    """


@dataclass
class NodeArguments:
    """
    What the command line says. ``settings`` holds values by setting name; a text is read as from the command line.
    """

    state_dir: Path
    api_host: str = "127.0.0.1"
    api_port: int = 0
    api_key: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def run_node(arguments: NodeArguments) -> None:
    """
    Run a node until SIGINT or SIGTERM. Raises NodeError when it cannot start.
    """
    try:
        listener = bind_api(arguments.api_host, arguments.api_port)
    except ListenError as error:
        raise NodeError(str(error)) from error
    gc.disable()  # Until the node is ready: next to nothing of what start-up makes is ever garbage [measured: 50 ms].
    with listener:
        try:
            state = StateDir(arguments.state_dir)
        except StateError as error:
            raise NodeError(str(error)) from error
        try:
            asyncio.run(_run(arguments, listener, state))
        except (StateError, SettingError) as error:
            raise NodeError(str(error)) from error
        finally:
            state.close()


async def _run(arguments: NodeArguments, listener: socket.socket, state: StateDir) -> None:
    """
    Start the node, wait for the signal, stop the node.
    """
    options = Settings(file=state.load_settings(), environment=os.environ, command_line=arguments.settings)
    check_group(options)
    set_up_log(options)
    stop = asyncio.Event()
    _on_signals(stop)
    node = Node(arguments, listener, state, options)
    try:
        await node.start()
        if not stop.is_set():
            node.say_ready()
        gc.freeze()
        gc.enable()
        await stop.wait()
    finally:
        await node.stop()


def _on_signals(stop: asyncio.Event) -> None:
    """
    Stop on SIGINT and SIGTERM, and when the terminal goes away.
    """
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


class Node:
    """
    The parts of a running standalone node, in the order in which they start.
    """

    def __init__(self, arguments: NodeArguments, listener: socket.socket | None, state: StateDir,
                 options: Settings) -> None:
        """
        Remember the parts that exist already. With no listener it has no REST server.
        """
        self.arguments = arguments
        self.listener = listener
        self.state = state
        self.options = options
        self.api_key = arguments.api_key or secrets.token_hex(16)
        self.client: StandaloneClient | None = None
        self.assembly: Assembly | None = None
        self.ipv8: Any = None
        self.server: RestServer | None = None

    async def start(self) -> None:
        """
        Start the LAN part, then what this node offers, and the REST server.
        """
        community = await self._start_lan()
        await self._start_transfers(community)
        assert self.client is not None
        assert self.assembly is not None
        self.assembly.feeds = await self.client.load_feeds()
        offering = self.start_offering(community)
        if self.listener is None:
            await offering
        else:
            await asyncio.gather(offering, self._start_rest(self.listener))
            self.state.write_api(self.url, self.api_key, self.page)

    async def _start_lan(self) -> MulticastCommunity:
        """
        Load the community and open its sockets. From here on the node is on the LAN.
        """
        from ..assembly import Assembly  # noqa: PLC0415 (after the checks that need none of it)
        from ..database import DatabaseTooNewError, PeerDatabase  # noqa: PLC0415
        from .client import StandaloneClient  # noqa: PLC0415
        from .loading import create_ipv8, load_community  # noqa: PLC0415

        key = self.state.identity()
        try:
            database = PeerDatabase.open(self.state.path / "sqlite" / "multicast.db", time.time())
        except DatabaseTooNewError as error:
            raise NodeError(str(error)) from error
        self.client = StandaloneClient(self.state.path, self.options)
        self.assembly = Assembly(self.client, self.options, database, self.state.next_epoch(),
                                 self.state.save_settings)
        self.ipv8 = create_ipv8()
        community = load_community(self.ipv8, self.assembly, key)
        await self.ipv8.start()
        await self.assembly.start(community)
        return community

    async def _start_transfers(self, community: MulticastCommunity) -> None:
        """
        Load the community of coded transfers, which rides on the other one, and start it: when the node is known on the
        LAN already, because its parts take a while to load.
        """
        from .loading import load_coded  # noqa: PLC0415

        assert self.assembly is not None
        self.assembly.coded = await load_coded(self.ipv8, self.assembly, community, self.state.path / "transfers")
        if self.assembly.coded is not None:
            await self.assembly.coded.start()

    async def start_offering(self, community: MulticastCommunity) -> None:
        """
        Start what this node has for others.
        """
        from ..database import DatabaseTooNewError  # noqa: PLC0415

        assert self.client is not None
        try:
            await self.client.start(community)
        except DatabaseTooNewError as error:
            raise NodeError(str(error)) from error

    async def _start_rest(self, listener: socket.socket) -> None:
        """
        Import the REST server in a thread, so that the LAN part answers meanwhile, and start it.
        """
        module = await asyncio.to_thread(import_module, ".server", __package__)
        security = await asyncio.to_thread(import_module, "..restapi.security", __package__)
        assert self.assembly is not None
        policy = security.HostPolicy(self.arguments.api_host)
        self.server = module.RestServer(self.assembly.endpoint(policy), self.ipv8, self.api_key, policy)
        await self.server.start(listener)

    @property
    def url(self) -> str:
        """
        Where the API is.
        """
        assert self.listener is not None
        return api_url(self.listener)

    @property
    def page(self) -> str:
        """
        Where the page is, with the key.
        """
        return f"{self.url}/?key={quote(self.api_key, safe='')}"

    def say_ready(self) -> None:
        """
        Print the ready line.
        """
        assert self.assembly is not None
        assert self.assembly.community is not None
        line = {"event": "ready", "api": self.url, "page": self.page,
                "mid": self.assembly.community.my_peer.mid.hex()}
        with suppress(OSError, ValueError):  # nobody has to read it
            print(json.dumps(line), flush=True)  # noqa: T201
        if sys.stderr.isatty():
            print(f"Open {self.page} in a browser. Ctrl-C stops the node.", file=sys.stderr)  # noqa: T201

    async def stop(self) -> None:
        """
        Say goodbye on the LAN, then end the rest, within ``STOP_TIMEOUT``.
        """
        self.state.remove_api()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                if self.ipv8 is not None:
                    await _ended("the LAN part", self.ipv8.stop())
                if self.assembly is not None:
                    self.assembly.stop_events()
                endings = []
                if self.server is not None:
                    endings.append(_ended("the REST server", self.server.stop()))
                if self.client is not None:
                    endings.append(_ended("what this node offers", self.client.close()))
                await asyncio.gather(*endings)
        except TimeoutError:
            logger.warning("Not everything had ended %s seconds after the signal", STOP_TIMEOUT)
        if self.assembly is not None:
            self.assembly.close()


async def _ended(what: str, ending: Coroutine[Any, Any, None]) -> None:
    """
    Wait for one part to end. One that fails to end well must not keep the others from ending at all.
    """
    result = (await asyncio.gather(ending, return_exceptions=True))[0]
    if isinstance(result, BaseException):
        logger.error("%s did not end well", what, exc_info=result)
