"""
Live streams by HTTP, on one node: fed, played by several at once, ended. (Between nodes: tests/lan.)
"""
from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, web

from tribler_multicast.streams import limits

from .conftest import KEY, Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = "/api/multicast/streams"
DATA = random.Random(7).randbytes(700_000)
NONE = "ab" * 32


class Feeder:
    """
    A body that goes on for as long as the test wants.
    """

    def __init__(self, api: Api, stream_id: str) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.answer = asyncio.ensure_future(api.call("PUT", f"{ROOT}/{stream_id}/data", data=self.body()))

    async def body(self) -> AsyncIterator[bytes]:
        while (data := await self.queue.get()) is not None:
            yield data

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            await self.queue.put(part)

    async def end(self) -> tuple[int, Any]:
        await self.queue.put(None)
        return await self.answer


async def publish(api: Api, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    status, answer = await api.call("POST", ROOT, json={"name": "camera", **body})
    assert status == 200, answer
    return answer


@asynccontextmanager
async def fed(api: Api, **body: Any) -> AsyncIterator[tuple[dict[str, Any], Feeder]]:  # noqa: ANN401
    stream = await publish(api, **body)
    feeder = Feeder(api, stream["stream_id"])
    yield stream, feeder
    feeder.answer.cancel()


async def until(api: Api, stream: dict[str, Any], position: int) -> None:
    """
    Wait until a stream has come so far.
    """
    async with asyncio.timeout(30):
        while api.context.control.parts.streams.seen(stream["stream_id"]).log.edge < position:
            await asyncio.sleep(0.01)


async def play(api: Api, stream: dict[str, Any], query: str = "") -> bytes:
    url = f"{api.url}{ROOT}/{stream['stream_id']}?token={stream['token']}{query}"
    async with api.session.get(url) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def test_what_is_fed_in_any_pieces_is_played_as_one_stream_by_all(api: Api) -> None:
    async with fed(api) as (stream, feeder):
        await feeder.send(DATA[:1])
        await until(api, stream, 1)
        players = [asyncio.ensure_future(play(api, stream)) for _ in range(3)]
        for at in range(1, len(DATA), 9973):
            await feeder.send(DATA[at:at + 9973])
            await asyncio.sleep(0)
        assert await feeder.end() == (200, {"stream_id": stream["stream_id"], "received": len(DATA)})
        assert (await api.call("DELETE", f"{ROOT}/{stream['stream_id']}"))[0] == 200
        assert await asyncio.gather(*players) == [DATA] * 3


async def test_a_stream_comes_to_players_while_it_is_made(api: Api) -> None:
    async with fed(api) as (stream, feeder), api.session.get(
            f"{api.url}{ROOT}/{stream['stream_id']}", headers={"X-Api-Key": KEY}) as response:
        for number in range(5):
            await feeder.send(b"%d" % number)
            assert await response.content.readexactly(1) == b"%d" % number


async def test_the_end_of_what_feeds_does_not_end_the_stream(api: Api) -> None:
    stream = await publish(api)
    playing = asyncio.ensure_future(play(api, stream))
    for part in (b"one ", b"two ", b"three"):
        assert (await api.call("PUT", f"{ROOT}/{stream['stream_id']}/data", data=part))[0] == 200
    await until(api, stream, 13)
    await api.call("DELETE", f"{ROOT}/{stream['stream_id']}")
    assert await playing == b"one two three"


async def test_only_one_feeds_a_stream_at_a_time(api: Api) -> None:
    async with fed(api) as (stream, feeder):
        await feeder.send(b"x")
        await until(api, stream, 1)
        status, message = await api.refused("PUT", f"{ROOT}/{stream['stream_id']}/data", data=b"y")
        assert (status, "already" in message) == (409, True)


async def test_the_list_has_what_is_streamed_here_and_who_reads_it(api: Api) -> None:
    stream = await publish(api, type="video/mp2t")
    [shown] = (await api.call("GET", ROOT + "?timeout=0.05"))[1]["streams"]
    assert shown == {**stream, "token": stream["token"]}
    assert (shown["kind"], shown["name"], shown["media_type"], shown["own"], shown["readers"]) == (
        "stream", "camera", "video/mp2t", True, 0)
    assert shown["publisher"] == api.community.my_peer.mid.hex()
    await api.call("DELETE", f"{ROOT}/{stream['stream_id']}")
    assert (await api.call("GET", ROOT + "?timeout=0.05"))[1] == {"streams": []}


@pytest.mark.parametrize(("body", "status"), [
    ({}, 422), ({"name": ""}, 422), ({"name": "x" * 256}, 422), ({"name": "a\x00b"}, 422), ({"name": 5}, 422),
    ({"name": "x", "type": "text/html; x"}, 200), ({"name": "x", "type": "html"}, 422), ({"name": "x", "more": 1}, 422),
    ({"name": "x", "source": "file:///etc/passwd"}, 422), ({"name": "x", "source": "no"}, 422)])
async def test_what_cannot_be_is_refused_in_one_line(api: Api, body: dict[str, Any], status: int) -> None:
    if status == 200:
        assert (await api.call("POST", ROOT, json=body))[0] == 200
    else:
        assert (await api.refused("POST", ROOT, json=body))[0] == status


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/playlist.m3u8"), ("GET", "/0.ts"), ("DELETE", ""),
                                              ("PUT", "/data"), ("GET", "/init.mp4")])
async def test_an_unknown_stream_is_not_found(api: Api, method: str, path: str) -> None:
    assert (await api.refused(method, f"{ROOT}/{NONE}{path}"))[0] == 404


async def test_a_token_opens_its_stream_and_nothing_else(api: Api) -> None:
    one, other = await publish(api), await publish(api)
    for method, path, status in (("GET", f"{other['stream_id']}", 401), ("PUT", f"{one['stream_id']}/data", 401),
                                 ("DELETE", f"{one['stream_id']}", 401), ("GET", f"{one['stream_id']}/0.ts", 404)):
        async with api.session.request(method, f"{api.url}{ROOT}/{path}?token={one['token']}") as response:
            assert response.status == status, path


async def test_hostile_content_is_data_and_never_a_page(api: Api) -> None:
    for kind, served in (("text/html", "application/octet-stream"), ("image/svg+xml", "application/octet-stream"),
                         ("video/mp2t", "video/mp2t"), ("", "application/octet-stream")):
        stream = await publish(api, type=kind)
        await api.call("PUT", f"{ROOT}/{stream['stream_id']}/data", data=b"<script>")
        async with api.session.get(f"{api.url}{ROOT}/{stream['stream_id']}?token={stream['token']}") as response:
            assert response.headers["Content-Type"] == served
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response.headers["Content-Security-Policy"]
            assert response.headers["Content-Disposition"].startswith(
                "attachment" if served == "application/octet-stream" else "inline")
        await api.call("DELETE", f"{ROOT}/{stream['stream_id']}")


async def test_a_slow_reader_of_data_is_cut_and_one_of_sound_goes_on(api: Api) -> None:
    for kind in ("", "audio/mpeg"):
        stream = await publish(api, type=kind)
        log = api.context.control.parts.streams.seen(stream["stream_id"]).log
        log.kept = limits.BLOCK * 4
        url = f"{api.url}{ROOT}/{stream['stream_id']}?token={stream['token']}"
        async with api.session.get(url, read_bufsize=1024) as response:
            await response.content.readany() if log.edge else None
            for _ in range(400):  # more than all buffers between here and there hold
                await api.call("PUT", f"{ROOT}/{stream['stream_id']}/data", data=bytes(limits.BLOCK))
            assert log.size <= log.kept + limits.BLOCK
            await api.call("PUT", f"{ROOT}/{stream['stream_id']}/data", data=b"the end")
            await api.call("DELETE", f"{ROOT}/{stream['stream_id']}")
            if kind:
                got = await response.read()
                assert got.endswith(b"the end")
                assert len(got) < log.edge
            else:
                with pytest.raises(ClientError):
                    await response.read()


async def test_a_stream_that_nobody_feeds_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.streams.streams.UNFED", 0.05)
    stream = await publish(api)
    assert await play(api, stream) == b""
    assert (await api.call("GET", ROOT + "?timeout=0.05"))[1] == {"streams": []}


async def test_what_comes_from_a_url_is_streamed_and_asked_for_again_when_the_connection_breaks(api: Api) -> None:
    asked: list[web.Request] = []

    async def radio(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        if len(asked) == 2:
            return web.Response(status=503)
        response = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await response.prepare(request)
        await response.write(b"<%d>" % len(asked))
        if len(asked) == 4:
            await asyncio.Event().wait()
        request.transport.close()
        return response

    async def moved(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/radio")

    app = web.Application()
    app.add_routes([web.get("/radio", radio), web.get("/", moved)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        stream = await publish(api, source=f"http://127.0.0.1:{port}/", type="audio/mpeg")
        await until(api, stream, 9)
        playing = asyncio.ensure_future(play(api, stream))
        await api.call("DELETE", f"{ROOT}/{stream['stream_id']}")
        assert await playing == b"<1><3><4>"
    finally:
        await runner.cleanup()


async def test_a_source_with_an_end_ends_its_stream(api: Api) -> None:
    async def file(_: web.Request) -> web.Response:
        return web.Response(body=DATA)

    app = web.Application()
    app.add_routes([web.get("/", file)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        stream = await publish(api, source=f"http://127.0.0.1:{runner.addresses[0][1]}/")
        assert await play(api, stream) == DATA
    finally:
        await runner.cleanup()


async def test_the_end_of_the_node_hangs_up(api: Api) -> None:
    async with fed(api) as (stream, feeder):
        await feeder.send(b"x")
        await until(api, stream, 1)
        playing = asyncio.ensure_future(play(api, stream))
        async with asyncio.timeout(30):
            while not api.context.control.parts.streams.seen(stream["stream_id"]).readers:
                await asyncio.sleep(0.01)
        api.context.control.parts.streams.close()
        api.endpoint.close()
        assert await playing == b"x"


async def activity(api: Api) -> str:
    return (await api.call("GET", "/api/multicast/activity"))[1]["class"]


async def test_whoever_plays_or_feeds_a_stream_says_so_by_itself(api: Api) -> None:
    stream = await publish(api)
    assert await activity(api) == "idle"
    feeder = Feeder(api, stream["stream_id"])
    await feeder.send(b"x")
    await until(api, stream, 1)
    assert await activity(api) == "live"
    await feeder.end()
    assert await activity(api) == "idle"
    async with api.session.get(f"{api.url}{ROOT}/{stream['stream_id']}?token={stream['token']}") as response:
        await response.content.readexactly(1)
        assert await activity(api) == "live"
    async with asyncio.timeout(30):
        while await activity(api) != "idle":
            await asyncio.sleep(0.01)
