"""
Data in a group: hidden from whoever does not hold the keys of the session.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.service import incoming
from tribler_multicast.transfer.service.cloak import CLEAR, Cloak

from .nodes import PATIENCE, Node, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
TEXT = b"what only members may read, " * 40


def datagrams(count: int, size: int) -> bytes:
    """
    Make datagrams of one stream that say the same.
    """
    return b"".join(bytes((0xC1,)) + b"the tag." + number.to_bytes(4, "big") + TEXT[:size - CLEAR]
                    for number in range(count))


def test_what_was_turned_twice_is_what_it_was() -> None:
    for data, size in ((datagrams(3, 1000), 1000), (datagrams(3, 1000)[:-300], 1000), (b"", 100), (b"short", 100),
                       (bytes(CLEAR), CLEAR), (datagrams(1, 700), 1400)):
        assert Cloak(KEY).turn(memoryview(Cloak(KEY).turn(data, size)), size) == data


def test_tag_and_sequence_are_clear_and_nothing_else() -> None:
    data = datagrams(2, 1000)
    hidden = Cloak(KEY).turn(data, 1000)
    for start in (0, 1000):
        assert hidden[start:start + CLEAR] == data[start:start + CLEAR]
    assert b"members" not in hidden
    assert hidden[CLEAR:1000] != hidden[1000 + CLEAR:], "no two datagrams are hidden alike"
    counts = Counter(hidden[CLEAR:1000])
    assert -sum(n / 987 * math.log2(n / 987) for n in counts.values()) > 7.5, "it looks like chance"


def test_another_key_shows_nothing() -> None:
    hidden = Cloak(KEY).turn(datagrams(1, 1000), 1000)
    assert b"members" not in Cloak(bytes(32)).turn(hidden, 1000)


@pytest.mark.parametrize("receivers", [1, 2])
async def test_members_of_a_group_get_what_is_hidden(wire: Wire, node: Callable[..., Node], receivers: int,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    source, *sinks = (node(name) for name in "abc"[:receivers + 1])
    seen: list[bytes] = []
    received = incoming.Incoming._received

    def look(self: incoming.Incoming, data: memoryview, *rest: object, **more: object) -> None:
        seen.append(bytes(data))
        received(self, data, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(incoming.Incoming, "_received", look)
    for each in (source, *sinks):
        each.is_sealed = True
    path = source.home / "film"
    path.write_bytes(TEXT * 1000 + random.Random(1).randbytes(100_000))
    publication = await (await source.start()).publish(path, wait_for=receivers)
    transfers = [await (await sink.start()).receive(publication.content_id, sink.home / "film") for sink in sinks]
    for transfer, sink in zip(transfers, sinks, strict=True):
        await asyncio.wait_for(transfer.wait(), PATIENCE)
        assert (sink.home / "film").read_bytes() == path.read_bytes()
    assert len(b"".join(seen)) > path.stat().st_size
    assert not any(b"members" in each for each in seen)


async def test_who_is_in_no_group_makes_nothing_of_it(wire: Wire, node: Callable[..., Node]) -> None:
    source, sink = node("a"), node("b")
    source.is_sealed = True
    path = source.home / "film"
    path.write_bytes(TEXT * 100)
    publication = await (await source.start()).publish(path)
    service = await sink.start()
    await service.receive(publication.content_id, sink.home / "film")
    async with asyncio.timeout(PATIENCE):
        while not publication.uploaded:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert not (sink.home / "film").exists()
