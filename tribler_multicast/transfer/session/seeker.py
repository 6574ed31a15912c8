"""
The one who asks: at a receiver, for what it lacks, from those who are likely to have it.

While the source lives, what it passed is at most of the others, each of which lost something else: so a receiver asks
for all that it lacks of what was passed, a few generations at a time, one helper after the other, and tells exactly
which symbols it has. What nobody else has it asks of the source. When the source is gone there is nothing else.

Each helper is asked for no more than what arrives in time (`demand`), and each generation of one helper at a time, so
that nothing comes twice. What it could not give is asked of the next one.
"""
from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Final

from .coop_limits import (
    ASK_LEAST,
    ASK_MOST,
    ASK_START,
    END_HELPERS,
    ENOUGH_TRIED,
    FIRST_PATIENCE,
    HAVE_EACH,
    HELPS_KEPT,
    LEAST_REPAIR,
    MAX_HELPERS,
    QUIET,
    REPAIR_SHARE,
    REPAIR_TICKS,
    REST,
    SOURCE_ASKED,
    SOURCE_PATIENCE,
    TIMEOUT_LEAST,
    TIMEOUT_MOST,
    TIMEOUT_SPREAD,
    TRY_AGAIN,
)
from .coop_messages import Help, Want
from .demand import Demand
from .helpers import Asked, Peer, Plan
from .lacking import Lacking
from .limits import FRAME, LEAST_INTERVAL, MAX_LOSS
from .packets import KEY_SIZE, OVERHEAD, TAG_SIZE
from .soon import Soon
from .track import HelpStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from .coop_messages import Have
    from .receiver import Receiver

FIRST_ORIGIN: Final = 2
ANSWER_TIME: Final = 0.02
"""Seconds that it takes from a HELP to its answer, beside the answer's own length: so much is under way at most."""
SPREAD: Final = 1.5
"""When only helpers send, each is asked for so many times its share at most: all of them send at once."""
TRIED_KEPT: Final = 1024
FULL: Final = 255


class Seeker:
    """
    Asks for one receiver: HELPs out, accounts and HAVEs in.
    """

    def __init__(self, receiver: Receiver, content_id: bytes, me: bytes, *, port: int, random: Random, now: float,  # noqa: PLR0913
                 start: float = ASK_START, floor: float = ASK_LEAST, most: float = ASK_MOST) -> None:
        """
        :param me: our member id; HELPs to us would be nonsense.
        :param port: where unicast data comes to.
        :param start: what is asked of a new helper, bytes per second; never less than `floor` of any, nor more than
            `most` of all together.
        """
        self.demand = Demand(now, start, floor, most)
        self.receiver = receiver
        self.content_id = content_id
        self.me = me
        self.port = port
        self.random = random
        self.soon = Soon(receiver)
        self.lacking = Lacking(receiver, self.soon, random)
        self.peers: dict[bytes, Peer] = {}
        self.excluded: set[bytes] = set()
        self.source: bytes | None = None
        self.wants_checked = False
        self.counters: Counter[str] = Counter()
        self._taken: Counter[bytes] = Counter()
        self.helps: list[tuple[bytes, Help]] = []
        self._origin = FIRST_ORIGIN
        self._under_way: dict[int, Peer | None] = {}
        self._of_source: dict[int, float] = {}
        self._source_number = 0
        self._tried: dict[int, dict[bytes, float]] = {}
        self._next = now
        self._last = now
        self._patient = now + FIRST_PATIENCE
        self._came = 0
        self._room: float = 0
        self._tokens = 0.0
        self._is_short = self._is_lossy = False
        self._turn = random.randrange(1 << 16)
        self.packet = receiver.geometry.symbol + OVERHEAD + FRAME

    # --- Who is there.

    def meet(self, mid: bytes) -> None:
        """
        Know one more who may help.
        """
        if mid in self.peers or mid in (self.me, self.source) or mid in self.excluded:
            return
        if len(self.peers) >= MAX_HELPERS:
            self.counters["help: enough helpers"] += 1
            return
        self.peers[mid] = Peer(mid, self._stream(mid))

    def _stream(self, mid: bytes) -> HelpStream:
        """
        Make a stream for what somebody sends.
        """
        stream = HelpStream(self.random.randbytes(TAG_SIZE), self.random.randbytes(KEY_SIZE), self._origin,
                            self.receiver.way, sealed=self.receiver.sealed)
        self._origin += 1
        self.receiver.helpers[stream.tag] = stream
        checks = self.receiver.checks
        if checks is not None:
            checks.origins[stream.origin] = mid
            if self.wants_checked:
                checks.vouched.add(stream.origin)
        return stream

    def check(self) -> None:
        """
        Want nothing from now on but what was checked: on new streams, so that it is certain what was promised.
        """
        if self.wants_checked:
            return
        self.wants_checked = True
        for mid in list(self.peers):
            self.part(mid)
            self.peers[mid] = Peer(mid, self._stream(mid))

    def taken(self) -> Counter[bytes]:
        """
        Get the bytes of datagrams that came and told something new, by helper, ever: nobody gets credit for a flood.
        """
        return self._taken + Counter({mid: self._worth(peer.stream) for mid, peer in self.peers.items()})

    def _worth(self, stream: HelpStream) -> int:
        return min(stream.bytes, stream.useful * (self.packet - FRAME))

    def part(self, mid: bytes) -> None:
        """
        Ask somebody no more.
        """
        peer = self.peers.pop(mid, None)
        if peer is not None:
            self._taken[mid] += self._worth(peer.stream)
            self.receiver.helpers.pop(peer.stream.tag, None)
            for asked in list(peer.asked.values()):
                self._over(peer, asked)

    def exclude(self, mid: bytes) -> None:
        """
        Ask somebody no more, and hear nothing of it, whoever speaks of it.
        """
        self.excluded.add(mid)
        self.part(mid)

    def heard(self, mid: bytes, now: float) -> None:
        """
        Note that somebody asks, so is there: if it did not answer, it may by now.
        """
        peer = self.peers.get(mid)
        if peer is not None:
            peer.rest_until = min(peer.rest_until, now + REST)

    def have_received(self, mid: bytes, have: Have, now: float) -> None:
        """
        Take what a helper says that it lacks.
        """
        peer = self.peers.get(mid)
        if peer is not None:
            peer.have_at = now
            peer.lacks = None if have.lacks is None else {
                segment for first, count, _ in have.lacks.runs for segment in range(first, first + count)}

    def need_soon(self, segments: Sequence[int], now: float) -> bool:
        """
        Note which segments are needed soon. Tells whether `run_timers` should be called now.
        """
        is_new = self.soon.need(segments, now)
        if is_new:
            self._next = min(self._next, now)
        return is_new

    # --- When.

    def next_timer(self) -> float:
        """
        Get when `run_timers` should be called.
        """
        return self._next

    def run_timers(self, now: float) -> None:
        """
        Ask for what is lacking, when it is time; when nothing else comes, as soon as an answer has ended.
        """
        is_early = now < self._next
        if is_early and not (self.lacking.is_quiet(now) and now - self._last >= LEAST_INTERVAL
                             and any(peer.stream.accounts for peer in self.peers.values())):
            return
        seconds, self._last = max(now - self._last, 1e-3), now
        for peer in list(self.peers.values()):
            self._is_lossy = self._answers(peer, now) or self._is_lossy
        if not is_early:
            self._next = now + self.receiver.interval
            self._turn += 1
            for peer in self.peers.values():
                peer.way.delay(now, peer.stream.delay)
                peer.stream.delay = None
            self.demand.decide(now, [peer.way for peer in self.peers.values()],
                               self.packet * self._count(), is_short=self._is_short, is_lossy=self._is_lossy,
                               is_alone=self.lacking.is_quiet(now))
            self._is_short = self._is_lossy = False
        self._give_room(seconds, now)
        if len(self._tried) > TRIED_KEPT:
            self._tried = {each: tried for each, tried in self._tried.items() if self.receiver.missing[each]}
        self._of_source = {each: at for each, at in self._of_source.items() if now - at < SOURCE_PATIENCE}
        if not self.receiver.is_complete:
            self._hasten(now)
            self._ask(now)

    def _count(self) -> int:
        """
        Get how many datagrams ever came, from whomever.
        """
        helped = sum(helper.count for helper in self.receiver.helpers.values())
        return helped + sum(track.count for track in self.receiver.tracks)

    def _give_room(self, seconds: float, now: float) -> None:
        """
        Fix how much may be asked of each helper, and of all, until the next time.
        """
        interval = self.receiver.interval
        came = sum(track.count for track in self.receiver.tracks)
        self._room, self._came = inf if self.lacking.is_quiet(now) else came - self._came, came
        self._tokens = min(self._tokens + self.demand.rate * seconds, 2 * self.demand.rate * interval)
        if self._room < inf:
            self._tokens = max(self._tokens, self._room * self.packet)
        under_way = self.packet * sum(asked.packets for peer in self.peers.values() for asked in peer.asked.values())
        most = self.demand.rate * (2 * interval + ANSWER_TIME) + self.receiver.geometry.k * self.packet - under_way
        if most < self._tokens and self._room == inf:
            self._tokens, self._is_short = most, True
        able = [peer for peer in self.peers.values() if now >= peer.rest_until]
        total = sum(peer.way.share for peer in able)
        for peer in able:
            spread = min(1.0, SPREAD * peer.way.share / total) if self._room == inf else peer.way.share
            peer.room = spread * max(self._tokens, 0.0) if len(peer.asked) < HELPS_KEPT else 0.0

    def _answers(self, peer: Peer, now: float) -> bool:
        """
        Look at what became of the HELPs to one. Tells whether more than usual gets lost on its way.
        """
        accounts, peer.stream.accounts = peer.stream.accounts, []
        for number, sent, at in accounts:
            asked = peer.asked.get(number)
            if asked is not None and len(sent) == len(asked.wants):
                self._account(peer, asked, sent, at)
            elif asked is None and peer.came_late(number, at):
                self.counters["help: late answer"] += 1
        for asked in [asked for asked in peer.asked.values() if now >= asked.until]:
            self.counters["help: no answer"] += 1
            self._over(peer, asked)
            peer.failed(asked, now)
        return bool(accounts) and peer.lost()

    def _account(self, peer: Peer, asked: Asked, sent: bytes, now: float) -> None:
        peer.answered(asked, now)
        for (generation, (wanted, lacking)), given in zip(asked.wants.items(), sent, strict=True):
            if given < wanted or self.receiver.missing[generation] >= lacking:
                self._tried.setdefault(generation, {})[peer.mid] = now
        for before in [each for each in peer.asked.values() if each.number <= asked.number]:
            self._over(peer, before)

    def _over(self, peer: Peer, asked: Asked) -> None:
        peer.asked.pop(asked.number, None)
        for generation in asked.wants:
            if self._under_way.get(generation) is peer:
                del self._under_way[generation]

    # --- What.

    def _ask(self, now: float) -> None:
        """
        Ask for what is lacking, as far as there is room.
        """
        order = self._order(now)
        if self.lacking.is_end(now):
            self._ask_all(order, now)
            return
        busy = self._under_way.keys() | self._of_source.keys()
        lacking = list(self.lacking.generations(now, busy, {each // self.receiver.geometry.parts for each in busy},
                                                has_source=self.source is not None))
        missing = self.receiver.missing
        self._room = max(LEAST_REPAIR, min(REPAIR_SHARE * self._room, sum(missing[each] for each in lacking)
                                           / REPAIR_TICKS))
        for_source = self._choose(lacking, order, now)
        self._ask_source(for_source)
        if not lacking and self.receiver.waiting:
            self._ask_for_proofs(order, now)

    def _choose(self, lacking: list[int], order: list[Peer], now: float) -> list[Want]:
        """
        Ask helpers for what they may have. Gets what the source is to be asked for.
        """
        plans = {peer.mid: Plan(peer) for peer in order}
        for_source: list[Want] = []
        may_ask_source = self.source is not None and (bool(self.peers) or now >= self._patient)
        source_room = SOURCE_ASKED - sum(self.receiver.missing[each] for each in self._of_source)
        for generation in lacking:
            if self._room <= 0 or self._tokens <= 0:
                self._is_short = self._is_short or self._tokens <= 0
                break
            want = self.lacking.want(generation)
            able = self._able(generation, order, now)
            ready = next((peer for peer in able if plans[peer.mid].has_room), None)
            if ready is not None:
                self._plan(plans[ready.mid], want, now)
            elif able:
                self._is_short = True
            elif may_ask_source and want.packets <= source_room \
                    and not self.soon.is_coming(generation // self.receiver.geometry.parts):
                source_room -= want.packets
                for_source.append(want)
                self._of_source[generation] = now
        for plan in plans.values():
            if plan.wants:
                self._send(plan.peer, plan.wants, now)
        return for_source

    def _able(self, generation: int, order: list[Peer], now: float) -> list[Peer]:
        """
        Get who may have something new of a generation. Where some had nothing, nobody has: it is the source's turn.
        """
        tried = [mid for mid, at in self._tried.get(generation, {}).items() if now - at <= TRY_AGAIN]
        if self.source is not None and len(tried) >= ENOUGH_TRIED:
            return []
        segment = generation // self.receiver.geometry.parts
        return [peer for peer in order if peer.mid not in tried and peer.has(segment, now)]

    def _plan(self, plan: Plan, want: Want, now: float) -> None:
        """
        Add to what somebody is asked for: when nothing else comes, for what gets lost on its way, too.
        """
        packets = want.packets
        if self.lacking.is_quiet(now):
            packets = min(FULL, round(packets / (1 - min(plan.peer.way.loss, MAX_LOSS))))
        plan.add(want._replace(packets=packets), self.receiver.geometry)
        self._room -= packets
        self._tokens -= packets * self.packet
        plan.peer.room -= packets * self.packet
        self._under_way[want.generation] = plan.peer

    def _ask_all(self, order: list[Peer], now: float) -> None:
        """
        Ask for the last few packets, of some who may have them, and of the source: whoever answers first.
        """
        wants = self.lacking.last()
        idle = [peer for peer in order if not peer.asked]
        for peer in idle[:max(0, END_HELPERS - len(order) + len(idle))]:
            if self._tokens > 0:
                self._tokens -= sum(want.packets for want in wants) * self.packet
                self._send(peer, wants, now)
        for_source = [want for want in wants if want.generation in self._tried
                      and want.generation not in self._of_source]
        self._of_source |= {want.generation: now for want in for_source}
        self._ask_source(for_source)

    def _ask_for_proofs(self, order: list[Peer], now: float) -> None:
        """
        Ask for the hashes of what is whole: the source may be gone.
        """
        idle = [peer for peer in order if not peer.asked]
        if idle:
            self._send(idle[0], [], now)

    def _hasten(self, now: float) -> None:
        """
        Tell the source what we need soon.
        """
        if self.source is None or not (segments := self.soon.due(now)):
            return
        receiver = self.receiver
        wants = [Want(next(each for each in receiver.geometry.of(segment) if receiver.missing[each]), 1)
                 for segment in segments]
        self._source_number += 1
        self.counters["help: soon"] += 1
        made = self._help(bytes(TAG_SIZE), bytes(KEY_SIZE), self._source_number, wants)
        self.helps.append((self.source, made._replace(wants_have=True, proof=segments[0])))

    def _ask_source(self, wants: list[Want]) -> None:
        if wants and self.source is not None:
            self._source_number += 1
            self.counters["help: asked of the source"] += len(wants)
            made = self._help(bytes(TAG_SIZE), bytes(KEY_SIZE), self._source_number, wants)
            self.helps.append((self.source, made))

    def _order(self, now: float) -> list[Peer]:
        """
        Get who may be asked now, another one first each time.
        """
        able = [peer for peer in self.peers.values() if now >= peer.rest_until]
        able.sort(key=lambda peer: blake2b(self.me + peer.mid, digest_size=4).digest())
        at = self._turn % len(able) if able else 0
        return able[at:] + able[:at]

    def _help(self, tag: bytes, key: bytes, number: int, wants: list[Want], highest: int = 0) -> Help:
        geometry = self.receiver.geometry
        proof = self.receiver.unproved(want.generation // geometry.parts for want in wants)
        return Help(self.content_id, geometry.k, geometry.symbol, tag, key, self.port, number, 0.0, False,
                    self.wants_checked, self.receiver.sealed, proof, highest, sorted(wants))

    def _send(self, peer: Peer, wants: list[Want], now: float) -> None:
        peer.number += 1
        total = sum(want.packets for want in wants)
        is_due = now - peer.told_at >= HAVE_EACH and now - self.receiver.useful_at > QUIET
        if is_due:
            peer.told_at = now
        pace = max(total * self.packet / self.receiver.interval, self.demand.floor)
        if self.lacking.is_quiet(now):
            pace = self.demand.rate
        made = self._help(peer.stream.tag, peer.stream.key, peer.number, wants, peer.stream.highest)
        made = made._replace(pace=pace, wants_have=is_due)
        lasts = total * self.packet / pace
        until = now + lasts + min(TIMEOUT_MOST, max(TIMEOUT_LEAST, peer.takes + TIMEOUT_SPREAD * peer.varies))
        peer.asked[peer.number] = Asked(peer.number, now, lasts, total, {
            want.generation: (want.packets, self.receiver.missing[want.generation]) for want in made.wants}, until)
        self.counters["help: asked"] += total
        self.helps.append((peer.mid, made))

    def take_helps(self) -> list[tuple[bytes, Help]]:
        """
        Take the HELPs to be sent, and to whom.
        """
        helps, self.helps = self.helps, []
        return helps
