"""
What one core does: signatures, checks, guards, and drops at the gate; beside IPv8's own sign and verify.

    python -m bench.crypto [--seconds 1] [--json]

Pure protocol objects: no socket, no network, no waiting.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.core import MulticastProtocol
from tribler_multicast.protocol.handshake import Challenge
from tribler_multicast.protocol.identity import Identity, pair_guard
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.wire import (
    IPV4,
    MAX_SIGNED,
    NO_GUARD,
    PREFIX,
    SEALED,
    Address,
    Kind,
    Writer,
    channel_of,
    is_signed,
    without_guard,
)

from .common import Report, main, on_core, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINK = (2, IPV4)
HERE = ("10.0.0.9", 32110)
ATTEMPTS = 3
"""The best of so many counts: what disturbs only ever makes it slower."""

FLOOD_RATE = 20_000.0
"""Datagrams per second on the clock that the protocol sees."""


@dataclass(frozen=True)
class Seen:
    """
    How a datagram came in.
    """

    multicast: bool
    source: tuple[str, int]
    hop_limit: int
    link: tuple[int, int] = LINK


def rates(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """
    Return how often per second each of these can be called: the best of some attempts, so many seconds for each call.

    They take turns, so that what else the machine does meanwhile disturbs all alike.
    """
    best = dict.fromkeys(calls, 0.0)
    for _ in range(ATTEMPTS):
        for name, call in calls.items():
            count, size, begin = 0, 64, time.perf_counter()
            while (elapsed := time.perf_counter() - begin) < seconds / ATTEMPTS:
                for _ in itertools.repeat(None, size):
                    call()
                count += size
            best[name] = max(best[name], count / elapsed)
    return best


def drops(made: Sequence[tuple[bytes, Seen]], seconds: float,
          seal: Seal | None = None) -> tuple[float, dict[str, int]]:
    """
    Return how many of these datagrams a node takes in per second, over and over, and the reasons it dropped them for.

    It has been under the same flood for a second already: its budgets are used up.
    """
    core = MulticastProtocol(Identity(default_eccrypto.generate_key("curve25519")), 1)
    core.set_links([Link(*LINK, "10.0.0.1", 32110, ("10.0.0.1/16",))], 0.0)
    core.set_seal(seal, 0.0)
    core.start(0.0)
    ticks, datagrams = itertools.count(), itertools.cycle(made)

    def one() -> None:
        data, seen = next(datagrams)
        core.datagram_received(data, seen, next(ticks) / FLOOD_RATE)
        if core.outbox.waiting:
            core.take_outgoing()

    for _ in range(int(FLOOD_RATE)):
        one()
    return rates({"": one}, seconds)[""], dict(core.counters.dropped)


def floods(random: Random) -> dict[str, list[tuple[bytes, Seen]]]:
    """
    Make the datagrams of some floods: enough different ones that none is remembered for long.
    """
    writer = Writer(Identity(default_eccrypto.generate_key("curve25519")), 1)
    mine = Address(IPV4, "10.0.0.9", 32110).pack() + Introduction(5.0).pack()
    known = writer.datagram(Kind.INTRODUCTION, channel_of(IPV4, True), mine)
    asked = Challenge(bytes(64), bytes(16), Address(IPV4, "10.0.0.9", 32110), Address(IPV4, "10.0.0.1", 32110)).pack()
    challenge = writer.datagram(Kind.CHALLENGE, channel_of(IPV4, False), asked, NO_GUARD)

    def sources(multicast: bool) -> Seen:
        return Seen(multicast, (f"10.0.{random.randint(1, 200)}.{random.randint(1, 254)}", random.randint(1024, 65535)),
                    1 if multicast else 255)

    def forged(data: bytes, multicast: bool, count: int) -> list[tuple[bytes, Seen]]:
        return [(data[:41] + random.randbytes(64) + data[105:-64] + random.randbytes(64), sources(multicast))
                for _ in range(count)]

    def garbage(size: int) -> list[tuple[bytes, Seen]]:
        return [(SEALED + random.randbytes(size - len(SEALED)), sources(True)) for _ in range(20_000)]

    stamped = [(writer.datagram(Kind.INTRODUCTION, channel_of(IPV4, True), mine)[:-64]
                + random.randbytes(64), sources(True)) for _ in range(4000)]
    return {"random bytes": [(random.randbytes(random.randint(1, 1400)), sources(True)) for _ in range(4000)],
            "introductions, stamped, bad signatures, 4,000 looped": stamped,
            "introductions, bad signatures, 100,000": forged(known, True, 100_000),
            "challenges, bad signatures": forged(challenge, False, 20_000),
            "sealed garbage of 330 bytes, in a group": garbage(330),
            "sealed garbage of 1,400 bytes, in a group": garbage(1400)}


def bench(options: argparse.Namespace) -> Report:
    """
    Measure on one core.
    """
    report = Report("crypto")
    key = default_eccrypto.generate_key("curve25519")
    other = Identity(default_eccrypto.generate_key("curve25519"))
    writer = Writer(Identity(key), 1)
    payload = Address(IPV4, "10.0.0.9", 32110).pack() + Introduction(5.0, nickname="node").pack()
    data = writer.datagram(Kind.INTRODUCTION, channel_of(IPV4, True), payload)
    public, signature = key.pub(), key.signature(data)
    pair_key = writer.identity.pair_key(other.key) or bytes(32)
    assert public.verify(signature, data)
    assert is_signed(data)
    seal, largest, ports = Seal(bytes(32)), PREFIX + bytes(MAX_SIGNED - len(PREFIX)), itertools.count(1)
    sealed, garbage = seal.seal(HERE, channel_of(IPV4, True), largest), SEALED + bytes(MAX_SIGNED)
    with on_core(0):
        found = rates({
            "IPv8 sign": lambda: key.signature(data),
            "datagrams made and signed": lambda: writer.datagram(Kind.INTRODUCTION, channel_of(IPV4, True), payload),
            "IPv8 verify": lambda: public.verify(signature, data),
            "datagrams checked, key read from them": lambda: is_signed(data),
            "secrets agreed on": lambda: writer.identity.pair_key(other.key),
            "pair guards": lambda: pair_guard(pair_key, without_guard(data)),
            "largest datagrams sealed": lambda: seal.seal(HERE, channel_of(IPV4, True), largest),
            "largest datagrams opened": lambda: seal.open(HERE, channel_of(IPV4, True), sealed),
            "sealed garbage, from ever new addresses": lambda: seal.open((HERE[0], next(ports) & 0xFFFF),
                                                                         channel_of(IPV4, True), garbage),
        }, options.seconds)
        raw_check = {"other": "IPv8 verify", "theirs": found["IPv8 verify"], "more_is_better": True}
        report.row("datagrams made and signed", found["datagrams made and signed"], "/s", other="IPv8 sign",
                   theirs=found["IPv8 sign"], more_is_better=True)
        for name in list(found)[3:]:
            report.row(name, found[name], "/s", **raw_check)
        for name, made in floods(Random(1)).items():
            say(f"crypto: {name}")
            figure, reasons = drops(made, options.seconds, seal if "group" in name else None)
            report.row(f"taken in under a flood: {name}", figure, "/s", **raw_check)
            report.details[name] = reasons
    report.details["rates"] = found
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.crypto", description="What one core signs, checks and drops.")
    made.add_argument("--seconds", type=float, default=1.0, help="seconds for each figure (default 1)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
