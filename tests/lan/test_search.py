"""
Search between machines: what one finds, how soon, and what is on the wire.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .node import RestError

if TYPE_CHECKING:
    from .node import Node
    from .testbed import Lan, Machine

CATALOGUE_NODE = Path(__file__).resolve().parents[1] / "catalogue_node.py"
BOAT, CAR = ["torrent", "b0" * 20, "unmistakable boat", 7], ["torrent", "ca" * 20, "unmistakable car", 8]
FILM = ["stream", "f1" * 20, "unmistakable film", None]


def write(file: Path, results: list[list[object]], **more: object) -> None:
    """Write a catalogue, all at once; what is not said of it stays as it is."""
    new = file.with_suffix(".new")
    before = json.loads(file.read_text()) if file.exists() else {}
    new.write_text(json.dumps({**before, "results": results, **more}))
    new.rename(file)


def keeper(machine: Machine, file: Path, results: list[list[object]], hashing: dict[str, float] | None = None,
           **settings: object) -> Node:
    """Start a node that has things, and BitTorrent at a port of its own."""
    address = machine.interfaces["eth0"].ipv4
    write(file, results, libtorrent=[[address, 6881], ["8.8.8.8", 6881]], hashing=hashing or {})
    return machine.node(program=(str(CATALOGUE_NODE), str(file)), **settings)


def wait_searchable(asker: Node, *others: Node) -> None:
    asker.wait_for(lambda: all("search" in asker.peer(other).get("capabilities", ()) and asker.is_local(other)
                               for other in others), 20, "others offer search")


def names(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    [found] = answer.values()
    return [each["name"] for each in found]


def test_what_two_of_three_have_is_found_soon_and_only_the_asker_can_read_it(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(3)
    sniffer = machines[0].sniff()
    asker = keeper(machines[0], tmp_path / "a", [], introduction_interval=1)
    b = keeper(machines[1], tmp_path / "b", [BOAT, FILM], introduction_interval=1)
    c = keeper(machines[2], tmp_path / "c", [BOAT, CAR], introduction_interval=1)
    wait_searchable(asker, b, c)
    answer = asker.rest("GET", "/search?query=unmistakable")
    assert names(answer) == ["unmistakable boat", "unmistakable car", "unmistakable film"]
    assert [set(each["peers"]) for each in answer["results"]] == [{b.mid, c.mid}, {c.mid}, {b.mid}]
    took = []
    for _ in range(12):
        begin = time.monotonic()
        asker.rest("GET", "/search?query=boat")
        took.append(time.monotonic() - begin)
    print(f"GET /search: median {1000 * statistics.median(took):.1f} ms, slowest {1000 * max(took):.1f} ms")
    assert statistics.median(took) < 0.3
    text = b"".join(packet.payload for packet in sniffer.packets)
    assert b"unmistakable boat" not in text
    assert bytes.fromhex("b0" * 20) not in text
    assert asker.counters("dropped").get("bad_seal", 0) == 0

    write(tmp_path / "b", [BOAT])
    assert names(asker.rest("GET", "/streams")) == []
    write(tmp_path / "c", [FILM])
    assert names(asker.rest("GET", "/streams")) == ["unmistakable film"]

    said = asker.rest("POST", "/downloads", {"infohash": "b0" * 20, "peer": b.mid})
    assert said == {"infohash": "b0" * 20, "peers": [b.mid]}
    assert asker.rest("POST", "/downloads", {"infohash": "ca" * 20})["peers"] == [c.mid]
    downloads = [json.loads(line) for line in (tmp_path / "a.downloads").read_text().splitlines()]
    assert downloads == [["b0" * 20, [[machines[1].interfaces["eth0"].ipv4, 6881]]],
                         ["ca" * 20, [[machines[2].interfaces["eth0"].ipv4, 6881]]]]
    c.kill()
    asker.wait_not_local(c, timeout=30)
    with pytest.raises(RestError) as refused:
        asker.rest("POST", "/downloads", {"infohash": "ca" * 20, "peer": c.mid})
    assert refused.value.status == 404


@pytest.mark.usefixtures("loss")
def test_at_twenty_percent_loss_nearly_all_searches_find_it(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(2)
    asker, b = machines[0].node(), keeper(machines[1], tmp_path / "b", [BOAT])
    wait_searchable(asker, b)
    for machine in machines:
        machine.lose(20)
    found = [names(asker.rest("GET", "/search?query=boat&timeout=2")) for _ in range(20)]
    print(f"found {sum(map(len, found))} of 20 at 20 % loss")
    assert sum(map(len, found)) >= 17


def test_in_a_group_and_for_friends_no_query_is_to_be_read(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(4)
    sniffer = machines[0].sniff()
    asker = machines[0].node(group_passphrase="four random words here")
    b = keeper(machines[1], tmp_path / "b", [BOAT], group_passphrase="four random words here")
    only = machines[2].node(policy="friends")
    friend = keeper(machines[3], tmp_path / "f", [CAR])
    wait_searchable(asker, b)
    wait_searchable(only, friend)
    assert names(asker.rest("GET", "/search?query=unmistakable")) == ["unmistakable boat"]
    assert names(only.rest("GET", "/search?query=unmistakable")) == []
    only.rest("PUT", f"/friends/{friend.mid}")
    friend.wait_for(lambda: friend.peer(only).get("friend") == "received", 10)
    friend.rest("PUT", f"/friends/{only.mid}")
    only.wait_for(lambda: only.peer(friend).get("friend") == "mutual", 10)
    assert names(only.rest("GET", "/search?query=unmistakable")) == ["unmistakable car"]
    assert not any(b"unmistakable" in packet.payload for packet in sniffer.packets)
