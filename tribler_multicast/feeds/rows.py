"""
What feeds remember, as it is stored: the rows of the tables in `store`.

An item is `old` (was there at the first look, or is a duplicate), `waiting` (to be fetched; `torrent` holds the
``.torrent`` file once it came, so that it is fetched once), `begun` (its download is) or `failed` (given up).
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FeedRow:
    """
    A feed as it is stored. `near`: how near its host may be. `hint`: the seconds it asks for, None if it does not.
    """

    id: str
    url: str
    title: str
    near: int
    etag: str = ""
    modified: str = ""
    hint: float | None = None
    last_check: float | None = None
    next_check: float = 0.0
    failures: int = 0
    error: str = ""
    seen: int = 0
    begun: int = 0


@dataclass(slots=True)
class ItemRow:
    """
    An item as it is stored; its key is unique within its feed. `near`: how near the host of its source may be.
    """

    feed: str
    key: str
    title: str
    link: str
    source: str
    near: int
    published: float | None
    state: str
    found: float
    present: float
    tries: int = 0
    next_try: float = 0.0
    error: str = ""
    infohash: bytes | None = None
    torrent: bytes | None = None


@dataclass(slots=True)
class OwnRow:
    """
    What is published, without its ``.torrent`` file. `upload`: `none` is wanted, `waiting` or `done`.
    """

    infohash: bytes
    title: str
    name: str
    size: int
    length: int
    published: float
    upload: str = "none"
    tries: int = 0
    next_try: float = 0.0
    error: str = ""
