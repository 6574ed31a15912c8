"""
Members who hold the session's key and use it against the others: all honest ones finish, only the guilty are named.
"""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session.checks import Checks
from tribler_multicast.transfer.session.coop_messages import Sums
from tribler_multicast.transfer.session.cooperation import Cooperation
from tribler_multicast.transfer.session.events import Checking, PeerNamed
from tribler_multicast.transfer.session.packets import KEY_SIZE, NUMBERED, PLACE
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import Lacks, Run
from tribler_multicast.transfer.session.stream import Stream
from tribler_multicast.transfer.session.summer import Summer

from .attackers import Forger, JumpingForger, Liar, NumberedSpoiler, Replayer, Spoiler
from .coop_lan import CONTENT_ID, SOURCE, CoopLan, CoopNode
from .session_lan import KEY, TAG, Content

MIB = 1 << 20
SMALL = Content(3 * MIB)


def attacked(honest: int, attackers: list[type[CoopNode]], size: int = 8 * MIB, **more: object) -> CoopLan:
    lan = CoopLan(Content(size), **more)
    for _ in range(honest):
        lan.node(loss=0.05)
    for attacker in attackers:
        lan.node(loss=0.05, of=attacker)
    for node in lan.nodes:
        node.join()
    return lan


def guilty(lan: CoopLan) -> set[bytes]:
    return {node.name for node in lan.nodes if isinstance(node, Spoiler)}


def slower(attackers: list[type[CoopNode]], honest: int = 4, size: int = 8 * MIB) -> tuple[CoopLan, float]:
    before = attacked(honest, [CoopNode] * len(attackers), size).run_until_done()
    lan = attacked(honest, attackers, size)
    return lan, lan.run_until_honest_done() / before


@pytest.mark.parametrize("attacker", [Spoiler, NumberedSpoiler])
def test_who_spoils_what_it_gives_is_named_and_the_others_finish_in_time(attacker: type[CoopNode]) -> None:
    lan, ratio = slower([attacker], size=16 * MIB)
    assert ratio < 1.3
    assert lan.named == guilty(lan)


def test_when_a_third_is_malicious_only_they_are_named_and_the_others_finish() -> None:
    lan, ratio = slower([Spoiler, NumberedSpoiler, Spoiler], 7, 4 * MIB)
    assert ratio < 2
    assert lan.named
    assert lan.named <= guilty(lan)


def test_nonsense_in_the_name_of_the_source_is_dropped_and_nobody_is_named_for_it() -> None:
    lan, ratio = slower([Forger])
    assert ratio < 1.4
    assert not lan.named
    assert any(node.receiver.counters["data: bad"] for node in lan.honest if node.receiver is not None)


def test_sequences_far_ahead_do_not_make_the_source_unheard() -> None:
    lan = attacked(4, [JumpingForger], 4 * MIB)
    lan.run_until_honest_done(10.0)
    assert not lan.named


def test_who_lies_about_what_it_lacks_and_asks_everybody_for_all_holds_up_the_others_only_little() -> None:
    lan, ratio = slower([Liar], size=16 * MIB)
    assert ratio < 1.4
    assert not lan.named


def test_what_is_sent_once_more_changes_nothing() -> None:
    lan, ratio = slower([Replayer])
    assert ratio < 1.4
    assert not lan.named


def test_without_an_attack_nothing_is_checked_and_nobody_is_named() -> None:
    lan = attacked(4, [])
    lan.run_until_done()
    assert not lan.named
    assert not lan.sums_bytes
    assert not any(node.coop.checks.on for node in lan.nodes if node.coop is not None)


def test_checked_from_the_start_costs_the_source_less_than_one_percent_for_each_receiver() -> None:
    lan = attacked(4, [], checked=True)
    lan.run_until_done()
    assert not lan.named
    assert 0 < lan.sums_bytes * lan.content.scale / lan.content.real_size < 4 * 0.015


def test_from_the_start_means_that_no_segment_is_ever_spoilt() -> None:
    lan = attacked(4, [Spoiler], checked=True)
    lan.run_until_honest_done()
    assert lan.named == guilty(lan)
    spoilt = sum(node.receiver.counters["segment: bad"] for node in lan.honest if node.receiver is not None)
    assert spoilt <= 2, "only before the first checksums came"


def test_the_source_is_gone_and_one_of_those_who_are_left_spoils_what_it_gives() -> None:
    lan = attacked(3, [Spoiler], 4 * MIB)
    lan.run_until_honest_done()
    lan.kill_source()
    late = lan.node(loss=0.02)
    late.join()
    assert late.seeker is not None
    for node in lan.nodes[:4]:
        late.seeker.meet(node.name)
    lan.run_until_honest_done()
    assert lan.named <= guilty(lan)


# --- One receiver, byte by byte.


def cooperation(content: Content = SMALL) -> Cooperation:
    tree = HashTree(content.geometry.segments, content.tree.root)
    receiver = Receiver(content.geometry, tree, tree.add, tag=TAG, keys=(KEY, bytes(KEY_SIZE)), random=Random(1),
                        now=0.0)
    return Cooperation(receiver, CONTENT_ID, b"me" * 10, port=1, random=Random(2), now=0.0, source=SOURCE)


def numbered(stream: Stream, generation: int, number: int, symbol: bytes) -> bytearray:
    return stream.one(NUMBERED, PLACE.pack(generation, number) + symbol, 1.0, 5)


def symbol_of(content: Content, generation: int, index: int) -> bytes:
    geometry = content.geometry
    start = geometry.offset(generation) + index * geometry.symbol
    return content.segments[generation // geometry.parts][start:start + geometry.symbol].ljust(geometry.symbol, b"\0")


def fill(coop: Cooperation, content: Content, stream: Stream, *, but: tuple[int, int] = (-1, -1)) -> None:
    for generation in content.geometry.of(0):
        for index in range(content.geometry.size(generation)):
            if (generation, index) != but:
                coop.receiver.data_received(numbered(stream, generation, index, symbol_of(content, generation, index)),
                                            1.0)


def answer(coop: Cooperation, content: Content, summer: Summer) -> None:
    """Let the source answer the ALARM that is due."""
    coop.run_timers(1.0)
    assert any(kind == 39 for _, kind, _ in coop.take_messages())
    summer.alarm_received(b"me" * 10, Lacks(0, content.geometry.segments, [Run(0, 1, 0)]))
    assert summer.take() == []
    summer.give(0, content.segments[0])
    for mid, sums in summer.take():
        assert mid == b"me" * 10
        coop.message_received(SOURCE, 38, sums.pack(), 1.0)
    coop.run_timers(1.1)


def test_nobody_can_send_in_the_name_of_another_helper() -> None:
    coop = cooperation()
    coop.meet(b"a" * 20)
    stream = coop.seeker.peers[b"a" * 20].stream
    forged = Stream(stream.tag, KEY, unicast=True)
    coop.receiver.data_received(numbered(forged, 0, 0, bytes(SMALL.geometry.symbol)), 1.0)
    assert coop.receiver.counters == {"help: MAC": 1}


def test_bad_packet_is_found_among_the_stored_and_its_sender_named_when_the_truth_is_known() -> None:
    coop = cooperation()
    coop.meet(b"bad" + bytes(17))
    before = coop.seeker.peers[b"bad" + bytes(17)].stream
    coop.checks.begin()
    coop.run_timers(0.5)
    helper = coop.seeker.peers[b"bad" + bytes(17)].stream
    assert helper.tag != before.tag, "what was promised is certain from now on"
    bad = numbered(Stream(helper.tag, helper.key, unicast=True), 3, 7, bytes(SMALL.geometry.symbol))
    coop.receiver.data_received(bad, 1.0)
    group = Stream(TAG, KEY, unicast=False)
    fill(coop, SMALL, group, but=(3, 7))
    coop.receiver.add_proof(*_proof(SMALL))
    assert not coop.receiver.missing[3]
    coop.receiver.stored(0, is_good=False)
    assert coop.take_events() == [Checking()]
    answer(coop, SMALL, Summer(SMALL.geometry, TAG, random=Random(3).randbytes))
    assert coop.receiver.missing[3] == 1, "the bad one was removed, the rest is kept"
    assert not coop.checks.named, "checksums alone name nobody"
    coop.receiver.data_received(numbered(group, 3, 7, symbol_of(SMALL, 3, 7)), 1.0)
    coop.receiver.stored(0, is_good=True)
    coop.run_timers(1.2)
    assert coop.take_events() == [PeerNamed(b"bad" + bytes(17))]
    assert b"bad" + bytes(17) not in coop.seeker.peers
    coop.meet(b"bad" + bytes(17))
    assert not coop.seeker.peers, "it is heard no more"


@pytest.mark.parametrize("is_recoded", [True, False])
def test_packets_from_before_checked_mode_name_nobody(is_recoded: bool) -> None:
    coop = cooperation()
    coop.meet(b"led" + bytes(17))
    helper = coop.seeker.peers[b"led" + bytes(17)].stream
    size, symbol = SMALL.geometry.size(3), SMALL.geometry.symbol
    stream = Stream(helper.tag, helper.key, unicast=True)
    recoded = stream.one(0xC2, (3).to_bytes(4, "big") + bytes(range(1, size + 1)) + bytes(symbol), 1.0, 5)
    coop.receiver.data_received(recoded if is_recoded else numbered(stream, 3, 7, bytes(symbol)), 1.0)
    group = Stream(TAG, KEY, unicast=False)
    fill(coop, SMALL, group, but=(3, 7))
    coop.receiver.stored(0, is_good=False)
    answer(coop, SMALL, Summer(SMALL.geometry, TAG, random=Random(3).randbytes))
    assert coop.receiver.missing[3] == 1
    coop.receiver.data_received(numbered(group, 3, 7, symbol_of(SMALL, 3, 7)), 1.0)
    coop.receiver.stored(0, is_good=True)
    assert not coop.checks.named, "it may have been spoilt by somebody else"


def test_source_whose_checksums_lie_names_itself_and_nobody_else() -> None:
    coop = cooperation()
    coop.meet(b"good" + bytes(16))
    helper = coop.seeker.peers[b"good" + bytes(16)].stream
    good = numbered(Stream(helper.tag, helper.key, unicast=True), 3, 7, symbol_of(SMALL, 3, 7))
    coop.receiver.data_received(good, 1.0)
    group = Stream(TAG, KEY, unicast=False)
    fill(coop, SMALL, group, but=(3, 7))
    coop.receiver.stored(0, is_good=False)
    coop.run_timers(1.0)
    lies = bytes(8 * SMALL.geometry.size(3))
    coop.message_received(SOURCE, 38, Sums(TAG, bytes(range(32)), [(3, lies)]).pack(), 1.0)
    assert coop.receiver.missing[3]
    coop.checks.proved(0, SMALL.segments[0])
    coop.run_timers(1.2)
    assert coop.checks.named == {SOURCE}


def test_checksums_that_nobody_asked_for_or_of_somebody_else_change_nothing() -> None:
    checks = Checks(SMALL.geometry, TAG)
    sums = Sums(TAG, bytes(range(32)), [(3, bytes(8 * SMALL.geometry.size(3)))])
    assert checks.sums_received(sums) == []
    checks.begin()
    assert checks.sums_received(sums) == []
    coop = cooperation()
    coop.checks.begin()
    coop.message_received(b"x" * 20, 38, sums.pack(), 1.0)
    assert not coop.checks.has(3)


def test_bad_segments_are_forgotten_when_no_checksums_ever_come() -> None:
    coop = cooperation()
    fill(coop, SMALL, Stream(TAG, KEY, unicast=False))
    coop.receiver.stored(0, is_good=False)
    now = 1.0
    while coop.checks.suspected and now < 60:
        coop.run_timers(now)
        now += 0.05
    assert coop.receiver.missing[3] == SMALL.geometry.size(3)


def _proof(content: Content) -> tuple[int, int, bytes]:
    run = content.tree.run_of(0, 1320)
    hashes = content.tree.proof(*run)
    assert hashes is not None
    return *run, hashes
