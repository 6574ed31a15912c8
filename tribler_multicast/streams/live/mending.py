"""
The source's repair: what viewers ask of it, gathered, each block once at a time, at a pace of its own.

What two viewers lack goes by multicast. What waits to be sent is not made again for who asks once more. The pace begins
low, grows while no queue is seen, and is half where one is: before the source's link the stream itself comes first.
"""
from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from ...transfer.session.limits import FRAME
from ...transfer.session.packets import PROOF
from ...transfer.session.rate import Pacer
from .datagrams import BATCH, Batch, encoder_of, numbered, single
from .giving import Giver, parts
from .limits import (
    CATCH_UP,
    FIRST_REPAIR,
    GATHER,
    LEAST_REPAIR,
    MOST_REPAIR,
    REPAIR_DOWN,
    REPAIR_EACH,
    REPAIR_UP,
    REPAIRED,
)

if TYPE_CHECKING:
    from random import Random

    from .history import History
    from .messages import Need

Key = tuple[int, bytes | None]
"""A block, and for whom alone; None: for all who lack it."""


class Out(NamedTuple):
    """
    What is to leave: to all (None), or to one viewer.
    """

    to: bytes | None
    batch: Batch


class Mender:
    """
    Answers the viewers of one source.
    """

    def __init__(self, history: History, giver: Giver, random: Random, now: float) -> None:
        """
        With nothing asked.
        """
        self.history = history
        self.giver = giver
        self.random = random
        self.counters: Counter[str] = Counter()
        self.share = FIRST_REPAIR
        """Of the stream's rate: the pace."""
        self._pacer = Pacer(now, CATCH_UP)
        self._wanted: dict[Key, dict[bytes, Need]] = {}
        self._gathered = 0.0
        self._queue: deque[tuple[Key, Out]] = deque()
        self._queued: Counter[Key] = Counter()
        self._sent: dict[Key, float] = {}
        self._adapted = now

    def ask(self, who: bytes, needs: tuple[Need, ...], now: float) -> None:
        """
        Take what somebody lacks.
        """
        for need in needs:
            key = need.block, who if need.alone else None
            if self._queued[key] or now < self._sent.get(key, 0.0):
                self.counters["mend: under way"] += 1
                continue
            if not self._wanted:
                self._gathered = now + GATHER
            self._wanted.setdefault(key, {})[who] = need

    def say(self, who: bytes, body: bytes) -> None:
        """
        Send a record to somebody.
        """
        self._queue.append(((0, who), Out(who, single(PROOF, body))))
        self._queued[0, who] += 1

    def adapt(self, now: float, *, queued: bool) -> None:
        """
        Take whether viewers see a queue.
        """
        if now - self._adapted >= REPAIR_EACH:
            self._adapted = now
            self.share = max(LEAST_REPAIR, self.share * REPAIR_DOWN) if queued else min(MOST_REPAIR,
                                                                                       self.share * REPAIR_UP)

    def take(self, now: float, rate: float) -> list[Out]:
        """
        Take what leaves now.

        :param rate: of the stream, bytes/s.
        """
        if self._wanted and now >= self._gathered:
            self._make(now)
        found = []
        while self._queue and self._pacer.is_due(now):
            key, out = self._queue.popleft()
            self._queued[key] -= 1
            if not self._queued[key]:
                del self._queued[key]
                self._sent[key] = now + REPAIRED
            self._pacer.sent(now, len(out.batch.datagrams) + FRAME * out.batch.packets, self.share * rate)
            found.append(out)
        return found

    def due(self) -> float:
        """
        Get when there is something to take.
        """
        return min(self._pacer.due if self._queue else float("inf"), self._gathered if self._wanted else float("inf"))

    def _make(self, now: float) -> None:
        wanted, self._wanted = self._wanted, {}
        self._sent = {key: until for key, until in self._sent.items() if until > now}
        small: list[tuple[Key, Out]] = []
        for key, who in wanted.items():
            several = len(who) > 1
            outs = self._for_all(key[0], who, now) if several else [
                Out(one, batch) for one, need in who.items() for batch in self.giver.give(one, [need], now).batches]
            self._queued[key] += len(outs)
            if not outs:
                del self._queued[key]
            if sum(out.batch.packets for out in outs) <= BATCH:
                small += [(key, out) for out in outs]
            else:
                self._queue.extend((key, out) for out in outs)
        # In front of what is for those who join: somebody's players wait for this.
        self._queue.extendleft(reversed(small))

    def _for_all(self, block: int, who: dict[bytes, Need], now: float) -> list[Out]:
        """
        Make what several lack.
        """
        kept = self.history.get(block)
        if kept is None:
            return [Out(one, batch) for one, need in who.items() for batch in self.giver.give(one, [need], now).batches]
        k = kept.leaf.shape[0]
        count = min(k, max(need.symbols for need in who.values()))
        size = count * (kept.leaf.shape[1] + FRAME)
        if not self.giver.may(next(iter(who)), size, now):
            self.giver.counters["give: over budget"] += 1
            return []
        outs = [Out(None, single(PROOF, kept.record))] if any(need.record for need in who.values()) else []
        encoder = encoder_of(kept.data, kept.leaf.shape, self.random.randrange(k, 1 << 32))
        self.giver.counters["give: symbols"] += count
        return outs + [Out(None, numbered(block, encoder, part)) for part in parts(count)]
