"""
kill -9 at any moment: the same call goes on, and what is there in the end is what was offered.
"""

from __future__ import annotations

import os
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.standalone.oneshots import film
from tribler_multicast.transfer.content.source import Source

from .test_coded import shot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standalone.oneshots import OneShot

    from .testbed import Lan, Machine

SIZE = 6 << 20
MBIT = 40.0
"""Bytes of the file and rate of the links: it takes a second and some."""
PATIENCE = 60.0


def received(machine: Machine) -> int:
    """
    Bytes that came in by eth0 so far.
    """
    return int(machine.run(["cat", "/sys/class/net/eth0/statistics/rx_bytes"]))


class Pair:
    """
    One sends, one receives; whoever is over, by itself or not, is started again with the same words.
    """

    def __init__(self, lan: Lan, folder: Path) -> None:
        self.folder = folder
        self.machines = lan.machines(2)
        for each in self.machines:
            each.shape(MBIT)
        path = film(folder / "in", SIZE)
        self.result = folder / "out"
        self.data = path.read_bytes()
        content_id = Source.publish(path).content.id.hex()
        self.words = (("send", str(path), "--receivers", "1"), ("receive", content_id, "--output", str(self.result)))
        self.running: dict[int, OneShot] = {}
        self.start()

    def start(self) -> None:
        for number, machine in enumerate(self.machines):
            if number not in self.running or self.running[number].poll() is not None:
                self.running[number] = shot(machine, self.folder, *self.words[number])

    def kill(self, numbers: tuple[int, ...]) -> int:
        alive = [self.running[number] for number in numbers if self.running[number].poll() is None]
        for each in alive:
            each.kill()
            each.wait()
        return len(alive)

    def take(self) -> bool:
        """Take the result away, if there is one: never one that looks complete and is not."""
        if not self.result.exists():
            return False
        assert self.result.read_bytes() == self.data
        self.result.unlink()
        return True


@pytest.mark.parametrize("moments", [10, pytest.param(100, marks=pytest.mark.soak)])
def test_whoever_is_killed_whenever_it_arrives_whole(lan: Lan, tmp_path: Path, moments: int) -> None:
    random, pair = Random(os.environ.get("TM_SEED", "kills")), Pair(lan, tmp_path)
    killed, results, before = 0, 0, received(pair.machines[1])
    while killed < moments:
        time.sleep(random.random() * 2.5)
        killed += pair.kill(random.choice(((0,), (1,), (0, 1))))
        results += pair.take()
        pair.start()
    end = time.monotonic() + PATIENCE
    while not pair.take():
        assert time.monotonic() < end, "it does not arrive"
        pair.start()
        time.sleep(0.05)
    came = (received(pair.machines[1]) - before) / SIZE / (results + 1)
    print(f"killed {killed} times, {results + 1} results, {came:.2f} times the bytes of each came in")
