"""
What a sender does for receivers that help each other, and for those that are far slower than the rest.

Who helps asks others for what it lacks, and the sender only for what they have not (`help_received`): so reports of
such receivers cause no repair, and what most have already is not passed again for the others. One that is far slower
than the rest is moved off the group (`ways`), and served by itself, now and then, at a rate of its own.
"""
from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import TYPE_CHECKING, Final

from .coop_limits import ASKED_EACH, MANY
from .events import MemberMoved
from .limits import HEARTBEAT, ROUND
from .members import Alone
from .packets import LACKING, MORE
from .ways import Ways

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .audience import Audience
    from .coop_messages import Want
    from .members import Member

FORGED_SETTLES: Final = 0.2
BEATS_EACH: Final = 0.05
"""When somebody else sends on the group's stream, what is known of delays is forgotten for so long; then heartbeats by
unicast, so many seconds apart, tell of them."""


class Care:
    """
    Of one sender.
    """

    def __init__(self, sender: Audience) -> None:
        """
        Care for nobody yet.
        """
        self.sender = sender
        self.ways = Ways(-inf)
        self.once = bytearray(sender.geometry.segments)
        """Segments that were passed at least once: a byte each."""
        self.solo: OrderedDict[int, None] = OrderedDict()
        """Generations to be repaired for those who are alone."""
        self._looked = self._resumed = -inf
        self._ignored: bytes | None = None

    @property
    def is_helped(self) -> bool:
        """
        Whether there are receivers that help each other.
        """
        return sum(member.helps and not member.silent for member in self.sender.members.values()) >= MANY

    def is_rare(self, segment: int) -> bool:
        """
        Tell whether so few lack a segment that was passed before that they get it from the others: each has a link, so
        as many as have it can serve as many at full rate.
        """
        if not self.once[segment] or not self.is_helped:
            return False
        lack = [self.sender.lacks_whole(member, segment) for member in self.sender.members.values()
                if not member.silent]
        return 2 * sum(lack) <= len(lack)

    def help_received(self, name: bytes, wants: Iterable[Want], now: float) -> None:
        """
        Take a HELP that certainly comes from this receiver: what others could not give it.
        """
        sender, member = self.sender, self.sender.members.get(name)
        if member is None:
            sender.counters["help: no member"] += 1
            return
        member.heard = now
        for generation, packets, *_ in wants:
            segment = generation // sender.geometry.parts
            if sender.is_coming(segment) or not member.missing[generation]:
                continue
            if sender.is_passing and not member.spend(packets, sender.group.sequence):
                sender.counters["help: too much"] += 1
                return
            sender.counters["help"] += 1
            if sender.may_repair(member, segment):
                member.missing[generation] = min(member.missing[generation], packets)
                member.asked[generation] = ASKED_EACH * packets
                (sender.repairs if member.alone is None else self.solo)[generation] = None

    def settles(self, member: Member, now: float) -> bool:
        """
        Tell whether what is known of the delay to a receiver, to whom somebody else sends, too, is worth nothing yet.
        Then its rate begins anew, where it was before.
        """
        if now < member.forged + FORGED_SETTLES:
            self.sender.rate.forget((self.sender.tag, member.name))
            return True
        if self._resumed < member.forged:
            self._resumed = now
            self.sender.rate.resume(self.ways.resume)
        return False

    def look(self, now: float) -> None:
        """
        Look who holds up the others, and let those who are watched hear of us.
        """
        if now < self._looked + ROUND:
            return
        self._looked = now
        sender = self.sender
        # What is known of those whom somebody else sends to, too, is too little to move them.
        grouped = [member for member in sender.members.values()
                   if member.counts and member.helps and member.forged == inf]
        queues = {member.name: sender.rate.queue_of((sender.tag, member.name), now) for member in grouped}
        turns = self.ways.look(now, sender.rate.rate, queues, {member.name: member.loss for member in grouped})
        is_helped = self.is_helped
        self._ignore(None if self.ways.ignored is None or not is_helped else self.ways.ignored.member)
        for name, alone in turns:
            if name in sender.members and (is_helped or not alone):
                self._move(sender.members[name], alone, now)
        for member in sender.members.values() if not is_helped else ():
            # Whom it held up is gone: nobody else could help it either.
            self.ways.alone.pop(member.name, None)
            if member.alone is not None:
                self._move(member, alone=False, now=now)
        for member in sender.members.values():
            is_forged = member.forged < inf
            if (is_forged or member.alone is not None) and not member.finished and (
                    now - member.beaten >= (BEATS_EACH if is_forged else HEARTBEAT)):
                member.beaten = now
                sender.beat(member, MORE if member.alone is None else LACKING, now)

    def _ignore(self, name: bytes | None) -> None:
        """
        Leave the queue of one, or of nobody, out of account.
        """
        if name != self._ignored:
            ignored = self.sender.rate.ignored
            if self._ignored is not None:
                ignored.discard((self.sender.tag, self._ignored))
            if name is not None:
                ignored.add((self.sender.tag, name))
            self._ignored = name

    def _move(self, member: Member, alone: bool, now: float) -> None:
        sender, key = self.sender, (self.sender.tag, member.name)
        member.alone = Alone(now, sender.rate, sender.rate.link_of(key)) if alone else None
        sender.counters["member: moved"] += 1
        sender.events.append(MemberMoved(member.name, alone))
        if alone:
            sender.rate.forget(key)
            sender.rate.resume(self.ways.resume)
