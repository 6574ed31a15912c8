"""
A tribler-multicast node in a machine of the testbed, seen as its user sees it: command line and REST.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .namespaces import TestbedError
from .processes import Process, cpu_seconds, memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .testbed import Machine

ROOT = Path(__file__).resolve().parents[2]

START_TIMEOUT = 150.0
"""Seconds a node may take until it says it is ready: eight at once on two busy cores take a while."""

POLL = 0.02
"""Seconds between two looks at something waited for."""


class _Connection(http.client.HTTPConnection):
    """
    An HTTP connection that starts inside a machine.
    """

    def __init__(self, machine: Machine, host: str, port: int, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._machine = machine

    def connect(self) -> None:
        self.sock = self._machine.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect((self.host, self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class RestError(Exception):
    """
    A REST call was answered with an error.
    """

    def __init__(self, status: int, answer: object) -> None:
        """
        Keep the HTTP status and the answer.
        """
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.answer = answer


class Events:
    """
    The event stream of a node (SSE) with the time each event came; an object to iterate over or wait on.
    """

    def __init__(self, node: Node) -> None:
        """
        Subscribe; events from now on are kept in `received` as (Unix seconds, event).
        """
        self.received: list[tuple[float, dict[str, Any]]] = []
        self._connection = node.connection(timeout=None)
        self._connection.request("GET", "/api/multicast/events", headers=node.headers)
        self._response = self._connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._response:
                if line.startswith(b"data:"):
                    self.received.append((time.time(), json.loads(line[5:])))
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return  # closed by the node or by close()

    def wait_for(self, topic: str, timeout: float = 10.0, since: float = 0.0,
                 **wanted: object) -> tuple[float, dict[str, Any]]:
        """
        Return time and arguments of the first event of a topic, at or after a time, with these arguments.

        :raises TimeoutError: when there is none in that many seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            for when, event in list(self.received):
                arguments = event.get("kwargs", {})
                if event["topic"] == topic and when >= since and wanted.items() <= arguments.items():
                    return when, arguments
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {topic} {wanted} in {timeout} s; events were: {self.received}")
            time.sleep(0.002)

    def close(self) -> None:
        """
        Hang up.
        """
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class Node:
    """
    One node: its process, its REST calls, and what a test waits for.
    """

    def __init__(self, machine: Machine, name: str, state: Path, arguments: Iterable[str],
                 settings: dict[str, object], program: Iterable[str] = ("-m", "tribler_multicast")) -> None:
        """
        Start it; `ready` waits for it.
        """
        self.machine = machine
        self.name = name
        self.state = state
        self.key = f"key-of-{name}"
        self.headers = {"X-Api-Key": self.key, "Content-Type": "application/json"}
        self.log_file = state.parent / f"{name}-{time.monotonic_ns()}.log"
        self.mid = ""
        self.url = ""
        self.ready_at = 0.0
        """Unix seconds when the ready line was read."""
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        chosen = [part for key, value in settings.items() for part in ("--set", f"{key}={_text(value)}")]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, *program, "node", "--state-dir", str(state), "--api-key", self.key]
        with self.log_file.open("wb") as log:
            self.process = Process(machine.namespace.command([*command, *arguments, *chosen]),
                                   stdout=subprocess.PIPE, stderr=log, env={**os.environ, "PYTHONPATH": path})

    def __str__(self) -> str:
        """
        Return the name.
        """
        return self.name

    @property
    def pid(self) -> int:
        """
        The id of its process.
        """
        return self.process.pid

    @property
    def started_at(self) -> float:
        """
        Unix seconds when it was started.
        """
        return self.process.started

    def ready(self, timeout: float = START_TIMEOUT) -> Node:
        """
        Wait for its ready line.

        :raises TestbedError: with its last words, when it ends or says nothing in that many seconds.
        """
        line = self.process.line(timeout)
        if line is None:
            raise TestbedError(f"{self.name} ended with {self.process.wait(5)}: {self.log()[-2000:]}")
        self.ready_at = self.process.lines[0][0]
        said = json.loads(line)
        if said.get("event") != "ready":
            raise TestbedError(f"{self.name} said {line!r} first")
        self.url, self.mid = said["api"], said["mid"]
        return self

    def log(self) -> str:
        """
        Return what it wrote on stderr.
        """
        return self.log_file.read_text(errors="replace")

    # REST

    def connection(self, timeout: float | None = 40.0) -> http.client.HTTPConnection:
        """
        Return a new connection to its REST port.
        """
        parts = urlsplit(self.url)
        return _Connection(self.machine, parts.hostname or "", parts.port or 0, timeout)  # type: ignore[arg-type]

    def rest(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """
        Make a REST call below /api/multicast and return its answer, read as JSON.

        :raises RestError: when the status is 400 or more.
        """
        data = None if body is None else json.dumps(body)
        with self._lock:
            for attempt in (1, 2):
                try:
                    if self._connection is None:
                        self._connection = self.connection()
                    self._connection.request(method, "/api/multicast" + path, body=data, headers=self.headers)
                    response = self._connection.getresponse()
                    text = response.read()
                    break
                except (OSError, http.client.HTTPException):
                    if self._connection is not None:
                        self._connection.close()
                    self._connection = None
                    if attempt == 2:
                        raise
        answer = json.loads(text) if text else None
        if response.status >= 400:
            raise RestError(response.status, answer)
        return answer

    def status(self) -> dict[str, Any]:
        """
        Return GET /status.
        """
        answer: dict[str, Any] = self.rest("GET", "/status")
        return answer

    def counters(self, group: str) -> dict[str, int]:
        """
        Return the counters `sent`, `received` or `dropped` of GET /status; what never happened may be missing.
        """
        counters: dict[str, int] = self.status()["counters"][group]
        return counters

    def peers(self) -> dict[str, dict[str, Any]]:
        """
        Return the known peers by mid.
        """
        return {peer["mid"]: peer for peer in self.rest("GET", "/peers")["peers"]}

    def peer(self, other: Node | str) -> dict[str, Any]:
        """
        Return what it knows of another node; {} when nothing.
        """
        return self.peers().get(other if isinstance(other, str) else other.mid, {})

    def is_local(self, other: Node | str) -> bool:
        """
        Tell whether it lists another node as local now.
        """
        return bool(self.peer(other).get("is_local"))

    def events(self) -> Events:
        """
        Subscribe to its events.
        """
        return Events(self)

    # Waiting

    def wait_local(self, *others: Node, timeout: float = 20.0) -> float:
        """
        Wait until it lists all others as local; return the Unix seconds when that was first seen.

        :raises TimeoutError: with what it lists.
        """
        mids = {other.mid for other in others}
        return self.wait_for(lambda: mids <= {mid for mid, peer in self.peers().items() if peer["is_local"]}, timeout,
                             f"{', '.join(map(str, others))} local at {self.name}")

    def wait_not_local(self, *others: Node, timeout: float = 20.0) -> float:
        """
        Wait until it lists none of the others as local; return the Unix seconds when that was first seen.
        """
        mids = {other.mid for other in others}
        return self.wait_for(lambda: not mids & {mid for mid, peer in self.peers().items() if peer["is_local"]},
                             timeout, f"{', '.join(map(str, others))} not local at {self.name}")

    def wait_for(self, condition: Callable[[], object], timeout: float, what: str = "") -> float:
        """
        Wait until a condition holds; return the Unix seconds when that was first seen.

        :raises TimeoutError: with what it lists and its last words.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {timeout} s: {what or condition}\npeers: {json.dumps(self.peers())}\n"
                                   f"dropped: {self.counters('dropped')}\n{self.log()[-2000:]}")
            time.sleep(POLL)
        return time.time()

    # Cost and end

    def cpu_seconds(self) -> float:
        """
        Return the processor time it has used so far.
        """
        return cpu_seconds(self.pid)

    def memory(self) -> dict[str, int]:
        """
        Return its memory in bytes: rss, peak, pss.
        """
        return memory(self.pid)

    def stop(self) -> float:
        """
        End it as a user does (SIGTERM: it says goodbye); return how many seconds that took.
        """
        start = time.monotonic()
        self.process.end(10.0)
        return time.monotonic() - start

    def kill(self) -> None:
        """
        End it as a power cut does (SIGKILL): it says nothing.
        """
        self.process.kill()
        self.process.wait(5)

    def close(self) -> None:
        """
        End it in any way, and print what it complained about, for pytest to show beside a failure.
        """
        self.process.end()
        if said := self.log().strip():
            print(f"--- {self.name} said ---\n{said[-3000:]}")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def wait_all_local(nodes: Iterable[Node], timeout: float = 30.0) -> float:
    """
    Wait until each of these nodes lists each other as local; return the Unix seconds when the last did.
    """
    nodes = list(nodes)
    deadline = time.monotonic() + timeout
    return max(node.wait_local(*(other for other in nodes if other is not node),
                               timeout=max(0.1, deadline - time.monotonic())) for node in nodes)
