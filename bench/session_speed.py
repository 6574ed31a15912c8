"""
What one packet of a coded transfer costs: microseconds of the processor at the sender and at a receiver, without
sockets and disks.

    python -m bench.session_speed [--size 64] [--loss 0.02] [--rounds 3] [--json]

One process, one pinned core. A receiver's figure has everything in it that is done in Python or below: MAC, window,
decoding, and SHA-256 of the segments; a sender's has all but reading and hashing the content. Beside it the same
without native code, and the parts: hashlib's BLAKE2b and SHA-256, libsodium's ChaCha20 (with Poly1305: it offers no
other), in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from hashlib import blake2b, sha256
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.transfer.session_lan import KEY, MBIT, MEBIBYTE, REAL_SYMBOL, TAG, Content
from tribler_multicast.protocol.pair_seal import library
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session.events import AllStored, SegmentReady
from tribler_multicast.transfer.session.kernels import BEST, FALLBACK, NATIVE
from tribler_multicast.transfer.session.packets import MAC_SIZE, NUMBERED, OVERHEAD, PLACE, microseconds
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.sender import Sender

from .coding_paths import all_paths, calculating
from .common import BenchError, Report, interleaved, main, on_core, say

if TYPE_CHECKING:
    from tribler_multicast.transfer.session.kernels import Way

BATCH = 32
"""Datagrams made at once, as the scheduler does at this rate, and received at once, as Linux glues them."""
RATE = 1000 * MBIT
NAME, UNICAST_KEY = b"receiver", bytes(32)
LIMIT = 2.0
"""Microseconds per packet that were asked for: of 2 cores, 5 processes and 79,000 packets a second half is left to the
kernel."""


class Cost(NamedTuple):
    """
    Microseconds per packet.
    """

    sender: float
    receiver: float


class Run:
    """
    One content from a sender to a receiver, in one process; each side's time is taken.
    """

    def __init__(self, content: Content, way: Way, loss: float, *, sealed: bool = False) -> None:
        """
        Prepare it.
        """
        self.content, self.loss, self.random = content, loss, Random(1)
        self.now = self.sending = self.receiving = 0.0
        self.sent = self.received = 0
        self.sender = Sender(content.geometry, content.tree, TAG, KEY, RateControl(0.0), way=way, sealed=sealed)
        self.tree = HashTree(content.cut.segments, content.tree.root)
        self.receiver = Receiver(content.geometry, self.tree, self.tree.add, tag=TAG, keys=(KEY, UNICAST_KEY),
                                 random=Random(1), now=0.0, way=way, sealed=sealed)
        self.sender.join(NAME, UNICAST_KEY, 0.0)
        self.buffer = bytearray(1 << 16)
        self.is_done = False

    def go(self) -> Cost:
        """
        Let it happen.

        :raises BenchError: when it comes to nothing.
        """
        while not self.is_done:
            if self.now > 600:
                raise BenchError("session_speed: the content does not arrive")
            for wanted in self.sender.wanted():
                self.sender.give(wanted, self.content.segments[wanted])
            begin = time.process_time()
            batch = self.sender.make(self.now, BATCH)
            self.sending += time.process_time() - begin
            if batch is None:
                self.now += 0.001
                length, size = 0, 1
            else:
                self.now += len(batch.datagrams) / RATE
                length, size = self.lose(batch.datagrams, batch.size), batch.size
            begin = time.process_time()
            self.arrive(length, size)
            self.receiving += time.process_time() - begin
            begin = time.process_time()
            for report in self.receiver.take_reports():
                self.sender.report_received(NAME, report, self.now)
            self.sending += time.process_time() - begin
        return Cost(self.sending / self.sent * 1e6, self.receiving / self.received * 1e6)

    def lose(self, datagrams: bytearray, size: int) -> int:
        """
        Put what is not lost into the receive buffer, where the kernel would; get how much that is.
        """
        end = 0
        for at in range(0, len(datagrams), size):
            self.sent += 1
            if self.random.random() >= self.loss:
                self.buffer[end:end + size] = datagrams[at:at + size]
                self.received += 1
                end += size
        return end

    def arrive(self, length: int, size: int) -> None:
        """
        Do what a receiver does.
        """
        if length:
            self.receiver.batch_received(memoryview(self.buffer)[:length], size, length // size, self.now)
        self.receiver.run_timers(self.now)
        for event in self.receiver.take_events():
            if isinstance(event, SegmentReady):
                self.receiver.stored(event.segment, bool(self.tree.check(event.segment, event.data)))
            elif isinstance(event, AllStored):
                self.is_done = True
        self.is_done = self.is_done or any(isinstance(event, AllStored) for event in self.receiver.take_events())


def cost(content: Content, way: Way, loss: float, rounds: int, *, sealed: bool = False) -> Cost:
    """
    Get the medians of some runs.
    """
    found = [Run(content, way, loss, sealed=sealed).go() for _ in range(rounds)]
    return Cost(*(statistics.median(each) for each in zip(*found, strict=True)))


def parts(report: Report, rounds: int) -> None:
    """
    Measure what there is no way around: MACs, and SHA-256.
    """
    size, key = OVERHEAD + REAL_SYMBOL, bytes(32)
    datagrams = bytearray(Random(2).randbytes(BATCH * size))
    view, empty = memoryview(datagrams), blake2b(key=key, digest_size=MAC_SIZE)

    def standard() -> None:
        for at in range(0, len(datagrams), size):
            digest = empty.copy()
            digest.update(view[at:at + size - MAC_SIZE])
            digest.digest()

    def ours(cipher: bytes | None = None) -> None:
        BEST.datagrams.seal(datagrams, size, NUMBERED, TAG, 1, microseconds(1.0), 5, prepared, cipher)

    segment = Random(3).randbytes(MEBIBYTE)
    body, nonce, chacha20 = bytes(REAL_SYMBOL + PLACE.size), bytes(12), library().chacha20
    calls = {("standard", ""): standard, ("sha", ""): lambda: sha256(segment).digest(),
             ("sodium", ""): lambda: [chacha20(body, nonce, key) for _ in range(BATCH)]}
    names = [path for path in all_paths() if path != "fallback"]
    prepared = BEST.datagrams.mac_key(key)
    timed = interleaved(calls, rounds * 10)
    theirs, sodium, sha = (timed[name, ""] / count * 1e6 for name, count in (
        ("standard", BATCH), ("sodium", BATCH), ("sha", MEBIBYTE / REAL_SYMBOL)))
    for path in names:
        with calculating(path):
            timed = interleaved({"in clear": ours, "sealed": lambda: ours(key)}, rounds * 10)
        report.row(f"MAC and head, {path}", timed["in clear"] / BATCH * 1e6, "us", other="hashlib.blake2b",
                   theirs=theirs)
        report.row(f"ChaCha20, {path}", (timed["sealed"] - timed["in clear"]) / BATCH * 1e6, "us", other="libsodium",
                   theirs=sodium)
    report.row("SHA-256 of the segments, hashlib", sha, "us")


def bench(options: argparse.Namespace) -> Report:
    """
    Measure it.
    """
    report = Report("session_speed")
    content = Content(options.size * MEBIBYTE, REAL_SYMBOL)
    small = Content(min(options.size, 8) * MEBIBYTE, REAL_SYMBOL)
    with on_core(0):
        for loss, sealed in ((0.0, False), (options.loss, False), (0.0, True)):
            name = f"{loss:.0%} lost" + ", sealed" * sealed
            say(f"session_speed: {name}")
            slow = cost(small, FALLBACK, loss, 1, sealed=sealed)
            fast = slow if NATIVE is None else cost(content, NATIVE, loss, options.rounds, sealed=sealed)
            limit = LIMIT if loss == 0 and not sealed and NATIVE is not None else None
            for side in Cost._fields:
                report.row(f"{side}, {name}", getattr(fast, side), "us", limit=limit, other="without native code",
                           theirs=getattr(slow, side))
            report.details[name] = {"native": fast._asdict(), "fallback": slow._asdict()}
        parts(report, options.rounds)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.session_speed", description="Processor time of a coded transfer.")
    made.add_argument("--size", type=int, default=64, metavar="MIB", help="of the content (default 64)")
    made.add_argument("--loss", type=float, default=0.02, help="share that is lost in the second run (default 0.02)")
    made.add_argument("--rounds", type=int, default=3, help="runs, of which the median counts (default 3)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
