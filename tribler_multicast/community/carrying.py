"""
The community's part in what rides on it: another community that has its sockets, its identity and its verified peers.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from ..client import Result
    from ..protocol.core import MulticastProtocol
    from ..protocol.events import CodedReceived, RoundTrip

logger = logging.getLogger(__name__)

STOP_PATIENCE: Final = 1.0
"""Seconds that the goodbye to the LAN waits for that of the transfers. They go on ending after it, if a disk is slow:
peers must not find out by silence that this node is gone."""


class Carried(Protocol):
    """
    A community that rides on another one.
    """

    def capabilities(self) -> frozenset[str]:
        """
        Get what this node can do for others by it, in the words of `protocol.introduction.CAPABILITIES`.
        """

    def search(self, text: str, most: int) -> list[Result]:
        """
        Get what is offered by it, has all words in its name, and is nothing that blocks.
        """

    def streams(self, text: str) -> list[Result]:
        """
        Get what is streamed live by it and has all words in its name.
        """

    def counters(self) -> dict[str, int]:
        """
        Get counts of what it sent, took and dropped, by reason.
        """

    def is_moving(self) -> bool:
        """
        Tell whether data of it is on its way here or from here.
        """

    def take(self, event: CodedReceived | RoundTrip) -> None:
        """
        Take what a peer said.
        """

    def links_changed(self) -> None:
        """
        Look at the links again.
        """

    def begin(self) -> None:
        """
        Take part: it is said in the first introduction, and `start` follows.
        """

    async def start(self) -> None:
        """
        Begin, once the LAN is open.
        """

    async def stop(self) -> None:
        """
        Say goodbye and end, while the LAN is still open.
        """


class Carrying:
    """
    Lets a community that drives a protocol instance carry another one.
    """

    core: MulticastProtocol
    carried: Carried | None = None

    def carried_capabilities(self) -> frozenset[str]:
        """
        Get what this node can do for others by what it carries.
        """
        return frozenset() if self.carried is None else self.carried.capabilities()

    def carried_results(self, text: str, most: int) -> list[Result]:
        """
        Get what is offered by what it carries and has all words in its name.
        """
        return [] if self.carried is None else self.carried.search(text, most)

    def carried_streams(self, text: str) -> list[Result]:
        """
        Get what is streamed live by what it carries.
        """
        return [] if self.carried is None else self.carried.streams(text)

    def carried_counters(self) -> dict[str, dict[str, int]]:
        """
        Get the counts of what it carries.
        """
        return {} if self.carried is None else {"transfers": self.carried.counters()}

    def on_coded_event(self, event: CodedReceived | RoundTrip) -> None:
        """
        Hand on what a peer said around a coded transfer.
        """
        if self.carried is None:
            self.core.counters.drop("no_transfers")
        else:
            self.carried.take(event)

    def carried_links_changed(self) -> None:
        """
        Tell that the links have changed.
        """
        if self.carried is not None:
            self.carried.links_changed()

    def begin_carried(self) -> None:
        """
        Claim what will be carried.
        """
        if self.carried is not None:
            self.carried.begin()

    async def start_carried(self) -> None:
        """
        Start what is carried.
        """
        if self.carried is not None:
            await self.carried.start()

    async def stop_carried(self) -> None:
        """
        End what is carried, or wait no longer than is good for the peers.
        """
        if self.carried is not None:
            ending = asyncio.ensure_future(self.carried.stop())
            done, _ = await asyncio.wait((ending,), timeout=STOP_PATIENCE)
            if not done:
                logger.warning("Transfers take longer than %g s to end", STOP_PATIENCE)
