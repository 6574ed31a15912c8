"""
The feed of what this node publishes: RSS 2.0 with an enclosure per ``.torrent`` file, the newest first.
"""
from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

from .limits import OWN_FEED_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .rows import OwnRow

TORRENT_TYPE: Final = "application/x-bittorrent"
FEED_PATH: Final = "/feed.xml"
ATOM: Final = "http://www.w3.org/2005/Atom"
EZRSS: Final = "http://xmlns.ezrss.it/0.1/"


def torrent_path(infohash: bytes) -> str:
    """
    Where the ``.torrent`` file of what is published is served.
    """
    return f"/{infohash.hex()}.torrent"


def build_feed(rows: Iterable[OwnRow], title: str, base: str) -> bytes:
    """
    Write the feed. `rows`: the newest first; `base`: what paths are put behind, such as ``http://192.168.1.5:8000``.

    The same rows, title and base give the same bytes.
    """
    items = list(rows)[:OWN_FEED_ITEMS]
    lines = ['<?xml version="1.0" encoding="utf-8"?>',
             f'<rss version="2.0" xmlns:atom="{ATOM}" xmlns:torrent="{EZRSS}">', "<channel>",
             f"<title>{_text(title)}</title>", f"<link>{_text(base + FEED_PATH)}</link>",
             f'<atom:link rel="self" type="application/rss+xml" href={quoteattr(base + FEED_PATH)}/>',
             "<description>Torrents published by this node</description>"]
    if items:
        lines.append(f"<lastBuildDate>{formatdate(items[0].published, usegmt=True)}</lastBuildDate>")
    for row in items:
        url = base + torrent_path(row.infohash)
        lines += ["<item>", f"<title>{_text(row.title)}</title>", f"<link>{_text(url)}</link>",
                  f'<guid isPermaLink="false">urn:btih:{row.infohash.hex()}</guid>',
                  f"<pubDate>{formatdate(row.published, usegmt=True)}</pubDate>",
                  f'<enclosure url={quoteattr(url)} length="{row.length}" type="{TORRENT_TYPE}"/>',
                  f"<torrent:infoHash>{row.infohash.hex()}</torrent:infoHash>",
                  f"<torrent:contentLength>{row.size}</torrent:contentLength>", "</item>"]
    return "\n".join([*lines, "</channel>", "</rss>", ""]).encode()


def _text(text: str) -> str:
    # Two characters that UTF-8 can carry and XML 1.0 can't; control characters never come here.
    return escape(text.replace("\ufffe", "").replace("\uffff", ""))
