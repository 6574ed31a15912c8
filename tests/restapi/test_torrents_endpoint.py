"""
Torrents and feeds by REST, with a real BitTorrent and a real web server: what is done, and what cannot be.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.feeds.web import WebServer
from tribler_multicast.feeds.feeds import Feeds
from tribler_multicast.standalone.torrents import TorrentEngine

from .conftest import KEY
from .test_events_endpoint import listen, next_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .conftest import Api

ROOT = "/api/multicast"
TORRENTS, DOWNLOADS, FEEDS = (f"{ROOT}/{name}" for name in ("torrents", "downloads", "feeds"))
NOBODY = "ab" * 20
NO_BITTORRENT = (503, "this node has no BitTorrent client")
NO_FEEDS = (503, "this node has no feeds")


@pytest.fixture
async def engine(api: Api, tmp_path: Path) -> AsyncIterator[TorrentEngine]:
    """
    The node has BitTorrent, and feeds.
    """
    pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")
    api.assembly.options.update({"interfaces": ["lo"], "feed_interval": 0.05})
    engine = TorrentEngine(tmp_path, api.assembly.options)
    engine.set_addresses(["127.0.0.1"])
    await engine.start()
    feeds = Feeds(tmp_path / "feeds", lambda: engine, api.assembly.options)
    await feeds.start()
    api.assembly.client.torrents = engine
    api.context.control.parts.feeds = feeds
    yield engine
    await feeds.close()
    await engine.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """
    Something to make a torrent of.
    """
    path = tmp_path / "a film.mkv"
    path.write_bytes(b"film" * 50_000)
    return path


async def test_without_bittorrent_and_feeds_one_line_says_so(api: Api, film: Path) -> None:
    api.assembly.client.torrents = None
    assert await api.refused("POST", TORRENTS, json={"path": str(film)}) == NO_BITTORRENT
    assert await api.refused("GET", DOWNLOADS) == NO_BITTORRENT
    assert await api.refused("DELETE", f"{DOWNLOADS}/{NOBODY}") == NO_BITTORRENT
    assert await api.refused("PATCH", f"{DOWNLOADS}/{NOBODY}", json={"up": 5}) == NO_BITTORRENT
    assert await api.refused("POST", DOWNLOADS, json={"magnet": f"magnet:?xt=urn:btih:{NOBODY}"}) == NO_BITTORRENT
    assert await api.refused("GET", FEEDS) == NO_FEEDS
    assert await api.refused("POST", FEEDS, json={"url": "http://127.0.0.1/"}) == NO_FEEDS
    assert await api.refused("DELETE", f"{FEEDS}/ab") == NO_FEEDS


async def test_a_torrent_is_made_written_and_seeded(api: Api, engine: TorrentEngine, film: Path) -> None:
    output = film.with_suffix(".torrent")
    status, made = await api.call("POST", TORRENTS, json={"path": str(film), "output": str(output)})
    assert status == 200
    assert output.read_bytes().startswith(b"d")
    infohash = made["infohash"]
    assert made == {"infohash": infohash, "name": "a film.mkv", "size": 200_000, "path": str(film),
                    "file": str(output), "magnet": f"magnet:?xt=urn:btih:{infohash}&dn=a%20film.mkv",
                    "published": None}
    _, answer = await api.call("GET", DOWNLOADS)
    [download] = answer["downloads"]
    assert (download["infohash"], download["size"], download["path"]) == (infohash, 200_000, str(film))
    assert download["error"] is None
    status, message = await api.refused("POST", TORRENTS, json={"path": str(film), "output": str(film)})
    assert (status, film.name in message) == (409, True)
    assert film.stat().st_size == 200_000


async def test_what_is_not_to_be_seeded_is_not_and_what_is_published_is_in_the_feed(api: Api, engine: TorrentEngine,
                                                                                    film: Path) -> None:
    assert (await api.call("POST", TORRENTS, json={"path": str(film), "seed": False, "output": None}))[0] == 200
    assert await api.call("GET", DOWNLOADS) == (200, {"downloads": []})
    status, made = await api.call("POST", TORRENTS, json={"path": str(film), "publish": True, "title": "Boats"})
    assert status == 200
    assert made["published"] == {"infohash": made["infohash"], "title": "Boats", "url": None, "uploaded": None,
                                 "error": None}
    assert (await api.call("GET", FEEDS))[1] == {"feeds": [], "own": {"url": None, "error": None,
                                                                      "published": [made["published"]]}}


async def test_paths_that_cannot_be_have_the_status_that_fits(api: Api, engine: TorrentEngine, film: Path) -> None:
    for body, expected in (({"path": str(film) + "x"}, 404), ({"path": "film.mkv"}, 422), ({"path": ""}, 422),
                           ({}, 422), ({"path": None}, 422), ({"path": 7}, 422), ({"path": "/\0"}, 422),
                           ({"path": "/\udcff\ud800"}, 422), ({"path": str(film), "output": "x"}, 422),
                           ({"path": str(film), "output": str(film.parent / "no" / "x.torrent")}, 403),
                           ({"path": str(film), "seed": "yes"}, 422), ({"path": str(film), "trackers": "x"}, 422),
                           ({"path": str(film), "trackers": ["file:///etc/passwd"]}, 422),
                           ({"path": str(film), "colour": "red"}, 422)):
        status, message = await api.refused("POST", TORRENTS, json=body)
        assert status == expected, (body, status, message)
    assert await api.call("GET", DOWNLOADS) == (200, {"downloads": []})


async def test_a_download_is_begun_limited_and_given_up(api: Api, engine: TorrentEngine, film: Path) -> None:
    magnet = {"magnet": f"magnet:?xt=urn:btih:{NOBODY}&dn=boat", "folder": str(film.parent / "new")}
    assert await api.call("POST", DOWNLOADS, json=magnet) == (200, {"infohash": NOBODY, "peers": []})
    _, answer = await api.call("GET", DOWNLOADS)
    [download] = answer["downloads"]
    assert (download["name"], download["size"], download["eta_s"]) == ("boat", None, None)
    assert download["path"].startswith(str(film.parent / "new"))
    one = f"{DOWNLOADS}/{NOBODY}"
    for body, expected in (({"up": 1000}, (1000, None)), ({"down": 5000}, (1000, 5000)), ({"up": 0}, (None, 5000)),
                           ({}, (None, 5000)), ({"down": None}, (None, None))):
        status, limited = await api.call("PATCH", one.upper().replace(DOWNLOADS.upper(), DOWNLOADS), json=body)
        assert (status, limited["up_limit"], limited["down_limit"]) == (200, *expected)
    for body in ({"up": -1}, {"up": "x"}, {"up": True}, {"up": 1.5}, {"down": 2**41}, {"left": 1}):
        assert (await api.refused("PATCH", one, json=body))[0] == 422, body
    assert (await api.refused("DELETE", one + "?delete=yes"))[0] == 422
    assert await api.call("DELETE", one + "?delete=true") == (200, {"infohash": NOBODY, "deleted": True})
    for method, body in (("DELETE", None), ("PATCH", {"up": 1})):
        status, message = await api.refused(method, one, json=body)
        assert (status, NOBODY in message) == (404, True)


IMPOSSIBLE: list[dict[str, Any]] = [
    {"magnet": NOBODY}, {"magnet": 5}, {"torrent": NOBODY}, {"torrent": "film.torrent"}, {"torrent": "ftp://x/y"},
    {"magnet": "magnet:?xt=urn:btih:" + NOBODY, "infohash": NOBODY}, {"folder": "/nowhere/x"},
    {"infohash": "x", "folder": "/nowhere"}, {"magnet": "magnet:?xt=urn:btih:" + NOBODY, "folder": "here"},
    {"magnet": "magnet:?xt=urn:btih:" + NOBODY, "peer": "x"}, {"torrent": "/", "file_id": "ab" * 32},
    {"magnet": "magnet:?nothing"}, {"torrent": "/dev/zero"}, {"torrent": "/"}]


async def test_sources_that_cannot_be_are_refused_in_one_line(api: Api, engine: TorrentEngine) -> None:
    for body in IMPOSSIBLE:
        assert (await api.refused("POST", DOWNLOADS, json=body))[0] in (400, 422), body
    assert await api.call("GET", DOWNLOADS) == (200, {"downloads": []})


async def test_a_torrent_file_is_taken_from_the_disk_and_from_a_web_server(api: Api, engine: TorrentEngine,
                                                                          film: Path) -> None:
    output = film.with_suffix(".torrent")
    _, made = await api.call("POST", TORRENTS, json={"path": str(film), "output": str(output), "seed": False})
    infohash = made["infohash"]
    async with WebServer() as server:
        item = server.add("film", output.read_bytes())
        for source in (str(output), server.base + item.enclosure if item.enclosure[0] == "/" else item.enclosure):
            assert await api.call("POST", DOWNLOADS, json={"torrent": source}) == (
                200, {"infohash": infohash, "peers": []})
            assert (await api.call("DELETE", f"{DOWNLOADS}/{infohash}"))[0] == 200
        status, _ = await api.refused("POST", DOWNLOADS, json={"torrent": server.base + "/nothing.torrent"})
        assert status in (404, 503)
    (film.parent / "no.torrent").write_bytes(b"d4:infode")
    for source, expected in (("no.torrent", (400, 422)), ("none.torrent", (404,)), (film.name, (400, 422))):
        status, _ = await api.refused("POST", DOWNLOADS, json={"torrent": str(film.parent / source)})
        assert status in expected, source


async def test_feeds_are_added_listed_and_removed(api: Api, engine: TorrentEngine) -> None:
    async with WebServer(title="Boats") as server:
        status, feed = await api.call("POST", FEEDS, json={"url": server.url})
        assert (status, feed["url"], feed["title"], feed["state"]) == (200, server.url, "Boats", "ok")
        assert (await api.call("POST", FEEDS, json={"url": server.url, "first": 2}))[1]["id"] == feed["id"]
        _, answer = await api.call("GET", FEEDS)
        assert [each["id"] for each in answer["feeds"]] == [feed["id"]]
        for body in ({}, {"url": 5}, {"url": "file:///etc/passwd"}, {"url": "x"}, {"url": server.url, "first": -1},
                     {"url": server.url, "first": 101}, {"url": server.url, "often": 1}):
            assert (await api.refused("POST", FEEDS, json=body))[0] == 422, body
        status, _ = await api.refused("POST", FEEDS, json={"url": server.base + "/nothing"})
        assert status in (404, 503)
        assert (await api.call("DELETE", f"{FEEDS}/{feed['id']}"))[0] == 200
        assert (await api.refused("DELETE", f"{FEEDS}/{feed['id']}"))[0] == 404
        assert (await api.call("POST", FEEDS, json={"url": server.url}))[0] == 200
        by_url = api.url + f"{FEEDS}/{quote(server.url, safe='')}"
        async with api.session.delete(URL(by_url, encoded=True), headers={"X-Api-Key": KEY}) as response:
            assert response.status == 200


async def test_listeners_hear_of_downloads_and_of_new_items(api: Api, engine: TorrentEngine, film: Path) -> None:
    response = await listen(api)
    output = film.with_suffix(".torrent")
    _, made = await api.call("POST", TORRENTS, json={"path": str(film), "output": str(output), "seed": False})
    async with WebServer() as server:
        feed = (await api.call("POST", FEEDS, json={"url": server.url}))[1]
        server.add("Episode 1", output.read_bytes())
        await api.context.control.parts.feeds.check(feed["id"])
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while {event["topic"] for event in events} != {"multicast_download", "multicast_feed"}:
                events.append(await next_event(response))
        [item] = [event["kwargs"] for event in events if event["topic"] == "multicast_feed"]
        assert (item["title"], item["infohash"], item["error"]) == ("Episode 1", made["infohash"], None)
        download = next(event["kwargs"] for event in events if event["topic"] == "multicast_download")
        assert (download["infohash"], download["name"]) == (made["infohash"], film.name)
        await api.call("DELETE", f"{DOWNLOADS}/{made['infohash']}")
        async with asyncio.timeout(20):
            while (event := await next_event(response))["kwargs"].get("state") != "removed":
                assert event["topic"] == "multicast_download"
    response.close()


async def test_the_documentation_describes_it_all(api: Api) -> None:
    _, document = await api.call("GET", "/docs/swagger.json")
    paths = document["paths"]
    assert {"200", "404", "409", "422", "503"} <= set(paths[TORRENTS]["post"]["responses"])
    assert {"200", "503"} <= set(paths[DOWNLOADS]["get"]["responses"])
    assert {"patch", "delete"} <= set(paths[DOWNLOADS + "/{infohash}"])
    assert {"get", "post"} <= set(paths[FEEDS])
    assert "delete" in paths[FEEDS + "/{id}"]
    assert {"MulticastDownloads", "MulticastFeeds", "MulticastMadeTorrent"} <= set(document["definitions"])
