"""
Cooperation in one session, for its owner: messages and times in, messages and batches out.

At a receiver it asks (`seeker`), answers (`helper`) and checks (`checks`); at the source it introduces receivers to
each other, repairs what they ask for, and makes checksums (`summer`). The owner sends what comes out to whom it is for,
sealed for the pair; it lets nothing in but what came from verified peers whom the policy allows.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ...protocol.wire import Kind
from .checks import Checks
from .coop_limits import ASK_LEAST, ASK_MOST, ASK_START, MAX_PACE
from .coop_messages import Have, Help, Members, Sums, content_of, read_alarm
from .events import Checking, GroupMembership, PeerNamed
from .helper import Helper
from .introducer import Introducer
from .precedence import nobody_gave
from .seeker import Seeker
from .summer import Summer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from .events import Event
    from .receiver import Receiver
    from .sender import Batch, Sender


TOLD_EACH: Final = 0.1
TOLD_TIMES: Final = 4
"""Who is moved off the group is told so often, and on as long as the group's stream reaches it: what is told gets lost
in front of its full link."""


@dataclass
class Told:
    """
    What one receiver was told: whether to be in the group; how often to tell it again, and when; what had reached it.
    """

    group: bool = True
    times: int = 0
    at: float = float("-inf")
    highest: int = 0


class Message(NamedTuple):
    """
    A control message to be sent: for whom, of which kind, its payload.
    """

    mid: bytes
    kind: Kind
    payload: bytes


class Cooperation:
    """
    Of a receiver.
    """

    def __init__(self, receiver: Receiver, content_id: bytes, me: bytes, *, port: int, random: Random, now: float,  # noqa: PLR0913
                 source: bytes | None, checked: bool = False, cap: float = MAX_PACE, start: float = ASK_START,
                 floor: float = ASK_LEAST, most: float = ASK_MOST,
                 standing: Callable[[bytes], int] = nobody_gave) -> None:
        """
        :param me: our member id.
        :param port: where unicast data comes to.
        :param source: member id of the sender; None: it is gone.
        :param checked: check all packets from the start (policy `untrusted`).
        :param cap: bytes per second given to all together; nor more than our link has ever brought.
        :param standing: gets the bytes that a peer gave us more than it took.
        :param start: bytes per second asked for at first, `floor` at least, `most` at most.
        """
        self.receiver = receiver
        self.content_id = content_id
        self.counters: Counter[str] = Counter()
        self.events: list[Event] = []
        self.checks = receiver.checks = Checks(receiver.geometry, receiver.tag, always=checked)
        self.seeker = Seeker(receiver, content_id, me, port=port, random=random, now=now, start=start, floor=floor,
                             most=most)
        self.helper = Helper(receiver.geometry, receiver.tree, content_id, random=random, now=now, receiver=receiver,
                             cap=cap, standing=standing)
        self.seeker.source = self.checks.source = source
        self.cap, self.least_cap = cap, 2 * start
        self.in_group = True
        self._messages: list[Message] = []
        if checked:
            self.seeker.check()

    # --- Who is there.

    def meet(self, mid: bytes) -> None:
        """
        Know one more who takes part, or has the content.
        """
        self.seeker.meet(mid)

    def part(self, mid: bytes) -> None:
        """
        Ask somebody no more who is not there any more.
        """
        self.seeker.part(mid)
        self.helper.finished(mid)

    def need_soon(self, segments: Sequence[int], now: float) -> bool:
        """
        Note which segments are needed soon, the most urgent first. Tells whether `run_timers` should be called now.
        """
        return self.seeker.need_soon(segments, now)

    def source_gone(self) -> None:
        """
        Note that the source is gone: from now on there are the others only.
        """
        self.seeker.source = self.checks.source = None

    # --- Messages.

    def message_received(self, mid: bytes, kind: int, payload: bytes, now: float) -> None:
        """
        Take a message that certainly comes from this peer, and is for this session. Never raises.
        """
        if mid in self.checks.named:
            self.counters["message: named"] += 1
        elif kind == Kind.HELP:
            self._help_received(mid, payload, now)
        elif kind == Kind.HAVE:
            self._have_received(mid, payload, now)
        elif mid != self.seeker.source:
            self.counters["message: not the source"] += 1
        elif kind == Kind.MEMBERS:
            self._members_received(payload)
        elif kind == Kind.SUMS:
            sums = Sums.read(payload, self.receiver.geometry)
            if sums is not None:
                fresh = self.checks.sums_received(sums)
                for segment in dict.fromkeys(generation // self.receiver.geometry.parts for generation in fresh):
                    self._look_at(segment)

    def _help_received(self, mid: bytes, payload: bytes, now: float) -> None:
        wanted = Help.read(payload, self.receiver.geometry)
        if wanted is None or wanted.content_id != self.content_id:
            self.counters["message: malformed"] += 1
            return
        if self.receiver.sealed and not wanted.sealed:
            self.counters["help: not sealed"] += 1
            return
        self.seeker.meet(mid)
        self.seeker.heard(mid, now)
        self.helper.help_received(mid, wanted, now)

    def _have_received(self, mid: bytes, payload: bytes, now: float) -> None:
        have = Have.read(payload, self.receiver.geometry.segments)
        if have is not None and have.content_id == self.content_id:
            self.seeker.have_received(mid, have, now)
            if have.is_whole:
                self.helper.finished(mid)

    def _members_received(self, payload: bytes) -> None:
        members = Members.read(payload)
        if members is None or members.tag != self.receiver.tag:
            return
        for mid in members.mids:
            self.seeker.meet(mid)
        if members.group is not None and members.group != self.in_group:
            self.in_group = members.group
            self.receiver.passing = self.receiver.first = None
            self.events.append(GroupMembership(members.group))

    def take_messages(self) -> list[Message]:
        """
        Take the messages to be sent.
        """
        geometry = self.receiver.geometry
        messages, self._messages = self._messages, []
        messages += [Message(mid, Kind.HELP, wanted.pack(geometry)) for mid, wanted in self.seeker.take_helps()]
        messages += [Message(mid, Kind.HAVE, have.pack()) for mid, have in self.helper.take_haves()]
        return messages

    # --- Time.

    def run_timers(self, now: float) -> None:
        """
        Do what is due. Call it after datagrams came, too.
        """
        for event in self.checks.events:
            self.events.append(event)
            if isinstance(event, Checking):
                self.seeker.check()
            elif isinstance(event, PeerNamed):
                self.seeker.exclude(event.member)
                self.helper.exclude(event.member)
        self.checks.events.clear()
        for segment in list(self.checks.suspected):
            self._look_at(segment)
        for segment in self.checks.hopeless():
            self._forget(segment)
        alarm = self.checks.alarm(self.receiver.front, self.receiver.open_segments, now)
        if alarm is not None and self.checks.source is not None:
            self._messages.append(Message(self.checks.source, Kind.ALARM, alarm))
        self.seeker.run_timers(now)
        self.helper.cap = min(self.cap, max(self.least_cap, self.seeker.demand.best))

    def _look_at(self, segment: int) -> None:
        """
        Check what is stored of a segment, as far as its checksums are here, and remove what is bad.
        """
        for generation in self.receiver.geometry.of(segment):
            decoder = self.receiver.decoder(generation)
            if decoder is not None and self.checks.look(generation, decoder):
                self.receiver.removed(generation)
                self.checks.suspected.pop(segment, None)
        if segment in self.checks.suspected and self.checks.knows(segment):
            self.counters["segment: wrong for no reason"] += 1
            self._forget(segment)

    def _forget(self, segment: int) -> None:
        """
        Forget all of a segment: it can't be told what is wrong with it.
        """
        self.checks.suspected.pop(segment, None)
        self.receiver.give_up(segment)

    def end(self) -> None:
        """
        Forget what is certainly wrong and can't be told from what is good any more: nothing of it is to be kept.
        """
        for segment in list(self.checks.suspected):
            self._forget(segment)

    def next_timer(self, now: float) -> float:
        """
        Get when `run_timers` and `take_batches` should be called.
        """
        return min(self.seeker.next_timer(), self.helper.next_timer(now))

    def take_events(self) -> list[Event]:
        """
        Take what there is to tell.
        """
        events, self.events = self.events, []
        return events

    # --- Data.

    def wanted(self) -> list[int]:
        """
        Get the segments that should be handed over, the most urgent first: somebody lacks something of them.
        """
        return self.helper.wanted()

    def give(self, segment: int, data: bytes) -> None:
        """
        Hand over a segment that is stored: also each one when it was just completed.
        """
        self.helper.give(segment, data)

    def take_batches(self, now: float) -> list[Batch]:
        """
        Take the datagrams that may leave now; `port_of` tells to where.
        """
        return self.helper.take(now)

    def port_of(self, mid: bytes) -> int:
        """
        Get the UDP port where somebody's data goes.
        """
        client = self.helper.clients.get(mid)
        return 0 if client is None else client.port

    # --- Who gave what.

    def given(self) -> Counter[bytes]:
        """
        Get the bytes of datagrams that were given, by peer, ever.
        """
        return Counter(self.helper.given)

    def taken(self) -> Counter[bytes]:
        """
        Get the bytes of datagrams that came from helpers, by peer, ever.
        """
        return Counter(self.seeker.taken())


class SourceCooperation:
    """
    Of the source.
    """

    def __init__(self, sender: Sender, content_id: bytes) -> None:
        """
        Nobody is there yet.
        """
        self.sender = sender
        self.content_id = content_id
        self.counters: Counter[str] = Counter()
        self.introducer = Introducer(sender.tag)
        self.summer = Summer(sender.geometry, sender.tag)
        self._told: dict[bytes, Told] = {}

    def joined(self, mid: bytes) -> None:
        """
        Note that a receiver that helps has joined (`Sender.join` with `helps`).
        """
        self.introducer.joined(mid)

    def left(self, mid: bytes) -> None:
        """
        Note that a receiver is gone.
        """
        self.introducer.left(mid)
        self._told.pop(mid, None)
        self.summer.forget(mid)

    def message_received(self, mid: bytes, kind: int, payload: bytes, now: float) -> None:
        """
        Take a message that certainly comes from this member. Never raises.
        """
        geometry = self.sender.geometry
        if mid not in self.sender.members:
            self.counters["message: no member"] += 1
        elif kind == Kind.HELP and content_of(payload) == self.content_id:
            wanted = Help.read(payload, geometry)
            if wanted is not None and wanted.wants_have:  # A source says nothing of what it has: it has all.
                self.sender.needed_soon(mid, wanted, now)
            elif wanted is not None:
                self.sender.help_received(mid, wanted.wants, now)
        elif kind == Kind.ALARM:
            alarm = read_alarm(payload, geometry.segments)
            if alarm is not None and alarm[0] == self.sender.tag:
                self.summer.alarm_received(mid, alarm[1])

    def wanted(self) -> list[int]:
        """
        Get the segments that should be handed over, for checksums.
        """
        return self.summer.wanted()

    def give(self, segment: int, data: bytes) -> None:
        """
        Hand over a segment.
        """
        self.summer.give(segment, data)

    def take_messages(self, now: float) -> list[Message]:
        """
        Take the messages to be sent.
        """
        messages = [Message(mid, Kind.MEMBERS, told.pack()) for mid, told in self.introducer.take(now)]
        messages += [Message(mid, Kind.MEMBERS, Members(self.sender.tag, False, (), group).pack())
                     for mid, group in self._moves(now)]
        messages += [Message(mid, Kind.SUMS, sums.pack()) for mid, sums in self.summer.take()]
        return messages

    def _moves(self, now: float) -> list[tuple[bytes, bool]]:
        """
        Get who is to be told to leave the group or to be in it again: again and again, as long as it does not do it.
        """
        found = []
        for member in self.sender.members.values():
            told = self._told.setdefault(member.name, Told())
            group = member.alone is None
            if told.group != group:
                told.group, told.times = group, TOLD_TIMES
            elif not group and member.group.highest > told.highest:
                told.times = max(told.times, 1)
            if told.times and now >= told.at:
                told.times, told.at, told.highest = told.times - 1, now + TOLD_EACH, member.group.highest
                found.append((member.name, told.group))
        return found

    def next_timer(self) -> float:
        """
        Get when `take_messages` may have something, if nothing comes before.
        """
        moves = [told.at for told in self._told.values() if told.times]
        return float("-inf") if self.summer.is_due else min([*moves, self.introducer.next_timer()])
