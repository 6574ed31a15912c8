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
from operator import ge
from typing import TYPE_CHECKING, Final

from .coop_limits import (
    ASK_LEAST,
    ASK_START,
    BULK_OPEN,
    END,
    END_HELPERS,
    END_QUIET,
    ENOUGH_TRIED,
    FIRST_PATIENCE,
    HAVE_EACH,
    HELPS_KEPT,
    LEAST_REPAIR,
    MAX_HELPERS,
    MAX_PACKETS_ASKED,
    PROBABLY_GONE,
    QUIET,
    REPAIR_SHARE,
    REPAIR_TICKS,
    SOURCE_ASKED,
    SOURCE_PATIENCE,
    TIMEOUT_LEAST,
    TIMEOUT_SPREAD,
    TRY_AGAIN,
)
from .coop_messages import WANTED_ROOM, Help, Want, size_of
from .demand import Demand
from .helpers import Asked, Peer
from .limits import FRAME, LEAST_INTERVAL, MAX_LOSS
from .packets import KEY_SIZE, OVERHEAD, TAG_SIZE
from .track import HelpStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .coop_messages import Have
    from .receiver import Receiver

FIRST_ORIGIN: Final = 2
ANSWER_TIME: Final = 0.02
"""Seconds that it takes from a HELP to its answer, beside the answer's own length: so much is under way at most."""
SPREAD: Final = 1.5
"""When only helpers send, each is asked for so many times its share at most: all of them send at once."""
PARTLY: Final = 0.75
"""While the source's stream brings something, of segments that it had passed before we came only those generations are
asked for of which no more than this share is lacking: the rest has time."""
FULL: Final = 255
ROOM: Final = WANTED_ROOM, MAX_PACKETS_ASKED


class Seeker:
    """
    Asks for one receiver: HELPs out, accounts and HAVEs in.
    """

    def __init__(self, receiver: Receiver, content_id: bytes, me: bytes, *, port: int, random: Random, now: float,  # noqa: PLR0913
                 start: float = ASK_START, floor: float = ASK_LEAST) -> None:
        """
        :param me: our member id; HELPs to us would be nonsense.
        :param port: where unicast data comes to.
        :param start: what is asked of a new helper, bytes per second; never less than `floor` of any.
        """
        self.demand = Demand(now, start, floor)
        self.receiver = receiver
        self.content_id = content_id
        self.me = me
        self.port = port
        self.random = random
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
        self._bulk: list[int] = []
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
        stream = HelpStream(self.random.randbytes(TAG_SIZE), self.random.randbytes(KEY_SIZE), self._origin)
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
        Get the bytes of datagrams that came, by helper, ever.
        """
        return self._taken + Counter({mid: peer.stream.bytes for mid, peer in self.peers.items()})

    def part(self, mid: bytes) -> None:
        """
        Ask somebody no more.
        """
        peer = self.peers.pop(mid, None)
        if peer is not None:
            self._taken[mid] += peer.stream.bytes
            self.receiver.helpers.pop(peer.stream.tag, None)
            for asked in list(peer.asked.values()):
                self._over(peer, asked)

    def exclude(self, mid: bytes) -> None:
        """
        Ask somebody no more, and hear nothing of it, whoever speaks of it.
        """
        self.excluded.add(mid)
        self.part(mid)

    def have_received(self, mid: bytes, have: Have, now: float) -> None:
        """
        Take what a helper says that it lacks.
        """
        peer = self.peers.get(mid)
        if peer is not None:
            peer.have_at = now
            peer.lacks = None if have.lacks is None else {
                segment for first, count, _ in have.lacks.runs for segment in range(first, first + count)}

    # --- When.

    def next_timer(self) -> float:
        """
        Get when `run_timers` should be called.
        """
        return self._next

    def _is_quiet(self, now: float) -> bool:
        """
        Tell whether the source's stream brings nothing now, or has passed all.
        """
        return now - self.receiver.useful_at > QUIET or self.receiver.passing is None

    def run_timers(self, now: float) -> None:
        """
        Ask for what is lacking, when it is time; when nothing else comes, as soon as an answer has ended.
        """
        is_early = now < self._next
        if is_early and not (self._is_quiet(now) and now - self._last >= LEAST_INTERVAL
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
                               is_alone=self._is_quiet(now))
            self._is_short = self._is_lossy = False
        self._give_room(seconds, now)
        self._of_source = {each: at for each, at in self._of_source.items() if now - at < SOURCE_PATIENCE}
        if not self.receiver.is_complete:
            self._ask(now)

    def _count(self) -> int:
        """
        Get how many datagrams ever came, from whomever.
        """
        return sum(track.count for track in (*self.receiver.tracks, *self.receiver.helpers.values()))

    def _give_room(self, seconds: float, now: float) -> None:
        """
        Fix how much may be asked of each helper, and of all, until the next time.
        """
        interval = self.receiver.interval
        came = sum(track.count for track in self.receiver.tracks)
        self._room, self._came = inf if self._is_quiet(now) else came - self._came, came
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
        for asked in [asked for asked in peer.asked.values() if now >= asked.until]:
            self.counters["help: no answer"] += 1
            self._over(peer, asked)
            peer.failed(now)
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

    def _lacking(self, now: float) -> Iterator[int]:
        """
        Get the generations to ask for, the most urgent first.
        """
        receiver = self.receiver
        parts, missing = receiver.geometry.parts, receiver.missing
        quiet = now - receiver.useful_at
        is_quiet = self._is_quiet(now)
        passing = None if is_quiet else receiver.passing
        front = receiver.geometry.segments if self.source is None or quiet > PROBABLY_GONE else receiver.front
        for segment in sorted(receiver.open_segments):
            if segment < front and segment != passing:
                is_ours = is_quiet or (receiver.first is not None and segment >= receiver.first)
                for generation in receiver.geometry.of(segment):
                    if 0 < missing[generation] and (is_ours or missing[generation] < PARTLY * receiver.sizes[generation]):
                        yield generation
        if not is_quiet:
            return
        is_open = len(receiver.open_segments.keys() | {each // parts for each in (*self._under_way, *self._of_source)})
        if not self._bulk:
            self._bulk = [segment for segment in range(front) if segment not in
                          receiver.stored_segments and segment not in receiver.open_segments]
            self.random.shuffle(self._bulk)
        while self._bulk and is_open < BULK_OPEN:
            segment = self._bulk[-1]
            generations = [each for each in range(segment * parts, (segment + 1) * parts) if missing[each]]
            if segment not in receiver.open_segments:
                yield from generations
                is_open += 1
            if segment in receiver.open_segments or not generations or any(each in self._under_way
                                                                           for each in generations):
                self._bulk.pop()
            else:
                return

    def _ask(self, now: float) -> None:
        order = self._order(now)
        if self._is_end(now):
            self._ask_all(order, now)
            return
        wants: dict[bytes, list[Want]] = {}
        rooms: dict[bytes, tuple[int, int]] = {}
        least = 24 + self.receiver.geometry.k // 8
        for_source: list[Want] = []
        source_room = SOURCE_ASKED - sum(map(self.receiver.missing.__getitem__, self._of_source))
        lacking = [generation for generation in self._lacking(now)
                   if generation not in self._under_way and generation not in self._of_source]
        due = sum(map(self.receiver.missing.__getitem__, lacking)) / REPAIR_TICKS
        self._room = max(LEAST_REPAIR, min(REPAIR_SHARE * self._room, due))
        before = float("-inf")
        is_quiet = self._is_quiet(now)
        for generation in lacking:
            want = self._want(generation)
            tried = self._tried.get(generation, {})
            segment = generation // self.receiver.geometry.parts
            able = [peer for peer in order if now - tried.get(peer.mid, before) > TRY_AGAIN and peer.has(segment, now)]
            if self.source is not None and sum(now - at <= TRY_AGAIN for at in tried.values()) >= ENOUGH_TRIED:
                able = []
            ready = next((peer for peer in able if peer.room > 0
                          and all(map(ge, rooms.get(peer.mid, ROOM), (least, FULL)))), None)
            if self._room <= 0:
                break
            if self._tokens <= 0:
                self._is_short = True
                break
            if ready is not None:
                packets = want.packets if not is_quiet else min(
                    FULL, round(want.packets / (1 - min(ready.way.loss, MAX_LOSS))))
                wants.setdefault(ready.mid, []).append(want._replace(packets=packets))
                room, more = rooms.get(ready.mid, ROOM)
                rooms[ready.mid] = room - size_of(want, 0, self.receiver.geometry), more - packets
                self._room -= packets
                ready.room -= packets * self.packet
                self._tokens -= packets * self.packet
                self._under_way[generation] = ready
            elif able:
                self._is_short = True
                if all(peer.room <= 0 for peer in order):
                    break
            elif self.source is not None and want.packets <= source_room and (self.peers or now >= self._patient):
                source_room -= want.packets
                for_source.append(want)
                self._of_source[generation] = now
        for mid, chosen in wants.items():
            self._send(self.peers[mid], chosen, now)
        self._ask_source(for_source)

    def _is_end(self, now: float) -> bool:
        """
        Tell whether so little is lacking, of all there is, that it is asked of several at once.
        """
        receiver = self.receiver
        if now - receiver.useful_at < END_QUIET or receiver.front < receiver.geometry.segments:
            return False
        stored = len(receiver.stored_segments) + len(receiver.open_segments) + receiver.waiting
        lacking = sum(receiver.missing[each] for segment in receiver.open_segments
                      for each in receiver.geometry.of(segment))
        return stored >= receiver.geometry.segments and lacking <= END

    def _ask_all(self, order: list[Peer], now: float) -> None:
        """
        Ask for the last few packets, of some who may have them, and of the source: whoever answers first.
        """
        wants = [self._want(generation) for segment in self.receiver.open_segments
                 for generation in self.receiver.geometry.of(segment) if self.receiver.missing[generation]]
        if not wants:
            return
        idle = [peer for peer in order if not peer.asked]
        for peer in idle[:max(0, END_HELPERS - len(order) + len(idle))]:
            if self._tokens > 0:
                self._tokens -= sum(want.packets for want in wants) * self.packet
                self._send(peer, wants, now)
        for_source = [want for want in wants if want.generation in self._tried
                      and want.generation not in self._of_source]
        self._of_source |= {want.generation: now for want in for_source}
        self._ask_source(for_source)

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

    def _want(self, generation: int) -> Want:
        found = self.receiver.held(generation)
        lacking = self.receiver.missing[generation]
        return Want(generation, lacking) if found is None else Want(generation, lacking, *found)

    def _help(self, tag: bytes, key: bytes, number: int, wants: list[Want]) -> Help:
        geometry = self.receiver.geometry
        proof = self.receiver.unproved(want.generation // geometry.parts for want in wants)
        return Help(self.content_id, geometry.k, geometry.symbol, tag, key, self.port, number, 0.0, False,
                    self.wants_checked, proof, sorted(wants))

    def _send(self, peer: Peer, wants: list[Want], now: float) -> None:
        peer.number += 1
        total = sum(want.packets for want in wants)
        is_due = now - peer.told_at >= HAVE_EACH and now - self.receiver.useful_at > QUIET
        if is_due:
            peer.told_at = now
        pace = total * self.packet / self.receiver.interval
        if self._is_quiet(now):
            pace = self.demand.rate
        made = self._help(peer.stream.tag, peer.stream.key, peer.number, wants)._replace(pace=pace, wants_have=is_due)
        lasts = total * self.packet / pace
        until = now + lasts + max(TIMEOUT_LEAST, peer.takes + TIMEOUT_SPREAD * peer.varies)
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
