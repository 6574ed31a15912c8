"""
What comes off the wire may be anything: it is dropped and counted, and nobody can order a flood.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session import limits
from tribler_multicast.transfer.session.events import MemberGreedy, SegmentReady
from tribler_multicast.transfer.session.fallback_datagrams import SCHEDULED
from tribler_multicast.transfer.session.geometry import Geometry
from tribler_multicast.transfer.session.messages import (
    Accept,
    Join,
    Offer,
    pack_end,
    pack_refusal,
    read_end,
    read_refusal,
    read_report,
)
from tribler_multicast.transfer.session.packets import KEY_SIZE, NUMBERED, OVERHEAD, PLACE, PROOF, RECODED, pack_proof
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import (
    WHOLE,
    Arrival,
    Delay,
    Lacks,
    Report,
    Run,
    describe,
    lacking_segments,
    pack_lacks,
    read_lacks,
)
from tribler_multicast.transfer.session.scheduler import Scheduler
from tribler_multicast.transfer.session.sender import Sender
from tribler_multicast.transfer.session.stream import Stream

from .session_lan import KEY, TAG, Content, Cut, SessionLan

MIB = 1 << 20
CONTENT = Content(3 * MIB)
GEOMETRY = CONTENT.geometry
UNICAST_KEY = bytes(KEY_SIZE)


def receiver_of(content: Content = CONTENT) -> Receiver:
    tree = HashTree(content.geometry.segments, content.tree.root)
    return Receiver(content.geometry, tree, tree.add, tag=TAG, keys=(KEY, UNICAST_KEY), random=Random(1), now=0.0)


def datagram(generation: int, number: int, sequence: int = 0, *, tag: bytes = TAG, key: bytes = KEY,
             form: int = NUMBERED, symbol: int = GEOMETRY.symbol) -> bytes:
    stream = Stream(tag, key, unicast=False)
    stream.sequence = sequence
    return bytes(stream.one(form, PLACE.pack(generation, number) + bytes(symbol), 1.0, 5))


@pytest.mark.parametrize(("bad", "reason"), [
    (datagram(0, 0, key=bytes(32)), "data: MAC"),
    (datagram(0, 0, tag=b"session2"), "data: foreign session"),
    (datagram(0, 0, symbol=15), "data: malformed"),
    (datagram(0, 0, form=RECODED), "data: malformed"),
    (datagram(GEOMETRY.generations, 0), "data: no such generation"),
    (datagram(0xFFFFFFFF, 0), "data: no such generation"),
    (datagram(0, 0, form=RECODED, symbol=16 + 57), "data: not innovative"),
    (b"\xc1" + bytes(20), "data: length"),
    (bytes(100), "data: form"),
    (datagram(0, 0) + bytes(1452), "data: length"),
], ids=["key", "session", "symbol", "vector", "generation", "absurd", "nothing", "short", "form", "long"])
def test_what_is_none_of_ours_is_dropped_and_counted(bad: bytes, reason: str) -> None:
    receiver = receiver_of()
    receiver.data_received(bad, 2.0)
    assert receiver.counters == {reason: 1}


def test_replays_are_dropped_and_do_not_count_as_arrived() -> None:
    receiver = receiver_of()
    for _ in range(5):
        receiver.data_received(datagram(0, 0), 2.0)
    receiver.data_received(datagram(0, 1, 5000), 2.0)
    receiver.data_received(datagram(0, 2, 100), 2.0)
    assert receiver.counters == {"data: innovative": 3, "data: replay": 5}
    assert receiver.tracks[0].count == 2


def test_sender_that_never_proves_what_it_sends_fills_no_memory() -> None:
    content = Content(20 * MIB)
    geometry, receiver, stream = content.geometry, receiver_of(content), Stream(TAG, KEY, unicast=False)
    for segment, data in enumerate(content.segments):
        schedule = geometry.schedule(segment, geometry.of(segment))
        made = stream.systematic(data, geometry.symbol, schedule, 0, len(schedule) // SCHEDULED.size,
                                 segment * geometry.parts, 1.0, 5)
        size = geometry.symbol + OVERHEAD
        receiver.batch_received(made, size, len(made) // size, 2.0)
    assert receiver.counters["segment: given up"] == 20 - limits.UNPROVED_SEGMENTS
    assert receiver.rank == sum(geometry.table()[4 * geometry.parts:]), "what was given up is asked for again"
    hashes = content.tree.proof(0, 5)
    assert hashes is not None
    receiver.data_received(stream.one(PROOF, pack_proof(0, 5, hashes), 1.0, 5), 2.0)
    ready = [event for event in receiver.take_events() if isinstance(event, SegmentReady)]
    assert [event.segment for event in ready] == list(range(4, 20))
    assert [event.data for event in ready] == content.segments[4:]


def test_what_the_source_sends_is_useful_also_when_somebody_jumped_ahead_with_its_key() -> None:
    receiver = receiver_of()
    receiver.data_received(datagram(0, 0, 1 << 20), 2.0)
    for sequence in range(1, 50):
        receiver.data_received(datagram(0, sequence, sequence), 2.0)
    assert receiver.missing[0] == GEOMETRY.size(0) - 50


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_sealed_rubbish_ever_raises_at_a_receiver(body: bytes, form: int) -> None:
    receiver = receiver_of()
    receiver.data_received(bytes(Stream(TAG, KEY, unicast=False).one(NUMBERED + form, body, 1.0, 255)), 2.0)
    receiver.data_received(body, 2.0)
    receiver.run_timers(3.0)
    for report in receiver.take_reports():
        assert Report.read(report, GEOMETRY.generations) is not None


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda tail: bytes(4) + bytes(49) + tail)))
def test_no_rubbish_ever_raises_at_a_sender(payload: bytes) -> None:
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    sender.join(b"a", UNICAST_KEY, 0.0)
    sender.report_received(b"a", payload, 0.1)
    for read in (Join.read, Accept.read, Offer.read, read_refusal, read_end, read_report):
        read(payload)
    join = Join.read(payload)
    if join is not None:
        sender.join(b"b", UNICAST_KEY, 0.0, join.lacks(GEOMETRY.segments))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1500), st.integers(0, limits.MAX_GENERATIONS))
def test_what_is_read_as_lacking_is_in_order_and_within(data: bytes, generations: int) -> None:
    lacks = read_lacks(data, generations)
    if lacks is not None:
        assert lacks.start <= lacks.end <= generations
        places = [place for run in lacks.runs for place in (run.first, run.first + run.length)]
        assert places == sorted(places)
        assert not places or (lacks.start <= places[0] and places[-1] <= lacks.end)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, 7, 60]), max_size=2000), st.integers(60, 1100))
def test_what_is_told_as_lacking_fits_and_is_read_back(missing: list[int], room: int) -> None:
    table = bytearray(missing)
    lacks = describe(table, bytearray(b"\x3c") * len(table), 0, len(table), room)
    packed = pack_lacks(lacks)
    assert len(packed) <= room
    back = read_lacks(packed, len(table))
    assert back is not None
    found = bytearray(lacks.end)
    for first, count, lacking in back.runs:
        found[first:first + count] = bytes([lacking or 60]) * count
    assert found == table[:lacks.end]


def report(number: int, *, group: Arrival = Arrival(), unicast: Arrival = Arrival(), runs: tuple[Run, ...] = (),  # noqa: B008
           end: int = GEOMETRY.generations) -> bytes:
    return Report(number, group, unicast, Delay(1, 1, 1), None, Lacks(0, end, runs)).pack()


@pytest.mark.parametrize("lie", [
    report(1, unicast=Arrival(5, 5)),
    report(1, unicast=Arrival(0, 3)),
    report(1, runs=(Run(0, 1, 61 + 1),)),
    report(1, runs=(Run(GEOMETRY.generations - 1, 1, 255),)),
], ids=["unicast", "count", "rank", "absurd"])
def test_reports_of_what_cannot_be_are_dropped_and_counted(lie: bytes) -> None:
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    sender.join(b"a", UNICAST_KEY, 0.0)
    sender.report_received(b"a", lie, 0.1)
    assert sender.counters == {"report: impossible": 1}
    assert any(sender.members[b"a"].missing)


def test_report_of_more_than_was_sent_tells_of_a_forger_and_what_is_lacking_counts_all_the_same() -> None:
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    sender.join(b"a", UNICAST_KEY, 0.0)
    sender.report_received(b"a", report(1, group=Arrival(1000, 10), runs=(Run(3, 1, 5),)), 0.1)
    assert sender.counters == {"report: forged stream": 1, "report": 1}
    assert sum(sender.members[b"a"].missing) == 5
    assert sender.members[b"a"].group.highest == 0


def test_reports_of_strangers_and_old_ones_are_dropped() -> None:
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    sender.join(b"a", UNICAST_KEY, 0.0)
    sender.report_received(b"b", report(1), 0.1)
    for number in (2, 2, 1):
        sender.report_received(b"a", report(number, runs=(Run(0, 2, WHOLE),)), 0.1)
    sender.report_received(b"a", b"\0" * 30, 0.1)
    assert sender.counters == {"report: no member": 1, "report": 1, "report: replay": 2, "report: malformed": 1}


def test_liar_gets_no_more_than_its_budget_and_the_honest_are_done_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.members.BUDGET_LEAST", 0)
    lan = SessionLan(Content(4 * MIB))
    honest, liar = lan.node(), lan.node()
    honest.join()
    liar.join()
    everything = (Run(0, lan.content.geometry.generations, WHOLE),)

    def lie(number: int = 1) -> None:
        member = lan.sender.members[liar.name]
        lan.sender.report_received(liar.name, Report(
            number, Arrival(lan.sender.group.sequence, number), Arrival(member.stream.sequence, 0), None, None,
            Lacks(0, lan.content.geometry.generations, everything)).pack(), lan.now)
        lan.at(lan.now + 0.005, lambda: lie(number + 1))

    liar.receiver = None
    lan.at(0.05, lie)
    lan.run(3)
    assert honest.done is not None
    assert honest.done < 1.6, "less than what 4 MiB and the liar's budget of 8 MiB take at 100 Mbit/s"
    assert MemberGreedy(liar.name) in lan.sender.take_events()
    assert lan.bytes_per_file < 1.07 * (1 + limits.BUDGET_SHARE) + 0.2
    before = lan.up.bytes
    lan.run(3)
    assert (lan.up.bytes - before) * lan.content.scale < 5000, "then it is not served any more"
    lan.run(limits.GREEDY_REST)
    assert lan.up.bytes - before > 0.9 * limits.GREEDY_MORE, "but it may be honest: a little at a time"
    assert lan.up.bytes - before < 1.1 * (4 * MIB + 2 * limits.GREEDY_MORE), "the file once, like who joins anew"


def test_no_more_members_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.audience.MAX_MEMBERS", 2)
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    assert [sender.join(name, UNICAST_KEY, 0.0) for name in (b"a", b"b", b"c", b"a")] == [True, True, False, True]
    assert sender.counters == {"join: no room": 1}


def test_messages_are_read_as_they_were_written_and_are_small() -> None:
    lacks = lacking_segments({1, 2, 7}, 4096, 1000)
    join = Join.of(bytes(32), lacks, 40000, wants_manifest=True, rate=9, helps=True)
    assert Join.read(join.pack()) == join
    assert join.lacks(4096) == lacks
    accept = Accept(bytes(32), TAG, KEY, UNICAST_KEY, 64, 1344, True, b"manifest")
    offer = Offer(True, 3, b"manifest")
    assert Accept.read(accept.pack()) == accept
    assert Offer.read(offer.pack()) == offer
    assert read_end(pack_end(TAG, 1)) == (TAG, 1)
    assert read_end(TAG + b"\x09") is None
    assert read_refusal(pack_refusal(bytes(32), 2)) == (bytes(32), 2)
    assert Accept.read(accept._replace(symbol=1345).pack()) is None
    scattered = lacking_segments(set(range(0, 60_000, 2)), 60_000, 1000)
    assert len(Join.of(bytes(32), scattered, 40000).pack()) <= limits.MAX_CONTROL
    assert Join.read(join._replace(port=0).pack()) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 300_000), st.sampled_from([8, 16, 64]), st.sampled_from([8, 32, 64, 128, 255]))
def test_every_symbol_is_in_one_generation_of_its_segment(size: int, symbol: int, k: int) -> None:
    geometry = Geometry(Cut(size, 20_000), k, symbol, 20_000)
    for segment in range(geometry.segments):
        sizes = geometry.sizes(segment)
        assert sum(sizes) == -(-geometry.cut.length(segment) // symbol)
        assert max(sizes) <= k
        assert max(sizes) - min(size for size in sizes if size) <= 1
        begin = segment * geometry.parts
        assert sorted(SCHEDULED.iter_unpack(geometry.schedule(segment, geometry.of(segment)))) == [
            (number - begin, index, geometry.offset(number) + index * symbol)
            for number in geometry.of(segment) for index in range(geometry.size(number))]
        assert [geometry.table()[number] for number in geometry.of(segment)] == list(sizes)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_contents_share_the_link_by_their_weights(weight: float) -> None:
    rate = RateControl(0.0, cap=2_500_000.0)
    scheduler = Scheduler(rate, 0.0)
    senders = [Sender(GEOMETRY, CONTENT.tree, bytes((number,)) * 8, KEY, rate) for number in (1, 2)]
    for sender, share in zip(senders, (1.0, weight), strict=True):
        sender.join(b"a", UNICAST_KEY, 0.0)
        sender.join(b"b", UNICAST_KEY, 0.0)
        for segment, data in enumerate(CONTENT.segments):
            sender.give(segment, data)
        scheduler.add(sender, share)
    taken = dict.fromkeys(senders, 0)
    for tick in range(60):
        for outgoing in scheduler.take(tick * 0.001):
            taken[outgoing.sender] += len(outgoing.batch.datagrams)
    first, second = taken.values()
    assert second / first == pytest.approx(weight, rel=0.1)
