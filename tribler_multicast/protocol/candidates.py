"""
Nodes that we know of from the pages of others, and have not verified: candidates.

A candidate is not local: it is never listed, never counted when the pace is set, never answered. Each is challenged
once, at a bounded rate, or at once when it is asked for; who does not answer is forgotten, and the same introduction
makes it no candidate again. Turns go around among those who told us of them, so that who invents many delays its own.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .budget import TokenBucket
from .identity import mid_of
from .limits import (
    CANDIDATE_GRACE,
    CANDIDATES_PER_SECOND,
    EXPIRY_INTERVALS,
    MAX_CANDIDATES,
    MAX_CANDIDATES_PER_ADDRESS,
    MAX_CANDIDATES_PER_RELAYER,
    MAX_FAILED_CANDIDATES,
    PENDING_LIFETIME,
    WANTED_NOW_BURST,
    WANTED_NOW_PER_SECOND,
)
from .pace import challenge_spread

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .peers import HostPort, LinkKey

Where = tuple[bytes, "LinkKey"]


@dataclass(slots=True, eq=False)
class Candidate:
    """
    A key that says, signed, that it is at an address; who told us, and until when we believe it (seconds).
    """

    key: bytes
    link: LinkKey
    address: HostPort
    epoch: int
    sequence: int
    relayer: bytes
    expires: float
    mid: bytes = b""

    def __post_init__(self) -> None:
        """
        Work out the mid once.
        """
        self.mid = mid_of(self.key)


class Candidates:
    """
    The candidates of one protocol instance.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.table: OrderedDict[Where, Candidate] = OrderedDict()
        self.by_relayer: dict[bytes, int] = {}
        self.by_place: dict[tuple[LinkKey, str], int] = {}
        self.by_mid: dict[bytes, set[Where]] = {}
        self.untried: OrderedDict[bytes, list[Candidate]] = OrderedDict()
        self.failed: OrderedDict[Where, tuple[int, int]] = OrderedDict()
        self.now_budget = TokenBucket(WANTED_NOW_PER_SECOND, WANTED_NOW_BURST)
        self.running = False

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self.table)

    def is_news(self, where: Where, epoch: int, sequence: int) -> bool:
        """
        Tell whether an introduction would tell us something: cheap, to be asked before its signature is checked.
        """
        known = self.table.get(where)
        failed = self.failed.get(where, (-1, -1))
        return where[0] != self.core.identity.key and known is None and (epoch, sequence) > failed

    def has_room(self, relayer: bytes, place: tuple[LinkKey, str]) -> bool:
        """
        Tell whether there is room for one more of this relayer at this place (link and IP address).
        """
        return (len(self.table) < MAX_CANDIDATES and self.by_relayer.get(relayer, 0) < MAX_CANDIDATES_PER_RELAYER
                and self.by_place.get(place, 0) < MAX_CANDIDATES_PER_ADDRESS)

    def add(self, candidate: Candidate, interval: float, now: float) -> None:
        """
        Take one in, whose introduction announced that interval (seconds).
        """
        candidate.expires = now + EXPIRY_INTERVALS * interval
        where = candidate.key, candidate.link
        place = candidate.link, candidate.address[0]
        self.table[where] = candidate
        self.by_relayer[candidate.relayer] = self.by_relayer.get(candidate.relayer, 0) + 1
        self.by_place[place] = self.by_place.get(place, 0) + 1
        self.by_mid.setdefault(candidate.mid, set()).add(where)
        self.untried.setdefault(candidate.relayer, []).append(candidate)
        if not self.running:
            self.running = True
            # Those who heard us challenge us first: most candidates are verified before we say anything.
            wait = challenge_spread(self.core.peers.address_count) + CANDIDATE_GRACE
            self.core.timers.at(now + wait, self.turn)

    def remove(self, where: Where) -> Candidate | None:
        """
        Forget one.
        """
        candidate = self.table.pop(where, None)
        if candidate is None:
            return None
        for counts, key in ((self.by_relayer, candidate.relayer),
                            (self.by_place, (candidate.link, candidate.address[0]))):
            counts[key] -= 1  # type: ignore[index]
            if not counts[key]:  # type: ignore[index]
                del counts[key]  # type: ignore[arg-type]
        self.by_mid[candidate.mid].discard(where)
        if not self.by_mid[candidate.mid]:
            del self.by_mid[candidate.mid]
        return candidate

    def clear(self) -> None:
        """
        Forget all.
        """
        for table in (self.table, self.by_relayer, self.by_place, self.by_mid, self.untried, self.failed):
            table.clear()
        self.running = False

    # --- Challenging them.

    def turn(self, now: float) -> None:
        """
        Challenge the next one, and come back while there are any.
        """
        while self.table and next(iter(self.table.values())).expires <= now:
            self.remove(next(iter(self.table)))
        candidate = self.draw(now)
        if candidate is not None and not self.challenge(candidate, now):
            self.untried.setdefault(candidate.relayer, []).append(candidate)
        if self.untried or self.table:
            self.core.timers.at(now + 1 / CANDIDATES_PER_SECOND, self.turn)
        else:
            self.running = False

    def draw(self, now: float) -> Candidate | None:
        """
        Take the next one out of those not tried: of each relayer in turn, by lot.
        """
        while self.untried:
            relayer, waiting = next(iter(self.untried.items()))
            self.untried.move_to_end(relayer)
            while waiting:
                number = self.core.random.randrange(len(waiting))
                waiting[number], waiting[-1] = waiting[-1], waiting[number]
                candidate = waiting.pop()
                where = candidate.key, candidate.link
                if self.table.get(where) is not candidate:
                    continue
                if candidate.expires > now:
                    return candidate
                self.remove(where)
            del self.untried[relayer]
        return None

    def challenge(self, candidate: Candidate, now: float) -> bool:
        """
        Challenge one, and forget it unless it answers. False when a budget says no.
        """
        where = candidate.key, candidate.link
        if not self.core.exchange.challenge(candidate.key, candidate.link, candidate.address, now):
            return False

        def check(_: float) -> None:
            if self.table.get(where) is candidate:
                self.remove(where)
                while len(self.failed) >= MAX_FAILED_CANDIDATES:
                    self.failed.popitem(last=False)
                self.failed[where] = candidate.epoch, candidate.sequence

        self.core.timers.at(now + PENDING_LIFETIME, check)
        return True

    def want_now(self, mid: bytes, now: float) -> bool:
        """
        Challenge a candidate at once, because somebody asks for it; False when there is none with this mid.
        """
        places = self.by_mid.get(mid, ())
        for where in list(places):
            candidate = self.table[where]
            if candidate.expires > now and self.now_budget.take(now):
                self.challenge(candidate, now)
        return bool(places)

    def hosts(self) -> set[HostPort]:
        """
        Get where candidates say they are.
        """
        return {candidate.address for candidate in self.table.values()}
