"""
How many BitTorrent connections to have: as many as bring something, and fewer than the router bears.

More connections find more peers that have something to give, until the link is full; then they only cost. And home
routers keep a table of connections (NAT, firewall), often of some hundreds or a few thousand entries, where each stays
for minutes after its end. When it is full nothing new gets through, for nobody in the house: connecting times out, or
entries of others are thrown out and their connections die. No router says so, and nobody knows the size; so it is
searched for.

The rule, at the end of each window of WINDOW seconds:

- **Signs of trouble.** Connections *die* by timeout (LOST of those that are open; counts 2). Connecting *fails* by
  timeout more often than usual, by FAILING of what usually succeeds (1): many addresses of peers are of machines that
  are off, so a high share alone says nothing, its change does. Connecting takes *longer* than SLOW times the shortest
  seen (1). The rate *fell* below FALLEN of what it was, though there are more connections (1). To the sum half of the
  last window's is added; TROUBLE is enough.
- **In trouble**: down to DOWN of the connections there are, and for REST seconds no more. What there was is the
  ceiling, less a tenth, for CEILING seconds.
- **Calm**, and all that are allowed are used: UP more (at least STEP), below the ceiling. When a raise brought less
  than GAIN more rate it is taken back, and the next try is after HOLD seconds, then twice that, up to MOST_HOLD.
- Calm, and fewer are used than allowed: nothing.

It is multiplicative both ways like TCP's slow start and back-off, and slow, because a router forgets slowly. No clock
and no libtorrent in here: `now` is an argument, in seconds.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOW: Final = 10.0
START: Final = 40
FEWEST: Final = 20
"""Never fewer, except where the setting says so: a LAN and a few peers of a tracker fit in."""
UP: Final = 1.25
STEP: Final = 5
DOWN: Final = 0.7
GAIN: Final = 1.04
LOST: Final = 0.03
MOST_LOST: Final = 4
"""Of few connections, so many must die."""
FAILING: Final = 0.3
FEWEST_TRIES: Final = 8
"""Tries to connect from which on their share that failed says something."""
SLOW: Final = 2.5
SLOW_FLOOR: Final = 0.1
"""Seconds to connect that are no sign of anything."""
FALLEN: Final = 0.7
TROUBLE: Final = 1.5
REST: Final = 60.0
HOLD: Final = 120.0
MOST_HOLD: Final = 960.0
CEILING: Final = 900.0
SLOWEST_LINK: Final = 10_000.0
"""Bytes/s under which rates are noise."""


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What happened in a window: connections open at its end, tries to connect and how many timed out, connections that
    died by timeout, bytes/s both ways, and seconds that connecting took (median), None when none did.
    """

    connections: int
    tries: int = 0
    failed: int = 0
    lost: int = 0
    rate: float = 0.0
    connect_time: float | None = None


class Connections:
    """
    Says how many connections are allowed: `limit`.
    """

    def __init__(self, most: int, now: float) -> None:
        """
        Begin with few.

        :param most: never more than that.
        """
        self.most = most
        self.limit = min(START, most)
        self.ceiling: int | None = None
        self._ceiling_until = 0.0
        self._rest_until = now
        self._hold = HOLD
        self._raised_from: tuple[int, float] | None = None
        """The limit and the rate before the last raise, until it is known what that brought."""
        self._usual = 0.0
        """Usual share of tries that fail."""
        self._usual_known = False
        self._shortest: float | None = None
        self._score = 0.0
        self._before: Sample | None = None

    def change_most(self, most: int) -> None:
        """
        Follow the setting.
        """
        self.most = most
        self.limit = min(self.limit, most)

    def update(self, now: float, sample: Sample) -> int:
        """
        Take a window into account; get how many connections are allowed from now on.
        """
        self._score = self._signs(sample) + self._score / 2
        if self._score >= TROUBLE:
            self._lower(now, sample)
        else:
            self._learn(sample)
            self._consider_raise(now, sample)
        self._before = sample
        return self.limit

    def _signs(self, sample: Sample) -> int:
        """
        Count what speaks for a router or link in trouble.
        """
        signs = 0
        if sample.lost >= max(MOST_LOST, LOST * (sample.connections + sample.lost)):
            signs += 2
        if sample.tries >= FEWEST_TRIES and self._usual_known \
                and sample.failed / sample.tries > self._usual + FAILING * (1 - self._usual):
            signs += 1
        if sample.connect_time is not None and self._shortest is not None \
                and sample.connect_time > max(SLOW_FLOOR, SLOW * self._shortest):
            signs += 1
        before = self._before
        if before is not None and sample.connections > before.connections and before.rate > SLOWEST_LINK \
                and sample.rate < FALLEN * before.rate:
            signs += 1
        return signs

    def _learn(self, sample: Sample) -> None:
        """
        Remember what is usual in calm times.
        """
        if sample.tries >= FEWEST_TRIES:
            share = sample.failed / sample.tries
            # Slowly upwards: a table that fills up must not become what is usual.
            weight = 1.0 if not self._usual_known else 0.2 if share < self._usual else 0.02
            self._usual += (share - self._usual) * weight
            self._usual_known = True
        if sample.connect_time is not None:
            # By 1 % more each time: the way to the peers may have become longer for good.
            self._shortest = min((self._shortest or sample.connect_time) * 1.01, sample.connect_time)

    def _lower(self, now: float, sample: Sample) -> None:
        fewest = min(FEWEST, self.most)
        if now >= self._rest_until:  # what is still dying in the rest is of the same trouble
            self.ceiling = max(fewest, int(0.9 * min(sample.connections + sample.lost, self.limit)))
            self._ceiling_until = now + CEILING
            self.limit = max(fewest, min(self.limit, int(DOWN * (sample.connections + sample.lost))))
            self._rest_until = now + REST
        self._raised_from = None
        self._score = 0.0

    def _consider_raise(self, now: float, sample: Sample) -> None:
        if now < self._rest_until or sample.connections < 0.9 * self.limit:
            return
        if self._raised_from is not None:
            limit, rate = self._raised_from
            self._raised_from = None
            if sample.rate < max(GAIN * rate, SLOWEST_LINK):
                self.limit = limit
                self._rest_until = now + self._hold
                self._hold = min(2 * self._hold, MOST_HOLD)
                return
            self._hold = HOLD
        if self.ceiling is not None and now >= self._ceiling_until:
            self.ceiling = None
        most = min(self.most, self.most if self.ceiling is None else self.ceiling)
        limit = min(most, max(self.limit + STEP, int(self.limit * UP)))
        if limit > self.limit:
            self._raised_from = (self.limit, sample.rate)
            self.limit = limit
