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
from typing import TYPE_CHECKING, Final, NamedTuple

from ...coding import Code, Decoder
from ...transfer.session.packets import HEARTBEAT, NUMBERED, PROOF, RECODED
from .datagrams import read_numbers, read_symbol
from .giving import Giver
from .helpers import Helpers
from .history import History, Kept
from .limits import (
    AHEAD,
    HELPERS_FIRST,
    MAX_NEEDS,
    OPEN,
    OUTSTANDING,
    PATIENCE,
    SETTLE,
    SOURCE_AGAIN,
)
from .messages import Need
from .records import Checker, Leaf, digest_of, is_head

if TYPE_CHECKING:
    from random import Random

    from .datagrams import Symbol
    from .descriptor import Descriptor

GROUP: Final = b""
"""Who: the group's stream. The unicast of the source is None, that of a helper its mid."""


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


class Ask(NamedTuple):
    """
    A question: to a helper, or to the source (None).
    """

    who: bytes | None
    needs: tuple[Need, ...]


class Asked(NamedTuple):
    """
    That a block was asked for.
    """

    who: bytes | None
    count: int
    at: float
    until: float


class Open:
    """
    A block that is not proved yet.
    """

    def __init__(self, number: int, since: float) -> None:
        """
        Nothing of it came.
        """
        self.number = number
        self.since = since
        self.leaf: Leaf | None = None
        self.record = b""
        self.decoder: Decoder | None = None
        self.sent = False
        """Whether all of it was sent to the group."""
        self.due = since
        """When to ask for what is lacking."""
        self.asked: Asked | None = None
        self.came = 0
        """Symbols that came by unicast since it was asked for."""
        self.tried: list[bytes | None] = []
        self.source_asked = float("-inf")
        self.givers: set[bytes | None] = set()
        self.strict = False
        """Whether only what the source sends by unicast counts."""

    @property
    def rank(self) -> int:
        """
        Independent symbols that are here.
        """
        return 0 if self.decoder is None else self.decoder.rank

    @property
    def lacking(self) -> int:
        """
        Symbols that it lacks, as far as is known.
        """
        if self.decoder is not None:
            return self.decoder.code.k - self.decoder.rank
        return 0 if self.leaf is None else self.leaf.shape[0]


class Viewer:
    """
    One stream that is received.
    """

    def __init__(self, descriptor: Descriptor, start: int, newest: int, head: int, random: Random,  # noqa: PLR0913, PLR0917
                 now: float) -> None:
        """
        Begin with a block.

        :param newest: what was cut last, `start` - 1 when nothing is to be fetched.
        :param head: number of what players need first; 0: nothing.
        """
        self.descriptor = descriptor
        self.checker = Checker(descriptor)
        self.history = History()
        self.helpers = Helpers(random)
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
        self.due = now
        self._outstanding = 0
        self._open: dict[int, Open] = {}
        self._ready: dict[int, Kept] = {}
        self._head = head
        if head and is_head(head):
            self._expect(head, now)
        for number in range(max(start, newest - OPEN + 1), newest + 1):
            self._expect(number, now)

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
        Take the body of a datagram that came under a key: of the group (GROUP), of the source to us (None), of a helper.
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
        if who == GROUP:
            if isinstance(symbol.identity, int) and symbol.identity >= symbol.k - 1:
                self._was_sent(symbol.block, now)
            self._was_sent(symbol.block - 1, now)
        else:
            self._answered(block, who, now)
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
            block.sent, block.due = True, now + SETTLE
            self.due = min(self.due, block.due)
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
        if record.last > self.signed and self.final is None:
            for number in range(max(self.next, self.signed + 1, record.last - OPEN), record.last + 1):
                if number not in self._open and number not in self._ready:
                    self._open[number] = Open(number, now)
            self.signed = record.last
            self._was_sent(record.last - 1, now)
        elif who == GROUP and record.last == self.signed and record.last in self._open \
                and self._open[record.last].leaf is not None:
            self._was_sent(record.last, now)  # Said again: the source has nothing newer, and this was sent.
        if record.final and record.last >= self.signed:
            self.final = record.last
            for number in [number for number in self._open if self.final < number and not is_head(number)]:
                del self._open[number]
            self._was_sent(record.last, now)
        for number, leaf in enumerate(record.leaves, record.first):
            self._proves(number, leaf, body, now)
        self._deliver(now)

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

    def _absent(self, numbers: list[int] | None, who: bytes | None, now: float) -> None:
        """
        Take that somebody has not what it was asked for.
        """
        if numbers is None:
            self.counters["data: malformed"] += 1
            return
        for number in numbers:
            block = self._open.get(number)
            if block is not None and block.asked is not None and block.asked.who == who:
                self.helpers.of(who).answered(now - block.asked.at)
                self._settle(block)
                block.due = self.due = now

    def _answered(self, block: Open, who: bytes | None, now: float) -> None:
        asked = block.asked
        if asked is None or asked.who != who:
            return
        block.came += 1
        self._outstanding = max(0, self._outstanding - 1)
        helper = self.helpers.of(who)
        helper.outstanding = max(0, helper.outstanding - 1)
        if block.came == 1:
            helper.answered(now - asked.at)
        if block.came >= asked.count:
            block.asked = None
            block.due = self.due = now

    def _settle(self, block: Open) -> None:
        """
        Wait for no answer any more.
        """
        if block.asked is not None:
            left = max(0, block.asked.count - block.came)
            self._outstanding = max(0, self._outstanding - left)
            helper = self.helpers.of(block.asked.who)
            helper.outstanding = max(0, helper.outstanding - left)
            block.asked = None

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
            self.helpers.polluted(block.givers, now)
            self._settle(block)
            block.decoder, block.strict, block.sent = None, True, True
            block.givers.clear()
            block.due = self.due = now
            return
        self._settle(block)
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
        if self.signed - self.next >= OPEN:
            return True
        block = self._open.get(self.next)
        if self.next > self.signed or (block is not None and now - block.since < PATIENCE):
            return False
        return bool(self._ready) or self.final is not None or block is None

    def _skip(self, number: int) -> None:
        block = self._open.pop(number, None)
        if block is not None:
            self._settle(block)
        self.skipped += 1
        self.counters["block: given up"] += 1

    # --- What is lacking.

    def asks(self, now: float) -> list[Ask]:
        """
        Get who is to be asked for what, now. Call it when `due` has come, and after datagrams.
        """
        self._deliver(now)
        wanted: dict[bytes | None, list[Need]] = {}
        self.due = now + 0.5
        for block in sorted(self._open.values(), key=_turn):
            if not block.sent and now - block.since < PATIENCE / 4:
                self.due = min(self.due, block.since + PATIENCE / 4)
                continue
            asked = block.asked
            if asked is not None and now >= asked.until:
                if not block.came and self.helpers.of(asked.who).was_silent(now):
                    self.counters["ask: avoided"] += 1
                self.counters["ask: no answer"] += 1
                self._settle(block)
            elif asked is not None:
                self.due = min(self.due, asked.until)
                continue
            elif now < block.due:
                self.due = min(self.due, block.due)
                continue
            self._ask(block, wanted, now)
        return [Ask(who, tuple(needs)) for who, needs in wanted.items()]

    def _ask(self, block: Open, wanted: dict[bytes | None, list[Need]], now: float) -> None:
        lacking = block.lacking
        count = max(1, lacking) if block.leaf is None or lacking else 0
        if self._outstanding and self._outstanding + count > OUTSTANDING:
            self.due = min(self.due, now + SETTLE)
            return
        who = self._choose(block, now)
        if who == GROUP:
            self.due = min(self.due, now + SETTLE)
            return
        needs = wanted.setdefault(who, [])
        if len(needs) >= MAX_NEEDS:
            self.due = now
            return
        if block.leaf is None and block.decoder is None:
            count = 48  # All of it, however many that are.
        helper = self.helpers.of(who)
        block.asked = Asked(who, max(1, count), now, now + helper.patience + 0.0005 * count)
        block.came = 0
        block.tried.append(who)
        if who is None:
            block.source_asked = now
        self._outstanding += block.asked.count
        helper.outstanding += block.asked.count
        self.due = min(self.due, block.asked.until)
        needs.append(Need(block.number, block.rank, min(count, 48), record=block.leaf is None))
        self.counters["ask: of the source" if who is None else "ask: of viewers"] += 1

    def _choose(self, block: Open, now: float) -> bytes | None:
        """
        Get who is to be asked for a block; None is the source, GROUP nobody now.
        """
        if not block.strict and len(block.tried) < HELPERS_FIRST:
            who = self.helpers.choose(block.tried, now)
            if who is not None:
                return who
        if now - block.source_asked >= SOURCE_AGAIN and now >= self.helpers.source.avoided:
            return None
        if block.strict:
            return GROUP
        who = self.helpers.choose((), now)
        return GROUP if who is None else who

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


def _turn(block: Open) -> tuple[bool, int]:
    """
    The head first, then by number.
    """
    return not is_head(block.number), block.number
