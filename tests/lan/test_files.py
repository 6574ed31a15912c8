"""Shared files between nodes in network namespaces: hashed on request, waited for, and nothing of it in clear."""
from __future__ import annotations

import hashlib
import json
import os
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


def test_a_sharer_that_is_killed_while_it_hashes_goes_on_when_it_is_back(lan: Lan, tmp_path: Path) -> None:
    machines = lan.machines(2)
    hashing = {BOOK[1]: 2.0}
    b = keeper(machines[1], tmp_path / "b", [BOOK], hashing=hashing)
    asker = keeper(machines[0], tmp_path / "a", [])
    wait_searchable(asker, b)
    book = {"file_id": BOOK[1], "peer": b.mid}
    assert asker.rest("POST", "/downloads", {**book, "timeout": 0.7})["state"] == "hashing"
    b.kill()
    begin = time.monotonic()
    keeper(machines[1], tmp_path / "b", [BOOK], hashing=hashing, state=b.state)
    said = asker.rest("POST", "/downloads", {**book, "timeout": 9})
    print(f"killed, started again, hashed again: ready after {time.monotonic() - begin:.1f} s")
    assert said["infohash"] == BOOK[1][:40]
    assert (tmp_path / "b.hashed").read_text().split() == [BOOK[1]] * 2


def test_a_file_that_is_ready_does_not_wait_while_a_large_one_is_hashed(lan: Lan, tmp_path: Path) -> None:
    pytest.importorskip("libtorrent")
    machines = lan.machines(2)
    for folder in ("shared", "got"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shared" / "unmistakable.song").write_bytes(os.urandom(100_000))
    with (tmp_path / "shared" / "unmistakable.film").open("wb") as file:
        file.truncate(40 << 30)  # takes no room, but half a minute to read at least
    b = machines[1].node(arguments=("--share", str(tmp_path / "shared")))
    asker = machines[0].node(download_folder=tmp_path / "got")
    wait_searchable(asker, b)
    found: dict[str, str] = {}

    def look() -> bool:
        results = asker.rest("GET", "/search?query=unmistakable")["results"]
        found.update({each["name"]: each["file_id"] for each in results if each["kind"] == "file"})
        return len(found) == 2

    asker.wait_for(look, 30, "both are indexed")
    song, film = {"file_id": found["unmistakable.song"]}, {"file_id": found["unmistakable.film"], "timeout": 0.5}
    first = asker.rest("POST", "/downloads", song)["infohash"]
    asker.wait_for(lambda: asker.rest("POST", "/downloads", film)["state"] == "hashing", 10, "the film is hashed")
    begin = time.monotonic()
    assert asker.rest("POST", "/downloads", song)["infohash"] == first
    assert time.monotonic() - begin < 2
    assert asker.rest("POST", "/downloads", film)["state"] == "hashing"
    asker.rest("DELETE", f"/downloads/{film['file_id']}")
    begin = time.monotonic()
    b.stop()
    assert time.monotonic() - begin < 5, "hashing does not hold up the end"


@pytest.mark.soak
def test_a_gigabyte_is_hashed_while_the_asker_waits_and_is_got_whole(lan: Lan, tmp_path: Path) -> None:
    pytest.importorskip("libtorrent")
    machines = lan.machines(2)
    shared, got = tmp_path / "shared", tmp_path / "got"
    for folder in (shared, got):
        folder.mkdir()
    digest = hashlib.sha256()
    with (shared / "unmistakable.film.bin").open("wb") as file:
        for _ in range(1024):
            chunk = os.urandom(1 << 20)
            digest.update(chunk)
            file.write(chunk)
    b = machines[1].node(arguments=("--share", str(shared)))
    asker = machines[0].node(download_folder=got)
    wait_searchable(asker, b)
    found: list[dict[str, object]] = []

    def look() -> bool:
        found[:] = asker.rest("GET", "/search?query=unmistakable")["results"]
        return bool(found)

    asker.wait_for(look, 60, "it is indexed")
    begin, states = time.monotonic(), set()
    body = {"file_id": found[0]["file_id"], "timeout": 0.2}
    while "infohash" not in (said := asker.rest("POST", "/downloads", body)):
        states.add(said["state"])
        assert time.monotonic() - begin < 120
    hashed = time.monotonic() - begin
    assert states <= {"asking", "waiting", "hashing", "ready"}
    whole = got / "unmistakable.film.bin"
    asker.wait_for(lambda: whole.is_file() and whole.stat().st_size == 1 << 30, 300, "it is there")
    print(f"1 GiB: {hashed:.1f} s to its torrent, {time.monotonic() - begin - hashed:.1f} s more until it is there")
    with whole.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()
