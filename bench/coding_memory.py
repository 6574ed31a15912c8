"""
What a decoder takes, as the system counts it: resident memory, C's included, each measured in a process of its own.

    python -m bench.coding_memory collected|decoded|peak K SYMBOL_SIZE

prints one number: bytes over the bytes of the generation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

from tribler_multicast.coding import NUMBER_SIZE, Code, Decoder, Encoder

from .common import HERE, BenchError, Report

COMPLETE_BAR, PEAK_BAR = 1.3, 2.2
"""What was asked for: once complete, and at any time."""

AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""For the C library: what is freed goes back to the system, so that it is not taken for what was there before."""

HELD = 8_000_000
"""Bytes of generations that are held at once."""

LARGE = 32_768
"""Bytes of a symbol for the peak: one decoder so large that what else the process does is little beside it."""


def measured(name: str) -> int:
    """
    Return a line of /proc/self/status in bytes.
    """
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def packets(code: Code, seed: int) -> bytearray:
    """
    Return some more coded packets than a generation needs.
    """
    made = bytearray((code.k + 4) * (NUMBER_SIZE + code.symbol_size))
    source = Random(seed).randbytes(code.generation_size)
    Encoder(code, source, systematic=False).encode_into(made, code.k + 4)
    return made


def held(code: Code, decoded: bool) -> float:
    """
    Hold many decoders that have all they need, and have decoded it or not.
    """
    received = packets(code, 1)
    count = max(1, HELD // code.generation_size)
    made: list[Decoder] = []
    before = 0
    for number in range(count + 1):
        decoder = Decoder(code)
        decoder.add_batch(received, code.k + 4)
        if decoded:
            decoder.decode()
        made.append(decoder)
        if number == 0:  # what is only needed once
            before = measured("VmRSS")
    return (measured("VmRSS") - before) / count / code.generation_size


def peak(code: Code) -> float:
    """
    Take one large generation from its first packet to its last symbol.
    """
    received = packets(code, 1)
    small = Decoder(Code(code.k, 1))
    small.add_batch(packets(small.code, 1), code.k)
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
    before = measured("VmRSS")
    decoder = Decoder(code)
    decoder.add_batch(received, code.k + 4)
    decoder.decode()
    return (measured("VmHWM") - before) / code.generation_size


def memory(report: Report) -> None:
    """
    Add the rows on memory.

    :raises BenchError: when a process fails.
    """
    for what, k, size, bar in (("collected", 64, 1344, PEAK_BAR), ("decoded", 64, 1344, COMPLETE_BAR),
                               ("decoded", 128, 1280, COMPLETE_BAR), ("peak", 64, LARGE, PEAK_BAR)):
        done = subprocess.run([sys.executable, "-m", "bench.coding_memory", what, str(k), str(size)], cwd=HERE.parent,
                              env={**os.environ, **AT_ONCE}, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise BenchError(f"memory: {done.stderr.strip().splitlines()[-1]}")
        report.row(f"memory of a decoder, {what}, k={k}, {size} bytes", float(done.stdout), "x generation", limit=bar)


if __name__ == "__main__":
    asked = Code(int(sys.argv[2]), int(sys.argv[3]))
    print(peak(asked) if sys.argv[1] == "peak" else held(asked, sys.argv[1] == "decoded"))
