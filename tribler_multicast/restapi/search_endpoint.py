"""
``GET /search``, ``GET /streams`` and ``/downloads``: what is on the LAN, and getting it.
"""
from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from ..client import ClientError
from ..control.messages import Found, ListStreams, Query
from ..protocol.file_requests import ASKING
from ..protocol.limits import MAX_QUERY
from ..protocol.queries import clean_text
from .downloading import BY_THE_CLIENT, fetch_of
from .errors import RestError, json_response
from .request import read_object, read_query, shown, take_flag, take_number
from .schemas import (
    DownloadingSchema,
    DownloadSchema,
    FileGivenUpSchema,
    FileWaitSchema,
    FoundListSchema,
    answers,
)
from .schemas_streams import StreamsSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..control.messages import Event
    from .context import RestContext
    from .tokens import Tokens

MIN_TIMEOUT, DEFAULT_TIMEOUT, MAX_TIMEOUT = 0.05, 1.0, 30.0
"""Seconds that a search may take. Neighbours answer within some milliseconds, and then it is over."""

LINES = "application/x-ndjson"

MAX_CALLS = 6
"""Searches at once. Each speaks to the whole LAN; stops a script in a loop from making this node shout."""

DEFAULT_WAIT, MAX_WAIT = 30.0, 120.0
"""Seconds that a call waits for a file to be hashed. Longer, and something in between takes the connection for dead."""

MID_DIGITS, INFOHASH_DIGITS, FILE_ID_DIGITS = 40, 40, 64

TIMEOUT_PARAMETER = {"in": "query", "name": "timeout", "type": "number", "required": False,
                     "description": f"seconds at most, {MIN_TIMEOUT:g} to {MAX_TIMEOUT:g}, default {DEFAULT_TIMEOUT:g}"}


class SearchRoom:
    """
    The calls about what others have.
    """

    def __init__(self, context: RestContext, tokens: Tokens) -> None:
        """
        Search by the community; tell these tokens.
        """
        self.context = context
        self.tokens = tokens
        self._calls = 0

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.get("/search", self.search, allow_head=False), web.get("/streams", self.streams, allow_head=False),
                web.post("/downloads", self.download), web.delete("/downloads/{file_id}", self.give_up)]

    @docs(tags=["Multicast"], summary="Search what local nodes have, by name. Over as soon as all have answered.",
          parameters=[{"in": "query", "name": "query", "type": "string", "required": True,
                       "description": f"words, at most {MAX_QUERY} bytes"}, TIMEOUT_PARAMETER,
                      {"in": "query", "name": "live", "type": "boolean", "required": False,
                       "description": "results as they come: a line of JSON (application/x-ndjson) each time something "
                                      "is new, or is known of one more peer, with just that"}],
          responses=answers(FoundListSchema, 422, 503))
    async def search(self, request: web.Request) -> web.StreamResponse:
        """
        Search; no answer is an empty list.
        """
        values = read_query(request, ("query", "timeout", "live"))
        text, timeout = _text(values), _timeout(values)
        if take_flag(values, "live"):
            return await self._search_live(request, Query(text, timeout=timeout))
        with self._call():
            return json_response(await self.context.ask(Query(text, timeout=timeout)))

    async def _search_live(self, request: web.Request, query: Query) -> web.StreamResponse:
        """
        Answer line by line. What is wrong from the beginning is an error as with other calls.
        """
        response = web.StreamResponse(headers={"Content-Type": LINES, "X-Content-Type-Options": "nosniff"})

        async def tell(event: Event) -> None:
            if isinstance(event, Found):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(json.dumps({"results": event.results}).encode() + b"\n")

        with self._call(), suppress(ConnectionError):  # who asked may go at any time
            try:
                await self.context.ask(query, tell)
            except RestError:
                if not response.prepared:  # Later, all that can be said is that no more comes.
                    raise
            if not response.prepared:
                await response.prepare(request)
        return response

    @docs(tags=["Multicast"], summary="What is streamed now, by local nodes and by this one.",
          parameters=[TIMEOUT_PARAMETER,
                      {"in": "query", "name": "known", "type": "boolean", "required": False,
                       "description": "only what is known here already: nobody is asked"}],
          responses=answers(StreamsSchema, 422, 503))
    async def streams(self, request: web.Request) -> web.Response:
        """
        Ask for streams.
        """
        values = read_query(request, ("timeout", "known"))
        timeout = _timeout(values)
        if take_flag(values, "known"):
            found = await self.context.ask(ListStreams(0.0))
        else:
            with self._call():
                found = await self.context.ask(ListStreams(timeout))
        return json_response({"streams": [
            {**each, "token": None if each["stream_id"] is None else self.tokens.token(each["stream_id"])}
            for each in found["streams"]]})

    @contextmanager
    def _call(self) -> Iterator[None]:
        """
        Count a search that is under way; what cannot be done now is 503.
        """
        self._check_enabled()
        if self._calls >= MAX_CALLS:
            raise RestError(503, f"{MAX_CALLS} searches are running already, try again later")
        self._calls += 1
        try:
            yield
        except ValueError as error:
            raise RestError(503, str(error)) from error
        finally:
            self._calls -= 1

    def _check_enabled(self) -> None:
        """
        503 when there is nobody to ask.
        """
        if not self.context.options["enabled"]:
            raise RestError(503, "This node is switched off, the setting enabled is false")

    @docs(tags=["Multicast"], summary="Download a torrent from local nodes directly, not anonymously; or a file that "
          "one of them shares, which is hashed first: 202 while that lasts, the same call again goes on where it is.",
          responses={**answers(DownloadingSchema, 400, 404, 409, 413, 422, 503), 202: {"schema": FileWaitSchema}})
    @json_schema(DownloadSchema)
    async def download(self, request: web.Request) -> web.Response:
        """
        Begin a download; how it goes on is shown by the client.
        """
        read_query(request)
        body = await read_object(request, ("infohash", "file_id", "peer", "timeout", *BY_THE_CLIENT))
        if body.keys() & set(BY_THE_CLIENT):
            return json_response(await self.context.ask(fetch_of(body)))
        peer = None if body.get("peer") is None else _hex(body, "peer", MID_DIGITS)
        if (body.get("infohash") is None) == (body.get("file_id") is None):
            raise RestError(422, "One of infohash and file_id must be there, and only one")
        if body.get("infohash") is not None and "timeout" in body:
            raise RestError(422, "timeout is for a file_id: a torrent is not waited for")
        try:
            if body.get("file_id") is not None:
                file_id = _hex(body, "file_id", FILE_ID_DIGITS)
                timeout = take_number(body, "timeout", DEFAULT_WAIT, 0, MAX_WAIT)
                self._check_enabled()
                return await self._download_file(file_id, peer, timeout)
            infohash = _hex(body, "infohash", INFOHASH_DIGITS)
            self._check_enabled()
            mids = await self.context.community.download(infohash, peer)
        except KeyError as error:
            raise RestError(404, f"No node that is local now has the mid {body['peer']}") from error
        except ClientError as error:
            raise RestError(error.status, str(error)) from error
        return json_response({"infohash": infohash.hex(), "peers": [mid.hex() for mid in mids]})

    async def _download_file(self, file_id: bytes, peer: bytes | None, timeout: float) -> web.Response:
        """
        Begin to get a shared file, or look how that goes on, and wait a while; it goes on without anybody waiting.
        """
        community = self.context.community
        fetch = community.begin_fetch(file_id, peer)
        fetch.lasting = True
        assert fetch.task is not None
        await asyncio.wait((fetch.task,), timeout=timeout)
        if not fetch.task.done():
            progress = None if fetch.state == ASKING else fetch.progress
            return json_response({"file_id": file_id.hex(), "state": fetch.state, "progress": progress}, 202)
        community.told(fetch)
        if fetch.task.cancelled():
            raise RestError(409, "It was given up")
        infohash, mids = fetch.task.result()
        return json_response({"infohash": infohash.hex(), "peers": [mid.hex() for mid in mids],
                              "file_id": file_id.hex()})

    @docs(tags=["Multicast"], summary="Give up a shared file that is waited for; a download that has begun goes on.",
          parameters=[{"in": "path", "name": "file_id", "type": "string", "required": True, "description": "hex"}],
          responses=answers(FileGivenUpSchema, 400, 404, 413, 422))
    async def give_up(self, request: web.Request) -> web.Response:
        """
        Wait for a file no more.
        """
        read_query(request)
        await read_object(request, (), empty_is_object=True)
        file_id = _hex(request.match_info, "file_id", FILE_ID_DIGITS)
        if not self.context.community.give_up_file(file_id):
            raise RestError(404, f"No file with the id {file_id.hex()} is waited for")
        return json_response({"file_id": file_id.hex()})


def _text(values: Mapping[str, str]) -> str:
    """
    The words to look for; 422 when there are none or too many.
    """
    text = values.get("query", "")
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise RestError(422, "query must be text") from error
    if not clean_text(raw, len(raw)):
        raise RestError(422, "query must say what to look for")
    if len(raw) > MAX_QUERY:
        raise RestError(422, f"query must be at most {MAX_QUERY} bytes, not {len(raw)}")
    return text


def _timeout(values: Mapping[str, str]) -> float:
    """
    The seconds that are allowed; 422 when they cannot be.
    """
    text = values.get("timeout", str(DEFAULT_TIMEOUT))
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", text, re.ASCII) \
            or not MIN_TIMEOUT <= float(text) <= MAX_TIMEOUT:
        raise RestError(422, f"timeout must be a number from {MIN_TIMEOUT:g} to {MAX_TIMEOUT:g}, not {shown(text)}")
    return float(text)


def _hex(body: Mapping[str, Any], name: str, digits: int) -> bytes:
    """
    An infohash, file id or mid; 422 when it is none.
    """
    text = body.get(name)
    if not isinstance(text, str) or not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", text):
        raise RestError(422, f"{name} must be {digits} hex digits, not {shown(text)}")
    return bytes.fromhex(text)
