"""
The vocabulary for torrents and feeds.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .message import Command, Event

# --- Commands.


@dataclass(frozen=True)
class MakeTorrent(Command):
    """
    Make a torrent of a file or folder of the node's machine (an absolute path), write the ``.torrent`` to `output` (a
    new file, or into a folder) when that is said, seed it if `seed`, and put it into the node's own feed if `publish`.
    ``Progress`` while it is hashed, ``Made``, then ``Done`` with the same.
    """

    path: str
    output: str | None = None
    seed: bool = True
    publish: bool = False
    trackers: tuple[str, ...] = ()
    title: str | None = None
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Publish(Command):
    """
    Put a file or folder into the node's own feed: made a torrent and seeded, as by ``MakeTorrent`` with `publish`.
    """

    path: str
    title: str | None = None
    trackers: tuple[str, ...] = ()
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Withdraw(Command):
    """
    Take a torrent out of the node's own feed; it is still seeded.
    """

    infohash: str


@dataclass(frozen=True)
class Fetch(Command):
    """
    Download a torrent, not anonymously. `source` is a magnet link, the infohash of a torrent or the id of a file that
    others on the local network have (these two come from there only), or the path or URL of a ``.torrent`` file. `peer`
    is the mid of a local node to get it from, `folder` where to put it.

    ``Started``, ``Progress``, ``Finished``, then ``Done``. Without `follow` it is ``Done`` once it began. ``Cancel``
    ends only the hearing; ``Stop`` ends the torrent. With a client that does not tell how it goes on (Tribler) it ends
    when it began.
    """

    source: str
    peer: str | None = None
    folder: str | None = None
    follow: bool = True
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Stop(Command):
    """
    Give a torrent up, with its downloaded data if `delete`. Everybody who fetches it gets ``Stopped``.
    """

    infohash: str
    delete: bool = False


@dataclass(frozen=True)
class SetRate(Command):
    """
    Limit the rates of one torrent, or of all together when the infohash is None; a rate of None or 0 is no limit.
    """

    infohash: str | None
    up: int | None = None
    down: int | None = None


@dataclass(frozen=True)
class ListTransfers(Command):
    """
    Tell how all torrents go on.
    """


@dataclass(frozen=True)
class Watch(Command):
    """
    Hear of all torrents, or of one: ``Progress`` of how it is now (if `current`) and for each change, ``Removed``,
    until ``Cancel``.
    """

    infohash: str | None = None
    current: bool = True
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Subscribe(Command):
    """
    Subscribe the node to a feed, unless it is, and hear of it: ``Subscribed``, ``NewItem`` for each new item,
    ``Progress`` of its download and ``Finished`` when it is there, until ``Cancel`` (the node stays subscribed) or
    ``Unsubscribe``. Items are new that come after the node was subscribed, and the `first` newest of then. Of those
    that came before this command it tells what is still being downloaded, and with `earlier` what is there already,
    so that nothing is missed by a program that was not running. Without `follow` it is ``Done`` once the node is
    subscribed. With no URL: hear of all feeds.
    """

    url: str | None = None
    follow: bool = True
    first: int = 0
    earlier: bool = False
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Unsubscribe(Command):
    """
    End the subscription to a feed, by its id or URL. What was downloaded stays.
    """

    feed: str


@dataclass(frozen=True)
class ListFeeds(Command):
    """
    List the feeds that the node is subscribed to, and what is in its own.
    """


# --- Events.


@dataclass(frozen=True)
class Started(Event):
    """
    A torrent goes: new, or `already` there before. `peers` are the mids of the local nodes it is fetched from.
    """

    infohash: str
    name: str
    already: bool = False
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress(Event):
    """
    How far it is: `done` from 0 to 1, None when unknown; of a torrent `transfer` says all (docs/control.md). Of those
    that wait to be read only the newest is kept.
    """

    done: float | None
    transfer: dict[str, Any] | None = None


@dataclass(frozen=True)
class Finished(Event):
    """
    The data is there, whole and checked, at `path` (a file or a folder). `item` is the feed's, if it comes from one.
    """

    infohash: str
    name: str
    path: str
    item: dict[str, Any] | None = None


@dataclass(frozen=True)
class Made(Event):
    """
    A torrent was made of `path`; its ``.torrent`` is at `file` if that was wanted.
    """

    infohash: str
    name: str
    size: int
    path: str
    file: str | None = None
    published: bool = False


@dataclass(frozen=True)
class Subscribed(Event):
    """
    The node is subscribed to this feed: from now on its new items are told.
    """

    feed: dict[str, Any]


@dataclass(frozen=True)
class NewItem(Event):
    """
    A feed has a new item. With an `error` it can't be downloaded; told a second time, its download failed.
    """

    item: dict[str, Any]


@dataclass(frozen=True)
class Removed(Event):
    """
    A torrent that is watched was given up.
    """

    infohash: str
