"""
What a node publishes coded is found by its neighbours: two nodes with all of their parts.
"""
from __future__ import annotations

import asyncio
import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tribler_multicast.standalone import open_node

from .nodes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.community.coded import CodedTransferCommunity
    from tribler_multicast.standalone.embedded import EmbeddedNode


def coded(node: EmbeddedNode) -> CodedTransferCommunity:
    assembly = node._node.assembly
    assert assembly is not None
    assert assembly.coded is not None
    return assembly.coded


def search(node: EmbeddedNode, query: str) -> list[dict[str, Any]]:
    assert node.api is not None
    url, key = node.api
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", f"/api/multicast/search?query={query}", headers={"X-Api-Key": key})
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())["results"]
    finally:
        connection.close()
    return found


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def test_what_one_publishes_the_other_finds_with_its_content_id_until_it_is_taken_back(tmp_path: Path) -> None:
    port, control = free_ports()
    settings = {"interfaces": ["lo"], "port": port, "control_port": control, "introduction_interval": 1.0}
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "Red Boat.txt").write_bytes(b"shared the other way")
    (tmp_path / "Red Boat.mkv").write_bytes(b"boat" * 1000)
    async with (open_node(tmp_path / "a", settings, share=[tmp_path / "shared"]) as a,
                open_node(tmp_path / "b", settings, api_port=0) as b):
        await until(lambda: coded(b).neighbours() and coded(a).neighbours())
        publication = await coded(a).service.publish(tmp_path / "Red Boat.mkv")
        await until(lambda: "search" in coded(b).multicast.local_peers()[0].capabilities)
        found = {each["kind"]: each for each in await asyncio.to_thread(search, b, "boat")}
        assert (found["coded"]["name"], found["coded"]["size"]) == ("Red Boat.mkv", 4000)
        assert found["coded"]["content_id"] == publication.content_id.hex()
        assert found["coded"]["peers"] == [a.mid]
        assert (found["file"]["content_id"], found["coded"]["infohash"], found["coded"]["file_id"]) == (None,) * 3
        assert await asyncio.to_thread(search, b, "bicycle") == []
        await coded(a).service.unpublish(publication.content_id)
        assert [each["kind"] for each in await asyncio.to_thread(search, b, "boat")] == ["file"]


async def test_a_node_that_shares_nothing_else_is_searched_once_it_publishes(tmp_path: Path) -> None:
    port, control = free_ports()
    settings = {"interfaces": ["lo"], "port": port, "control_port": control}
    (tmp_path / "boat").write_bytes(b"boat")
    async with open_node(tmp_path / "b", settings, api_port=0) as b:
        async with open_node(tmp_path / "a", settings) as a:
            publication = await coded(a).service.publish(tmp_path / "boat")
        async with open_node(tmp_path / "a", settings) as a:  # and again after a restart
            await until(lambda: coded(b).neighbours())
            await until(lambda: "search" in coded(b).multicast.local_peers()[0].capabilities)
            results = await asyncio.to_thread(search, b, "boat")
            assert [each["content_id"] for each in results] == [publication.content_id.hex()]
            assert results[0]["peers"] == [a.mid]


async def test_a_node_that_is_switched_off_and_on_still_has_what_it_published(tmp_path: Path) -> None:
    port, control = free_ports()
    (tmp_path / "boat").write_bytes(b"boat")
    async with open_node(tmp_path / "a", {"interfaces": ["lo"], "port": port, "control_port": control}) as a:
        parts = a.control.parts
        assert parts.transfers is coded(a).service
        publication = await coded(a).service.publish(tmp_path / "boat")
        await parts.change_settings({"enabled": False})
        assert parts.transfers is None
        await parts.change_settings({"enabled": True})
        assert parts.transfers is coded(a).service
        assert list(parts.transfers.publications) == [publication.content_id]
