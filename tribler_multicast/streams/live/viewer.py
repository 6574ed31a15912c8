"""
The receiving end of a live stream, sans-IO: symbols to blocks, records to proof, proved blocks in order to the player.

A block goes on only when its hash is that of a record that the publisher of this stream signed. So what is tampered
with, made up, of another stream, or at another place never does; what comes again is known by its number. A block that
is whole and false had a bad symbol, and nobody can tell which: it is fetched again by the unicast of the source, whose
key nobody else has, and who helped with it is not asked for a while.

What is lacking is asked for as soon as it can be known: of fellow viewers first, of the source last, of nobody once its
time is over. A block whose time is over is stepped over as soon as a later one is there.
"""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ...coding import Code, Decoder
from ...transfer.session.packets import HEARTBEAT, NUMBERED, PROOF, RECODED
from .asking import Asking
from .datagrams import read_numbers, read_symbol
from .giving import Giver
from .helpers import Helpers
from .history import History, Kept
from .limits import AHEAD, BLOCK_TIME, OPEN, PATIENCE, SETTLE
from .opened import GROUP, Open
from .records import Checker, digest_of, is_head

if TYPE_CHECKING:
    from random import Random

    from .asking import Ask
    from .datagrams import Symbol
    from .descriptor import Descriptor
    from .records import Leaf, Record


class Data(NamedTuple):
    """
    Bytes of the stream, proved, and when they were cut (microseconds since the stream began).
    """

    position: int
    data: bytes
    cut: int


class Head(NamedTuple):
    """
    What players need first, proved.
    """

    data: bytes


class Over(NamedTuple):
    """
    The stream ended, as its publisher says.
    """


class Viewer:
    """
    One stream that is received.
    """

    def __init__(self, descriptor: Descriptor, start: int, newest: int, head: int, random: Random,
                 now: float) -> None:
        """
        Begin with a block.

        :param newest: what was cut last, `start` - 1 when nothing is to be fetched.
        :param head: number of what players need first; 0: nothing.
        """
        self.descriptor = descriptor
        self.checker = Checker(descriptor)
        self.history = History()
        self.giver = Giver(self.history, random, self._partly)
        self.counters: Counter[str] = Counter()
        self.events: list[Data | Head | Over] = []
        self.next = start
        """The block that the player gets next."""
        self.signed = newest
        """The newest block that is known to be."""
        self.final: int | None = None
        """The last block."""
        self.over = False
        self.heard = now
        self.skipped = 0
        """Blocks that were stepped over."""
        self._open: dict[int, Open] = {}
        self.asking = Asking(self._open, Helpers(random), self.counters, now)
        self._ready: dict[int, Kept] = {}
        self._head = head
        if head and is_head(head):
            self._expect(head, now)
        for number in range(max(start, newest - OPEN + 1), newest + 1):
            self._expect(number, now).since += BLOCK_TIME * (number - start)  # Its turn to be played comes later, too.

    def _expect(self, number: int, now: float) -> Open:
        """
        Note a block that is there to be had.
        """
        block = self._open[number] = Open(number, now)
        block.sent = True
        return block

    def _partly(self, number: int) -> Decoder | None:
        block = self._open.get(number)
        return None if block is None or block.strict else block.decoder

    # --- What comes.

    def datagram(self, form: int, body: memoryview, who: bytes | None, now: float) -> None:
        """
        Take the body of a datagram that came under a key: the group's (GROUP), the source's to us (None), a helper's.
        """
        self.heard = now
        if form in (NUMBERED, RECODED):
            symbol = read_symbol(form, body)
            if symbol is None:
                self.counters["data: malformed"] += 1
            else:
                self._symbol(symbol, who, now)
        elif form == PROOF:
            self._record(bytes(body), who, now)
        elif form == HEARTBEAT and who != GROUP:
            self._absent(read_numbers(body), who, now)
        else:
            self.counters["data: malformed"] += 1

    def _symbol(self, symbol: Symbol, who: bytes | None, now: float) -> None:
        block = self._block(symbol.block, now)
        if block is None:
            return
        if block.strict and who is not None:
            self.counters["data: not of the source"] += 1
            return
        shape = symbol.k, len(symbol.payload)
        if block.decoder is None:
            if block.leaf is not None and block.leaf.shape != shape:
                self.counters["data: other shape"] += 1
                return
            block.decoder = Decoder(Code(*shape))
        elif (block.decoder.code.k, block.decoder.code.symbol_size) != shape:
            self.counters["data: other shape"] += 1
            return
        if block.decoder.complete:
            self.counters["data: unneeded"] += 1
        elif block.decoder.add(symbol.identity, symbol.payload):
            self.counters["data: innovative"] += 1
            block.givers.add(who)
        else:
            self.counters["data: dependent"] += 1
        if who == GROUP or (who is None and block.asked is None):
            if isinstance(symbol.identity, int) and symbol.identity >= symbol.k - 1:
                self._was_sent(symbol.block, now)
            self._was_sent(symbol.block - 1, now)
        else:
            self.asking.answered(block, who, now)
        self._look(block, now)

    def _block(self, number: int, now: float) -> Open | None:
        """
        Get a block that something came of; None when it is not wanted.
        """
        block = self._open.get(number)
        if block is not None:
            return block
        if number in self._ready or number < self.next or is_head(number):
            self.counters["data: unneeded"] += 1
            return None
        if number > self.signed + AHEAD or number > self.next + OPEN or self.final is not None:
            self.counters["data: too far ahead"] += 1
            return None
        block = self._open[number] = Open(number, now)
        return block

    def _was_sent(self, number: int, now: float) -> None:
        """
        Note that a block and those before it were sent whole.
        """
        while (block := self._open.get(number)) is not None and not block.sent:
            block.sent = True
            self.asking.want(block, now + SETTLE)
            number -= 1

    def _record(self, body: bytes, who: bytes | None, now: float) -> None:
        record = self.checker.read(body)
        if record is None:
            self.counters["record: not signed by the publisher"] += 1
            return
        if is_head(record.first):
            if record.first > self._head:
                self._open.pop(self._head, None)
                self._head = record.first
                self._expect(record.first, now)
            self._proves(record.first, record.leaves[0], body, now)
            return
        self._expect_to(record, who, now)
        for number, leaf in enumerate(record.leaves, record.first):
            self._proves(number, leaf, body, now)
        self._deliver(now)

    def _expect_to(self, record: Record, who: bytes | None, now: float) -> None:
        """
        Note how far the stream is.
        """
        if record.last > self.signed and self.final is None:
            self._catch_up(record.last)
            for number in range(max(self.next, self.signed + 1), record.last + 1):
                if number not in self._open and number not in self._ready:
                    self._open[number] = Open(number, now)
            self.signed = record.last
            self._was_sent(record.last - 1, now)
        elif who == GROUP and record.last == self.signed:
            block = self._open.get(record.last)
            if block is not None and block.leaf is not None:
                self._was_sent(record.last, now)  # Said again: the source has nothing newer, and this was sent.
        if record.final and record.last >= self.signed:
            self.final = record.last
            for number in [number for number in self._open if self.final < number and not is_head(number)]:
                del self._open[number]
            self._was_sent(record.last, now)

    def _catch_up(self, last: int) -> None:
        """
        Step over all that is too far behind the newest block.
        """
        first = last - OPEN + 1
        if first > self.next:
            for number in [number for number in (*self._open, *self._ready) if number < first]:
                self._skip(number)
                self._ready.pop(number, None)
            self.skipped = min(self.skipped + first - self.next, 1 << 31)
            self.next = first

    def _proves(self, number: int, leaf: Leaf, body: bytes, now: float) -> None:
        """
        Take a leaf that is signed.
        """
        block = self._open.get(number)
        if block is None:
            return
        if block.leaf is not None:
            if leaf != block.leaf:
                self.counters["record: says something else"] += 1
            return
        block.leaf = leaf
        block.record = body
        if block.decoder is not None and (block.decoder.code.k, block.decoder.code.symbol_size) != leaf.shape:
            self.counters["data: other shape"] += block.decoder.rank
            block.decoder = None
            block.givers.clear()
        self._look(block, now)

    # --- What is whole.

    def _look(self, block: Open, now: float) -> None:
        """
        See whether a block is whole and true.
        """
        if block.leaf is None or block.decoder is None or not block.decoder.complete:
            return
        data = bytes(block.decoder.decode()[:block.leaf.length])
        if digest_of(data) != block.leaf.digest:
            self.counters["block: false"] += 1
            self.asking.helpers.polluted(block.givers, now)
            self.asking.settle(block)
            block.decoder, block.strict, block.sent = None, True, True
            block.givers.clear()
            self.asking.want(block, now)
            return
        self.asking.settle(block)
        del self._open[block.number]
        kept = Kept(data, block.leaf, block.record, now)
        self.history.add(block.number, kept)
        if is_head(block.number):
            self.events.append(Head(data))
            self._deliver(now)
            return
        self._ready[block.number] = kept
        self._deliver(now)

    def _deliver(self, now: float) -> None:
        """
        Give the player what is next.
        """
        if self._waits_for_head(now):
            return
        while not self.over:
            kept = self._ready.pop(self.next, None)
            if kept is not None:
                self.events.append(Data(kept.leaf.position, kept.data, kept.leaf.cut))
            elif not self._may_skip(now):
                break
            else:
                self._skip(self.next)
                self.skipped += 1
            self.next += 1
        if self.final is not None and self.next > self.final and not self.over:
            self.over = True
            self.events.append(Over())

    def _waits_for_head(self, now: float) -> bool:
        """
        Tell whether players could not begin yet with what comes.
        """
        block = self._open.get(self._head)
        return block is not None and now - block.since < PATIENCE and not self.history.head

    def _may_skip(self, now: float) -> bool:
        """
        Tell whether to go on without the block that is due.
        """
        if self.final is not None and self.next > self.final:
            return False
        block = self._open.get(self.next)
        if self.next > self.signed or (block is not None and now - block.since < PATIENCE):
            return False
        return bool(self._ready) or self.final is not None or block is None

    def _skip(self, number: int) -> None:
        block = self._open.pop(number, None)
        if block is not None:
            self.asking.settle(block)
        self.counters["block: given up"] += 1

    # --- What is lacking.

    @property
    def helpers(self) -> Helpers:
        """
        Fellow viewers.
        """
        return self.asking.helpers

    @property
    def due(self) -> float:
        """
        When to call `asks`.
        """
        return self.asking.due

    def asks(self, now: float) -> list[Ask]:
        """
        Get who is to be asked for what, now. Call it when `due` has come, and after datagrams.
        """
        self._deliver(now)
        return self.asking.asks(now)

    def _absent(self, numbers: list[int] | None, who: bytes | None, now: float) -> None:
        """
        Take that somebody has not what it was asked for.
        """
        if numbers is None:
            self.counters["data: malformed"] += 1
        else:
            self.asking.absent(numbers, who, now)

    @property
    def missing(self) -> int:
        """
        Bytes that were heard of and are not here.
        """
        return sum(block.leaf.length for block in self._open.values() if block.leaf is not None)

    @property
    def open(self) -> int:
        """
        Blocks that are begun or waited for.
        """
        return len(self._open) + len(self._ready)
