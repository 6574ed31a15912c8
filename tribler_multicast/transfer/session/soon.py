"""
Out of turn: a receiver whose user reads ahead of what came says which segments it needs soon, and its source passes
them next.

It says so by a HELP to the source that names a generation of each, and in the place of a proof the segment that is
needed first, marked as one that wants a HAVE, which a source has no use for. The source only changes the order in which
it passes what it has to pass anyway: so it costs nobody a packet, whoever asks and however often. What it does cost is
reading from the disk where it was not read ahead, and so that is bounded (`HASTENED_PER_SECOND`).
"""
from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ...protocol.budget import KeyedBuckets
from .coop_limits import HASTENED_AT_ONCE, HASTENED_PER_SECOND, SOON_EACH, SOON_MOST, SOON_PATIENCE
from .limits import MAX_MEMBERS, READ_AHEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .audience import Audience
    from .coop_messages import Help
    from .gathering import Gathering


class Soon:
    """
    What one receiver needs soon.
    """

    def __init__(self, receiver: Gathering) -> None:
        """
        Nothing yet.
        """
        self.receiver = receiver
        self._since: dict[int, float] = {}
        self._at = float("-inf")

    def need(self, segments: Sequence[int], now: float) -> bool:
        """
        Note what is needed soon, the most urgent first, instead of what was before. Tells whether something of it is
        lacking and new.
        """
        last = self.receiver.geometry.segments
        wanted = [segment for segment in dict.fromkeys(segments) if 0 <= segment < last][:SOON_MOST]
        is_new = any(segment not in self._since and segment not in self.receiver.stored_segments for segment in wanted)
        self._since = {segment: self._since.get(segment, now) for segment in wanted}
        if is_new:
            self._at = now
        return is_new

    def lacking(self) -> list[int]:
        """
        Get those of which something is lacking, the most urgent first.
        """
        missing, parts = self.receiver.missing, self.receiver.geometry.parts
        return [segment for segment in self._since if any(missing[segment * parts:(segment + 1) * parts])]

    def overdue(self, now: float, *, has_source: bool) -> list[int]:
        """
        Get those for which others are to be asked: without a source all, else the most urgent one, if the source would
        have passed it by now.
        """
        if not self._since or not (found := self.lacking()):
            return []
        return found if not has_source else [each for each in found[:1] if now - self._since[each] > SOON_PATIENCE]

    def is_coming(self, segment: int) -> bool:
        """
        Tell whether a segment was asked for of the source as a whole, and nothing of it came yet.
        """
        return segment in self._since and segment not in self.receiver.open_segments

    def due(self, now: float) -> list[int]:
        """
        Get what the source is to be told that we need soon; nothing when it was told just now.
        """
        if now < self._at or not (found := self.lacking()):
            return []
        self._at = now + SOON_EACH
        return found


class Haste:
    """
    What a source does for those who need something soon.
    """

    def __init__(self, sender: Audience) -> None:
        """
        For nobody yet.
        """
        self.sender = sender
        self._buckets = KeyedBuckets(HASTENED_PER_SECOND, HASTENED_AT_ONCE, MAX_MEMBERS)

    def wanted(self, name: bytes, wanted: Help, now: float) -> None:
        """
        Take it that a receiver needs segments soon: they are passed next, if they are to be passed.
        """
        sender, member = self.sender, self.sender.members.get(name)
        if member is None:
            sender.counters["soon: no member"] += 1
            return
        member.heard = now
        parts = sender.geometry.parts
        queued = sender.queued
        named = islice(dict.fromkeys(want.generation // parts for want in wanted.wants), SOON_MOST)
        segments = [segment for segment in named
                    if segment in queued and any(member.missing[segment * parts:(segment + 1) * parts])]
        segments.sort(key=lambda segment: (segment < (wanted.proof or 0), segment))
        if not segments:
            return
        # Only what comes to the front is read from the disk.
        is_new = segments[:READ_AHEAD] != list(islice(queued, min(READ_AHEAD, len(segments))))
        if is_new and not self._buckets.take(name, now):
            sender.counters["soon: too much"] += 1
            return
        sender.counters["soon"] += is_new
        for segment in reversed(segments):
            queued.move_to_end(segment, last=False)
