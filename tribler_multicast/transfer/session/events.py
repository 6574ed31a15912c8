"""
What a session tells its owner.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MemberFinished:
    """
    At the sender: a receiver lacks nothing any more.
    """

    member: bytes


@dataclass(frozen=True)
class MemberSilent:
    """
    At the sender: a receiver says nothing; the others are not held up by it. It may come back.
    """

    member: bytes


@dataclass(frozen=True)
class MemberGone:
    """
    At the sender: a receiver left, or said nothing for long.
    """

    member: bytes
    reason: str


@dataclass(frozen=True)
class MemberGreedy:
    """
    At the sender: a receiver has used up what repair it may cause.
    """

    member: bytes


@dataclass(frozen=True)
class MemberMoved:
    """
    At the sender: a receiver is so much slower than the rest that it is moved off the group (`alone`), or comes back.
    """

    member: bytes
    alone: bool


@dataclass(frozen=True)
class AllFinished:
    """
    At the sender: nobody lacks anything. The session goes on: others may join.
    """


@dataclass(frozen=True)
class SegmentReady:
    """
    At the receiver: all of a segment is there, to be checked and stored. Answer with `Receiver.stored`.
    """

    segment: int
    data: memoryview


@dataclass(frozen=True)
class AllStored:
    """
    At the receiver: every segment is stored.
    """


@dataclass(frozen=True)
class SenderSilent:
    """
    At the receiver: nothing came from the sender for long.
    """


@dataclass(frozen=True)
class GroupMembership:
    """
    At a receiver: be in the session's group from now on, or not: it is for faster ones.
    """

    wanted: bool


@dataclass(frozen=True)
class PeerNamed:
    """
    At a receiver: somebody certainly sent a bad packet: it came under a key that only it and we have, and what it
    should have been is known from the content's hash. It is asked and answered no more.
    """

    member: bytes


@dataclass(frozen=True)
class Checking:
    """
    At a receiver: a segment did not have its hash: from now on packets are checked when they come.
    """


@dataclass(frozen=True)
class GroupSpoilt:
    """
    At a receiver: somebody who holds the key of the group's stream sends nonsense under it. It is better left: join
    again, without multicast.
    """


Event = (MemberFinished | MemberSilent | MemberGone | MemberGreedy | MemberMoved | AllFinished
         | SegmentReady | AllStored | SenderSilent | PeerNamed | Checking | GroupSpoilt
         | GroupMembership)
