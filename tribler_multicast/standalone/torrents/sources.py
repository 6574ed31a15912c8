"""
What a download begins with: an infohash, a magnet link, or the content of a ``.torrent`` file. All of them may come
from anybody, so all is bounded before it costs, and what libtorrent would take but we don't is refused here, in one
line.

Names are made harmless by libtorrent: ``..``, separators, control and direction characters, and what is no UTF-8 are
taken out of each part of a path, long ones are cut, and two files of one name get two names
(`tests/standalone/torrents/test_hostile.py`).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...client import ClientError
from ...torrent_files.making import MAX_TORRENT
from ...torrent_files.walking import MAX_FILES
from ...torrents import INFOHASH_SIZE
from .library import amount, shown_name, why

MAX_MAGNET: Final = 16_384
"""Characters of a magnet link: a megabyte of it is no link."""
MAX_PIECES: Final = 400_000
"""Pieces of a torrent: 6.5 TB in pieces of 16 MiB. Each costs memory for as long as it is there."""
MAX_DECODE_DEPTH: Final = 60
"""Lists in lists: the folders of a path are one list, so that four are enough. Deep nesting is an attack on parsers."""
MAX_DECODE_TOKENS: Final = 500_000
"""Values in a ``.torrent`` file: MAX_FILES files have about 8 each."""

LIMITS: Final = {"max_buffer_size": MAX_TORRENT, "max_pieces": MAX_PIECES, "max_decode_depth": MAX_DECODE_DEPTH,
                 "max_decode_tokens": MAX_DECODE_TOKENS}

SYMLINK: Final = 8
"""libtorrent's file_storage::flag_symlink."""
PAD_FILE: Final = 1
"""libtorrent's file_storage::flag_pad_file: never written to the disk."""


@dataclass(slots=True)
class Source:
    """
    What was asked for: libtorrent's parameters for it, the infohash, and the name as it may be shown.
    """

    parameters: Any
    infohash: bytes
    name: str
    private: bool = False


def read_source(lt: Any, source: bytes | str, *, lan_only: bool) -> Source:  # noqa: ANN401
    """
    Read what to download. It may take a tenth of a second: call it in a thread.

    :raises ClientError: with one line.
    """
    if isinstance(source, str):
        parameters = _magnet(lt, source)
    elif len(source) == INFOHASH_SIZE:
        parameters = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{source.hex()}")
    else:
        parameters = _torrent(lt, source)
    info = parameters.ti
    hashes = parameters.info_hashes if info is None else info.info_hashes()
    if not hashes.has_v1():
        message = "this torrent is BitTorrent v2 only: it has no infohash of 20 bytes"
        raise ClientError(message, 400)
    infohash = hashes.v1.to_bytes()
    result = Source(parameters, infohash, shown_name(parameters.name or "") or infohash.hex())
    if info is not None:
        result.name = shown_name(info.name())
        result.private = info.priv()
        check_info(info, lan_only=lan_only)
    parameters.dht_nodes = []  # of a DHT that we may not take part in; each would be asked by its name
    if lan_only:
        keep_to_the_lan(lt, parameters)
    return result


def keep_to_the_lan(lt: Any, parameters: Any) -> None:  # noqa: ANN401
    """
    Take out of a torrent whatever would look for peers or data beyond the peers that we name.
    """
    flags = lt.torrent_flags
    parameters.flags |= flags.disable_dht | flags.disable_pex | flags.disable_lsd
    parameters.trackers, parameters.url_seeds, parameters.http_seeds, parameters.peers = [], [], [], []


def check_info(info: Any, *, lan_only: bool) -> None:  # noqa: ANN401
    """
    Check metadata, whoever it came from.

    :raises ClientError: with one line.
    """
    if info.num_files() > MAX_FILES:
        message = f"a torrent of {info.num_files():,} files: more than {MAX_FILES:,} are not taken"
        raise ClientError(message, 413)
    files = info.files()
    if any(files.file_flags(index) & SYMLINK for index in range(files.num_files())):
        message = "a torrent with symbolic links is not taken: they would decide where data goes"
        raise ClientError(message, 400)
    if lan_only and info.priv():
        message = "this torrent is private: its own tracker alone may name peers, so that it isn't taken from the LAN"
        raise ClientError(message, 403)


def _magnet(lt: Any, link: str) -> Any:  # noqa: ANN401
    if len(link) > MAX_MAGNET:
        message = f"a magnet link of {len(link):,} characters is not read: {MAX_MAGNET:,} at most"
        raise ClientError(message, 413)
    try:
        return lt.parse_magnet_uri(link.strip())
    except (RuntimeError, ValueError) as error:
        message = f"this is no magnet link: {why(error)}"
        raise ClientError(message, 400) from None


def _torrent(lt: Any, content: bytes) -> Any:  # noqa: ANN401
    if len(content) > MAX_TORRENT:
        message = f"a .torrent file of {amount(len(content))} is not read: {amount(MAX_TORRENT)} at most"
        raise ClientError(message, 413)
    try:
        return lt.load_torrent_buffer(content, LIMITS)
    except (RuntimeError, ValueError) as error:
        message = f"this is no .torrent file that can be used: {why(error)}"
        raise ClientError(message, 400) from None
