"""
The source of a live stream: cuts what is fed into blocks, signs them, says when what leaves, repairs as the last one.
"""
from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from ...transfer.session.limits import FRAME
from ...transfer.session.packets import PROOF
from ...transfer.session.rate import Pacer
from .audience import Audience, Viewing
from .datagrams import Batch, encoder_of, numbered, single
from .giving import Giver
from .history import History, Kept
from .limits import (
    ADVANCE_FROM,
    ADVANCE_MOST,
    BACK_OFF,
    BACK_OFF_EACH,
    BACKLOG,
    BATCH,
    BLOCK_LEAST,
    BLOCK_TIME,
    CATCH_UP,
    CLEAR_DELAY,
    FIRST_CEILING,
    GATHER,
    GROWTH,
    HEADROOM,
    HURRY,
    HURRY_AFTER,
    IDLE_RECORD,
    JOIN_BACK,
    LEAST_PACE,
    MAX_BLOCK,
    MAX_BLOCKS,
    MAX_PACE,
    MAX_VIEWERS,
    PREROLL,
    QUEUED_REPAIR,
    REPAIR_PACE,
    REPAIRED,
    RUN,
    SLOW_BLOCK_TIME,
    SOURCE_BURST,
    SOURCE_SHARE,
)
from .records import Leaf, digest_of, sign_record

if TYPE_CHECKING:
    from random import Random

    from ...protocol.identity import Identity
    from .descriptor import Descriptor
    from .messages import Arrived, Need

class Out(NamedTuple):
    """
    What is to leave: to all (None), or to one viewer.
    """

    to: bytes | None
    batch: Batch


class Source:
    """
    One stream of ours, sans-IO.
    """

    def __init__(self, descriptor: Descriptor, identity: Identity, random: Random, now: float) -> None:
        """
        Begin with nothing fed.
        """
        self.descriptor = descriptor
        self.identity = identity
        self.random = random
        self.began = now
        self.history = History()
        self.giver = Giver(self.history, random)
        self.giver.share, self.giver.all.burst = SOURCE_SHARE, SOURCE_BURST
        self.giver.all.tokens = SOURCE_BURST
        self.viewers = Audience()
        self.counters: Counter[str] = Counter()
        self.next = 1
        """Number of the block that is cut next; 0 is none."""
        self.edge = 0
        self.ended = False
        self.rate = 0.0
        """Bytes/s that are fed."""
        self.ceiling = FIRST_CEILING
        self.waiting = 0
        """Bytes that wait to be sent."""
        self._pacer = Pacer(now, CATCH_UP)
        self._spare = Pacer(now, CATCH_UP)
        self._fed = bytearray()
        self._fed_since = now
        self._leaves: deque[Leaf] = deque(maxlen=RUN)
        self._record = b""
        self._recorded = now
        self._final_left = 0
        self._live: deque[Batch] = deque()
        self._repairs: deque[Out] = deque()
        self._wanted: dict[int, dict[bytes, int]] = {}
        self._gathered = 0.0
        self._repaired: dict[int, float] = {}
        self._meter: deque[tuple[float, int]] = deque()
        self._backed_off = self._grown = now

    # --- Feeding.

    def feed(self, data: bytes, now: float) -> None:
        """
        Take what was produced.
        """
        if self.ended or self.next >= MAX_BLOCKS:
            return
        if not self._fed:
            self._fed_since = now
        self._fed += data
        self._meter.append((now, len(data)))
        while len(self._fed) >= MAX_BLOCK:
            self._cut(bytes(self._fed[:MAX_BLOCK]), now)
            del self._fed[:MAX_BLOCK]
            self._fed_since = now
        self.run(now)

    def set_head(self, head: bytes, now: float) -> None:
        """
        Take what players need first.
        """
        if head and not self.ended:
            number = MAX_BLOCKS + 1 if self.history.head is None else self.history.head[0] + 1
            leaf = Leaf(0, len(head), self._since(now), digest_of(head))
            record = sign_record(self.identity, self.descriptor.id, number, [leaf], final=False)
            self.history.add(number, Kept(bytes(head), leaf, record, now))
            if self.viewers:
                self._later(single(PROOF, record))

    @property
    def is_full(self) -> bool:
        """
        Whether who feeds should wait.
        """
        return self.waiting + len(self._fed) >= BACKLOG

    def end(self, now: float) -> None:
        """
        Nothing comes any more.
        """
        if self.ended:
            return
        if self._fed:
            self._cut(bytes(self._fed), now)
            self._fed.clear()
        self.ended = True
        self._sign(final=True)
        self._recorded, self._final_left = now, 4
        self._say_record(now)

    def _since(self, now: float) -> int:
        return max(0, int((now - self.began) * 1e6))

    def _sign(self, *, final: bool = False) -> None:
        self._record = sign_record(self.identity, self.descriptor.id, self.next - len(self._leaves), self._leaves,
                                   final=final, position=self.edge)

    def _cut(self, data: bytes, now: float) -> None:
        """
        Make a block, and have it sent: its record first, so that everybody knows what is coming.
        """
        leaf = Leaf(self.edge, len(data), self._since(now), digest_of(data))
        self._leaves.append(leaf)
        number, self.next, self.edge = self.next, self.next + 1, leaf.end
        self._sign()
        self._recorded = now
        self.history.add(number, Kept(data, leaf, self._record, now))
        if not self.viewers:
            return
        k = leaf.shape[0]
        self._later(single(PROOF, self._record))
        extra = int(k * self._advance) + 1 if self._advance else 0
        encoder = encoder_of(data, leaf.shape)
        for at in range(0, k + extra, BATCH):
            self._later(numbered(number, encoder, min(BATCH, k + extra - at)))

    def _later(self, batch: Batch) -> None:
        self._live.append(batch)
        self.waiting += len(batch.datagrams)

    # --- Viewers.

    def join(self, who: bytes, now: float) -> bool:
        """
        Let somebody view; False when there are too many.
        """
        if who not in self.viewers and len(self.viewers) >= MAX_VIEWERS:
            return False
        self.viewers[who] = Viewing(now)
        return True

    def leave(self, who: bytes) -> None:
        """
        Let somebody go.
        """
        self.viewers.pop(who, None)

    def start_for(self, mark: int | None, now: float) -> int:
        """
        Get the block with which a viewer begins: with that of a position where a player can begin, or some before the
        edge.
        """
        start, back = self.next, 0
        for number, kept in self.history.newest_first():
            if now - kept.at > JOIN_BACK:
                break
            start, back = number, self.edge - kept.leaf.position
            if kept.leaf.position <= mark if mark is not None else back >= PREROLL:
                break
        return start

    @property
    def newest(self) -> int:
        """
        Number of the newest block; 0: none.
        """
        return self.next - 1

    @property
    def _advance(self) -> float:
        """
        The share of repair that is sent in advance.
        """
        loss = self.viewers.loss
        return 0.0 if self.viewers.queue > CLEAR_DELAY or loss < ADVANCE_FROM else min(ADVANCE_MOST, loss)

    def needs_received(self, who: bytes, needs: tuple[Need, ...], arrived: Arrived, now: float) -> None:
        """
        Take what a viewer lacks, and how the stream arrives there.
        """
        viewing = self.viewers.get(who)
        if viewing is None:
            self.counters["needs: no viewer"] += 1
            return
        viewing.report(arrived, now)
        if self.ended:  # Who still reports has not heard of it.
            self._repairs.append(Out(who, single(PROOF, self._record)))
        direct = []
        for need in needs:
            kept = self.history.get(need.block)
            if kept is None or need.record or not need.symbols or need.symbols * 2 > kept.leaf.shape[0]:
                direct.append(need)
            elif now >= self._repaired.get(need.block, 0.0):
                if not self._wanted:
                    self._gathered = now + GATHER
                self._wanted.setdefault(need.block, {})[who] = need.symbols
        self._give(who, direct, now)

    def _give(self, who: bytes, needs: list[Need], now: float) -> None:
        if needs:
            self._repairs.extend(Out(who, batch) for batch in self.giver.give(who, needs, now).batches)

    def _repair(self, now: float) -> None:
        """
        Send what was asked for: by multicast, what several lack.
        """
        wanted, self._wanted = self._wanted, {}
        self._repaired = {block: until for block, until in self._repaired.items() if until > now}
        for block, who in wanted.items():
            kept = self.history.get(block)
            if kept is None:
                continue
            count, k = max(who.values()), kept.leaf.shape[0]
            encoder = encoder_of(kept.data, kept.leaf.shape, self.random.randrange(k, 1 << 32))
            batch = numbered(block, encoder, count)
            payer = next(iter(who))
            if not self.giver.may(payer, len(batch.datagrams), now):
                self.counters["give: over budget"] += 1
                continue
            self.counters["give: symbols"] += count
            several = len(who) > 1
            # In front of what is for those who join: somebody's players wait for this.
            self._repairs.appendleft(Out(None if several else payer, batch))
            if several:
                self._repaired[block] = now + REPAIRED

    # --- Time.

    @property
    def pace(self) -> float:
        """
        Bytes/s that leave while something waits.
        """
        pace = max(LEAST_PACE, HEADROOM * self.rate * (1 + self._advance))
        if self.waiting > HURRY_AFTER * pace and not self.viewers.queued:
            pace *= HURRY
        return min(self.ceiling, pace)

    def run(self, now: float) -> None:
        """
        Do what is due.
        """
        while self._meter and now - self._meter[0][0] > 1.0:
            self._meter.popleft()
        if self._meter:
            since = max(0.25, min(1.0, now - self.began))
            self.rate = self.giver.rate = sum(size for _, size in self._meter) / since
        if self._fed and now >= self._cut_at:
            self._cut(bytes(self._fed), now)
            self._fed.clear()
        if self._wanted and now >= self._gathered:
            self._repair(now)
        if now >= self._record_at:
            self._say_record(now)
        self._adapt(now)
        for who in self.viewers.silent(now):
            self.counters["viewer: silent"] += 1
            del self.viewers[who]

    @property
    def _cut_at(self) -> float:
        """
        When the next block is cut, if it does not fill before.
        """
        return self._fed_since + (BLOCK_TIME if len(self._fed) >= BLOCK_LEAST else SLOW_BLOCK_TIME)

    @property
    def _record_at(self) -> float:
        """
        When the last record is said again, if there is none before.
        """
        is_said = self._record and (not self.ended or self._final_left)
        return self._recorded + IDLE_RECORD if is_said else float("inf")

    def _say_record(self, now: float) -> None:
        self._recorded = now
        self._final_left = max(0, self._final_left - 1)
        if self.viewers:
            self._later(single(PROOF, self._record))

    def _adapt(self, now: float) -> None:
        """
        Follow what the network carries.
        """
        if self.viewers.congested:
            if now - self._backed_off >= BACK_OFF_EACH:
                self._backed_off = self._grown = now
                self.ceiling = max(LEAST_PACE, BACK_OFF * min(self.ceiling, self.pace))
                self.counters["pace: backed off"] += 1
        elif now - self._grown >= 1.0:
            self._grown = now
            self.ceiling = min(MAX_PACE, self.ceiling * (1 + GROWTH))

    def take(self, now: float) -> list[Out]:
        """
        Take what leaves now.
        """
        self.run(now)
        found = []
        while self._live and self._pacer.is_due(now):
            batch = self._live.popleft()
            self.waiting -= len(batch.datagrams)
            whom = [None, *self.viewers.deaf()]
            self._pacer.sent(now, len(whom) * _size(batch), len(whom) * self.pace)
            found += [Out(who, batch._replace(datagrams=bytearray(batch.datagrams))) for who in whom]
        while self._repairs and self._spare.is_due(now):
            out = self._repairs.popleft()
            self._spare.sent(now, _size(out.batch), self._repair_pace)
            found.append(out)
        return found

    @property
    def _repair_pace(self) -> float:
        if self.viewers.queued:
            return max(LEAST_PACE * QUEUED_REPAIR, QUEUED_REPAIR * self.rate)
        return max(LEAST_PACE, min(self.ceiling, REPAIR_PACE * self.rate))

    def next_timer(self, now: float) -> float:
        """
        Get when to call `take` again.
        """
        when = min(self._record_at, now + 1.0)
        if self._live:
            when = min(when, self._pacer.due)
        if self._repairs:
            when = min(when, self._spare.due)
        if self._fed:
            when = min(when, self._cut_at)
        if self._wanted:
            when = min(when, self._gathered)
        return max(when, now)


def _size(batch: Batch) -> int:
    """
    Get what a batch takes of a link.
    """
    return len(batch.datagrams) + FRAME * batch.packets
