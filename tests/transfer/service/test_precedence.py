"""Two takers and one slot, with real services: who gave is done first, and the newcomer was not left out."""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..trees import MIB, some_bytes
from .nodes import Node, done, soon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.transfer import Transfer

RATE = 2_000_000


async def two_takers(node: Callable[..., Node], tmp_path: Path, credit: Callable[[Node, Node], dict[bytes, int]],
                     ) -> tuple[list[str], dict[str, float]]:
    """Have two fetch different files of one, whose link has room for one; get who was done when, and how far then."""
    source, giver, newcomer = node("source", transfer_rate=RATE), node("giver"), node("newcomer")
    for each in (source, giver, newcomer):
        await each.start()
    source.credit = credit(giver, newcomer)
    assert source.service is not None
    transfers: dict[str, Transfer] = {}
    contents = {}
    for name in ("giver", "newcomer"):
        path = tmp_path / f"{name}.mkv"
        path.write_bytes(some_bytes(4 * MIB + len(name)))
        contents[name] = (await soon(source.service.publish(path))).content_id
    for name, taker in (("newcomer", newcomer), ("giver", giver)):
        assert taker.service is not None
        transfers[name] = await taker.service.receive(contents[name], taker.home)
    order: list[str] = []
    then: dict[str, float] = {}

    async def finish(name: str) -> None:
        await done(transfers[name])
        order.append(name)
        if len(order) == 1:
            then.update({each: transfer.progress for each, transfer in transfers.items()})

    await asyncio.gather(*map(finish, transfers))
    return order, then


async def test_who_gave_is_served_first(node: Callable[..., Node], tmp_path: Path) -> None:
    order, then = await two_takers(node, tmp_path, lambda giver, _: {giver.mid: 1})
    assert order == ["giver", "newcomer"]
    assert 0.05 < then["newcomer"] < 0.6


async def test_with_nobody_who_gave_both_get_the_same(node: Callable[..., Node], tmp_path: Path) -> None:
    _, then = await two_takers(node, tmp_path, lambda *_: {})
    assert min(then.values()) > 0.6
