"""
How much this node's bulk traffic may use of one direction of the gateway.

What is controlled is the *level*: the rate that a node whose bulk traffic wants more may use. The others tell theirs;
all feel the same queue and do the same, and each goes towards the middle of all, so levels come together, whoever
comes and goes. Who wants less than the level simply uses less, and the rest finds the queue empty and grows.

- **Own delay decides.** Nobody is made to yield by words alone. When somebody says that a stream needs room, all that
  changes is how long a queue this node tolerates (TARGETS), and that is what it feels itself. A liar who says `live`
  for ever and sends nothing costs some milliseconds of queue.
- **Down** at once: as long as there is more queue than that, the limit is below the level by what drains it within TAU,
  so it comes back by itself as the queue goes. Only a queue that stays although this was done lowers the level.
- **Up** slowly, the faster the longer no queue was felt; where it is known what the gateway passes, quickly up to that.
- **Room at once** when a need is new and this node feels a queue: what is short of it, shared by those who have to
  give; not more often than every ROOM_EACH.
- **Back at once** when the need ends: nearly to the fair share of what the gateway passes.
- **Never below the floor.** Who has less than a tenth of what he reached lately, and feels no queue, grows whatever
  others say; and a queue that only others feel leaves most of what is used, and lowers nothing for good.

Without a need nothing is limited, unless two or more nodes feel the gateway congested.
"""
from __future__ import annotations

from statistics import median_high
from typing import TYPE_CHECKING

from .limits import (
    FLOOR,
    HOLD,
    LEAST_LIMIT,
    PROBE_UP,
    PROBE_UP_FULL,
    PROBE_UP_MOST,
    PROBE_UP_SOON,
    STALE,
    STRONGEST,
    SUMMARY_SHARE,
    TARGETS,
    TAUS,
)
from .rule import (
    BACK,
    BURSTY,
    BUSY,
    CHATTER,
    EASE,
    EASE_ENDS,
    EASE_FOR,
    EMPTY,
    EMPTY_FOR,
    FALLS,
    FASTEST,
    FELT,
    FILL,
    FOLLOWED,
    FULL_FOR,
    HUNGRY,
    KEPT_GROWTH,
    KNOWN,
    LEAST_BEGIN,
    LEFT,
    LOWER,
    METERED,
    MOST_GROWTH_GAP,
    MOST_OF_BEST,
    MOST_PART,
    NEEDED_FOR,
    NO_NEED,
    NOT_NEEDED,
    OVER,
    PULL,
    RELEASE,
    ROOM_EACH,
    ROOM_MOST,
    ROOM_WAITS,
    SETTLES,
    SLOPE_MOST,
    SLOWEST,
    SMALL,
    SPARE,
    SPARED,
    TOGETHER,
    TOLD,
    UNUSED_RATE,
    UP_MOST,
)

if TYPE_CHECKING:
    from .situation import Situation


class Share:
    """
    One direction: `level` is the limit of this node's bulk traffic, None: not limited.
    """

    def __init__(self, floor: float = FLOOR) -> None:
        """
        :param floor: share of the fair share that is always left.
        """
        self.floor_share = floor
        self.level: float | None = None
        self.limit: float | None = None
        """The level, less what drains the queue now."""
        self.need = NO_NEED
        self._room = 0.0
        self._room_at = -ROOM_EACH
        self._room_until = 0.0
        self._changed_at = -FELT
        """When the level was changed at once."""
        self._busy_since = -KNOWN
        self._ran_at: float | None = None
        self._empty_since: float | None = None
        self._growth = PROBE_UP
        self._need_until = 0.0
        self._needless_since = 0.0
        self._before: float | None = None
        self._back_at = -STALE
        self._full = -FULL_FOR, 0.0
        """When a queue was felt last, and the level then."""
        self.ahead: float | None = None
        """What bulk traffic that is new begins with; None: it is not limited, or there is some already."""
        self._begun_with = self._begun_at = 0.0
        """What it began with, and when; 0: not with that, or a queue was felt since."""

    @property
    def target(self) -> float:
        """
        Get the queue that is tolerated, seconds.
        """
        return TARGETS[self.need]

    def floor(self, s: Situation) -> float:
        """
        Get what is always left. What others say can make it smaller only by their number, and larger only up to what
        this node reached itself.
        """
        capacity = max(s.capacity or 0.0, s.own_best)
        fair = min(capacity / max(1, s.sharers), s.own_best)
        return max(LEAST_LIMIT, self.floor_share * fair)

    def _most(self, s: Situation) -> float:
        """
        Get what a level may be: no more than twice what this node ever used lately, whatever others have.
        """
        return max(MOST_OF_BEST * max(s.own_best, s.bulk, LEAST_BEGIN), self._begun_with)

    def is_hungry(self, bulk: float) -> bool:
        """
        Tell whether bulk traffic would go faster if it were let.
        """
        return bulk > CHATTER if self.limit is None else bulk >= HUNGRY * self.limit

    def run(self, now: float, s: Situation, *, ended: bool = False) -> float | None:
        """
        Decide; get the limit. To be called some times a second, and when somebody said something new.

        :param ended: the need was said to be over, so that there is nothing to wait for.
        """
        passed = 0.0 if self._ran_at is None else min(MOST_GROWTH_GAP, now - self._ran_at)
        self._ran_at = now
        if s.guess is not None:
            s = s._replace(room=min(s.room, ROOM_MOST * s.guess))
        self._follow_need(now, s, ended=ended)
        if self.level is None:
            self._begin(now, s)
            self.ahead = self._begins_with(s)
        else:
            self._make_room(now, s)
            self.level = max(self.level, self.floor(s))
            if self._is_full(s):
                self._lower(now, s, passed)
            else:
                self._grow(now, s, passed)
            self._pull(now, s, passed)
            self._spare(s, passed)
            self.level = max(min(self.level, self._most(s)), self.floor(s))
            self._release(now, s)
        if self.level is not None:
            self.ahead = None
        self.limit = None if self.level is None else max(self.level - self._drain(now, s), self.floor(s))
        return self.limit

    def _begins_with(self, s: Situation) -> float | None:
        """
        Get what bulk traffic is to begin with, while there is none.
        """
        if s.need == NO_NEED or s.bulk > CHATTER or s.delay is None or s.room <= CHATTER or s.guess is None:
            return None
        return max(LEAST_BEGIN, self.floor(s), (FILL * s.guess - s.room) / (s.sharers + TOGETHER))

    def _is_full(self, s: Situation) -> bool:
        return s.suspect and s.delay is not None and s.delay > self.target

    def _drain(self, now: float, s: Situation) -> float:
        """
        Get what is to be sent less for the queue to come to the target in TAU seconds. Of a queue that only others felt
        not so much.
        """
        if self.level is None:
            return 0.0
        ease = self.level * self._ease(now, s)
        if s.delay is None or not self._is_full(s):
            return ease
        unit = self.level if s.capacity is None else min(s.capacity / max(1, s.sharers), MOST_PART * self.level)
        unit /= TAUS[self.need != NO_NEED]
        felt, told = (max(0.0, unit * (delay - self.target)) for delay in (s.own, s.delay))
        return max(ease, min((1 - LEFT) * self.level, felt), min((1 - TOLD) * self.level, told) if s.is_told else 0.0)

    def _ease(self, now: float, s: Situation) -> float:
        """
        Get the share of the level that is left for some time after it was changed. While it is not known what the
        gateway passes, it is taken again slowly, so that a level that was too high shows before it is used.
        """
        if self._back_at >= self._changed_at:
            return 0.0
        if s.capacity is not None:
            return EASE if now - self._changed_at < EASE_FOR else 0.0
        return EASE * max(0.0, min(1.0, 1 - (now - self._changed_at - EASE_FOR) / EASE_ENDS))

    def _spare(self, s: Situation, passed: float) -> None:
        """
        Leave some more when bursts alone make queues, beside somebody who needs room: others send them, and nothing but
        less of them helps.
        """
        if self.level is None or s.capacity is None or not self._is_bursty(s):
            return
        least = SPARED * max(0.0, s.capacity - s.room) / max(1, s.sharers)
        if self.level > least:
            self.level = max(least, self.level * (1 - SPARE * passed))

    def _is_bursty(self, s: Situation) -> bool:
        return self.need != NO_NEED and s.usual is not None and s.usual > BURSTY

    # Needs

    def _follow_need(self, now: float, s: Situation, *, ended: bool) -> None:
        if s.need != NO_NEED:
            self._need_until = now + HOLD
            if self.need == NO_NEED:
                self._before = self.level
            if TARGETS[s.need] < self.target or s.room > 1.3 * self._room:
                self._room_until = now + ROOM_WAITS
            self.need, self._room = s.need, s.room
        elif self.need != NO_NEED and (ended or now >= self._need_until):
            self.need, self._room = NO_NEED, 0.0
            self._needless_since = now
            self._back(now, s)

    def _make_room(self, now: float, s: Situation) -> None:
        """
        Make room for a new need at once, when this node feels a queue, or did a moment ago.
        """
        if self.level is None or s.is_hearsay(self.target) or not s.room or now >= self._room_until \
                or now - self._room_at < ROOM_EACH or not s.suspect or s.delay is None \
                or not (s.delay >= self.target or self._was_full(now)):
            return
        self._room_at = self._changed_at = now
        self.level = self._with_room(self.level, s)
        self._full = now, self.level

    def _with_room(self, level: float, s: Situation) -> float:
        """
        Get a level less this node's part of what is short for those who need room: who has more gives more.
        """
        part = max(1 / max(1, s.sharers), level / max(1.0, level + sum(s.levels)))
        if s.guess is None:
            return max(STRONGEST * level, level - s.room * part)
        short = max(0.0, min(s.room, s.used - FILL * s.guess))
        return min(level, max(level - short * part, max(0.0, FILL * s.guess - s.room) / max(1, s.sharers)))

    def _was_full(self, now: float) -> bool:
        """
        Tell whether this node felt a queue a moment ago, at no more than it uses now.
        """
        return self.level is not None and now - self._full[0] < FULL_FOR and self.level >= BUSY * self._full[1]

    def _back(self, now: float, s: Situation) -> None:
        """
        Go back to what this node is due.
        """
        if self.level is None:
            return
        due = s.guess / max(1, s.sharers) if s.guess is not None else self._before or s.own_best
        self.level = max(self.level, BACK * due)
        self._back_at = self._changed_at = now
        self._full = now, due
        self._growth = PROBE_UP

    # Begin and end

    def _begin(self, now: float, s: Situation) -> None:
        if s.bulk <= CHATTER:
            self._busy_since = now
        elif self.ahead is not None and self.need != NO_NEED:
            self.level = self._begun_with = self.ahead
            self._begun_at = self._needless_since = now
            return
        waits = KNOWN if s.is_hearsay(self.target) or s.need == NO_NEED else METERED
        if s.delay is None or not s.suspect or s.delay <= self.target or now - self._busy_since < waits \
                or (s.need == NO_NEED and not s.together):
            return
        self._changed_at = self._needless_since = now
        self._full = -FULL_FOR, 0.0
        self.level = max(SLOPE_MOST * s.bulk_before, s.bulk_before * (1 - max(0.0, s.slope)))
        if s.capacity is not None:
            self.level = min(max(BACK * s.capacity - s.room, 0.0) / max(1, s.sharers), self._most(s))
        elif s.levels:  # the others are limited already: come in with what they have, but no more than now
            self.level = min(max(median_high(s.levels), STRONGEST * s.bulk), max(self.level, LEAST_BEGIN))
        elif s.room:
            self._room_at = now
            self.level = self._with_room(self.level, s)
        self.level = max(self.level, LEAST_BEGIN, self.floor(s), TOLD * s.bulk if s.is_hearsay(self.target) else 0.0)

    def _release(self, now: float, s: Situation) -> None:
        if self._begun_with > NOT_NEEDED * s.bulk and now - self._begun_at >= NEEDED_FOR:
            self.level, self._begun_with = None, 0.0  # it began without a queue, and wants no more than this
            return
        alone = s.sharers <= 1 and not s.levels
        if self.need != NO_NEED or (s.together and not alone) or (not alone and self.is_hungry(s.bulk)):
            self._needless_since = now
        elif now - self._needless_since >= RELEASE:
            self.level, self._begun_with = None, 0.0

    # Down and up

    def _lower(self, now: float, s: Situation, passed: float) -> None:
        """
        Lower the level when the queue stays although it is being drained.
        """
        assert self.level is not None
        assert self.limit is not None
        self._empty_since, self._growth = None, PROBE_UP
        self._begun_with = 0.0
        if s.is_hearsay(self.target):  # by words alone nothing is lowered for good
            return
        self._full = now, self.level
        if now - self._changed_at < SETTLES or s.slope < FALLS or s.bulk > FOLLOWED * self.limit + CHATTER:
            return
        over = 0.0 if s.capacity is None else self.level - max(0.0, s.capacity - s.room) / max(1, s.sharers)
        self.level -= max(0.0, over) * min(1.0, OVER * passed)
        small = SMALL if s.levels and self.level < SMALL * self._middle(s) else 1.0
        self.level -= LOWER * small * self._drain(now, s) * passed

    def _grow(self, now: float, s: Situation, passed: float) -> None:
        assert self.level is not None
        if s.delay is None or not s.suspect or s.delay < EMPTY * self.target:
            if self._empty_since is None:
                self._empty_since = now
            elif now - self._empty_since >= EMPTY_FOR:
                most = PROBE_UP_MOST if now - self._full[0] >= FULL_FOR else PROBE_UP_SOON
                self._growth = max(PROBE_UP, min(most, self._growth * (1 + passed)))
        else:
            self._empty_since, self._growth = None, PROBE_UP
        is_low = self.level < s.own_best / KEPT_GROWTH
        planned = max(s.used, self.level * s.sharers + s.room)  # what is used comes after
        if s.capacity is not None and self._filled(s, s.capacity) <= planned and not is_low:
            self._growth = PROBE_UP_FULL
            if s.usual is not None and s.usual > self.target:
                self._growth = 0.0
        if s.bulk < BUSY * self.level or self._ease(now, s):
            return
        growth = self._growth * self.level
        if self._empty_since is not None:
            middle = self._middle(s)
            if s.guess is not None and now - self._back_at >= STALE:
                unused = self._filled(s, s.guess) - planned
                growth = max(growth, UNUSED_RATE / max(1.0, s.sharers / SUMMARY_SHARE) * unused / max(1, s.sharers))
            growth *= max(1.0 if is_low else SLOWEST, min(FASTEST, (middle / self.level) ** 3))
        self.level += min(growth, UP_MOST * self.level) * passed

    def _filled(self, s: Situation, capacity: float) -> float:
        """
        Get how much of what the gateway passes is to be used quickly.
        """
        spared = s.room + SPARED * max(0.0, capacity - s.room) if self._is_bursty(s) else capacity
        return min(spared, FILL * capacity)

    def _middle(self, s: Situation) -> float:
        """
        Get the middle of all levels; of two the higher. When nobody else tells one it is this node's.
        """
        assert self.level is not None
        return median_high([*s.levels, self.level])

    def _pull(self, now: float, s: Situation, passed: float) -> None:
        """
        Go towards the middle of all levels: up only when there is no queue, down only when one was felt a moment ago.
        """
        if not s.levels or self.level is None:
            return
        middle = self._middle(s)
        is_full = self._is_full(s)
        felt = s.suspect and s.delay is not None and not s.is_hearsay(self.target) and (
            s.own > EMPTY * self.target or now - max(self._full[0], self._changed_at) < FELT)
        if (middle > self.level and not is_full) or (middle < self.level and felt):
            self.level += min(middle - self.level, 2 * self.level) * min(1.0, PULL * passed)
