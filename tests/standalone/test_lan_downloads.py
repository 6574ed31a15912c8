"""
What is downloaded is tried at the local nodes too, with no tracker, no DHT and nobody who says where it is.
"""
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.feeds.web import bencode

from .nodes import RunningNode, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode


pytest.importorskip("libtorrent", reason="libtorrent is not installed (the extra torrent)")


def post(node: RunningNode, call: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    status, answer = node.call("POST", call, json.dumps(body).encode())
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def states(node: RunningNode) -> list[str]:
    return [each["state"] for each in node.call("GET", "/downloads")[1]["downloads"]]


def test_a_magnet_link_alone_is_enough_when_somebody_comes_who_has_it(start_node: StartNode, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"film" * 25_000)
    getter, seeder = start_node("getter"), start_node("seeder")
    made = post(seeder, "/torrents", path=str(tmp_path / "film"))
    services = ["coded", "search", "torrents", "weather"]
    wait_for(lambda: getter.peers().get(seeder.mid, {}).get("capabilities") == services)
    seeder.kill()  # so that the getter tries at an address where nobody is any more
    post(getter, "/downloads", magnet=made["magnet"])
    time.sleep(1)
    seeder = start_node("seeder")
    wait_for(lambda: states(getter) == ["seeding"], 20)
    assert states(seeder) == ["seeding"]


def test_what_is_private_is_tried_at_nobody(start_node: StartNode, tmp_path: Path) -> None:
    nodes = [start_node("a"), start_node("b")]
    wait_for(lambda: all(len(node.peers()) == 1 for node in nodes))
    for private in (1, 0):
        file = tmp_path / f"{private}.torrent"
        file.write_bytes(bencode({"info": {"length": 16384, "name": f"{private}", "piece length": 16384,
                                           "pieces": b"x" * 20, "private": private}}))
        for node in nodes:
            post(node, "/downloads", torrent=str(file))
    connected: dict[str, int] = {}

    def look() -> bool:
        connected.update((each["name"], each["peers"]) for each in nodes[0].call("GET", "/downloads")[1]["downloads"])
        return connected["0"] > 0

    wait_for(look, 20)
    assert connected == {"0": 1, "1": 0}
