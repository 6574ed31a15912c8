"""Shared files on the simulated LAN: nodes that share, what they are asked for, what becomes of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from tribler_multicast.protocol.events import FileAsked, FileEnded, FileProgress
from tribler_multicast.protocol.file_messages import FileAnswer

from .befriending import meet

if TYPE_CHECKING:
    from tribler_multicast.protocol.file_requests import FileRun

    from .simulated import Node, SimulatedLan


def file_id(name: str) -> bytes:
    return sha256(name.encode()).digest()


def infohash(name: str) -> bytes:
    return file_id(name)[:20]


@dataclass
class Share:
    """What a node shares: names of files and the seconds that hashing each takes; `hashed` is what was read."""

    files: dict[str, float]
    hashed: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    running: int = 0
    most: int = 0


def share(node: Node, files: dict[str, float]) -> Share:
    """Let a node share files, and hash them when asked as a community does, one at a time."""
    shared, flush = Share(files), node.__class__.flush.__get__(node)

    def flush_and_work() -> None:
        flush()
        asked = [event.job.known for _, event in node.history if isinstance(event, FileAsked)]
        node.history = [(when, event) for when, event in node.history if not isinstance(event, FileAsked)]
        for known in set(asked):
            if known or not shared.running:
                work(known)

    def work(known: bool) -> None:
        job = node.core.file_answers.take(known, node.lan.now)
        if job is None:
            return
        name = next((name for name in files if file_id(name) == job.file_id), None)
        if name is None or name in shared.made:
            end(job, name)
            return
        shared.hashed.append(name)
        shared.running += 1
        shared.most = max(shared.most, shared.running)
        for part in (0.25, 0.5, 0.75):
            node.lan.at(node.lan.now + part * files[name], lambda part=part: job.tell(part))
        node.lan.at(node.lan.now + files[name], lambda: hashed(job, name))

    def hashed(job: object, name: str) -> None:
        shared.made.add(name)
        shared.running -= 1
        end(job, name)

    def end(job: object, name: str | None) -> None:
        node.core.file_answers.give(job, infohash(name) if name else None, 404, node.lan.now)
        flush_and_work()
        work(job.known)
        flush()

    node.flush = flush_and_work
    return shared


def sharers(count: int, loss: float = 0.0, seed: int = 1) -> tuple[SimulatedLan, list[Node]]:
    """Make nodes that hold each other as local."""
    lan, nodes = meet(count, seed=seed)
    lan.loss = loss
    return lan, nodes


def want(node: Node, other: Node, name: str) -> FileRun:
    run = node.core.file_requests.start(other.identity.mid, file_id(name), node.lan.now)
    node.flush()
    return run


def progress(node: Node, run: FileRun) -> int:
    """Count how often something new was told of a file."""
    return sum(isinstance(event, FileProgress) and event.run is run for _, event in node.history)


def took(node: Node, run: FileRun) -> float:
    """Get how long it took; its end was told once."""
    [when] = [when for when, event in node.history if isinstance(event, FileEnded) and event.run is run]
    return when - run.began


def answer(number: bytes, state: int, **more: object) -> bytes:
    return FileAnswer(number, state, **more).pack()
