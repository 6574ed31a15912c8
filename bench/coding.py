"""
Network coding beside what else there is: encode, recode, decode, the matrix product, and what Python costs.

    python -m bench.coding [--k 64]... [--rounds 30] [--path NAME]... [--json]

One process, one pinned core; all take turns in each round, and figures are medians of the rounds. Beside it: raptorq
and zfec (PyPI) for encoding and decoding, Intel's ISA-L for the matrix product. A call does the whole of its task: it
begins with the bytes of a generation, or with packets as they were received, and ends with the packets, or with the
bytes. GB/s are of payload (k x symbol size); encoding is k coded packets. None of the others recodes, and raptorq, when
it encodes, returns the k symbols too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from tribler_multicast.coding import NUMBER_SIZE, Code, Decoder, Encoder, Recoder, fallback, field

from .coding_memory import memory
from .coding_paths import all_paths, calculating
from .coding_peers import Isal, IsalAvx2, Missing, Task, peers
from .common import BenchError, Report, interleaved, main, on_core, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .coding_peers import Call

GENERATIONS = (16, 32, 64, 128, 255)
"""The k that are measured unless some are asked for."""

BARS = {
    ("gfni512", "encode"): 4.0, ("gfni512", "recode"): 4.0, ("gfni512", "decode, all coded"): 3.0,
    ("gfni512", "decode, 20% lost"): 7.0, ("gfni512", "decode, 5% lost"): 10.0,
}
"""GB/s asked for at k = 64."""

RATIOS = {
    ("gfni512", "encode"): 12.0, ("gfni512", "decode, all coded"): 6.0, ("gfni512", "decode, 20% lost"): 15.0,
    ("avx2", "encode"): 2.5, ("avx2", "decode, all coded"): 2.0,
    ("gfni512", "product"): 3.0, ("avx2", "product"): 0.9,
}
"""How many times faster than raptorq (the product: than ISA-L with the same instructions, or its best) is asked for at
k = 64."""

OVERHEAD_BAR = 100.0
"""Nanoseconds per packet that Python may cost on the way to the decoder."""

TINY = 16
"""Bytes of a symbol when only what does not depend on them is to be measured."""


@dataclass(frozen=True)
class Ours:
    """
    This package, on one instruction-set path.
    """

    name: str

    def call(self, task: Task) -> Call:
        """
        Make the call that does the task.
        """
        code = Code(task.k, task.size)
        if task.what == "encode":
            out = bytearray(task.k * (NUMBER_SIZE + task.size))
            return lambda: Encoder(code, task.data, systematic=False).encode_into(out, task.k)
        if task.what == "recode":
            recoder = Recoder(self.decoder(code, received(task, 1.0)), seed=1)
            made = bytearray(task.k * (task.k + task.size))
            return lambda: recoder.recode_into(made, task.k)
        if task.what == "product":
            matrix, result = task.data[:task.k ** 2].ljust(task.k ** 2, b"\x35"), bytearray(len(task.data))
            return lambda: field.product(result, matrix, task.k, task.k, task.data, task.size)
        packets = received(task, task.loss)
        task.check(bytes(self.decoder(code, packets).decode()))
        return lambda: self.decoder(code, packets).decode()

    @staticmethod
    def decoder(code: Code, packets: bytes | bytearray) -> Decoder:
        """
        Take packets with numbers as they lie in a buffer.
        """
        decoder = Decoder(code)
        decoder.add_batch(packets, len(packets) // (NUMBER_SIZE + code.symbol_size))
        return decoder


def received(task: Task, loss: float) -> bytearray:
    """
    Return k packets that are enough: the symbols that were not lost, and as many coded ones as were.
    """
    code, step = Code(task.k, task.size), NUMBER_SIZE + task.size
    lost = round(task.k * loss)
    for seed in range(task.k, task.k + 100):
        packets = bytearray(task.k * step)
        Encoder(code, task.data).encode_into(memoryview(packets)[:task.k * step], task.k)
        if lost:
            Encoder(code, task.data, systematic=False, seed=seed).encode_into(memoryview(packets)[:lost * step], lost)
        packets = packets[lost * step:] + packets[:lost * step]
        if Ours.decoder(code, packets).complete:
            return packets
    raise BenchError(f"k={task.k}: no packets that can be decoded")


def tasks(k: int, random: Random) -> list[Task]:
    """
    Return what is measured of a generation size.
    """
    size = min(1344, 1408 - k)
    data = random.randbytes(k * size)
    return [Task("encode", k, size, data), Task("recode", k, size, data),
            *(Task("decode", k, size, data, loss) for loss in (1.0, 0.2, 0.05)), Task("product", k, size, data)]


def speeds(contenders: Iterable[Any], task: Task, rounds: int, turn: float) -> dict[str, float]:
    """
    Return the GB/s of each that does this task.
    """
    calls = {}
    for contender in contenders:
        try:
            with calculating(contender.name if isinstance(contender, Ours) else field.path()):
                calls[contender.name] = contender.call(task)
        except Missing:
            continue
    timed = interleaved(calls, rounds, turn,
                        lambda name: calculating(name if name in all_paths() else field.path()))
    return {name: len(task.data) / seconds / 1e9 for name, seconds in timed.items()}


def compare(report: Report, task: Task, found: dict[str, float]) -> None:
    """
    Add the rows of one task.
    """
    bars, ratios = (BARS, RATIOS) if task.k == 64 else ({}, {})
    for path in (name for name in found if name in all_paths()):
        other = "raptorq" if task.what != "product" else IsalAvx2.name if path == "avx2" else Isal.name
        theirs = found.get(other)
        report.row(f"k={task.k} {task.name}: {path}", found[path], "GB/s", more_is_better=True,
                   limit=bars.get((path, task.name)), other=other if theirs else "", theirs=theirs)
        if theirs and (path, task.name) in ratios:
            report.row(f"k={task.k} {task.name}: {path} / {other}", found[path] / theirs, "x", more_is_better=True,
                       limit=ratios[path, task.name])
    best = next((name for name in found if name in all_paths()), None)
    for path, name in ((best, "zfec"), ("avx2", Isal.name)):
        if path in found and name in found:
            report.row(f"k={task.k} {task.name}: {path}", found[path], "GB/s", more_is_better=True, other=name,
                       theirs=found[name])


def overhead(report: Report, rounds: int) -> None:
    """
    Measure what does not depend on the symbols' size: symbols of TINY bytes, 64 in a call.
    """
    task = Task("decode", 64, TINY, Random(1).randbytes(64 * TINY), 0.0)
    code, systematic, coded = Code(64, TINY), received(task, 0.0), received(task, 1.0)
    apart = {number: bytes(systematic[number * (NUMBER_SIZE + TINY) + NUMBER_SIZE:][:TINY]) for number in range(64)}

    def one_by_one() -> None:
        decoder = Decoder(code)
        for number, payload in apart.items():
            decoder.add(number, payload)
        decoder.decode()

    timed = interleaved({"systematic": lambda: Ours.decoder(code, systematic).decode(), "one by one": one_by_one,
                         "coded": lambda: Ours.decoder(code, coded).decode()}, rounds)
    per_packet = {name: seconds / 64 * 1e9 for name, seconds in timed.items()}
    report.row("Python, 64 packets in a call, from buffer to symbols", per_packet["systematic"], "ns/packet",
               limit=OVERHEAD_BAR)
    report.row("Python, each packet in a call of its own", per_packet["one by one"], "ns/packet")
    report.row("elimination of 64 vectors, in one call", per_packet["coded"], "ns/packet")


def bench(options: argparse.Namespace) -> Report:
    """
    Measure it all.
    """
    report = Report("coding")
    others, missing = peers()
    for line in missing:
        say(f"coding: {line}")
    paths = [path for path in all_paths() if not options.path or path in options.path]
    slow = [Ours(path) for path in paths if path in fallback.paths()]
    quick = [Ours(path) for path in paths if path not in fallback.paths()]
    with on_core(options.core):
        for k in options.k or GENERATIONS:
            say(f"coding: k={k}")
            for task in tasks(k, Random(k)):
                found = speeds([*quick, *others], task, options.rounds, options.turn)
                if k <= options.slow_k:
                    found |= speeds(slow, task, min(3, options.rounds), 0.0)
                compare(report, task, found)
                report.details[f"k={k} {task.name}"] = found
        overhead(report, options.rounds)
    memory(report)
    report.details |= {"missing": missing, "others": {each.name: each.version for each in others}}
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.coding", description="Measures the network coding beside other codes.")
    made.add_argument("--k", type=int, action="append", help="symbols in a generation; may be repeated")
    made.add_argument("--rounds", type=int, default=30, help="rounds for each figure (default 30)")
    made.add_argument("--turn", type=float, default=0.002, help="seconds for a turn in a round (default 0.002)")
    made.add_argument("--path", action="append", metavar="NAME", help="only these instructions; may be repeated")
    made.add_argument("--core", type=int, default=0, help="the core to run on (default 0)")
    made.add_argument("--slow-k", type=int, default=64, help="the largest generation for the fallback (default 64)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
