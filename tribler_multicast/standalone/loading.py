"""
IPv8 for a standalone node: no bootstrap servers, no overlays of its own, our communities loaded by its loader.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ipv8.loader import CommunityLauncher, IPv8CommunityLoader
from ipv8.messaging.interfaces.endpoint import Endpoint
from ipv8.peer import Peer
from ipv8_service import IPv8

if TYPE_CHECKING:
    from pathlib import Path

    from ipv8.keyvault.keys import PrivateKey
    from ipv8.messaging.interfaces.udp.endpoint import Address

    from ..assembly import Assembly
    from ..community.coded import CodedTransferCommunity
    from ..community.multicast import MulticastCommunity

WALK_INTERVAL = 3600.0
"""Seconds between two ticks of IPv8. It has no walk strategies to run here, and a tick wakes the processor."""


class NoEndpoint(Endpoint):
    """
    The endpoint of an IPv8 that itself talks to nobody: the communities have sockets of their own.

    It says that it is open: IPv8 runs in circles, at full load, while it waits for an endpoint to open.
    """

    def assert_open(self) -> None:
        """
        It is always open.
        """

    def is_open(self) -> bool:
        """
        It is always open.
        """
        return True

    def get_address(self) -> Address:
        """
        It has no address.
        """
        return "0.0.0.0", 0

    def send(self, socket_address: Address, packet: bytes) -> None:
        """
        Nothing leaves.
        """

    async def open(self) -> bool:
        """
        There is nothing to open.
        """
        return True

    def close(self) -> None:
        """
        There is nothing to close.
        """

    def reset_byte_counters(self) -> None:
        """
        There is nothing to count.
        """


class MulticastLauncher(CommunityLauncher["Assembly", "MulticastCommunity"]):
    """
    Loads the community into IPv8 with the parts of the assembly, which is the session.
    """

    def __init__(self, key: PrivateKey) -> None:
        """
        Launch with this identity.
        """
        super().__init__()
        self.key = key
        self.community: MulticastCommunity | None = None

    def get_overlay_class(self) -> type[MulticastCommunity]:
        """
        The community.
        """
        from ..community.multicast import MulticastCommunity  # noqa: PLC0415 (as late as IPv8 asks for it)

        return MulticastCommunity

    def get_my_peer(self, ipv8: IPv8, session: Assembly) -> Peer:
        """
        This node.
        """
        return Peer(self.key)

    def get_kwargs(self, session: Assembly) -> dict[str, Any]:
        """
        The parts that the assembly gives to the community.
        """
        return session.community_arguments()

    def finalize(self, ipv8: IPv8, session: Assembly, community: MulticastCommunity) -> None:
        """
        Keep the loaded community.
        """
        self.community = community


class CodedTransferLauncher(CommunityLauncher["Assembly", "CodedTransferCommunity"]):
    """
    Loads the community of coded transfers, which rides on the other one.
    """

    def __init__(self, multicast: MulticastCommunity, folder: Path | None) -> None:
        """
        Launch on this one; what is published and received is kept in this folder, or nowhere.
        """
        super().__init__()
        self.multicast = multicast
        self.folder = folder
        self.community: CodedTransferCommunity | None = None

    def should_launch(self, session: Assembly) -> bool:
        """
        Only where the setting says so.
        """
        return bool(session.options["coded"])

    def get_overlay_class(self) -> type[CodedTransferCommunity]:
        """
        The community.
        """
        from ..community.coded import CodedTransferCommunity  # noqa: PLC0415 (a node without it does without its parts)

        return CodedTransferCommunity

    def get_my_peer(self, ipv8: IPv8, session: Assembly) -> Peer:
        """
        This node.
        """
        return self.multicast.my_peer

    def get_kwargs(self, session: Assembly) -> dict[str, Any]:
        """
        The parts that the assembly gives to the community.
        """
        return session.coded_arguments(self.multicast, self.folder)

    def finalize(self, ipv8: IPv8, session: Assembly, community: CodedTransferCommunity) -> None:
        """
        Keep the loaded community.
        """
        self.community = community


def create_ipv8() -> IPv8:
    """
    Create an IPv8 with nothing in it.
    """
    return IPv8({"logger": {}, "keys": [], "overlays": [], "interfaces": [], "walker_interval": WALK_INTERVAL},
                endpoint_override=NoEndpoint())


def load_community(ipv8: IPv8, assembly: Assembly, key: PrivateKey) -> MulticastCommunity:
    """
    Have IPv8's loader load the community.
    """
    launcher = MulticastLauncher(key)
    load(launcher, ipv8, assembly)
    assert launcher.community is not None
    return launcher.community


async def load_coded(ipv8: IPv8, assembly: Assembly, multicast: MulticastCommunity,
                     folder: Path | None) -> CodedTransferCommunity | None:
    """
    Have IPv8's loader load the community of coded transfers, its code in a thread before; None: the settings want none.

    :param folder: where it is kept what is published and received, None for nowhere.
    """
    launcher = CodedTransferLauncher(multicast, folder)
    if launcher.should_launch(assembly):
        await asyncio.to_thread(launcher.get_overlay_class)
    load(launcher, ipv8, assembly)
    return launcher.community


def load(launcher: CommunityLauncher[Any, Any], ipv8: IPv8, assembly: Assembly) -> None:
    """
    Load one community.
    """
    loader = IPv8CommunityLoader()
    loader.set_launcher(launcher)
    loader.load(ipv8, assembly)
