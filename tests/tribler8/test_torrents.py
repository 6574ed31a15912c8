"""Tribler's downloads as the BitTorrent of a node: a real libtorrent, and stand-ins for Tribler's own objects."""
from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.tribler.host import bencode, torrent
from tribler_multicast.client import ClientError
from tribler_multicast.tribler8 import torrents as module
from tribler_multicast.tribler8.playable import StreamPaths
from tribler_multicast.tribler8.torrents import TriblerTorrents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tribler_multicast.torrents import TorrentStatus

libtorrent = pytest.importorskip("libtorrent")

BOAT, CAR, SECRET = b"b" * 20, b"c" * 20, b"s" * 20


placed: list[tuple[Path | None, bool]] = []
"""Where what was begun is to be, and whether it stays there."""


class Handle:
    """What is set at libtorrent."""

    def __init__(self) -> None:
        self.limits = [5, 6]

    def is_valid(self) -> bool:
        return True

    def set_upload_limit(self, rate: int) -> None:
        self.limits[0] = rate

    def set_download_limit(self, rate: int) -> None:
        self.limits[1] = rate


class Download:
    """A download of Tribler, as far as is asked of it."""

    def __init__(self, name: str, hops: int = 0, status: str = "DOWNLOADING", hidden: bool = False,
                 downloaded: int = 10, private: bool = False) -> None:
        self.config = SimpleNamespace(get_hops=lambda: hops, get_upload_limit=lambda: 5, get_download_limit=lambda: -1)
        files = [("boat.txt", 9), ("boat/film.mkv", 5), ("boat/other.mp4", 4)]
        self.tdef = SimpleNamespace(name=name, torrent_info=SimpleNamespace(
            total_size=lambda: 10, priv=lambda: private, num_files=lambda: len(files),
            file_at=lambda number: SimpleNamespace(path=files[number][0], size=files[number][1])))
        self.hidden, self.status, self.handle, self.peers = hidden, status, Handle(), []
        self.state = SimpleNamespace(
            get_status=lambda: SimpleNamespace(name=self.status), get_progress=lambda: 0.5, get_error=lambda: "broken",
            get_current_speed=lambda way: {"up": 1, "down": 2}[way], all_time_upload=3, all_time_download=downloaded,
            lt_status=SimpleNamespace(num_peers=4, total_done=10))

    def get_state(self) -> Any:  # noqa: ANN401
        return self.state

    def get_content_dest(self) -> Path:
        return Path("/saved") / self.tdef.name

    def add_peer(self, address: tuple[str, int]) -> None:
        self.peers.append(address)

    async def get_handle(self) -> Handle:
        return self.handle


class Manager:
    """Tribler's download manager."""

    def __init__(self) -> None:
        self.downloads: dict[bytes, Download] = {}
        self.metainfo_requests: dict[bytes, object] = {}
        self.removed: list[tuple[Download, bool]] = []

    async def start_download(self) -> None:
        raise AssertionError

    async def remove_download(self, download: Download, remove_content: bool) -> None:
        self.removed.append((download, remove_content))


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, bool]]]:
    """Note what is begun, and let it be there."""
    calls: list[tuple[Any, bool]] = []
    placed.clear()

    async def begin(session: Any, parameters: Any, *, lan_only: bool, folder: Path | None = None,  # noqa: ANN401
                    stays: bool = False) -> Download:
        calls.append((parameters, lan_only))
        placed.append((folder, stays))
        download = session.download_manager.downloads[parameters.info_hashes.v1.to_bytes()] = Download("new")
        return download

    monkeypatch.setattr(module, "begin", begin)
    return calls


def make(anonymous: bool = False, **downloads: Download) -> tuple[TriblerTorrents, Manager]:
    manager = Manager()
    manager.downloads = {name.encode() * 20: download for name, download in downloads.items()}
    config = {"libtorrent/download_defaults/anonymity_enabled": anonymous}
    return TriblerTorrents(SimpleNamespace(download_manager=manager, config=config)), manager


def test_nothing_that_is_anonymous_or_none_of_the_users_is_told() -> None:
    torrents, manager = make(b=Download("boat"), s=Download("secret", hops=1), h=Download("hidden", hidden=True),
                             m=Download("asked for metadata"))
    manager.metainfo_requests[b"m" * 20] = object()
    [boat] = torrents.status()
    assert (boat.infohash, boat.name, boat.state, boat.progress, boat.size) == (BOAT, "boat", "downloading", 0.5, 10)
    assert (boat.path, boat.up, boat.down, boat.total_up, boat.total_down, boat.peers) == (
        str(Path("/saved/boat")), 1.0, 2.0, 3, 10, 4)
    assert (boat.up_limit, boat.down_limit, boat.error) == (5, None, "")


@pytest.mark.parametrize(("name", "shown", "error"), [
    ("SEEDING", "seeding", ""), ("STOPPED", "paused", ""), ("QUEUED", "paused", ""), ("HASHCHECKING", "checking", ""),
    ("METADATA", "metadata", ""), ("STOPPED_ON_ERROR", "failed", "broken"), ("SOMETHING_NEW", "paused", "")])
def test_states_are_those_of_all_clients(name: str, shown: str, error: str) -> None:
    torrents, _ = make(b=Download("boat", status=name))
    assert [(status.state, status.error) for status in torrents.status()] == [(shown, error)]


async def test_a_limit_is_set_at_the_handle_and_the_users_own_holds_again_after_it() -> None:
    torrents, manager = make(b=Download("boat"), c=Download("car"))
    handles = [manager.downloads[each].handle for each in (BOAT, CAR)]
    await torrents.limit(BOAT, 1000, None)
    await torrents.limit(CAR, None, 2000)
    assert [handle.limits for handle in handles] == [[1000, -1], [5, 2000]]
    assert [(status.up_limit, status.down_limit) for status in torrents.status()] == [(1000, None), (5, 2000)]
    await torrents.limit(BOAT, None, None)
    assert handles[0].limits == [5, -1]
    torrents.close()
    assert handles[1].limits == [5, -1]
    with pytest.raises(ClientError) as refused:
        await torrents.limit(None, 1, 1)
    assert refused.value.status == 409


async def test_data_is_deleted_only_when_all_of_it_was_downloaded_here() -> None:
    torrents, manager = make(b=Download("boat"), c=Download("car", downloaded=0), s=Download("secret", hops=1))
    boat, car = manager.downloads[BOAT], manager.downloads[CAR]
    await torrents.stop(BOAT, delete=True)
    await torrents.stop(CAR, delete=True)
    await torrents.stop(BOAT)
    assert manager.removed == [(boat, True), (car, False), (boat, False)]
    for infohash in (SECRET, b"x" * 20):
        with pytest.raises(ClientError) as refused:
            await torrents.stop(infohash)
        assert refused.value.status == 404


async def test_what_changed_is_told_to_all_who_want_to_hear_it_and_one_that_fails_stops_no_other(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)
    torrents, manager = make(b=Download("boat"), c=Download("car"))
    heard: list[TorrentStatus] = []

    def fail(_status: TorrentStatus) -> None:
        raise RuntimeError("not today")

    torrents.subscribe(fail)
    torrents.subscribe(heard.append)
    await asyncio.sleep(0.1)
    assert heard == []
    manager.downloads[BOAT].status = "SEEDING"
    await asyncio.sleep(0.1)
    assert [(status.infohash, status.state) for status in heard] == [(BOAT, "seeding")]
    for handler in (fail, heard.append):
        torrents.unsubscribe(handler)
    await asyncio.sleep(0.1)
    assert torrents.task is not None
    assert torrents.task.done()


async def test_from_the_lan_alone_it_has_no_tracker_and_asks_no_anonymity_of_the_user(began: list[Any]) -> None:
    torrents, _ = make(anonymous=True)
    data = torrent("boat", b"x" * 1000)
    data = data[:-1] + b"8:announce20:http://tracker.test/" + b"e"  # keys out of order, as some are
    infohash = await torrents.fetch(data, [("10.0.0.7", 6881)], lan_only=True)
    assert infohash == await torrents.fetch(torrent("boat", b"x" * 1000), lan_only=True)
    await torrents.fetch(BOAT, lan_only=True)
    await torrents.fetch(f"magnet:?xt=urn:btih:{CAR.hex()}&tr=http://tracker.test/", lan_only=True)
    assert [(list(parameters.trackers), lan_only) for parameters, lan_only in began] == [([], True)] * 3
    assert all(parameters.ti is None or not list(parameters.ti.trackers()) for parameters, _ in began)


async def test_with_the_internet_only_where_the_user_does_not_download_anonymously(began: list[Any]) -> None:
    anonymous, _ = make(anonymous=True)
    plain, _ = make()
    with pytest.raises(ClientError, match="set to download anonymously") as refused:
        await anonymous.fetch(BOAT)
    assert (refused.value.status, began) == (409, [])
    await plain.fetch(BOAT)
    assert [lan_only for _, lan_only in began] == [False]


async def test_one_that_is_there_only_gets_the_peers_unless_it_is_anonymous_or_private(began: list[Any]) -> None:
    torrents, manager = make(b=Download("boat"), s=Download("secret", hops=1), c=Download("car", private=True))
    for infohash in (BOAT, CAR):
        assert await torrents.fetch(infohash, [("10.0.0.7", 6881)]) == infohash
    with pytest.raises(ClientError, match="anonymous") as refused:
        await torrents.fetch(SECRET, [("10.0.0.7", 6881)], lan_only=True)
    assert (refused.value.status, began) == (409, [])
    assert [manager.downloads[each].peers for each in (BOAT, CAR, SECRET)] == [[("10.0.0.7", 6881)], [], []]


@pytest.mark.parametrize("anonymous", [False, True])
async def test_a_torrent_is_made_and_seeded_where_it_is_and_seen_on_the_internet_only_where_the_user_is(
        began: list[Any], tmp_path: Path, anonymous: bool) -> None:
    torrents, _ = make(anonymous)
    path, told = tmp_path / "boat.bin", list[float]()
    path.write_bytes(b"x" * 3_000_000)
    made = await torrents.make(path, tmp_path, progress=told.append)
    await asyncio.sleep(0)
    assert (made.name, made.size, made.path, told[-1]) == ("boat.bin", 3_000_000, str(path), 1.0)
    assert made.file == str(tmp_path / "boat.bin.torrent")
    assert Path(made.file).read_bytes() == made.data
    [(parameters, lan_only)] = began
    assert (parameters.info_hashes.v1.to_bytes(), lan_only, placed) == (made.infohash, anonymous, [(tmp_path, True)])
    await torrents.make(path)
    assert len(began) == 1
    assert (await torrents.make(path, seed=False)).infohash == made.infohash
    torrents.close()


async def test_nothing_is_seeded_openly_that_is_anonymous_and_no_tracker_is_told_of_one_who_is(
        began: list[Any], tmp_path: Path) -> None:
    torrents, manager = make(anonymous=True)
    path = tmp_path / "boat.bin"
    path.write_bytes(b"x" * 1000)
    with pytest.raises(ClientError, match="tells no tracker") as refused:
        await torrents.make(path, trackers=["http://tracker.test/announce"])
    assert refused.value.status == 409
    made = await torrents.make(path, seed=False)
    manager.downloads[made.infohash] = Download("boat.bin", hops=1)
    with pytest.raises(ClientError, match="anonymous") as refused:
        await torrents.make(path)
    assert (refused.value.status, began) == (409, [])
    with pytest.raises(ClientError) as refused:
        await torrents.make(tmp_path / "nothing")
    assert refused.value.status == 404
    torrents.close()
    with pytest.raises(ClientError, match="stopping"):
        await torrents.make(path)


def hybrid(data: bytes) -> bytes:
    return bencode({"info": {"name": "x", "piece length": 16384, "meta version": 2, "file tree": {}, "x": data}})


@pytest.mark.parametrize("source", [b"", b"d4:infode", b"x" * 21, b"d" * 10_000_001, "magnet:?xt=urn:btih:zz", "http://x",
                                    "magnet:?xt=urn:btmh:1220" + "ab" * 32, hybrid(b"y")],
                         ids=["nothing", "empty", "short", "large", "magnet", "address", "version 2", "hybrid"])
async def test_what_is_no_torrent_is_one_line(began: list[Any], source: bytes | str) -> None:
    torrents, _ = make()
    for lan_only in (True, False):
        with pytest.raises(ClientError) as refused:
            await torrents.fetch(source, lan_only=lan_only)
        assert refused.value.status == 422
        assert "\n" not in str(refused.value)
    assert began == []


def test_the_largest_film_of_a_torrent_has_an_address_at_which_it_plays() -> None:
    paths, film = StreamPaths(), Download("x").tdef.torrent_info
    assert paths.of(BOAT, None) is None, "what is in it is not known yet"
    assert paths.of(BOAT, film) == f"/api/downloads/{BOAT.hex()}/stream/1"
    film.num_files = lambda: 1
    assert paths.of(CAR, film) is None, "a text is not played"
    assert paths.of(SECRET, SimpleNamespace()) is None
