"""
Which nodes share a queue, and what state the gateway is in.

The order is that of RFC 8382, section 3.3: of the nodes that have a bottleneck, neighbours in variability, then
skewness, then loss stay together. Theirs is the same gateway, so before that comes the mean of the queue, which is the
same for all who stand in it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

STATES: Final = ("unknown", "clear", "suspected", "congested")

MEAN_APART: Final = 0.65
VARIABILITY_APART: Final = 0.75
"""Share of the greater of two neighbours in order by which they may differ: a few probes a second, at different
times."""
TIME_APART: Final = 0.008
"""Seconds by which they may in any case."""
SKEW_APART: Final = 0.8
LOSS_APART: Final = 0.15
LOSS_COUNTS: Final = 0.1


class Member(NamedTuple):
    """
    What one link-layer neighbour, or this node, feels of the gateway.
    """

    host: Hashable
    is_bloated: bool
    mean: float
    variability: float
    skew: float
    loss: float | None


def split(members: Sequence[Member], key: Callable[[Member], float], share: float, slack: float) -> list[list[Member]]:
    """
    Put them in order and split where two neighbours differ by more than that.
    """
    groups: list[list[Member]] = []
    for member in sorted(members, key=key):
        if groups and key(member) - key(groups[-1][-1]) <= max(slack, share * key(member)):
            groups[-1].append(member)
        else:
            groups.append([member])
    return groups


def groups(members: Sequence[Member]) -> list[list[Member]]:
    """
    Get those who share a queue, largest group first.
    """
    found = [[member for member in members if member.is_bloated]]
    for key, share, slack in ((lambda member: member.mean, MEAN_APART, TIME_APART),
                              (lambda member: member.variability, VARIABILITY_APART, TIME_APART),
                              (lambda member: member.skew, 0.0, SKEW_APART)):
        found = [part for group in found for part in split(group, key, share, slack)]
    parts = []
    for group in found:
        unknown = [member for member in group if member.loss is None]
        if any((member.loss or 0.0) > LOSS_COUNTS for member in group):
            known = [member for member in group if member.loss is not None]
            parts += [part + unknown for part in split(known, lambda member: member.loss or 0.0, 0.0, LOSS_APART)]
        else:
            parts.append(group)
    return sorted(parts, key=len, reverse=True)


def state(own: Member | None, others: Sequence[Member]) -> str:
    """
    Get the state of the gateway. `own` None: this node feels nothing; then it goes by what is heard.

    Who stands in no queue behind the same gateway knows better than those who say there is one.
    """
    members = [*others, own] if own is not None else list(others)
    if not members:
        return "unknown"
    bloated = [member for member in members if member.is_bloated]
    if not bloated:
        return "clear"
    largest = groups(bloated)[0]
    if len(largest) < TOGETHER:
        return "suspected"
    return "congested" if own is None or own in largest else "suspected"
