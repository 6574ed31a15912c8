"""
The peer to compare with: an IPv8 community that finds others on the LAN with IPv8's own UDPBroadcastBootstrapper.

    python ipv8_broadcast.py

Prints "ready" when it runs, then "found MID" for each peer. Only for a network namespace: it sends to every port of
the broadcast address, and again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, ClassVar

from ipv8.community import Community
from ipv8.configuration import Bootstrapper, BootstrapperDefinition, ConfigBuilder, Strategy, WalkerDefinition
from ipv8_service import IPv8

if TYPE_CHECKING:
    from ipv8.peer import Peer


class BroadcastCommunity(Community):
    """
    Walks, and finds its first peers by broadcast.
    """

    community_id = b"tribler-multicast bn"
    told: ClassVar[set[bytes]] = set()

    def tell(self) -> None:
        """
        Print the peers that are new.
        """
        new: list[Peer] = [peer for peer in self.get_peers() if peer.mid not in self.told]
        for peer in new:
            self.told.add(peer.mid)
            print("found", peer.mid.hex(), flush=True)


async def run() -> None:
    """
    Start IPv8, wait for the end.
    """
    builder = ConfigBuilder().clear_keys().clear_overlays().set_log_level("ERROR")
    builder.add_ephemeral_key("key")
    builder.add_overlay("BroadcastCommunity", "key", [WalkerDefinition(Strategy.RandomWalk, 20, {"timeout": 3.0})],
                        [BootstrapperDefinition(Bootstrapper.UDPBroadcastBootstrapper, {})], {}, [])
    ipv8 = IPv8(builder.finalize(), extra_communities={"BroadcastCommunity": BroadcastCommunity})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await ipv8.start()
    print("ready", ipv8.overlays[0].my_peer.mid.hex(), flush=True)
    while not stop.is_set():
        ipv8.overlays[0].tell()
        try:
            await asyncio.wait_for(stop.wait(), 0.05)
        except TimeoutError:
            continue
    await ipv8.stop()


if __name__ == "__main__":
    if os.environ.get("TM_BENCH_NAMESPACE") != "1":
        sys.exit("only inside the bench's namespaces: this floods the LAN it is on")
    asyncio.run(run())
