"""
How many packets a receiver needs beyond k: simulated with the real encoder, recoder and decoder.

    python -m bench.overhead [--generations 10000] [--k 64] [--only NAME]... [--seed 1] [--json]

An extra packet is one that arrived and told nothing new. Figures are the mean over the generations, in percent of k.

direct      source to receiver, some loss
relays      source, one or two relays, receiver; each link loses packets. In a step each sends one packet, recoded from
            what it had when the step began, unless the next already has as high a rank ("gated")
receivers   source to N receivers by multicast, each loses packets of its own; the source goes on until all are complete
densities   fewer coefficients that are not zero, or only a band of them: after a systematic pass with loss, and without
sizes       what the source must send until the last of N receivers is complete, over k / (1 - loss), by generation size
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass, replace
from random import Random

from tribler_multicast.coding import DENSE, MAX_NUMBER, Code, Decoder, Encoder, Recoder

from .common import Report, main, say

DIRECT_BAR, RELAYS_BAR = 0.02, 0.3
"""Percent of k asked for: direct, and through two relays."""

PARTS = ("direct", "relays", "receivers", "densities", "sizes")

SIZES, CROWDS, LOSS = (16, 32, 64, 128, 255), (1, 4, 16, 64), 0.1
"""Generation sizes and numbers of receivers for the last part, and the loss of each."""


@dataclass(frozen=True)
class Setting:
    """
    What is simulated.
    """

    k: int = 64
    density: int = DENSE
    band: int = 0
    systematic: bool = False
    loss: float = 0.0
    relays: int = 0
    receivers: int = 1

    @property
    def code(self) -> Code:
        """
        The code; symbols are as small as can be, because nothing here depends on them.
        """
        return Code(self.k, 1, self.density, self.band)

    @property
    def start(self) -> str:
        """
        How the source begins.
        """
        return "systematic first" if self.systematic else "all coded"

    def encoder(self, random: Random) -> Encoder:
        """
        Make the source of a generation of its own.
        """
        return Encoder(self.code, random.randbytes(self.k), systematic=self.systematic,
                       seed=random.randrange(self.k, MAX_NUMBER))


def multicast(setting: Setting, random: Random) -> tuple[list[Decoder], int]:
    """
    Send to some receivers until the last is complete. Return them, and how many packets were sent.
    """
    encoder = setting.encoder(random)
    receivers = [Decoder(setting.code) for _ in range(setting.receivers)]
    open_ones, sent = receivers, 0
    while open_ones:
        number, payload = encoder.encode()
        sent += 1
        for receiver in open_ones:
            if random.random() >= setting.loss:
                receiver.add(number, payload)
        open_ones = [receiver for receiver in open_ones if not receiver.complete]
    return receivers, sent


def direct(setting: Setting, random: Random) -> list[int]:
    """
    Send without relays. Return the extra packets of each receiver, until it was complete.
    """
    return [receiver.received - setting.k for receiver in multicast(setting, random)[0]]


def relayed(setting: Setting, random: Random) -> list[int]:
    """
    Send through relays. Return the extra packets of the receiver.
    """
    encoder = setting.encoder(random)
    nodes = [Decoder(setting.code) for _ in range(setting.relays + 1)]
    recoders = [Recoder(node, seed=random.getrandbits(64)) for node in nodes[:-1]]
    while not nodes[-1].complete:
        packets: list[tuple[Decoder, tuple[int, bytes] | tuple[bytes, bytes]]] = []
        if not nodes[0].complete:
            packets.append((nodes[0], encoder.encode()))
        packets += [(after, recoder.recode()) for node, recoder, after in zip(nodes, recoders, nodes[1:], strict=False)
                    if node.rank > after.rank]
        for node, (identity, payload) in packets:
            if random.random() >= setting.loss:
                node.add(identity, payload)
    return [nodes[-1].received - setting.k]


def extra(setting: Setting, generations: int, random: Random) -> tuple[float, float, int]:
    """
    Return the mean of the extra packets in percent of k, the share of generations with any, and the most of one.
    """
    run = relayed if setting.relays else direct
    found = [count for _ in range(generations) for count in run(setting, random)]
    return (100 * statistics.fmean(found) / setting.k, sum(map(bool, found)) / len(found), max(found))


def settings(part: str, k: int) -> list[tuple[str, Setting, float | None, int]]:
    """
    Return what is simulated for a part: its name, the setting, what was asked for, and which share of the generations
    (1 of so many) is enough.
    """
    plain = Setting(k)
    both = (plain, replace(plain, systematic=True))
    if part == "direct":
        return [(f"direct, {each.start}, {loss:.0%} loss", replace(each, loss=loss), DIRECT_BAR, 1)
                for each in both for loss in (0.0, 0.05, 0.2)]
    if part == "relays":
        return [(f"{relays} relay{'s' * (relays > 1)}, {each.start}, {loss:.0%} loss",
                 replace(each, loss=loss, relays=relays), RELAYS_BAR, 2)
                for relays in (1, 2) for each in both for loss in (0.0, 0.05, 0.2)]
    if part == "receivers":
        return [(f"{count} receivers, {each.start}, 10% loss", replace(each, loss=0.1, receivers=count), DIRECT_BAR,
                 count) for count in (4, 16, 64) for each in both]
    made = []
    for each in both:
        shapes = [(f"about {round(k * share / DENSE)} of {k} coefficients", {"density": share})
                  for share in (192, 128, 64, 32, 16)]
        shapes += [(f"a band of {width}", {"band": width}) for width in (k // 2, k // 4, k // 8)]
        made += [(f"{what}, {each.start}, 10% loss", replace(each, loss=0.1, **parameters), None, 10)
                 for what, parameters in shapes]
    return made


def sizes(report: Report, options: argparse.Namespace) -> None:
    """
    Add the rows on generation sizes.
    """
    for receivers in CROWDS:
        for k in SIZES:
            setting = Setting(k, systematic=True, loss=LOSS, receivers=receivers)
            random = Random(options.seed)
            generations = max(10, options.generations // (receivers * 4))
            sent = statistics.fmean(multicast(setting, random)[1] for _ in range(generations))
            report.row(f"k={k} {receivers} receivers, {LOSS:.0%} loss: sent", sent * (1 - LOSS) / k, "x k / (1 - loss)")


def bench(options: argparse.Namespace) -> Report:
    """
    Simulate it all.
    """
    report = Report("overhead")
    for part in options.only or PARTS:
        say(f"overhead: {part}")
        if part == "sizes":
            sizes(report, options)
            continue
        for name, setting, bar, share in settings(part, options.k):
            generations = max(10, options.generations // share)
            mean, touched, most = extra(setting, generations, Random(options.seed))
            report.row(f"k={setting.k} {name}", mean, "% of k", limit=bar)
            report.details[name] = {"generations": generations, "mean_percent": mean, "share_with_any": touched,
                                    "most": most, "mean_packets": mean * setting.k / 100}
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.overhead", description="Counts packets that told nothing new.")
    made.add_argument("--generations", type=int, default=10_000, help="generations for each figure (default 10,000)")
    made.add_argument("--k", type=int, default=64, help="symbols in a generation (default 64)")
    made.add_argument("--only", action="append", choices=PARTS, help="only this part; may be repeated")
    made.add_argument("--seed", type=int, default=1, help="of what is drawn (default 1)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
