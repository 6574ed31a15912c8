"""
The round trips of those who receive nothing: what is felt slows us down, what is not told does no harm.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.service import canary, limits
from tribler_multicast.transfer.service.canary import Canary
from tribler_multicast.transfer.service.courier import Path as Way
from tribler_multicast.transfer.session.packets import microseconds
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.reports import Delay

from ..trees import MIB, some_bytes
from .nodes import LO, Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    MakeNode = Callable[..., Node]


class Neighbours(Node):
    """
    A courier whose neighbours answer as told.
    """

    def __init__(self, mids: Iterable[bytes]) -> None:
        self.mids = list(mids)

    def neighbours(self) -> list[bytes]:
        return self.mids

    def paths(self, mid: bytes) -> list[Way]:
        return [Way(LO, "127.0.0.1")]


class Link:
    """
    A rate that sends without end, on a clock of our own, with a receiver that feels no queue.
    """

    def __init__(self, *mids: bytes) -> None:
        self.now = 0.0
        self.rate = RateControl(0.0, cap=1e7)
        self.canary = Canary(Neighbours(mids), LO, self.rate, lambda: True, set)

    def run(self, seconds: float, answers: dict[bytes, Callable[[int], float | None]]) -> float:
        """Get the mean rate of the last half."""
        rates, number, begin = [], 0, self.now
        while self.now < begin + seconds:
            self.now += 0.005
            self.rate.on_sent(self.now, int(self.rate.rate * 0.005))
            if int(self.now / 0.025) != int((self.now - 0.005) / 0.025):
                self.rate.feedback(self.now, "receiver", Delay(100, 100, microseconds(self.now)))
                path = self.rate.paths.get(canary.PATH)
                if path is not None and path.queue >= 0.0015:
                    path.at = self.now
            if int(self.now / limits.CANARY_EACH) != int((self.now - 0.005) / limits.CANARY_EACH):
                mid = self.canary._next(self.now)
                if mid is not None:
                    self.canary.take(mid, answers[mid](number), self.now)
                    number += 1
            self.rate.run(self.now)
            rates.append(self.rate.rate)
        return sum(rates[len(rates) // 2:]) / len(rates[len(rates) // 2:])


@pytest.fixture
async def link() -> Link:
    return Link(b"a", b"b")


async def test_queue_that_others_feel_slows_us_down_and_its_end_lets_us_go_on(link: Link) -> None:
    calm = {mid: lambda number: 0.002 for mid in (b"a", b"b")}
    full = {mid: lambda number: 0.060 for mid in (b"a", b"b")}
    assert link.run(3, calm) > 9e6
    assert link.run(5, full) < 3e6
    assert link.run(8, calm) > 8e6


@pytest.mark.parametrize("answer", [
    pytest.param(lambda number: None, id="silence"),
    pytest.param(lambda number: 0.001 * (number % 8), id="a busy program"),
    pytest.param(lambda number: 0.1 * (number % 5) + 0.003, id="a radio that sleeps"),
    pytest.param(lambda number: 0.5, id="far away"),
    pytest.param(lambda number: 0.002 if number % 3 else None, id="losses"),
])
async def test_what_is_no_queue_does_no_harm(link: Link, answer: Callable[[int], float | None]) -> None:
    assert link.run(6, {b"a": answer, b"b": answer}) > 9e6


async def test_one_that_is_slow_for_itself_does_no_harm_when_another_is_not(link: Link) -> None:
    calm: Callable[[int], float | None] = lambda number: 0.002
    link.run(3, {b"a": calm, b"b": calm})
    assert link.run(5, {b"a": calm, b"b": lambda number: 0.080}) > 9e6


async def test_who_does_not_answer_is_left_alone_and_another_asked() -> None:
    link = Link(b"a", b"b", b"c", b"d")
    asked: list[bytes] = []

    def answers(mid: bytes) -> Callable[[int], float | None]:
        def answer(number: int) -> float | None:
            asked.append(mid)
            return 0.002 if mid in (b"c", b"d") else None
        return answer

    link.run(10, {mid: answers(mid) for mid in (b"a", b"b", b"c", b"d")})
    assert asked.count(b"a") == asked.count(b"b") == limits.CANARY_FAILS
    assert asked.count(b"c") > 10 < asked.count(b"d")


async def test_bystander_is_asked_while_something_is_sent_and_receivers_are_not(node: MakeNode, wire: Wire,
                                                                                tmp_path: Path) -> None:
    source, sink, bystander = node("source", transfer_rate=3_000_000), node("sink"), node("bystander")
    asked: list[bytes] = []

    async def round_trip(mid: bytes, link: tuple[int, int]) -> float | None:
        asked.append(mid)
        await asyncio.sleep(0)
        return 0.001

    source.round_trip = round_trip  # type: ignore[method-assign]
    for each in (source, sink, bystander):
        await each.start()
    assert source.service is not None
    assert sink.service is not None
    path = tmp_path / "film"
    path.write_bytes(some_bytes(4 * MIB))
    publication = await soon(source.service.publish(path))
    begin = asyncio.get_running_loop().time()
    transfer = await sink.service.receive(publication.content_id, sink.home)
    await done(transfer)
    await until(lambda: not publication.receivers)
    assert set(asked) == {bystander.mid}
    assert 2 <= len(asked) <= (asyncio.get_running_loop().time() - begin) / limits.CANARY_EACH + 1
