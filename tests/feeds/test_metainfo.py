"""The infohash of .torrent files and magnet links, and what is neither."""
from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.feeds.metainfo import infohash_of, infohash_of_magnet
from tribler_multicast.feeds.model import FeedError

from .web import bencode, torrent_of

HASH = bytes(range(20))


def test_the_infohash_is_that_of_the_info_dictionary() -> None:
    infohash, data = torrent_of("a file")
    assert infohash_of(data) == infohash
    around = b"d8:announce4:http13:announce-listll1:aee" + data[1:-1] + b"8:url-list0:e"
    assert infohash_of(around) == infohash


@pytest.mark.parametrize(("data", "line"), [
    (b"", "is not a .torrent file but empty"),
    (b"<!DOCTYPE html>log in", "is not a .torrent file but a web page"),
    (b"<?xml version='1.0'?>", "is not a .torrent file but XML"),
    (b"de", "is not a .torrent file"),
    (b"d4:infoi1ee", "is not a .torrent file"),
    (b"d4:infod", "is not a .torrent file"),
    (b"d" + b"1:a" + b"l" * 1_000_000, "is not a .torrent file"),
    (b"d1:ai" + b"9" * 1_000_000 + b"e", "is not a .torrent file"),
    (b"d" + b"9" * 1_000_000 + b":", "is not a .torrent file"),
    (b"d999999999999:", "is not a .torrent file"),
])
def test_what_is_no_torrent_file_is_said_in_one_line(data: bytes, line: str) -> None:
    with pytest.raises(FeedError) as caught:
        infohash_of(data)
    assert str(caught.value) == line
    assert not caught.value.again


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_torrent_or_refused(data: bytes) -> None:
    for start in (b"", b"d", b"d4:infod", b"d1:al"):
        try:
            assert len(infohash_of(start + data)) == 20
        except FeedError:
            continue


def test_magnet_links_have_hexadecimal_or_base32_digits() -> None:
    assert infohash_of_magnet(f"magnet:?dn=x&xt=urn:btih:{HASH.hex().upper()}&tr=http://t") == HASH
    assert infohash_of_magnet("magnet:?xt=urn:btih:AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT") == HASH
    for link in ("magnet:?", "magnet:?xt=urn:btih:12", "magnet:?xt=" + HASH.hex(), "magnet:?" + 300 * "a=1&",
                 "magnet:?xt=urn:btmh:1220" + 32 * "00"):
        with pytest.raises(FeedError, match="without an infohash"):
            infohash_of_magnet(link)


def test_the_helper_writes_what_it_should() -> None:
    assert bencode({"b": [1, b"x"], "a": "y"}) == b"d1:a1:y1:bli1e1:xee"
