"""
``GET /transfers/ID/data[/FILE]``: the content of a transfer, or a part of it, also while it arrives.
"""
from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web
from aiohttp_apispec import docs

from ..transfer.errors import TransferError
from ..transfer.service.transfer import ACTIVE, FAILED
from .errors import RestError, error_response
from .media import SAFE, media_headers
from .ranges import UnsatisfiableError, matches, wanted
from .request import read_query, shown
from .schemas import ErrorSchema
from .tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..transfer.service.transfer import Transfer
    from .context import RestContext

CHUNK: Final = 256 * 1024
"""Bytes read at once for one client, and the most that waits for it here: it reads at its own pace."""

MAX_READERS: Final = 64
"""Clients that are sent data at once. Stops a page in a loop from using up the file descriptors."""

FILES_PATIENCE: Final = 60.0
"""Seconds to wait until it is known which files there are: players give up about then."""

LOOK: Final = 0.5
"""Seconds between two looks whether a client that waits is still there, or which files there are."""


class Part(NamedTuple):
    """
    A file: its path, and where in the data of the transfer it is.
    """

    path: str
    start: int
    size: int


class DataRoom:
    """
    The data of transfers, for any number of clients.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Serve nobody yet.
        """
        self.context = context
        self.tokens = Tokens()
        self._readers = 0
        self._sent: Counter[Transfer] = Counter()
        """How many read from which transfer."""
        self._closing = asyncio.Event()
        context.control.parts.activities.playing.append(self._activity)

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        one = "/transfers/{id:[0-9a-fA-F]{16}}/data"
        return [web.get(one, self.get_data), web.get(one + "/{file:.+}", self.get_data)]

    def close(self) -> None:
        """
        Hang up: what is still to come would hold up the end of the server.
        """
        self._closing.set()

    @docs(tags=["Multicast"], summary="The content of a transfer, while it arrives too: what is not there yet is "
                                      "waited for. Of a folder, one of its files (data/FILE).",
          description="HTTP ranges (one at a time), HEAD, ETag and If-Range. What may run in a browser is sent as an "
                      "attachment, everything in a sandbox.",
          parameters=[{"in": "path", "name": "id", "type": "string", "description": "hex"},
                      {"in": "query", "name": "token", "type": "string", "required": False,
                       "description": "instead of the API key: that of GET /transfers/ID, for players"}],
          produces=["application/octet-stream", "video/*", "audio/*"],
          responses={200: {"description": "all of it"}, 206: {"description": "the range"},
                     **{status: {"schema": ErrorSchema} for status in (401, 404, 409, 416, 422, 503)}})
    async def get_data(self, request: web.Request) -> web.StreamResponse:
        """
        Send a file, or a range of it.
        """
        read_query(request, ("token",))
        transfer = self._transfer(request.match_info["id"].lower())
        with self._reading():
            part = await self._part(request, transfer)
            etag = _etag(transfer, part)
            headers = {**media_headers(part.path), "Accept-Ranges": "bytes", "ETag": etag}
            if matches(request.headers.get("If-None-Match"), etag):
                return web.Response(status=304, headers=headers)
            try:
                some = wanted(request.headers, part.size, etag)
            except UnsatisfiableError:
                return error_response(416, f"The range is behind the end: there are {part.size} bytes",
                                      headers={**SAFE, "Content-Range": f"bytes */{part.size}"})
            if some is not None:
                headers["Content-Range"] = f"bytes {some.start}-{some.stop - 1}/{part.size}"
            status, some = (200, range(part.size)) if some is None else (206, some)
            if request.method == "HEAD":
                return web.Response(status=status, headers={**headers, "Content-Length": str(len(some))})
            if transfer.state == FAILED and transfer.available(part.start + some.start, len(some)) < len(some):
                raise RestError(409, transfer.error or "the transfer failed")
            response = web.StreamResponse(status=status, headers=headers)
            response.content_length = len(some)
            await response.prepare(request)
            self._sent[transfer] += 1
            try:
                with self.context.playing():
                    await self._send(request, response, transfer,
                                     range(part.start + some.start, part.start + some.stop))
            finally:
                self._sent[transfer] -= 1
                self._sent += Counter()  # those that nobody reads are dropped
            return response

    def _activity(self) -> str | None:
        """
        Get what this node does for those who read: something that is here already needs no network.
        """
        return "on_demand" if any(transfer.state == ACTIVE for transfer in self._sent) else None

    def _transfer(self, id: str) -> Transfer:  # noqa: A002
        service = self.context.control.parts.transfers
        transfer = None if service is None else service.transfers.get(id)
        if transfer is None:
            raise RestError(404, f"there is no transfer {id}")
        return transfer

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """
        Be one of those who read.
        """
        if self._closing.is_set():
            raise RestError(503, "This node is stopping")
        if self._readers >= MAX_READERS:
            raise RestError(503, f"{MAX_READERS} readers are connected already")
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def _part(self, request: web.Request, transfer: Transfer) -> Part:
        """
        Find what is asked for, as soon as it is known which files there are.
        """
        wanted_file = request.match_info.get("file")
        deadline = asyncio.get_running_loop().time() + FILES_PATIENCE
        while (files := transfer.files) is None:
            if transfer.state == FAILED:
                raise RestError(409, transfer.error or "the transfer failed")
            if asyncio.get_running_loop().time() > deadline or self._closing.is_set():
                raise RestError(503, "It is not known yet which files there are")
            _check_client(request)
            await asyncio.sleep(LOOK)
        manifest = transfer.manifest
        if wanted_file is None:
            if manifest is not None and manifest.content.is_folder:
                raise RestError(409, "This is a folder: say which of its files, data/FILE")
            return Part(*files[0])
        found = next((each for each in files if each[0] == wanted_file), None)
        if found is None:
            raise RestError(404, f"There is no file {shown(wanted_file)} in it")
        return Part(*found)

    async def _send(self, request: web.Request, response: web.StreamResponse, transfer: Transfer, some: range) -> None:
        """
        Send a range of the data. A client that leaves ends it; when the data ends before its time, the connection is
        cut, because nothing else tells a client that something is missing.
        """
        at = some.start
        try:
            while at < some.stop:
                data = await self._read(request, transfer, at, min(CHUNK, some.stop - at))
                if not data:
                    break
                await response.write(data)
                at += len(data)
        except (TransferError, ConnectionError):
            pass
        if at < some.stop and request.transport is not None:
            request.transport.abort()

    async def _read(self, request: web.Request, transfer: Transfer, start: int, length: int) -> bytes:
        """
        Read some, as soon as there is some; nothing when this node stops.
        """
        reading = asyncio.ensure_future(transfer.read(start, length))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            while not reading.done():
                await asyncio.wait({reading, closing}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                if closing.done() and not reading.done():
                    return b""
                _check_client(request)
            return await reading
        finally:
            reading.cancel()
            closing.cancel()


def _check_client(request: web.Request) -> None:
    """
    Raise ConnectionResetError when nobody is left to send anything to.
    """
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client left")


def _etag(transfer: Transfer, part: Part) -> str:
    """
    The content id, and which of its files: what the bytes follow from.
    """
    return f'"{transfer.content_id.hex()}-{blake2b(part.path.encode(), digest_size=8).hexdigest()}"'
