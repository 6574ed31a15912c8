"""
The infohash of a ``.torrent`` file (BEP 3) or a magnet link (BEP 9), found without any library of BitTorrent.

It tells a torrent from a web page in one line before a client is bothered, and one torrent under two names as the same.
"""
from __future__ import annotations

import base64
import binascii
import re
from hashlib import sha1
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from .model import FeedError

MAX_NESTING: Final = 100
"""Lists in lists of a .torrent file. Real ones have four levels; a million would be a million steps for nothing."""

NUMBER: Final = re.compile(rb"-?[0-9]{1,20}e")
LENGTH: Final = re.compile(rb"[0-9]{1,12}:")

def infohash_of(data: bytes) -> bytes:
    """
    The infohash (20 bytes, of version 1) of the content of a ``.torrent`` file. Raises FeedError if it is none.
    """
    if data[:1] == b"d":
        span = _info_span(data)
        if span is not None:
            return sha1(data[span[0]:span[1]]).digest()
    message = f"is not a .torrent file{_kind(data)}"
    raise FeedError(message, 422, again=False)


def _kind(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return " but a web page"
    if start.startswith((b"<?xml", b"<rss", b"<feed")):
        return " but XML"
    return "" if data else " but empty"


def _info_span(data: bytes) -> tuple[int, int] | None:
    """
    Where in a bencoded dictionary the value of its key `info` is, None where there is none, or where it is damaged.
    """
    at, end = 1, len(data)
    while at < end and data[at:at + 1] != b"e":
        key_end = _skip(data, at)
        if key_end is None:
            return None
        value_end = _skip(data, key_end)
        if value_end is None:
            return None
        if data[at:key_end] == b"4:info":
            return (key_end, value_end) if data[key_end:key_end + 1] == b"d" else None
        at = value_end
    return None


def _skip(data: bytes, at: int) -> int | None:
    """
    Where the bencoded value that begins here ends; None if it is damaged.
    """
    depth = 0
    while True:
        kind = data[at:at + 1]
        if kind in (b"d", b"l"):
            depth += 1
            at += 1
            if depth > MAX_NESTING:
                return None
            continue
        if kind == b"e":
            depth -= 1
            at += 1
        elif kind == b"i":
            number = NUMBER.match(data, at + 1)
            if number is None:
                return None
            at = number.end()
        else:
            length = LENGTH.match(data, at)
            if length is None:
                return None
            at = length.end() + int(data[at:length.end() - 1])
        if depth < 0 or at > len(data):
            return None
        if depth == 0:
            return at


def infohash_of_magnet(link: str) -> bytes:
    """
    The infohash (20 bytes) that a magnet link names, in hexadecimal or base32. Raises FeedError where it names none.
    """
    try:
        topics = [value for name, value in parse_qsl(urlsplit(link).query, max_num_fields=200) if name == "xt"]
    except ValueError:
        topics = []
    for topic in topics:
        text = topic.lower().removeprefix("urn:btih:")
        if text != topic.lower() and (found := read_infohash(text)) is not None:
            return found
    message = "is a magnet link without an infohash"
    raise FeedError(message, 422, again=False)


def read_infohash(text: str) -> bytes | None:
    """
    The infohash that 40 hexadecimal or 32 base32 digits stand for, None if they don't.
    """
    text = text.strip()
    try:
        if re.fullmatch(r"[0-9a-fA-F]{40}", text):
            return bytes.fromhex(text)
        if re.fullmatch(r"[a-zA-Z2-7]{32}", text):
            return base64.b32decode(text.upper())
    except (ValueError, binascii.Error):
        return None
    return None
