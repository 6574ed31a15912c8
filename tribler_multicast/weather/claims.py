"""
What the others say, bounded, until it is too old.

Everything in it was said by somebody, and anybody may lie. A machine counts once, however many keys it has: what is
counted, and what medians are made of, are link-layer neighbours (`host`), and of one only the newest few nodes are
kept.

Where this node only listens nobody is verified (`protocol.overhearing`): of what is heard there only needs and rates
are believed, and of each neighbour one node.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .crowd import Crowd
from .limits import (
    CLAIM_INTERVALS,
    CLAIM_LEAST,
    HEARD_BURST,
    HEARD_RATE,
    MAX_KEYS,
    MAX_NEIGHBOURS,
    MAX_OVERHEARD,
    OVERHEARD_INTERVAL,
)
from .summary import Both

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .summary import WeatherSummary


@dataclass(slots=True)
class Claim:
    """
    What a node said last; of what gateway, None: none of ours.
    """

    mid: bytes
    host: Hashable
    summary: WeatherSummary
    gateway: str | None
    heard_at: float

    @property
    def until(self) -> float:
        """
        Get when it does not count any more.
        """
        return self.heard_at + max(CLAIM_LEAST, CLAIM_INTERVALS * self.summary.interval)


@dataclass(slots=True)
class Neighbour:
    """
    A link-layer neighbour: its nodes, oldest first, and how much of it is still looked at.
    """

    claims: OrderedDict[bytes, Claim] = field(default_factory=OrderedDict)
    tokens: float = HEARD_BURST
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        """
        Take a token; False when there is none.
        """
        self.tokens = min(HEARD_BURST, self.tokens + (now - self.filled_at) * HEARD_RATE)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def overheard(summary: WeatherSummary) -> WeatherSummary:
    """
    Get what is believed of somebody who is not verified: what he needs, and uses; nothing that he feels or reckons, and
    not for longer than a moment.
    """
    return summary._replace(interval=min(summary.interval, OVERHEARD_INTERVAL), is_known=False, is_bloated=False,
                            level=Both(), capacity=Both(), confidence=Both())


class Claims:
    """
    The table of claims.
    """

    def __init__(self) -> None:
        """
        Begin with none.
        """
        self.neighbours: OrderedDict[Hashable, Neighbour] = OrderedDict()
        self.hosts: dict[bytes, Hashable] = {}
        self.dropped = {"flood": 0, "full": 0}
        self._crowd: tuple[Crowd, float] | None = None
        """What was made of all, and until when it holds."""

    def hear(self, now: float, claim: Claim, *, verified: bool = True) -> bool:
        """
        Take a claim; False when it was dropped.
        """
        neighbours, keys = (MAX_NEIGHBOURS, MAX_KEYS) if verified else (MAX_OVERHEARD, 1)
        neighbour = self.neighbours.get(claim.host)
        if neighbour is None:
            if len(self.neighbours) >= neighbours:
                self.expire(now)
            if len(self.neighbours) >= neighbours:
                self.dropped["full"] += 1
                return False
            neighbour = self.neighbours[claim.host] = Neighbour(filled_at=now)
        if not neighbour.take(now):
            self.dropped["flood"] += 1
            return False
        if self.hosts.get(claim.mid, claim.host) != claim.host:
            self.forget(claim.mid)  # it moved
        self._crowd = None
        neighbour.claims.pop(claim.mid, None)
        neighbour.claims[claim.mid] = claim
        self.hosts[claim.mid] = claim.host
        while len(neighbour.claims) > keys:
            mid, _ = neighbour.claims.popitem(last=False)
            del self.hosts[mid]
        return True

    def forget(self, mid: bytes) -> None:
        """
        Take a node out: it said goodbye, or is known to be gone.
        """
        host = self.hosts.pop(mid, None)
        neighbour = self.neighbours.get(host) if host is not None else None
        if neighbour is not None:
            neighbour.claims.pop(mid, None)
            self._crowd = None

    def expire(self, now: float) -> None:
        """
        Forget what is too old.
        """
        for host, neighbour in list(self.neighbours.items()):
            for mid in [mid for mid, claim in neighbour.claims.items() if now > claim.until]:
                del neighbour.claims[mid], self.hosts[mid]
            if not neighbour.claims and neighbour.tokens + (now - neighbour.filled_at) * HEARD_RATE >= HEARD_BURST:
                del self.neighbours[host]

    def clear(self) -> None:
        """
        Forget all: it is another network.
        """
        self.neighbours.clear()
        self.hosts.clear()
        self._crowd = None

    def crowd(self, now: float) -> Crowd:
        """
        Get what those behind one of our gateways say, taken together.
        """
        if self._crowd is None or now > self._crowd[1]:
            self.expire(now)
            hosts = [ours for neighbour in self.neighbours.values()
                     if (ours := [claim for claim in neighbour.claims.values() if claim.gateway is not None])]
            until = min((claim.until for claims in hosts for claim in claims), default=now + CLAIM_LEAST)
            self._crowd = Crowd.of(hosts), until
        return self._crowd[0]

    def all(self, now: float) -> list[Claim]:
        """
        Get all that count now, of other gateways too.
        """
        return [claim for neighbour in self.neighbours.values() for claim in neighbour.claims.values()
                if now <= claim.until]
