"""
What players and publishers need of the network: any that does this will do.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .log import StreamLog


class OnAir(NamedTuple):
    """
    A stream that runs now. `stream_id` and `mid` (the publisher) are hex, `started` is Unix seconds, `rate` bytes/s;
    `viewers` and what else is not known is None.
    """

    stream_id: str
    name: str
    media_type: str
    mid: str
    started: float | None = None
    rate: float | None = None
    viewers: int | None = None


class Reception(NamedTuple):
    """
    How a stream that is watched here comes in: `delay` is seconds since what is at its edge was produced, `sources` are
    mids (hex) of whom it comes from, the publisher included; `missing` are bytes that were heard of and are not here.
    """

    delay: float | None = None
    sources: tuple[str, ...] = ()
    missing: int = 0


class Publication(Protocol):
    """
    A stream that this node publishes: what is appended to its log is sent, and its head (``StreamLog.head``, which may
    change) goes to each that joins, into the log there, before or with the first bytes.
    """

    @property
    def stream_id(self) -> str:
        """
        Hex; it follows from the key of the publisher and when this stream began, so that no other can have it.
        """

    @property
    def log(self) -> StreamLog:
        """
        Where its bytes go.
        """

    async def ready(self) -> None:
        """
        Wait until more may be appended: what is produced faster than the network carries it waits where it comes from.
        """

    def end(self) -> None:
        """
        Nothing comes any more: everybody is told. A second time does nothing.
        """


class LiveNetwork(Protocol):
    """
    Live streams of a local network, or of this node alone. All on the event loop.
    """

    def publish(self, name: str, media_type: str) -> Publication:
        """
        Begin a stream. Name and type are checked already (`streams.publishing`).

        :raises StreamError: one line, when it can't be.
        """

    async def watch(self, stream_id: str) -> StreamLog:
        """
        Take part in a stream. The same again, and an own one, is the same log; one `leave` ends it.

        :raises UnknownStreamError: when it is not on air.
        :raises StreamError: one line, when it can't be received.
        """

    def leave(self, stream_id: str) -> None:
        """
        Take part no more, and forget its bytes. An own stream is left alone; one that is not watched is no error.
        """

    def on_air(self) -> list[OnAir]:
        """
        Get what runs now, own streams included, as far as it is known here.
        """

    def reception(self, stream_id: str) -> Reception | None:
        """
        Get how a stream comes in that is watched here, None when it is not, or is an own one.
        """
