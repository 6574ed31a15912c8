"""What is tampered with, out of order, replayed, stale or somebody else's never reaches a player; memory is bounded."""
from __future__ import annotations

from random import Random

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.identity import Identity
from tribler_multicast.streams.live.datagrams import NUMBER_AT, PLACE
from tribler_multicast.streams.live.descriptor import Descriptor
from tribler_multicast.streams.live.limits import AHEAD, HISTORY, OPEN, PEER_BURST
from tribler_multicast.streams.live.messages import Need
from tribler_multicast.streams.live.opened import GROUP
from tribler_multicast.streams.live.records import Leaf, digest_of, sign_record
from tribler_multicast.streams.live.source import Source
from tribler_multicast.streams.live.viewer import Data, Viewer
from tribler_multicast.streams.service.arriving import Arriving
from tribler_multicast.transfer.session.packets import HEAD, NUMBERED, PROOF
from tribler_multicast.transfer.session.stream import Stream

from .live_lan import IDENTITY, LiveLan, bodies, describe
from .test_live_sessions import assert_played

MALLORY = Identity(default_eccrypto.generate_key("curve25519"))


def said(source: Source, seconds: float = 2.0) -> list[tuple[int, bytes]]:
    """Feed a source for a while; get the bodies that it sends to the group, in order."""
    random, found, now = Random(9), [], 0.0
    source.join(b"somebody", 0.0)
    while now < seconds:
        source.feed(random.randbytes(5000), now)
        found += [(batch.form, body) for _, batch in source.take(now) for body in bodies(batch)]
        now += 0.01
    return found


def source_of(identity: Identity = IDENTITY, name: str = "camera") -> Source:
    return Source(describe(name, identity), identity, Random(1), 0.0)


def viewer_of(source: Source) -> Viewer:
    return Viewer(source.descriptor, 1, 0, 0, Random(1), 0.0)


def played(viewer: Viewer) -> list[Data]:
    return [event for event in viewer.events if isinstance(event, Data)]


def tampered(form: int, body: bytes) -> bytes:
    """Flip a bit in a symbol."""
    return body if form == PROOF else body[:-1] + bytes((body[-1] ^ 1,))


def test_what_a_fellow_viewer_tampers_with_is_never_played_and_it_is_not_asked_again() -> None:
    lan = LiveLan(3, loss=0.05)
    liar = next(iter(lan.nodes.values()))
    liar.lied = tampered
    lan.start()
    for node in lan.nodes.values():
        node.join()
    lan.run(10)
    lan.end()
    assert_played(lan)
    counters = [node.viewer.counters for node in lan.nodes.values() if node.viewer is not None]
    assert sum(each["block: false"] for each in counters) > 0
    assert sum(each["ask: no answer"] + each["ask: of the source"] for each in counters) > 0


def test_what_a_member_says_in_the_name_of_the_source_is_never_played() -> None:
    source = source_of()
    viewer, random = viewer_of(source), Random(2)
    for form, body in said(source):
        if form == NUMBERED and random.random() < 0.1:
            viewer.datagram(form, memoryview(tampered(form, body)), GROUP, 0.0)
        else:
            viewer.datagram(form, memoryview(body), GROUP, 0.0)
    got = played(viewer)
    assert viewer.counters["block: false"] > 0
    for event in got:
        assert event.data in (kept.data for _, kept in source.history.newest_first())
    # The block is had again by the source's own unicast, and by nothing else.
    [first] = [ask for ask in viewer.asks(0.1) if ask.who is None]
    for batch in source.giver.give(b"somebody", first.needs, 0.1).batches:
        for body in bodies(batch):
            viewer.datagram(batch.form, memoryview(body), b"a helper", 0.1)
    assert viewer.counters["data: not of the source"] > 0
    assert len(played(viewer)) == len(got)
    for batch in source.giver.give(b"somebody", first.needs, 0.1).batches:
        for body in bodies(batch):
            viewer.datagram(batch.form, memoryview(body), None, 0.1)
    assert len(played(viewer)) > len(got)


def test_records_that_the_publisher_did_not_sign_for_this_stream_count_for_nothing() -> None:
    source = source_of()
    for other in (source_of(MALLORY), source_of(name="another one")):
        viewer = viewer_of(source)
        for form, body in said(other):
            viewer.datagram(form, memoryview(body), GROUP, 0.0)
        assert played(viewer) == []
        assert viewer.counters["record: not signed by the publisher"] > 5
        assert viewer.signed == 0


def test_a_second_publisher_with_another_key_is_another_stream() -> None:
    ours, theirs = describe(), describe(identity=MALLORY)
    assert (ours.name, ours.nonce, ours.started) == (theirs.name, theirs.nonce, theirs.started)
    assert ours.id != theirs.id
    stolen = ours.key + theirs.body()[64:] + theirs.signature
    assert Descriptor.read(stolen) is None
    assert Descriptor.read(ours.pack()) == ours


def test_order_and_repetition_make_no_difference_to_what_is_played() -> None:
    source = source_of()
    sent = said(source)
    straight, shuffled = viewer_of(source), viewer_of(source)
    for form, body in sent:
        straight.datagram(form, memoryview(body), GROUP, 0.0)
    random = Random(3)
    for at in range(0, len(sent), 300):
        part = sent[at:at + 300] + sent[max(0, at - 100):at]
        random.shuffle(part)
        for form, body in part:
            shuffled.datagram(form, memoryview(body), GROUP, 0.0)
    assert played(shuffled) == played(straight)
    assert len(played(straight)) > 10


def test_what_is_stale_is_dropped_and_opens_nothing() -> None:
    source = source_of()
    sent = said(source)
    viewer = viewer_of(source)
    for _ in range(2):
        for form, body in sent:
            viewer.datagram(form, memoryview(body), GROUP, 0.0)
    positions = [event.position for event in played(viewer)]
    assert positions == sorted(set(positions))
    assert viewer.open <= 1
    assert viewer.counters["data: unneeded"] > 100


def test_a_publisher_that_says_two_things_of_a_block_is_heard_once() -> None:
    source = source_of()
    viewer = viewer_of(source)
    first, second = (sign_record(IDENTITY, source.descriptor.id, 1, [Leaf(0, len(data), 1, digest_of(data))],
                                 final=False) for data in (b"a" * 100, b"b" * 100))
    viewer.datagram(PROOF, memoryview(first), GROUP, 0.0)
    viewer.datagram(PROOF, memoryview(second), GROUP, 0.0)
    assert viewer.counters["record: says something else"] == 1
    viewer.datagram(NUMBERED, memoryview(PLACE.pack(1, 1) + bytes(4) + b"b" * 100), GROUP, 0.0)
    assert played(viewer) == []
    viewer.datagram(NUMBERED, memoryview(PLACE.pack(1, 1) + bytes(4) + b"a" * 100), None, 0.0)
    assert [event.data for event in played(viewer)] == [b"a" * 100]


def test_numbers_that_are_made_up_open_no_more_than_some_blocks() -> None:
    viewer = viewer_of(source_of())
    random = Random(4)
    for _ in range(5000):
        body = PLACE.pack(random.choice((random.randrange(1 << 31), random.randrange(200))), 48) \
            + (random.randrange(48)).to_bytes(4, "big") + random.randbytes(1344)
        viewer.datagram(NUMBERED, memoryview(body), GROUP, 0.0)
    assert viewer.open <= AHEAD
    assert viewer.counters["data: too far ahead"] > 1000


def test_a_publisher_that_jumps_ahead_opens_no_more_than_some_blocks() -> None:
    source = source_of()
    viewer = viewer_of(source)
    for number in (5, 1000, 1 << 20, 1 << 30):
        record = sign_record(IDENTITY, source.descriptor.id, number, [Leaf(number, 10, 1, bytes(32))], final=False)
        viewer.datagram(PROOF, memoryview(record), GROUP, 0.0)
        viewer.asks(0.0)
        assert viewer.open <= OPEN + 1
    assert viewer.next > (1 << 30) - OPEN - 2


def test_what_is_kept_for_others_is_bounded() -> None:
    source, now = source_of(), 0.0
    for _ in range(3000):
        source.feed(bytes(20_000), now)
        source.take(now)
        now += 0.01
    assert source.history.size <= HISTORY
    assert source.waiting == 0


def test_one_who_asks_without_end_gets_no_more_than_its_budget() -> None:
    source = source_of()
    said(source)
    needs = [Need(number, 0, 48) for number in range(1, 15)]
    given = sum(len(batch.datagrams) for _ in range(1000) for batch in source.giver.give(b"greedy", needs, 2.0).batches
                if batch.form == NUMBERED)
    assert 0 < given <= PEER_BURST
    assert source.giver.counters["give: over budget"] > 100


def test_a_datagram_counts_once_and_only_as_it_was_sent() -> None:
    tag, key = bytes(8), bytes(range(32))
    stream, arriving = Stream(tag, key, unicast=False, sealed=True), Arriving(tag, key, unicast=False)
    sent = bytes(stream.one(PROOF, b"a body of some bytes", 1.0, 1))
    taken = [bytes(body) for _ in range(2)
             for _, body in arriving.take(memoryview(bytearray(sent)), len(sent), 1, 1.0, 1.0)]
    assert taken == [b"a body of some bytes"]
    for at in (0, 5, 12, HEAD.size + 3, len(sent) - 1, NUMBER_AT):
        other = bytearray(stream.one(PROOF, b"a body of some bytes", 1.0, 1))
        other[at] ^= 1
        assert list(arriving.take(memoryview(other), len(other), 1, 1.0, 1.0)) == []
    assert arriving.refused == 7
