"""
What a viewer lacks, and whom it asks for that: fellow viewers first, the source last.

Questions follow a window, as TCP's: it opens with what comes, and is half when an answer stays away. Answers of one
peer come in order, so what was overtaken is lost, and asked for again at once.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .limits import (
    ABSENT_AGAIN,
    ANSWER_LEAST,
    EXTRA_UP_TO,
    FIRST_WINDOW,
    HELPERS_FIRST,
    HELPERS_TIME,
    LEAST_WINDOW,
    MAX_K,
    MAX_NEEDS,
    MOST_WINDOW,
    PATIENCE,
    SETTLE,
    SOURCE_AGAIN,
    WINDOW_GROWTH,
)
from .messages import Need
from .opened import GROUP, Asked, Open
from .records import is_head

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from .helpers import Helpers

LOOK_AGAIN = 0.5
"""Seconds after which `asks` is called when nothing is known to be lacking."""


class Ask(NamedTuple):
    """
    A question: to a helper, or to the source (None).
    """

    who: bytes | None
    needs: tuple[Need, ...]


class Asking:
    """
    The questions of one viewer.
    """

    def __init__(self, blocks: Mapping[int, Open], helpers: Helpers, counters: Counter[str], now: float) -> None:
        """
        Ask for nothing yet.

        :param blocks: those that are not proved, by number; somebody else's, as the counters are.
        """
        self.blocks = blocks
        self.helpers = helpers
        self.counters = counters
        self.due = now
        """When to call `asks`."""
        self.outstanding = 0
        self._window = FIRST_WINDOW

    def want(self, block: Open, when: float) -> None:
        """
        Ask for what a block lacks from a time on.
        """
        block.due = when
        self.due = min(self.due, when)

    def absent(self, numbers: list[int], who: bytes | None, now: float) -> None:
        """
        Take that somebody has not what it was asked for.
        """
        for number in numbers:
            block = self.blocks.get(number)
            if block is not None and block.asked is not None and block.asked.who == who:
                self.helpers.of(who).answered(now - block.asked.at)
                self.settle(block)
                block.absent.add(who)
                self.want(block, now if len(block.absent) <= HELPERS_FIRST else now + ABSENT_AGAIN)

    def answered(self, block: Open, who: bytes | None, now: float) -> None:
        """
        Take that a symbol came by unicast.
        """
        asked = block.asked
        if asked is None or asked.who != who:
            return
        block.came += 1
        self.outstanding = max(0, self.outstanding - 1)
        self._window = min(MOST_WINDOW, self._window + WINDOW_GROWTH)
        helper = self.helpers.of(who)
        helper.heard = now
        helper.outstanding = max(0, helper.outstanding - 1)
        if block.came == 1:
            helper.answered(now - asked.at)
            self._overtook(asked, block.number, now)
        if block.came >= asked.symbols:
            block.asked = None
            block.absent.add(who)  # What it gave was not enough, or it has no more.
            self.want(block, now)

    def _overtook(self, asked: Asked, number: int, now: float) -> None:
        """
        Note what did not come of what the same one was asked for before: answers come in order.
        """
        for block in self.blocks.values():
            earlier = block.asked
            if earlier is not None and earlier.who == asked.who and (earlier.at, block.number) < (asked.at, number) \
                    and (block.came or now - earlier.at > ANSWER_LEAST):
                self.settle(block)
                self.want(block, now)

    def settle(self, block: Open) -> None:
        """
        Wait for no answer any more.
        """
        if block.asked is not None:
            left = max(0, block.asked.symbols - block.came)
            self.outstanding = max(0, self.outstanding - left)
            helper = self.helpers.of(block.asked.who)
            helper.outstanding = max(0, helper.outstanding - left)
            block.asked = None

    def asks(self, now: float) -> list[Ask]:
        """
        Get who is to be asked for what, now. Call it when `due` has come, and after datagrams.
        """
        wanted: dict[bytes | None, list[Need]] = {}
        self.due = now + LOOK_AGAIN
        for block in sorted(self.blocks.values(), key=_turn):
            if not block.sent and now - block.since < PATIENCE / 4:
                self.due = min(self.due, block.since + PATIENCE / 4)
                continue
            asked = block.asked
            if asked is not None:
                helper = self.helpers.of(asked.who)
                until = max(asked.until, helper.heard + helper.patience)
                if now < until:
                    self.due = min(self.due, until)
                    continue
                if not block.came and helper.was_silent(now):
                    self.counters["ask: avoided"] += 1
                self.counters["ask: no answer"] += 1
                self._window = max(LEAST_WINDOW, self._window / 2)
                self.settle(block)
            elif now < block.due:
                self.due = min(self.due, block.due)
                continue
            self._ask(block, wanted, now)
        return [Ask(who, tuple(needs)) for who, needs in wanted.items()]

    def _ask(self, block: Open, wanted: dict[bytes | None, list[Need]], now: float) -> None:
        lacking = block.lacking
        count = max(1, lacking) if block.leaf is None or lacking else 0
        if self.outstanding and self.outstanding + count > self._window:
            self.due = min(self.due, now + SETTLE)
            return
        who = self._choose(block, now)
        if block.first_asked is not None and who is not None and 0 < count <= EXTRA_UP_TO:
            count += 1
        if who == GROUP:
            self.due = min(self.due, now + SETTLE)
            return
        needs = wanted.setdefault(who, [])
        if len(needs) >= MAX_NEEDS:
            self.due = now
            return
        if block.leaf is None and block.decoder is None:
            count = MAX_K  # All of it, however many that are.
        helper = self.helpers.of(who)
        block.asked = Asked(who, max(1, count), now, now + helper.patience + 0.0005 * count)
        block.came = 0
        block.first_asked = now if block.first_asked is None else block.first_asked
        block.last = who
        if who is None:
            block.source_asked = now
            block.absent.clear()  # If it has no room for us either, others may have it by then.
        self.outstanding += block.asked.symbols
        helper.outstanding += block.asked.symbols
        self.due = min(self.due, block.asked.until)
        needs.append(Need(block.number, block.rank, min(count, MAX_K), record=block.leaf is None))
        self.counters["ask: of the source" if who is None else "ask: of viewers"] += 1

    def _choose(self, block: Open, now: float) -> bytes | None:
        """
        Get who is to be asked for a block; None is the source, GROUP nobody now.
        """
        is_for_source = block.strict or len(block.absent) >= HELPERS_FIRST or (
            block.first_asked is not None and now - block.first_asked >= HELPERS_TIME
            and now - block.source_asked >= HELPERS_TIME)
        if not is_for_source:
            who = self.helpers.choose(block.absent | {block.last}, now)
            if who is None and block.last not in block.absent:
                who = self.helpers.choose(block.absent, now)
            if who is not None:
                return who
        return None if now - block.source_asked >= SOURCE_AGAIN else GROUP


def _turn(block: Open) -> tuple[bool, int]:
    """
    The head first, then by number.
    """
    return not is_head(block.number), block.number
