"""
The vocabulary for what is sent coded: files and folders that this node publishes to the local network, and those that
it fetches from there. Its words end in ``Coded``, because torrents have the short ones.

A *publication* is a content that is offered, known by its content id (64 hex digits). A *transfer* is one that is being
fetched, was fetched, or is sent to somebody now; it has an id of its own (16 hex digits).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .message import Command, Event

# --- Commands.


@dataclass(frozen=True)
class PublishCoded(Command):
    """
    Offer a file or folder of the node's machine (an absolute path) to the local network: whoever knows its content id
    may fetch it, as long as the policy has it. ``Progress`` while it is hashed, ``PublishedCoded``, then ``Done`` with
    the publication. The same content again is the same publication.
    """

    path: str
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class WithdrawCoded(Command):
    """
    Offer a content no more; who is fetching it is told. The files stay.
    """

    content_id: str


@dataclass(frozen=True)
class ListPublications(Command):
    """
    List what this node offers.
    """


@dataclass(frozen=True)
class FetchCoded(Command):
    """
    Fetch a content from whoever offers it on the local network. `output` (an absolute path) is an existing folder: into
    it, under the offered name; or the name of the result. Without one it goes to the node's download folder. `rate` is
    the most that is taken, in bytes/s.

    ``StartedCoded``, ``ProgressCoded``, ``FinishedCoded``, then ``Done`` with the transfer. Without `follow` it is
    ``Done`` once it began. ``Cancel`` ends only the hearing, ``RemoveCoded`` the transfer.
    """

    content_id: str
    output: str | None = None
    rate: int | None = None
    follow: bool = True
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class ListCoded(Command):
    """
    List all transfers and how they go on, or show one, with its files.
    """

    id: str | None = None


@dataclass(frozen=True)
class PauseCoded(Command):
    """
    Let a transfer rest. It stays paused over a restart.
    """

    id: str


@dataclass(frozen=True)
class ResumeCoded(Command):
    """
    Go on with a transfer that was paused, or that failed.
    """

    id: str


@dataclass(frozen=True)
class RateCoded(Command):
    """
    Limit a transfer, in bytes/s; a rate of None or 0 is no limit.
    """

    id: str
    rate: int | None = None


@dataclass(frozen=True)
class RemoveCoded(Command):
    """
    Give a transfer up, and delete what it fetched if `delete`; never what was only published. Whoever follows it gets
    ``Stopped``.
    """

    id: str
    delete: bool = False


@dataclass(frozen=True)
class WatchCoded(Command):
    """
    Hear of all transfers, or of one: ``ProgressCoded`` of how it is now (if `current`) and for each change,
    ``RemovedCoded``, until ``Cancel``.
    """

    id: str | None = None
    current: bool = True
    long: ClassVar[bool] = True


@dataclass(frozen=True)
class SubscribeCoded(Command):
    """
    Follow a node, by its mid: what it publishes from now on is received, and the `first` newest there are. `folder` (an
    absolute path) is where to; None: as the settings have it. One that is followed already is only shown.
    """

    mid: str
    folder: str | None = None
    first: int = 0


@dataclass(frozen=True)
class UnsubscribeCoded(Command):
    """
    Follow a node no more. What was begun goes on.
    """

    mid: str


@dataclass(frozen=True)
class ListSubscriptions(Command):
    """
    List whom this node follows, and what was begun of it.
    """


# --- Events.


@dataclass(frozen=True)
class PublishedCoded(Event):
    """
    A content is offered from now on; `size` in bytes of all its `files`.
    """

    content_id: str
    name: str
    size: int
    files: int
    path: str


@dataclass(frozen=True)
class StartedCoded(Event):
    """
    A transfer goes: new, or `already` there before. The name is None until somebody was found who offers it.
    """

    id: str
    content_id: str
    name: str | None
    already: bool = False


@dataclass(frozen=True)
class ProgressCoded(Event):
    """
    How a transfer goes on: `transfer` says all (docs/control.md). Of those that wait to be read only the newest of each
    transfer is kept.
    """

    transfer: dict[str, Any]


@dataclass(frozen=True)
class FinishedCoded(Event):
    """
    The content is there, whole and checked, at `path` (a file or a folder).
    """

    id: str
    content_id: str
    name: str
    path: str


@dataclass(frozen=True)
class RemovedCoded(Event):
    """
    A transfer that is watched was given up.
    """

    id: str
