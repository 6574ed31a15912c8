"""
What is downloaded is tried at the local nodes too, with no tracker, no DHT and nobody who says where it is.
"""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.feeds.web import bencode

from .nodes import RunningNode, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartNode


def post(node: RunningNode, call: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    status, answer = node.call("POST", call, json.dumps(body).encode())
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def states(node: RunningNode) -> list[str]:
    return [each["state"] for each in node.call("GET", "/downloads")[1]["downloads"]]


def test_a_magnet_link_alone_is_enough_whoever_was_there_first(start_node: StartNode, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"film{number}").write_bytes(bytes([number]) * 100_000)
    seeder, getter = start_node("seeder"), start_node("getter")
    made = post(seeder, "/torrents", path=str(tmp_path / "film0"))
    wait_for(lambda: seeder.mid in getter.peers())
    post(getter, "/downloads", magnet=made["magnet"])
    wait_for(lambda: states(getter) == ["seeding"], 20)
    seeder.stop()
    # Begun while nobody has it: it is tried at a node that comes.
    late = start_node("late")
    made = post(late, "/torrents", path=str(tmp_path / "film1"))
    late.stop()
    post(getter, "/downloads", magnet=made["magnet"])
    late = start_node("late")
    wait_for(lambda: states(getter) == ["seeding", "seeding"], 20)
    assert states(late) == ["seeding"]


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
