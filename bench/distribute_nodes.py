"""
The scenario *small* of `bench/distribute.py`: both nodes run, a file is published, and fetched by REST.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from tests.lan.node import RestError, wait_all_local

from .common import BenchError, percentile, say
from .distribute_lan import a_box, fill, same
from .distribute_others import Nginx
from .distribute_ours import Ours
from .distribute_run import Run

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from tests.lan.node import Node
    from tests.lan.testbed import Machine

    from .common import Report

SIZE = 10_000
FETCHES = 10
"""In a round."""

SECONDS = 0.2
"""Asked for."""

PATIENCE = 30.0
POLL = 0.002


def fetch(publisher: Node, other: Node, source: Path, target: Path) -> float:
    """
    Return how many seconds a file takes from the call that asks for it until it is there.

    :raises BenchError: when it fails.
    """
    content_id = publisher.rest("POST", "/publications", {"path": str(source)})["content_id"]
    begin = time.monotonic()
    call = other.rest("POST", "/transfers", {"content_id": content_id, "output": str(target)})["id"]
    while (found := other.rest("GET", f"/transfers/{call}"))["state"] != "done":
        if found["state"] == "failed" or time.monotonic() > begin + PATIENCE:
            raise BenchError(f"a file of {SIZE} bytes is {found['state']} after {time.monotonic() - begin:.1f} s: "
                             f"{found['error']}")
        time.sleep(POLL)
    taken = time.monotonic() - begin
    if not same(source, target):
        raise BenchError(f"a file of {SIZE} bytes is not what was published")
    return taken


def curl(machine: Machine, url: str) -> float:
    """
    Return how many seconds curl takes for a file, from its start to its end.
    """
    begin = time.monotonic()
    machine.run(["curl", "-sS", "--fail", "-o", "/dev/null", url])
    return time.monotonic() - begin


def small(options: argparse.Namespace, report: Report) -> None:
    """
    Measure how long a small file takes, and beside it curl from an nginx that runs.
    """
    if reason := Ours.missing():
        say(f"distribute: {reason}")
        report.details.setdefault("missing", []).append(reason)
        return
    curls: list[float] = []
    with a_box(1) as box:
        box.shape(options.mbit)
        sources = [fill(box.folder / f"{number}.bin", SIZE) for number in range(FETCHES * options.rounds)]
        nodes = [machine.node() for machine in (box.sender, *box.receivers)]
        wait_all_local(nodes)
        try:
            times = [fetch(*nodes, source, source.with_suffix(".got")) for source in sources]
        except RestError as e:
            raise BenchError(f"a file was refused: {e}") from e
        if not Nginx.missing():
            with Run(box, sources[0], PATIENCE) as run:
                server = Nginx(run)
                server.wait()
                server.serve()
                curls = [curl(box.receivers[0], server.url(source.name)) for source in sources]
    report.details["small"] = {"fetch": times, "curl": curls}
    beside = {"other": "curl, its start included", "theirs": 1000 * statistics.median(curls)} if curls else {}
    report.row("a file of 10 KB between running nodes, median", 1000 * statistics.median(times), "ms",
               limit=1000 * SECONDS, **beside)
    report.row("the same, p95", 1000 * percentile(times, 95), "ms")
