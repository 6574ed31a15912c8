"""
Search, streams and direct downloads between real Triblers: found soon, played from the neighbour, nothing anonymous.
"""
from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.node import RestError

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable, Iterator

    from tests.lan.testbed import Lan

    from .host import Tribler

Pair = tuple["Tribler", "Tribler"]


@pytest.fixture(scope="module")
def pair(house: Lan, start: Callable[..., Tribler]) -> Iterator[Pair]:
    machines = house.machines(2)
    a, b = start(machines[0], "a", wait=False), start(machines[1], "b", wait=False)
    a.ready()
    b.ready()
    a.wait_local(b)
    b.wait_local(a)
    yield a, b
    for tribler in (a, b):
        tribler.shutdown()
        assert not tribler.complaints()


def wait_for(condition: Callable[[], object], timeout: float, what: str) -> float:
    """Wait for a condition; return the seconds it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < timeout, f"not within {timeout} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - begin


def found(asker: Tribler, words: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = asker.rest("GET", f"/search?query={words}&timeout=3")["results"]
    return results


def streams(asker: Tribler) -> list[str]:
    return [stream["infohash"] for stream in asker.rest("GET", "/streams")["streams"]]


def play(tribler: Tribler, infohash: str) -> http.client.HTTPConnection:
    """Begin to play the first file of a torrent, and read nothing of it yet."""
    connection = tribler.connection(timeout=20)
    connection.request("GET", f"/api/downloads/{infohash}/stream/0", headers=tribler.headers)
    return connection


def test_a_neighbours_torrent_is_found_in_a_third_of_a_second(pair: Pair) -> None:
    a, b = pair
    infohash = b.share("Unusual.Sunflower.Documentary.bin", os.urandom(300_000))
    wait_for(lambda: b.download(infohash).get("progress") == 1, 20, "b seeds")
    [result] = found(a, "sunflower+unusual")
    assert result == {"kind": "torrent", "name": "Unusual.Sunflower.Documentary.bin", "size": 300_000,
                      "infohash": infohash, "content_id": None, "stream_id": None, "file_id": None,
                      "peers": [b.mid], "holders": [b.mid]}
    took = []
    for _ in range(20):
        begin = time.monotonic()
        assert found(a, "sunflower")
        took.append(time.monotonic() - begin)
    print(f"GET /search: median {1000 * statistics.median(took):.0f} ms, slowest {1000 * max(took):.0f} ms")
    assert statistics.median(took) < 0.3
    assert found(a, "nothing+like+that") == []


@pytest.mark.parametrize("words", ["%22", "*", "%22sunflower", "sunflower%20AND", "NOT%20sunflower", "a*%20OR%20b",
                                   "%27;--", "%F0%9F%8C%BB", "-"])
def test_words_that_mean_something_to_the_database_do_no_harm(pair: Pair, words: str) -> None:
    a, b = pair
    begin = time.monotonic()
    found(a, words)
    assert time.monotonic() - begin < 2
    assert b.counters("dropped").get("unanswered", 0) == 0


def test_what_a_neighbour_only_knows_of_is_marked_so(pair: Pair) -> None:
    a, b = pair
    infohash = a.share("heardof.bin", os.urandom(1000))
    wait_for(lambda: [each["holders"] for each in found(b, "heardof")] == [[a.mid]], 10, "a has it")
    wait_for(lambda: infohash in b.known_torrents(), 70, "b heard of it by gossip or search")
    [result] = found(a, "heardof")
    assert (result["peers"], result["holders"]) == ([b.mid], [])


def test_a_stream_of_a_neighbour_is_listed_is_gone_after_it_and_is_played_from_there(pair: Pair) -> None:
    a, b = pair
    content = os.urandom(24_000_000)
    infohash = b.share("holiday.mp4", content)
    wait_for(lambda: b.download(infohash).get("progress") == 1, 20, "b seeds")
    assert streams(a) == []
    connection = play(b, infohash)
    begin = time.monotonic()
    response = connection.getresponse()
    assert response.read(65536) == content[:65536]
    wait_for(lambda: streams(a) == [infohash], 2, "the stream is listed")
    print(f"listed {time.monotonic() - begin:.2f} s after the player began")
    [stream] = a.rest("GET", "/streams")["streams"]
    assert (stream["name"], stream["size"], stream["holders"]) == ("holiday.mp4", len(content), [b.mid])
    assert b.rest("GET", "/activity")["class"] == "on_demand"

    began = time.monotonic()
    assert a.rest("POST", "/downloads", {"infohash": infohash, "peer": b.mid})["peers"] == [b.mid]
    wait_for(lambda: a.download(infohash).get("size", 0) > 0 and a.download(infohash)["status"] in
             ("DOWNLOADING", "SEEDING"), 15, "a knows the files")
    assert [each["stream"] for each in a.rest("GET", "/downloads")["downloads"] if each["infohash"] == infohash] == [
        f"/api/downloads/{infohash}/stream/0"]
    player = play(a, infohash)
    played = player.getresponse()
    assert played.read(65536) == content[:65536]
    print(f"first byte at a {time.monotonic() - began:.2f} s after POST /downloads")
    assert played.read() == content[65536:]
    player.close()

    connection.close()
    took = wait_for(lambda: infohash not in streams(a), 5, "the stream is gone")
    print(f"gone {took:.2f} s after the player stopped")
    wait_for(lambda: b.rest("GET", "/activity")["class"] != "on_demand", 5, "b plays nothing")
    assert {peer["ip"] for peer in a.download(infohash).get("peers", [])} <= {b.machine.interfaces["eth0"].ipv4}


def test_who_waits_for_the_first_pieces_is_streaming(pair: Pair) -> None:
    a, b = pair
    lost = a.share("neverhere.mp4", os.urandom(8_000_000))
    file = a.state / "neverhere.mp4.torrent"
    (b.state / file.name).write_bytes(file.read_bytes())
    a.api("PATCH", f"/api/downloads/{lost}", {"state": "stop"})
    b.add((b.state / file.name).as_uri())
    wait_for(lambda: b.download(lost).get("status") == "DOWNLOADING", 20, "b waits for data")
    connection = play(b, lost)
    wait_for(lambda: lost in streams(a), 3, "buffering is listed")
    connection.close()
    a.api("PATCH", f"/api/downloads/{lost}", {"state": "resume"})
    wait_for(lambda: b.download(lost).get("progress") == 1, 40, "b has it after all")
    wait_for(lambda: lost not in streams(a), 8, "and nobody waits any more")


def test_a_torrent_that_is_marked_private_is_not_told(pair: Pair) -> None:
    a, b = pair
    private = b.share("closedclub.mp4", os.urandom(24_000_000), private=True)
    wait_for(lambda: b.download(private).get("progress") == 1, 20, "b seeds")
    connection = play(b, private)
    assert connection.getresponse().read(1000)
    time.sleep(1)
    assert found(a, "closedclub") == []
    assert private not in streams(a)
    connection.close()


def test_an_anonymous_download_is_in_no_answer_and_no_datagram(pair: Pair) -> None:
    a, b = pair
    sniffer = b.machine.sniff()
    shown = b.share("everybodys.mp4", os.urandom(3_000_000))
    hidden = b.share("mybusinessalone.mp4", os.urandom(3_000_000), hops=1)
    removed = b.share("mybusinessbefore.mp4", os.urandom(3_000_000), hops=1)
    wait_for(lambda: {shown, hidden, removed} <= set(b.known_torrents()), 10, "b knows them itself")
    wait_for(lambda: b.rest("GET", "/activity")["class"] != "on_demand", 10, "b plays nothing")
    connections = [play(b, hidden)]
    time.sleep(1.5)
    assert streams(a) == []
    assert b.rest("GET", "/activity")["class"] != "on_demand"
    connections.append(play(b, shown))
    wait_for(lambda: streams(a) == [shown], 3, "the open one is listed")
    assert [each["infohash"] for each in found(a, "everybodys") if each["kind"] == "torrent"] == [shown]
    for words in ("mybusinessalone", "mybusinessalone.mp4", "mp4"):
        assert hidden not in {each["infohash"] for each in found(a, words)}
    assert hidden not in streams(a)
    with pytest.raises(RestError) as refused:
        b.rest("POST", "/downloads", {"infohash": hidden, "peer": a.mid})
    assert refused.value.status == 409
    a.rest("POST", "/ping", {"count": 1})
    a.rest("POST", "/discover", {"timeout": 0.5})
    b.rest("POST", "/announcements", {"values": ["hello"]})
    b.rest("POST", "/ping", {"count": 2})
    b.rest("POST", "/discover", {"timeout": 0.5})
    found(b, "something")
    streams(b)
    b.rest("PUT", f"/friends/{a.mid}")
    time.sleep(2)
    for connection in connections:
        connection.close()
    b.rest("DELETE", f"/friends/{a.mid}")
    b.api("DELETE", f"/api/downloads/{removed}", {"remove_data": False})
    wait_for(lambda: b.download(removed) == {}, 5, "it is removed")
    assert found(a, "mybusinessbefore") == []
    assert {"introduction", "probe", "probe_reply", "fragment", "trailer", "pong", "ping", "answer", "solicitation",
            "query", "results", "friend"} <= set(b.counters("sent"))
    sent = [packet.payload for packet in sniffer.packets if packet.sent]
    assert len(sent) > 50
    for payload in sent:
        for infohash in (hidden, removed):
            assert bytes.fromhex(infohash) not in payload
            assert infohash.encode() not in payload
        assert b"mybusiness" not in payload
