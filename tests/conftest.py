"""
Tests on several processors: each worker of pytest-xdist gets a network of its own, and the longest files come first.

Nodes on the loopback interface find each other, which is what they are for: those of two workers must not.

A file is run by one worker. When a long one is begun last, the others wait for it: so they are begun in the order of
``durations.txt``, which has the files that take long, and their seconds. A file that is not in it takes little. It is
written anew by ``make test TM_DURATIONS=tests/durations.txt``, on a machine that does nothing else.
"""
from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000

DURATIONS = Path(__file__).with_name("durations.txt")

WORTH_A_LINE = 3.0
"""Seconds from which on a file is in the table."""


def pytest_configure(config: pytest.Config) -> None:
    """
    Leave the network that all workers begin in, before any test begins.
    """
    written = os.environ.get("TM_DURATIONS")
    if written and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Clock(Path(written)))
    if not hasattr(config, "workerinput") or os.environ.get("TM_NAMESPACE") != "1" or sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Put the longest files first, where several workers share them. All workers must do the same.
    """
    if not hasattr(config, "workerinput"):
        return
    seconds = {name: float(text) for text, name in map(str.split, DURATIONS.read_text().splitlines())}
    items.sort(key=lambda item: -seconds.get(file_of(item.nodeid), 0.0))


def file_of(nodeid: str) -> str:
    """
    The file that a test is in.
    """
    return nodeid.partition("::")[0]


class Clock:
    """
    Adds up how long the tests of each file take.
    """

    def __init__(self, path: Path) -> None:
        """
        Write it there.
        """
        self.path = path
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """
        Take note of a test, or of what is set up for it.
        """
        self.seconds[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self) -> None:
        """
        Write the table, the longest first.
        """
        self.path.write_text("".join(f"{seconds:.0f} {name}\n" for name, seconds in self.seconds.most_common()
                                     if seconds >= WORTH_A_LINE))
