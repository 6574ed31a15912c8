"""
What the benchmarks share: figures and ratios, how they are printed, and a LAN in a box.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.lan.namespaces import TestbedError, why_not
from tests.lan.testbed import Lan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

HERE = Path(__file__).resolve().parent
Name = TypeVar("Name")


class BenchError(Exception):
    """
    A benchmark could not be run: one clear line.
    """


def percentile(values: Sequence[float], percent: float) -> float:
    """
    Return the smallest value that so many percent of the values do not exceed (nearest rank).

    :raises ValueError: when there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """
    Return what is said of several measurements of the same: count, min, median, p90, max.
    """
    return {"count": len(values), "min": min(values), "median": statistics.median(values),
            "p90": percentile(values, 90), "max": max(values)}


def interleaved(calls: Mapping[Name, Callable[[], object]], rounds: int, turn: float = 0.002,
                inside: Callable[[Name], AbstractContextManager[object]] = contextlib.nullcontext) -> dict[Name, float]:
    """
    Return how many seconds of the processor each of these calls takes: the median of so many rounds, in which they take
    turns. What else the machine does meanwhile so disturbs all alike, and little.

    :param turn: a call is repeated for about so many seconds in each turn, at least once.
    :param inside: makes for each name what its turn happens in; the time for that does not count.
    """
    repeats, times = {}, {}
    for name, call in calls.items():
        with inside(name):
            call()
            begin = time.process_time()
            call()
            repeats[name] = min(10_000, max(1, round(turn / (time.process_time() - begin + 1e-9))))
        times[name] = list[float]()
    for _ in range(rounds):
        for name, call in calls.items():
            numbers = itertools.repeat(None, repeats[name])
            with inside(name):
                begin = time.process_time()
                for _ in numbers:
                    call()
                times[name].append((time.process_time() - begin) / repeats[name])
    return {name: statistics.median(found) for name, found in times.items()}


@dataclass
class Row:
    """
    One figure, the limit it was asked to keep, and the same of a named other.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None
    """Ours should be below this; where more is better, at least this."""
    other: str = ""
    theirs: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """
        How many times better ours is: 2 is twice as good, 0.5 half as good. None without another or with nothing to
        divide by.
        """
        if self.theirs is None:
            return None
        better, worse = (self.value, self.theirs) if self.more_is_better else (self.theirs, self.value)
        return better / worse if worse else None

    @property
    def kept(self) -> bool:
        """
        Tell whether it is on the right side of its limit; true without one.
        """
        return self.limit is None or (self.value >= self.limit if self.more_is_better else self.value < self.limit)

    def cells(self) -> tuple[str, ...]:
        """
        Return it as texts: what, figure, limit, the other's figure, ratio.
        """
        side = ">=" if self.more_is_better else "<"
        limit = "" if self.limit is None else f"{side} {number(self.limit)} {'kept' if self.kept else 'MISSED'}"
        theirs = "" if self.theirs is None else f"{number(self.theirs)} {self.other}"
        ratio = "" if self.ratio is None else f"{number(self.ratio)}x " + ("better" if self.ratio >= 1 else "(worse)")
        return self.what, f"{number(self.value)} {self.unit}".strip(), limit, theirs, ratio


@dataclass
class Report:
    """
    What one benchmark found: rows for people, and all measurements behind them.
    """

    bench: str
    rows: list[Row] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def row(self, what: str, value: float, unit: str, **more: Any) -> None:  # noqa: ANN401
        """
        Add one figure; `more` as in Row.
        """
        self.rows.append(Row(what, value, unit, **more))

    def document(self) -> dict[str, Any]:
        """
        Return it for JSON.
        """
        return {"bench": self.bench, "rows": [{**asdict(row), "ratio": row.ratio} for row in self.rows],
                "details": self.details}

    def text(self) -> str:
        """
        Return it as a table.
        """
        return table([("", "figure", "asked for", "beside it", "ratio"), *(row.cells() for row in self.rows)])


def number(value: float) -> str:
    """
    Return a number with three digits that count, and none more.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """
    Return rows of texts in columns, with a line under the first.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def machine() -> dict[str, Any]:
    """
    Return what the figures depend on.
    """
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}",
            "processor": platform.machine(), "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0],
            "time": time.time()}


def say(text: str) -> None:
    """
    Tell how it goes on; standard output is for the result.
    """
    print(text, file=sys.stderr, flush=True)


def main(bench: Callable[[argparse.Namespace], Report], parser: argparse.ArgumentParser) -> int:
    """
    Run one benchmark as a program; return its exit status.
    """
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")
    options = parser.parse_args()
    try:
        before = machine()
        with contextlib.redirect_stdout(sys.stderr):  # what nodes complained about is no part of the result
            report = bench(options)
    except (BenchError, TestbedError, TimeoutError) as e:
        say(f"{parser.prog}: {e}")
        return 1
    document = {**report.document(), "machine": {**before, "load_after": os.getloadavg()[0]}}
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        print(f"{report.text()}\n\nload {before['load']:.1f} before, {os.getloadavg()[0]:.1f} after; "
              f"{before['cores']} cores, Python {before['python']}")
    return 0


@contextlib.contextmanager
def a_lan() -> Iterator[Lan]:
    """
    A LAN in a box, taken apart at the end.

    :raises BenchError: when there can be none here.
    """
    reason = why_not()
    if reason is not None:
        raise BenchError(f"{reason} (run it as `sh tests/in_namespace.sh python -m bench`)")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Lan(Path(folder))) as lan:
        yield lan


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """
    What is started inside runs on this core only, counted from 0; on all with None, or where there is no such core.
    """
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    if core is not None and core < len(cores):
        os.sched_setaffinity(0, {cores[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
