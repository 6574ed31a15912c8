"""
A stream from a URL: sound or pictures that come by HTTP, without end or with one, asked for again when the connection
breaks. Where redirects lead is bounded as for feeds: a far server must not make this node read something near.
"""
from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..client import ClientError
from ..feeds.addresses import MACHINE
from ..feeds.limits import MAX_REDIRECTS
from ..feeds.model import FeedError
from ..feeds.web import REDIRECTS, Web, checked_url, redirected
from ..streams.errors import StreamError
from ..streams.limits import CHUNK, MAX_SOURCE_FAILURES, SOURCE_PAUSES, SOURCE_SILENCE
from .check import refuse

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

    from ..streams.streams import Published, Streams

logger = logging.getLogger(__name__)

FINAL: Final = frozenset({400, 401, 403, 404, 405, 410, 451})
"""Answers that do not change by asking again."""


def source_url(text: str) -> URL:
    """
    Get the URL of a source; 422 for anything but HTTP.
    """
    try:
        return checked_url(text)
    except FeedError as error:
        raise refuse(str(error), 422) from error


class Source:
    """
    Feeds a stream from a URL until that has an end.
    """

    def __init__(self, streams: Streams, published: Published, url: URL) -> None:
        """
        Begin.
        """
        self._streams = streams
        self._published = published
        self._url = url
        self._web = Web(silence=SOURCE_SILENCE)
        self._failures = 0
        published.source = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        """
        Feed the stream, and end it with the source.
        """
        stream_id, pause = self._published.channel.stream_id, SOURCE_PAUSES[0]
        with suppress(StreamError), self._streams.feeding(stream_id):
            while not await self._feed() and self._failures < MAX_SOURCE_FAILURES:
                pause = SOURCE_PAUSES[0] if not self._failures else min(2 * pause, SOURCE_PAUSES[1])
                self._failures += 1
                await asyncio.sleep(pause)
        self._published.source = None
        with suppress(StreamError):
            self._streams.end(stream_id)

    async def _feed(self) -> bool:
        """
        Ask once, and feed what comes; True when that was all, or asking again is of no use.
        """
        url, near = self._url, MACHINE
        try:
            for _ in range(MAX_REDIRECTS + 1):
                async with self._web.request("GET", url, near, headers={"Accept-Encoding": "identity"}) as (answer,
                                                                                                            place):
                    if answer.status not in REDIRECTS:
                        return await self._take(answer)
                    url = redirected(url, answer)
                    near = place.bound(url)
        except (FeedError, ClientError) as error:
            logger.info("The source of the stream %s: %s", self._published.channel.stream_id, error)
            self._published.trouble = str(error)
        return False

    async def _take(self, answer: aiohttp.ClientResponse) -> bool:
        """
        Feed an answer.
        """
        if answer.status != 200:
            self._published.trouble = f"the source answers {answer.status}"
            return answer.status in FINAL
        got = 0
        while data := await answer.content.read(CHUNK):
            got += len(data)
            self._failures, self._published.trouble = 0, None
            await self._published.append(data)
        # One that has a length and came whole is a file; all else goes on, and just lost its connection.
        return answer.content_length is not None and got >= answer.content_length
