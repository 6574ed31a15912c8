"""
What `bench/distribute.py` tells of its transfers.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from .distribute_ours import Ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .common import Report
    from .distribute_run import Outcome


NOT_DONE = " (not done)"
"""Beside what was measured until it was stopped: a limit says nothing of that."""


def compare(report: Report, what: str, unit: str, values: Mapping[str, tuple[float, str]],
            limit: float | None = None, *, more_is_better: bool = False) -> None:
    """
    Add rows: ours beside each other one; without ours, or without others, what there is.

    :param values: by name of the tool; the text beside a value is what must be known of it.
    """
    ours = values.get(Ours.name)
    others = {name: each for name, each in values.items() if name != Ours.name}
    if ours is None:
        for name, (value, note) in others.items():
            report.row(f"{what}, {name}{note}", value, unit, more_is_better=more_is_better)
        return
    if NOT_DONE in ours[1]:
        limit = None
    beside: list[dict[str, Any]] = [{"other": name + note, "theirs": value} for name, (value, note) in others.items()]
    for each in beside or [{}]:
        report.row(what + ours[1], ours[0], unit, limit=limit, more_is_better=more_is_better, **each)
        limit = None


def middle(values: Iterable[float | None], limit: float) -> tuple[float, str]:
    """
    Return the median, where what was stopped counts as the limit, and how many were stopped.
    """
    found = list(values)
    stopped = sum(value is None for value in found)
    return (statistics.median_high([limit if value is None else value for value in found]),
            f" ({stopped} of {len(found)} not done)" if stopped else "")


def ratio(outcomes: Sequence[Outcome]) -> tuple[float, str]:
    """
    Return the median of what the sender sent, of those that were done if any was.
    """
    done = [each.ratio for each in outcomes if each.seconds is not None]
    return statistics.median(done or [each.ratio for each in outcomes]), "" if done else NOT_DONE


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """
    Return what several transfers of one tool took, for the details.
    """
    told = {"seconds": "seconds", "flowing": "flowing", "each": "each", "bytes_out": "ratio", "bytes_in": "back",
            "cpu_sender": "cpu_sender", "cpu_receiver": "cpu_receiver", "peak_sender": "peak_sender",
            "peak_receiver": "peak_receiver"}
    return {**{name: [getattr(each, field) for each in outcomes] for name, field in told.items()},
            "errors": [each.error for each in outcomes if each.error]}


def told(outcome: Outcome) -> str:
    """
    Return one transfer in a few words.
    """
    when = "not done" if outcome.seconds is None else f"{outcome.seconds:.2f} s"
    return f"{when}, {outcome.ratio:.3f} x the file" + (f" ({outcome.error})" if outcome.error else "")
