"""
The launchers with which Tribler's loader takes the communities in, after its own ones.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ipv8.loader import CommunityLauncher, after

if TYPE_CHECKING:
    from ipv8.community import Community
    from ipv8.peer import Peer
    from ipv8_service import IPv8

    from ..community.coded import CodedTransferCommunity
    from ..community.multicast import MulticastCommunity
    from .plugin import Plugin


class _Made:
    """
    What the loader takes for the class of the community: it exists already, because the REST server, which starts
    before the loader does, has its calls. A community that cannot be made is thus no error of the loader, which would
    end Tribler.
    """

    def __init__(self, community: Community) -> None:
        self.community = community
        self.settings_class = type(community).settings_class

    def __repr__(self) -> str:
        return repr(type(self.community))

    def __call__(self, settings: object) -> Community:
        return self.community


@after("ContentDiscoveryComponent", "TunnelComponent")
class MulticastComponent(CommunityLauncher[Any, "MulticastCommunity"]):
    """
    Adds the community to IPv8: no walking, no bootstrapping, an endpoint and a network of its own.
    """

    def __init__(self, plugin: Plugin, community: MulticastCommunity) -> None:
        """
        Launch this community.
        """
        super().__init__()
        self.plugin = plugin
        self.community = community

    def get_overlay_class(self) -> type[MulticastCommunity]:
        """
        Get what gives the community when it is called.
        """
        return cast("type[MulticastCommunity]", _Made(self.community))

    def get_my_peer(self, ipv8: IPv8, session: Any) -> Peer:  # noqa: ANN401
        """
        Get this node.
        """
        return self.community.my_peer

    def finalize(self, ipv8: IPv8, session: Any, community: MulticastCommunity) -> None:  # noqa: ANN401
        """
        Start, as soon as IPv8 has opened its own sockets.
        """
        self.plugin.launched()


@after("MulticastComponent")
class CodedTransferComponent(CommunityLauncher[Any, "CodedTransferCommunity"]):
    """
    Adds the community of coded transfers to IPv8. It starts and ends with the one that it rides on.
    """

    def __init__(self, community: CodedTransferCommunity) -> None:
        """
        Launch this community.
        """
        super().__init__()
        self.community = community

    def get_overlay_class(self) -> type[CodedTransferCommunity]:
        """
        Get what gives the community when it is called.
        """
        return cast("type[CodedTransferCommunity]", _Made(self.community))

    def get_my_peer(self, ipv8: IPv8, session: Any) -> Peer:  # noqa: ANN401
        """
        Get this node.
        """
        return self.community.my_peer
