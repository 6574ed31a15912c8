"""
Who is to be challenged but has to wait: when thousands of nodes start together, each must not challenge all at once.

The pace is set by what succeeds, on either side: a real crowd slows us down, and whoever invents strangers does not,
because these never succeed. Whose turn it is is drawn by lot, first among addresses, then among the keys there. So one
address with many keys waits as long for each as others do for one; and because each node draws for itself, not all
challenge the same one at the same time.
"""
from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Final

from .budget import TokenBucket
from .limits import (
    FEW_WANTED,
    MAX_WANTED,
    MAX_WANTED_PER_ADDRESS,
    MOST_WANTED,
    VERIFIED_BURST,
    VERIFIED_PER_SECOND,
    WANTED_MEMORY,
)

if TYPE_CHECKING:
    from random import Random

    from .peers import HostPort, LinkKey

DRAW_GAP: Final = 0.05
"""Least seconds between two draws of those that wait."""

Place = tuple["LinkKey", str]


@dataclass(slots=True, eq=False)
class Want:
    """
    A key at an address that we want to challenge, since when (seconds), and whether its turn may come already.
    """

    key: bytes
    link: LinkKey
    address: HostPort
    since: float
    ready: bool = False

    @property
    def place(self) -> Place:
        """
        Get link and IP address.
        """
        return self.link, self.address[0]


class Wants:
    """
    All that one node wants to challenge, bounded in all and per address.
    """

    def __init__(self, random: Random) -> None:
        """
        Start with none; draw lots with `random`.
        """
        self.random = random
        self.by_path: dict[tuple[bytes, LinkKey], Want] = {}
        self.counts: dict[Place, int] = {}
        self.ready: dict[Place, list[Want]] = {}
        self.places: list[Place] = []
        self.lately = self.faded = 0.0
        self.pace = TokenBucket(VERIFIED_PER_SECOND, VERIFIED_BURST)

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self.by_path)

    def crowd(self, now: float) -> int:
        """
        Get how many addresses count as others who will challenge whomever we hear now: those heard lately, fading.
        """
        self.lately *= exp((self.faded - now) / WANTED_MEMORY) if now > self.faded else 1.0
        self.faded = now
        return max(0, min(round(self.lately) - FEW_WANTED, MOST_WANTED))

    def add(self, want: Want) -> bool:
        """
        Take one in unless it is there, or there is no room.
        """
        path = want.key, want.link
        count = self.counts.get(want.place, 0)
        if path in self.by_path or count >= MAX_WANTED_PER_ADDRESS or len(self.by_path) >= MAX_WANTED:
            return False
        self.by_path[path] = want
        self.counts[want.place] = count + 1
        self.lately += not count
        return True

    def remove(self, want: Want) -> None:
        """
        Forget one that is not ready.
        """
        if self.by_path.pop((want.key, want.link), None) is not None:
            self.counts[want.place] -= 1
            if not self.counts[want.place]:
                del self.counts[want.place]

    def hold(self, want: Want) -> None:
        """
        Let one draw lots from now on.
        """
        want.ready = True
        if want.place not in self.ready:
            self.places.append(want.place)
        self.ready.setdefault(want.place, []).append(want)

    def draw(self) -> Want | None:
        """
        Take out one of those that are ready, None when there is none.
        """
        if not self.places:
            return None
        number = self.random.randrange(len(self.places))
        place = self.places[number]
        waiting = self.ready[place]
        chosen = self.random.randrange(len(waiting))
        waiting[chosen], waiting[-1] = waiting[-1], waiting[chosen]
        want = waiting.pop()
        if not waiting:
            del self.ready[place]
            self.places[number] = self.places[-1]
            self.places.pop()
        self.remove(want)
        return want

    def room(self, now: float) -> int:
        """
        Get how many more may be verified now.
        """
        self.pace.take(now, 0.0)
        return int(self.pace.tokens)

    def pause(self) -> float:
        """
        Get the time (seconds) until there is room for one more.
        """
        return max(DRAW_GAP, (1 - self.pace.tokens) / self.pace.rate)

    def clear(self) -> None:
        """
        Forget all.
        """
        self.by_path.clear()
        self.counts.clear()
        self.ready.clear()
        self.places.clear()
