"""What happened, for those above: events out of the protocol."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..client import Result
    from .answers import Question
    from .file_answers import FileJob
    from .file_requests import FileRun
    from .links import Arrival
    from .peers import LinkKey, PeerState
    from .ping import PingRun
    from .search import SearchRun
    from .swarms import SwarmRun
    from .train import Train, TrainRun
    from .train_receiver import Session
    from .wire import Kind


@dataclass(frozen=True)
class PeerLocal:
    """
    A peer is verified on a link of ours; `first` when it was not local just before, else something about it changed.
    """

    peer: PeerState
    first: bool


@dataclass(frozen=True)
class PeerGone:
    """
    A peer is local no more: `goodbye`, `expired`, `interface` or `stopped`.
    """

    peer: PeerState
    reason: str


@dataclass(frozen=True)
class PeerAnswered:
    """
    A verified peer answered a solicitation, or was verified, just now.
    """

    peer: PeerState
    address: tuple[str, int]


@dataclass(frozen=True)
class Announced:
    """
    A verified peer announced these values to all.
    """

    peer: PeerState
    values: tuple[Any, ...]


@dataclass(frozen=True)
class PingEnded:
    """
    All answers to a run of pings came, or their time is over.
    """

    run: PingRun


@dataclass(frozen=True)
class ForeignSeal:
    """
    Something sealed came from this address that does not open in our group: another passphrase is in use here. Told
    seldom.
    """

    source: tuple[str, int]


@dataclass(frozen=True)
class FriendChanged:
    """
    What is between this node and a key (64 bytes; local or not) changed: `none`, `sent`, `received` or `mutual`.
    """

    key: bytes
    mid: bytes
    friend: str


@dataclass(frozen=True)
class TrainDue:
    """
    The packets of a train are to be sent now; tell `Trains.sent` when they were.
    """

    train: Train


@dataclass(frozen=True)
class TrainHeard:
    """
    The packets of a peer's train come soon: give them to the session until TrainOver, with the times they came.
    """

    session: Session


@dataclass(frozen=True)
class TrainOver:
    """
    No more packets of this train are awaited.
    """

    session: Session


@dataclass(frozen=True)
class TrainRunEnded:
    """
    All reports of a measurement came, or their time is over.
    """

    run: TrainRun


@dataclass(frozen=True)
class Asked:
    """
    A peer looks for something: ask the client, then call `Answers.give`.
    """

    question: Question


@dataclass(frozen=True)
class ResultsFound:
    """
    A peer has these, which a search of ours looks for.
    """

    run: SearchRun
    peer: PeerState
    results: tuple[Result, ...]


@dataclass(frozen=True)
class SearchEnded:
    """
    All who were asked answered a search, or its time is over.
    """

    run: SearchRun


@dataclass(frozen=True)
class FileAsked:
    """
    A peer wants a shared file: have the client offer what `FileAnswers.take` gives, then call `FileAnswers.give`.
    """

    job: FileJob


@dataclass(frozen=True)
class FileProgress:
    """
    The sharer told how far it is with a file that we asked for.
    """

    run: FileRun


@dataclass(frozen=True)
class FileEnded:
    """
    A file that we asked for can be downloaded by its infohash, or can't be had.
    """

    run: FileRun


@dataclass(frozen=True)
class WeatherReceived:
    """
    A verified peer, from its verified address on this link, says something about the weather. Nothing in the payload
    is checked.
    """

    peer: PeerState
    link: LinkKey
    address: str
    payload: bytes


@dataclass(frozen=True)
class WeatherOverheard:
    """
    Somebody on a link where we only listen says something about the weather. It is signed, but nobody is verified
    there, and nothing in the payload is checked.
    """

    mid: bytes
    link: LinkKey
    address: str
    payload: bytes


@dataclass(frozen=True)
class CodedReceived:
    """
    A verified peer, on a verified path, says something around a coded transfer. Nothing in the payload is checked.
    """

    peer: PeerState
    kind: Kind
    payload: bytes
    arrival: Arrival


@dataclass(frozen=True)
class SwarmsAsked:
    """
    A verified peer asks who takes part in torrents: places in its question by the name of each there. `Swarms.answer`
    answers.
    """

    peer: PeerState
    number: bytes
    places: dict[bytes, int]
    arrival: Arrival


@dataclass(frozen=True)
class SwarmsEnded:
    """
    All who were asked about torrents answered, or the time is over.
    """

    run: SwarmRun


@dataclass(frozen=True)
class RoundTrip:
    """
    A peer answered the PROBE of this number, which was to be measured, after so many seconds.
    """

    number: bytes
    seconds: float


Event = (PeerLocal | PeerGone | PeerAnswered | Announced | PingEnded | ForeignSeal | FriendChanged
         | TrainDue | TrainHeard | TrainOver | TrainRunEnded | Asked | ResultsFound | SearchEnded
         | FileAsked | FileProgress | FileEnded | CodedReceived | RoundTrip | WeatherReceived
         | WeatherOverheard | SwarmsAsked | SwarmsEnded)
