"""
The LAN for `bench/distribute.py`: one sender and its receivers, every link shaped both ways, packets that get lost, and
the programs in it.

Machines cut large buffers themselves (gso_max_segs 1), so that packets are shaped, counted and lost one by one, as on a
wire; veth would hand over up to 64 KiB as one. Loss strikes at each receiver on its own.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lan.namespaces import why_no_loss
from tests.lan.processes import Process, cpu_seconds, memory
from tests.lan.testbed import Families

from .common import BenchError, a_lan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.lan.testbed import Lan, Machine

PATIENCE = 30.0
"""Seconds that anything but the transfer itself may take."""

WORDS = 600
"""Characters of its output that are told of a program that failed."""

CHUNK = 1 << 20

PROGRAMS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
"""Where programs are looked for: Debian leaves some places out of the path of ordinary users."""


class Watched:
    """
    A program in a machine, ended with the transfer; its output goes to a file, or is read line by line.
    """

    def __init__(self, machine: Machine, command: Sequence[str], log: Path, *, lines: bool = False,
                 environment: Mapping[str, str] | None = None) -> None:
        """
        Start it.

        :param lines: its standard output is read (`process.lines`), only what it complains about goes to the file.
        """
        self.machine, self.log, self.name = machine, log, Path(command[0]).name
        self.ended_at: float | None = None
        self.cpu = 0.0
        self.peak = 0
        with log.open("ab") as file:
            run = command if lines else ["sh", "-c", 'exec "$@" >&2', "sh", *command]
            self.process = Process(machine.namespace.command(run), subprocess.PIPE if lines else None, file,
                                   {**os.environ, "PATH": PROGRAMS, **(environment or {})})
        self.begun = time.monotonic()

    def sample(self) -> None:
        """
        Note the memory it needs.
        """
        with contextlib.suppress(OSError):
            self.peak = max(self.peak, memory(self.process.pid, share=False).get("peak", 0))

    def ended(self) -> bool:
        """
        Tell whether it has ended, and note when, and the processor time of its life: of a process that nobody has
        waited for yet that can still be read.
        """
        if self.ended_at is None and self.process.returncode is None:
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            self.ended_at = time.monotonic()
            self.cpu = cpu_seconds(self.process.pid)
            self.process.wait(PATIENCE)
        return True

    def said(self) -> str:
        """
        Return its last words, in one line.
        """
        return " ".join(self.log.read_text(errors="replace")[-WORDS:].split())

    def end(self) -> None:
        """
        End it, by its id.
        """
        if not self.ended():
            with contextlib.suppress(OSError):
                self.cpu = cpu_seconds(self.process.pid)
        self.process.end()


@dataclass
class Box:
    """
    One sender, its receivers, and others on the same LAN; a folder each.
    """

    lan: Lan
    sender: Machine
    receivers: list[Machine]
    folder: Path
    bystanders: list[Machine] = field(default_factory=list)

    def place(self, machine: Machine) -> Path:
        """
        Return an empty folder of a machine.
        """
        path = self.folder / machine.name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def shape(self, mbit: float | None) -> None:
        """
        Limit every link, both ways.
        """
        for machine in (self.sender, *self.receivers, *self.bystanders):
            machine.shape(mbit)

    def lose(self, percent: float) -> None:
        """
        Lose so many percent of what arrives at each receiver.

        :raises BenchError: when packets can't be made to get lost here.
        """
        if percent and (reason := why_no_loss()):
            raise BenchError(reason)
        for machine in self.receivers:
            machine.lose(percent)

    def bytes(self, direction: str = "tx") -> int:
        """
        Return what has gone over the sender's link so far, frames without their check sums.
        """
        root = Path(f"/proc/{self.sender.namespace.pid}/root")
        return int((root / "sys/class/net/eth0/statistics" / f"{direction}_bytes").read_text())


@contextlib.contextmanager
def a_box(receivers: int, bystanders: int = 0, *, cut: bool = True) -> Iterator[Box]:
    """
    Make one, taken apart at the end.

    :param cut: machines cut large buffers into packets themselves.
    """
    with a_lan() as lan:
        machines = lan.machines(1 + receivers + bystanders, Families.IPV4)
        for machine in machines:
            if cut:
                machine.namespace.ip("link set eth0 gso_max_segs 1")
            # Multicast of programs that name no interface
            machine.namespace.ip("route add default dev eth0")
        box = Box(lan, machines[0], machines[1:1 + receivers], lan.folder / "bench", machines[1 + receivers:])
        box.folder.mkdir()
        yield box





def same(one: Path, other: Path) -> bool:
    """
    Tell whether two files, or folders with all that is in them, are equal, byte by byte.
    """
    try:
        if one.is_file():
            return filecmp.cmp(one, other, shallow=False)
        names = sorted(path.relative_to(one) for path in one.rglob("*"))
        return names == sorted(path.relative_to(other) for path in other.rglob("*")) and all(
            filecmp.cmp(one / name, other / name, shallow=False) for name in names if (one / name).is_file())
    except OSError:
        return False


def fill(path: Path, size: int) -> Path:
    """
    Write a file of so many random bytes.
    """
    with path.open("wb") as file:
        for start in range(0, size, CHUNK):
            file.write(os.urandom(min(CHUNK, size - start)))
    return path
