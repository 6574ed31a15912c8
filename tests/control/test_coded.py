"""
Publishing and fetching by messages, between real nodes on the loopback interface.
"""
from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.standalone.oneshots import leftovers, same, tree
from tribler_multicast.control.coded_messages import (
    FetchCoded,
    FinishedCoded,
    ListCoded,
    ListPublications,
    PauseCoded,
    ProgressCoded,
    PublishCoded,
    PublishedCoded,
    RateCoded,
    RemoveCoded,
    RemovedCoded,
    ResumeCoded,
    StartedCoded,
    WatchCoded,
    WithdrawCoded,
)
from tribler_multicast.control.messages import Cancel, ChangeSettings, Command, Done, Event, Failed, Progress, Stopped

from .conftest import closing, meet, next_event, until, until_closing

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast.control import User
    from tribler_multicast.standalone import EmbeddedNode

    from .conftest import OpenNode

NONE = "ab" * 32


async def publish(user: User, path: Path) -> str:
    """
    Publish something; its id.
    """
    return str((await closing(user, PublishCoded(str(path)), Done)).result["content_id"])


async def reason(user: User, command: Command, status: int) -> str:
    """
    Put a command that fails with this status; why.
    """
    failed = await closing(user, command, Failed)
    assert failed.status == status, failed
    return failed.reason


def slow_film(folder: Path) -> Path:
    """
    Make a file that takes long at the rate of `slow`.
    """
    path = folder / "film.mkv"
    path.write_bytes(random.Random(1).randbytes(4_000_000))
    return path


SLOW = {"transfer_rate": 500_000}


async def two(open_a: OpenNode, **settings: object) -> tuple[EmbeddedNode, EmbeddedNode]:
    """
    Open two nodes that know each other.
    """
    a, b = await open_a("a", settings=settings), await open_a("b")
    await meet(a, b)
    return a, b


async def test_a_folder_is_published_and_fetched(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a)
    root, output = tree(tmp_path / "in"), tmp_path / "out"
    output.mkdir()
    with a.connect() as publisher, b.connect() as user:
        *facts, done = await until_closing(publisher, PublishCoded(str(root)))
        assert isinstance(done, Done)
        assert isinstance(facts[-1], PublishedCoded)
        assert all(isinstance(each, Progress) for each in facts[:-1])
        content_id = done.result["content_id"]
        assert (facts[-1].content_id, facts[-1].files, facts[-1].path) == (content_id, 4, str(root))
        *facts, done = await until_closing(user, FetchCoded(content_id, str(output)))
        assert isinstance(done, Done)
        kinds = [type(each) for each in facts]
        assert (kinds[0], kinds[-1]) == (StartedCoded, FinishedCoded)
        assert set(kinds[1:-1]) == {ProgressCoded}
        assert isinstance(facts[-1], FinishedCoded)
        assert facts[-1].path == done.result["path"] == str(output / "holiday")
        assert same(root, output / "holiday")
        listed = (await closing(user, ListCoded(done.result["id"]), Done)).result
        assert (listed["files_total"], listed["state"], listed["role"]) == (3, "done", "receiver")
        served = (await closing(publisher, ListCoded(), Done)).result["transfers"]
        assert [(each["role"], each["content_id"]) for each in served] == [("source", content_id)]
        [publication] = (await closing(publisher, ListPublications(), Done)).result["publications"]
        await until(lambda: a.control.parts.transfers.publications[bytes.fromhex(content_id)].finished)  # type: ignore[union-attr]
        assert publication["uploaded"] > publication["size"]


async def test_without_an_output_it_goes_to_the_downloads(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a)
    path = slow_film(tmp_path)
    with a.connect() as publisher, b.connect() as user:
        done = await closing(user, FetchCoded(await publish(publisher, path)), Done)
        assert done.result["path"] == str(tmp_path / "b" / "downloads" / path.name)
        await closing(user, ChangeSettings({"download_folder": str(tmp_path / "new" / "films")}), Done)
        (tmp_path / "b" / "downloads" / path.name).unlink()
        again = await closing(user, FetchCoded(await publish(publisher, path)), Done)
        assert again.result["path"] == str(tmp_path / "new" / "films" / path.name)


async def test_the_same_again_is_the_same(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a, **SLOW)
    path = slow_film(tmp_path)
    (tmp_path / "out").mkdir()
    with a.connect() as publisher, b.connect() as user, b.connect() as other:
        content_id = await publish(publisher, path)
        assert await publish(publisher, path) == content_id
        assert len((await closing(publisher, ListPublications(), Done)).result["publications"]) == 1
        command = FetchCoded(content_id, str(tmp_path / "out"))
        await user.commands.put(command)
        started = await next_event(user)
        assert isinstance(started, StartedCoded)
        assert not started.already
        begun = await until_closing(other, FetchCoded(content_id, str(tmp_path / "out"), follow=False))
        assert isinstance(begun[0], StartedCoded)
        assert (begun[0].id, begun[0].already) == (started.id, True)
        # Elsewhere is another wish, and can't be had at the same time.
        assert "already" in await reason(other, FetchCoded(content_id, str(tmp_path / "elsewhere")), 409)


async def test_a_transfer_is_paused_limited_resumed_and_watched(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a, **SLOW)
    path, output = slow_film(tmp_path), tmp_path / "out"
    output.mkdir()
    with a.connect() as publisher, b.connect() as user, b.connect() as watcher:
        content_id = await publish(publisher, path)
        watch = WatchCoded()
        await watcher.commands.put(watch)
        view = (await closing(user, FetchCoded(content_id, str(output), follow=False), Done)).result

        async def seen(**wanted: object) -> dict[str, Any]:
            while True:
                event = await next_event(watcher)
                assert isinstance(event, ProgressCoded), event
                if all(event.transfer[name] == value for name, value in wanted.items()):
                    return event.transfer

        await seen(state="active", id=view["id"])
        paused = (await closing(user, PauseCoded(view["id"]), Done)).result
        assert paused["state"] == "paused"
        await seen(state="paused")
        limited = (await closing(user, RateCoded(view["id"], 2**30), Done)).result
        assert (limited["rate"], limited["state"]) == (2**30, "paused")
        assert (await closing(user, RateCoded(view["id"]), Done)).result["rate"] is None
        await closing(publisher, ChangeSettings({"transfer_rate": 0}), Done)
        assert (await closing(user, ResumeCoded(view["id"].upper()), Done)).result["state"] != "paused"
        await seen(state="done", progress=1.0)
        assert same(path, output / path.name)
        await closing(user, RemoveCoded(view["id"], delete=True), Done)
        while not isinstance(event := await next_event(watcher), RemovedCoded):
            assert isinstance(event, ProgressCoded)
        assert event.id == view["id"]
        assert same(path, output / path.name), "what is whole is never deleted"
        await watcher.commands.put(Cancel(watch.request))


async def test_who_follows_a_transfer_that_is_removed_is_told(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a, **SLOW)
    path, output = slow_film(tmp_path), tmp_path / "out"
    output.mkdir()
    with a.connect() as publisher, b.connect() as user, b.connect() as other:
        command = FetchCoded(await publish(publisher, path), str(output))
        await user.commands.put(command)
        events: list[Event] = []
        while not (events and isinstance(events[-1], ProgressCoded) and events[-1].transfer["state"] == "active"):
            events.append(await next_event(user))
        started = events[0]
        assert isinstance(started, StartedCoded)
        assert leftovers(output) != []
        await closing(other, RemoveCoded(started.id, delete=True), Done)
        while not (event := await next_event(user)).closing:
            pass
        assert isinstance(event, Stopped)
        assert leftovers(output) == []
        assert (await closing(other, ListCoded(), Done)).result["transfers"] == []


async def test_who_follows_a_transfer_hears_when_the_node_is_switched_off(open_a: OpenNode, tmp_path: Path) -> None:
    b = await open_a("b")
    with b.connect() as user, b.connect() as other:
        command = FetchCoded(NONE, str(tmp_path / "out"))
        await user.commands.put(command)
        assert isinstance(await next_event(user), StartedCoded)
        await closing(other, ChangeSettings({"enabled": False}), Done)
        while not (event := await next_event(user)).closing:
            pass
        assert isinstance(event, Stopped)


async def test_what_is_withdrawn_is_offered_no_more(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a)
    path = slow_film(tmp_path)
    with a.connect() as publisher, b.connect() as user, b.connect() as other:
        content_id = await publish(publisher, path)
        assert (await closing(publisher, WithdrawCoded(content_id), Done)).result == {"content_id": content_id}
        assert (await closing(publisher, ListPublications(), Done)).result == {"publications": []}
        await user.commands.put(FetchCoded(content_id, str(tmp_path / "out")))
        await next_event(user)
        [view] = (await closing(other, ListCoded(), Done)).result["transfers"]
        assert (view["state"], view["name"]) == ("waiting", None)
    assert path.exists()


@pytest.mark.parametrize(("command", "status"), [
    (PublishCoded("film"), 422), (PublishCoded("/no/such/file"), 404), (PublishCoded("/dev/null"), 422),
    (WithdrawCoded(NONE), 404), (WithdrawCoded("ab"), 422),
    (FetchCoded("ab"), 422), (FetchCoded(NONE, "out"), 422), (FetchCoded(NONE, "/no/such/folder"), 404),
    (FetchCoded(NONE, "/no\0thing"), 422), (FetchCoded(NONE, rate=-1), 422), (FetchCoded(NONE, rate=2**41), 422),
    (ListCoded("ab" * 8), 404), (PauseCoded("x"), 404), (ResumeCoded(""), 404), (RateCoded("x", 5), 404),
    (RemoveCoded("ab" * 8), 404)])
async def test_what_cannot_be_is_one_line(open_a: OpenNode, command: Command, status: int) -> None:
    a = await open_a("a")
    with a.connect() as user:
        line = await reason(user, command, status)
        assert "\n" not in line


async def test_a_node_that_is_switched_off_says_so(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await open_a("a", settings={"coded": False}), await open_a("b", settings={"enabled": False})
    for node in (a, b):
        with node.connect() as user:
            for command in (ListPublications(), ListCoded(), FetchCoded(NONE, str(tmp_path))):
                await reason(user, command, 503)


async def test_who_does_not_read_keeps_the_newest_of_each_transfer(open_a: OpenNode, tmp_path: Path) -> None:
    a, b = await two(open_a)
    path, output = slow_film(tmp_path), tmp_path / "out"
    output.mkdir()
    with a.connect() as publisher, b.connect() as user, b.connect() as sleeper:
        content_id = await publish(publisher, path)
        await sleeper.commands.put(WatchCoded())
        view = (await closing(user, FetchCoded(content_id, str(output)), Done)).result
        await asyncio.sleep(0)
        assert sleeper.events.qsize() == 1
        event = await next_event(sleeper)
        assert isinstance(event, ProgressCoded)
        assert (event.transfer["id"], event.transfer["state"]) == (view["id"], "done")
