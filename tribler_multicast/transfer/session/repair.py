"""
How much repair a generation needs, and who causes it.

A report says what is lacking as of the highest sequence that had come. What was sent for a generation after that is
still under way, and will come but for the loss: it is taken off. So nothing is sent twice for one report, and no timer
is needed.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .limits import SENT_KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .members import Member
    from .stream import Stream


class Sent(NamedTuple):
    """
    Packets of a generation that were sent in a row: by which stream, the last sequence, how many.
    """

    stream: Stream
    last: int
    packets: int


class Need(NamedTuple):
    """
    What a generation needs: so many packets, by unicast to one receiver or (None) to all; `cause` needs most of them.
    """

    packets: int
    only: Member | None
    cause: Member


class Passed(NamedTuple):
    """
    When a segment was sent: by which stream, and the last sequence of it.
    """

    stream: Stream
    last: int

    def reached(self, member: Member, group: Stream) -> bool | None:
        """
        Tell whether a receiver has reported since; None: it was not there when it was sent.
        """
        if member.alone is not None:
            return True
        if self.stream is group:
            return None if member.joined >= self.last else member.group.highest >= self.last
        return member.unicast.highest >= self.last if self.stream is member.stream else None


class Flight:
    """
    What was sent to repair, by generation, as long as somebody lacks something of it.
    """

    def __init__(self) -> None:
        """
        Begin with nothing.
        """
        self.sent: dict[int, list[Sent]] = {}

    def add(self, generation: int, stream: Stream, count: int) -> None:
        """
        Note what was just sent.
        """
        batches = self.sent.setdefault(generation, [])
        batches.append(Sent(stream, stream.sequence, count))
        if len(batches) > SENT_KEPT:
            del batches[0]

    def forget(self, generation: int) -> None:
        """
        Drop what is known of a generation that nobody lacks.
        """
        self.sent.pop(generation, None)

    def under_way(self, generation: int, member: Member, group: Stream) -> int:
        """
        Get how many packets a receiver had no time to tell of.
        """
        count = 0
        for stream, last, sent in self.sent.get(generation, ()):
            if stream is group:
                count += max(0, min(sent, last - member.group.highest))
            elif stream is member.stream:
                count += max(0, min(sent, last - member.unicast.highest))
        return count


def need_of(generation: int, passed: Passed, members: Iterable[Member], group: Stream, flight: Flight) -> Need | None:
    """
    Get what a generation needs now; None when nothing, as far as is known.
    """
    most, cause, lackers = 0, None, 0
    for member in members:
        missing = member.missing[generation]
        if not missing or not (member.counts or member.alone is not None):
            continue
        lackers += 1
        if not passed.reached(member, group):
            continue
        arrives = 1 - member.loss
        left = missing - flight.under_way(generation, member, group) * arrives
        wanted = max(1, round(left / arrives)) if left >= 0.5 else 0
        if wanted > most:
            most, cause = wanted, member
    if not lackers:
        flight.forget(generation)
    if cause is None:
        return None
    return Need(most, cause if lackers == 1 else None, cause)
