"""
Ours for `bench/distribute.py`: `tribler-multicast receive` waits, `tribler-multicast send` begins; each on its own.
"""

from __future__ import annotations

import compileall
import functools
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from .common import HERE
from .distribute_run import Tool

if TYPE_CHECKING:
    from pathlib import Path

PORT = 32109
"""Where a node listens to the LAN."""

ROOT = HERE.parent


@functools.cache
def commands() -> str:
    """
    Return what the command line says it can do. From then on its modules are compiled, as those of whatever is
    installed are: Python may have been told (PYTHONDONTWRITEBYTECODE) to compile them at each start.
    """
    compileall.compile_dir(ROOT / "tribler_multicast", quiet=2)
    return subprocess.run([sys.executable, "-m", "tribler_multicast", "--help"], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=False).stdout


class Ours(Tool):
    """
    Told nothing but how many receivers there are: neither the rate of the links nor the loss.
    """

    name = "tribler-multicast"
    program: tuple[str, ...] = ("-m", "tribler_multicast")
    package = "this version of it has no such command"
    settings: tuple[str, ...] = ()
    """As name=value."""

    @classmethod
    def missing(cls) -> str:
        """
        Tell whether it can send.
        """
        there = re.search(r"^ +receive\b", commands(), re.MULTILINE)
        return "" if there else f"{cls.name} send is missing: {cls.package}"

    def wait(self) -> None:
        """
        Receivers take what is offered first.
        """
        for number, place in enumerate(self.run.places):
            for name in ("state", "got"):
                (place / name).mkdir()
            self.run.receiver(number, self._command(place, "receive", "--any", "--output", str(place / "got")))
        self.run.settle(PORT)

    def send(self) -> None:
        """
        Begin when all have joined.
        """
        self.run.sender(self._command(self.run.home, "send", str(self.run.source), "--receivers",
                                      str(len(self.run.places))))

    def result(self, number: int) -> Path:
        """
        Under the name it was offered with.
        """
        return self.run.places[number] / "got" / self.run.source.name

    def _command(self, place: Path, command: str, *arguments: str) -> list[str]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return ["env", f"PYTHONPATH={path}", sys.executable, *self.program, command, "--state-dir",
                str(place / "state"), *arguments, *(word for each in self.settings for word in ("--set", each))]


class WithoutHelpers(Ours):
    """
    The same, but the source repairs all that receivers lack.
    """

    name = "tribler-multicast, without helpers"
    settings = ("cooperate=false",)


class Fallback(Ours):
    """
    The same with no native code.
    """

    name = "tribler-multicast, no native code"
    program = (str(HERE / "distribute_fallback.py"),)
