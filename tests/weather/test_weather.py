"""One node: what goes in, and the limits, summaries and news that come out."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.limits import CLAIM_LEAST, HOLD, SUMMARY_IDLE
from tribler_multicast.weather.summary import Both, WeatherSummary
from tribler_multicast.weather.view import minute_view, weather_view
from tribler_multicast.weather.weather import Doing, Limits, Weather

GATEWAY = "02:00:00:00:01:fe"
OTHER = "02:00:00:00:01:ff"
BULK = Doing("bulk", Both(500_000.0, 0.0), Both(500_000.0, 0.0))


class Node:
    """
    A node whose clock, answers and neighbours are a test's.
    """

    def __init__(self, **options: bool) -> None:
        self.weather = Weather(0.0, os.urandom, **options)
        self.weather.set_gateway(GATEWAY)
        self.now = 0.0
        self.queue = 0.0
        self.own = 0.0
        self.doing = Doing()
        self.heard: dict[bytes, dict[str, Any]] = {}
        self.said: list[tuple[float, WeatherSummary]] = []
        self.states: list[str] = []

    def run(self, seconds: float) -> Limits:
        end = self.now + seconds
        step = 0
        while self.now < end:
            self.now += 0.1
            step += 1
            if step % 2:
                self.weather.sensor.gateway_answer(self.now, 0.001 + self.own)
                self.weather.sensor.wan_answer(self.now, "hop", 0.01 + self.own + self.queue, near=True)
            if step % 10 == 1:
                for mid, fields in self.heard.items():
                    self.hear(mid, **fields)
            self.weather.doing(self.now, self.doing)
            output = self.weather.run(self.now, 1_700_000_000 + self.now)
            if output.summary is not None:
                summary = WeatherSummary.read(output.summary)
                assert summary is not None
                self.said.append((self.now, summary))
            if output.new_state is not None:
                self.states.append(output.new_state)
        return self.weather.limits

    def hear(self, mid: bytes, *, gateway: str = GATEWAY, **fields: object) -> bool:
        fields = {"kind": "bulk", "interval": 1.0, **fields}
        payload = WeatherSummary(gateway=make_tag(gateway, os.urandom(8)), **fields).pack()  # type: ignore[arg-type]
        return self.weather.heard(self.now, mid, mid, payload)


def loaded() -> Node:
    """
    Get a node that uploads bulk into a queue.
    """
    node = Node()
    node.run(3)
    node.doing, node.queue = BULK, 0.2
    node.run(2)
    return node


def test_node_yields_when_another_streams_live_and_it_feels_a_queue() -> None:
    node = loaded()
    assert node.weather.limits == Limits()
    node.heard[b"viewer"] = {"kind": "live", "rates": Both(0.0, 375_000.0)}
    limits = node.run(1)
    assert limits.up is not None
    assert limits.up < 350_000
    assert limits.down is None
    assert limits.why == "live"


def test_what_was_said_counts_within_the_same_call() -> None:
    node = loaded()
    node.hear(b"viewer", kind="live", rates=Both(300_000.0, 0.0))
    assert node.weather.is_urgent
    limits = node.weather.run(node.now).limits
    assert limits.up is not None
    assert limits.up <= 250_000
    assert not node.weather.is_urgent


def test_stream_behind_another_gateway_is_nothing_to_yield_for() -> None:
    node = loaded()
    node.heard[b"viewer"] = {"kind": "live", "gateway": OTHER}
    assert node.run(3) == Limits()


def test_node_that_feels_no_queue_does_not_yield() -> None:
    node = Node()
    node.doing = BULK
    node.heard[b"viewer"] = {"kind": "live", "rates": Both(1e6, 1e6)}
    assert node.run(5) == Limits()


def test_slow_link_of_its_own_is_nothing_to_yield_for() -> None:
    node = Node()
    node.run(3)
    node.doing, node.own = BULK, 0.3
    node.heard[b"viewer"] = {"kind": "live"}
    assert node.run(5) == Limits()
    assert node.said[-1][1].is_own_slow
    assert node.weather.state == "clear"


def test_need_ends_when_it_is_said_with_a_goodbye_or_by_itself() -> None:
    for how in ("said", "goodbye", "silence"):
        node = loaded()
        node.heard[b"viewer"] = {"kind": "live", "rates": Both(300_000.0, 0.0)}
        node.run(4)
        node.heard.clear()
        node.queue = 0.0
        low = node.weather.limits.up
        assert low is not None
        if how == "said":
            node.hear(b"viewer", kind="idle")
        elif how == "goodbye":
            node.weather.gone(b"viewer")
        else:
            node.run(CLAIM_LEAST + HOLD)
        node.run(0.2)
        assert node.weather.limits.up is None or node.weather.limits.up > 2 * low, how


def test_other_programs_of_this_machine_deserve_room_unless_that_is_switched_off() -> None:
    for wanted in (True, False):
        node = Node(room_for_others=wanted)
        node.run(3)
        node.doing, node.queue = BULK._replace(others=Both(100_000.0, 100_000.0)), 0.2
        limits = node.run(3)
        assert (limits.up is not None) == wanted
        assert node.said[-1][1].needs_room == wanted


def test_who_does_not_want_to_yield_does_not() -> None:
    node = Node(yields=False)
    node.run(3)
    node.doing, node.queue = BULK, 0.5
    node.heard[b"viewer"] = {"kind": "live"}
    assert node.run(5) == Limits()


def test_two_in_one_queue_are_congested_and_step_back() -> None:
    node = loaded()
    node.heard[b"other"] = {"is_known": True, "is_bloated": True, "queue": 0.2, "mean": 0.2,
                            "rates": Both(100_000.0, 0.0)}
    limits = node.run(7)
    assert node.weather.state == "congested"
    assert limits.up is not None
    assert limits.why == "congested"
    assert "suspected" in node.states


def test_download_into_a_queue_is_limited_not_the_idle_upload() -> None:
    node = Node()
    node.run(3)
    node.doing, node.queue = Doing("bulk", Both(0.0, 2e6), Both(0.0, 2e6)), 0.2
    node.heard[b"viewer"] = {"kind": "live", "rates": Both(0.0, 375_000.0)}
    limits = node.run(2)
    assert limits.down is not None
    assert limits.up is None


def test_nothing_is_decided_when_nothing_is_known() -> None:
    node = Node()
    node.weather.doing(0.0, BULK)
    node.hear(b"viewer", kind="live")
    output = node.weather.run(0.1)
    assert output.limits == Limits()
    assert node.weather.state == "unknown"


def test_another_gateway_is_another_weather() -> None:
    node = loaded()
    node.heard[b"viewer"] = {"kind": "live", "rates": Both(300_000.0, 0.0)}
    node.run(2)
    node.weather.set_gateway(OTHER)
    output = node.weather.run(node.now + 0.1)
    assert output.limits == Limits()
    assert node.weather.capacities[0].value is None
    assert not node.weather.claims.all(node.now)


def test_same_gateway_told_again_changes_nothing() -> None:
    node = loaded()
    node.weather.set_gateway(GATEWAY)
    assert node.weather.sensor.felt(node.now).is_bloated


def test_without_a_gateway_nothing_is_said() -> None:
    weather = Weather(0.0, os.urandom)
    weather.doing(0.0, BULK)
    assert weather.run(0.1).summary is None


def test_malformed_summaries_are_dropped_and_counted() -> None:
    node = Node()
    assert not node.weather.heard(0.0, b"mid", "host", b"\xff" * 40)
    assert not node.weather.heard(0.0, b"mid", "host", b"")
    assert node.weather.counters["malformed"] == 2


def test_idle_node_speaks_once_a_minute_loaded_one_once_a_second() -> None:
    node = Node()
    node.run(125)
    assert len(node.said) in (2, 3)
    assert node.said[-1][1].interval == SUMMARY_IDLE
    node.doing = BULK
    before = len(node.said)
    node.run(10)
    assert 9 <= len(node.said) - before <= 12


def test_change_of_class_is_said_at_once_but_not_each_time() -> None:
    node = Node()
    node.run(5)
    node.doing = Doing("live")
    node.run(0.2)
    assert node.said[-1][1].kind == "live"
    before = len(node.said)
    for step in range(40):
        node.doing = Doing("live" if step % 2 else "idle")
        node.run(0.1)
    assert len(node.said) - before <= 14


def test_end_of_a_stream_is_said_at_once() -> None:
    node = Node()
    node.doing = Doing("live")
    node.run(5)
    node.doing = Doing()
    node.run(0.4)
    assert node.said[-1][1].kind == "idle"


def test_what_is_said_names_nothing_but_coarse_rates() -> None:
    node = Node()
    node.doing = BULK
    node.run(5)
    said = node.said[-1][1]
    assert said.rates.up == pytest.approx(500_000, rel=0.06)
    assert said.rates.up != 500_000
    assert said.kind == "bulk"


def test_it_is_shown_as_json_with_null_for_the_unknown() -> None:
    node = Node()
    empty = weather_view(node.weather, 0.0)
    assert empty["gateway"]["state"] == "unknown"
    assert empty["gateway"]["delay_ms"] is None
    assert empty["gateway"]["up"] is None
    assert empty["limit"] == {"up": None, "down": None, "why": None, "text": None}
    node = loaded()
    node.heard[b"viewer"] = {"kind": "live", "rates": Both(300_000.0, 0.0)}
    node.heard[b"afar"] = {"gateway": OTHER}
    node.run(2)
    shown = json.loads(json.dumps(weather_view(node.weather, node.now)))
    assert shown["gateway"]["delay_ms"] == pytest.approx(200, rel=0.01)
    assert shown["gateway"]["members"] == [b"viewer".hex()]
    ours = {each["mid"]: each["same_gateway"] for each in shown["nodes"]}
    assert ours == {b"viewer".hex(): True, b"afar".hex(): False}
    assert shown["limit"]["why"] == "live"


def test_history_remembers_it() -> None:
    node = loaded()
    node.run(120)
    shown = [minute_view(minute) for minute in node.weather.history.since()]
    assert len(shown) in (3, 4)
    assert shown[-1]["delay_ms"] == pytest.approx(200, rel=0.01)
    assert shown[-1]["state"] == "suspected"


@pytest.mark.parametrize("lie", [64.0, 1e9])
def test_capacity_that_was_seen_otherwise_is_not_believed(lie: float) -> None:
    node = Node()
    node.doing = BULK
    node.heard[b"liar"] = {"capacity": Both(lie, lie), "confidence": Both(1.0, 1.0)}
    node.run(8)
    assert node.weather.capacity(0, node.weather.claims.crowd(node.now)) == (None, 0.0)


def test_capacity_that_agrees_with_what_was_seen_is_believed_until_it_is_known_here() -> None:
    node = Node()
    node.doing = BULK
    node.heard[b"other"] = {"capacity": Both(600_000.0, 0.0), "confidence": Both(1.0, 0.0)}
    node.run(8)
    value, confidence = node.weather.capacity(0, node.weather.claims.crowd(node.now))
    assert value == pytest.approx(600_000, rel=0.1)
    assert confidence == pytest.approx(1.0, rel=0.01)


def test_queue_that_only_others_feel_is_nothing_the_gateway_is_measured_by() -> None:
    node = Node()
    node.doing = BULK
    node.heard[b"liar"] = {"is_known": True, "is_bloated": True, "queue": 0.5, "mean": 0.5}
    node.run(10)
    assert node.weather.capacities[0].value is None
