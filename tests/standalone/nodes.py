"""
Real nodes for tests: ``python -m tribler_multicast node`` as processes on the loopback interface.
"""
from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tribler_multicast.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 60.0


def environment(**extra: str) -> dict[str, str]:
    """
    The environment of a child: without settings of whoever runs the tests.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIBLER_MULTICAST_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **extra}


def run(*arguments: str, timeout: float = 60.0, stdin: str | None = None, first_on_path: str = "",
        **extra: str) -> subprocess.CompletedProcess[str]:
    """
    Run a command to its end; `first_on_path` is a folder whose modules hide those that are installed.
    """
    env = environment(**extra)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (first_on_path, env["PYTHONPATH"])))
    return subprocess.run([sys.executable, "-m", "tribler_multicast", *arguments], capture_output=True, text=True,
                          input=stdin, timeout=timeout, env=env, check=False)


def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run a command to its end in this process: a tenth of the time, for those that end before anything is started.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(error.code or 0)
    return subprocess.CompletedProcess(arguments, status, stdout.getvalue(), stderr.getvalue())


def free_ports() -> tuple[int, int]:
    """
    A multicast port and a first control port that other tests do not use: nodes of two tests must not meet.
    """
    port = random.randrange(40_000, 60_000, 20)
    return port, port + 1


class RunningNode:
    """
    A node as a process.
    """

    def __init__(self, state_dir: Path, *arguments: str, ports: tuple[int, int] | None = None,
                 program: Sequence[str] = ("-m", "tribler_multicast"), **extra: str) -> None:
        """
        Start it and wait for the ready line.
        """
        port, control = ports or free_ports()
        self.state_dir = state_dir
        self.errors = state_dir.parent / f"{state_dir.name}.stderr"
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, "node", "--state-dir", str(state_dir),
                 "--set", "interfaces=lo", "--set", f"port={port}", "--set", f"control_port={control}", *arguments],
                stdout=subprocess.PIPE, stderr=errors, env=environment(**extra))
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], START_TIMEOUT)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            self.kill()
            raise AssertionError(f"the node did not start: {self.errors.read_text()}")
        self.ready: dict[str, str] = json.loads(line)
        self.key = json.loads((state_dir / "api.json").read_text())["key"]

    @property
    def mid(self) -> str:
        """
        The mid, hex.
        """
        return self.ready["mid"]

    def call(self, method: str, path: str, body: bytes | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """
        Call the API with the key: status and answer.
        """
        parts = urlsplit(self.ready["api"])
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            connection.request(method, "/api/multicast" + path, body, {"X-Api-Key": self.key, **(headers or {})})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def peers(self) -> dict[str, dict[str, Any]]:
        """
        Its peers by mid.
        """
        return {peer["mid"]: peer for peer in self.call("GET", "/peers")[1]["peers"]}

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """
        Send a signal: exit status and seconds that it took.
        """
        begin = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(10), time.monotonic() - begin

    def kill(self) -> None:
        """
        End it, however it is.
        """
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def wait_for(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """
    Wait until something holds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
