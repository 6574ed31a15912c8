"""Search on the simulated LAN: nodes with catalogues, what they are asked, what is found."""
from __future__ import annotations

from typing import TYPE_CHECKING

from tribler_multicast.client import Result
from tribler_multicast.protocol.events import Asked, ResultsFound, SearchEnded
from tribler_multicast.protocol.introduction import Introduction

from .befriending import meet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tribler_multicast.protocol.search import SearchRun

    from .simulated import Node, SimulatedLan

TIMEOUT = 3.0


def torrent(name: str, size: int | None = 1000) -> Result:
    """Make a torrent whose infohash follows from its name."""
    return Result("torrent", name.encode().ljust(20, b".")[:20], name, size)


def offer(node: Node, results: Iterable[Result] | Callable[[str], list[Result] | None] = (),
          delay: float = 0.001) -> None:
    """Let a node have things, and answer queries about them as a community does."""
    answer = results if callable(results) else lambda text: [each for each in results if text in each.name]
    flush = node.__class__.flush.__get__(node)
    node.core.set_introduction(Introduction(5.0, frozenset({"search"})), node.lan.now)

    def flush_and_answer() -> None:
        flush()
        new = [event.question for _, event in node.history if isinstance(event, Asked)]
        node.history = [(when, event) for when, event in node.history if not isinstance(event, Asked)]
        for question in new:
            node.asked.append(question)
            node.lan.at(node.lan.now + delay, lambda question=question: give(question))

    def give(question: object) -> None:
        node.core.answers.give(question, answer(question.query.text), node.lan.now)
        flush_and_answer()

    node.asked = []
    node.flush = flush_and_answer
    loss, node.lan.loss = node.lan.loss, 0.0
    node.flush()
    node.lan.run(0.01)
    node.lan.loss = loss
    node.lan.wire.clear()


def searchers(count: int, loss: float = 0.0, seed: int = 1) -> tuple[SimulatedLan, list[Node]]:
    """Make nodes that hold each other as local; who has something is told by `offer`."""
    lan, nodes = meet(count, seed=seed)
    lan.loss = loss
    return lan, nodes


def begin(node: Node, text: str = "", kinds: Iterable[str] = ("torrent",), timeout: float = TIMEOUT) -> SearchRun:
    node.began = node.lan.now
    run = node.core.searches.start(text, kinds, timeout, node.lan.now)
    node.flush()
    return run


def found(node: Node, run: SearchRun) -> dict[bytes, list[Result]]:
    """Get what a search brought, by the mid of who has it."""
    brought: dict[bytes, list[Result]] = {}
    for _, event in node.history:
        if isinstance(event, ResultsFound) and event.run is run:
            brought.setdefault(event.peer.mid, []).extend(event.results)
    return brought


def names(node: Node, run: SearchRun) -> list[str]:
    return [result.name for results in found(node, run).values() for result in results]


def took(node: Node, run: SearchRun) -> float:
    """Get how long a search took; its end was told once."""
    [when] = [when for when, event in node.history if isinstance(event, SearchEnded) and event.run is run]
    return when - node.began


def search(node: Node, text: str = "", kinds: Iterable[str] = ("torrent",), timeout: float = TIMEOUT) -> SearchRun:
    """Search until the end."""
    run = begin(node, text, kinds, timeout)
    node.lan.run(timeout + 0.01)
    assert run.ended
    return run
