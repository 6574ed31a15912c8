"""
The stream of events.
"""
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tribler_multicast.restapi.events_endpoint import MAX_LISTENERS, MAX_WAITING, MAX_WAITING_BYTES

from .conftest import KEY

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from .conftest import Api

PATH = "/api/multicast/events"


async def listen(api: Api) -> ClientResponse:
    """
    Open a stream, as a browser does: with the key in the query.
    """
    response = await api.session.get(api.url + PATH, params={"key": KEY})
    assert response.status == 200
    assert response.content_type == "text/event-stream"
    assert (await response.content.readline()).startswith(b":")
    await response.content.readline()
    return response


async def next_event(response: ClientResponse) -> dict[str, Any]:
    """
    Read one event.
    """
    line = await asyncio.wait_for(response.content.readline(), 5)
    assert line.startswith(b"data: ")
    assert await response.content.readline() == b"\n"
    return dict(json.loads(line[6:]))


async def test_every_listener_hears_what_happens(api: Api) -> None:
    first, second = await listen(api), await listen(api)
    api.community.happen("multicast_peer_local", mid="ab" * 20, nickname="kitchen\n\ndata: {}")
    for response in (first, second):
        assert await next_event(response) == {
            "topic": "multicast_peer_local", "kwargs": {"mid": "ab" * 20, "nickname": "kitchen\n\ndata: {}"}}
        response.close()


async def test_bytes_are_shown_in_hex(api: Api) -> None:
    response = await listen(api)
    api.community.happen("multicast_peer_gone", mid=b"\x01\xff", reason="goodbye")
    assert (await next_event(response))["kwargs"] == {"mid": "01ff", "reason": "goodbye"}
    response.close()


async def test_the_number_of_listeners_is_bounded_and_a_place_becomes_free(api: Api) -> None:
    streams = [await listen(api) for _ in range(MAX_LISTENERS)]
    assert (await api.refused("GET", PATH))[0] == 503
    streams.pop().close()
    await asyncio.sleep(0.1)
    streams.append(await listen(api))
    for response in streams:
        response.close()


async def test_a_listener_that_does_not_read_is_cut_off(api: Api) -> None:
    response = await listen(api)
    for number in range(MAX_WAITING + 1):
        api.community.happen("multicast_peer_local", mid="", nickname=str(number))
    async with asyncio.timeout(10):
        lines = [line async for line in response.content if line.startswith(b"data")]
    assert len(lines) == MAX_WAITING


async def test_a_listener_that_does_not_read_large_events_is_cut_off_before_they_fill_the_memory(api: Api) -> None:
    response = await listen(api)
    size = MAX_WAITING_BYTES // 8
    for number in range(20):
        api.community.happen("multicast_announcement", mid="", values=[number, "x" * size])
    async with asyncio.timeout(10):
        content = await response.content.read()
    assert content.count(b"data: ") == 7
    assert len(content) < MAX_WAITING_BYTES


async def test_an_event_larger_than_the_bound_is_told_when_nothing_else_waits(api: Api) -> None:
    response = await listen(api)
    api.community.happen("multicast_announcement", mid="", values=["x" * (MAX_WAITING_BYTES + 1)])
    api.community.happen("multicast_peer_gone", mid="", reason="")
    async with asyncio.timeout(10):
        content = await response.content.read()
    assert len(content) > MAX_WAITING_BYTES
    assert b"multicast_peer_gone" not in content


async def test_streams_end_when_the_node_stops(api: Api) -> None:
    response = await listen(api)
    for room in list(api.community.handlers):
        room.__self__.close()
    assert await asyncio.wait_for(response.content.read(), 5) == b""
    assert api.community.handlers == []
    assert (await api.refused("GET", PATH))[0] == 503
