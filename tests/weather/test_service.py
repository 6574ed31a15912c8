"""The weather of a running node, with its surroundings told by the test: where home is, limits and their end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tribler_multicast.client import Traffic
from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.service.counting import EACH, STEADY_FOR, OtherPrograms, read_counters
from tribler_multicast.weather.service.service import Home, WeatherService
from tribler_multicast.weather.summary import Both, WeatherSummary
from tribler_multicast.weather.weather import Limits

GATEWAY = "02:00:00:00:01:fe"
HOME = Home("lo", 1, "127.0.0.1", "127.0.0.254", GATEWAY)


class Around:
    """
    Surroundings that note what they are told.
    """

    def __init__(self) -> None:
        self.at: Home | None = HOME
        self.doing = "idle"
        self.stream: Both | None = None
        self.moving = Traffic()
        self.limits: list[tuple[float | None, float | None]] = []
        self.said: list[tuple[Home, bytes]] = []
        self.told: list[dict[str, object]] = []

    def home(self) -> Home | None:
        return self.at

    def activity(self) -> str:
        return self.doing

    def declared(self) -> Both | None:
        return self.stream

    def traffic(self) -> Traffic:
        return self.moving

    def limit(self, up: float | None, down: float | None) -> None:
        self.limits.append((up, down))

    def say(self, home: Home, payload: bytes, *, anyway: bool) -> None:
        self.said.append((home, payload))

    def tell(self, topic: str, **kwargs: object) -> None:
        self.told.append({"topic": topic, **kwargs})


def live(**fields: Any) -> bytes:  # noqa: ANN401
    return WeatherSummary("live", make_tag(GATEWAY, b"saltsalt"), 1.0, rates=Both(300_000.0, 0.0), **fields).pack()


async def limited(around: Around, **options: object) -> WeatherService:
    """
    Get a service of a node whose uploads just made room for a stream.
    """
    service = WeatherService(around, {"room_for_others": False, **options})
    now = time.monotonic()
    around.doing, around.moving = "bulk", Traffic(500_000.0, 0.0, 500_000.0, 0.0)
    service.step(now)
    for step in range(40):
        service.weather.sensor.gateway_answer(now + step * 0.1, 0.001)
        service.weather.sensor.wan_answer(now + step * 0.1, "hop", 0.01 if step < 5 else 0.2, near=True)
        service.heard(b"viewer", "host", live())
        service.step(now + step * 0.1)
    return service


async def test_limits_are_put_on_and_taken_away_at_the_end() -> None:
    around = Around()
    service = await limited(around)
    assert around.limits
    assert around.limits[-1][0] is not None
    assert around.told[-1]["why"] == "live"
    await service.close()
    assert around.limits[-1] == (None, None)
    assert service.home is None


async def test_what_bulk_is_to_begin_with_is_told_to_the_client_and_to_nobody_else() -> None:
    around = Around()
    service = WeatherService(around, {"room_for_others": False})
    service.step(time.monotonic())
    told = len(around.told)
    service._apply(time.monotonic(), Limits(ahead=(50_000.0, None)))
    assert around.limits[-1] == (50_000.0, None)
    assert service.view()["limit"]["up"] is None
    assert len(around.told) == told
    await service.close()
    assert around.limits[-1] == (None, None)


async def test_where_it_only_listens_it_hears_who_needs_room_and_says_nothing() -> None:
    around = Around()
    around.at = HOME._replace(is_silent=True)
    service = WeatherService(around, {})
    service.heard(b"viewer", "host", live())
    service.step(time.monotonic())
    service.heard(b"viewer", "host", live(is_known=True, level=Both(1.0, 1.0)), verified=False)
    service.step(time.monotonic())
    assert service.weather.claims.crowd(time.monotonic()).need == "live"
    assert service.weather.claims.crowd(time.monotonic()).members == ()
    assert around.said == []
    await service.close()


async def test_limits_go_when_home_is_left() -> None:
    around = Around()
    service = await limited(around)
    around.at = None
    assert not service.step(time.monotonic())
    assert around.limits[-1] == (None, None)
    await service.close()


@pytest.mark.parametrize("name", ["weather", "step_aside"])
async def test_settings_switch_it_off(name: str) -> None:
    around = Around()
    service = await limited(around, **{name: False})
    assert all(limit == (None, None) for limit in around.limits)
    assert (not around.said) == (name == "weather")
    await service.close()


async def test_declared_stream_is_told_with_its_rates() -> None:
    around = Around()
    around.doing, around.stream = "live", Both(0.0, 375_000.0)
    service = WeatherService(around, {})
    service.step(time.monotonic())
    summary = WeatherSummary.read(around.said[-1][1])
    assert summary is not None
    assert summary.kind == "live"
    assert summary.rates.down == pytest.approx(375_000, rel=0.06)
    await service.close()


async def test_gateway_whose_hardware_address_becomes_known_is_the_same() -> None:
    around = Around()
    around.at = HOME._replace(gateway=HOME.router)
    service = WeatherService(around, {})
    service.step(time.monotonic())
    service.weather.sensor.gateway_answer(time.monotonic(), 0.001)
    around.at = HOME
    service.step(time.monotonic())
    assert service.weather.gateway == GATEWAY
    assert service.weather.sensor.gateway.path.base.value == pytest.approx(0.001)
    around.at = HOME._replace(gateway="02:00:00:00:02:fe")
    service.step(time.monotonic())
    assert service.weather.sensor.gateway.path.base.value is None
    await service.close()


async def test_failure_of_the_surroundings_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    around = Around()
    around.traffic = lambda: 1 / 0  # type: ignore[assignment,return-value]
    service = WeatherService(around, {})
    service.start()
    async with asyncio.timeout(20):
        while "could not be looked at" not in caplog.text:
            await asyncio.sleep(0.01)
    await service.close()


def watch(*moved: tuple[float, float], own: Both = Both()) -> list[Both]:  # noqa: B008 (a tuple)
    """
    Get what is told of others while an interface moves so many bytes each second.
    """
    counted = {"bytes": (0, 0)}
    others = OtherPrograms(lambda _interface: counted["bytes"])
    found = []
    for second, (up, down) in enumerate([(0, 0), *moved]):
        counted["bytes"] = counted["bytes"][0] + int(up), counted["bytes"][1] + int(down)
        found.append(others.look(100.0 + second * EACH, "eth0", own))
    return found[1:]


@pytest.mark.parametrize("up, down, seen", [(60_000, 80_000, True), (5_000_000, 100_000, False),
                                            (0, 2_000_000, False), (5_000, 5_000, False), (250_000, 0, True),
                                            (0, 250_000, True), (20_000, 0, False)])
def test_a_call_or_a_stream_beside_us_is_seen_a_copy_within_the_house_is_not(up: int, down: int, seen: bool) -> None:
    assert (watch(*[(up, down)] * (STEADY_FOR + 1))[-1] != Both()) == seen


def test_a_stream_is_steady_when_it_begins_and_ends_when_it_ends() -> None:
    bursts = [(0, 400_000), (0, 100_000)] * 5
    assert watch(*bursts)[-1] == Both()
    steady = [(0, 250_000)] * STEADY_FOR
    *_, during, after = watch(*steady, *bursts, (0, 0))
    assert during.down == 100_000
    assert after == Both()


def test_while_this_node_moves_much_beside_the_internet_others_are_not_told_from_it() -> None:
    calls = [(60_000, 80_000)] * 6
    assert watch(*calls)[-1] != Both()
    assert watch(*calls, own=Both(60_000.0, 80_000.0))[-1] == Both()
    assert watch(*calls, own=Both(float("inf"), float("inf")))[-1] == Both()


def test_own_traffic_and_its_acknowledgements_are_nobody_elses() -> None:
    counted = {"bytes": (0, 0)}
    others = OtherPrograms(lambda _interface: counted["bytes"])
    for second in range(10):
        counted["bytes"] = second * 640_000, second * 30_000
        others.look(100.0 + second, "eth0", Both(600_000.0, 0.0))
    assert others.rates == Both()


def test_page_that_loads_for_a_moment_needs_no_room() -> None:
    counted = {"bytes": (0, 0)}
    others = OtherPrograms(lambda _interface: counted["bytes"])
    others.look(100.0, "eth0", Both())
    counted["bytes"] = 100_000, 100_000
    assert others.look(101.0, "eth0", Both()) == Both()


def test_counters_of_this_system_can_be_read() -> None:
    found = read_counters("lo")
    assert found is None or found[0] >= 0
    assert read_counters("no such interface") is None
