"""
Feeds as bytes: RSS 2.0 (with the Atom, torrent and media namespaces) and Atom (RFC 4287) read into a list of items.

Read as a stream of events into what is kept and nothing else, so that a hostile document costs its own size and a
bounded number of steps. No DTD, hence no entities and nothing external. Of an item one torrent is taken, the first of:
an enclosure of type ``application/x-bittorrent``, an enclosure or link that ends in ``.torrent`` or is a magnet link,
the torrent namespace's ``magnetURI``, its ``infoHash``. Items without any are none of ours.
"""
from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit
from xml.etree.ElementTree import ParseError

from ..settings import shown
from .limits import MAX_DEPTH, MAX_ELEMENTS, MAX_ITEMS, MAX_TAG, MAX_TEXT, MAX_URL
from .metainfo import read_infohash
from .model import FeedError, clean_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATOM: Final = "http://www.w3.org/2005/Atom"
TORRENT_TYPE: Final = "application/x-bittorrent"

SCALARS: Final = {"title": "title", "guid": "id", "id": "id", "pubDate": "date", "published": "date",
                  "updated": "changed", "ttl": "ttl"}
"""Elements of which the text is kept, and as what; Dublin Core's and others' have other namespaces."""

ENCODING: Final = re.compile(
    r"utf-?(8|16|32)(-?[bl]e)?|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?\d{1,2}|windows-?\d{3,4}|cp\d{3,4}|koi8-[rut]"
    r"|mac-?roman|shift_?-?jis|sjis|euc-?(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5(-?hkscs)?|tis-620", re.IGNORECASE)
"""Names of character sets that texts are written in. Python knows codecs that are none, and some that take for ever."""

BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
               (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")

# pyexpat makes a dictionary of all attributes before anybody can count them: 4 MiB of them take a second and 100 MiB.
LONG_TAG: Final = re.compile(rb"<[A-Za-z_:][^<>]{%d}" % MAX_TAG)

MAGIC: Final = ((b"\x89PNG", "an image"), (b"\xff\xd8\xff", "an image"), (b"GIF8", "an image"),
                (b"RIFF", "a media file"), (b"%PDF", "a PDF document"),
                (b"PK\x03\x04", "an archive"), (b"\x1f\x8b", "an archive"),
                (b"d8:announce", "a .torrent file"), (b"d4:info", "a .torrent file"), (b"{", "JSON"), (b"[", "JSON"))


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """
    An item: `key` tells it from the others of its feed, `source` is a URL of a ``.torrent`` file or a magnet link.
    """

    key: str
    title: str
    link: str
    source: str
    published: float | None


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """
    A feed: its title, the seconds it asks to be left alone for (None if it does not), its items from the top down, each
    key once; `cut` if there were more than MAX_ITEMS.
    """

    title: str
    ttl: float | None
    items: list[ParsedItem]
    cut: bool = False


@dataclass(slots=True)
class _Item:
    texts: dict[str, str] = field(default_factory=dict)
    link: str = ""
    sources: dict[int, str] = field(default_factory=dict)

    def offer(self, rank: int, source: str) -> None:
        """
        Take a source if there is none of this rank: the first in the document counts.
        """
        source = source.strip()
        if source and len(source) <= MAX_URL:
            self.sources.setdefault(rank, source)


class _EnoughError(Exception):
    """
    The rest of the document is not looked at.
    """


def parse_feed(data: bytes, url: str, now: float, charset: str = "") -> ParsedFeed:
    """
    Read a feed that came from this URL, with this character set by its HTTP header. `now`: seconds since 1970.

    Raises FeedError in one line for what is no feed, or is not to be trusted. Takes up to a second: for a thread.
    """
    # defusedxml loads a parser of its own: only those who have feeds pay for it.
    from defusedxml import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import DefusedXMLParser  # noqa: PLC0415

    text = _decoded(data, charset)
    if LONG_TAG.search(text):
        raise _no_feed(f"has a tag of more than {MAX_TAG:,} bytes")
    reader = _Reader(url, now)
    parser = DefusedXMLParser(target=reader, encoding="utf-8", forbid_dtd=True)
    try:
        parser.feed(text)
        parser.close()
    except _EnoughError:
        return reader.result(cut=True)
    except DefusedXmlException:
        # A web page that begins with <!DOCTYPE html> is one, not an attack.
        raise _no_feed(_kind(data) or "has a DTD or entities, which are refused") from None
    except ParseError as error:
        line, column = error.position
        raise _no_feed(_kind(data) or f"is not well-formed XML (line {line}, column {column})") from None
    except (ValueError, RecursionError):
        raise _no_feed("is not well-formed XML") from None
    return reader.result(cut=False)


def _no_feed(message: str) -> FeedError:
    return FeedError(message, 422)


def _kind(data: bytes) -> str:
    """
    What a document is that is no feed, as a sentence's end; "" if that can't be told.
    """
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "is empty"
    while start.startswith(b"<!--"):
        start = start.partition(b"-->")[2].lstrip()
    if re.match(rb"<(!doctype\s{1,9}html|html|head|body)\b", start, re.IGNORECASE):
        return "is a web page, not a feed"
    return next((f"is {kind}, not a feed" for magic, kind in MAGIC if start.startswith(magic)), "")


def _decoded(data: bytes, charset: str) -> bytes:
    """
    The document as UTF-8. What says the character set, in this order: the byte order mark, the HTTP header, the XML
    declaration (RFC 7303 3.2); bytes that are not of it are replaced.
    """
    name = next((name for mark, name in BOMS if data.startswith(mark)), "")
    if not name:
        declared = DECLARED.match(data)
        name = charset.strip("\"' ") or (declared[1].decode("ascii") if declared else "utf-8")
    if not ENCODING.fullmatch(name):
        raise _no_feed(f"has the unknown character set {shown(name)}")
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        raise _no_feed(f"has the unknown character set {shown(name)}") from None
    # Empty lines before the declaration are the most common fault of feeds, and do no harm.
    return text.removeprefix("\ufeff").lstrip().encode("utf-8", "replace")


class _Reader:
    """
    Target of the XML parser: keeps the texts and attributes that count.
    """

    def __init__(self, url: str, now: float) -> None:
        self.url = url
        self.now = now
        self.path: list[str] = []
        self.elements = 0
        self.feed: dict[str, str] = {}
        self.items: dict[str, ParsedItem] = {}
        self.count = 0
        self.item: _Item | None = None
        # What the text that comes now is for, and the depth of its element; its parts, and their length.
        self.wanted: Callable[[str], None] | None = None
        self.wanted_depth = 0
        self.parts: list[str] = []
        self.size = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """
        An element begins.
        """
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise _no_feed(f"has more than {MAX_ELEMENTS:,} elements")
        if len(self.path) >= MAX_DEPTH:
            raise _no_feed(f"has elements more than {MAX_DEPTH} deep")
        space, _, name = tag.rpartition("}")
        space = space.removeprefix("{")
        if not self.path:
            self._root(space, name)
        parent = self.path[-1] if self.path else ""
        self.path.append(name if space in ("", ATOM) else f"{space}:{name}")
        if self.wanted is not None:
            return
        if self.item is None and space in ("", ATOM) and name in ("item", "entry"):
            self.count += 1
            if self.count > MAX_ITEMS:
                raise _EnoughError
            self.item = _Item()
        elif self.item is not None:
            self._in_item(space, name, parent, attributes)
        elif space in ("", ATOM) and parent in ("channel", "feed") and name in ("title", "ttl"):
            self._want(lambda text: self.feed.setdefault(name, text))

    @staticmethod
    def _root(space: str, name: str) -> None:
        if (name, space) in (("rss", ""), ("feed", ATOM)):
            return
        if name.lower() == "html":
            raise _no_feed("is a web page, not a feed")
        raise _no_feed(f"is neither RSS 2.0 nor Atom: its root element is {shown(name)}")

    def _in_item(self, space: str, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        item = self.item
        assert item is not None
        direct = parent in ("item", "entry")
        if name in ("infoHash", "magnetURI"):
            rank = 5 if name == "magnetURI" else 6
            self._want(lambda text: item.offer(rank, text))
        elif not direct or space not in ("", ATOM):
            # Media RSS has its content in groups, too.
            if name == "content" and attributes.get("type") == TORRENT_TYPE:
                item.offer(3, attributes.get("url", ""))
        elif name in SCALARS:
            self._want(lambda text: item.texts.setdefault(SCALARS[name], text))
        elif name == "enclosure":
            self._enclosure(item, attributes.get("url", ""), attributes.get("type", ""))
        elif name == "link":
            self._link(item, attributes)

    def _enclosure(self, item: _Item, url: str, kind: str) -> None:
        if kind.partition(";")[0].strip().lower() == TORRENT_TYPE:
            item.offer(1, url)
        elif _is_torrent(url):
            item.offer(2, url)

    def _link(self, item: _Item, attributes: Mapping[str, str]) -> None:
        relation, url = attributes.get("rel", "alternate"), attributes.get("href")
        if url is None:
            self._want(lambda text: self._take_link(item, text))
        elif relation == "enclosure":
            self._enclosure(item, url, attributes.get("type", ""))
        elif relation == "alternate":
            if attributes.get("type", "").strip().lower() == TORRENT_TYPE:
                item.offer(1, url)
            self._take_link(item, url)

    @staticmethod
    def _take_link(item: _Item, url: str) -> None:
        url = url.strip()
        item.link = item.link or url[:MAX_URL]
        if _is_torrent(url):
            item.offer(4, url)

    def _want(self, wanted: Callable[[str], Any]) -> None:
        self.wanted, self.wanted_depth, self.parts, self.size = wanted, len(self.path), [], 0

    def data(self, text: str) -> None:
        """
        Text within an element.
        """
        if self.wanted is not None and self.size < MAX_TEXT:
            self.parts.append(text[:MAX_TEXT - self.size])
            self.size += len(self.parts[-1])

    def end(self, tag: str) -> None:
        """
        An element ends.
        """
        if self.wanted is not None and len(self.path) == self.wanted_depth:
            self.wanted("".join(self.parts))
            self.wanted = None
        self.path.pop()
        if self.item is not None and not {"item", "entry"} & set(self.path):
            self._finish(self.item)
            self.item = None

    def close(self) -> None:
        """
        The document ends.
        """

    def _finish(self, item: _Item) -> None:
        if item.texts.get("id", "").strip().lower().startswith("magnet:"):
            item.offer(4, item.texts["id"])
        source = next((source for rank in sorted(item.sources)
                       if (source := self._absolute(rank, item.sources[rank]))), "")
        if not source:
            return
        names = (("guid", item.texts.get("id", "").strip()), ("link", item.link), ("source", source))
        kind, name = next(pair for pair in names if pair[1])
        key = sha256(f"{kind}:{name}".encode("utf-8", "replace")).hexdigest()[:32]
        title = clean_line(item.texts.get("title", "")) or clean_line(_name_in(source)) or "without a title"
        link = _without_password(self._absolute(0, item.link))
        self.items.setdefault(key, ParsedItem(key, title, link, source, self._date(item.texts)))

    def _absolute(self, rank: int, source: str) -> str:
        """
        A source or link as an absolute URL; "" for one that is neither HTTP nor a magnet link.
        """
        if rank == 6:
            infohash = read_infohash(source)
            return f"magnet:?xt=urn:btih:{infohash.hex()}" if infohash is not None else ""
        if not source or re.search(r"[\x00-\x20\x7f]", source.strip()):
            source = re.sub(r"[\x00-\x1f\x7f]", "", source.strip()).replace(" ", "%20")
        try:
            url = urljoin(self.url, source)
            parts = urlsplit(url)
        except ValueError:
            return ""
        magnet = parts.scheme == "magnet" and bool(parts.query)
        usable = magnet or (parts.scheme in ("http", "https") and bool(parts.hostname))
        return url if source and usable and len(url) <= MAX_URL else ""

    def _date(self, texts: Mapping[str, str]) -> float | None:
        text = (texts.get("date") or texts.get("changed") or "").strip()[:80]
        if not text:
            return None
        try:
            date = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        # A date in the future is a wrong clock, or wants to stay on top of every list.
        return min(seconds, self.now) if seconds > 0 else None

    def result(self, cut: bool) -> ParsedFeed:
        """
        What was read.
        """
        ttl = re.fullmatch(r"\s*(\d{1,7})\s*", self.feed.get("ttl", ""), re.ASCII)
        return ParsedFeed(clean_line(self.feed.get("title", "")), float(ttl[1]) * 60 or None if ttl else None,
                          list(self.items.values()), cut)


def _name_in(source: str) -> str:
    """
    What a source calls its torrent, "" if nothing.
    """
    parts = urlsplit(source)
    if parts.scheme == "magnet":
        return next((value for name, value in parse_qsl(parts.query) if name == "dn"), "")
    return unquote(parts.path.rpartition("/")[2])


def _without_password(url: str) -> str:
    """
    The URL as it may be shown: a relative link takes the password of the feed's own URL along.
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _is_torrent(url: str) -> bool:
    """
    Does this URL look like that of a torrent?
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme == "magnet" or parts.path.lower().endswith(".torrent")
