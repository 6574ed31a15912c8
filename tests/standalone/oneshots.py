"""
``send`` and ``receive`` as processes, on the loopback interface or in a machine of the testbed.
"""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.lan.processes import Process

from .nodes import environment, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PATIENCE = 120.0
"""Seconds that anything here may take: a busy machine takes many times as long as a quiet one."""


class OneShot(Process):
    """
    A command that runs.
    """

    def __init__(self, folder: Path, name: str, arguments: Sequence[str],
                 prefix: Callable[[list[str]], list[str]] = list, **extra: str) -> None:
        """
        Start it, with a state directory of its own in the folder.
        """
        self.name = name
        self.complaints = folder / f"{name}.err"
        command = prefix([sys.executable, "-m", "tribler_multicast", *arguments, "--json",
                          "--state-dir", str(folder / f"{name}.state")])
        with self.complaints.open("ab") as errors:
            super().__init__(command, stdout=subprocess.PIPE, stderr=errors, env=environment(**extra))

    def event(self, kind: str) -> dict[str, Any]:
        """
        Wait for an event.
        """
        while (line := self.line(PATIENCE)) is not None:
            said: dict[str, Any] = json.loads(line)
            if said["event"] == kind:
                return said
        raise AssertionError(f"{self.name} ended with {self.wait(PATIENCE)} before {kind}: {self.said()}")

    def said(self) -> str:
        """
        What it said on stderr.
        """
        return self.complaints.read_text()

    def done(self) -> dict[str, Any]:
        """
        Wait until it ends well; its last event.
        """
        try:
            status = self.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end: {self.lines[-1:]} {self.said()}") from None
        assert status == 0, f"{self.name} ended with {status}: {self.said()}"
        last: dict[str, Any] = {}
        while (line := self.line(PATIENCE)) is not None:
            last = json.loads(line)
        assert last["event"] == "done", last
        return last

    def interrupt(self) -> tuple[int, str]:
        """
        Type Ctrl-C: exit status, and what it said.
        """
        self.send_signal(signal.SIGINT)
        return self.wait(PATIENCE), self.said()


class Lo:
    """
    Senders and receivers on the loopback interface that meet each other and nobody else.
    """

    def __init__(self, folder: Path) -> None:
        """
        Nobody yet.
        """
        self.folder = folder
        port, control = free_ports()
        self.settings = ["--set", "interfaces=lo", "--set", f"port={port}", "--set", f"control_port={control}"]
        self.running: list[OneShot] = []

    def start(self, name: str, *arguments: str, prefix: Callable[[list[str]], list[str]] = list,
              **extra: str) -> OneShot:
        """
        Start one.
        """
        self.running.append(OneShot(self.folder, name, [*arguments, *self.settings], prefix, **extra))
        return self.running[-1]

    def send(self, path: Path, *arguments: str, name: str = "send", **extra: str) -> OneShot:
        """
        Start a sender.
        """
        return self.start(name, "send", str(path), *arguments, **extra)

    def receive(self, what: str, output: Path, *arguments: str, name: str = "receive",
                prefix: Callable[[list[str]], list[str]] = list) -> OneShot:
        """
        Start a receiver.
        """
        return self.start(name, "receive", what, "--output", str(output), *arguments, prefix=prefix)

    def close(self) -> None:
        """
        End them all.
        """
        for each in self.running:
            if each.poll() is None:
                each.kill()
            each.wait(10)


def film(folder: Path, size: int = 300_000, name: str = "film.mkv", seed: int = 1) -> Path:
    """
    Make a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


def tree(folder: Path) -> Path:
    """
    Make a folder of several files: small, empty, deep, and larger than a segment.
    """
    root = folder / "holiday"
    film(root, 1_500_000, "film.mkv", 2)
    film(root / "pictures" / "sea", 10_000, "wave.jpg", 3)
    film(root / "pictures", 0, "empty", 4)
    (root / "nothing in here").mkdir()
    return root


def same(one: Path, other: Path) -> bool:
    """
    Tell whether two files or folders are equal.
    """
    if one.is_file():
        return other.is_file() and one.read_bytes() == other.read_bytes()

    def content(root: Path) -> dict[str, bytes | None]:
        return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
                for path in root.rglob("*")}

    return other.is_dir() and content(one) == content(other)


def leftovers(folder: Path) -> list[str]:
    """
    What is in a folder of unfinished transfers.
    """
    return sorted(name for name in os.listdir(folder) if ".part" in name)
