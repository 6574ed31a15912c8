"""Groups in the community: the event loop never waits for a key, and what can't be sealed is not said."""
from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.community import grouping
from tribler_multicast.protocol.wire import SEALED
from tribler_multicast.settings import SettingError

from .test_multicast import Maker, make, make_pair, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tribler_multicast import MulticastCommunity

__all__ = ["make"]

GROUP = {"group_passphrase": "correct horse battery staple"}


def sent_by(community: MulticastCommunity) -> list[bytes]:
    """Collect what a community hands to its sockets from now on."""
    sent: list[bytes] = []
    send_on: Callable[..., None] = community.lan.send_on

    def watched(key: tuple[int, int], address: tuple[str, int] | None, data: bytes, doubtful: bool = False) -> None:
        sent.append(data)
        send_on(key, address, data, doubtful)

    community.lan.send_on = watched  # type: ignore[method-assign]
    return sent


async def change(community: MulticastCommunity, **changes: str) -> None:
    """Change settings as the assembly does."""
    community.options.update(changes)  # type: ignore[attr-defined]
    await community.apply_settings(set(changes))


async def test_members_see_each_other_and_nobody_else_does(make: Maker) -> None:
    a, b, outsider = await make(options=GROUP), await make(options=GROUP), await make()
    await until(lambda: a.local_peers() and b.local_peers())
    assert a.local_peers()[0].mid == b.my_peer.mid
    assert outsider.local_peers() == []
    assert len(a.local_peers()) == 1
    assert outsider.group() is None
    assert a.group() == grouping.GroupStatus()


async def test_the_group_changes_while_running_and_goodbye_is_said_first(make: Maker) -> None:
    a, b = await make_pair(make)
    sent = sent_by(a)
    await change(a, **GROUP)
    sealed = [data.startswith(SEALED) for data in sent]
    assert sealed == sorted(sealed), "from the first sealed one on, all are"
    assert [data[22] for data in sent if not data.startswith(SEALED)].count(2) == 3
    await until(lambda: not b.local_peers())
    await change(b, **GROUP)
    await until(lambda: a.local_peers() and b.local_peers())
    await change(a, policy="everyone")
    await until(lambda: not b.local_peers())


async def test_the_same_passphrase_again_changes_nothing(make: Maker) -> None:
    a, b = await make(options=GROUP), await make(options=GROUP)
    await until(lambda: a.local_peers() and b.local_peers())
    await change(a, **GROUP)
    assert a.local_peers()
    assert a.counters()["sent"].get("goodbye", 0) == 0


async def test_what_cannot_be_sealed_is_not_said(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = await make_pair(make)

    def no_memory(_: str) -> None:
        raise SettingError("the key of the group takes 64 MiB of memory to find, which are not there")

    monkeypatch.setattr(grouping, "_seal", no_memory)
    with pytest.raises(SettingError):
        await change(a, **GROUP)
    sent = sent_by(a)
    await until(lambda: not b.local_peers())
    await asyncio.sleep(1.5)
    assert not sent
    assert not a.running
    with pytest.raises(SettingError):
        await a.start()
    assert not a.running


async def test_the_event_loop_goes_on_while_the_key_is_worked_out(
        make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    a = await make()
    make_slow = grouping._seal

    def slow(passphrase: str) -> object:
        time.sleep(0.5)
        return make_slow(passphrase)

    monkeypatch.setattr(grouping, "_seal", slow)
    ticks = 0
    changing = asyncio.ensure_future(change(a, **GROUP))
    while not changing.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10
    assert a.core.group.seal is not None


async def test_a_node_that_is_unloaded_while_its_key_is_worked_out_stays_silent(
        make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    a = await make()
    await a.stop()
    make_slow = grouping._seal

    def slow(passphrase: str) -> object:
        time.sleep(0.2)
        return make_slow(passphrase)

    monkeypatch.setattr(grouping, "_seal", slow)
    a.options.update(GROUP)  # type: ignore[attr-defined]
    starting = asyncio.ensure_future(a.start())
    await asyncio.sleep(0.05)
    await a.unload()
    await starting
    assert not a.running
    assert not a.lan.is_open()
