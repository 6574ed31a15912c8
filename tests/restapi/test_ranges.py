"""
Ranges as RFC 9110 has them, by its own examples; and how files of strangers are labelled.
"""
from __future__ import annotations

import pytest

from tribler_multicast.restapi.media import media_headers
from tribler_multicast.restapi.ranges import UnsatisfiableError, matches, wanted

ETAG = '"abc"'


@pytest.mark.parametrize(("header", "some"), [
    ("bytes=0-499", range(500)), ("bytes=500-999", range(500, 1000)), ("bytes=-500", range(9500, 10000)),
    ("bytes=9500-", range(9500, 10000)), ("bytes=0-", range(10000)), ("bytes=0-0", range(1)),
    ("bytes=-20000", range(10000)), ("bytes=9999-9999999999999999999", range(9999, 10000)),
    ("Bytes = 1-2 ", range(1, 3))])
def test_one_range_is_that_range(header: str, some: range) -> None:
    assert wanted({"Range": header}, 10000, ETAG) == some


@pytest.mark.parametrize("header", [
    "", "bytes=", "bytes=-", "bytes=5", "bytes=5-4", "bytes=a-b", "items=0-5", "bytes=0-1,3-4", "bytes=0-1, 5-",
    "bytes=--5", "bytes=+1-2", "bytes=1-2x", "bytes=" + "9" * 5000 + "-", "bytes=\u0661-\u0662"])
def test_what_is_no_single_range_is_not_there(header: str) -> None:
    assert wanted({"Range": header}, 10000, ETAG) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=10000-", 10000), ("bytes=-0", 10000), ("bytes=0-", 0),
                                              ("bytes=-1", 0), ("bytes=20000-30000", 10000)])
def test_a_range_of_nothing_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        wanted({"Range": header}, size, ETAG)


def test_a_range_of_another_version_is_not_there() -> None:
    assert wanted({"Range": "bytes=1-2", "If-Range": ETAG}, 10, ETAG) == range(1, 3)
    for other in ('"abd"', 'W/"abc"', "Sun, 06 Nov 1994 08:49:37 GMT", ""):
        assert wanted({"Range": "bytes=1-2", "If-Range": other}, 10, ETAG) is None
        assert wanted({"Range": "bytes=99-", "If-Range": other}, 10, ETAG) is None


def test_a_version_is_known_again() -> None:
    assert matches('"x", W/"abc"', ETAG)
    assert matches(" * ", ETAG)
    assert not matches('"x"', ETAG)
    assert not matches(None, ETAG)


@pytest.mark.parametrize("name", [
    "page.html", "drawing.svg", "style.css", "script.js", "film.mp4.html", "README", "list.m3u8", "feed.xml",
    "book.pdf", "a.swf", ".mp4", "film.mp4/evil", "\u202egpj.exe"])
def test_what_may_run_is_an_attachment_of_no_type(name: str) -> None:
    headers = media_headers(f"folder/{name}")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment;")


def test_films_and_sound_are_played_and_everything_is_in_a_sandbox() -> None:
    for name, kind in (("a.MP4", "video/mp4"), ("b.mkv", "video/x-matroska"), ("c.flac", "audio/flac")):
        headers = media_headers(name)
        assert headers["Content-Type"] == kind
        assert headers["Content-Disposition"].startswith("inline;")
    for name in ("a.mp4", "a.html"):
        headers = media_headers(name)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("sandbox;")
        assert "allow" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ['a"b\r\nSet-Cookie: x=y.mp4', "Küche; filename=evil.exe.mp4", "\udcff.mp4"])
def test_a_name_says_nothing_but_a_name(name: str) -> None:
    disposition = media_headers(name)["Content-Disposition"]
    assert disposition.isascii()
    assert not set('"\r\n') & set(disposition)
    assert disposition.count(";") == 1
