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


Event = (MemberFinished | MemberSilent | MemberGone | MemberGreedy | AllFinished
         | SegmentReady | AllStored | SenderSilent)
