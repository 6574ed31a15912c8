"""
Streams of one node alone: its publishers and its players, and no network between them.
"""
from __future__ import annotations

import os
import time
from typing import Final

from .errors import TooManyError, UnknownStreamError
from .limits import MAX_PUBLISHED
from .log import StreamLog
from .network import OnAir, Reception

ID_SIZE: Final = 32


class LocalPublication:
    """
    A stream that goes nowhere but to the players of this node.
    """

    def __init__(self, network: LocalNetwork, on_air: OnAir) -> None:
        """
        Begin.
        """
        self._network = network
        self.on_air = on_air
        self.log = StreamLog()

    @property
    def stream_id(self) -> str:
        """
        Hex.
        """
        return self.on_air.stream_id

    async def ready(self) -> None:
        """
        There is always room: what is not read in time is gone.
        """

    def end(self) -> None:
        """
        Nothing comes any more.
        """
        self.log.end()
        self._network.forget(self)


class LocalNetwork:
    """
    All streams of this node.
    """

    def __init__(self, mid: str = "") -> None:
        """
        With none.

        :param mid: of this node, hex.
        """
        self._mid = mid
        self._publications: dict[str, LocalPublication] = {}

    def publish(self, name: str, media_type: str) -> LocalPublication:
        """
        Begin a stream.

        :raises TooManyError: when this node publishes as many as it may.
        """
        if len(self._publications) >= MAX_PUBLISHED:
            msg = f"{MAX_PUBLISHED} streams are published here already"
            raise TooManyError(msg)
        on_air = OnAir(os.urandom(ID_SIZE).hex(), name, media_type, self._mid, time.time())
        publication = self._publications[on_air.stream_id] = LocalPublication(self, on_air)
        return publication

    def forget(self, publication: LocalPublication) -> None:
        """
        It is not on air any more.
        """
        self._publications.pop(publication.stream_id, None)

    async def watch(self, stream_id: str) -> StreamLog:
        """
        Get the log of a stream.

        :raises UnknownStreamError: when there is no such stream.
        """
        if stream_id not in self._publications:
            msg = f"nobody streams {stream_id} now"
            raise UnknownStreamError(msg)
        return self._publications[stream_id].log

    def leave(self, stream_id: str) -> None:
        """
        Nothing is to be forgotten: all streams are own ones.
        """

    def on_air(self) -> list[OnAir]:
        """
        Get all streams.
        """
        return [each.on_air for each in self._publications.values()]

    def reception(self, stream_id: str) -> Reception | None:
        """
        There is none: all streams are own ones.
        """
        return None
