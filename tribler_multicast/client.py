"""What a hosting P2P client offers to the plugin: Tribler, or a client of our own."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .torrents import Torrents

RESULT_KINDS: Final = ("torrent", "coded", "stream", "file")
"""What can be found on the LAN: a torrent, something that is sent coded, what is streamed now, a shared file."""

ACTIVITY_CLASSES: Final = ("idle", "bulk", "on_demand", "live")
"""What a node may be doing, in rising order of how much it minds a delay."""


@dataclass(frozen=True, slots=True)
class Result:
    """
    Something that a node has, or only knows of (`has` False): one of RESULT_KINDS, its id, its name, and its size in
    bytes, None when unknown.

    The id is the infohash (20 bytes) of a torrent, the content id (32) of what is coded, the file id (32) of a file; of
    a stream the infohash (20) of the torrent that is streamed from, or the stream id (32) of a live one.
    """

    kind: str
    id: bytes
    name: str
    size: int | None = None
    has: bool = True


@dataclass(frozen=True, slots=True)
class Activity:
    """
    What a node is doing: one of ACTIVITY_CLASSES, and its rates in bytes/s, None when unknown. Only of what is not
    anonymous.
    """

    kind: str = "idle"
    up: float | None = None
    down: float | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    What a client moves now, bytes/s up and down: all that goes over the internet and is not anonymous, and of that the
    bulk, which `limit_bulk` limits; and the peers (IP address, port) of it, as far as they are known.

    `more`: what else it moves, on the LAN, anonymously or for overlays. Nobody is told of that: it is there to be taken
    from what the machine's interfaces count, so that it is not taken for another program's.
    """

    up: float = 0.0
    down: float = 0.0
    bulk_up: float = 0.0
    bulk_down: float = 0.0
    peers: frozenset[tuple[str, int]] = frozenset()
    more_up: float = 0.0
    more_down: float = 0.0


class ClientError(Exception):
    """
    The client can't do what is asked: one clear line, and the HTTP status that fits.
    """

    def __init__(self, message: str, status: int = 503) -> None:
        """
        Remember what to say.
        """
        super().__init__(message)
        self.status = status


class Client(Protocol):
    """
    The client around the plugin.

    It answers for what its user shares openly, never for anonymous downloads.
    """

    name: str
    """`tribler` or `standalone`."""

    @property
    def torrents(self) -> Torrents | None:
        """
        Its BitTorrent; None where it has none, or not yet.
        """

    def download_folder(self) -> Path:
        """
        Get where downloads go unless somebody says otherwise.
        """

    def capabilities(self) -> frozenset[str]:
        """
        Get what this client offers to others, in the words of `protocol.introduction.CAPABILITIES`. With `search` it
        has something that `search` or `streams` looks through.
        """

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Get where the client's own services listen, as (`ipv8` or `libtorrent`, IP address, port).
        """

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Tell the client's user interface that something happened. Arguments are JSON values.
        """

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Get the best results, at most so many, for words that somebody on the LAN looks for. The text comes from
        the network: at most 128 bytes, no control characters, otherwise anything.

        It is called in a thread of its own, one call at a time, and may block; after some seconds nobody waits any
        more. `stream` and `coded` are never among the kinds: what is sent coded is known without the client.
        """

    def streams(self) -> list[Result]:
        """
        Get what is streamed here now, of kind `stream`. Called on the event loop: it must not block.
        """

    def activity(self) -> Activity:
        """
        Get what this client is doing now. Called on the event loop.
        """

    def traffic(self) -> Traffic:
        """
        Get what this client moves now. Called on the event loop, some times a second.
        """

    def limit_bulk(self, up: float | None, down: float | None) -> None:
        """
        Limit bulk traffic over the internet, all of it together, bytes/s, None: as the user wants it. What the user set
        is never changed, and stays a ceiling. Called on the event loop; with (None, None) at the end.
        """

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Start to download a torrent, not anonymously, from these peers on the LAN (IP address, port).

        :raises ClientError: with one line, when it can't.
        """

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Make a torrent of a shared file that a node on the LAN asked for, seed it, and get its infohash; at once when
        that was done before. `progress` is called with 0..1 while the file is hashed.

        :raises ClientError: with one line; status 404 when there is no such file.
        """
