"""Shared files between communities with real sockets on loopback, and clients that share."""
from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.client import ClientError, Result

from .test_multicast import Maker, make, until
from .test_search import Store, meet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["make"]

BOAT, FILM = b"b" * 32, b"f" * 32


class Sharer(Store):
    """A client that shares files, each with the seconds that hashing takes; or what else happens."""

    torrents: object | None = object()

    def __init__(self, *files: bytes, seconds: float = 0.0, error: Exception | None = None) -> None:
        super().__init__(*(Result("file", file, "/home/me/red boat", 7) for file in files))
        self.files, self.seconds, self.error = set(files), seconds, error
        self.offered: list[tuple[float, bytes]] = []
        self.made: set[bytes] = set()
        self.running = self.most = 0

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        self.offered.append((time.monotonic(), file_id))
        if self.error is not None:
            raise self.error
        if file_id not in self.files:
            raise ClientError("there is no such file in /home/me", 404)
        if file_id not in self.made:
            self.running += 1
            self.most = max(self.most, self.running)
            for part in range(4):
                progress(part / 4)
                await asyncio.sleep(self.seconds / 4)
            self.running -= 1
            self.made.add(file_id)
        return file_id[:20]


async def test_a_file_found_by_search_is_made_a_torrent_and_downloaded_from_there(make: Maker) -> None:
    own, store = Sharer(), Sharer(BOAT)
    a, b = await meet(make, own, store)
    with pytest.raises(ClientError, match="search for it") as unknown:
        await a.download_file(BOAT)
    assert unknown.value.status == 404
    [found] = await a.search("red")
    assert (found.kind, found.id) == ("file", BOAT)
    begin = time.monotonic()
    assert await a.download_file(BOAT) == (BOAT[:20], [b.my_peer.mid])
    assert time.monotonic() - begin < 0.5
    assert own.downloads == [(BOAT[:20], [("127.0.0.1", 6881)])]
    assert await a.download_file(BOAT, b.my_peer.mid) == (BOAT[:20], [b.my_peer.mid])
    assert len(store.offered) == 2
    assert await a.download(BOAT[:20]) == [b.my_peer.mid]  # It is remembered who has it.
    assert a.file_runs == {}
    assert not a.fetches


async def test_hashing_is_told_as_it_goes_on_and_who_joins_late_waits_for_the_same(make: Maker) -> None:
    store = Sharer(BOAT, seconds=1.2)
    a, b = await meet(make, Sharer(), store)
    told: list[tuple[str, float]] = []
    first = asyncio.ensure_future(a.download_file(BOAT, b.my_peer.mid, lambda *args: told.append(args)))
    await asyncio.sleep(0.6)
    second = asyncio.ensure_future(a.download_file(BOAT, b.my_peer.mid))
    await asyncio.sleep(0.05)
    assert len(a.core.file_requests.runs) == 1
    assert (await first)[0] == (await second)[0] == BOAT[:20]
    assert len(store.offered) == 1
    assert {state for state, _ in told} <= {"waiting", "hashing"}
    assert [amount for _, amount in told if amount] == pytest.approx([0.25, 0.5, 0.75], abs=0.001)


async def test_a_refusal_has_a_line_and_nothing_of_what_the_sharers_client_said(
        make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    store = Sharer(BOAT)
    a, b = await meet(make, Sharer(), store)
    with pytest.raises(ClientError) as refused:
        await a.download_file(FILM, b.my_peer.mid)
    assert (refused.value.status, str(refused.value)) == (
        404, "that node shares no such file any more: search again")
    for error, status in ((ClientError("disk /home/me is full", 503), 503), (ClientError("changed", 409), 409),
                          (OSError(5, "input/output error", "/home/me/film"), 503), (ClientError("odd", 200), 503)):
        store.error = error
        with caplog.at_level(logging.CRITICAL), pytest.raises(ClientError) as refused:
            await a.download_file(BOAT, b.my_peer.mid)
        assert refused.value.status == status
        assert "home" not in str(refused.value)
    store.error = None
    assert (await a.download_file(BOAT, b.my_peer.mid))[0] == BOAT[:20]


async def test_the_next_who_has_it_is_asked_when_the_last_shares_it_no_more(make: Maker) -> None:
    a, b, c = await meet(make, Sharer(), Sharer(BOAT), Sharer(BOAT))
    await until(lambda: all("search" in peer.capabilities for peer in a.local_peers()))
    await a.search("red")
    assert len(a.holders[BOAT]) == 2
    last = {b.my_peer.mid: b, c.my_peer.mid: c}[a.holders[BOAT][-1]]
    last.client.files.clear()
    infohash, mids = await a.download_file(BOAT)
    assert infohash == BOAT[:20]
    assert mids == [b.my_peer.mid if last is c else c.my_peer.mid]
    for node in (b, c):
        node.client.files.clear()
        node.client.made.clear()
    with pytest.raises(ClientError, match="shares no such file") as refused:
        await a.download_file(BOAT)
    assert refused.value.status == 404


async def test_one_file_at_a_time_is_hashed_with_rests_and_one_made_before_does_not_wait(make: Maker) -> None:
    store = Sharer(BOAT, FILM, b"1" * 32, seconds=0.3)
    a, b, c = await meet(make, Sharer(), Sharer(), store)
    mid = c.my_peer.mid
    await a.download_file(BOAT, mid)
    begin = time.monotonic()
    slow = [asyncio.ensure_future(node.download_file(file, mid)) for node, file in ((a, FILM), (b, b"1" * 32))]
    await asyncio.sleep(0.1)
    await b.download_file(BOAT, mid)
    assert time.monotonic() - begin < 0.5
    assert not slow[0].done() or not slow[1].done()
    await asyncio.gather(*slow)
    assert store.most == 1
    times = [when for when, file in store.offered if file != BOAT]
    assert times[1] - times[0] >= 0.6


async def test_who_stops_waiting_gives_it_up_and_what_waits_is_not_begun(make: Maker) -> None:
    store = Sharer(BOAT, FILM, seconds=0.5)
    a, b, c = await meet(make, Sharer(), Sharer(), store)
    first = asyncio.ensure_future(b.download_file(FILM, c.my_peer.mid))
    await until(lambda: store.offered)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(a.download_file(BOAT, c.my_peer.mid), 0.2)
    await until(lambda: not a.file_runs)
    assert not a.fetches
    await first
    await asyncio.sleep(0.7)
    assert [file for _, file in store.offered] == [FILM]


async def test_a_fetch_that_goes_on_by_itself_outlasts_those_who_wait_and_is_told_once(make: Maker) -> None:
    own, store = Sharer(), Sharer(BOAT, seconds=0.4)
    a, b = await meet(make, own, store)
    fetch = a.begin_fetch(BOAT, b.my_peer.mid)
    fetch.lasting = True
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(a.download_file(BOAT, b.my_peer.mid), 0.1)
    await until(lambda: own.downloads)
    assert a.begin_fetch(BOAT, b.my_peer.mid) is fetch
    a.told(fetch)
    assert not a.fetches
    again = a.begin_fetch(BOAT, b.my_peer.mid)
    assert a.give_up_file(BOAT) == 1
    await until(lambda: again.task is not None and again.task.done())
    assert a.give_up_file(BOAT) == 0
    assert a.core.file_requests.runs == {}


async def test_giving_up_is_told_to_all_who_wait(make: Maker) -> None:
    a, b = await meet(make, Sharer(), Sharer(BOAT, seconds=5))
    waiting = asyncio.ensure_future(a.download_file(BOAT, b.my_peer.mid))
    await asyncio.sleep(0.1)
    assert a.give_up_file(BOAT) == 1
    with pytest.raises(ClientError, match="given up") as ended:
        await waiting
    assert ended.value.status == 409


async def test_where_the_sharers_bittorrent_listens_may_be_told_only_then(make: Maker) -> None:
    class Late(Sharer):
        def addresses(self) -> list[tuple[str, str, int]]:
            return super().addresses() if self.made else []

    own = Sharer()
    a, b = await meet(make, own, Late(BOAT))
    waiting = asyncio.ensure_future(a.download_file(BOAT, b.my_peer.mid))
    await until(lambda: b.client.made)
    await asyncio.sleep(0.3)
    b.refresh_introduction()
    assert (await waiting)[1] == [b.my_peer.mid]
    assert len(own.downloads) == 1


async def test_with_nobody_to_ask_or_nothing_to_download_by_it_says_so(make: Maker) -> None:
    own = Sharer()
    a, plain = await meet(make, own, None)
    for node, file, mid, status in ((plain, BOAT, a.my_peer.mid, 503), (a, b"short", None, 422), (a, BOAT, None, 404),
                                    (a, BOAT, plain.my_peer.mid, 404)):
        with pytest.raises(ClientError) as refused:
            await node.download_file(file, mid)
        assert refused.value.status == status
        assert "\n" not in str(refused.value)
    with pytest.raises(KeyError):
        await a.download_file(BOAT, bytes(20))
    own.torrents = None
    with pytest.raises(ClientError, match="no BitTorrent"):
        await a.download_file(BOAT, plain.my_peer.mid)
    assert own.downloads == []
    assert a.counters()["sent"]["file_request"] == 1


async def test_it_ends_with_the_node_and_nothing_is_left(make: Maker) -> None:
    a, b = await meet(make, Sharer(), Sharer(BOAT, seconds=30))
    waiting = asyncio.ensure_future(a.download_file(BOAT, b.my_peer.mid))
    await until(lambda: b.client.offered)
    await b.stop()
    assert b.offering is not None
    assert not b.offering.tasks
    await a.stop()
    with pytest.raises(ClientError, match="switched off"):
        await asyncio.wait_for(waiting, 1)
    assert a.file_runs == {}


async def test_outcomes_that_nobody_asks_for_are_few(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.community.fetching.FETCHES_KEPT", 4)
    a, b = await meet(make, Sharer(), Sharer())
    for number in range(10):
        fetch = a.begin_fetch(bytes((number,)) * 32, b.my_peer.mid)
        fetch.lasting = True
        await until(lambda fetch=fetch: fetch.task.done())
    assert len(a.fetches) <= 5


async def test_with_the_policy_friends_nobody_else_is_asked_or_answered(make: Maker) -> None:
    a, b = await meet(make, Sharer(), Sharer(BOAT))
    a.options["policy"] = "friends"  # type: ignore[index]
    await a.apply_settings({"policy"})
    await until(a.local_peers)
    with pytest.raises(ClientError, match="friend"):
        await a.download_file(BOAT, b.my_peer.mid)
    assert b.client.offered == []
