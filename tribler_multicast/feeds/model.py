"""
What feeds tell those who use them, and how they say that something can't be done.
"""
from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ..client import ClientError
from ..settings import BIDI_CONTROLS
from .limits import MAX_TITLE

FEED_STATES: Final = ("waiting", "checking", "ok", "failing")
"""What a feed may be doing: nothing yet since it was added or the node started, it is looked at, the last look went
well, the last look failed (`error` says why)."""


@dataclass(frozen=True, slots=True)
class Feed:
    """
    A feed that is subscribed to. Times are seconds since 1970, None before the first look; `seen` counts its items with
    a torrent, `begun` the downloads begun for it, `waiting` the items that are still to be fetched. `error` is one
    line, "" for none.
    """

    id: str
    url: str
    title: str
    state: str
    last_check: float | None
    next_check: float
    error: str = ""
    seen: int = 0
    begun: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class FeedItem:
    """
    A new item of a feed: its download was begun, as `infohash` (20 bytes); or it can't be, then that is None and
    `error` is one line. `published` is seconds since 1970, None if the feed does not tell, never in the future.
    """

    feed: str
    title: str
    link: str
    infohash: bytes | None = None
    published: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """
    A torrent in the own feed: `url` is where its ``.torrent`` file is served, "" if nowhere. `uploaded` is None when
    it is uploaded nowhere, True when it was, False when it is to be and was not yet: then `error` is one line, and it
    is tried again.
    """

    infohash: bytes
    title: str
    url: str = ""
    uploaded: bool | None = None
    error: str = ""


class FeedError(ClientError):
    """
    One line on what is wrong with a feed or a server. `again` tells whether it may be better later, and `retry_after`
    in how many seconds, if the server said so.
    """

    def __init__(self, message: str, status: int = 503, *, again: bool = True,
                 retry_after: float | None = None) -> None:
        """
        Remember what to say, and whether to try again.
        """
        super().__init__(message, status)
        self.again = again
        self.retry_after = retry_after


def clean_line(text: str, most: int = MAX_TITLE) -> str:
    """
    Make one harmless line of a text by a stranger: no control characters, no change of direction, no line breaks, at
    most so many characters.
    """
    spaced = "".join(" " if character.isspace() or unicodedata.category(character) in {"Cc", "Zl", "Zp"}
                     else character for character in text[:4 * most]
                     if character not in BIDI_CONTROLS and unicodedata.category(character) != "Cs")
    line = " ".join(spaced.split())
    return line if len(line) <= most else line[:most - 3] + "..."


def shown_url(url: str) -> str:
    """
    The URL as it may stand in a message or a log: without password and query, which are often secrets, one short line.
    """
    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return clean_line(url, 60)
    return clean_line(f"{parts.scheme}://{place}{parts.path}" if place else url.partition("?")[0], 100)
