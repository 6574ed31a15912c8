"""
Peers of Tribler's ContentDiscovery that are not Tribler, run in a machine of the testbed by the Python that has IPv8:

``strangers.py SRC crowd N IP PORT``: so many peers that connect to a Tribler, answer its queries with nothing and stay.
``strangers.py SRC spy IP PORT INFOHASH NAME``: asks a Tribler for everything in every way, and prints one JSON
document: what came, and in which answers there was the infohash or the name.
"""
from __future__ import annotations

import asyncio
import json
import sys
import time

sys.path[:1] = [sys.argv[1]]

from ipv8.community import Community, CommunitySettings  # noqa: E402
from ipv8.keyvault.crypto import default_eccrypto  # noqa: E402
from ipv8.lazy_community import lazy_wrapper  # noqa: E402
from ipv8.messaging.interfaces.udp.endpoint import UDPEndpoint  # noqa: E402
from ipv8.peer import Peer  # noqa: E402
from ipv8.peerdiscovery.network import Network  # noqa: E402
from lz4.frame import LZ4FrameDecompressor  # noqa: E402
from tribler.core.content_discovery.payload import (  # noqa: E402
    HealthPayload,
    HealthRequestPayload,
    RemoteSelectPayload,
    SelectResponsePayload,
    VersionRequest,
    VersionResponse,
)
from tribler.core.database.orm_bindings.torrent_metadata import LZ4_EMPTY_ARCHIVE  # noqa: E402


class Stranger(Community):
    """Speaks ContentDiscovery."""

    community_id = bytes.fromhex("9aca62f878969c437da9844cba29a134917e1648")

    def __init__(self, settings: CommunitySettings) -> None:
        """Listen to every message there is."""
        super().__init__(settings)
        self.answers: list[tuple[str, bytes]] = []
        self.asked = 0
        self.add_message_handler(RemoteSelectPayload, self.on_select)
        self.add_message_handler(SelectResponsePayload, self.on_answer)
        self.add_message_handler(HealthPayload, self.on_health)
        self.add_message_handler(HealthRequestPayload, self.on_health_request)
        self.add_message_handler(VersionResponse, self.on_version)

    @lazy_wrapper(RemoteSelectPayload)
    def on_select(self, peer: Peer, payload: RemoteSelectPayload) -> None:
        self.asked += 1
        self.ez_send(peer, SelectResponsePayload(payload.id, LZ4_EMPTY_ARCHIVE))

    @lazy_wrapper(SelectResponsePayload)
    def on_answer(self, peer: Peer, payload: SelectResponsePayload) -> None:
        self.answers.append(("select", LZ4FrameDecompressor().decompress(payload.raw_blob)))

    @lazy_wrapper(HealthPayload)
    def on_health(self, peer: Peer, payload: HealthPayload) -> None:
        self.answers.append(("health", b"".join(torrent.infohash for torrent in payload.torrents)))

    @lazy_wrapper(HealthRequestPayload)
    def on_health_request(self, peer: Peer, payload: HealthRequestPayload) -> None:
        self.ez_send(peer, HealthPayload.create(payload.request_type, []))

    @lazy_wrapper(VersionResponse)
    def on_version(self, peer: Peer, payload: VersionResponse) -> None:
        self.answers.append(("version", payload.version.encode()))


async def stranger(target: tuple[str, int]) -> Stranger:
    """Start one and have it connect."""
    endpoint = UDPEndpoint(0, "0.0.0.0")
    await endpoint.open()
    one = Stranger(CommunitySettings(my_peer=Peer(default_eccrypto.generate_key("curve25519")), endpoint=endpoint,
                                     network=Network()))
    one.walk_to(target)
    return one


async def crowd(count: int, target: tuple[str, int]) -> None:
    """Connect and stay."""
    crowded = [await stranger(target) for _ in range(count)]
    print("there", flush=True)
    while True:
        await asyncio.sleep(5)
        for one in crowded:
            one.walk_to(target)


async def spy(target: tuple[str, int], infohash: str, name: str) -> None:
    """Ask for everything."""
    one = await stranger(target)
    deadline = time.monotonic() + 30
    while not one.get_peers() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        one.walk_to(target)
    victim = one.get_peers()[0]
    queries: list[dict[str, object]] = [
        {"metadata_type": 300, "first": 1, "last": 100}, {"infohash": infohash},
        {"infohash": infohash, "metadata_type": 300},
        {"txt_filter": f'"{name}"', "first": 1, "last": 50}, {"txt_filter": f'"{name}"*', "metadata_type": 300},
        {"metadata_type": 300, "popular": True}, {"metadata_type": 300, "sort_by": "HEALTH", "first": 1, "last": 100},
        {"metadata_type": 300, "sort_by": "title", "first": 1, "last": 100}, {"channel_pk": "00", "metadata_type": 300},
        {"health_checked_after": 0, "metadata_type": 300}, {"self_checked_torrent": True, "metadata_type": 300},
        {"self_checked_torrent": False, "metadata_type": 300}]
    for number, query in enumerate(queries):
        one.ez_send(victim, RemoteSelectPayload(1000 + number, json.dumps(query).encode()))
        await asyncio.sleep(0.4)  # Tribler ignores a search while it answers another
    for kind in range(4):
        one.ez_send(victim, HealthRequestPayload(kind))
    one.ez_send(victim, VersionRequest())
    await asyncio.sleep(2)
    secret = (bytes.fromhex(infohash), infohash.encode(), name.encode())
    print(json.dumps({"answers": [kind for kind, _ in one.answers],
                      "bytes": sum(len(content) for _, content in one.answers),
                      "names": sorted({kind for kind, content in one.answers if b"opentoall" in content}),
                      "leaks": [kind for kind, content in one.answers
                                if any(part.lower() in content.lower() for part in secret)]}), flush=True)


if __name__ == "__main__":
    if sys.argv[2] == "crowd":
        asyncio.run(crowd(int(sys.argv[3]), (sys.argv[4], int(sys.argv[5]))))
    else:
        asyncio.run(spy((sys.argv[3], int(sys.argv[4])), sys.argv[5], sys.argv[6]))
