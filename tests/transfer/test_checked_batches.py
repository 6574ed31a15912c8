"""
Packets that are checked as they come, many at once: the same ones are found as one by one.
"""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.transfer.session.checks import Checks, Suspect
from tribler_multicast.transfer.session.coop_limits import SPOILT, SUMS_AT_ONCE
from tribler_multicast.transfer.session.coop_messages import Sums
from tribler_multicast.transfer.session.events import GroupSpoilt, PeerNamed
from tribler_multicast.transfer.session.packets import (
    HEAD,
    HEARTBEAT,
    MAC_SIZE,
    NUMBERED,
    PLACE,
    PROOF,
    RECODED,
    UNICAST,
)
from tribler_multicast.transfer.session.reports import WHOLE, Lacks, Run
from tribler_multicast.transfer.session.summer import Summer

from .coop_lan import SOURCE
from .session_lan import TAG, Content

CONTENT = Content(5 << 20)
GEOMETRY = CONTENT.geometry
SYMBOL = GEOMETRY.symbol
ALL = bytes([0]) * 1000
"""Verdicts: accepted."""
HELPER, GROUP = 7, 0


def told(*segments: int) -> Checks:
    """One in checked mode that has the checksums of some segments."""
    checks = Checks(GEOMETRY, TAG, always=True)
    checks.source = SOURCE
    assert checks.alarm(0, segments, 0.0) is not None
    summer = Summer(GEOMETRY, TAG)
    summer.alarm_received(b"me", Lacks(0, GEOMETRY.segments, [Run(each, 1, WHOLE) for each in segments]))
    for segment in segments:
        summer.give(segment, CONTENT.segments[segment])
    while summer.is_due:
        for _, sums in summer.take():
            assert checks.sums_received(Sums.read(sums.pack(), GEOMETRY) or sums)
    return checks


def symbols(generation: int) -> list[bytes]:
    segment = CONTENT.segments[generation // GEOMETRY.parts]
    start = GEOMETRY.offset(generation)
    whole = segment[start:start + GEOMETRY.size(generation) * SYMBOL].ljust(GEOMETRY.size(generation) * SYMBOL, b"\0")
    return [whole[at:at + SYMBOL] for at in range(0, len(whole), SYMBOL)]


def datagram(form: int, body: bytes) -> bytes:
    return bytes((form,)) + bytes(HEAD.size - 1) + body + bytes(MAC_SIZE)


def some(random: Random, size: int) -> tuple[bytes, bool]:
    """A datagram of so many bytes, good or bad, and whether it is a bad one that can be known."""
    generation = random.choice([each for each in range(3 * GEOMETRY.parts) if GEOMETRY.size(each)])
    known = generation // GEOMETRY.parts < 2
    way = random.choice((0, UNICAST))
    if size == len(datagram(NUMBERED, bytes(8 + SYMBOL))):
        number = random.randrange(GEOMETRY.size(generation))
        payload, spoilt = symbols(generation)[number], random.random() < 0.3
        if spoilt:
            payload = payload[:-1] + bytes((payload[-1] ^ 1,))
        return datagram(NUMBERED + way, PLACE.pack(generation, number) + payload), spoilt and known
    k = size - len(datagram(RECODED, bytes(4 + SYMBOL)))
    if k != GEOMETRY.size(generation):
        return datagram(random.choice((PROOF, HEARTBEAT)) + way, bytes(size - HEAD.size - MAC_SIZE)), False
    number, spoilt = random.randrange(k), random.random() < 0.3
    vector = bytearray(k)
    vector[number] = 1
    if spoilt:
        vector[(number + 1) % k] = 1
    return (datagram(RECODED + way, generation.to_bytes(4, "big") + bytes(vector) + symbols(generation)[number]),
            spoilt and known)


@pytest.mark.parametrize("seed", range(40))
def test_a_batch_is_judged_as_its_packets_one_by_one(seed: int) -> None:
    random = Random(seed)
    batch, single = told(0, 1), told(0, 1)
    size = len(datagram(NUMBERED, bytes(8 + SYMBOL))) if seed % 2 else len(
        datagram(RECODED, bytes(4 + GEOMETRY.size(random.choice((0, 1))) + SYMBOL)))
    made = [some(random, size) for _ in range(random.randrange(1, 40))]
    if seed % 3 == 0:  # the last one is cut
        made[-1] = made[-1][0][:random.randrange(HEAD.size + 4 + MAC_SIZE, size)], False
    verdicts = bytearray(random.choice((0, 0, 0, 1)) for _ in made)
    missing = bytearray(b"\1" * GEOMETRY.generations)
    expected = [number for number, (_, bad) in enumerate(made) if bad and not verdicts[number]]
    data = memoryview(b"".join(each for each, _ in made))
    assert batch.bad_in(data, size, bytes(verdicts), missing, (GROUP, HELPER)) == expected
    assert [number for number, (each, _) in enumerate(made) if not verdicts[number] and not single.is_good_datagram(
        memoryview(each), missing, HELPER if each[0] & UNICAST else GROUP)] == expected
    assert batch.counters["check: bad"] == single.counters["check: bad"] == len(expected)


def test_packets_that_are_not_needed_cost_nothing() -> None:
    checks = told(0)
    made = datagram(NUMBERED, PLACE.pack(0, 0) + bytes(SYMBOL))
    assert checks.bad_in(memoryview(made), len(made), ALL[:1], bytearray(GEOMETRY.generations), (0, 7)) == []
    assert not checks.counters["check: packets"]
    assert checks.bad_in(memoryview(made), len(made), ALL[:1], bytearray(b"\1" * GEOMETRY.generations), (0, 7)) == [0]


def test_a_bad_one_of_a_batch_names_who_sent_it_when_the_truth_is_known() -> None:
    checks = told(0)
    checks.origins[HELPER] = b"helper"
    good, bad = (datagram(NUMBERED + UNICAST, PLACE.pack(1, number) + payload)
                 for number, payload in ((0, symbols(1)[0]), (1, bytes(SYMBOL))))
    checks.vouched.add(HELPER)
    missing = bytearray(b"\1" * GEOMETRY.generations)
    assert checks.bad_in(memoryview(good + bad), len(good), ALL[:2], missing, (GROUP, HELPER)) == [1]
    assert not checks.named
    checks.proved(0, CONTENT.segments[0])
    assert [event.member for event in checks.events if isinstance(event, PeerNamed)] == [b"helper"]


def test_suspects_are_the_same_either_way() -> None:
    kept: list[list[Suspect]] = []
    for at_once in (True, False):
        checks = told(0)
        made = datagram(NUMBERED + UNICAST, PLACE.pack(2, 1 << 30) + bytes(SYMBOL))
        missing = bytearray(b"\1" * GEOMETRY.generations)
        if at_once:
            assert checks.bad_in(memoryview(made), len(made), ALL[:1], missing, (GROUP, HELPER)) == [0]
        else:
            assert not checks.is_good_datagram(memoryview(made), missing, HELPER)
        kept.append(checks._suspects[2])
    assert kept[0] == kept[1]
    assert kept[0][0].vouched, "a combination by its seed is made of whole segments only"


@pytest.mark.parametrize(("bad_of_ten", "is_left"), [(1, False), (5, False), (7, False), (9, True), (10, True)])
def test_the_group_is_left_when_nearly_all_in_it_is_bad_and_not_because_somebody_sends_some(
        bad_of_ten: int, is_left: bool) -> None:
    checks = told(0)
    good = datagram(NUMBERED, PLACE.pack(0, 1) + symbols(0)[1])
    bad = datagram(NUMBERED, PLACE.pack(0, 1) + bytes(SYMBOL))
    batch = memoryview(bad * bad_of_ten + good * (10 - bad_of_ten))
    for _ in range(5 * SPOILT // bad_of_ten):
        checks.bad_in(batch, len(good), ALL[:10], bytearray(b"\1" * GEOMETRY.generations), (GROUP, HELPER))
    assert [type(event) for event in checks.events if isinstance(event, GroupSpoilt)] == [GroupSpoilt] * is_left


def test_what_helpers_send_says_nothing_about_the_group() -> None:
    checks = told(0)
    bad = datagram(NUMBERED, PLACE.pack(0, 1) + bytes(SYMBOL))
    for _ in range(3 * SPOILT):
        checks.bad_in(memoryview(bad), len(bad), ALL[:1], bytearray(b"\1" * GEOMETRY.generations), (HELPER, HELPER))
    assert not checks.is_spoilt


def test_checksums_are_made_a_few_at_once_and_the_rest_is_due_at_once() -> None:
    summer = Summer(GEOMETRY, TAG)
    for mid in range(40):
        summer.alarm_received(bytes([mid]) * 20, Lacks(0, GEOMETRY.segments, [Run(0, 1, WHOLE)]))
    assert not summer.is_due
    summer.give(0, CONTENT.segments[0])
    got: list[int] = []
    while summer.is_due:
        got.append(len({mid for mid, _ in summer.take()}))
    assert sum(got) == 40
    assert max(got) <= SUMS_AT_ONCE
