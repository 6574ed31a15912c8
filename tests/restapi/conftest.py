"""
A REST server as a standalone node has it, on a real socket, with a community that the test moves by hand.
"""
from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from ipv8.keyvault.crypto import default_eccrypto
from ipv8.peer import Peer

from tribler_multicast.assembly import Assembly
from tribler_multicast.client import ClientError
from tribler_multicast.community.fetching import Fetch
from tribler_multicast.community.local_peer import PingResult
from tribler_multicast.control import Control, Parts
from tribler_multicast.database import PeerDatabase
from tribler_multicast.protocol.values import pack_values, to_json
from tribler_multicast.restapi.context import RestContext
from tribler_multicast.restapi.endpoint import MulticastEndpoint
from tribler_multicast.restapi.security import HostPolicy
from tribler_multicast.settings import Settings
from tribler_multicast.standalone.client import StandaloneClient
from tribler_multicast.standalone.listener import api_url, bind_api
from tribler_multicast.standalone.loading import create_ipv8
from tribler_multicast.standalone.server import RestServer
from tribler_multicast.streams.local import LocalNetwork
from tribler_multicast.streams.streams import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tribler_multicast.community.found import Found as FoundOnLan
    from tribler_multicast.community.grouping import GroupStatus

KEY = "the key of the tests"


@dataclass
class Neighbour:
    """
    A peer as the community shows it.
    """

    public_key: bytes
    mid: bytes
    nickname: str = "neighbour"
    capabilities: frozenset[str] = frozenset()
    addresses: list[tuple[str, str, int]] = field(default_factory=lambda: [("ipv4", "10.0.0.7", 32110)])
    interface: str | None = "eth0"
    rtt: float | None = 0.0012345
    first_seen: float = 1000.0
    last_seen: float = 2000.0
    epoch: int = 1
    friend: str = "none"


@dataclass
class Found:
    """
    An answer to a discovery.
    """

    peer: Neighbour


@dataclass
class Interface:
    """
    An interface as the community shows it.
    """

    name: str = "eth0"
    index: int = 2
    addresses: list[str] = field(default_factory=lambda: ["10.0.0.1"])
    joined: list[str] = field(default_factory=lambda: ["ipv4"])
    error: str | None = None
    note: str = ""


class HandMovedCommunity:
    """
    Who is local is what the test says. (Real communities meet in tests/standalone and tests/lan.)
    """

    def __init__(self) -> None:
        """
        Nobody is here.
        """
        self.my_peer = Peer(default_eccrypto.generate_key("curve25519"))
        self.peers: list[Neighbour] = []
        self.asked: list[tuple[float, tuple[str, ...]]] = []
        self.handlers: list[Callable[[str, dict[str, Any]], None]] = []
        self.applied: list[set[str]] = []
        self.in_group: GroupStatus | None = None
        self.pinged: list[tuple[bytes | None, int]] = []
        self.throughput: dict[bytes, float] = {}
        self.announced: list[tuple[Any, ...]] = []
        self.searched: list[tuple[str, float]] = []
        self.on_lan: list[FoundOnLan] = []
        self.waits: asyncio.Event | None = None
        self.downloaded: list[tuple[bytes, list[bytes]]] = []
        self.fetches: dict[tuple[bytes, bytes | None], Fetch] = {}
        self.began: list[tuple[bytes, bytes | None]] = []
        self.decided: list[tuple[str, bytes]] = []
        self.announcement_handlers: list[Callable[[Neighbour, tuple[Any, ...]], None]] = []

    async def start(self) -> None:
        """
        Open nothing.
        """

    async def apply_settings(self, changed: set[str]) -> None:
        """
        Remember what changed.
        """
        self.applied.append(changed)

    def local_peers(self) -> list[Neighbour]:
        """
        Who is here.
        """
        return self.peers

    async def discover(self, timeout: float, capabilities: list[str]) -> list[Found]:
        """
        Remember the question and find whoever has the capabilities.
        """
        self.asked.append((timeout, tuple(capabilities)))
        return [Found(peer) for peer in self.peers if peer.capabilities >= set(capabilities)]

    async def ping(self, mid: bytes, count: int, throughput: bool) -> PingResult:
        """
        Ping one.
        """
        [result] = self.ping_results(mid, count, throughput)
        return result

    async def ping_all(self, count: int, throughput: bool) -> list[PingResult]:
        """
        Ping all.
        """
        return self.ping_results(None, count, throughput)

    def ping_results(self, mid: bytes | None, count: int, throughput: bool) -> list[PingResult]:
        """
        Remember the question; one of the answers got lost, the unicast time is unknown.
        """
        self.pinged.append((mid, count))
        asked = [peer for peer in self.peers if mid in (None, peer.mid)]
        if mid is not None and not asked:
            raise KeyError(mid)
        return [PingResult(peer.mid, count, count - 1, 1 / count, 0.001, 0.002, 0.003, peer.rtt,
                           self.throughput.get(peer.mid) if throughput else None) for peer in asked]

    async def search(self, text: str, kinds: tuple[str, ...], timeout: float,
                     partial: Callable[[list[FoundOnLan]], None]) -> list[FoundOnLan]:
        """
        Remember the question; find what the test says, one after the other.
        """
        self.searched.append((text, timeout))
        found = [each for each in self.on_lan if each.kind in kinds]
        for each in found:
            partial([each])
            if self.waits is not None:
                await self.waits.wait()
        return found

    async def download(self, infohash: bytes, mid: bytes | None) -> list[bytes]:
        """
        Remember what is downloaded, from one or from all.
        """
        sources = [peer.mid for peer in self.peers if mid in (None, peer.mid)]
        if mid is not None and not sources:
            raise KeyError(mid)
        if not sources:
            raise ClientError("no local node takes BitTorrent connections")
        self.downloaded.append((infohash, sources))
        return sources

    def begin_fetch(self, file_id: bytes, mid: bytes | None) -> Fetch:
        """
        Get a file, as the test says in `fetching`.
        """
        if mid is not None and mid not in [peer.mid for peer in self.peers]:
            raise KeyError(mid)
        if (file_id, mid) not in self.fetches:
            fetch = self.fetches[file_id, mid] = Fetch(file_id, mid)
            self.began.append((file_id, mid))
            fetch.task = asyncio.ensure_future(self.fetching(fetch))
        return self.fetches[file_id, mid]

    async def fetching(self, fetch: Fetch) -> tuple[bytes, list[bytes]]:
        """
        Find nobody, unless the test says otherwise.
        """
        raise ClientError("that node shares no such file any more: search again", 404)

    def told(self, fetch: Fetch) -> None:
        """
        Forget it.
        """
        self.fetches.pop((fetch.file_id, fetch.mid), None)

    def give_up_file(self, file_id: bytes) -> int:
        """
        Give up what is waited for.
        """
        ended = [fetch for fetch in self.fetches.values() if fetch.file_id == file_id]
        for fetch in ended:
            assert fetch.task is not None
            fetch.task.cancel()
        return len(ended)

    def ask_friend(self, mid: bytes) -> str:
        """
        Remember who is asked.
        """
        return self.decide("ask", mid, "sent")

    def withdraw_friend(self, mid: bytes) -> str:
        """
        Remember who is no friend.
        """
        return self.decide("withdraw", mid, "none")

    def decide(self, what: str, mid: bytes, friend: str) -> str:
        """
        Decide about one who is here.
        """
        if mid == self.my_peer.mid:
            msg = "that is this node itself"
            raise ValueError(msg)
        peer = next((peer for peer in self.peers if peer.mid == mid), None)
        if peer is None:
            raise KeyError(mid)
        self.decided.append((what, mid))
        peer.friend = friend
        return friend

    def announce(self, values: tuple[Any, ...]) -> int:
        """
        Remember what can be sent.
        """
        pack_values(values)
        self.announced.append(values)
        return len(self.announced)

    def add_announcement_handler(self, handler: Callable[[Neighbour, tuple[Any, ...]], None]) -> None:
        """
        Listen to announcements.
        """
        self.announcement_handlers.append(handler)

    def remove_announcement_handler(self, handler: Callable[[Neighbour, tuple[Any, ...]], None]) -> None:
        """
        Listen to them no more.
        """
        self.announcement_handlers.remove(handler)

    def hear(self, peer: Neighbour, *values: Any) -> None:  # noqa: ANN401
        """
        Make a peer's announcement arrive.
        """
        for handler in self.announcement_handlers:
            handler(peer, values)
        self.happen("multicast_announcement", mid=peer.mid.hex(), values=to_json(values))

    def interfaces(self) -> list[Interface]:
        """
        One interface.
        """
        return [Interface()]

    def group(self) -> GroupStatus | None:
        """
        In the group that the test says.
        """
        return self.in_group

    def counters(self) -> dict[str, dict[str, int]]:
        """
        Some messages.
        """
        return {"sent": {"introduction": 3}, "received": {}, "dropped": {"bad signature": 1}}

    def add_event_handler(self, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """
        Listen.
        """
        self.handlers.append(handler)

    def remove_event_handler(self, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """
        Listen no more.
        """
        if handler in self.handlers:
            self.handlers.remove(handler)

    def happen(self, topic: str, **kwargs: object) -> None:
        """
        Make an event happen.
        """
        for handler in list(self.handlers):
            handler(topic, kwargs)


def make_neighbour(**kwargs: Any) -> Neighbour:  # noqa: ANN401
    """
    Make a peer with a key of its own.
    """
    peer = Peer(default_eccrypto.generate_key("curve25519"))
    return Neighbour(public_key=peer.public_key.key_to_bin(), mid=peer.mid, **kwargs)


class Api:
    """
    The server and a client of it.
    """

    def __init__(self, url: str, assembly: Assembly, context: RestContext, community: HandMovedCommunity,
                 session: ClientSession) -> None:
        """
        Remember the parts.
        """
        self.url = url
        self.assembly = assembly
        self.context = context
        self.community = community
        self.session = session
        self.saved: list[dict[str, Any]] = []
        self.endpoint: MulticastEndpoint

    async def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:  # noqa: ANN401
        """
        Call with the key and return status and JSON.
        """
        headers = {"X-Api-Key": KEY, **kwargs.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **kwargs) as response:
            return response.status, await response.json()

    async def refused(self, method: str, path: str, **kwargs: Any) -> tuple[int, str]:  # noqa: ANN401
        """
        Call, expect an error in Tribler's shape of one line, and return status and message.
        """
        status, answer = await self.call(method, path, **kwargs)
        assert set(answer) == {"error"}
        assert answer["error"]["handled"] is True
        message = answer["error"]["message"]
        assert message
        assert "\n" not in message
        assert len(message) < 300
        return status, message


@pytest.fixture
def settings() -> dict[str, Any]:
    """
    What is not as by default at the served node, as on its command line.
    """
    return {}


@pytest.fixture
async def api(tmp_path: Path, settings: dict[str, Any]) -> AsyncIterator[Api]:
    """
    A served node.
    """
    community = HandMovedCommunity()
    database = PeerDatabase.open(tmp_path / "multicast.db", time.time())
    saved: list[dict[str, Any]] = []
    options = Settings(command_line=settings)
    assembly = Assembly(StandaloneClient(tmp_path, options), options, database, 1, saved.append)
    await assembly.start(community)
    control = Control(Parts(version="1.2.3", client=assembly.client, options=assembly.options, community=community,
                            database=database, change_settings=assembly.change_settings,
                            streams=Streams(LocalNetwork(community.my_peer.mid.hex()), community.happen)))
    context = RestContext(control, assembly.announcements)
    listener = bind_api("127.0.0.1", 0)
    policy = HostPolicy("127.0.0.1")
    endpoint = MulticastEndpoint(context, policy)
    server = RestServer(endpoint, create_ipv8(), KEY, policy)
    await server.start(listener)
    async with ClientSession() as session:
        served = Api(api_url(listener), assembly, context, community, session)
        served.saved, served.endpoint = saved, endpoint
        yield served
    endpoint.close()
    control.close()
    await server.stop()
    assembly.close()
