"""
Announcements: what is sent, what was received, and what cannot be.
"""
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.assembly import Assembly
from tribler_multicast.protocol.limits import MAX_ANNOUNCEMENT, MAX_INTEGER, MAX_VALUE_DEPTH, MAX_VALUES
from tribler_multicast.protocol.values import pack_values, to_json
from tribler_multicast.restapi.announcements import MAX_KEPT, MAX_KEPT_BYTES, Announcements
from tribler_multicast.restapi.announcements_endpoint import MAX_ANNOUNCEMENT_BODY
from tribler_multicast.settings import Settings
from tribler_multicast.standalone.client import StandaloneClient

from .conftest import HandMovedCommunity, make_neighbour
from .test_events_endpoint import listen, next_event

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Api

PATH = "/api/multicast/announcements"
ROOM = MAX_ANNOUNCEMENT - 5
"""Bytes of the longest text or bytes that an announcement has room for, beside a tag and a length."""


async def received(api: Api, since: int | None = None) -> list[dict[str, Any]]:
    """
    What was received after a number, oldest first.
    """
    status, answer = await api.call("GET", PATH if since is None else f"{PATH}?since={since}")
    assert status == 200
    announcements: list[dict[str, Any]] = answer["announcements"]
    return announcements


@pytest.mark.parametrize(("values", "sent"), [
    ([], ()), (["hello", 1, 1.5, True, None], ("hello", 1, 1.5, True, None)),
    ([{"hex": "00ff"}, {"hex": ""}], (b"\x00\xff", b"")), ([[1, [2, []]], "küche"], ((1, (2, ())), "küche")),
    ([2 ** 64, -(2 ** 64)], (2 ** 64, -(2 ** 64)))])
async def test_values_are_sent(api: Api, values: list[Any], sent: tuple[Any, ...]) -> None:
    assert await api.call("POST", PATH, json={"values": values}) == (200, {"seq": 1})
    assert api.community.announced == [sent]
    assert await api.call("POST", PATH, json={"values": []}) == (200, {"seq": 2})


def nested(depth: int) -> list[Any]:
    """
    Lists in lists.
    """
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("value", [b"\xff" * ROOM, "x" * ROOM, "\x01" * ROOM, "ü" * (ROOM // 2),
                                   "\U0001f600" * (ROOM // 4), (False,) * MAX_VALUES,
                                   (2.2250738585072014e-308,) * (MAX_ANNOUNCEMENT // 9),
                                   (b"",) * (MAX_ANNOUNCEMENT // 5), ((),) * (MAX_ANNOUNCEMENT // 5),
                                   (-2 ** 31,) * (MAX_ANNOUNCEMENT // 7)],
                         ids=["bytes", "text", "control characters", "two-byte letters", "emoji", "booleans", "floats",
                              "empty bytes", "empty tuples", "integers"])
async def test_the_largest_announcement_of_every_kind_fits_into_a_request(api: Api, value: Any) -> None:  # noqa: ANN401
    values = value if isinstance(value, tuple) else (value,)
    assert len(pack_values(values)) > 0.7 * MAX_ANNOUNCEMENT or len(values) == MAX_VALUES
    body = json.dumps({"values": to_json(values)}).encode()
    assert len(body) < MAX_ANNOUNCEMENT_BODY
    assert await api.call("POST", PATH, data=body) == (200, {"seq": 1})
    assert api.community.announced == [values]


@pytest.mark.parametrize("body", [
    {}, {"values": None}, {"values": "text"}, {"values": 1}, {"values": {"hex": "00"}}, {"value": []},
    {"values": [], "to": "all"}, {"values": [{}]}, {"values": [{"hex": "0"}]}, {"values": [{"hex": "xy"}]},
    {"values": [{"hex": 1}]}, {"values": [{"hex": "00", "more": 1}]}, {"values": [{"name": "value"}]},
    {"values": [{"float": "1.5"}]}, {"values": [{"float": []}]}, {"values": ["\ud800"]},
    {"values": [256 ** MAX_INTEGER]}, {"values": nested(MAX_VALUE_DEPTH + 1)}, {"values": nested(500)},
    {"values": ["x" * (ROOM + 1)]}, {"values": [{"hex": "00" * (ROOM + 1)}]}, {"values": [1] * (MAX_VALUES + 1)}])
async def test_what_cannot_be_announced_is_422_and_one_line(api: Api, body: dict[str, Any]) -> None:
    assert (await api.refused("POST", PATH, json=body))[0] == 422
    assert api.community.announced == []


async def test_a_number_that_would_become_infinite_is_refused(api: Api) -> None:
    for number in (b"1e999", b"-1e999", b"1" * 400 + b".0"):
        assert (await api.refused("POST", PATH, data=b'{"values": [%b]}' % number))[0] == 422
    assert api.community.announced == []


async def test_the_error_for_what_is_too_large_says_what_is_possible(api: Api) -> None:
    _, message = await api.refused("POST", PATH, json={"values": ["x" * MAX_ANNOUNCEMENT]})
    assert str(MAX_ANNOUNCEMENT) in message
    status, message = await api.refused("POST", PATH, json={"values": ["x" * MAX_ANNOUNCEMENT_BODY]})
    assert status == 413
    assert str(MAX_ANNOUNCEMENT_BODY) in message


async def test_a_node_that_is_switched_off_sends_nothing_and_still_shows_what_it_heard(api: Api) -> None:
    api.community.hear(make_neighbour(), "before")
    await api.assembly.change_settings({"enabled": False})
    assert (await api.refused("POST", PATH, json={"values": [1]}))[0] == 503
    assert (await api.refused("POST", PATH, json={"values": 1}))[0] == 422
    assert api.community.announced == []
    assert [entry["values"] for entry in await received(api)] == [["before"]]
    await api.assembly.change_settings({"enabled": True})
    assert (await api.call("POST", PATH, json={"values": [1]}))[0] == 200


async def test_values_that_come_too_fast_are_503_and_not_wrong(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: tuple[Any, ...]) -> int:
        raise ValueError("300 announcements are still to be sent")

    monkeypatch.setattr(api.community, "announce", full)
    assert await api.refused("POST", PATH, json={"values": [1]}) == (503, "300 announcements are still to be sent")


async def test_what_was_received_is_shown_with_its_number_sender_and_time(api: Api) -> None:
    kitchen, tv = make_neighbour(), make_neighbour()
    before = time.time()
    api.community.hear(kitchen, "hello", b"\x00\xff", (1, (None, 0.5)))
    api.community.hear(tv, float("nan"), float("-inf"), 2 ** 80)
    first, second = await received(api)
    assert before <= first.pop("received_at") <= second.pop("received_at") <= time.time()
    assert first == {"seq": 1, "mid": kitchen.mid.hex(), "values": ["hello", {"hex": "00ff"}, [1, [None, 0.5]]]}
    assert second == {"seq": 2, "mid": tv.mid.hex(), "values": [{"float": "nan"}, {"float": "-inf"}, 2 ** 80]}


async def test_whoever_asks_since_a_number_gets_what_came_later(api: Api) -> None:
    assert await api.call("GET", PATH) == (200, {"announcements": [], "last": 0})
    for number in range(1, 6):
        api.community.hear(make_neighbour(), number)
    assert [entry["seq"] for entry in await received(api)] == [1, 2, 3, 4, 5]
    assert [entry["values"] for entry in await received(api, 3)] == [[4], [5]]
    assert await api.call("GET", PATH + "?since=5") == (200, {"announcements": [], "last": 5})
    assert await api.call("GET", PATH + "?since=999999999999999") == (200, {"announcements": [], "last": 5})


@pytest.mark.parametrize("since", ["", "-1", "1.5", "one", "+1", "%201", "1" * 30, "\u0661", "0x1", "1&since=2"])
async def test_a_since_that_is_no_number_is_422(api: Api, since: str) -> None:
    assert (await api.refused("GET", f"{PATH}?since={since}"))[0] == 422


async def test_own_announcements_are_not_echoed(api: Api) -> None:
    await api.call("POST", PATH, json={"values": ["mine"]})
    assert await received(api) == []


def test_the_last_thousand_are_kept() -> None:
    kept, peer = Announcements(), make_neighbour()
    for number in range(1, MAX_KEPT + 101):
        kept.received(peer, (number,))
    entries = json.loads(kept.since(0))["announcements"]
    assert len(entries) == MAX_KEPT == 1000
    assert [entry["seq"] for entry in entries] == [entry["values"][0] for entry in entries] == list(range(101, 1101))
    assert json.loads(kept.since(0))["last"] == 1100


def test_the_largest_announcements_are_kept_within_bounds_and_the_newest_always() -> None:
    kept, peer = Announcements(), make_neighbour()
    for number in range(60):
        kept.received(peer, (number, b"\xff" * (ROOM - 10)))
        assert len(kept.since(0)) < MAX_KEPT_BYTES + 10_000
    entries = json.loads(kept.since(0))["announcements"]
    assert 25 < len(entries) < 40
    assert entries[-1]["seq"] == 60
    kept.received(peer, ("small",))
    assert json.loads(kept.since(60))["announcements"][0]["values"] == ["small"]


async def test_the_community_feeds_the_memory_from_start_to_close(tmp_path: Path) -> None:
    options = Settings()
    client = StandaloneClient(tmp_path, options)
    community, peer = HandMovedCommunity(), make_neighbour()
    assembly = Assembly(client, options, None, 1, lambda _: None)
    await assembly.start(community)
    community.hear(peer, "before anybody asked")
    assert b"before anybody asked" in assembly.announcements.since(0)
    assembly.close()
    assert community.announcement_handlers == []
    Assembly(client, options, None, 1, lambda _: None).close()  # one that never started


async def test_whoever_listens_for_events_hears_announcements_the_largest_included(api: Api) -> None:
    response, peer = await listen(api), make_neighbour()
    response.content._high_water = 8 * MAX_ANNOUNCEMENT  # the longest line that this client reads
    for value in ("hello\n\ndata: {}", b"\x00\xff", "\x01" * ROOM):
        api.community.hear(peer, value)
        assert await next_event(response) == {"topic": "multicast_announcement", "kwargs": {
            "mid": peer.mid.hex(), "values": to_json((value,))}}
    response.close()


async def test_the_documentation_describes_announcements(api: Api) -> None:
    _, document = await api.call("GET", "/docs/swagger.json")
    calls = document["paths"][PATH]
    assert set(calls) == {"get", "post"}
    assert {"200", "400", "413", "422", "503"} <= set(calls["post"]["responses"])
    assert set(document["definitions"]["MulticastAnnouncements"]["properties"]) == {"announcements", "last"}
