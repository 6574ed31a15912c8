"""
All streams of one node: those that it publishes, and those that are watched here by any number of players.
"""
from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .channel import Channel
from .errors import ImpossibleError, StreamError, TooManyError, UnknownStreamError
from .limits import LINGER, MAX_MEDIA_TYPE, MAX_NAME, MAX_PUBLISHED, MAX_WATCHED, UNFED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .network import LiveNetwork, OnAir, Publication

logger = logging.getLogger(__name__)

TOPIC: Final = "multicast_stream"
"""The event that tells that a stream of this node began or ended, or that somebody began or ended to watch one here."""

MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)


class Published:
    """
    A stream of this node.
    """

    def __init__(self, publication: Publication, channel: Channel) -> None:
        """
        Nobody feeds it yet.
        """
        self.publication = publication
        self.channel = channel
        self.fed = False
        """Does somebody feed it now?"""
        self.source: asyncio.Task[None] | None = None
        """What feeds it by itself."""
        self.trouble: str | None = None
        """What is wrong with its source now."""
        self.unfed: asyncio.TimerHandle | None = None

    async def append(self, data: bytes) -> None:
        """
        Add what was produced, when the network is ready for more.
        """
        await self.publication.ready()
        self.publication.log.append(data)


class Streams:
    """
    What players and publishers of this machine use.
    """

    def __init__(self, network: LiveNetwork, tell: Callable[..., None] = lambda *_args, **_kwargs: None) -> None:
        """
        With no streams.

        :param tell: told TOPIC and what happened.
        """
        self.network = network
        self.published: dict[str, Published] = {}
        self._tell = tell
        self._channels: dict[str, Channel] = {}
        self._joining: dict[str, asyncio.Task[Channel]] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._closed = False

    # --- Publishing.

    def publish(self, name: str, media_type: str = "") -> Published:
        """
        Begin a stream.

        :raises StreamError: with one line, when there can't be one like this, or one more.
        """
        name, media_type = checked_name(name), checked_type(media_type)
        if self._closed:
            msg = "this node is stopping"
            raise StreamError(msg)
        if len(self.published) >= MAX_PUBLISHED:
            msg = f"{MAX_PUBLISHED} streams are published here already"
            raise TooManyError(msg)
        publication = self.network.publish(name, media_type)
        channel = Channel(publication.stream_id, name, media_type, publication.log, self._changed)
        published = self.published[publication.stream_id] = Published(publication, channel)
        self._channels[publication.stream_id] = channel
        self._expect(published)
        self._told(channel, "published")
        return published

    def end(self, stream_id: str) -> None:
        """
        End a stream of this node: its players get what there is, and the end.

        :raises UnknownStreamError: when this node has none like this.
        """
        published = self.published.pop(stream_id, None)
        if published is None:
            msg = f"this node publishes no stream {stream_id}"
            raise UnknownStreamError(msg)
        if published.unfed is not None:
            published.unfed.cancel()
        if published.source is not None:
            published.source.cancel()
        published.publication.log.end()
        published.publication.end()
        channel = published.channel
        self._told(channel, "ended")
        self._changed(channel)

    @contextmanager
    def feeding(self, stream_id: str) -> Iterator[Published]:
        """
        Be the one who feeds a stream of this node. When nobody did for UNFED seconds, it ends.

        :raises StreamError: when there is no such stream, or somebody else feeds it.
        """
        published = self.published.get(stream_id)
        if published is None:
            msg = f"this node publishes no stream {stream_id}"
            raise UnknownStreamError(msg)
        if published.fed:
            msg = f"somebody feeds the stream {stream_id} already"
            raise StreamError(msg)
        published.fed = True
        if published.unfed is not None:
            published.unfed.cancel()
        try:
            yield published
        finally:
            published.fed = False
            if stream_id in self.published:
                self._expect(published)

    def _expect(self, published: Published) -> None:
        """
        Wait for somebody who feeds a stream.
        """
        published.unfed = asyncio.get_running_loop().call_later(UNFED, self._give_up, published.channel.stream_id)

    def _give_up(self, stream_id: str) -> None:
        if stream_id in self.published:
            logger.warning("The stream %s ends: nobody feeds it", stream_id)
            self.end(stream_id)

    # --- Watching.

    async def channel(self, stream_id: str) -> Channel:
        """
        Get a stream to read: an own one, or one of the network, which is received from now on. Who takes it reads, or
        it is left after a while.

        :raises StreamError: with one line, when it can't be had.
        """
        if stream_id not in self._channels:
            if stream_id not in self._joining:
                joining = self._joining[stream_id] = asyncio.ensure_future(self._join(stream_id))
                joining.add_done_callback(lambda _: self._joining.pop(stream_id, None))
            return await asyncio.shield(self._joining[stream_id])
        return self._channels[stream_id]

    async def _join(self, stream_id: str) -> Channel:
        """
        Begin to receive a stream.
        """
        if self._closed or len(self._channels) - len(self.published) >= MAX_WATCHED:
            msg = f"{MAX_WATCHED} streams are watched here already"
            raise TooManyError(msg)
        log = await self.network.watch(stream_id)
        on_air = next((each for each in self.network.on_air() if each.stream_id == stream_id), None)
        name, media_type = ("", "") if on_air is None else (on_air.name, on_air.media_type)
        channel = self._channels[stream_id] = Channel(stream_id, name, media_type, log, self._changed)
        self._told(channel, "joined")
        self._changed(channel)
        return channel

    def _changed(self, channel: Channel) -> None:
        """
        Somebody begins or ends to read: who receives for nobody leaves, after a while.
        """
        id = channel.stream_id  # noqa: A001
        waiting = self._leaving.pop(id, None)
        if waiting is not None:
            waiting.cancel()
        if not channel.readers and id not in self.published and self._channels.get(id) is channel:
            self._leaving[id] = asyncio.get_running_loop().call_later(LINGER, self._leave, channel)

    def _leave(self, channel: Channel) -> None:
        """
        Receive a stream no more.
        """
        self._leaving.pop(channel.stream_id, None)
        if self._channels.pop(channel.stream_id, None) is not None:
            channel.close()
            self.network.leave(channel.stream_id)
            self._told(channel, "left")

    # --- What there is.

    def on_air(self) -> list[OnAir]:
        """
        Get what runs now, as far as it is known here.
        """
        return self.network.on_air()

    def seen(self, stream_id: str) -> Channel | None:
        """
        Get a stream that is published or watched here now.
        """
        return self._channels.get(stream_id)

    @property
    def live(self) -> bool:
        """
        Does this node play or feed a live stream now?
        """
        return any(channel.watched for channel in self._channels.values()) \
            or any(published.fed for published in self.published.values())

    def _told(self, channel: Channel, state: str) -> None:
        self._tell(TOPIC, stream_id=channel.stream_id, name=channel.name, media_type=channel.media_type, state=state)

    def close(self) -> None:
        """
        End all streams of this node, and watch no more.
        """
        self._closed = True
        for stream_id in list(self.published):
            self.end(stream_id)
        for channel in list(self._channels.values()):
            channel.log.end("this node stopped")
            if (waiting := self._leaving.pop(channel.stream_id, None)) is not None:
                waiting.cancel()
            self._leave(channel)
        for joining in self._joining.values():
            joining.cancel()

    def shown(self, stream_id: str) -> dict[str, Any]:
        """
        Get what is known of a stream by having it here, as plain values: readers and how it comes in; all None or 0 for
        one that is not here.
        """
        channel, reception = self._channels.get(stream_id), self.network.reception(stream_id)
        return {"own": stream_id in self.published,
                "readers": 0 if channel is None else channel.readers,
                "watched": channel is not None and channel.watched,
                "buffered": None if channel is None else channel.log.size,
                "position": None if channel is None else channel.log.edge,
                "lost": None if channel is None else channel.log.lost,
                "skipped": None if channel is None else channel.skipped,
                "delay": None if reception is None else reception.delay,
                "sources": None if reception is None else list(reception.sources)}


def checked_name(name: str) -> str:
    """
    Get the name of a stream as others see it.

    :raises ImpossibleError: when it can't be one.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") for letter in name) \
            or len(name.encode()) > MAX_NAME:
        msg = f"a stream has a name of 1 to {MAX_NAME} bytes of text"
        raise ImpossibleError(msg)
    return name


def checked_type(media_type: str) -> str:
    """
    Get a media type without parameters; empty is unknown.

    :raises ImpossibleError: when it is none.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind and (len(kind) > MAX_MEDIA_TYPE or not MEDIA_TYPE.fullmatch(kind)):
        msg = "type must be a media type, such as video/mp2t"
        raise ImpossibleError(msg)
    return kind
