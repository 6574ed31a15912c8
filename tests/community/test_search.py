"""Search between communities with real sockets on loopback, and clients that have something."""
from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.client import Activity, ClientError, Result
from tribler_multicast.community.activity import Activities
from tribler_multicast.community.found import Found, Merging, closeness, matches

from .test_multicast import Host, Maker, make, until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tribler_multicast import MulticastCommunity

__all__ = ["make"]

BOAT, CAR = Result("torrent", b"b" * 20, "red boat", 7), Result("torrent", b"c" * 20, "red car", 8)
FILM, CAMERA = Result("stream", b"f" * 20, "a film", 9), Result("stream", b"l" * 32, "camera")


class Store(Host):
    """A client with a store."""

    def __init__(self, *results: Result, search: Callable[[str], list[Result]] | None = None) -> None:
        super().__init__("search")
        self.results = list(results)
        self.look = search
        self.asked: list[tuple[str, frozenset[str], int, str]] = []
        self.downloads: list[tuple[bytes, Sequence[tuple[str, int]]]] = []

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        self.asked.append((text, kinds, most, threading.current_thread().name))
        if self.look is not None:
            return self.look(text)
        return [result for result in self.results if result.kind != "stream" and text in result.name]

    def streams(self) -> list[Result]:
        return [result for result in self.results if result.kind == "stream"]

    def activity(self) -> Activity:
        return Activity("bulk", 5.0, 6.0)

    def addresses(self) -> list[tuple[str, str, int]]:
        return [("libtorrent", "8.8.8.8", 6881), ("libtorrent", "127.9.9.9", 6881), ("libtorrent", "127.0.0.1", 6881),
                ("libtorrent", "2001:db8::1", 6881), ("libtorrent", "fe80::1", 6881)]

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        self.downloads.append((infohash, addresses))


async def meet(make: Maker, *clients: Any) -> list[MulticastCommunity]:  # noqa: ANN401
    nodes = [await make(client=client) for client in clients]
    await until(lambda: all(len(node.local_peers()) == len(nodes) - 1 for node in nodes))
    return nodes


async def test_what_neighbours_have_is_merged_with_all_who_have_it(make: Maker) -> None:
    a, b, c = await meet(make, None, Store(CAR, BOAT, FILM), Store(CAR))
    begin = time.monotonic()
    found = await a.search("red", timeout=5)
    assert time.monotonic() - begin < 1
    assert [(each.kind, each.name, each.size, each.id) for each in found] == [
        ("torrent", "red car", 8, CAR.id), ("torrent", "red boat", 7, BOAT.id)]
    assert [set(each.mids) for each in found] == [{b.my_peer.mid, c.my_peer.mid}, {b.my_peer.mid}]
    assert [each.infohash for each in found] == [CAR.id, BOAT.id]
    assert (await a.search("nothing like that")) == []
    assert (await b.search("car"))[0].mids == [c.my_peer.mid]


async def test_streams_are_listed_with_no_thread_and_found_by_name(make: Maker) -> None:
    store = Store(BOAT, FILM, CAMERA)
    a, _ = await meet(make, None, store)
    assert [found.name for found in await a.streams()] == ["a film", "camera"]
    assert store.asked == []
    assert {found.id: found.infohash for found in await a.streams()} == {FILM.id: FILM.id, CAMERA.id: None}
    assert [found.name for found in await a.search("Film a")] == ["a film"]


async def test_the_store_is_asked_off_the_event_loop_and_never_for_streams(make: Maker) -> None:
    store = Store(BOAT)
    a, _ = await meet(make, None, store)
    await a.search("boat", kinds=("torrent", "stream", "file"))
    [(text, kinds, most, thread)] = store.asked
    assert (text, kinds, most) == ("boat", {"torrent", "file"}, 50)
    assert thread != threading.main_thread().name


async def test_partial_results_come_before_the_end(make: Maker) -> None:
    def slow(_text: str) -> list[Result]:
        time.sleep(0.4)
        return [CAR]

    a, _, c = await meet(make, None, Store(CAR), Store(search=slow))
    told: list[tuple[float, list[Found]]] = []
    begin = time.monotonic()
    found = await a.search("car", timeout=5, partial=lambda found: told.append((time.monotonic() - begin, found)))
    assert [len(found[0].mids) for _, found in told] == [1, 2]
    assert told[0][0] < 0.3 < told[1][0]
    assert c.my_peer.mid in found[0].mids


async def test_a_slow_store_is_asked_one_query_at_a_time_and_a_hanging_one_is_given_up(
        make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    running, most, go = 0, 0, threading.Event()

    def hang(text: str) -> list[Result]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        go.wait(10 if text == "hang" else 0.05)
        running -= 1
        return [BOAT]

    a, b = await meet(make, None, Store(search=hang))
    assert [len(found) for found in await asyncio.gather(*(a.search("x", timeout=5) for _ in range(4)))] == [1] * 4
    assert most == 1
    begin = time.monotonic()
    assert await a.search("hang", timeout=1) == []
    assert time.monotonic() - begin < 2
    await asyncio.sleep(1.5)
    assert "longer than" in caplog.text
    assert b.counters()["dropped"]["unanswered"] >= 1
    go.set()
    found = await a.search("x", timeout=5)
    assert [each.name for each in found] == ["red boat"]


async def test_the_store_rests_as_long_as_a_query_took(make: Maker) -> None:
    began: list[float] = []

    def look(_text: str) -> list[Result]:
        began.append(time.monotonic())
        time.sleep(0.3)
        return []

    a, b, _ = await meet(make, None, None, Store(search=look))
    await asyncio.gather(a.search("x", timeout=5), b.search("y", timeout=5))
    assert len(began) == 2
    assert began[1] - began[0] >= 0.6


async def test_a_store_that_fails_is_said_in_the_log_and_answers_nothing(
        make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_text: str) -> list[Result]:
        raise RuntimeError("no disk")

    store = Store(search=fail)
    a, b = await meet(make, None, store)
    with caplog.at_level(logging.ERROR):
        assert await a.search("x", timeout=0.5) == []
    assert "no disk" in caplog.text
    store.look = lambda _text: [BOAT]
    assert [found.name for found in await a.search("x", timeout=2)] == ["red boat"]
    assert b.local_peers()


async def test_a_client_without_the_capability_is_not_asked(make: Maker) -> None:
    store = Store(BOAT)
    store.offers = frozenset()
    a, _ = await meet(make, None, store)
    assert await a.search("boat", timeout=5) == []
    assert store.asked == []


@pytest.mark.parametrize("wrong", [
    {"text": ""}, {"text": " \n"}, {"text": "x" * 129}, {"text": "\ud800"}, {"timeout": 0}, {"timeout": float("nan")},
    {"timeout": 31}, {"kinds": ()}, {"kinds": ("everything",)}])
async def test_what_cannot_be_is_said_in_one_line(make: Maker, wrong: dict[str, Any]) -> None:
    node = await make()
    with pytest.raises(ValueError) as caught:
        await node.search(**{"text": "x", **wrong})
    assert "\n" not in str(caught.value)
    assert node.searches == {}


async def test_a_search_ends_with_the_node_and_one_that_is_given_up_leaves_nothing(make: Maker) -> None:
    a, _ = await meet(make, None, Store(search=lambda _text: time.sleep(0.3) or []))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(a.search("x", timeout=20), 0.1)
    assert a.core.searches.runs == {}
    assert a.searches == {}
    task = asyncio.ensure_future(a.search("x", timeout=20))
    await asyncio.sleep(0.05)
    await a.stop()
    assert await asyncio.wait_for(task, 1) == []
    with pytest.raises(ValueError, match="switched off"):
        await a.search("x")


async def test_a_download_goes_to_who_said_to_have_it_and_only_to_addresses_on_our_link(make: Maker) -> None:
    own = Store()
    a, b, c = await meet(make, own, Store(BOAT), Store(CAR))
    assert set(await a.download(BOAT.id)) == {b.my_peer.mid, c.my_peer.mid}  # Nobody was heard of: all.
    await a.search("red")
    a.remember(c.my_peer.mid, [Result("torrent", BOAT.id, "red boat", has=False)])  # It only knows of it.
    assert await a.download(BOAT.id) == [b.my_peer.mid]
    assert await a.download(BOAT.id, c.my_peer.mid) == [c.my_peer.mid]
    assert own.downloads[1:] == [(BOAT.id, [("127.0.0.1", 6881)])] * 2
    with pytest.raises(KeyError):
        await a.download(BOAT.id, bytes(20))


async def test_who_has_a_torrent_may_take_a_moment_to_say_where_it_listens(make: Maker) -> None:
    own, late = Store(), Store(BOAT)
    late.addresses = list  # type: ignore[method-assign]
    a, b = await meet(make, own, late)
    await a.search("red")
    waiting = [asyncio.ensure_future(a.download(BOAT.id, mid)) for mid in (None, b.my_peer.mid)]
    await asyncio.sleep(0.3)
    del late.addresses
    b.refresh_introduction()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 2) == [[b.my_peer.mid]] * 2
    assert len(own.downloads) == 2


async def test_with_the_policy_friends_nothing_is_downloaded_from_others(make: Maker) -> None:
    own = Store()
    a, b = await meet(make, own, Store(BOAT))
    a.options["policy"] = "friends"  # type: ignore[index]
    await a.apply_settings({"policy"})
    await until(a.local_peers)
    with pytest.raises(ClientError, match="no local node"):
        await a.download(BOAT.id)
    with pytest.raises(ClientError, match="that node"):
        await a.download(BOAT.id, b.my_peer.mid)
    assert own.downloads == []


async def test_with_nobody_or_nothing_to_download_by_it_says_so(make: Maker) -> None:
    [alone] = await meet(make, Store())
    with pytest.raises(ClientError, match="no local node"):
        await alone.download(BOAT.id)
    plain = await make()
    with pytest.raises(ClientError, match="no BitTorrent client"):
        await plain.download(BOAT.id)
    await until(alone.local_peers)
    with pytest.raises(ClientError, match="that node takes no"):
        await alone.download(BOAT.id, plain.my_peer.mid)


async def test_who_has_what_is_remembered_within_bounds(make: Maker) -> None:
    node = await make()
    for number in range(3000):
        node.remember(bytes(20), [Result("torrent", number.to_bytes(20, "big"), "x")])
    for number in range(300):
        node.remember(number.to_bytes(20, "big"), [BOAT, Result("file", b"f" * 32, "x")])
    assert len(node.holders) == 1024
    assert len(node.holders[BOAT.id]) == 20


def test_a_thing_has_the_name_that_most_say_and_the_order_is_by_peers_then_by_fit() -> None:
    merging = Merging("red boat")
    merging.add(b"1", [Result("torrent", b"x" * 20, "a red boat", 1), Result("torrent", b"y" * 20, "red boat"),
                       Result("torrent", b"z" * 20, "red boats of the sea"), Result("torrent", b"v" * 20, "boat")])
    merging.add(b"2", [Result("torrent", b"w" * 20, "virus", 666), Result("torrent", b"v" * 20, "boat of red")])
    assert merging.add(b"3", [Result("torrent", b"v" * 20, "boat of red")])[0].name == "boat of red"
    assert [found.name for found in merging.found()] == ["boat of red", "red boat", "a red boat",
                                                         "red boats of the sea", "virus"]


def test_words_are_compared_whatever_their_case() -> None:
    assert matches("GROSSE boat", "Ein großes Boat.mkv")
    assert not matches("red boat", "red car")
    assert [closeness("red boat", name) for name in ("Red.Boat", "red boat 2", "boat, red", "redboat")] == [3, 2, 1, 0]


def test_a_declared_activity_counts_until_it_expires() -> None:
    activities = Activities(Store())
    assert activities.current(1.0) == (Activity("bulk", 5.0, 6.0), None)
    activities.declare(Activity("live", up=100.0), 10.0, 1.0)
    assert activities.current(10.9) == (Activity("live", 100.0, 6.0), 11.0)
    assert activities.current(11.0) == (Activity("bulk", 5.0, 6.0), None)
    activities.client = None  # type: ignore[assignment]
    assert activities.current(12.0) == (Activity(), None)


