"""
On demand: what is read of a transfer that still runs comes first, wherever it is, on links of 100 Mbit/s.
"""
from __future__ import annotations

import random
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from .node import Node, wait_all_local
from .test_coded import fetch, folders, publish, transfer, wait_progress

if TYPE_CHECKING:
    from pathlib import Path

    from .testbed import Lan

pytestmark = pytest.mark.lan

PIECE = 100_000


def long_film(path: Path, size: int) -> Path:
    """
    Write a file of any size.
    """
    chance = random.Random(size)
    with path.open("wb") as file:
        for _ in range(size // 10_000_000):
            file.write(chance.randbytes(10_000_000))
    return path


class Player:
    """
    Reads from a transfer as a player does: by ranges, each over a connection of its own, on the machine of its node.
    """

    def __init__(self, node: Node, id: str, path: Path) -> None:  # noqa: A002
        self.node = node
        self.id = id
        self.path = path
        self.address = f"{node.url}/api/multicast/transfers/{id}/data?token={transfer(node, id)['token']}"

    def read(self, start: int) -> float:
        """Read some, and compare it; the seconds until it was there."""
        begin = time.monotonic()
        self.node.machine.run(["curl", "-sS", "--fail", "--max-time", "60", "-r", f"{start}-{start + PIECE - 1}",
                               "-o", str(self.path.parent / "piece"), "-w", "%{time_starttransfer}", self.address])
        seconds = time.monotonic() - begin
        with self.path.open("rb") as file:
            file.seek(start)
            assert (self.path.parent / "piece").read_bytes() == file.read(PIECE)
        return seconds

    @property
    def progress(self) -> float:
        return float(transfer(self.node, self.id)["progress"])


@pytest.mark.parametrize("size", [120_000_000, pytest.param(1_000_000_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("receivers", [1, 3])
def test_a_seek_into_what_is_not_here_yet_is_answered_before_the_rest(lan: Lan, tmp_path: Path, receivers: int,
                                                                    size: int) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the program curl is missing")
    machines = lan.machines(1 + receivers)
    for machine in machines:
        machine.shape(100)
    source, *nodes = [machine.node(introduction_interval=1) for machine in machines]
    wait_all_local([source, *nodes])
    path = long_film(tmp_path / "film.mp4", size)
    content_id = publish(source, path)
    outputs = folders(tmp_path, receivers)
    ids = [fetch(node, content_id, output) for node, output in zip(nodes, outputs, strict=True)]
    wait_progress(nodes[0], ids[0], 0.05)
    player = Player(nodes[0], ids[0], path)
    chance = random.Random(2)
    took = [player.read(int(size * place) + chance.randrange(1_000_000)) for place in (0.9, 0.5, 0.7)]
    progress = player.progress
    assert progress < 0.5, "none of it had its turn yet"
    print(f"{size // 1_000_000} MB to {receivers}: first 100 kB after a seek in "
          f"{', '.join(f'{each:.2f}' for each in took)} s, at {100 * progress:.0f} %")
    nodes[0].wait_for(lambda: player.progress == 1.0, 300, "all of it")
    for _ in range(5):
        player.read(chance.randrange(size - PIECE))
