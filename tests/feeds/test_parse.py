"""Feeds as bytes: what is read of them, and what is refused in one line."""
from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.feeds.limits import MAX_ITEMS
from tribler_multicast.feeds.model import FeedError
from tribler_multicast.feeds.parse import ParsedFeed, ParsedItem, parse_feed

URL = "http://user:secret@feeds.example/programme/feed.xml?key=1"
NOW = 1_800_000_000.0
HASH = "0123456789abcdef0123456789abcdef01234567"


def rss(items: str = "", channel: str = "", head: str = '<?xml version="1.0"?>') -> bytes:
    return f'{head}<rss version="2.0"><channel><title>News</title>{channel}{items}</channel></rss>'.encode()


def parsed(items: str = "", channel: str = "") -> ParsedFeed:
    return parse_feed(rss(items, channel), URL, NOW)


def item(inner: str) -> ParsedItem:
    found = parsed(f"<item>{inner}</item>").items
    assert len(found) == 1
    return found[0]


def enclosure(url: str, kind: str = "application/x-bittorrent") -> str:
    return f'<enclosure url="{url}" type="{kind}" length="1"/>'


def refused(data: bytes, charset: str = "") -> str:
    with pytest.raises(FeedError) as caught:
        parse_feed(data, URL, NOW, charset)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_an_rss_item_has_title_link_source_and_date() -> None:
    found = item("<title>One &amp; two</title><link>http://feeds.example/1</link><guid>1</guid>"
                 "<pubDate>Sun, 05 Apr 2026 10:00:00 GMT</pubDate>" + enclosure("http://feeds.example/1.torrent"))
    assert (found.title, found.link, found.source) == ("One & two", "http://feeds.example/1",
                                                       "http://feeds.example/1.torrent")
    assert found.published == 1775383200.0


def test_an_atom_feed_is_read() -> None:
    feed = parse_feed(b'<feed xmlns="http://www.w3.org/2005/Atom"><title type="text">Atom</title><entry>'
                      b'<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>bold</b> title</div></title>'
                      b'<id>tag:1</id><updated>2026-04-05T10:00:00Z</updated><link href="/page"/>'
                      b'<link rel="enclosure" type="application/x-bittorrent" href="a.torrent"/></entry></feed>',
                      URL, NOW)
    assert feed.title == "Atom"
    assert [(found.title, found.source, found.link, found.published) for found in feed.items] == [
        ("A bold title", "http://user:secret@feeds.example/programme/a.torrent", "http://feeds.example/page",
         1775383200.0)]


@pytest.mark.parametrize(("inner", "source"), [
    (enclosure("http://h/a"), "http://h/a"),
    (enclosure("http://h/a.mp4", "video/mp4") + enclosure("http://h/b.torrent", ""), "http://h/b.torrent"),
    (enclosure("http://h/b.TORRENT?x=1", "") + enclosure("http://h/a"), "http://h/a"),
    (f"<link>magnet:?xt=urn:btih:{HASH}&amp;dn=x</link>", f"magnet:?xt=urn:btih:{HASH}&dn=x"),
    ("<link>http://h/a.torrent</link>", "http://h/a.torrent"),
    (f"<guid>magnet:?xt=urn:btih:{HASH}</guid>", f"magnet:?xt=urn:btih:{HASH}"),
    (f'<torrent xmlns="http://xmlns.ezrss.it/0.1/"><infoHash>{HASH}</infoHash></torrent>',
     f"magnet:?xt=urn:btih:{HASH}"),
    (f'<t:magnetURI xmlns:t="http://xmlns.ezrss.it/0.1/"><![CDATA[magnet:?xt=urn:btih:{HASH}]]></t:magnetURI>',
     f"magnet:?xt=urn:btih:{HASH}"),
    (('<m:group xmlns:m="http://search.yahoo.com/mrss/"><m:content type="application/x-bittorrent" url="http://h/m"/>'
      "</m:group>"), "http://h/m"),
    (enclosure("a b.torrent"), "http://user:secret@feeds.example/programme/a%20b.torrent"),
    (enclosure("ftp://h/a.torrent") + "<link>http://h/b.torrent</link>", "http://h/b.torrent"),
])
def test_the_torrent_of_an_item_is_found(inner: str, source: str) -> None:
    assert item(inner).source == source


@pytest.mark.parametrize("inner", [
    "", "<title>only text</title>", enclosure("http://h/a.mp3", "audio/mpeg"), enclosure("file:///etc/passwd"),
    enclosure("ftp://h/a.torrent"), enclosure("javascript:alert(1)"),
    enclosure("http://[::1/a.torrent"), enclosure("http://h/" + 3000 * "a"), enclosure("magnet:"),
    '<torrent xmlns="http://xmlns.ezrss.it/0.1/"><infoHash>no</infoHash></torrent>', "<item><guid>1</guid></item>"])
def test_items_without_a_torrent_that_can_be_fetched_are_left_out(inner: str) -> None:
    assert parsed(f"<item>{inner}</item>").items == []


def test_items_are_told_apart_by_guid_then_link_then_enclosure() -> None:
    link, first, second = "<link>http://h/page</link>", enclosure("http://h/1.torrent"), enclosure("http://h/2.torrent")

    def key(inner: str) -> str:
        return item(inner).key

    assert key("<guid>1</guid>" + link + first) == key("<guid>1</guid>" + second)
    assert key("<guid>1</guid>" + first) != key("<guid>2</guid>" + first)
    assert key(link + first) == key(link + second)
    assert key(first) != key(second)


def test_an_item_twice_counts_once_and_the_upper_one_counts() -> None:
    feed = parsed(f"<item><guid>1</guid><title>new</title>{enclosure('http://h/1')}</item>"
                  f"<item><guid>1</guid><title>old</title>{enclosure('http://h/2')}</item>")
    assert [found.title for found in feed.items] == ["new"]


def test_a_hostile_title_becomes_one_harmless_line() -> None:
    title = item("<title>\u202egnp.exe&#x9;a\nb\u2028c" + 5000 * "x" + "</title>" + enclosure("http://h/1")).title
    assert title.startswith("gnp.exe a b c")
    assert len(title) == 300
    assert title.isprintable()


def test_a_missing_title_is_made_of_the_link() -> None:
    assert item(enclosure("http://h/An%20episode.torrent")).title == "An episode.torrent"
    assert item(f"<link>magnet:?xt=urn:btih:{HASH}&amp;dn=Named</link>").title == "Named"


@pytest.mark.parametrize(("text", "seconds"), [
    ("Wed, 05 Apr 2090 10:00:00 GMT", NOW), ("2026-04-05T12:00:00+02:00", 1775383200.0), ("2026-04-05", 1775347200.0),
    ("yesterday", None), ("9" * 5000, None), ("Mon, 99 Abc 99999 99:99:99 +9999", None),
    ("0001-01-01T00:00:00Z", None)])
def test_dates_are_never_in_the_future_and_never_trusted(text: str, seconds: float | None) -> None:
    assert item(f"<pubDate>{text}</pubDate>" + enclosure("http://h/1")).published == seconds


def test_the_title_of_the_feeds_image_is_not_its_own() -> None:
    feed = parse_feed(b'<rss version="2.0"><channel><image><title>logo</title></image><title>Feed</title>'
                      b"<ttl> 60 </ttl></channel></rss>", URL, NOW)
    assert (feed.title, feed.ttl) == ("Feed", 3600.0)


@pytest.mark.parametrize("ttl", ["0", "-5", "x", "9" * 100, "1e9"])
def test_an_odd_ttl_is_none(ttl: str) -> None:
    assert parsed(channel=f"<ttl>{ttl}</ttl>").ttl is None


@pytest.mark.parametrize(("data", "charset"), [
    (rss(head='<?xml version="1.0" encoding="iso-8859-1"?>').replace(b"News", "Caf\xe9".encode("latin-1")), ""),
    (rss(head='<?xml version="1.0" encoding="utf-8"?>').replace(b"News", "Caf\xe9".encode("latin-1")), "ISO-8859-1"),
    ("\ufeff".encode() + rss().replace(b"News", "Caf\xe9".encode()), "iso-8859-1"),
    (rss(head='<?xml version="1.0" encoding="utf-16"?>').decode().replace("News", "Caf\xe9").encode("utf-16"), ""),
    (rss().replace(b"News", "Caf\xe9".encode()), ""),
    (rss().replace(b"News", "Caf\xe9".encode("cp1252")), '"windows-1252"')])
def test_character_sets_are_those_of_mark_header_and_declaration(data: bytes, charset: str) -> None:
    assert parse_feed(data, URL, NOW, charset).title == "Caf\xe9"


def test_empty_lines_before_the_declaration_do_no_harm() -> None:
    assert parse_feed(b"\r\n \n" + rss(), URL, NOW).title == "News"


def test_bytes_of_a_wrong_character_set_do_not_spoil_the_feed() -> None:
    assert parse_feed(rss().replace(b"News", b"Caf\xe9"), URL, NOW).title == "Caf\ufffd"


@pytest.mark.parametrize("charset", ["idna", "punycode", "zlib", "utf-7", "rot13", "x" * 5000, "unicode_escape"])
def test_character_sets_that_are_none_are_refused(charset: str) -> None:
    assert "unknown character set" in refused(rss(), charset)


ENTITIES = "".join(f'<!ENTITY e{number} "{10 * f"&e{number - 1};"}">' for number in range(1, 10))


@pytest.mark.parametrize(("data", "line"), [
    (b"<!DOCTYPE html><html><body><p>Hello", "is a web page, not a feed"),
    (b"<html><br></html>", "is a web page, not a feed"),
    (b"<!-- a --><!-- b --> <!doctype HTML>", "is a web page, not a feed"),
    (b'{"items": []}', "is JSON, not a feed"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "is an image, not a feed"),
    (b"%PDF-1.7", "is a PDF document, not a feed"),
    (b"d8:announce3:abc4:infodee", "is a .torrent file, not a feed"),
    (b"", "is empty"),
    (b"<rss><channel>", "is not well-formed XML (line 1, column 14)"),
    (b"<opml version='2.0'/>", "is neither RSS 2.0 nor Atom: its root element is 'opml'"),
    (b'<feed xmlns="urn:other"/>', "is neither RSS 2.0 nor Atom: its root element is 'feed'"),
    (f'<!DOCTYPE r [<!ENTITY e0 "lol">{ENTITIES}]><rss><channel><title>&e9;</title></channel></rss>'.encode(),
     "has a DTD or entities, which are refused"),
    (b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><title>&x;</title></channel></rss>',
     "has a DTD or entities, which are refused"),
    (b'<!DOCTYPE rss SYSTEM "http://127.0.0.1/evil.dtd"><rss/>', "has a DTD or entities, which are refused"),
    (b"<rss><channel>" + 100 * b"<a>", "has elements more than 64 deep"),
    (b"<rss><channel>" + 1_000_000 * b"<a/>", "has more than 200,000 elements"),
    (b"<rss " + b" ".join(b'a%d="x"' % number for number in range(9000)) + b"/>",
     "has a tag of more than 65,536 bytes"),
])
def test_what_is_no_feed_or_not_to_be_trusted_is_refused_in_one_line(data: bytes, line: str) -> None:
    start = time.monotonic()
    assert refused(data) == line
    assert time.monotonic() - start < 3.0


def test_of_a_hundred_thousand_items_the_upper_ones_are_read() -> None:
    feed = parsed("".join(f'<item><enclosure url="h{number}.torrent"/></item>' for number in range(100_000)))
    assert feed.cut
    assert len(feed.items) == MAX_ITEMS
    assert feed.items[0].source.endswith("/h0.torrent")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([
    b"<rss>", b"<channel>", b"<item>", b"</item>", b"</channel></rss>", b"<title>", b"</title>", b"<link>", b"</link>",
    b'<feed xmlns="http://www.w3.org/2005/Atom">', b"<entry>", b"<link href='a.torrent'/>", b"<guid>magnet:?x</guid>",
    b"<enclosure url='//[x/a.torrent'/>", b"<pubDate>2026", b"</pubDate>", b"<infoHash>", b"&#0;", b"&#xD800;",
    b"<![CDATA[", b"]]>", b"<?xml encoding='utf-16'?>", b"\xff\xfe", b"\xef\xbb\xbf"]), st.binary(max_size=20))),
    st.text(max_size=10))
def test_nothing_else_than_a_refusal_comes_of_any_bytes(parts: list[bytes], charset: str) -> None:
    for data in (b"".join(parts), b"<rss><channel>" + b"".join(parts) + b"</channel></rss>"):
        try:
            feed = parse_feed(data, URL, NOW, charset)
        except FeedError as error:
            assert str(error).isprintable()
        else:
            assert all(found.source.startswith(("http://", "https://", "magnet:")) for found in feed.items)
