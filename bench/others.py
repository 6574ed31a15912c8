"""
The peers to compare with, as processes in machines of the testbed: python-zeroconf and IPv8's broadcast bootstrapper.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.lan.processes import Process

from .common import HERE, BenchError

if TYPE_CHECKING:
    from tests.lan.testbed import Machine

PATIENCE = 60.0
"""Seconds for one of them to start."""


class Other:
    """
    One process that prints "ready", then "found NAME" for each other; watched as a node is (see common.Watched).
    """

    def __init__(self, machine: Machine, script: str, name: str, *arguments: str) -> None:
        """
        Start it; `join` waits until it is ready.
        """
        self.name = name
        self._joined = False
        path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
        self.process = Process(machine.namespace.command([sys.executable, str(HERE / script), *arguments]),
                               stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": path, "TM_BENCH_NAMESPACE": "1"})

    @property
    def started_at(self) -> float:
        """
        Unix seconds when it was started.
        """
        return self.process.started

    @property
    def ready_at(self) -> float:
        """
        Unix seconds when it said that it was ready.
        """
        return self.process.lines[0][0]

    @property
    def pid(self) -> int:
        """
        The id of its process.
        """
        return self.process.pid

    def join(self) -> Other:
        """
        Wait until it is ready.

        :raises BenchError: when it ends instead.
        """
        if not self._joined:
            line = self.process.line(PATIENCE)
            if line is None or not line.startswith("ready"):
                raise BenchError(f"{self.name} did not start (is zeroconf installed?)")
            self._joined = True
        return self

    def when(self, name: str, timeout: float = 30.0) -> float:
        """
        Wait until it found another; return when it did, in Unix seconds.

        :raises TimeoutError: when it did not in so many seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for when, line in list(self.process.lines):
                if line == f"found {name}":
                    return when
            time.sleep(0.002)
        raise TimeoutError(f"{self.name} did not find {name} in {timeout} s, it said {self.process.lines}")

    def stop(self) -> None:
        """
        End it, by its id.
        """
        self.process.end()


def zeroconf(machine: Machine, name: str) -> Other:
    """
    Start a service of python-zeroconf that browses for its own kind.
    """
    return Other(machine, "zeroconf_peer.py", name, name, machine.interfaces["eth0"].ipv4 or "")


def ipv8_broadcast(machine: Machine, name: str) -> Other:
    """
    Start an IPv8 with the UDPBroadcastBootstrapper. The kernel sends to 255.255.255.255 along the default route.
    """
    machine.namespace.ip("route replace default dev eth0")
    return Other(machine, "ipv8_broadcast.py", name)
