"""
How fast to send: less than best effort, by delay, as the worst receiver feels it.

LEDBAT (RFC 6817, and LEDBAT++ of Balasubramanian and others, 2021) keeps a small queue of fixed length in front of the
narrowest link and gives way to whoever makes it longer. There it is a window; here it is a rate, because what is sent
to many has no window. Each receiver reports the least one-way delay since its last report: above the least one ever
(the base) it is the queue of its path. It also reports the delay of its latest datagram and when that was sent. From
one report to the next, what was sent within dt came in within dt + dq, when the queue grew by dq: that is the rate of
the link, whatever gets lost. The rate is set to

    rate of the link x (1 + (target - queue) / TAU)

of the receiver for which that is least. While no queue is felt there is room, and the rate grows.

Loss alone says nothing: it is what the air does, and repair makes up for it. Only where loss rises above its usual
share with no delay, the queue may be too short to be felt. Then the rate is cut to what arrives: if loss falls, that is
the rate of the link; if it does not, this is the usual share from now on and the rate is what it was.

Traffic of other programs on this machine makes no delay that grows with ours (`service/load.py`), but can be counted.
Where the link is full, they get what they can take, and we what is left, or a tenth.
"""
from __future__ import annotations

from bisect import bisect_left
from collections import deque
from math import sqrt
from typing import TYPE_CHECKING, Final

from .limits import (
    BASE_MEMORY,
    BASE_PARTS,
    LEAST_RATE,
    MAX_RATE,
    ROUND,
    SHARED_TARGET,
    SLOWDOWN_EACH,
    START_RATE,
    TARGET_DELAY,
)
from .packets import CLOCK, microseconds

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .reports import Delay

TAU: Final = 0.15
"""Seconds in which the queue is to come to its target: some rounds, because what is reported is a round old."""
SEEN: Final = 0.0015
"""A queue below this is none: clocks, processors and batches make as much."""
START_QUEUE: Final = 0.004
"""Seconds of queue of the newest datagram that end the start."""
STRONGEST: Final = 0.5
"""No decision cuts the rate to less than this share of what the link passes."""
START_GROWTH: Final = 1.6
GROWTH: Final = 1.15
CAREFUL_GROWTH: Final = 1.03
RECOVERY: Final = 1.25
"""Growth per round after the start; where the link was full; and how it grows as long as there is room:
when somebody else leaves the link, it is ours within a second."""
LOSS_STEP: Final = 0.03
SIGMAS: Final = 4.0
LOSS_LOOK: Final = 128
BIAS: Final = 1.9
"""A loss of so many packets above its usual share by so much, and so many standard deviations, is not by chance. The
usual share is the least of some blocks: as a rule it is so many deviations of a block more."""
LOSS_BLOCK: Final = 400
LOSS_TIME: Final = 0.5
LOSS_BLOCKS: Final = 20
"""The usual share is the least of so many blocks, each of so many packets and seconds at least."""
SHORT_QUEUE: Final = 0.6
LONGER: Final = 1.01
"""Where loss shows that a queue is shorter than the target, the target becomes this share of what was felt, and grows
again by so much per round."""
LINK_SMOOTH: Final = 0.4
NOT_BUSY: Final = 1.5
"""Who sends less than it might, into a queue, is held back by that very queue (a socket has room for so much), or adds
to that of others: the rate comes down to this times what came."""
BUSY: Final = 0.8
"""Who sends less than this share of the rate learns nothing about more."""
GROWTH_SENT: Final = 1.3
"""A rate grows to this times what was sent at most: where the processor is what holds the stream up, it would stand at
twice what ever goes, and leave in bursts what was delayed."""
OTHERS_SEEN: Final = 0.05
OTHERS_STARVED: Final = 0.01
"""Traffic of others on this machine above this share of the link counts: acknowledgements and questions do not. Where
helpers send, too, the queue is longer, and a TCP flow of this machine comes to 2 % in it: there the second figure."""
OTHERS_MATTER: Final = 0.25
"""Beside traffic of others above this share of our rate we begin carefully: who rushes in makes them lose."""
SPARE: Final = 0.2
"""The share of the link that is left free beside them, so that they find it and grow into it."""
LEAST_SHARE: Final = 0.1
"""What we keep of the link beside them."""
FULL_SMOOTH: Final = 0.25
FULL_GROWTH: Final = 1.001
FULL_CLOSE: Final = 0.03
"""How what a full link passes is averaged; and by how much it is believed to have grown per round in which no queue was
felt although that much less, or more, was sent."""
PAUSE_ROUNDS: Final = 3
TRIAL_ROUNDS: Final = 3
LOG: Final = 4096


class SentLog:
    """
    How many bytes were sent up to when.
    """

    def __init__(self, now: float) -> None:
        """
        Begin with none.
        """
        self.times: list[float] = [now]
        self.bytes: list[int] = [0]

    def add(self, now: float, size: int) -> None:
        """
        Count what was sent.
        """
        self.times.append(now)
        self.bytes.append(self.bytes[-1] + size)
        if len(self.times) > 2 * LOG:
            del self.times[:LOG], self.bytes[:LOG]

    def until(self, when: float) -> int:
        """
        Get how many were sent before a time.
        """
        return self.bytes[max(0, bisect_left(self.times, when) - 1)]


class Path:
    """
    One path: its least delay lately, the queue above it, the rate of its narrowest link, and its loss.
    """

    def __init__(self) -> None:
        """
        Know nothing yet.
        """
        self.first: int | None = None
        self.parts: deque[tuple[float, float]] = deque(maxlen=BASE_PARTS)
        self.queue = 0.0
        self.newest = 0.0
        """The queue that the newest datagram met."""
        self.link: float | None = None
        self.at: float | None = None
        self.latest: tuple[float, float] | None = None
        self.blocks: deque[float] = deque(maxlen=LOSS_BLOCKS)
        self.lost = 0.0
        self.excess = 0.0
        self._block = [0, 0]
        self._block_at = 0.0
        self._look = [0, 0]

    def _relative(self, delay: int) -> float:
        if self.first is None:
            self.first = delay
        return ((delay - self.first + CLOCK // 2) % CLOCK - CLOCK // 2) / 1e6

    def sample(self, now: float, delay: Delay, log: SentLog) -> None:
        """
        Take the delays of a report.
        """
        value = self._relative(delay.least)
        if not self.parts or now - self.parts[-1][0] >= BASE_MEMORY / BASE_PARTS:
            self.parts.append((now, value))
        elif value < self.parts[-1][1]:
            self.parts[-1] = (self.parts[-1][0], value)
        base = min(least for _, least in self.parts)
        self.queue = value - base
        self.newest = self._relative(delay.latest) - base
        self.at = now
        sent_at = now - ((microseconds(now) - delay.time) % CLOCK) / 1e6
        latest = sent_at, self._relative(delay.latest)
        if self.latest is not None and sent_at - self.latest[0] >= ROUND / 3:
            span = latest[0] - self.latest[0] + latest[1] - self.latest[1]
            sent = log.until(latest[0]) - log.until(self.latest[0])
            link = sent / span if span > 0 and sent else None
            self.link = link if self.link is None or link is None else self.link + LINK_SMOOTH * (link - self.link)
        if self.latest is None or sent_at - self.latest[0] >= ROUND / 3:
            self.latest = latest

    def losses(self, now: float, sent: int, came: int) -> None:
        """
        Take how many packets were sent to it, and came, since the last time.
        """
        self._look[0] += sent
        self._look[1] += came
        if self._look[0] >= LOSS_LOOK:
            self._judge(*self._look)
            self._look = [0, 0]
        self._block[0] += sent
        self._block[1] += came
        if self._block[0] >= LOSS_BLOCK and (not self.blocks or now - self._block_at >= LOSS_TIME):
            self.blocks.append(1 - self._block[1] / self._block[0])
            self._block, self._block_at = [0, 0], now

    def _judge(self, sent: int, came: int) -> None:
        self.lost = 1 - came / sent
        usual = self.usual_loss
        if len(self.blocks) > 1:
            usual += BIAS * sqrt(usual * (1 - usual) / LOSS_BLOCK)
        chance = SIGMAS * sqrt(max(usual * (1 - usual), 0.01) / sent)
        self.excess = self.lost - usual if self.blocks and self.lost - usual > max(LOSS_STEP, chance) else 0.0

    @property
    def usual_loss(self) -> float:
        """
        The share that gets lost whatever the rate.
        """
        return min(self.blocks, default=0.0)

    def accept_loss(self) -> None:
        """
        Take the loss of now for the usual one.
        """
        self.blocks.clear()
        self.blocks.append(self.lost)
        self.excess = 0.0


class RateControl:
    """
    The rate of all that one sender sends on one link, in bytes per second with all headers.
    """

    def __init__(self, now: float, *, start: float = START_RATE, cap: float = MAX_RATE, floor: float = LEAST_RATE,
                 target: float = TARGET_DELAY) -> None:
        """
        :param cap: the rate is never above, nor below `floor`.
        :param target: seconds of queue to make.
        """
        self.cap = cap
        self.floor = floor
        self.target = self._target = target
        self.rate = min(start, cap)
        self.starting = True
        self.paths: dict[Hashable, Path] = {}
        self.log = SentLog(now)
        self.growth = GROWTH
        self.others = 0.0
        """Bytes per second that other programs of this machine send by the link."""
        self.full: float | None = None
        """What the link passes of ours and of theirs when it is full; None: it was not full yet."""
        self.round = ROUND
        """Seconds from one decision to the next: no less than from one report of a receiver to the next."""
        self.shared = False
        """Whether helpers send to our receivers, in bursts: a queue below the target says nothing of the link then."""
        self.ignored: set[Hashable] = set()
        """Paths that do not count for the moment, where there are others (`ways`)."""
        self._last_round = now
        self._sent = 0
        self._empty_at = now
        self._pause = 0
        self._trial = 0
        self._resume_at = self.rate

    @property
    def queue(self) -> float:
        """
        The longest queue that was reported last, seconds.
        """
        return max((path.queue for path in self.paths.values()), default=0.0)

    def forget(self, key: Hashable) -> None:
        """
        Follow a path no more.
        """
        self.paths.pop(key, None)
        self.ignored.discard(key)

    def queue_of(self, key: Hashable, now: float) -> float:
        """
        Get the queue of a path that was reported lately, seconds; else 0.
        """
        path = self.paths.get(key)
        return path.queue if path is not None and path.at is not None and now - path.at < 4 * self.round else 0.0

    def link_of(self, key: Hashable) -> float:
        """
        Get what the narrowest link of a path passes, as far as is known, bytes per second.
        """
        path = self.paths.get(key)
        return self.rate if path is None or path.link is None else path.link

    def resume(self, rate: float) -> None:
        """
        Go on at a rate that is known to pass, because who could not take it is gone.
        """
        self.rate = min(max(self.rate, rate), self.cap)

    def on_sent(self, now: float, size: int) -> None:
        """
        Count what was sent, with headers.
        """
        self.log.add(now, size)
        self._sent += size

    def feedback(self, now: float, key: Hashable, delay: Delay | None, packets: tuple[int, int] | None = None) -> None:
        """
        Take what a receiver (or an echo of any neighbour: the canary) says of its path.

        :param packets: how many were sent to it, and came, since the last time; None: too few to tell.
        """
        path = self.paths.setdefault(key, Path())
        if delay is not None:
            path.sample(now, delay, self.log)
        if packets is not None:
            path.losses(now, *packets)

    def run(self, now: float) -> None:
        """
        Decide, when a round is over. To be called often.
        """
        if now < self._last_round + self.round:
            return
        seconds, self._last_round = now - self._last_round, now
        sent, self._sent = self._sent, 0
        is_busy = sent >= BUSY * self.rate * seconds
        least = now - 2 * self.round - seconds
        fresh = [path for key, path in self.paths.items()
                 if path.at is not None and path.at >= least and key not in self.ignored]
        if not fresh or self._is_pausing(now):
            return
        if max(path.queue for path in fresh) < SEEN:
            self._empty_at = now
            wanted = self._without_queue(fresh)
        else:
            self.starting = False
            self.growth = min(self.growth, CAREFUL_GROWTH)
            self._target = min(self.target, self._target * LONGER)
            wanted = min(self._for_queue(path, is_busy) for path in fresh)
        wanted = min(wanted, self._beside_others(sent / seconds, self._empty_at < now))
        if wanted > self.rate and not is_busy:
            return
        if not self.starting:
            wanted = min(wanted, max(self.rate, GROWTH_SENT * sent / seconds))
        self.rate = min(max(wanted, self.floor), self.cap)
        if now - self._empty_at > SLOWDOWN_EACH:
            self._resume_at, self._pause = self.rate, PAUSE_ROUNDS
            self.rate = max(self.rate / 4, self.floor)

    def _beside_others(self, sent: float, is_full: bool) -> float:
        """
        Get the rate that leaves other programs of this machine what they can take.

        :param sent: bytes per second of ours in this round.
        """
        total = sent + self.others
        if is_full:
            self.full = total if self.full is None else self.full + FULL_SMOOTH * (total - self.full)
        elif self.full is not None and total > (1 - FULL_CLOSE) * self.full:
            self.full *= FULL_GROWTH
        if self.full is None or self.others < (OTHERS_STARVED if self.shared else OTHERS_SEEN) * self.full:
            return self.cap
        return max((1 - SPARE) * self.full - self.others, LEAST_SHARE * self.full)

    def _is_pausing(self, now: float) -> bool:
        if not self._pause:
            return False
        self._pause -= 1
        if not self._pause:
            self.rate = self._resume_at
            self._empty_at = now
        return True

    def _for_queue(self, path: Path, is_busy: bool) -> float:
        """
        Get the rate that brings the queue of a path to the target. Who sends little learns nothing about the link: what
        it sent is not what passes.
        """
        if path.queue < SEEN:
            return self.rate * self.growth
        target = max(self._target, SHARED_TARGET) if self.shared and self._target == self.target else self._target
        link = self.rate
        if path.link is not None and is_busy:
            link = min(path.link, 1.5 * self.rate)
        elif path.link is not None and path.queue > self._target and not self.shared:
            link = min(NOT_BUSY * path.link, self.rate)
        if path.excess:
            self._target = min(self._target, max(SEEN, SHORT_QUEUE * path.queue))
            link *= 1 - path.excess / (1 - path.usual_loss)
        wanted = link * max(STRONGEST, 1 + (target - path.queue) / TAU)
        return max(wanted, self.rate) if self.shared and path.queue < target and not path.excess else wanted

    def _without_queue(self, fresh: list[Path]) -> float:
        """
        Get the rate when there is room, unless loss says that there is none.
        """
        if self._trial:
            self._trial -= 1
            if not self._trial:
                bad = [path for path in fresh if path.excess]
                for path in bad:
                    path.accept_loss()
                return self._resume_at if bad else self.rate
            return self.rate
        excess = max((path.excess / (1 - path.usual_loss) for path in fresh), default=0.0)
        if excess:
            self.starting = False
            self._trial, self._resume_at, self.growth = TRIAL_ROUNDS, self.rate, CAREFUL_GROWTH
            return max(STRONGEST, 1 - excess) * self.rate
        if self.starting and max(path.newest for path in fresh) > START_QUEUE:
            # The least delay of a round is still that of before; the newest one is not.
            self.starting, self.growth = False, CAREFUL_GROWTH
            return self.rate / START_GROWTH
        if self.starting and self.others < OTHERS_MATTER * self.rate:
            return START_GROWTH * self.rate
        self.growth = min(START_GROWTH, 1 + (self.growth - 1) * RECOVERY)
        return self.growth * self.rate


class Pacer:
    """
    When the next bytes may leave, by a deadline: a socket over a full queue takes everything, so it can't tell.
    """

    def __init__(self, now: float, catch_up: float) -> None:
        """
        :param catch_up: seconds of the pace that may be made up for at once.
        """
        self.due = now
        self.catch_up = catch_up

    def is_due(self, now: float) -> bool:
        """
        Tell whether something may leave.
        """
        return now >= self.due

    def sent(self, now: float, size: int, rate: float) -> None:
        """
        Count what left.
        """
        self.due = max(self.due, now - self.catch_up) + size / rate
