"""
The vocabulary for the local network and the node itself: who is there, what they have and say, settings, weather.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..client import RESULT_KINDS
from .message import Command, Event

# --- Commands.


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
    Ask local nodes what they stream now, as ``Query`` does; streams of this node are among them. With a timeout of 0
    nobody is asked: what is known here.
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
class ShowTracker(Command):
    """
    Show the tracker of this node: where it is served, and its statistics.
    """


@dataclass(frozen=True)
class Browse(Command):
    """
    List what is in a folder of the node's machine (an absolute path; None: the user's own), with or without files: to
    choose what to offer.
    """

    path: str | None = None
    files: bool = True


# --- Events.


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
