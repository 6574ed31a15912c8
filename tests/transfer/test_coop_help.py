"""
Receivers that help each other on a simulated LAN: the source sends hardly more than the content, whatever gets lost.
"""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.transfer.session import coop_limits
from tribler_multicast.transfer.session.coop_messages import Help, Want
from tribler_multicast.transfer.session.helper import Helper
from tribler_multicast.transfer.session.packets import KEY_SIZE, TAG_SIZE

from .coop_lan import CONTENT_ID, CoopLan, CoopNode
from .session_lan import Content

MIB = 1 << 20


def lan_of(receivers: int, size: int = 8 * MIB, loss: float = 0.0, **more: object) -> CoopLan:
    lan = CoopLan(Content(size), **more)
    for _ in range(receivers):
        lan.node(loss=loss)
    return lan


def join_all(lan: CoopLan) -> CoopLan:
    for node in lan.nodes:
        node.join()
    return lan


def asked(lan: CoopLan, who: CoopNode | None = None) -> int:
    nodes = lan.nodes if who is None else [who]
    return sum(node.seeker.counters["help: asked of the source"] for node in nodes if node.seeker is not None)


def together_whole(lan: CoopLan) -> bool:
    """Whether the receivers together have everything: the source has passed all, and of nothing all lack the same."""
    sender = lan.sender
    if sender._segment is not None or sender._queue or not sender.counters["systematic"]:
        return False
    tables = [node.receiver.missing for node in lan.nodes if node.receiver is not None]
    return not any(map(min, zip(*tables, strict=True)))


@pytest.mark.parametrize(("loss", "seconds", "per_file"), [(0.02, 0.95, 1.09), (0.1, 1.2, 1.11), (0.2, 1.7, 1.13)])
def test_what_is_lost_comes_from_the_others_and_the_source_sends_no_more_for_it(loss: float, seconds: float,
                                                                               per_file: float) -> None:
    lan = join_all(lan_of(4, loss=loss))
    assert lan.run_until_done() < seconds, "8 MiB at 100 Mbit/s take 0.67 s"
    assert lan.bytes_per_file < per_file


@pytest.mark.parametrize("sealed", [True, False])
def test_helpers_work_in_sealed_sessions_too(sealed: bool) -> None:
    lan = join_all(lan_of(3, 3 * MIB, loss=0.1, sealed=sealed))
    lan.run_until_done()
    counters = [node.receiver.counters for node in lan.nodes if node.receiver is not None]
    assert all(node.receiver.sealed == sealed for node in lan.nodes if node.receiver is not None)
    assert lan.helped_bytes
    assert not any(each["help: MAC"] for each in counters)


def test_helper_that_forgot_a_stream_uses_no_sequence_twice() -> None:
    helper = helper_of(CONTENT)
    helper.help_received(b"a" * 20, wanted(CONTENT, 1, Want(0, 5)), 0.0)
    assert helper.clients[b"a" * 20].stream.sequence == 0
    again = helper_of(CONTENT)
    again.help_received(b"a" * 20, wanted(CONTENT, 7, Want(0, 5))._replace(highest=33), 0.0)
    assert again.clients[b"a" * 20].stream.sequence == 33 + (1 << 20)


def test_hardly_a_packet_of_helpers_comes_in_vain() -> None:
    lan = join_all(lan_of(4, 16 * MIB, loss=0.1))
    lan.run_until_done()
    counters = [node.receiver.counters for node in lan.nodes if node.receiver is not None]
    vain = sum(each["data: not innovative"] + each["data: not needed"] for each in counters)
    assert vain < 0.25 * sum(node.helper.counters["packets"] for node in lan.nodes if node.helper is not None)
    assert vain < 0.03 * sum(each["data: innovative"] for each in counters)


def test_without_loss_hardly_anything_is_asked() -> None:
    lan = join_all(lan_of(4, 4 * MIB))
    lan.run_until_done()
    assert lan.helped_bytes < 0.02 * lan.up.bytes


def test_one_receiver_alone_is_repaired_by_the_source() -> None:
    lan = join_all(lan_of(1, 4 * MIB, loss=0.1))
    assert lan.run_until_done() < 0.6


def test_two_receivers_help_each_other_and_the_source_repairs_what_both_lost() -> None:
    lan = join_all(lan_of(2, 4 * MIB, loss=0.2))
    lan.run_until_done()
    assert asked(lan)
    assert lan.helped_bytes
    assert lan.bytes_per_file < 1.35, "what both lost is 4 %, and comes once for both"


def test_when_the_source_goes_and_the_others_have_it_all_together_all_finish() -> None:
    lan = join_all(lan_of(4, loss=0.1))
    lan.run(30, lambda: together_whole(lan))
    assert not all(node.done for node in lan.nodes)
    lan.kill_source()
    gone = lan.now
    assert lan.run_until_done() < gone + 1.0


def test_who_joins_when_the_source_is_gone_gets_all_from_those_who_have_it() -> None:
    lan = join_all(lan_of(3, 4 * MIB, loss=0.02))
    lan.run_until_done()
    lan.kill_source()
    late = lan.node(loss=0.02)
    begin = lan.now
    late.join()
    assert late.seeker is not None
    for node in lan.nodes[:3]:
        late.seeker.meet(node.name)
    assert lan.run_until_done() < begin + 1.5, "0.34 s at the rate of the link, and time to find it"
    given = [node.helper.given[late.name] for node in lan.nodes[:3] if node.helper is not None]
    assert min(given) > 0.15 * sum(given), "all of them gave"


def test_source_goes_midway_and_two_who_had_it_all_before_give_it_to_the_others() -> None:
    lan = lan_of(4, 4 * MIB, loss=0.05)
    for node in lan.nodes[:2]:
        node.segments = dict(enumerate(lan.content.segments))
    join_all(lan)
    lan.run(0.2)
    lan.kill_source()
    assert not lan.nodes[2].done
    lan.run(10, lambda: all(node.done for node in lan.nodes[2:]))
    assert all(node.is_equal for node in lan.nodes)


def test_half_of_the_receivers_are_killed_and_start_again_and_all_finish() -> None:
    lan = join_all(lan_of(4, loss=0.05))
    lan.run(0.4)
    for node in lan.nodes[:2]:
        node.receiver = None
    lan.run(0.2)
    for node in lan.nodes[:2]:
        node.join()
    lan.run_until_done()
    assert lan.bytes_per_file < 1.9, "what both of them lost came once for both"


def test_what_one_late_receiver_missed_comes_from_the_others() -> None:
    lan = lan_of(4, loss=0.02)
    for node in lan.nodes[:3]:
        node.join()
    lan.run(0.4)
    lan.nodes[3].join()
    lan.run_until_done()
    assert lan.bytes_per_file < 1.12, "nothing was passed again"
    assert max(node.done or 9 for node in lan.nodes[:3]) < 1.1, "nor were the others held up"


def test_helpers_that_vanish_hold_up_nobody() -> None:
    lan = join_all(lan_of(5, loss=0.1))
    lan.run(0.4)
    for node in lan.nodes[3:]:
        node.leave()
    assert lan.run_until_done() < 2.0


def test_many_receivers_cost_the_source_no_more_than_four() -> None:
    lan = join_all(lan_of(24, 2 * MIB, loss=0.05))
    lan.run_until_done()
    assert lan.bytes_per_file < 1.15


def test_what_all_lost_on_the_way_is_asked_of_the_source_and_not_of_sixteen_in_vain() -> None:
    lan = join_all(lan_of(16, loss=0.02))
    lan.run(0.3)
    for loss in (1.0, 0.02):
        for node in lan.nodes:
            node.down.loss = loss
        lan.run(0.03)
    lan.run_until_done()
    asked_for = sum(node.seeker.counters["help: asked"] for node in lan.nodes if node.seeker is not None)
    assert asked_for < 35_000, "62,000 when each of the others is asked first"


def test_source_that_passes_gives_one_who_asks_for_everything_only_a_share() -> None:
    lan = join_all(lan_of(3))
    lan.run(0.3)
    sender, geometry = lan.sender, lan.content.geometry
    begin, before = sender.group.sequence, sender.counters["repair"]
    wants = [Want(generation, 60) for generation in range(geometry.parts)]
    for _ in range(20):
        for want in wants:
            sender.members[lan.nodes[0].name].missing[want.generation] = 60
        sender.help_received(lan.nodes[0].name, wants, lan.now)
        lan.run(0.01)
    assert sender.counters["help: too much"]
    assert sender.counters["repair"] - before < coop_limits.ASKED_EACH * (60 + coop_limits.ASKED_MOST
        + coop_limits.ASKED_SHARE * (
        sender.group.sequence - begin))


@pytest.mark.soak
def test_thirty_two_with_one_leaving_or_joining_each_second_all_finish_who_stay() -> None:
    lan = join_all(lan_of(32, 64 * MIB, loss=0.02))
    random = Random(1)
    for second in range(20):
        lan.run(1.0)
        if second % 2:
            lan.node(loss=0.02).join()
        else:
            random.choice(lan.staying).leave()
    lan.run_until_done()
    assert lan.bytes_per_file < 1.2


# --- The helper by itself.


def helper_of(content: Content) -> Helper:
    return Helper(content.geometry, content.tree, CONTENT_ID, random=Random(1), now=0.0)


def wanted(content: Content, number: int, *wants: Want, tag: int = 1) -> Help:
    geometry = content.geometry
    return Help(CONTENT_ID, geometry.k, geometry.symbol, bytes((tag,)) * TAG_SIZE, bytes(KEY_SIZE), 32111, number, 1e6,
                False, False, False, None, 0, wants)


def drain(helper: Helper, content: Content, seconds: float = 2.0) -> int:
    now = taken = 0.0
    while now < seconds:
        taken += sum(len(batch.datagrams) // batch.size for batch in helper.take(now))
        for segment in helper.wanted():
            helper.give(segment, content.segments[segment])
        now += 0.002
    return int(taken)


CONTENT = Content(2 * MIB)


def test_replayed_and_old_requests_are_not_answered_again() -> None:
    helper = helper_of(CONTENT)
    assert [helper.help_received(b"a" * 20, wanted(CONTENT, number, Want(0, 5)), 0.0) for number in (2, 2, 1, 3)] == [
        True, False, False, True]
    assert helper.counters["help: replay"] == 2


def test_liar_who_asks_for_ever_gets_no_more_than_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.helper.GIVE_LEAST", 0)
    helper = helper_of(CONTENT)
    now, number = 0.0, 0
    while now < 20:
        number += 1
        helper.help_received(b"l" * 20, wanted(CONTENT, number, *(Want(each, 61) for each in range(13))), now)
        helper.take(now)
        for segment in helper.wanted():
            helper.give(segment, CONTENT.segments[segment])
        now += 0.005
    assert helper.counters["help: budget"]
    size = sum(map(len, CONTENT.segments))
    packet = CONTENT.geometry.symbol + 42
    assert helper.given[b"l" * 20] < coop_limits.GIVE_SHARE * size + 7 * 13 * 61 * packet


def test_a_new_stream_gives_no_new_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.helper.GIVE_LEAST", 0)
    helper = helper_of(CONTENT)
    helper.budget = 1
    assert helper.help_received(b"l" * 20, wanted(CONTENT, 1, Want(0, 61)), 0.0)
    drain(helper, CONTENT)
    assert not helper.help_received(b"l" * 20, wanted(CONTENT, 1, Want(0, 61), tag=2), 3.0)


def test_greedy_one_does_not_keep_others_from_their_share() -> None:
    helper = helper_of(CONTENT)
    helper.cap = 50_000.0
    greedy, modest = b"g" * 20, b"m" * 20
    for number in range(1, 20):
        helper.help_received(greedy, wanted(CONTENT, number, *(Want(each, 61) for each in range(13))), 0.0)
    helper.help_received(modest, wanted(CONTENT, 1, Want(3, 60)), 0.0)
    now = 0.0
    while helper.clients[modest].answers and now < 5:
        helper.take(now)
        for segment in helper.wanted():
            helper.give(segment, CONTENT.segments[segment])
        now += 0.002
    assert helper.given[greedy] < 1.5 * helper.given[modest]


def test_no_more_peers_are_served_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.helper.MAX_CLIENTS", 2)
    helper = helper_of(CONTENT)
    assert [helper.help_received(bytes((each,)) * 20, wanted(CONTENT, 1, Want(0, 5)), 0.0) for each in (1, 2, 3)] == [
        True, True, False]
    assert helper.help_received(b"\4" * 20, wanted(CONTENT, 1, Want(0, 5)), 100.0), "the others are forgotten by then"


def test_excluded_peer_gets_nothing() -> None:
    helper = helper_of(CONTENT)
    helper.exclude(b"x" * 20)
    assert not helper.help_received(b"x" * 20, wanted(CONTENT, 1, Want(0, 5)), 0.0)
    assert not drain(helper, CONTENT)
