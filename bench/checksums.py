"""
Secure random checksums: how long checking a packet takes, and whether every changed byte is found.

    python -m bench.checksums [--rounds 50] [--trials 1000000] [--k 64] [--packets 64] [--json]

One process, one pinned core, the instruction-set paths in turn; times are medians of the rounds.
"""

from __future__ import annotations

import argparse
import sys
from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.coding import field
from tribler_multicast.coding.checksums import Functionals, Rows, Verifier, generate_key

from .coding_paths import all_paths, calculating
from .common import BenchError, Report, interleaved, main, on_core, say

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = 44
"""Bytes in front of the coefficients, as in a packet."""

LIMITS = {("gfni512", "each of a batch"): 100.0, ("gfni256", "each of a batch"): 100.0,
          ("avx2", "a batch at once"): 400.0}
"""Nanoseconds per packet that were asked for."""

AT_ONCE = 250
"""Packets with a changed byte each that are looked for in one call."""

BATCH = 16
"""Packets of a batch in which one has a changed byte."""


class Packets:
    """
    A generation with its checksums, and packets as they are received: header, coefficients, payload. Half of them are
    coded, half were recoded from coded ones.
    """

    def __init__(self, k: int, count: int, random: Random) -> None:
        """
        Make them.
        """
        self.k, self.size, self.count = k, min(1344, 1408 - k), count
        self.stride = HEADER + k + self.size
        self.functionals = Functionals(generate_key(), self.size)
        self.symbols = random.randbytes(k * self.size)
        self.verifier = Verifier(self.functionals, self.functionals.checksums(self.symbols))
        self.coefficients, self.payloads = bytearray(random.randbytes(count * k)), bytearray(count * self.size)
        field.product(self.payloads, self.coefficients, count, k, self.symbols, self.size)
        half = count // 2
        mixing = random.randbytes((count - half) * half)
        for rows, size in ((self.coefficients, k), (self.payloads, self.size)):
            view = memoryview(rows)
            field.product(view[half * size:], mixing, count - half, half, view[:half * size], size)
        self.received = bytearray(random.randbytes(count * self.stride))
        for number in range(count):
            at = number * self.stride + HEADER
            self.received[at:at + k] = self.coefficients[number * k:(number + 1) * k]
            self.received[at + k:at + k + self.size] = self.payloads[number * self.size:(number + 1) * self.size]

    def places(self) -> tuple[Rows, Rows]:
        """
        Return where the coefficients and the payloads lie in what was received.
        """
        return (Rows(self.received, self.count, self.k, self.stride, HEADER),
                Rows(self.received, self.count, self.size, self.stride, HEADER + self.k))

    def change(self, number: int, random: Random) -> tuple[int, int]:
        """
        Change one byte of the coefficients or of the payload of a packet; return where, and what undoes it.
        """
        at = number * self.stride + HEADER + random.randrange(self.k + self.size)
        by = random.randrange(1, 256)
        self.received[at] ^= by
        return at, by


def speeds(report: Report, options: argparse.Namespace) -> None:
    """
    Measure what each path takes.
    """
    packets = Packets(options.k, options.packets, Random(1))
    places, verifier, n = packets.places(), packets.verifier, packets.count
    one = packets.coefficients[:packets.k], packets.payloads[:packets.size]
    spoilt = []
    for bad in ([n // 3], range(n)):
        other = Packets(options.k, n, Random(1))
        for number in bad:
            other.change(number, Random(number))
        spoilt.append((other.verifier, other.places()))
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "each of a batch": (lambda: verifier.verify_each(*places), n),
        "a batch at once": (lambda: verifier.verify_batch(*places), n),
        "name the bad ones, none is": (lambda: verifier.bad_packets(*places), n),
        "name the bad ones, one is": (lambda: spoilt[0][0].bad_packets(*spoilt[0][1]), n),
        "name the bad ones, all are": (lambda: spoilt[1][0].bad_packets(*spoilt[1][1]), n),
        "one in a call": (lambda: verifier.verify(*one), 1),
        "made by the source, per symbol": (lambda: packets.functionals.checksums(packets.symbols), packets.k),
    }
    timed = interleaved({(path, what): call for path in all_paths() for what, (call, _) in calls.items()},
                        options.rounds, inside=lambda name: calculating(name[0]))
    for (path, what), seconds in timed.items():
        report.row(f"{path}: {what}", seconds / calls[what][1] * 1e9, "ns", limit=LIMITS.get((path, what)))
    report.details["bytes"] = {"symbol": packets.size, "checksums": packets.k * 8}


def trials(report: Report, options: argparse.Namespace, random: Random) -> None:
    """
    Change one byte again and again, alone and in batches, and check good packets as often.

    :raises BenchError: when a bad packet passes, or a good one does not.
    """
    many, few = Packets(options.k, AT_ONCE, random), Packets(options.k, BATCH, random)
    named = batches = good = 0
    while good < options.trials:
        good += AT_ONCE
        if bad := many.verifier.bad_packets(*many.places()):
            raise BenchError(f"good packets were called bad: {bad}")
        changes = [many.change(number, random) for number in range(AT_ONCE)]
        named += len(many.verifier.bad_packets(*many.places()))
        for at, by in changes:
            many.received[at] ^= by
    while batches < options.trials:
        at, by = few.change(random.randrange(BATCH), random)
        if few.verifier.verify_batch(*few.places()):
            raise BenchError(f"a batch with a changed byte passed after {batches}")
        few.received[at] ^= by
        batches += 1
    report.row("good packets called bad", 0, f"of {good:,}")
    report.row("packets with a changed byte that passed", good - named, f"of {good:,}", limit=1)
    report.row(f"batches of {BATCH} with one that passed", 0, f"of {batches:,}", limit=1)


def bench(options: argparse.Namespace) -> Report:
    """
    Measure it all.
    """
    report = Report("checksums")
    with on_core(0):
        say("checksums: times")
        speeds(report, options)
        with calculating(options.trials_path or field.path()):
            say(f"checksums: {options.trials:,} changed bytes, with {field.path()}")
            trials(report, options, Random(options.seed))
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.checksums", description="Checks packets and counts what passes.")
    made.add_argument("--rounds", type=int, default=50, help="rounds for the times (default 50)")
    made.add_argument("--trials", type=int, default=1_000_000, help="changed bytes to look for (default 1,000,000)")
    made.add_argument("--trials-path", metavar="PATH", help="look for them with these instructions (default the best)")
    made.add_argument("--k", type=int, default=64, help="symbols in a generation (default 64)")
    made.add_argument("--packets", type=int, default=64, help="packets in a batch (default 64)")
    made.add_argument("--seed", type=int, default=1, help="of what is changed (default 1)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
