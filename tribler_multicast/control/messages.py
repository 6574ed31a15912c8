"""
The vocabulary of the control interface: commands in, events out.

A command has a `request`, made when it is not given, and each event names the request that it belongs to. A command
ends in exactly one closing event: ``Done`` with its result, ``Failed`` with one line, or ``Stopped``. What comes
before that are facts on the way. Long-lived commands (``long``) have no end in time: ``Fetch``, ``MakeTorrent`` and
``Publish`` take as long as the data is large; ``Subscribe``, ``Listen`` and ``Watch`` end by ``Cancel``.

All values are plain: text, numbers, booleans, None, lists and dicts of them, so that a program may log or forward them
as JSON (`as_dict`, `command_from`). Ids are hex, sizes bytes, rates bytes/s, durations seconds, times Unix seconds.
The words are those of the field; what the BitTorrent component of Kamaelia (2006) called them is in docs/control.md.
Those here are about torrents and about all that is neither; those about what is sent coded are in ``coded_messages``.
"""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..client import RESULT_KINDS
from . import coded_messages
from .message import Command as Command  # noqa: PLC0414 (programs import it from here)
from .message import Event as Event  # noqa: PLC0414
from .message import Message as Message  # noqa: PLC0414

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


@dataclass(frozen=True)
class Query(Command):
    """
    Search what local nodes have, by name. ``Found`` as answers come, then ``Done`` with all, the best first.
    """

    text: str
    kinds: tuple[str, ...] = RESULT_KINDS
    timeout: float = 1.0


@dataclass(frozen=True)
class ListStreams(Command):
    """
    Ask local nodes what they stream now, as ``Query`` does.
    """

    timeout: float = 1.0


@dataclass(frozen=True)
class ShowStatus(Command):
    """
    Show this node: identity, interfaces, counters.
    """


@dataclass(frozen=True)
class ListPeers(Command):
    """
    List the nodes known, now and earlier; only those that are (or, with False, are not) local, online, friends.
    """

    local: bool | None = None
    online: bool | None = None
    friend: bool | None = None


@dataclass(frozen=True)
class Discover(Command):
    """
    Ask the local network who is there now and has all of these capabilities.
    """

    timeout: float = 2.0
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Announce(Command):
    """
    Send a tuple to all nodes on the local network; bytes are ``{"hex": "00ff"}``.
    """

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Listen(Command):
    """
    Hear what others announce: ``Heard`` for each, until so many came or ``Cancel``.
    """

    count: int | None = None
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class Ping(Command):
    """
    Ping one local node by multicast, or all, and with `throughput` measure Mbit/s by packet trains too.
    """

    mid: str | None = None
    count: int = 4
    throughput: bool = False


@dataclass(frozen=True)
class ListFriends(Command):
    """
    List friends, whom we asked, and who asks.
    """


@dataclass(frozen=True)
class AddFriend(Command):
    """
    Ask a node to be friends, or accept when it asked.
    """

    mid: str


@dataclass(frozen=True)
class RemoveFriend(Command):
    """
    Refuse, take an ask back, or end a friendship.
    """

    mid: str


@dataclass(frozen=True)
class ShowSettings(Command):
    """
    Show all settings, or one.
    """

    name: str | None = None


@dataclass(frozen=True)
class ChangeSettings(Command):
    """
    Change settings, by name: all of them, or none when one is wrong.
    """

    changes: dict[str, Any]


@dataclass(frozen=True)
class Examine(Command):
    """
    Have the doctor look at the network of this machine.
    """


@dataclass(frozen=True)
class ShowActivity(Command):
    """
    Show what this node is doing.
    """


@dataclass(frozen=True)
class DeclareActivity(Command):
    """
    Let an activity (`idle`, `bulk`, `on_demand` or `live`) count for `ttl` seconds, whatever the client does.
    """

    activity: str
    ttl: float
    up: float | None = None
    down: float | None = None


@dataclass(frozen=True)
class ShowWeather(Command):
    """
    Show the network weather: the gateway, what the other nodes do, and this node's limits in force.
    """


@dataclass(frozen=True)
class ShowWeatherHistory(Command):
    """
    Show the weather of the last day, a line a minute, from a time on (Unix seconds).
    """

    since: float = 0.0


@dataclass(frozen=True)
class Browse(Command):
    """
    List what is in a folder of the node's machine (an absolute path; None: the user's own), with or without files: to
    choose what to offer.
    """

    path: str | None = None
    files: bool = True


@dataclass(frozen=True)
class Cancel(Command):
    """
    End a command of one's own that is under way, by its request: it gets ``Stopped``. Torrents go on.
    """

    target: str


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
class Found(Event):
    """
    Results of a search that are new, or are known of one more peer.
    """

    results: list[dict[str, Any]]


@dataclass(frozen=True)
class Heard(Event):
    """
    Another node announced a tuple.
    """

    mid: str
    nickname: str
    values: list[Any]
    received_at: float


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


@dataclass(frozen=True)
class Lagged(Event):
    """
    You read too slowly: so many ``Found``, ``Heard`` and ``NewItem`` were left out here. Nothing else ever is.
    """

    missed: int


@dataclass(frozen=True)
class Done(Event):
    """
    A command ended well.
    """

    result: dict[str, Any]
    closing: ClassVar[bool] = True


@dataclass(frozen=True)
class Failed(Event):
    """
    A command could not be carried out: one line, and the HTTP status that fits (4xx: the command is wrong; 503: not
    now, or not here).
    """

    reason: str
    status: int = 500
    closing: ClassVar[bool] = True


@dataclass(frozen=True)
class Stopped(Event):
    """
    A command was ended from outside, by ``Cancel``, ``Stop`` or ``Unsubscribe``, no matter whose.
    """

    reason: str
    closing: ClassVar[bool] = True


@dataclass(frozen=True)
class Closed(Event):
    """
    The last event of all: the node stops, or this user was closed. It ends every request that is still open.
    """

    reason: str
    closing: ClassVar[bool] = True


MODULES = (__name__, coded_messages.__name__)
"""Where the vocabulary is."""


def _below(base: type[Any]) -> dict[str, type[Any]]:
    return {each.__name__: each for each in base.__subclasses__() if each.__module__ in MODULES}


COMMANDS: dict[str, type[Command]] = _below(Command)
"""Every command by its name."""

EVENTS: dict[str, type[Event]] = _below(Event)
"""Every event by its name."""


def command_from(value: object) -> Command:
    """
    Make a command of plain values, such as `as_dict` gives.

    :raises ValueError: with one line, when there is no such command or it has no such fields.
    """
    if not isinstance(value, dict) or value.get("type") not in COMMANDS:
        raise ValueError("a command has a type, one of " + ", ".join(COMMANDS))
    kind: type[Any] = COMMANDS[value["type"]]
    given = {name: tuple(each) if isinstance(each, list) else each for name, each in value.items() if name != "type"}
    try:
        command: Command = kind(**given)
        return command
    except TypeError as error:
        names = ", ".join(each.name for each in fields(kind))
        raise ValueError(f"{kind.__name__} has the fields {names}") from error
