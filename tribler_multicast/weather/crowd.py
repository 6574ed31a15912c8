"""
What all the others say, taken together: each link-layer neighbour counts once.
"""
from __future__ import annotations

from statistics import median, median_low
from typing import TYPE_CHECKING, Final, NamedTuple

from .grouping import Member
from .rule import NO_NEED
from .summary import Both

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .claims import Claim
    from .summary import WeatherSummary

HIGH: Final = ("on_demand", "live")
DIRECTIONS: Final = (0, 1)
LOUDEST: Final = 8.0
LEAST_LOUD: Final = 125_000.0
"""Nobody is believed to use, or to need, more than so many times what most use: one who says that he sends a hundred
times as much would make a gateway seem endless. Whoever really does fills the queue, and that is felt. Below so many
bytes/s nothing is loud."""
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

    `members`: what they feel; `need`: the strongest of their needs, `needed_by`: whose; `each`: of each link-layer
    neighbour the room that it needs, bytes/s, and what it uses; `levels`: of those whose bulk traffic wants more,
    `hungry`: how many those are; `capacity`: what those say who are sure, and how sure; `loaded`: how many have load,
    `high`: high priority.
    """

    members: tuple[Member, ...] = ()
    need: str = NO_NEED
    needed_by: frozenset[bytes] = frozenset()
    each: tuple[tuple[Both, Both], ...] = ()
    levels: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    hungry: tuple[int, int] = (0, 0)
    capacity: tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]] = ((), ())
    loaded: int = 0
    high: int = 0

    def believed(self, own: Both, best: Both) -> tuple[Both, Both]:
        """
        Get the room that is needed, and what all use, as far as that is believed: of each neighbour no more than
        LOUDEST times the middle of all or what this node reached itself.

        :param own: what this node uses; `best`: what it reached lately.
        """
        room, used = [0.0, 0.0], [0.0, 0.0]
        for way in DIRECTIONS:
            rates = [rate[way] for _, rate in self.each]
            most = LOUDEST * max(best[way], median_low([own[way], *rates]), LEAST_LOUD)
            used[way] = own[way] + sum(min(rate, most) for rate in rates)
            room[way] = sum(min(needed[way], most) for needed, _ in self.each)
        return Both(*room), Both(*used)

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
            tuple(_rates(claims) for claims in hosts),
            (tuple(levels[0]), tuple(levels[1])), (hungry[0], hungry[1]), (tuple(capacity[0]), tuple(capacity[1])),
            sum(any(each.kind != "idle" for each in summaries) for summaries in said),
            sum(any(each.kind in HIGH for each in summaries) for summaries in said))


def _rates(claims: Sequence[Claim]) -> tuple[Both, Both]:
    """
    Get the room that a neighbour needs, and what it uses.
    """
    said = [claim.summary for claim in claims]
    return (Both(*(sum(max(0.0, each.rates[way] - each.bulk[way]) for each in said if own_need(each) != NO_NEED)
                   for way in DIRECTIONS)),
            Both(*(sum(each.rates[way] for each in said) for way in DIRECTIONS)))


def _member(claims: Sequence[Claim]) -> Member:
    known = [claim.summary for claim in claims if claim.summary.is_known]
    newest = known[-1]
    return Member(claims[0].host, any(each.is_bloated for each in known), newest.mean, newest.variability, newest.skew,
                  newest.loss)
