"""
A transfer for `bench/distribute.py`: a tool, its programs, and what it took until the last receiver has all of it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .common import BenchError
from .distribute_lan import PROGRAMS, WORDS, Watched, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.lan.testbed import Machine

    from .distribute_lan import Box

POLL = 0.005
"""Seconds between two looks at who is done."""

SAMPLE = 0.5
"""Seconds between two looks at memory: the kernel keeps the most."""

PATIENCE = 30.0
"""Seconds that anything but the transfer itself may take."""

LINGER = 3.0
"""Seconds a sender that ends by itself gets for that when all receivers are done."""

FLOWING = 1 << 18
"""Bytes on the sender's link from which on data flows: nothing around a transfer takes as much."""


@dataclass
class Outcome:
    """
    What a transfer took.
    """

    seconds: float | None
    """From the sender's start to the last receiver's end; None: it was stopped before."""

    ratio: float
    """Bytes of the sender on its link / bytes of the file."""

    each: list[float | None]
    """Seconds per receiver."""

    back: float = 0.0
    """Bytes to the sender on its link / bytes of the file."""

    flowing: float | None = None
    """Seconds from its first FLOWING bytes to the last receiver's end: without what programs need to start and meet."""

    cpu_sender: float = 0.0
    cpu_receiver: float = 0.0
    """Seconds of the processor; of the receivers the mean."""

    peak_sender: int = 0
    peak_receiver: int = 0
    """Bytes of memory; of the receivers the most."""

    error: str = ""


class Run:
    """
    One transfer: the programs in it and how it goes. A context manager: whatever happens, the programs are ended.
    """

    def __init__(self, box: Box, source: Path, limit: float, loss: float = 0.0, mbit: float | None = None) -> None:
        """
        Of a file or folder, stopped after so many seconds.

        :param loss: in percent and `mbit` the rate of the links, for tools that must be told.
        """
        self.box, self.source, self.limit, self.loss, self.mbit = box, source, limit, loss, mbit
        self.places = [box.place(machine) for machine in box.receivers]
        self.home = box.place(box.sender)
        self.programs: list[Watched] = []
        self.senders: list[Watched] = []
        self.receivers: dict[int, Watched] = {}

    def __enter__(self) -> Self:
        """
        Begin.
        """
        return self

    def __exit__(self, *_exception: object) -> None:
        """
        End all programs, and empty the folders.
        """
        with contextlib.ExitStack() as stack:
            for place in (*self.places, self.home):
                stack.callback(shutil.rmtree, place, ignore_errors=True)
            for program in self.programs:
                stack.callback(program.end)

    def program(self, machine: Machine, command: Sequence[str], *, lines: bool = False,
                environment: Mapping[str, str] | None = None) -> Watched:
        """
        Start a program.
        """
        log = self.box.folder / f"{machine.name}.log"
        log.write_bytes(b"")
        self.programs.append(Watched(machine, command, log, lines=lines, environment=environment))
        return self.programs[-1]

    def receiver(self, number: int, command: Sequence[str], *, lines: bool = False) -> Watched:
        """
        Start the program of a receiver.
        """
        self.receivers[number] = self.program(self.box.receivers[number], command, lines=lines)
        return self.receivers[number]

    def sender(self, command: Sequence[str], *, lines: bool = False) -> Watched:
        """
        Start the program of the sender.
        """
        self.senders.append(self.program(self.box.sender, command, lines=lines))
        return self.senders[-1]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """
        Wait until a condition (a callable) holds.

        :raises BenchError: when it does not for too long.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise BenchError(f"not in {PATIENCE:.0f} s: {what}")
            time.sleep(POLL)

    def settle(self, port: int) -> None:
        """
        Wait until all receivers have a UDP socket at a port (proc(5), /proc/net/udp).
        """
        wanted = f":{port:04X} "
        for number, machine in enumerate(self.box.receivers):
            self.until(lambda number=number, machine=machine: self.receivers[number].ended()
                       or wanted in machine.run(["cat", "/proc/net/udp"]), f"UDP port {port} of {machine} is open")
            if self.receivers[number].ended():
                raise BenchError(f"{self.receivers[number].name} has ended: {self.receivers[number].said()}")

    def expect(self, program: Watched, word: str) -> None:
        """
        Wait for a line.

        :raises BenchError: when the program says something else, or ends.
        """
        if (line := program.process.line(PATIENCE)) != word:
            raise BenchError(f"{program.name} said {line!r}, not {word!r}: {program.said()}")

    def finish(self, program: Watched) -> None:
        """
        Wait until a program has ended.

        :raises BenchError: when it fails.
        """
        self.until(program.ended, f"{program.name} has ended")
        if program.process.returncode:
            raise BenchError(f"{program.name} failed: {program.said()}")

    def measure(self, kind: type[Tool], size: int) -> Outcome:
        """
        Let a tool distribute it.

        :raises BenchError: when it does not even start, or what was received is not what was sent.
        """
        tool = kind(self)
        tool.wait()
        before = {way: self.box.bytes(way) for way in ("tx", "rx")}
        begin = time.monotonic()
        tool.send()
        done, first = self._watch(tool, begin, before["tx"] + FLOWING)
        if tool.ends and len(done) == len(self.places):
            with contextlib.suppress(BenchError):
                self._wind_up(begin)
        sent, back = (self.box.bytes(way) - before[way] for way in ("tx", "rx"))
        for program in self.programs:
            program.end()
        outcome = Outcome(None, sent / size, [done.get(number) for number in range(len(self.places))], back / size)
        outcome.cpu_sender = sum(program.cpu for program in self.senders)
        outcome.cpu_receiver = sum(program.cpu for program in self.receivers.values()) / len(self.places)
        outcome.peak_sender = max((program.peak for program in self.senders), default=0)
        outcome.peak_receiver = max((program.peak for program in self.receivers.values()), default=0)
        if len(done) < len(self.places):
            outcome.error = " ".join(filter(None, (program.said() for program in self.programs)))[-WORDS:]
        for number in done:
            if not same(self.source, tool.result(number)):
                said = self.receivers[number].said()
                outcome.error = f"receiver {number + 1} has something else than was sent: {said}"
        if len(done) == len(self.places) and not outcome.error:
            outcome.seconds = max(done.values())
            outcome.flowing = outcome.seconds - first
        return outcome

    def _watch(self, tool: Tool, begin: float, flowing: int) -> tuple[dict[int, float], float]:
        done: dict[int, float] = {}
        sampled = first = 0.0
        while len(done) < len(self.places) and time.monotonic() < begin + self.limit:
            for number in range(len(self.places)):
                if number not in done and tool.done(number):
                    done[number] = time.monotonic() - begin
            if not first and self.box.bytes() >= flowing:
                first = time.monotonic() - begin
            if time.monotonic() > sampled + SAMPLE:
                for program in self.programs:
                    program.sample()
                sampled = time.monotonic()
            time.sleep(POLL)
        return done, first

    def _wind_up(self, begin: float) -> None:
        deadline = min(time.monotonic() + LINGER, begin + self.limit + LINGER)
        while time.monotonic() < deadline and not all(program.ended() for program in self.senders):
            time.sleep(POLL)


class Tool:
    """
    What distributes files. A new one for each transfer.
    """

    name = ""
    programs: tuple[str, ...] = ()
    package = ""
    ends = True
    """The sender ends by itself when all have all."""

    def __init__(self, run: Run) -> None:
        """
        Nothing is started yet.
        """
        self.run = run

    @classmethod
    def missing(cls) -> str:
        """
        Return what is not installed, in one line; empty: all is there.
        """
        lost = [program for program in cls.programs if shutil.which(program, path=PROGRAMS) is None]
        return f"{lost[0]} is not installed ({cls.package})" if lost else ""

    def wait(self) -> None:
        """
        Start the receivers that wait for the sender, and return when they do.
        """
        raise NotImplementedError

    def send(self) -> None:
        """
        Start the sender, and what cannot wait for it.
        """
        raise NotImplementedError

    def done(self, number: int) -> bool:
        """
        Tell whether this receiver has all of it: by default when its program has ended.
        """
        return self.run.receivers[number].ended()

    def result(self, number: int) -> Path:
        """
        Return where a receiver has it.
        """
        return self.run.places[number] / self.run.source.name
