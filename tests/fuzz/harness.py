"""
Gives a target inputs for a while, and bounds what each may cost: no exception, no endless loop, no gigabytes.
"""
from __future__ import annotations

import contextlib
import gc
import resource
import signal
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from .mutation import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATIENCE = 2.0
"""Seconds of processor time that one input may take. The dearest honest ones take milliseconds."""

TIMED = 16
"""Inputs that share that time: to set a timer takes longer than to read most of them."""

MEMORY = 1 << 30
"""Bytes that a target may have more than the process had: an input that wants more fails."""

GROWTH = 64 << 20
"""Bytes that may be left over of all inputs of a target, but for its first thousand."""


LONG = 2.0
"""Seconds from which on it is looked at that nothing is left over."""


class Hang(BaseException):
    """
    An input took longer than PATIENCE. No Exception, so that nothing in between takes it for one of its own.
    """


@dataclass
class Target:
    """
    Something that reads what came off the wire.

    `take` gets an input and tells whether it was understood; it may raise what is in `refusals` and nothing else.
    `samples` are valid inputs; `refill`: new ones, for what counts once only.
    """

    name: str
    take: Callable[[bytes], object]
    samples: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = ()
    tokens: Sequence[bytes] = ()
    refill: Callable[[], Sequence[bytes]] | None = None
    close: Callable[[], None] = lambda: None
    weight: float = 1.0
    """Its share of the time: whole nodes take longer for an input."""
    alike: bool = False
    """Whether what is changed is never understood (a signature), or always."""


class Figure(NamedTuple):
    """
    What became of a target: inputs, how many were understood, the slowest in ms of a processor, MiB left over.
    """

    name: str
    inputs: int
    understood: int
    slowest: float
    left: float

    def __str__(self) -> str:
        return (f"{self.name:<34} {self.inputs:>10,} inputs, {self.understood:>9,} understood, slowest "
                f"{self.slowest:7.1f} ms, {self.left:+6.1f} MiB left")


def resident() -> int:
    """
    Get the bytes of memory that this process has now.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """
    Let whatever runs inside have MEMORY more at most, and end it by `Hang` when it takes longer than was allowed.
    """
    def late(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, late)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        most = now + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most if limit[0] < 0 else min(limit[0], most), limit[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, limit)


def run(target: Target, seconds: float, seed: int) -> Figure:
    """
    Give a target inputs for so many seconds, one at least.

    :raises AssertionError: with target, seed and input, when one is not borne.
    """
    random = Random(f"{target.name} {seed}")
    samples = list(target.samples)
    inputs = understood = 0
    slowest, first = 0.0, 0
    end = time.monotonic() + seconds
    with bounded():
        while inputs < 32 or time.monotonic() < end:
            if target.refill is not None and not inputs % 2000:
                samples = [*target.samples, *target.refill()]
            data = changed(random, random.choice(samples), samples, target.tokens)
            if not inputs % TIMED:
                signal.setitimer(signal.ITIMER_PROF, PATIENCE)
            begun = time.thread_time()
            try:
                understood += bool(target.take(data))
            except target.refusals as refusal:
                assert "\n" not in str(refusal), f"{target.name}: {refusal!r} of {data.hex()}"
            except (Exception, Hang) as error:
                message = f"{target.name}, seed {seed}, input {inputs}: {error!r} of {data[:3000].hex()}"
                raise AssertionError(message) from error
            slowest = max(slowest, time.thread_time() - begun)
            inputs += 1
            if inputs == 1000 and seconds > LONG:
                gc.collect()
                first = resident()
    target.close()
    if first:
        gc.collect()
    left = resident() - first if first else 0
    assert left < GROWTH, f"{target.name}, seed {seed}: {left >> 20} MiB are left over of {inputs} inputs"
    return Figure(target.name, inputs, understood, 1000 * slowest, left / (1 << 20))
