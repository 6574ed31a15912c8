"""
What comes from web servers and in files of others: feeds, torrents, magnet links; and what callers of the API and
players send: ranges, hosts, JSON.
"""
from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

from tribler_multicast.client import ClientError
from tribler_multicast.feeds.metainfo import infohash_of, infohash_of_magnet
from tribler_multicast.feeds.model import FeedError, clean_line, shown_url
from tribler_multicast.feeds.parse import parse_feed
from tribler_multicast.feeds.schedule import max_age, retry_after
from tribler_multicast.feeds.web import checked_url
from tribler_multicast.protocol.values import from_json, pack_values, to_json, unpack_values
from tribler_multicast.restapi.ranges import UnsatisfiableError, wanted
from tribler_multicast.restapi.security import HostPolicy
from tribler_multicast.settings import SETTINGS, SettingError, Settings
from tribler_multicast.torrent_files.making import bencode

from .harness import Target
from .mutation import value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "http://user:secret@feeds.example/programme/feed.xml?key=1"
NOW = 1_800_000_000.0
HASH = b"0123456789abcdef0123456789abcdef01234567"
RSS = (b'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><ttl>60</ttl>'
       b"<item><title>One &amp; two</title>"
       b"<link>http://feeds.example/1</link><guid>1</guid><pubDate>Sun, 05 Apr 2026 10:00:00 GMT</pubDate>"
       b'<enclosure url="http://feeds.example/1.torrent" type="application/x-bittorrent" length="1"/></item>'
       b"<item><title>Magnet</title><link>magnet:?xt=urn:btih:" + HASH + b"</link></item></channel></rss>")
ATOM = (b'<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">Atom</title><entry>'
        b'<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>bold</b> title</div></title>'
        b'<id>tag:1</id><updated>2026-04-05T10:00:00Z</updated><link href="/page"/>'
        b'<link rel="enclosure" type="application/x-bittorrent" href="a.torrent"/></entry></feed>')
TOKENS = (b"<item>", b"</item>", b"<title>", b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>]>", b"&a;", b"&#0;",
          b"<![CDATA[", b"]]>",
          b"<?xml version='1.0' encoding='utf-16'?>", b"<?xml version='1.0' encoding='utf-7'?>",
          b"encoding='big5'",
          b"\xff\xfe", b"\xef\xbb\xbf", b"xmlns:a='urn:a'", b"javascript:", b"//", b"http://[::1", b"file:///x",
          b"Sun, 99 Zzz 9999 99:99:99 +9999", b"9999-99-99T99:99:99Z", b"0001-01-01T00:00:00+23:59",
          b"<a " + b"b" * 500,
          b'url="', b"<entry>", b"<rss>", b"<feed>", b"<channel>")
TORRENT = bencode({b"announce": b"http://tracker.example/a", b"info": {b"name": b"film", b"piece length": 16384,
                                                                       b"pieces": bytes(20), b"length": 10}})
FOLDER = bencode({b"info": {b"files": [{b"length": 10, b"path": [b"a", b"b"]}, {b"length": 6, b"path": [b"..", b"c"]}],
                            b"name": b"root", b"piece length": 16384, b"pieces": bytes(20)}})
BENCODING = (b"d", b"l", b"e", b"i", b"i-0e", b"i99999999999999999999e", b"4:info", b"99999999999:", b"0:", b"d4:infod",
             b"6:pieces", b"12:piece lengthi0e", b"9:meta versioni2e", b"7:privatei1e", b"9:file treed")
MAGNET = b"magnet:?xt=urn:btih:" + HASH + b"&dn=film&tr=http%3A%2F%2Ftracker.example%2F&x.pe=10.0.0.1:6881"


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """
    Give it the input as text, as a program gets headers and arguments.
    """
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def accepted(read: Callable[..., object]) -> Callable[..., object]:
    """
    Count it as understood when it does not raise.
    """
    def take(*arguments: Any) -> bool:  # noqa: ANN401
        read(*arguments)
        return True

    return take


def change_settings(data: bytes) -> bool:
    """
    Change settings as a PATCH does, to values that JSON has.
    """
    random = Random(data)
    settings = Settings()
    settings.update({random.choice([*SETTINGS, "unknown"]): value(random) for _ in range(random.randrange(1, 3))})
    return True


def libtorrent() -> Iterator[Target]:
    """
    What reads torrents where libtorrent is installed.
    """
    try:
        import libtorrent as lt  # noqa: PLC0415
    except ImportError:
        return
    from tribler_multicast.standalone.torrents.sources import read_source  # noqa: PLC0415

    yield Target("torrent: .torrent to download", accepted(lambda data: read_source(lt, data, lan_only=True)),
                 (TORRENT, FOLDER), (ClientError,), BENCODING)
    yield Target("torrent: magnet link to download", text(accepted(lambda link: read_source(lt, link, lan_only=True))),
                 (MAGNET,), (ClientError,), (b"&xt=urn:btmh:", b"&tr=", b"&so=1-9", b"%", b"&ws=file:///"))


def parsers() -> Iterator[Target]:
    """
    One by one.
    """
    yield Target("feed: RSS and Atom", lambda data: parse_feed(data, URL, NOW).items, (RSS, ATOM), (FeedError,), TOKENS)
    yield Target("feed: in another character set", lambda data: parse_feed(data, URL, NOW, "utf-16").title is not None,
                 (RSS.decode().encode("utf-16"), RSS, ATOM), (FeedError,), TOKENS)
    yield Target("feed: infohash of a .torrent", infohash_of, (TORRENT, FOLDER), (FeedError,), BENCODING)
    yield Target("feed: magnet link", text(infohash_of_magnet), (MAGNET,), (FeedError,),
                 (b"%", b"&xt=", b"urn:btih:", b"["))
    yield Target("feed: address", text(accepted(lambda line: (checked_url(line), shown_url(line)))), (URL.encode(),),
                 (FeedError,), (b"@", b"//", b"[", b"]", b":99999", b"%zz", b"xn--", b"\xe2\x80\xae", b"file:",
                                b"0x7f.1"))
    yield Target("feed: when to come again", text(accepted(
        lambda line: (max_age(line), retry_after(line, NOW), clean_line(line)))),
        (b"max-age=60, public", b"Sun, 05 Apr 2026 10:00:00 GMT", b"120"), (), (b"9" * 400, b"max-age=", b"-", b"="),
        alike=True)
    yield from libtorrent()
    yield Target("player: Range", text(lambda line: wanted({"Range": line, "If-Range": "e"}, 10_000, "e") is not None),
                 (b"bytes=0-99", b"bytes=-5", b"bytes=9-"), (UnsatisfiableError,), (b"bytes=", b"-", b",", b"9" * 30))
    policy = HostPolicy()
    yield Target("API: Host", text(policy.permits_host), (b"127.0.0.1:8085", b"localhost", b"[::1]:80"), (),
                 (b"[", b"]", b":", b"@", b"%", b"127.0.0.1", b"xn--"))
    yield Target("API: values of an announcement", accepted(lambda data: from_json(json.loads(data))),
                 (json.dumps(to_json((1, b"x", "y", (2.5, None, True)))).encode(), b'[{"hex": "00ff"}]', b"[1,[2]]"),
                 (ValueError, RecursionError), (b"[" * 300, b'{"hex":"', b"1e999", b"NaN", b"\\ud800", b'"', b"null"))
    yield Target("API: settings", change_settings, (b"x" * 9, b"y"), (SettingError,))
    yield Target("values: there and back", lambda data: from_json(json.loads(json.dumps(to_json(unpack_values(data))))),
                 (pack_values((1, b"x", "y", (2.5, None, True))),), (ValueError,))
