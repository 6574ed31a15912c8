"""
A real Tribler in a machine of the testbed, seen as its user sees it: through REST.
"""
from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lan.namespaces import TestbedError
from tests.lan.node import ROOT, Node, RestError
from tests.lan.processes import Process
from tribler_multicast.tribler8.runner import RunError, find_python, source_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.lan.testbed import Machine

PORT = 20100
"""TCP port of the first Tribler's REST in each machine; counted up, because two can run in one."""

QUIET = {"libtorrent": {"dht": False, "lsd": False, "upnp": False, "natpmp": False, "dht_readiness_timeout": 0},
         "versioning": {"enabled": False}, "rss": {"enabled": False}}
"""Changes to Tribler's own configuration: with these nothing but the plugin can bring two Triblers on a LAN
together."""

DUMP = """
import json, sys
sys.path[:0] = [sys.argv[1]]
from tribler.tribler_config import DEFAULT_CONFIG
print(json.dumps(DEFAULT_CONFIG))
"""


@functools.cache
def sources() -> Path:
    """
    Find Tribler's sources: ``TRIBLER_SRC``, or ``~/tribler-src``.

    :raises LookupError: with what is missing.
    """
    named = os.environ.get("TRIBLER_SRC")
    folder = Path(named) if named else Path.home() / "tribler-src"
    if not named and not folder.is_dir():
        raise LookupError("no Tribler sources: set TRIBLER_SRC to a checkout of Tribler 8.4.3, or have it in "
                          "~/tribler-src")
    try:
        return source_tree(folder)
    except RunError as error:
        raise LookupError(f"TRIBLER_SRC: {error}") from error


@functools.cache
def python_for(tree: Path) -> str:
    """
    Find a Python that can run a tree: ``TRIBLER_PYTHON``, its own virtual environment, or this one.

    :raises LookupError: with what is missing.
    """
    try:
        return find_python(tree, None)
    except RunError as error:
        raise LookupError(str(error)) from error


def merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """
    Merge nested changes into a configuration.
    """
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def bencode(value: object) -> bytes:
    """
    Write a value as BEP 3 says.
    """
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    assert isinstance(value, dict)
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def torrent(name: str, content: bytes, private: bool = False) -> bytes:
    """
    Make a `.torrent` of one file.
    """
    size = 256 * 1024
    pieces = b"".join(hashlib.sha1(content[at:at + size]).digest() for at in range(0, len(content), size))
    return bencode({"info": {"name": name, "length": len(content), "piece length": size, "pieces": pieces,
                             **({"private": 1} if private else {})}})


class HostEvents:
    """
    Tribler's own event stream (`event: topic`, `data: kwargs`).
    """

    def __init__(self, tribler: Tribler) -> None:
        """
        Subscribe; events are kept in `received` as (Unix seconds, topic, kwargs).
        """
        self.received: list[tuple[float, str, dict[str, Any]]] = []
        self._connection = tribler.connection(timeout=None)
        self._connection.request("GET", "/api/events", headers=tribler.headers)
        self._response = self._connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        topic = ""
        try:
            for line in self._response:
                if line.startswith(b"event: "):
                    topic = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    self.received.append((time.time(), topic, json.loads(line[6:])))
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return

    def wait_for(self, topic: str, timeout: float = 10.0, **wanted: object) -> tuple[float, dict[str, Any]]:
        """
        Return time and arguments of the first event of a topic with these arguments.
        """
        deadline = time.monotonic() + timeout
        while True:
            for when, name, kwargs in list(self.received):
                if name == topic and wanted.items() <= kwargs.items():
                    return when, kwargs
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {topic} {wanted} in {timeout} s; events were: {self.received}")
            time.sleep(0.01)


class Tribler(Node):
    """
    One Tribler, started by ``tribler-multicast run`` unless said otherwise. What a `Node` has, it has too.
    """

    def __init__(self, machine: Machine, name: str, state: Path, *, python: str, tree: Path,
                 plain: bool = False, config: Mapping[str, Any] | None = None, wait: bool = True,
                 environment: Mapping[str, str] | None = None, program: str = "", path: str = "",
                 **settings: object) -> None:
        """
        Start it.

        :param plain: start Tribler itself, not by `run`: what a tree with the drop-in, or without anything, does.
        :param program: with `plain`: what to run instead of the tree's `run_tribler.py`, with this as `PYTHONPATH`.
        :param config: changes to Tribler's own configuration, beside `QUIET`.
        :param settings: of the plugin, in Tribler's configuration.
        """
        self.machine, self.name, self.state = machine, name, state
        self.key = f"key-of-{name}"
        self.headers = {"X-Api-Key": self.key, "Content-Type": "application/json"}
        self.log_file = state.parent / f"{name}-{time.monotonic_ns()}.log"
        self.port = PORT + sum(isinstance(node, Tribler) for node in machine.nodes)
        self.url = f"http://127.0.0.1:{self.port}"
        self.mid, self.ready_at = "", 0.0
        self.answered_at = 0.0
        """Unix seconds when its REST first answered."""
        self._connection = None
        self._lock = threading.Lock()
        self.saved = state / "saved"
        self._configure(python, tree, {**QUIET, "multicast": settings}, config or {})
        command = ([python, program or str(tree / "src" / "run_tribler.py"), "-s"] if plain else
                   [sys.executable, "-m", "tribler_multicast", "run", "--tribler", str(tree), "--python", python,
                    "--", "-s"])
        given = {**os.environ, "TSTATEDIR": str(state), "CORE_API_PORT": str(self.port), "CORE_API_KEY": self.key,
                 "PYTHONDONTWRITEBYTECODE": "1", "RUST_LOG": "off", **(environment or {})}
        given["PYTHONPATH"] = path if plain else str(ROOT)
        with self.log_file.open("wb") as log:
            self.process = Process(machine.namespace.command(command), stdout=subprocess.PIPE, stderr=log, env=given)
        machine.nodes.append(self)
        if wait:
            self.ready()

    def _configure(self, python: str, tree: Path, *changes: Mapping[str, Any]) -> None:
        """
        Write Tribler's configuration, once per state folder; later starts keep what is there.
        """
        file = self.state / "git" / "configuration.json"
        if file.exists():
            return
        for folder in (file.parent, self.saved):
            folder.mkdir(parents=True, exist_ok=True)
        said = subprocess.run([python, "-c", DUMP, str(tree / "src")], capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"})
        config: dict[str, Any] = json.loads(said.stdout)
        merge(config, {"libtorrent": {"download_defaults": {"saveas": str(self.saved)}}})
        for change in changes:
            merge(config, change)
        file.write_text(json.dumps(config))

    @property
    def configuration(self) -> dict[str, Any]:
        """
        What is in Tribler's configuration file now.
        """
        found: dict[str, Any] = json.loads((self.state / "git" / "configuration.json").read_text())
        return found

    def ready(self, timeout: float = 120.0) -> Tribler:
        """
        Wait until it answers; with the plugin on, until that does.
        """
        deadline = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise TestbedError(f"{self.name} ended with {self.process.returncode}: {self.log()[-3000:]}")
            try:
                self.api("GET", "/api/events/info")
                self.answered_at = self.answered_at or time.time()
                self.mid = self.status()["mid"]
            except RestError as error:
                if "switched off" in str(error) or "Could not find" in str(error):
                    break
            except (OSError, http.client.HTTPException):
                pass
            else:
                break
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.name} is not ready in {timeout} s: {self.log()[-3000:]}")
            time.sleep(0.02)
        self.ready_at = time.time()
        return self

    def log(self) -> str:
        """
        What it wrote: Tribler logs to stdout, a crash goes to stderr.
        """
        return "\n".join([line for _, line in self.process.lines] + [super().log()])

    def wait_for_line(self, text: str, timeout: float = 30.0) -> None:
        """
        Wait until this is in its log, and its REST answers.
        """
        deadline = time.monotonic() + timeout
        while text not in self.log():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {timeout} s in the log of {self.name}: {text}\n{self.log()[-2000:]}")
            time.sleep(0.1)

    def complaints(self, answers: bool = True) -> list[str]:
        """
        The tracebacks in its log that have to do with the plugin: ours, and (with `answers`) IPv8's when it cannot
        answer because of an address we gave it.
        """
        return [part for part in self.log().split("Traceback ")[1:] if "tribler_multicast" in part[:4000]
                or (answers and "in create_introduction_response" in part[:4000])]

    def api(self, method: str, path: str, body: object = None, timeout: float = 20.0) -> Any:  # noqa: ANN401
        """
        Make a call to Tribler's REST and return its answer.

        :raises RestError: when the status is 400 or more.
        """
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=self.headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answer = json.loads(text) if text.strip() else None
        if response.status >= 400:
            raise RestError(response.status, answer)
        return answer

    def host_events(self) -> HostEvents:
        """
        Subscribe to Tribler's own events.
        """
        return HostEvents(self)

    def overlay(self, name: str) -> dict[str, Any]:
        """
        Return an IPv8 overlay by its name; {} when there is none.
        """
        overlays = self.api("GET", "/api/ipv8/overlays")["overlays"]
        return next((overlay for overlay in overlays if overlay["overlay_name"] == name), {})

    # Torrents

    def share(self, name: str, content: bytes, hops: int = 0, private: bool = False) -> str:
        """
        Make a torrent of some content and seed it; return its infohash, hex.
        """
        (self.saved / name).write_bytes(content)
        file = self.state / f"{name}.torrent"
        file.write_bytes(torrent(name, content, private))
        return self.add(file.as_uri(), hops)

    def add(self, uri: str, hops: int = 0) -> str:
        """
        Start a download; return its infohash, hex.
        """
        infohash: str = self.api("PUT", "/api/downloads", {"uri": uri, "anon_hops": hops, "safe_seeding": hops > 0,
                                                           "destination": str(self.saved)})["infohash"]
        return infohash

    def download(self, infohash: str) -> dict[str, Any]:
        """
        Return what Tribler says of a download; {} when there is none.
        """
        downloads = self.api("GET", "/api/downloads?get_peers=1")["downloads"]
        return next((download for download in downloads if download["infohash"] == infohash), {})

    def known_torrents(self) -> dict[str, str]:
        """
        Return infohash and name of the torrents in its database.
        """
        found = self.api("GET", "/api/metadata/search/local?first=1&last=200&metadata_type=300&fts_text=")
        return {entry["infohash"]: entry["name"] for entry in found["results"]}

    def shutdown(self, timeout: float = 40.0) -> float:
        """
        End it as a user does; return how many seconds that took.
        """
        start = time.monotonic()
        self.api("PUT", "/api/shutdown")
        self.process.wait(timeout)
        return time.monotonic() - start
