"""
Torrents between engines: made, fetched, seeded, limited, stopped, told.
"""
from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.client import ClientError
from tribler_multicast.settings import Settings
from tribler_multicast.standalone.torrents import TorrentEngine, library
from tribler_multicast.torrents import TORRENT_STATES, TorrentStatus

from .engines import data_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast.standalone.torrents.connections import Sample

    from .conftest import StartEngine
    from .engines import Engine


async def share(engine: Engine, name: str, data: bytes) -> bytes:
    """
    Have an engine offer a file; get the infohash. The torrent is beside it.
    """
    engine.folder.mkdir(exist_ok=True)
    (engine.folder / name).write_bytes(data)
    made = await engine.make(engine.folder / name, engine.folder)
    await engine.reaches(made.infohash, "seeding")
    return made.infohash


def torrent(engine: Engine, name: str) -> bytes:
    """
    The torrent of what was shared: with it nobody needs to get the metadata first, which takes a second at a low rate.
    """
    return (engine.folder / f"{name}.torrent").read_bytes()


async def test_a_file_goes_from_one_to_the_other_by_its_infohash(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    data = data_of(3_000_000)
    infohash = await share(a, "film.mkv", data)
    assert await b.fetch(infohash, [a.address], lan_only=True) == infohash
    status = await b.reaches(infohash, "seeding")
    assert (b.downloads / "film.mkv").read_bytes() == data
    assert (status.name, status.size, status.path) == ("film.mkv", 3_000_000, str(b.downloads / "film.mkv"))
    assert (status.progress, status.error) == (1.0, "")
    await until(lambda: sorted(path.name for path in b.downloads.iterdir()) == ["film.mkv"])  # no incomplete folder
    assert set(b.states(infohash)) <= set(TORRENT_STATES)
    await until(lambda: b.states(infohash)[-1] == "seeding")


async def test_a_folder_goes_over_with_names_that_differ_in_case_only_and_empty_files(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    root = a.folder / "album"
    (root / "CD 1").mkdir(parents=True)
    content = {"CD 1/a.flac": data_of(100_000), "B": b"upper", "b": data_of(40_000, seed=2), "empty": b"",
               "line\nbreak \u202etxt": b"odd"}
    for name, data in content.items():
        (root / name).write_bytes(data)
    made = await a.make(root, a.folder)
    assert made.file == str(a.folder / "album.torrent")
    await a.reaches(made.infohash, "seeding")
    await b.fetch((a.folder / "album.torrent").read_bytes(), [a.address])
    await b.reaches(made.infohash, "seeding")
    got = [path for path in (b.downloads / "album").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in got) == sorted(content.values())
    assert (b.downloads / "album" / "CD 1" / "a.flac").read_bytes() == content["CD 1/a.flac"]
    assert not any("\u202e" in path.name or "\n" in path.name for path in got)


async def test_a_magnet_link_names_what_to_get_and_who_has_it(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(50_000))
    ip, port = a.address
    await b.fetch(f"magnet:?xt=urn:btih:{infohash.hex()}&dn=nice&x.pe={ip}:{port}")
    await b.reaches(infohash, "seeding")


async def test_metadata_that_nobody_has_yet_is_waited_for_under_the_name_in_the_link(engine: StartEngine) -> None:
    b = await engine("b")
    infohash = await b.fetch("magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=bad%1b%5b31m%0aname%E2%80%AE")
    status = await b.reaches(infohash, "metadata")
    assert (status.name, status.size, status.path) == ("bad [31m name", None, str(b.downloads))


async def test_a_name_that_is_taken_is_left_alone_and_a_second_one_chosen(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    b.downloads.mkdir(parents=True)
    (b.downloads / "film.mkv").write_text("mine")
    (b.downloads / "film (2).mkv").symlink_to("/nowhere")
    infohash = await share(a, "film.mkv", data_of(100_000))
    (a.folder / "album").mkdir()
    (a.folder / "album" / "x").write_bytes(data_of(50_000, seed=3))
    (b.downloads / "album").mkdir()
    album = (await a.make(a.folder / "album")).infohash
    for one in (infohash, album):
        await b.fetch(one, [a.address])
        await b.reaches(one, "seeding")
    assert (b.downloads / "film.mkv").read_text() == "mine"
    assert (b.downloads / "film (3).mkv").read_bytes() == data_of(100_000)
    assert (b.downloads / "album (2)" / "x").read_bytes() == data_of(50_000, seed=3)
    assert list((b.downloads / "album").iterdir()) == []
    assert b.of(album).path == str(b.downloads / "album (2)")
    await b.close()
    again = await engine("b")
    assert [(await again.reaches(one, "seeding")).path for one in (infohash, album)] == [
        str(b.downloads / "film (3).mkv"), str(b.downloads / "album (2)")]
    c = await engine("c")
    for one in (infohash, album):
        await c.fetch(one, [again.address])
        await c.reaches(one, "seeding")


async def test_while_it_grows_nothing_has_its_name(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "film.mkv", data_of(400_000))
    await a.limit(infohash, 200_000, None)
    await b.fetch(torrent(a, "film.mkv"), [a.address])
    await until(lambda: 0 < b.of(infohash).progress < 1)
    assert not (b.downloads / "film.mkv").exists()
    assert (b.downloads / ".incomplete" / infohash.hex()).is_dir()
    assert b.of(infohash).path == str(b.downloads / "film.mkv")
    await a.limit(infohash, None, None)
    await b.reaches(infohash, "seeding")
    assert (b.downloads / "film.mkv").read_bytes() == data_of(400_000)


async def test_making_it_again_where_it_is_downloaded_offers_what_is_there(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(100_000))
    await b.fetch(infohash)
    b.folder.mkdir(exist_ok=True)
    assert await share(b, "x", data_of(100_000)) == infohash
    assert b.of(infohash).path == str(b.folder / "x")
    assert not list(b.downloads.rglob("*"))
    assert await share(b, "x", data_of(100_000)) == infohash, "a third time changes nothing"


async def test_stopping_leaves_what_was_there_and_deletes_what_was_downloaded(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(100_000))
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    await b.stop(infohash)
    assert (b.downloads / "x").exists()
    assert b.status() == []
    (b.downloads / "x").rename(b.folder / "kept")
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    await b.stop(infohash, delete=True)
    assert list(b.downloads.iterdir()) == []
    await a.stop(infohash, delete=True)
    assert (a.folder / "x").exists(), "what is only seeded is never deleted"
    with pytest.raises(ClientError, match="there is no torrent") as caught:
        await a.stop(infohash)
    assert caught.value.status == 404
    assert not list((a.folder / "state" / "torrents").glob("*.record"))


async def test_an_unfinished_download_that_was_stopped_goes_on_where_it_was(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 1_000_000, None)
    await b.fetch(torrent(a, "x"), [a.address])
    await until(lambda: b.of(infohash).progress > 0.3)
    await b.stop(infohash)
    await a.limit(infohash, 1000, None)
    await b.fetch(torrent(a, "x"))
    await until(lambda: b.of(infohash).progress > 0.2)
    await b.stop(infohash, delete=True)
    assert not list(b.downloads.rglob("*"))


async def test_a_seeded_file_that_changes_is_not_offered_any_more_and_not_written_to(engine: StartEngine) -> None:
    a, b, c = await engine("a"), await engine("b"), await engine("c")
    infohash = await share(a, "x", data_of(3_000_000))
    changed = data_of(3_000_000, seed=2)
    (a.folder / "x").write_bytes(changed)
    await b.fetch(infohash, [a.address])
    status = await a.reaches(infohash, "failed")
    assert status.error == f"{a.folder / 'x'} has changed since it was shared"
    assert b.of(infohash).total_down == 0
    cut = await share(a, "y", data_of(3_000_000, seed=3))
    os.truncate(a.folder / "y", 100_000)
    await c.fetch(cut, [a.address])
    assert "\n" not in (await a.reaches(cut, "failed")).error
    await asyncio.sleep(0.3)
    assert (a.folder / "x").read_bytes() == changed
    assert (a.folder / "y").stat().st_size == 100_000


async def test_what_was_downloaded_and_is_gone_fails_and_is_got_again_when_asked_for(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(300_000))
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    await b.close()
    (b.downloads / "x").unlink()
    b = await engine("b")
    assert (await b.reaches(infohash, "failed")).error == f"{b.downloads / 'x'} is gone"
    assert not (b.downloads / "x").exists()
    await b.fetch(infohash, [a.address])
    await b.reaches(infohash, "seeding")
    assert (b.downloads / "x").read_bytes() == data_of(300_000)


@pytest.mark.parametrize("whose", ["of one torrent", "of all"])
async def test_limits_hold_on_this_machine_and_so_on_the_lan(whose: str, engine: StartEngine) -> None:
    rate, size = 300_000, 2_000_000
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(size))
    if whose == "of one torrent":
        await a.limit(infohash, rate, None)
        assert a.of(infohash).up_limit == rate
    else:
        await a.limit(None, rate, None)
    await b.fetch(torrent(a, "x"), [a.address])
    await until(lambda: b.of(infohash).progress > 0)
    await asyncio.sleep(1)
    assert b.of(infohash).progress * size < 3 * rate, "a second, two looks at it, and what is sent ahead"
    if whose == "of one torrent":
        await a.limit(infohash, None, None)
    else:
        a.settings.update({"upload_rate": 1, "download_rate": 10**9})
        a.settings.update({"upload_rate": 0})
        assert a.core.session is not None
        settings = a.core.session.session.get_settings()
        assert (settings["upload_rate_limit"], settings["download_rate_limit"]) == (0, 10**9)
    await b.reaches(infohash, "seeding", 5)
    for limit in (0, -1):
        with pytest.raises(ClientError, match="at least 1 byte"):
            await a.limit(infohash, limit, None)


async def test_it_listens_where_it_is_told_on_one_port_that_stays_and_nowhere_else(engine: StartEngine) -> None:
    a = await engine("a")
    port = a.listen_port
    with socket.create_connection(("127.0.0.1", port), 1), socket.create_connection(("::1", port), 1):
        pass
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), 1):
        pass
    a.set_addresses(["127.0.0.2"])
    await until(lambda: _connects("127.0.0.2", port) and not _connects("127.0.0.1", port))
    a.set_addresses([])
    await until(lambda: a.listen_port is None and not _connects("127.0.0.2", port))
    await a.close()
    again = await engine("a")
    assert again.listen_port == port
    await again.close()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        other = await engine("a")
        await until(lambda: other.listen_port not in (None, port))  # taken: another one


def _connects(ip: str, port: int | None) -> bool:
    try:
        socket.create_connection((ip, port or 0), 1).close()
    except OSError:
        return False
    return True


async def test_on_loopback_alone_no_other_machine_is_spoken_with(engine: StartEngine) -> None:
    a = await engine("a")
    assert a.core.session is not None
    blocked = a.core.session.session.get_ip_filter()
    assert [blocked.access(ip) for ip in ("127.0.0.1", "::1", "192.168.1.1", "8.8.8.8", "fe80::1")] == [0, 0, 1, 1, 1]
    settings = a.core.session.session.get_settings()
    assert not any(settings[name] for name in ("enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp"))


async def test_the_number_of_connections_follows_what_happens(
        engine: StartEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.standalone.torrents.adapting.WINDOW", 0.2)
    a, b = await engine("a"), await engine("b", connections=30)
    assert b.core.session is not None
    limit = lambda: b.core.session.session.get_settings()["connections_limit"]
    assert limit() == 30
    assert b._adapting is not None
    seen: list[Sample] = []
    update = b._adapting.rule.update
    monkeypatch.setattr(b._adapting.rule, "update", lambda now, sample: seen.append(sample) or update(now, sample))
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 300_000, None)
    await b.fetch(torrent(a, "x"), [a.address, ("127.0.0.1", 9)])
    deadline = time.monotonic() + 10
    while len(seen) < 2 or not seen[-1].rate:
        assert time.monotonic() < deadline
        b._adapting.tick(time.monotonic())
        await asyncio.sleep(0.25)
    assert seen[-1].connections == 1
    assert not seen[-1].failed
    assert seen[0].connect_time is None or seen[0].connect_time < 1
    b.settings.update({"connections": 25})
    await until(lambda: limit() == 25)


async def test_from_the_lan_alone_means_no_tracker_no_dht_and_no_exchange(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    a.folder.mkdir(exist_ok=True)
    (a.folder / "x").write_bytes(data_of(50_000))
    made = await a.make(a.folder / "x", trackers=["http://127.0.0.1:9/announce"])
    flags = b_flags = None
    for lan_only in (False, True):
        await b.fetch(made.data, lan_only=lan_only)
        torrent = b.core.torrents[made.infohash]
        names = [entry["url"] for entry in torrent.handle.trackers()]
        assert names == ([] if lan_only else ["http://127.0.0.1:9/announce"])
        flags, b_flags = int(torrent.handle.flags()), flags
        await b.stop(made.infohash)
    lt = b.core.lt.torrent_flags
    assert flags & int(lt.disable_dht)
    assert flags & int(lt.disable_pex)
    assert b_flags is not None
    assert not b_flags & int(lt.disable_dht)


async def test_handlers_hear_of_each_change_and_one_that_raises_keeps_none_from_it(
        engine: StartEngine, caplog: pytest.LogCaptureFixture) -> None:
    a = await engine("a")
    heard = []

    def broken(status: TorrentStatus) -> None:
        heard.append(status)
        raise ValueError(status)

    a.core.handlers.insert(0, broken)
    infohash = await share(a, "x", data_of(50_000))
    # libtorrent may be done with checking before the loop has a turn.
    assert a.states(infohash) in (["checking", "seeding"], ["seeding"])
    await a.limit(infohash, 1_000_000, None)
    assert a.told[-1] == a.of(infohash)
    assert a.told[-1].up_limit == 1_000_000
    assert heard == a.told
    assert "A handler of torrents failed" in caplog.text
    a.unsubscribe(a.told.append)
    a.told.clear()
    a.unsubscribe(a.told.append)
    await a.stop(infohash)


async def test_cancelling_what_makes_a_torrent_ends_the_hashing(engine: StartEngine) -> None:
    a = await engine("a")
    a.folder.mkdir(exist_ok=True)
    with (a.folder / "x").open("wb") as file:
        file.truncate(4_000_000_000)
    heard = asyncio.Event()
    task = asyncio.ensure_future(a.make(a.folder / "x", progress=lambda done: heard.set()))
    await asyncio.wait_for(heard.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: a._hashers._work_queue.empty() and not a._hashing)
    assert a.status() == []


async def test_closing_while_it_hashes_downloads_and_seeds_takes_less_than_a_second(engine: StartEngine) -> None:
    a, b = await engine("a"), await engine("b")
    infohash = await share(a, "x", data_of(2_000_000))
    await a.limit(infohash, 300_000, None)
    await b.fetch(torrent(a, "x"), [a.address])
    await b.fetch("magnet:?xt=urn:btih:" + "cd" * 20 + "&tr=http%3A%2F%2F127.0.0.1%3A9%2Fannounce")
    with (b.folder / "large").open("wb") as file:
        file.truncate(4_000_000_000)
    makings = [asyncio.ensure_future(b.make(b.folder / "large")) for _ in range(4)]  # two at work, two waiting
    await until(lambda: b.of(infohash).progress > 0.1)
    for one in (b, a):
        began = time.monotonic()
        await one.close()
        assert time.monotonic() - began < 1.0
    for making in makings:
        with pytest.raises(ClientError, match="the node is stopping"):
            await making
    for call in (b.fetch(infohash), b.stop(infohash), b.limit(infohash, 1, 1), b.make(b.folder / "large")):
        with pytest.raises(ClientError, match="the node is stopping"):
            await call


async def test_without_libtorrent_everything_says_in_one_line_how_to_get_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "libtorrent", None)
    lonely = TorrentEngine(tmp_path / "state", Settings())
    await lonely.start()
    assert lonely.listen_port is None
    assert lonely.status() == []
    (tmp_path / "x").write_bytes(b"hello")
    for call in (lonely.fetch(b"x" * 20), lonely.make(tmp_path / "x"), lonely.stop(b"x" * 20)):
        with pytest.raises(ClientError) as caught:
            await call
        assert str(caught.value) == library.MISSING
    assert (await lonely.make(tmp_path / "x", tmp_path, seed=False)).file == str(tmp_path / "x.torrent")
    await lonely.close()
