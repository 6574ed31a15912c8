"""
The vocabulary of the control interface: commands in, events out.

A command has a `request`, made when it is not given, and each event names the request that it belongs to. A command
ends in exactly one closing event: ``Done`` with its result, ``Failed`` with one line, or ``Stopped``. What comes
before that are facts on the way. Long-lived commands (``long``) have no end in time: ``Fetch``, ``MakeTorrent`` and
``Publish`` take as long as the data is large; ``Subscribe``, ``Listen`` and ``Watch`` end by ``Cancel``.

All values are plain: text, numbers, booleans, None, lists and dicts of them, so that a program may log or forward them
as JSON (`as_dict`, `command_from`). Ids are hex, sizes bytes, rates bytes/s, durations seconds, times Unix seconds.
The words are those of the field; what the BitTorrent component of Kamaelia (2006) called them is in docs/control.md.
Those about torrents are in ``torrent_messages``, those about the node and its network in ``node_messages``, and both
can be had from here; those about what is sent coded are in ``coded_messages``, those about live streams in
``stream_messages``.
"""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from . import coded_messages, node_messages, stream_messages, torrent_messages
from .message import *
from .node_messages import *
from .torrent_messages import *

# --- What goes with all of them.


@dataclass(frozen=True)
class Cancel(Command):
    """
    End a command of one's own that is under way, by its request: it gets ``Stopped``. Torrents go on.
    """

    target: str


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


MODULES = (__name__, coded_messages.__name__, node_messages.__name__, stream_messages.__name__,
           torrent_messages.__name__)
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
