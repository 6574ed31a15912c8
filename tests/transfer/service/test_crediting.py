"""
Who gave whom how much, as nodes write it down.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tribler_multicast.transfer.service.crediting import Credit

from ..trees import MIB, some_bytes
from .nodes import Node, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeNode = Callable[..., Node]


def up(node: Node, *, helped: bool = False) -> Counter[bytes]:
    """Bytes given, by peer."""
    found: Counter[bytes] = Counter()
    for mid, more, _, as_helper in node.counted:
        found[mid] += more if as_helper is helped else 0
    return +found


def down(node: Node, *, helped: bool = False) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for mid, _, more, as_helper in node.counted:
        found[mid] += more if as_helper is helped else 0
    return +found


async def test_source_and_receivers_count_the_same_and_nobody_else(node: MakeNode, tmp_path: Path) -> None:
    source, one, two, bystander = node("source"), node("one"), node("two"), node("bystander")
    for each in (source, one, two, bystander):
        await each.start()
    film = tmp_path / "film.mkv"
    film.write_bytes(some_bytes(3 * MIB))
    assert source.service is not None
    publication = await soon(source.service.publish(film, wait_for=2))
    for each in (one, two):
        assert each.service is not None
        await each.service.receive(publication.content_id, each.home)
    for each in (one, two):
        assert each.service is not None
        await done(next(iter(each.service.transfers.values())))
    await until(lambda: publication.finished == 2)
    for each in (one, two):
        taken, given = down(each)[source.mid] + down(each, helped=True).total(), up(source)[each.mid]
        assert 3 * MIB <= taken < 3.6 * MIB
        assert down(each).keys() <= {source.mid}
        assert 0.8 * taken <= given <= 1.3 * taken
    assert up(source).keys() == {one.mid, two.mid}
    assert (down(source), bystander.counted) == (Counter(), [])


async def test_a_receiver_that_joins_again_is_counted_on(node: MakeNode, tmp_path: Path) -> None:
    source, sink = node("source"), node("sink")
    await source.start()
    await sink.start()
    assert source.service is not None
    assert sink.service is not None
    total = 0
    for number in (1, 2):
        path = tmp_path / f"film {number}"
        path.write_bytes(some_bytes(MIB + number))
        publication = await soon(source.service.publish(path))
        total += MIB
        for again in (1, 2):
            folder = sink.home / str(again)
            folder.mkdir(exist_ok=True)
            transfer = await sink.service.receive(publication.content_id, folder)
            await done(transfer)
            await sink.service.remove(transfer.id)
            (folder / path.name).unlink()
        total += MIB
    await until(lambda: up(source)[sink.mid] >= total)
    assert total <= down(sink)[source.mid] < 1.5 * total


def test_only_what_is_new_is_told() -> None:
    told: list[tuple[bytes, int, int, bool]] = []

    class Book:
        def count(self, mid: bytes, *, up: int = 0, down: int = 0, helped: bool = False) -> None:
            told.append((mid, up, down, helped))

    credit = Credit(Book())  # type: ignore[arg-type]
    credit.total(b"a", up=10)
    credit.total(b"a", up=10)
    credit.total(b"a", up=15, down=1)
    credit.helped({b"a": 5}, {b"b": 7})
    credit.helped({b"a": 5}, {b"a": 2, b"b": 7})
    credit.total(b"a", up=3, down=1)
    credit.forget(b"a")
    credit.total(b"a", up=3)
    assert told[:2] == [(b"a", 10, 0, False), (b"a", 5, 1, False)]
    assert [sum(each[1] for each in told if each[0] == mid and each[3] is helped)
            for mid, helped in ((b"a", False), (b"a", True), (b"b", True))] == [18, 5, 0]
    assert [sum(each[2] for each in told if each[0] == mid and each[3] is helped)
            for mid, helped in ((b"a", False), (b"a", True), (b"b", True))] == [1, 2, 7]
