"""
The scenario of `bench/distribute.py` in which one receiver's link is far slower than those of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .distribute_figures import compare, middle, summary
from .distribute_lan import a_box, fill
from .distribute_ours import Ours
from .distribute_table import installed, transfer

if TYPE_CHECKING:
    import argparse

    from .common import Report
    from .distribute_run import Outcome

SLOW = 5.0
"""Mbit/s of the slow link."""
FACTOR = 1.2
"""How many times longer it may take the others."""
LIMIT = 300.0
"""Seconds: the file takes 107 at the rate of the slow link."""


def slow(options: argparse.Namespace, report: Report) -> None:
    """
    Measure what one slow receiver costs the others, and itself.
    """
    size = int(options.size * (1 << 20))
    equal: list[Outcome] = []
    one_slow: list[Outcome] = []
    [tool] = installed((Ours,), options, report)[:1]
    with a_box(options.receivers) as box:
        source = fill(box.folder / "file.bin", size)
        for _ in range(options.rounds):
            for outcomes, mbit in ((equal, options.mbit), (one_slow, SLOW)):
                box.shape(options.mbit)
                box.receivers[-1].shape(mbit)
                outcomes.append(transfer(box, tool, source, size, limit=LIMIT, mbit=options.mbit))
    report.details["slow"] = {"equal": summary(equal), "one slow": summary(one_slow)}
    others = [middle((max((LIMIT if when is None else when for when in each.each[:-1]), default=LIMIT)
                      for each in several), LIMIT) for several in (equal, one_slow)]
    what = f"one of {options.receivers} by {SLOW:g} Mbit/s: "
    report.row(f"{what}last of the others done{others[1][1]}", others[1][0], "s",
               limit=FACTOR * others[0][0], other=f"by {options.mbit:g} Mbit/s{others[0][1]}", theirs=others[0][0])
    compare(report, f"{what}that one done", "s",
            {tool.name: middle((each.each[-1] for each in one_slow), LIMIT)})
