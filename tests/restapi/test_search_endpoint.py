"""
Search, streams and downloads by REST: what is shown, and what cannot be.
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tribler_multicast.client import ClientError
from tribler_multicast.community.found import Found
from tribler_multicast.restapi.search_endpoint import MAX_CALLS

from .conftest import KEY, make_neighbour

if TYPE_CHECKING:
    from tribler_multicast.community.fetching import Fetch

    from .conftest import Api

SEARCH, STREAMS, DOWNLOADS = (f"/api/multicast/{name}" for name in ("search", "streams", "downloads"))
BOAT, FILE = "b0a7" * 10, "f11e" * 16


async def test_what_is_found_is_shown_with_the_id_of_its_kind(api: Api) -> None:
    mid = make_neighbour().mid
    api.community.on_lan = [Found("torrent", "boat", 7, b"t" * 20, [mid], [mid]),
                            Found("coded", "boat", 8, b"c" * 32, [mid]),
                            Found("stream", "boat", None, b"s" * 20), Found("stream", "boat", None, b"l" * 32),
                            Found("file", "boat", 9, b"f" * 32)]
    status, answer = await api.call("GET", SEARCH + "?query=red%20boat&timeout=2.5")
    assert status == 200
    assert api.community.searched == [("red boat", 2.5)]
    names = ("infohash", "content_id", "stream_id", "file_id")
    assert [{name: result[name] for name in names if result[name] is not None} for result in answer["results"]] == [
        {"infohash": "74" * 20}, {"content_id": "63" * 32}, {"infohash": "73" * 20}, {"stream_id": "6c" * 32},
        {"file_id": "66" * 32}]
    assert answer["results"][0] == {"kind": "torrent", "name": "boat", "size": 7, "infohash": "74" * 20,
                                    "content_id": None, "stream_id": None, "file_id": None, "peers": [mid.hex()],
                                    "holders": [mid.hex()]}
    assert answer["results"][2]["size"] is None
    status, answer = await api.call("GET", STREAMS)
    assert (status, [stream["kind"] for stream in answer["streams"]]) == (200, ["stream", "stream"])


async def test_a_live_search_answers_line_by_line_as_results_come(api: Api) -> None:
    api.community.on_lan = [Found("coded", "boat", 8, b"c" * 32), Found("file", "boat", 9, b"f" * 32)]
    api.community.waits = asyncio.Event()
    async with api.session.get(f"{api.url}{SEARCH}?query=boat&live=true", headers={"X-Api-Key": KEY}) as response:
        assert (response.status, response.content_type) == (200, "application/x-ndjson")
        first = json.loads(await response.content.readline())
        assert [result["kind"] for result in first["results"]] == ["coded"]  # while the search goes on
        api.community.waits.set()
        rest = [json.loads(line) async for line in response.content]
    assert [result["kind"] for line in rest for result in line["results"]] == ["file"]


async def test_a_live_search_that_cannot_be_is_an_error_like_others(api: Api) -> None:
    assert (await api.refused("GET", SEARCH + "?query=&live=true"))[0] == 422
    assert (await api.refused("GET", SEARCH + "?query=x&live=yes"))[0] == 422
    async with api.session.get(f"{api.url}{SEARCH}?query=nothing&live=true", headers={"X-Api-Key": KEY}) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_nothing_found_is_an_empty_list(api: Api) -> None:
    assert await api.call("GET", SEARCH + "?query=boat") == (200, {"results": []})
    assert await api.call("GET", STREAMS) == (200, {"streams": []})
    assert api.community.searched == [("boat", 1.0), ("", 1.0)]


@pytest.mark.parametrize("query", [
    "", "?query=", "?query=%20%0A", "?query=" + quote("\u202e"), "?query=" + "x" * 129, "?query=x&timeout=0",
    "?query=x&timeout=31", "?query=x&timeout=nan", "?query=x&timeout=-1", "?query=x&timeout=", "?query=x&timeout=1e1",
    "?query=x&query=y", "?query=x&kinds=torrent", "?query=x&timeout=" + "9" * 400])
async def test_queries_that_cannot_be_are_422_and_nobody_is_asked(api: Api, query: str) -> None:
    assert (await api.refused("GET", SEARCH + query))[0] == 422
    assert api.community.searched == []


@pytest.mark.parametrize("query", ["?timeout=x", "?query=x", "?timeout=0.01"])
async def test_streams_take_a_timeout_and_nothing_else(api: Api, query: str) -> None:
    assert (await api.refused("GET", STREAMS + query))[0] == 422


async def test_a_node_that_is_switched_off_does_not_search(api: Api) -> None:
    await api.assembly.change_settings({"enabled": False})
    for method, path, body in (("GET", SEARCH + "?query=x", None), ("GET", STREAMS, None),
                               ("POST", DOWNLOADS, {"infohash": BOAT}), ("POST", DOWNLOADS, {"file_id": FILE})):
        assert (await api.refused(method, path, json=body))[0] == 503
    assert (await api.refused("GET", SEARCH))[0] == 422
    assert api.community.searched == api.community.downloaded == api.community.began == []


async def test_so_many_at_once_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started, end = asyncio.Semaphore(0), asyncio.Event()

    async def slow(text: str, **_: Any) -> list[Any]:  # noqa: ANN401
        started.release()
        await end.wait()
        raise ValueError("8 searches are running already")

    monkeypatch.setattr(api.community, "search", slow)
    tasks = [asyncio.ensure_future(api.refused("GET", SEARCH + "?query=x")) for _ in range(MAX_CALLS)]
    for _ in tasks:
        await asyncio.wait_for(started.acquire(), 5)
    assert (await api.refused("GET", STREAMS))[0] == 503
    end.set()
    assert await asyncio.gather(*tasks) == [(503, "8 searches are running already")] * MAX_CALLS


async def test_a_torrent_is_downloaded_from_one_or_from_all(api: Api) -> None:
    kitchen, tv = make_neighbour(), make_neighbour()
    api.community.peers = [kitchen, tv]
    assert await api.call("POST", DOWNLOADS, json={"infohash": BOAT.upper(), "peer": tv.mid.hex()}) == (
        200, {"infohash": BOAT, "peers": [tv.mid.hex()]})
    status, answer = await api.call("POST", DOWNLOADS, json={"infohash": BOAT, "peer": None})
    assert (status, len(answer["peers"])) == (200, 2)
    assert api.community.downloaded[0] == (bytes.fromhex(BOAT), [tv.mid])


async def test_downloads_that_cannot_be_have_the_status_that_fits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = make_neighbour().mid.hex()
    status, message = await api.refused("POST", DOWNLOADS, json={"infohash": BOAT, "peer": gone})
    assert (status, gone in message) == (404, True)
    assert await api.refused("POST", DOWNLOADS, json={"infohash": BOAT}) == (
        503, "no local node takes BitTorrent connections")

    async def anonymous(infohash: bytes, mid: bytes | None) -> list[bytes]:
        raise ClientError("that torrent is being downloaded anonymously", 409)

    monkeypatch.setattr(api.community, "download", anonymous)
    assert (await api.refused("POST", DOWNLOADS, json={"infohash": BOAT}))[0] == 409


@pytest.mark.parametrize("body", [
    {}, {"infohash": None}, {"infohash": ""}, {"infohash": BOAT[:-1]}, {"infohash": BOAT + "0"}, {"infohash": 1},
    {"infohash": BOAT + "\n"}, {"infohash": BOAT, "peer": "x"}, {"infohash": BOAT, "peer": 7}, {"file_id": BOAT},
    {"infohash": BOAT, "hops": 0}, {"infohash": BOAT, "file_id": FILE}, {"infohash": None, "file_id": None},
    {"file_id": FILE, "timeout": -1}, {"file_id": FILE, "timeout": 121}, {"file_id": FILE, "timeout": "1"},
    {"file_id": FILE, "peer": FILE}, {"infohash": BOAT, "timeout": 1}, {"file_id": FILE[1:]}, []])
async def test_bodies_that_cannot_be_are_422(api: Api, body: Any) -> None:  # noqa: ANN401
    assert (await api.refused("POST", DOWNLOADS, json=body))[0] == 422


async def test_a_file_is_waited_for_and_the_same_call_goes_on_where_it_is(api: Api) -> None:
    tv, go = make_neighbour(), asyncio.Event()
    api.community.peers = [tv]

    async def fetching(fetch: Fetch) -> tuple[bytes, list[bytes]]:
        await go.wait()
        return bytes.fromhex(BOAT), [tv.mid]

    api.community.fetching = fetching  # type: ignore[method-assign]
    body = {"file_id": FILE, "peer": tv.mid.hex()}
    assert await api.call("POST", DOWNLOADS, json={**body, "timeout": 0}) == (
        202, {"file_id": FILE, "state": "asking", "progress": None})
    [fetch] = api.community.fetches.values()
    fetch.state, fetch.progress = "hashing", 0.25
    assert await api.call("POST", DOWNLOADS, json={**body, "timeout": 0.1}) == (
        202, {"file_id": FILE, "state": "hashing", "progress": 0.25})
    waiting = asyncio.ensure_future(api.call("POST", DOWNLOADS, json=body))
    await asyncio.sleep(0.05)
    go.set()
    done = (200, {"infohash": BOAT, "file_id": FILE, "peers": [tv.mid.hex()]})
    assert await waiting == done
    assert len(api.community.began) == 1
    assert await api.call("POST", DOWNLOADS, json=body) == done  # Told, so that this asks anew.
    assert len(api.community.began) == 2


async def test_files_that_cannot_be_had_have_the_status_that_fits_and_it_is_told_once(api: Api) -> None:
    gone = make_neighbour().mid.hex()
    status, message = await api.refused("POST", DOWNLOADS, json={"file_id": FILE, "peer": gone})
    assert (status, gone in message) == (404, True)
    for _ in range(2):
        assert await api.refused("POST", DOWNLOADS, json={"file_id": FILE}) == (
            404, "that node shares no such file any more: search again")
    assert len(api.community.began) == 2


async def test_a_file_that_is_waited_for_can_be_given_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetching(fetch: Fetch) -> tuple[bytes, list[bytes]]:
        await asyncio.sleep(60)
        raise AssertionError

    api.community.fetching = fetching  # type: ignore[method-assign]
    assert (await api.refused("DELETE", f"{DOWNLOADS}/{FILE}"))[0] == 404
    waiting = asyncio.ensure_future(api.refused("POST", DOWNLOADS, json={"file_id": FILE}))
    await asyncio.sleep(0.1)
    assert await api.call("DELETE", f"{DOWNLOADS}/{FILE.upper()}") == (200, {"file_id": FILE})
    assert await waiting == (409, "It was given up")
    assert (await api.refused("DELETE", f"{DOWNLOADS}/x"))[0] == 422
    monkeypatch.setattr(api.assembly.client, "torrents", None)
    assert (await api.refused("DELETE", f"{DOWNLOADS}/{BOAT}"))[0] == 503  # that is a torrent


async def test_what_is_no_json_is_400(api: Api) -> None:
    assert (await api.refused("POST", DOWNLOADS, data=b"{"))[0] == 400


async def test_the_documentation_describes_it_all(api: Api) -> None:
    _, document = await api.call("GET", "/docs/swagger.json")
    paths = document["paths"]
    assert {"200", "422", "503"} <= set(paths[SEARCH]["get"]["responses"])
    assert {each["name"] for each in paths[SEARCH]["get"]["parameters"]} == {"query", "timeout", "live"}
    assert {"200", "422", "503"} <= set(paths[STREAMS]["get"]["responses"])
    assert {"200", "202", "404", "409", "422", "503"} <= set(paths[DOWNLOADS]["post"]["responses"])
    assert {"200", "404", "422"} <= set(paths[DOWNLOADS + "/{file_id}"]["delete"]["responses"])
    assert "MulticastFoundList" in document["definitions"]
