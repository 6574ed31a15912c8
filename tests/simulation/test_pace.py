"""The load on the LAN stays bounded whatever the number of nodes, and a newcomer knows all within seconds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.limits import VERIFIED_BURST, VERIFIED_PER_SECOND
from tribler_multicast.protocol.pace import introduction_interval, next_introduction
from tribler_multicast.protocol.wire import PREFIX, Address, Kind, Writer

from .cached import cached_cryptography, identity_of
from .lan import RECEIVE_BUFFER, SimulatedLan
from .runs import newcome, power_up, steady
from .seeding import settled

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def shared_cryptography() -> Iterator[None]:
    with cached_cryptography():
        yield


@pytest.mark.parametrize("nodes", [1, 2, 10, 50, 100, 1000, 1200, 1349, 2000, 2400, 2500, 5000, 20_000])
def test_introductions_of_all_together_are_at_most_20_per_second_or_1_2_per_node_and_two_minutes(nodes: int) -> None:
    random = Random(1)
    interval = introduction_interval(nodes - 1, 5.0)
    mean = sum(next_introduction(interval, interval, random) for _ in range(20_000)) / 20_000
    assert nodes / mean <= (20.0 if nodes <= 2400 else 1.2 * nodes / 120)


@pytest.mark.parametrize("nodes", [10, 100])
def test_lan_that_powers_up_settles_and_keeps_its_pace(nodes: int) -> None:
    lan = SimulatedLan(nodes)
    up = power_up(lan, 2.0)
    assert up.seconds <= 6
    assert (up.lost_for_want_of_room, lan.verified()) == (0, 1.0)
    calm = steady(lan, 60.0, 30.0)
    assert calm.introductions <= 12
    assert calm.packets < 14
    assert lan.verified() == 1.0


def test_hundred_and_twenty_that_power_up_at_the_same_moment_settle_within_their_receive_buffers() -> None:
    lan = SimulatedLan(120)
    up = power_up(lan, 0.05)
    assert up.seconds <= 12
    assert up.buffer_highest < RECEIVE_BUFFER
    assert up.lost_for_want_of_room == 0


def test_node_in_a_crowd_that_powers_up_challenges_no_more_than_its_pace() -> None:
    lan = SimulatedLan(600, 10)
    lan.start_within(1.0)
    lan.run(5.0)
    most = max(node.core.counters.sent["challenge"] for node in lan.full)
    assert VERIFIED_BURST / 2 < most <= VERIFIED_BURST + 5 * VERIFIED_PER_SECOND + 16


def test_thousand_nodes_keep_their_pace() -> None:
    lan = settled(1000, 50)
    calm = steady(lan, 60.0, 0.0)
    assert 9 <= calm.introductions <= 13
    assert calm.packets < 20
    assert lan.verified() == 1.0


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_newcomer_among_a_thousand_knows_95_percent_in_5_s_and_has_verified_them_in_60(loss: float) -> None:
    lan = settled(1000, 50)
    lan.loss = loss
    new, node = newcome(lan)
    assert new.knows <= 5
    assert new.verified <= 60
    assert new.lost_for_want_of_room == 0
    assert node.core.counters.sent["pull"] <= 12


def test_newcomer_is_not_delayed_by_relayers_that_invent_nodes() -> None:
    honest, _ = newcome(settled(400, 40))
    lan = settled(400, 40)
    throwaway = [invented(number) for number in range(3000)]
    stored = {data[19:83]: data for data in throwaway}
    for node in lan.nodes[::4]:  # A quarter of all lie.
        node.core.pages.known = lambda _link: iter(stored)  # type: ignore[method-assign]
        node.core.pages.stored = lambda key, _link: stored.get(key, b"")  # type: ignore[method-assign]
    lied_to, node = newcome(lan)
    assert lied_to.verified <= honest.verified + 1
    assert node.core.candidates.by_relayer
    assert len(node.core.peers) <= 400
    assert node.core.current_introduction().interval <= 40.1


def invented(number: int) -> bytes:
    """Make an introduction of a throwaway key at an address where nobody is, as it stands in a page."""
    place = Address(4, f"10.200.{number >> 8}.{number & 255}", 32110)
    payload = place.pack() + Introduction(5.0).pack()
    return Writer(identity_of(f"throwaway {number}"), 1).datagram(Kind.INTRODUCTION, 4, payload)[len(PREFIX):]


@pytest.mark.soak
def test_five_thousand_that_power_up_together_settle() -> None:
    lan = SimulatedLan(5000, 50)
    up = power_up(lan, 5.0)
    assert up.seconds <= 400
    assert up.buffer_highest < RECEIVE_BUFFER
    assert up.lost_for_want_of_room == 0
    calm = steady(lan, 120.0)
    assert calm.introductions <= 1.2 * 5000 / 120
