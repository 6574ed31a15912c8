"""The community's part in on-demand discovery: ask, and gather who answers."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..protocol.introduction import CAPABILITIES
from .local_peer import Discovered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..protocol.core import MulticastProtocol
    from .handlers import Handlers
    from .local_peer import LocalPeer

MOST_DISCOVERY_TIME = 60.0


class Discovering:
    """
    Lets a community that drives a protocol instance ask who is there.
    """

    core: MulticastProtocol
    answered: Handlers

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    async def discover(self, timeout: float = 2.0, capabilities: Iterable[str] = ()) -> list[Discovered]:
        """
        Ask the LAN who is there and has all of these capabilities; wait `timeout` seconds for answers.

        :raises ValueError: for an unknown capability or a timeout that is not between 0 and 60 seconds.
        """
        wanted = frozenset(capabilities)
        if wanted - set(CAPABILITIES):
            msg = f"unknown capability {min(wanted - set(CAPABILITIES))!r}; known are {', '.join(CAPABILITIES)}"
            raise ValueError(msg)
        if not 0 < timeout <= MOST_DISCOVERY_TIME:
            msg = f"timeout must be above 0 and at most {MOST_DISCOVERY_TIME:g} seconds"
            raise ValueError(msg)
        found: dict[bytes, Discovered] = {}

        def answered(peer: LocalPeer, address: tuple[str, int]) -> None:
            if wanted <= peer.capabilities:
                found[peer.mid] = Discovered(peer, address, peer.capabilities)

        self.answered.add(answered)
        try:
            for pause in (timeout / 4, timeout * 3 / 4):  # Twice: the first one may get lost.
                self.core.solicit(wanted)
                self.pump()
                await asyncio.sleep(pause)
        finally:
            self.answered.remove(answered)
        return list(found.values())
