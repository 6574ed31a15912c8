"""
Live streams: ``POST /streams``, fed by ``PUT /streams/ID/data``, played by ``GET /streams/ID`` or as a playlist of
segments, ended by ``DELETE /streams/ID``.
"""
from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..control.stream_messages import EndStream, PublishStream
from ..control.streams import refused
from ..streams.channel import FIRST, LIVE, Reader
from ..streams.errors import GoneError, StreamError
from ..streams.limits import CHUNK, FIRST_SEGMENT, MAX_READERS
from .errors import RestError, json_response
from .media import OTHER, PLAYABLE, SAFE
from .request import read_object, read_query, shown
from .schemas import ErrorSchema, answers
from .schemas_streams import EndedStreamSchema, FedStreamSchema, PublishStreamSchema, StreamSchema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..streams.channel import Channel
    from ..streams.streams import Streams
    from .context import RestContext
    from .tokens import Tokens

ID: Final = {"in": "path", "name": "id", "type": "string", "description": "of the stream, hex"}
TOKEN: Final = {"in": "query", "name": "token", "type": "string", "required": False,
                "description": "instead of the API key: that of GET /streams, for players"}
TYPES: Final = frozenset(PLAYABLE.values())
"""What a stream may be served as: nothing of it runs in a browser. Whatever else it says that it is, it is bytes."""

PLAYLIST: Final = "application/vnd.apple.mpegurl"
SEGMENTS: Final = {"ts": "video/mp2t", "m4s": "video/mp4"}
LOOK: Final = 0.1
"""Seconds between two looks whether a playlist has a segment."""


class StreamsRoom:
    """
    The calls about live streams, but for the list (that is a search).
    """

    def __init__(self, context: RestContext, tokens: Tokens) -> None:
        """
        Serve nobody yet; tell these tokens.
        """
        self.context = context
        self.tokens = tokens
        self._readers = 0
        self._closing = asyncio.Event()
        context.control.parts.activities.playing.append(self._activity)

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        one = "/streams/{id:[0-9a-fA-F]{64}}"
        return [web.post("/streams", self.publish), web.put(one + "/data", self.feed),
                web.get(one, self.play, allow_head=False), web.delete(one, self.end),
                web.get(one + "/playlist.m3u8", self.playlist, allow_head=False),
                web.get(one + "/init.mp4", self.head, allow_head=False),
                web.get(one + "/{number:[0-9]{1,12}}.{extension:ts|m4s}", self.segment, allow_head=False)]

    def for_players(self) -> list[Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        """
        What the token of a stream opens.
        """
        return [self.play, self.playlist, self.head, self.segment]

    def close(self) -> None:
        """
        Hang up.
        """
        self._closing.set()

    # --- Publishing.

    @docs(tags=["Multicast"], summary="Begin a live stream: feed it with PUT, or let it come from a URL.",
          responses=answers(StreamSchema, 400, 409, 413, 422, 503))
    @json_schema(PublishStreamSchema)
    async def publish(self, request: web.Request) -> web.Response:
        """
        Begin one, and show it.
        """
        read_query(request)
        body = await read_object(request, ("name", "type", "source"))
        if body.get("name") is None:
            raise RestError(422, "name must say what the stream is called")
        view = await self.context.ask(PublishStream(body["name"], body.get("type") or "", body.get("source")))
        return json_response({**view, "token": self.tokens.token(view["stream_id"])})

    @docs(tags=["Multicast"], summary="Feed a stream of this node, for as long as the body lasts (chunked). Its end "
                                      "does not end the stream: the next goes on.",
          parameters=[ID], consumes=["application/octet-stream"],
          responses=answers(FedStreamSchema, 404, 409, 422, 503))
    async def feed(self, request: web.Request) -> web.Response:
        """
        Append what comes.
        """
        read_query(request)
        stream_id = request.match_info["id"].lower()
        got = 0
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            with self._streams().feeding(stream_id) as published, self.context.playing():
                while True:
                    reading = asyncio.ensure_future(request.content.read(CHUNK))
                    await asyncio.wait((reading, closing), return_when=asyncio.FIRST_COMPLETED)
                    if not reading.done():
                        reading.cancel()
                        raise RestError(503, "This node is stopping")
                    data = reading.result()
                    if not data or published.publication.log.ended:
                        break
                    got += len(data)
                    await published.append(data)
        except StreamError as error:
            raise _rest(error) from error
        finally:
            closing.cancel()
        return json_response({"stream_id": stream_id, "received": got})

    @docs(tags=["Multicast"], summary="End a stream of this node: its players get what there is, and the end.",
          parameters=[ID], responses=answers(EndedStreamSchema, 404, 422, 503))
    async def end(self, request: web.Request) -> web.Response:
        """
        End it.
        """
        read_query(request)
        return json_response(await self.context.ask(EndStream(request.match_info["id"])))

    # --- Playing.

    @docs(tags=["Multicast"], summary="A live stream, as one that goes on until it ends or the player leaves.",
          parameters=[ID, TOKEN, {"in": "query", "name": "from", "type": "string", "required": False,
                                  "description": "live: the newest place where a player can begin (default); first: "
                                                 "the first byte that is kept"}],
          produces=["application/octet-stream", *sorted(TYPES)],
          responses={200: {"description": "the stream"},
                     **{status: {"schema": ErrorSchema} for status in (401, 404, 409, 422, 503)}})
    async def play(self, request: web.Request) -> web.StreamResponse:
        """
        Send it.
        """
        start = read_query(request, ("token", "from")).get("from", LIVE)
        if start not in (LIVE, FIRST):
            raise RestError(422, f"from must be live or first, not {shown(start)}")
        with self._reading():
            channel = await self._channel(request)
            with channel.reading(), self.context.playing():
                response = web.StreamResponse(headers={**_headers(channel), "Cache-Control": "no-store"})
                await response.prepare(request)
                await self._send(request, response, Reader(channel, start))
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, reader: Reader) -> None:
        """
        Send a stream at the pace of its reader. When something of it is missing that must not be, the connection is
        cut, because nothing else tells it.
        """
        closing = asyncio.ensure_future(self._closing.wait())
        reading: asyncio.Future[bytes] | None = None
        try:
            while not closing.done():
                reading = asyncio.ensure_future(reader.read())
                while not reading.done():
                    await asyncio.wait((reading, closing), timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                    if closing.done() or request.transport is None or request.transport.is_closing():
                        return
                data = reading.result()
                if not data:
                    return
                await response.write(data)
        except (GoneError, ConnectionError):
            if request.transport is not None:
                request.transport.close()
        finally:
            closing.cancel()
            if reading is not None:
                reading.cancel()

    @docs(tags=["Multicast"], summary="A stream as a playlist (HLS): MPEG-TS and fragmented MP4.",
          parameters=[ID, TOKEN], produces=[PLAYLIST],
          responses={200: {"description": "the playlist"},
                     **{status: {"schema": ErrorSchema} for status in (401, 404, 409, 422, 503)}})
    async def playlist(self, request: web.Request) -> web.Response:
        """
        Write the playlist, as soon as there is a segment.
        """
        token = read_query(request, ("token",)).get("token", "")
        channel = await self._channel(request)
        if not channel.has_playlist:
            raise RestError(409, "There is no playlist of a stream of this type, only the stream itself")
        deadline = asyncio.get_running_loop().time() + FIRST_SEGMENT
        while channel.playlist.empty:
            channel.play()
            if channel.log.ended or self._closing.is_set() or asyncio.get_running_loop().time() > deadline:
                raise RestError(503, "No segment of this stream is there yet")
            await asyncio.sleep(LOOK)
        channel.play()
        query = f"?token={self.tokens.token(channel.stream_id)}" if token else ""
        scanner = channel.scanner
        assert scanner is not None
        text = channel.playlist.text(lambda number: f"{number}.{scanner.extension}{query}",
                                     "" if scanner.repeats_head else f"init.mp4{query}")
        return web.Response(body=text.encode(), headers={**SAFE, "Content-Type": PLAYLIST, "Cache-Control": "no-store"})

    @docs(tags=["Multicast"], summary="What players of a playlist need before its segments.", parameters=[ID, TOKEN],
          produces=["video/mp4"], responses={200: {"description": "the initialisation segment"},
                                             **{status: {"schema": ErrorSchema} for status in (401, 404, 422, 503)}})
    async def head(self, request: web.Request) -> web.Response:
        """
        Send the initialisation segment.
        """
        read_query(request, ("token",))
        channel = await self._channel(request)
        if channel.scanner is None or channel.scanner.repeats_head or not channel.scanner.head:
            raise RestError(404, "This stream has no initialisation segment")
        return web.Response(body=channel.scanner.head, headers={**SAFE, "Content-Type": "video/mp4"})

    @docs(tags=["Multicast"], summary="A segment of a playlist.",
          parameters=[ID, TOKEN, {"in": "path", "name": "number", "type": "integer"},
                      {"in": "path", "name": "extension", "type": "string"}],
          produces=sorted(SEGMENTS.values()),
          responses={200: {"description": "the segment"},
                     **{status: {"schema": ErrorSchema} for status in (401, 404, 422, 503)}})
    async def segment(self, request: web.Request) -> web.StreamResponse:
        """
        Send a segment, while it is kept.
        """
        read_query(request, ("token",))
        with self._reading():
            channel = await self._channel(request)
            channel.play()
            scanner, extension = channel.scanner, request.match_info["extension"]
            found = channel.playlist.segment(int(request.match_info["number"]))
            if scanner is None or found is None or scanner.extension != extension:
                raise RestError(404, "This segment is not kept, or not there yet")
            head = scanner.head if scanner.repeats_head else b""
            response = web.StreamResponse(headers={**SAFE, "Content-Type": SEGMENTS[extension]})
            response.content_length = len(head) + found.end - found.start
            await response.prepare(request)
            try:
                if head:
                    await response.write(head)
                at = found.start
                while at < found.end:
                    data = channel.log.read(at, min(CHUNK, found.end - at))
                    await response.write(data)
                    at += len(data)
            except (GoneError, ConnectionError):
                if request.transport is not None:
                    request.transport.close()
            return response

    # --- Shared.

    def _activity(self) -> str | None:
        """
        Get what this node does with live streams.
        """
        streams = self.context.control.parts.streams
        return "live" if streams is not None and streams.live else None

    def _streams(self) -> Streams:
        streams = self.context.control.parts.streams
        if not self.context.options["enabled"]:
            raise RestError(503, "This node is switched off, the setting enabled is false")
        if streams is None:
            raise RestError(503, "this node streams nothing")
        return streams

    async def _channel(self, request: web.Request) -> Channel:
        try:
            return await self._streams().channel(request.match_info["id"].lower())
        except StreamError as error:
            raise _rest(error) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """
        Be one of those who read.
        """
        if self._closing.is_set():
            raise RestError(503, "This node is stopping")
        if self._readers >= MAX_READERS:
            raise RestError(503, f"{MAX_READERS} players are connected already")
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1


def _rest(error: StreamError) -> RestError:
    known = refused(error)
    return RestError(known.status, str(known))


def _headers(channel: Channel) -> dict[str, Any]:
    """
    Get the headers of a stream: data, never a page.
    """
    kind = channel.media_type if channel.media_type in TYPES else OTHER
    return {**SAFE, "Content-Type": kind, "Content-Disposition": "inline" if kind != OTHER else "attachment"}
