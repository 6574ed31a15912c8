"""
What can be fetched: a magnet link, an infohash, the id of a shared file, the path or the URL of a ``.torrent`` file.
"""
from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Final

from ..client import ClientError
from .check import HEX, refuse, shown, take_existing, take_mid
from .messages import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from .call import Call

MAX_TORRENT_FILE: Final = 16 * 1024 * 1024
"""Bytes of a ``.torrent`` file. One of a terabyte has below 4 MB; stops a wrong file from being read whole."""

INFOHASH_DIGITS: Final = 40
FILE_ID_DIGITS: Final = 64


async def begin(call: Call, source: str, peer: str | None, folder: Path | None) -> tuple[bytes, list[bytes]]:
    """
    Begin to fetch: get the infohash (20 bytes) and the mids of the local nodes that it is fetched from.
    """
    mid = None if peer is None else take_mid(peer)
    if HEX.fullmatch(source) and len(source) in (INFOHASH_DIGITS, FILE_ID_DIGITS):
        return await _from_neighbours(call, bytes.fromhex(source), mid, folder)
    torrents = call.control.following.torrents()
    what: str | bytes
    if source[:8].lower() == "magnet:?":
        what = source
    elif source[:8].lower().startswith(("http://", "https://")):
        what = await _download(source)
    elif source.startswith("/") or (len(source) > 2 and source[1] == ":"):
        what = await _read(take_existing(source, "source"))
    else:
        raise refuse("source must be a magnet link, an infohash, a file id, or the absolute path or the URL of a "
                     f".torrent file, not {shown(source)}")
    addresses = [] if mid is None else _addresses(call, mid)
    infohash = await torrents.fetch(what, addresses, folder=folder)
    return infohash, [] if mid is None else [mid]


async def _from_neighbours(call: Call, identifier: bytes, mid: bytes | None,
                           folder: Path | None) -> tuple[bytes, list[bytes]]:
    """
    Begin to fetch a torrent or a shared file from the local network, and from nobody else.
    """
    call.check_enabled()
    community = call.parts.community
    is_file = len(identifier) == FILE_ID_DIGITS // 2
    if folder is not None:
        if is_file:
            raise refuse("folder cannot be said for a shared file")
        return await _into(call, identifier, mid, folder)
    try:
        if is_file:
            return await _file(call, identifier, mid)
        return identifier, await community.download(identifier, mid)
    except KeyError as error:
        raise refuse(f"No node that is local now has the mid {mid.hex() if mid else ''}", 404) from error


async def _into(call: Call, infohash: bytes, mid: bytes | None, folder: Path) -> tuple[bytes, list[bytes]]:
    """
    Begin to fetch a torrent from the local network into a folder: begun with no peers, then it is only given them.
    """
    torrents = call.control.following.torrents()
    is_new = all(status.infohash != infohash for status in torrents.status())
    await torrents.fetch(infohash, (), folder=folder, lan_only=True)
    try:
        return await _from_neighbours(call, infohash, mid, None)
    except ClientError:
        if is_new:
            await torrents.stop(infohash)
        raise


async def _file(call: Call, file_id: bytes, mid: bytes | None) -> tuple[bytes, list[bytes]]:
    """
    Have a local node make a torrent of a file that it shares, and begin to fetch that.
    """
    def hashed(state: str, progress: float) -> None:
        call.tell(Progress, progress if state == "hashing" else None)

    return await call.parts.community.download_file(file_id, mid, hashed)


def _addresses(call: Call, mid: bytes) -> list[tuple[str, int]]:
    """
    Get where BitTorrent of a local node listens.
    """
    community = call.parts.community
    peer = community.get_local_peer(mid)
    if peer is None:
        raise refuse(f"No node that is local now has the mid {mid.hex()}", 404)
    addresses = community.torrent_addresses(peer)
    if not addresses:
        raise refuse("that node takes no BitTorrent connections now", 409)
    return addresses


async def _read(path: Path) -> bytes:
    """
    Get the content of a ``.torrent`` file.
    """
    return await asyncio.to_thread(read_torrent_file, path)


def read_torrent_file(path: Path) -> bytes:
    """
    Read a ``.torrent`` file, at most `MAX_TORRENT_FILE` of a regular file: a pipe would be read for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refuse(f"{shown(str(path))} is no file")
        with path.open("rb") as file:
            data = file.read(MAX_TORRENT_FILE + 1)
    except OSError as error:
        raise refuse(f"{shown(str(path))} cannot be read: {error.strerror}", 403) from error
    if len(data) > MAX_TORRENT_FILE:
        raise refuse(f"{shown(str(path))} is larger than {MAX_TORRENT_FILE} bytes: that is no .torrent file")
    return data


async def _download(url: str) -> bytes:
    """
    Get a ``.torrent`` file from a web server.
    """
    from ..feeds.web import Web  # noqa: PLC0415 (aiohttp costs start time)

    answer = await Web().get(url, MAX_TORRENT_FILE)
    if answer.body is None:
        raise refuse(f"{shown(url)} has nothing to give (304)", 503)
    return answer.body
