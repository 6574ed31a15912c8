"""
Answers those who lack something, within budgets: a viewer gives what it has of a block, also of one that is not whole.
"""
from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.budget import TokenBucket
from ...transfer.session.limits import FRAME
from ...transfer.session.packets import HEARTBEAT, PROOF
from .datagrams import Batch, encoder_of, numbered, pack_numbers, recoded, single
from .limits import GIVE_BURST, GIVE_LEAST, GIVE_SHARE, MAX_VIEWERS, PEER_BURST, PEER_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from ...coding import Decoder
    from .history import History
    from .messages import Need


class Given(NamedTuple):
    """
    What answers a question: datagrams, and blocks of which there is nothing to give.
    """

    batches: list[Batch]
    absent: list[int]


class Giver:
    """
    Gives blocks of a history, and parts of blocks that are still on their way.
    """

    def __init__(self, history: History, random: Random,
                 partly: Callable[[int], Decoder | None] = lambda _number: None) -> None:
        """
        :param partly: gets what is there of a block that is not whole.
        """
        self.history = history
        self.random = random
        self.partly = partly
        self.counters: Counter[str] = Counter()
        self.rate = 0.0
        """Of the stream, bytes/s: budgets follow it."""
        self.share, self.least = GIVE_SHARE, GIVE_LEAST
        self.all = TokenBucket(GIVE_LEAST, GIVE_BURST)
        self._peers: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def may(self, who: bytes, size: int, now: float) -> bool:
        """
        Tell whether somebody may be given so many bytes.
        """
        bucket = self._peers.get(who)
        if bucket is None:
            bucket = self._peers[who] = TokenBucket(GIVE_LEAST, PEER_BURST)
            if len(self._peers) > MAX_VIEWERS:
                self._peers.popitem(last=False)
        self._peers.move_to_end(who)
        bucket.rate = max(GIVE_LEAST, PEER_SHARE * self.rate)
        self.all.rate = max(self.least, self.share * self.rate)
        return bucket.take(now, size) and self.all.take(now, size)

    def give(self, who: bytes, needs: Iterable[Need], now: float) -> Given:
        """
        Answer a question.
        """
        batches: list[Batch] = []
        absent: list[int] = []
        told: set[bytes] = set()
        for need in needs:
            made, record = self._make(need)
            if made is None and record is None:
                absent.append(need.block)
                continue
            size = 0 if made is None else len(made.datagrams) + FRAME * made.packets
            if not self.may(who, size + (0 if record is None else len(record)), now):
                self.counters["give: over budget"] += 1
                absent.append(need.block)
                continue
            if record is not None and need.record and record not in told:
                told.add(record)
                batches.append(single(PROOF, record))
            if made is not None:
                self.counters["give: symbols"] += made.packets
                batches.append(made)
        if absent:
            batches.append(single(HEARTBEAT, pack_numbers(absent)))
        return Given(batches, absent)

    def _make(self, need: Need) -> tuple[Batch | None, bytes | None]:
        kept = self.history.get(need.block)
        if kept is not None:
            k = kept.leaf.shape[0]
            if need.rank > k or not need.symbols:
                return None, kept.record
            # With nothing there the symbols themselves do as well as combinations, and cost less to solve.
            whole = need.rank == 0 and need.symbols >= k
            seed = None if whole else self.random.randrange(k, 1 << 32)
            return numbered(need.block, encoder_of(kept.data, kept.leaf.shape, seed), min(need.symbols, k)), kept.record
        decoder = self.partly(need.block)
        if decoder is None or decoder.rank <= need.rank or not need.symbols:
            return None, None
        return recoded(need.block, decoder, min(need.symbols, decoder.rank)), None
