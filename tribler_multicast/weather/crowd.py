"""
What all the others say, taken together: each link-layer neighbour counts once.
"""
from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from .grouping import Member
from .share import NO_NEED
from .summary import Both

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .claims import Claim
    from .summary import WeatherSummary

HIGH: Final = ("on_demand", "live")
DIRECTIONS: Final = (0, 1)
SURE: Final = 0.3
"""Confidence from which on what the gateway passes is believed."""


def need_of(kinds: Iterable[str]) -> str:
    """
    Get the strongest of some needs.
    """
    found = set(kinds)
    return next((kind for kind in ("live", "on_demand", "room") if kind in found), NO_NEED)


def own_need(summary: WeatherSummary) -> str:
    """
    Get what a node needs, by what it says.
    """
    return summary.kind if summary.kind in HIGH else "room" if summary.needs_room else NO_NEED


class Crowd(NamedTuple):
    """
    The others behind our gateway. Pairs are for up and down.

    `members`: what they feel; `need`: the strongest of their needs, `needed_by`: whose, `room`: how much they need
    together, bytes/s; `rates`: what all of them use; `levels`: of those whose bulk traffic wants more, `hungry`: how
    many those are; `capacity`: what those say who are sure, and how sure; `loaded`: how many have load, `high`: high
    priority.
    """

    members: tuple[Member, ...] = ()
    need: str = NO_NEED
    needed_by: frozenset[bytes] = frozenset()
    room: Both = Both()
    rates: Both = Both()
    levels: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    hungry: tuple[int, int] = (0, 0)
    capacity: tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]] = ((), ())
    loaded: int = 0
    high: int = 0

    @classmethod
    def of(cls, hosts: Sequence[Sequence[Claim]]) -> Crowd:
        """
        Take claims together, given by neighbour.
        """
        if not hosts:
            return cls()
        every = [claim for claims in hosts for claim in claims]
        needy = [claim for claim in every if own_need(claim.summary) != NO_NEED]
        said = [[claim.summary for claim in claims] for claims in hosts]
        levels: tuple[list[float], list[float]] = ([], [])
        hungry, capacity = [0, 0], ([], [])  # type: tuple[list[int], tuple[list[tuple[float, float]], list[tuple[float, float]]]]
        for summaries in said:
            for way in DIRECTIONS:
                wanting = [each for each in summaries if each.hungry[way]]
                hungry[way] += bool(wanting)
                limited = [each.level[way] for each in wanting if each.level[way]]
                if limited:
                    levels[way].append(median(limited))
                sure = [(each.capacity[way], each.confidence[way]) for each in summaries
                        if each.confidence[way] >= SURE and each.capacity[way]]
                capacity[way].extend(sure[-1:])
        return cls(
            tuple(_member(claims) for claims in hosts if any(claim.summary.is_known for claim in claims)),
            need_of(own_need(claim.summary) for claim in needy), frozenset(claim.mid for claim in needy),
            Both(*(sum(max(0.0, claim.summary.rates[way] - claim.summary.bulk[way]) for claim in needy)
                   for way in DIRECTIONS)),
            Both(*(sum(claim.summary.rates[way] for claim in every) for way in DIRECTIONS)),
            (tuple(levels[0]), tuple(levels[1])), (hungry[0], hungry[1]), (tuple(capacity[0]), tuple(capacity[1])),
            sum(any(each.kind != "idle" for each in summaries) for summaries in said),
            sum(any(each.kind in HIGH for each in summaries) for summaries in said))


def _member(claims: Sequence[Claim]) -> Member:
    known = [claim.summary for claim in claims if claim.summary.is_known]
    newest = known[-1]
    return Member(claims[0].host, any(each.is_bloated for each in known), newest.mean, newest.variability, newest.skew,
                  newest.loss)
