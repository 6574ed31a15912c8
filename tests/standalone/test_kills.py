"""
``send`` and ``receive`` killed at random moments and started again, over and over.
"""
from __future__ import annotations

import json
import os
import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.content.source import Source

from .oneshots import PATIENCE, Lo, OneShot, leftovers, same, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 10
SOAK_ROUNDS = 100
FAREWELL = 5.0
"""Seconds after which a sender is not about to end."""


@pytest.fixture
def lo(tmp_path: Path) -> Iterator[Lo]:
    """
    Processes that end with the test.
    """
    found = Lo(tmp_path)
    yield found
    found.close()


def came(receiver: OneShot) -> int:
    """
    Bytes that a receiver got, as far as it told.
    """
    return max((json.loads(line)["total_down"] for _, line in receiver.lines), default=0)


class Round:
    """
    One transfer.
    """

    def __init__(self, lo: Lo, folder: Path, number: int) -> None:
        """
        Begin it.
        """
        self.lo, self.number = lo, number
        self.root = tree(folder / "in")
        # Other bytes each time: nothing of an earlier round must help.
        (self.root / "number").write_bytes(b"%d" % number)
        self.id = Source.publish(self.root).content.id.hex()
        self.output = folder / "out"
        self.output.mkdir()
        self.result = self.output / self.root.name
        self.received = 0
        self.killed = False
        self.sender = self.send()
        self.receiver = self.receive()

    def send(self) -> OneShot:
        return self.lo.send(self.root, "--set", "log_level=info", name=f"send{self.number}")

    def receive(self) -> OneShot:
        return self.lo.receive(self.id, self.output, "--set", "log_level=info", name=f"receive{self.number}")

    def check(self) -> None:
        """
        See that what looks whole is.
        """
        assert not os.path.lexists(self.result) or same(self.root, self.result)

    def kill(self, who: str) -> None:
        """
        Kill one or both, and start again what was killed before its end.
        """
        if who != "receiver" and self.sender.poll() is None:
            self.killed = True
            self.sender.kill()
            self.sender.wait(PATIENCE)
            self.check()
            self.sender = self.send()
        if who != "sender" and self.receiver.poll() is None:
            self.receiver.kill()
            self.receiver.wait(PATIENCE)
            self.received += came(self.receiver)
            self.check()
            self.receiver = self.receive()

    def finish(self) -> int:
        """
        Wait until both have ended well; bytes that came more than once.
        """
        try:
            self.receiver.done()
        except AssertionError as error:
            raise AssertionError(f"{error} sender: {self.sender.poll()} {self.sender.lines[-1:]} "
                                 f"{self.sender.said()} there: {sorted(os.listdir(self.output))}") from error
        self.received += came(self.receiver)
        assert same(self.root, self.result)
        assert leftovers(self.output) == []
        if self.killed:
            self.sender.event("published")
            self.tell()
        else:
            self.sender.done()
        # A receiver tells twice a second what came: of one that was killed the last of it is not known.
        return max(0, self.received - sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file()))


    def tell(self) -> None:
        """
        Have a sender end that was killed. It may not have heard that all was there: who repeats the receiver tells it.
        Or it had, and was killed on its way out: then nobody is left to come.
        """
        deadline = time.monotonic() + PATIENCE
        while self.sender.poll() is None:
            assert time.monotonic() < deadline, self.sender.said()
            if (self.lo.folder / f"receive{self.number}.state" / "received" / f"{self.id}.untold").exists():
                self.receive().done()
                continue
            try:
                self.sender.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                assert self.sender.interrupt()[0] == 1
                return
        self.sender.done()


def run(lo: Lo, tmp_path: Path, rounds: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    began = time.monotonic()
    (tmp_path / "plain").mkdir()
    Round(lo, tmp_path / "plain", rounds).finish()
    usual, again = min(time.monotonic() - began, 5.0), 0
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        a_round = Round(lo, folder, number)
        for who in chance.sample(("sender", "receiver", "both"), 2):
            time.sleep(chance.uniform(0, 0.9 * usual))
            a_round.kill(who)
        again += a_round.finish()
    print(f"{rounds} rounds of {usual:.1f} s, {2 * rounds} kills: {again / rounds / 1e6:.2f} MB of 1.51 fetched again, "
          "on average, at least")


def test_ten_rounds_of_kills_end_well(lo: Lo, tmp_path: Path) -> None:
    run(lo, tmp_path, ROUNDS)


@pytest.mark.soak
def test_a_hundred_rounds_of_kills_end_well(lo: Lo, tmp_path: Path) -> None:
    run(lo, tmp_path, SOAK_ROUNDS)
