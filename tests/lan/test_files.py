"""Shared files between nodes in network namespaces: hashed on request, waited for, and nothing of it in clear."""
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from .node import RestError
from .test_search import keeper, wait_searchable

if TYPE_CHECKING:
    from pathlib import Path

    from .testbed import Lan

SONG, BOOK = ["file", "50" * 32, "unmistakable song", 9], ["file", "b7" * 32, "unmistakable book", 10]


def test_a_shared_file_is_hashed_when_it_is_asked_for_and_nobody_else_can_read_of_it(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(2)
    sniffer = machines[0].sniff()
    b = keeper(machines[1], tmp_path / "b", [SONG, BOOK], hashing={BOOK[1]: 2.0})
    asker = keeper(machines[0], tmp_path / "a", [])
    wait_searchable(asker, b)
    assert sorted(each["file_id"] for each in asker.rest("GET", "/search?query=unmistakable")["results"]) == [
        SONG[1], BOOK[1]]
    begin = time.monotonic()
    said = asker.rest("POST", "/downloads", {"file_id": SONG[1]})
    took = time.monotonic() - begin
    print(f"POST /downloads of a file that is hashed at once: {1000 * took:.0f} ms")
    assert said == {"infohash": SONG[1][:40], "file_id": SONG[1], "peers": [b.mid]}
    assert took < 1

    book = {"file_id": BOOK[1], "peer": b.mid}
    first = asker.rest("POST", "/downloads", {**book, "timeout": 1})
    assert (first["file_id"], first["state"]) == (BOOK[1], "hashing")
    assert 0.1 <= first["progress"] <= 0.6
    assert asker.rest("POST", "/downloads", book)["infohash"] == BOOK[1][:40]
    address = machines[1].interfaces["eth0"].ipv4
    assert [json.loads(line) for line in (tmp_path / "a.downloads").read_text().splitlines()] == [
        [file_id[:40], [[address, 6881]]] for file_id in (SONG[1], BOOK[1])]
    assert (tmp_path / "b.hashed").read_text().split() == [SONG[1], BOOK[1]]
    with pytest.raises(RestError, match="shares no such file") as refused:
        asker.rest("POST", "/downloads", {"file_id": "00" * 32, "peer": b.mid})
    assert refused.value.status == 404

    text = b"".join(packet.payload for packet in sniffer.packets)
    assert asker.counters("sent")["file_request"] >= 3
    assert b.counters("sent")["file_answer"] >= 3
    for secret in (b"unmistakable song", b"unmistakable book", bytes.fromhex(SONG[1])[:8], bytes.fromhex(BOOK[1])[:8],
                   str(tmp_path).encode(), b"nothing like"):
        assert secret not in text


@pytest.mark.usefixtures("loss")
def test_at_thirty_percent_loss_a_file_is_got_and_nodes_that_wait_or_hash_end_soon(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(2)
    b = keeper(machines[1], tmp_path / "b", [SONG, BOOK], hashing={BOOK[1]: 60.0})
    asker = keeper(machines[0], tmp_path / "a", [])
    wait_searchable(asker, b)
    for machine in machines:
        machine.lose(30)
    said = asker.rest("POST", "/downloads", {"file_id": SONG[1], "peer": b.mid})
    assert said["infohash"] == SONG[1][:40]
    assert asker.rest("POST", "/downloads", {"file_id": BOOK[1], "peer": b.mid, "timeout": 3})["state"] == "hashing"
    begin = time.monotonic()
    asker.stop()
    b.stop()
    assert time.monotonic() - begin < 5
