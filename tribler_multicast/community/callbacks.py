"""The community's callbacks: who wants to hear of announcements, peers and events."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .handlers import Handlers
    from .local_peer import LocalPeer


class Callbacks:
    """
    Lets a community call those who want to hear of something; any number, and one that fails stops no other.
    """

    announced: Handlers
    introduced: Handlers
    happened: Handlers

    def add_announcement_handler(self, handler: Callable[[LocalPeer, tuple[Any, ...]], Any]) -> None:
        """
        Call `handler(peer, values)` for what other local nodes announce.
        """
        self.announced.add(handler)

    def remove_announcement_handler(self, handler: Callable[[LocalPeer, tuple[Any, ...]], Any]) -> None:
        """
        Do not call this handler any more.
        """
        self.announced.remove(handler)

    def add_introduction_handler(self, handler: Callable[[LocalPeer], Any]) -> None:
        """
        Call `handler(peer)` whenever a peer becomes local, or says something new of itself.
        """
        self.introduced.add(handler)

    def remove_introduction_handler(self, handler: Callable[[LocalPeer], Any]) -> None:
        """
        Do not call this handler any more.
        """
        self.introduced.remove(handler)

    def add_event_handler(self, handler: Callable[[str, dict[str, Any]], Any]) -> None:
        """
        Call `handler(topic, kwargs)` for `multicast_peer_local`, `multicast_peer_gone`, `multicast_announcement` and
        `multicast_friend`.
        """
        self.happened.add(handler)

    def remove_event_handler(self, handler: Callable[[str, dict[str, Any]], Any]) -> None:
        """
        Do not call this handler any more.
        """
        self.happened.remove(handler)
