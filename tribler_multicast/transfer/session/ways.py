"""
Which way each receiver gets the content: by multicast with the others, or by itself.

The group's stream goes as fast as its worst receiver can take it. One that is far slower than the rest (behind a slow
link, on bad air, or ordering so much that its link is full) is moved off: it asks helpers, and the source last, at its
own pace. From outside nobody can tell how fast the others could be without it; so that is found out:

- It is the only one in front of which there is a queue, and the rate is far below what the others took before: it goes
  at once.
- It is the only one for a second: its queue is left out of account for a moment. If the rate grows by much before the
  others have a queue, too, it goes; else they are hardly faster, and nothing has happened but that its queue was longer
  for that moment. (To move it off to see costs it a second and more of the stream. Of equals with helpers one is always
  the slowest, by chance.)
- It loses far more than the others: it goes.

Who went stays away only if the rate grows by much. Each time that somebody came back, or did not go, the next trial has
to wait twice as long, and who stayed away is tried again later.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE: Final = 0.003
"""Seconds of queue that tell who holds up the stream; the others have none, or a quarter of it at most."""
FAR: Final = 0.5
"""Who lets through less than this share of what the others take is far slower."""
AT_ONCE: Final = 0.2
ON_TRIAL: Final = 1.0
"""Seconds for which somebody must have been the only one: where it is known that the others are faster, and else."""
SETTLE: Final = 1.0
"""After a move the stream needs so long to show what is so now."""
IGNORED_MOST: Final = 0.6
"""Seconds in which the rate must have grown by GAIN while somebody's queue is ignored: it can double in half of it."""
TRIAL: Final = 1.5
GAIN: Final = 1.5
"""After so long the rate must have grown by so much, else who went comes back."""
LOSS_FAR: Final = 0.35
LOSS_REST: Final = 0.15
LOSS_TIME: Final = 1.0
"""Who loses more than the first share for so long, while half of the others lose less than the second, is moved."""
WAIT: Final = 15.0
"""Seconds until somebody is moved again, doubled each time; and until one that stayed away is tried again."""
SMOOTH: Final = 0.3
MEMORY: Final = 30.0
"""Seconds over which a rate is averaged, and until what was proved is half forgotten."""
RESUME: Final = 0.7


class Turn(NamedTuple):
    """
    Somebody is moved: off the group, or back.
    """

    member: bytes
    alone: bool


@dataclass
class Alone:
    """
    One that was moved off the group: when, at which rate of the group's stream, and whether that helped.
    """

    at: float
    rate: float
    helped: bool = False


class Ignored(NamedTuple):
    """
    One whose queue is left out of account, since when, and the rate then.
    """

    member: bytes
    at: float
    rate: float


class Ways:
    """
    The way of each receiver of one session.
    """

    def __init__(self, now: float) -> None:
        """
        All begin in the group.
        """
        self.alone: dict[bytes, Alone] = {}
        self.ignored: Ignored | None = None
        self.proved = 0.0
        self._average = 0.0
        self._last = now
        self._settled = now
        self._held_up: defaultdict[bytes, float] = defaultdict(float)
        self._lossy: defaultdict[bytes, float] = defaultdict(float)
        self._times: Counter[bytes] = Counter()
        self._not_before: dict[bytes, float] = {}

    def forget(self, member: bytes) -> None:
        """
        Forget one that left.
        """
        for each in (self.alone, self._held_up, self._lossy, self._not_before):
            each.pop(member, None)
        if self.ignored is not None and self.ignored.member == member:
            self.ignored = None

    @property
    def resume(self) -> float:
        """
        The rate to go on with when who held up the stream is gone.
        """
        return RESUME * self.proved

    def look(self, now: float, rate: float, queues: Mapping[bytes, float], losses: Mapping[bytes, float]) -> list[Turn]:
        """
        Get who is moved now.

        :param rate: of the group's stream.
        :param queues: seconds of queue in front of each receiver in the group that was heard of lately.
        :param losses: of each receiver in the group.
        """
        seconds = min(now - self._last, 0.2)
        self._last = now
        self._average += min(1.0, seconds / SMOOTH) * (rate - self._average)
        self.proved = max(self.proved * (1 - seconds / MEMORY), self._average)
        turns = self._back(now)
        if turns or len(queues) < 2 or now < self._settled:
            self._settled = now + SETTLE if turns else self._settled
            self.ignored = None
            return turns
        if self.ignored is not None:
            return self._tried(self.ignored, now, rate, queues)
        slow = self._slowest(rate, queues, seconds)
        lossy = self._most_lossy(losses, seconds)
        for member in (slow, lossy):
            is_certain = rate < FAR * self.proved and member is slow
            if member is not None and member not in self.alone and (
                    is_certain or now >= self._not_before.get(member, now)):
                if not is_certain and member is not lossy:
                    self.ignored = Ignored(member, now, self._average)
                    return turns
                return [self._moved(member, now, self._average, helped=member is lossy)]
        return turns

    def _moved(self, member: bytes, now: float, rate: float, *, helped: bool) -> Turn:
        self.alone[member] = Alone(now, rate, helped)
        self._held_up.clear()
        self._settled = now + SETTLE
        return Turn(member, alone=True)

    def _tried(self, ignored: Ignored, now: float, rate: float, queues: Mapping[bytes, float]) -> list[Turn]:
        """
        See what became of the rate while one was ignored.
        """
        others = max((queue for member, queue in queues.items() if member != ignored.member), default=0.0)
        is_gain = rate >= GAIN * ignored.rate and others < QUEUE
        if not is_gain and others < QUEUE and now < ignored.at + IGNORED_MOST:
            return []
        self.ignored = None
        if is_gain:
            return [self._moved(ignored.member, now, ignored.rate, helped=True)]
        self._wait(ignored.member, now)
        self._held_up.clear()
        return []

    def _wait(self, member: bytes, now: float) -> None:
        self._not_before[member] = now + WAIT * 2 ** self._times[member]
        self._times[member] = min(self._times[member] + 1, 10)

    def _slowest(self, rate: float, queues: Mapping[bytes, float], seconds: float) -> bytes | None:
        first, second = sorted(queues, key=queues.__getitem__, reverse=True)[:2]
        is_slow = rate < FAR * self.proved
        if queues[first] >= QUEUE and queues[second] <= max(QUEUE / 2, queues[first] / 4):
            self._held_up[first] += seconds
        elif not is_slow:
            for member in self._held_up:
                self._held_up[member] = max(0.0, self._held_up[member] - seconds)
        held_up = self._held_up[first]
        return first if held_up >= (AT_ONCE if is_slow else ON_TRIAL) else None

    def _most_lossy(self, losses: Mapping[bytes, float], seconds: float) -> bytes | None:
        if len(losses) < 2:
            return None
        most = max(losses, key=losses.__getitem__)
        others = sorted(loss for member, loss in losses.items() if member != most)
        if losses[most] > LOSS_FAR and others[len(others) // 2] < LOSS_REST:
            self._lossy[most] += seconds
            return most if self._lossy[most] >= LOSS_TIME else None
        self._lossy.clear()
        return None

    def _back(self, now: float) -> list[Turn]:
        turns = []
        for member, alone in list(self.alone.items()):
            if not alone.helped and now >= alone.at + TRIAL:
                alone.helped = self._average >= GAIN * alone.rate
                if alone.helped:
                    continue
            elif not alone.helped or now < alone.at + WAIT * 2 ** self._times[member]:
                continue
            del self.alone[member]
            self._wait(member, now)
            turns.append(Turn(member, alone=False))
        return turns
