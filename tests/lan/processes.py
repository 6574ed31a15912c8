"""
Processes that are always ended, by their id, and what they cost.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .namespaces import COMMAND_TIMEOUT, TestbedError

if TYPE_CHECKING:
    from collections.abc import Mapping

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """
    Return the processor time a process has used so far, user and system, in seconds (proc(5), fields 14 and 15).
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int, *, share: bool = True) -> dict[str, int]:
    """
    Return the memory of a process in bytes: `rss` now, `peak` of it, and `pss` (its share) where that can be read.

    :param share: that, too: it takes the kernel a millisecond.
    """
    result = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            result["rss" if name == "VmRSS" else "peak"] = int(value.split()[0]) * 1024
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup" if share else os.devnull).read_text().splitlines():
            if line.startswith("Pss:"):
                result["pss"] = int(line.split()[1]) * 1024
    return result


class Process(subprocess.Popen[str]):
    """
    A process whose output lines are read as they come, each with its time, and which can be ended for certain.

    `lines` are (Unix seconds, line) of its standard output, when that is a pipe.
    """

    def __init__(self, command: list[str], stdout: int | None = None, stderr: IO[bytes] | None = None,
                 env: Mapping[str, str] | None = None) -> None:
        """
        Start it, with no input.

        :param stdout: subprocess.PIPE to read its lines.
        """
        self.started = time.time()
        self.lines: list[tuple[float, str]] = []
        self._queue: queue.Queue[tuple[float, str] | None] = queue.Queue()
        super().__init__(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, text=True)
        if self.stdout is not None:
            threading.Thread(target=self._read, args=(self.stdout,), daemon=True).start()

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            entry = (time.time(), line.rstrip("\n"))
            self.lines.append(entry)
            self._queue.put(entry)
        self._queue.put(None)

    def line(self, timeout: float = COMMAND_TIMEOUT) -> str | None:
        """
        Return the next line of its output, or None when it has ended its output.

        :raises TestbedError: when there is none in that many seconds.
        """
        try:
            entry = self._queue.get(timeout=timeout)
        except queue.Empty as e:
            raise TestbedError(f"no line in {timeout} s from {self.args!r}") from e
        return None if entry is None else entry[1]

    def wait_json(self, timeout: float = COMMAND_TIMEOUT) -> dict[str, float]:
        """
        Wait until it ends and return its last line, read as JSON.
        """
        self.wait(timeout)
        last = None
        while (line := self.line()) is not None:
            last = line
        result: dict[str, float] = json.loads(last or "{}")
        return result

    def end(self, patience: float = 3.0) -> int:
        """
        Ask it to end (SIGTERM), then make it (SIGKILL); return its exit status. Harmless when it is over.
        """
        if self.poll() is None:
            self.terminate()
            try:
                self.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.wait(COMMAND_TIMEOUT)
