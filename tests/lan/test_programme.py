"""The programs in examples/ on machines of their own: published on one, downloaded by the others, and played there."""
from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.examples.test_examples import EXAMPLES, PLAYER
from tests.standalone.nodes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .testbed import Lan, Machine

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")

PATIENCE = 30.0
FEED_PORT = 8099


def wait(condition: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def start(machine: Machine, log: Path, example: str, *arguments: str) -> None:
    """Start an example on a machine, its output in a file."""
    machine.popen(["env", f"PYTHONPATH={ROOT}", "PYTHONUNBUFFERED=1", "sh", "-c", f'exec "$@" >{log} 2>&1', "sh",
                   sys.executable, str(EXAMPLES / f"{example}.py"), *arguments, "--set", "feed_interval=0.05",
                   "--state-dir", str(log.with_suffix(".state"))])


def test_an_episode_is_played_on_every_machine_that_subscribed(lan: Lan, tmp_path: Path) -> None:
    publisher, *subscribers = lan.machines(3)
    folder, played = tmp_path / "programme", [tmp_path / f"played{number}" for number in range(2)]
    folder.mkdir()
    logs = [tmp_path / f"{name}.log" for name in ("publisher", "one", "two")]

    def said() -> str:
        return "\n".join(log.read_text() for log in logs if log.exists())

    start(publisher, logs[0], "publisher", str(folder), "--settle", "0.3", "--feed-port", str(FEED_PORT))
    url = f"http://{publisher.interfaces['eth0'].ipv4}:{FEED_PORT}/feed.xml"
    wait(lambda: f":{FEED_PORT}" in publisher.run(["ss", "-tln"]), said)
    for machine, log, file in zip(subscribers, logs[1:], played, strict=True):
        start(machine, log, "subscriber", url, "--player", f"{sys.executable} -c '{PLAYER}' x {file}")
    wait(lambda: said().count("subscribed to") == 2, said)
    begin = time.monotonic()
    (folder / "Episode 1.mkv").write_bytes(b"episode" * 500_000)
    wait(lambda: all(file.exists() and file.read_text() for file in played), said)
    print(f"played on both {time.monotonic() - begin:.1f} s after it was put into the folder: 3.5 MB")
    for log, file in zip(logs[1:], played, strict=True):
        there = log.with_suffix(".state") / "downloads" / "Episode 1.mkv"
        assert file.read_text() == f"{there}\n"
        assert there.read_bytes() == b"episode" * 500_000
