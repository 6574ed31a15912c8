"""
Torrents and feeds by messages, between real nodes: who hears what, and until when.
"""
from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.feeds.web import WebServer
from tribler_multicast.control.messages import (
    Cancel,
    Done,
    Event,
    Failed,
    Fetch,
    Finished,
    ListFeeds,
    ListTransfers,
    Made,
    MakeTorrent,
    NewItem,
    Progress,
    Publish,
    Query,
    Removed,
    SetRate,
    ShowStatus,
    Started,
    Stop,
    Stopped,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Watch,
    Withdraw,
)

from .conftest import closing, meet, next_event, until, until_closing

if TYPE_CHECKING:
    from tribler_multicast.control import User
    from tribler_multicast.standalone import EmbeddedNode

    from .conftest import OpenNode

pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")

NOBODY = "ab" * 20
MAGNET = f"magnet:?xt=urn:btih:{NOBODY}&dn=boat"


async def make_film(node: EmbeddedNode, folder: Path, size: int = 300_000) -> tuple[str, Path]:
    """
    Have a node seed a film: its infohash, and where its .torrent is.
    """
    film, output = folder / "film.mkv", folder / "film.torrent"
    film.write_bytes(bytes(range(250)) * (size // 250))
    with node.connect() as user:
        done = await closing(user, MakeTorrent(str(film), str(output)), Done)
    return done.result["infohash"], output


async def read_until(user: User, kind: type[Event]) -> list[Event]:
    """
    Read events up to the first of a kind.
    """
    events: list[Event] = []
    while not events or not isinstance(events[-1], kind):
        events.append(await next_event(user))
    return events


async def test_making_tells_how_far_it_is_then_what_was_made(open_a: OpenNode, tmp_path: Path) -> None:
    node = await open_a("a")
    film = tmp_path / "film.mkv"
    film.write_bytes(bytes(8_000_000))
    with node.connect() as user:
        *progress, made, done = await until_closing(user, MakeTorrent(str(film), str(tmp_path), publish=True))
        assert progress
        assert all(isinstance(each, Progress) and each.transfer is None for each in progress)
        assert isinstance(made, Made)
        assert isinstance(done, Done)
        assert (made.name, made.size, made.path, made.published) == ("film.mkv", 8_000_000, str(film), True)
        assert made.file == str(tmp_path / "film.mkv.torrent")
        assert done.result["magnet"].startswith(f"magnet:?xt=urn:btih:{made.infohash}")
        own = (await closing(user, ListFeeds(), Done)).result["own"]
        assert [item["infohash"] for item in own["published"]] == [made.infohash]
        await closing(user, Withdraw(made.infohash), Done)
        assert (await closing(user, ListFeeds(), Done)).result["own"]["published"] == []
        assert (await closing(user, Withdraw(made.infohash), Failed)).status == 404
        [transfer] = (await closing(user, ListTransfers(), Done)).result["transfers"]
        assert transfer["infohash"] == made.infohash
        await closing(user, Publish(str(film), title="A film"), Done)
        [item] = (await closing(user, ListFeeds(), Done)).result["own"]["published"]
        assert item["title"] == "A film"


async def test_every_kind_of_source_ends_in_the_same_file(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    infohash, output = await make_film(a, tmp_path)
    await until(lambda: b.control.parts.community.local_peers()[0].services)
    async with WebServer() as server:
        url = server.add("film", output.read_bytes()).enclosure
        sources = [infohash, f"magnet:?xt=urn:btih:{infohash}", str(output), url if "://" in url else server.base + url]
        with b.connect() as user:
            for number, source in enumerate(sources):
                folder = tmp_path / f"down{number}"
                started, *progress, finished, done = await until_closing(user, Fetch(source, a.mid, str(folder)))
                assert isinstance(started, Started)
                assert isinstance(finished, Finished)
                assert isinstance(done, Done)
                assert (started.infohash, started.already, started.peers) == (infohash, False, (a.mid,))
                assert all(isinstance(each, Progress) and each.transfer for each in progress)
                assert finished.path == done.result["path"] == str(folder / "film.mkv")
                assert (folder / "film.mkv").read_bytes() == (tmp_path / "film.mkv").read_bytes()
                again = await until_closing(user, Fetch(source, a.mid))
                assert [type(each) for each in again] == [Started, Progress, Finished, Done]
                assert again[0].as_dict()["already"] is True
                await closing(user, Stop(infohash, delete=True), Done)
                assert not (folder / "film.mkv").exists()


async def test_a_shared_file_is_found_hashed_by_its_owner_and_fetched(open_a: OpenNode, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "red boat.mkv").write_bytes(b"boat" * 50_000)
    a, b = await open_a("a", share=[share]), await open_a("b")
    await meet(a, b)
    with b.connect() as user:
        results: list[dict[str, str]] = []
        async with asyncio.timeout(20):  # until it is indexed
            while not results:
                *found, done = await until_closing(user, Query("boat", kinds=("file",)))
                assert isinstance(done, Done)
                results = done.result["results"]
        assert [each.as_dict()["results"] for each in found] == [results]
        started, *progress, _, done = await until_closing(user, Fetch(results[0]["file_id"]))
        while isinstance(started, Progress):
            assert started.transfer is None
            started = progress.pop(0)
        assert isinstance(started, Started)
        assert started.peers == (a.mid,)
        assert Path(done.as_dict()["result"]["path"]).read_bytes() == b"boat" * 50_000


async def test_of_the_progress_that_waits_to_be_read_only_the_newest_is_kept(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user, node.connect() as slow:
        await closing(user, Fetch(MAGNET, follow=False), Done)
        await slow.commands.put(Watch(current=False))
        await until(lambda: slow.under_way)
        torrents = node.control.parts.client.torrents
        assert torrents is not None
        [status] = torrents.status()
        for number in range(100):
            for infohash in (status.infohash, b"x" * 20):
                node.control.following._changed(replace(status, infohash=infohash, progress=number / 100))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert slow.events.qsize() == 2
        assert {(await next_event(slow)).as_dict()["done"] for _ in range(2)} == {0.99}


async def test_two_who_fetch_the_same_both_hear_and_a_third_does_not(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    infohash, output = await make_film(a, tmp_path, 500_000)
    with b.connect() as one, b.connect() as two, b.connect() as third:
        fetches = {user: Fetch(str(output), follow=True) for user in (one, two)}
        for user, fetch in fetches.items():
            await user.commands.put(fetch)
        for user, fetch in fetches.items():
            events = await read_until(user, Done)
            assert {event.request for event in events} == {fetch.request}
            assert [type(event) for event in events if not isinstance(event, Progress)] == [Started, Finished, Done]
        assert third.events.empty()
        assert (tmp_path / "b" / "downloads" / "film.mkv").stat().st_size == 500_000
        assert (await closing(third, ListTransfers(), Done)).result["transfers"][0]["infohash"] == infohash


async def test_a_user_who_closes_leaves_its_torrents_running(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as user:
        await user.commands.put(Fetch(MAGNET))
        await read_until(user, Started)
    with node.connect() as user:
        [transfer] = (await closing(user, ListTransfers(), Done)).result["transfers"]
        assert (transfer["infohash"], transfer["name"]) == (NOBODY, "boat")
        fetch = Fetch(MAGNET)
        await user.commands.put(fetch)
        await read_until(user, Started)
        await user.commands.put(Cancel(fetch.request))
        await read_until(user, Stopped)
        assert len((await closing(user, ListTransfers(), Done)).result["transfers"]) == 1


async def test_whoever_stops_a_torrent_stops_it_for_all_who_fetch_or_watch_it(open_a: OpenNode) -> None:
    node = await open_a("a")
    with node.connect() as one, node.connect() as two, node.connect() as watcher, node.connect() as third:
        await watcher.commands.put(Watch())
        for user in (one, two):
            await user.commands.put(Fetch(MAGNET))
            await read_until(user, Started)
        await closing(third, Stop(NOBODY), Done)
        for user in (one, two):
            stopped = (await read_until(user, Stopped))[-1]
            assert isinstance(stopped, Stopped)
            assert user.events.empty()
        removed = (await read_until(watcher, Removed))[-1]
        assert isinstance(removed, Removed)
        assert removed.infohash == NOBODY
        assert (await closing(third, Stop(NOBODY), Failed)).status == 404


async def test_watching_one_tells_of_no_other_and_rates_are_told(open_a: OpenNode, tmp_path: Path) -> None:
    node = await open_a("a")
    with node.connect() as user, node.connect() as watcher:
        await closing(user, Fetch(MAGNET, follow=False), Done)
        infohash, _ = await make_film(node, tmp_path)
        await watcher.commands.put(Watch(NOBODY))
        assert (await next_event(watcher)).as_dict()["transfer"]["infohash"] == NOBODY
        await closing(user, SetRate(infohash, 5), Done)
        await closing(user, SetRate(NOBODY, 1000, 2000), Done)
        await closing(user, SetRate(None, 10**6), Done)
        while (told := (await next_event(watcher)).as_dict()["transfer"])["up_limit"] is None:
            assert told["infohash"] == NOBODY
        assert (told["infohash"], told["up_limit"], told["down_limit"]) == (NOBODY, 1000, 2000)
        assert (await closing(user, SetRate("cd" * 20, 5), Failed)).status == 404
        assert (await closing(user, SetRate(None, -5), Failed)).status == 422
        assert (await closing(user, SetRate(None, 2**50), Failed)).status == 422


async def test_sources_that_cannot_be_are_failed_in_one_line(open_a: OpenNode, tmp_path: Path) -> None:
    node = await open_a("a")
    large, broken = tmp_path / "large.torrent", tmp_path / "broken.torrent"
    with large.open("wb") as file:
        file.truncate(10**9)
    broken.write_bytes(b"d4:info" + b"l" * 100_000)
    os.mkfifo(tmp_path / "pipe")
    with node.connect() as user:
        for source in ("", "boat", "magnet:?x", NOBODY[:-1], "ftp://x/y", str(tmp_path / "none"), str(tmp_path),
                       str(large), str(broken), str(tmp_path / "pipe"), "/dev/zero", "http://", "file:///etc/passwd",
                       "/\0", "/\udcff" * 9, NOBODY, "cd" * 32, "http://127.0.0.1:9/x.torrent"):
            failed = await closing(user, Fetch(source), Failed)
            assert "\n" not in failed.reason
            assert "not foreseen" not in failed.reason, source
        for fetch in (Fetch(MAGNET, peer="x"), Fetch(MAGNET, peer="ef" * 20), Fetch(MAGNET, folder="here"),
                      Fetch(MAGNET, folder=str(broken)), Fetch(NOBODY, peer="ef" * 20), Fetch("cd" * 32, folder="/x"),
                      Fetch(NOBODY, folder=str(tmp_path)), Fetch(NOBODY, "ef" * 20, str(tmp_path))):
            assert (await closing(user, fetch, Failed)).status in (404, 409, 422, 503), fetch
        assert (await closing(user, ListTransfers(), Done)).result["transfers"] == []


async def test_a_new_episode_is_told_downloaded_from_a_neighbour_and_there(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a"), await open_a("b")
    await meet(a, b)
    infohash, output = await make_film(a, tmp_path)
    async with WebServer() as server:
        with b.connect() as user, b.connect() as every, b.connect() as other:
            await user.commands.put(Subscribe(server.url))
            await every.commands.put(Subscribe())
            assert isinstance(await next_event(user), Subscribed)
            feeds = b.control.parts.feeds
            assert feeds is not None
            server.add("Episode 1", output.read_bytes())
            [feed] = feeds.list()
            await feeds.check(feed.id)
            for listener in (user, every):
                events = await read_until(listener, Finished)
                assert isinstance(events[0], NewItem)
                assert isinstance(events[-1], Finished)
                assert events[0].item["title"] == "Episode 1"
                assert (events[-1].infohash, events[-1].item) == (infohash, events[0].item)
                assert Path(events[-1].path).read_bytes() == (tmp_path / "film.mkv").read_bytes()
            await closing(other, Unsubscribe(server.url), Done)
            assert isinstance((await read_until(user, Stopped))[-1], Stopped)
            assert (await closing(other, Unsubscribe(server.url), Failed)).status == 404
            assert every.events.empty()
            assert isinstance((await until_closing(every, ShowStatus()))[-1], Done)


async def test_episodes_that_were_begun_before_are_followed_too(open_a: OpenNode, tmp_path: Path) -> None:
    b = await open_a("b")
    film, output = tmp_path / "film.mkv", tmp_path / "film.torrent"
    film.write_bytes(b"film" * 50_000)
    async with WebServer() as server:
        with b.connect() as user:
            await closing(user, MakeTorrent(str(film), str(output), seed=False), Done)
            server.add("Episode 1", output.read_bytes())
            await closing(user, Subscribe(server.url, follow=False, first=1), Done)
            torrents = b.control.parts.client.torrents
            assert torrents is not None
            await until(torrents.status)
        with b.connect() as user:
            await user.commands.put(Subscribe(server.url))
            assert [type(await next_event(user)) for _ in range(2)] == [Subscribed, Progress]
            a = await open_a("a")  # who has it
            with a.connect() as seeder:
                await closing(seeder, MakeTorrent(str(film)), Done)
            finished = (await read_until(user, Finished))[-1]
            assert isinstance(finished, Finished)
            assert finished.item is not None
            assert finished.item["title"] == "Episode 1"
        with b.connect() as user:
            await user.commands.put(Subscribe(server.url))
            assert isinstance(await next_event(user), Subscribed)
            for command in (Subscribe(server.url, earlier=True), Subscribe(earlier=True)):
                await user.commands.put(command)
                events = await read_until(user, Finished)
                assert {event.request for event in events} == {command.request}
                assert events[-1].as_dict()["item"] == finished.item
