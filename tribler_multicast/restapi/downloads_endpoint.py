"""
``POST /downloads``: a torrent from the local network, directly.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp_apispec import docs, json_schema

from .errors import RestError, json_response
from .request import read_object, read_query, shown
from .schemas import DownloadSchema, DownloadStartedSchema, answers

if TYPE_CHECKING:
    from ..community.local_peer import LocalPeer
    from .context import RestContext

MAX_TRIED = 20
"""Local peers that a download is tried at when none is named. Stops one call from contacting a whole LAN."""


class DownloadsRoom:
    """
    The call that starts a download.
    """

    def __init__(self, context: RestContext) -> None:
        """
        Download by the client.
        """
        self.context = context

    def routes(self) -> list[web.RouteDef]:
        """
        The paths of this room.
        """
        return [web.post("/downloads", self.download)]

    @docs(tags=["Multicast"], summary="Download a torrent, without anonymity, from a local peer or all of them.",
          responses=answers(DownloadStartedSchema, 400, 404, 409, 413, 422, 503))
    @json_schema(DownloadSchema)
    async def download(self, request: web.Request) -> web.Response:
        """
        Start a download; one that runs already is tried at the local peers too.
        """
        read_query(request)
        body = await read_object(request, ("infohash", "peer"))
        infohash, mid = _hex(body, "infohash"), _hex(body, "peer") if body.get("peer") is not None else None
        if infohash is None:
            raise RestError(422, "infohash is missing")
        peers = [peer for peer in self.context.community.local_peers() if mid is None or peer.mid == mid]
        if mid is not None and not peers:
            raise RestError(404, f"No node that is local now has the mid {mid.hex()}")
        tried = [(peer, address) for peer in peers if (address := _bittorrent(peer)) is not None][:MAX_TRIED]
        if mid is not None and not tried:
            raise RestError(409, "This node takes no BitTorrent connections now")
        try:
            await self.context.client.download(infohash, [address for _, address in tried])
        except NotImplementedError as error:
            raise RestError(503, "This node downloads no torrents") from error
        except ValueError as error:
            raise RestError(409, str(error)) from error
        return json_response({"infohash": infohash.hex(), "peers": [peer.mid.hex() for peer, _ in tried]})


def _bittorrent(peer: LocalPeer) -> tuple[str, int] | None:
    """
    Where a peer takes BitTorrent connections: at an address it was verified at, because what it says of others is its
    word only.
    """
    verified = {ip for _, ip, _ in peer.addresses}
    return next(((ip, port) for kind, ip, port in peer.services if kind == "libtorrent" and ip in verified), None)


def _hex(body: dict[str, Any], name: str) -> bytes | None:
    """
    A 20-byte id from a body; 422 when it is none.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{40}", value):
        raise RestError(422, f"{name} must be 40 hex digits, not {shown(value)}")
    return bytes.fromhex(value)
