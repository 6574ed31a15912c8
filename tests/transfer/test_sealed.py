"""
Sealed sessions: what is on the wire says nothing, whoever comes late, begins anew, or belongs elsewhere.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding.common import NATIVE_PATHS
from tribler_multicast.protocol.sealing import LIBRARIES, load_library
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session import fallback_datagrams
from tribler_multicast.transfer.session.events import SegmentReady
from tribler_multicast.transfer.session.fallback_datagrams import ACCEPTED, FOREIGN, REPLAYED, WRONG_MAC
from tribler_multicast.transfer.session.limits import LAST_SEQUENCE
from tribler_multicast.transfer.session.messages import Accept, Join
from tribler_multicast.transfer.session.packets import (
    CLOCK,
    HEAD,
    HEARTBEAT,
    KEY_SIZE,
    MAC_SIZE,
    NUMBERED,
    PROOF,
    RECODED,
    UNICAST,
    sealing_keys,
)
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import lacking_segments
from tribler_multicast.transfer.session.sender import Sender
from tribler_multicast.transfer.session.stream import Stream, arriving

from .session_lan import KEY, TAG, Content, SessionLan
from .test_datagrams import every_way, hostile_batch, native_paths, way_of

if TYPE_CHECKING:
    from tribler_multicast.transfer.session.kernels import Way

MIB = 1 << 20
PIECE = 16
UNICAST_KEY = bytes(KEY_SIZE)
LADIES = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
          b"would be it.")
SUNSCREEN = bytes.fromhex(
    "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab"
    "8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42"
    "874d")
seeds = st.integers(0, 2**32)


def sealed(way: Way, body: bytes, cipher: bytes | None, tag: bytes = TAG, sequence: int = 1) -> bytearray:
    """Make one datagram, with nothing in between."""
    made = bytearray(HEAD.size) + body + bytes(MAC_SIZE)
    way.datagrams.seal(made, len(made), NUMBERED, tag, sequence, 5, 5, way.datagrams.mac_key(KEY), cipher)
    return made


@every_way
def test_bodies_are_encrypted_as_in_the_example_of_rfc_8439(path: str) -> None:
    """Section 2.4.2. Its nonce is our tag and sequence; its first block is number 1, as ours."""
    with way_of(path) as way:
        made = sealed(way, LADIES, bytes(range(32)), bytes.fromhex("000000000000004a"), 0)
    assert made[HEAD.size:-MAC_SIZE] == SUNSCREEN


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_library_encrypts_as_in_the_example_of_rfc_8439(name: str) -> None:
    library = load_library(name)
    nonce = bytes.fromhex("000000000000004a00000000")
    assert library.chacha20(LADIES, nonce, bytes(range(32))) == SUNSCREEN
    assert library.chacha20(SUNSCREEN, nonce, bytes(range(32))) == LADIES
    assert library.chacha20(b"", nonce, bytes(range(32))) == b""


@native_paths
@settings(deadline=None, max_examples=100)
@given(seed=seeds, size=st.one_of(st.integers(34, 1452), st.sampled_from([34, 34 + 64, 34 + 256, 34 + 512, 34 + 1024])),
       count=st.integers(0, 12))
def test_native_code_seals_as_the_standard_library_does(path: str, seed: int, size: int, count: int) -> None:
    chance = Random(seed)
    key, cipher, tag, body = (chance.randbytes(length) for length in (32, 32, 8, size * count))
    sequence = chance.choice([0, 1, chance.randrange(CLOCK - 12), CLOCK - count])
    made = [bytearray(body), bytearray(body)]
    with way_of(path) as way:
        for each, datagrams in zip(made, (way.datagrams, fallback_datagrams), strict=True):
            datagrams.seal(each, size, 0xC2, tag, sequence % CLOCK, 7, 9, datagrams.mac_key(key), cipher)
    assert made[0] == made[1]


def streams_of_one_sender() -> tuple[Stream, Stream]:
    return Stream(TAG, KEY, unicast=False, sealed=True), Stream(TAG, UNICAST_KEY, unicast=True, sealed=True)


@native_paths
@settings(deadline=None, max_examples=100)
@given(seed=seeds, size=st.sampled_from([35, 58, 200, 1386, 1452]), halves=st.sampled_from([(1, 1), (1, 0), (0, 1)]))
def test_native_code_opens_what_the_standard_library_does_and_leaves_the_rest_alone(
        path: str, seed: int, size: int, halves: tuple[int, int]) -> None:
    chance, senders = Random(seed), streams_of_one_sender()
    keys = [key if has else None for key, has in zip((KEY, UNICAST_KEY), halves, strict=True)]
    with way_of(path) as way:
        both = [arriving(each, TAG, keys[0], keys[1], sealed=True) for each in (way, way_of_fallback())]
        for now in range(1, 5):
            wire = hostile_batch(chance, size, chance.randrange(1, 30), senders)
            made = bytearray(wire), bytearray(wire)
            told = [streams.take(data, size, len(wire) // size, float(now), 1000)
                    for streams, data in zip(both, made, strict=True)]
            assert told[0] == told[1]
            assert made[0] == made[1]
            for number, verdict in enumerate(told[0][0]):
                at = number * size
                assert made[0][at:at + HEAD.size] == wire[at:at + HEAD.size]
                if verdict != ACCEPTED:
                    assert made[0][at:at + size] == wire[at:at + size]


def way_of_fallback() -> Way:
    with way_of("fallback") as way:
        return way


@every_way
@pytest.mark.parametrize("form", [NUMBERED, RECODED, PROOF, HEARTBEAT])
@pytest.mark.parametrize("unicast", [False, True])
def test_every_form_is_hidden_on_the_wire_and_read_by_who_has_the_key(path: str, form: int, unicast: bool) -> None:
    body = b"what is only for members"
    with way_of(path) as way:
        stream = Stream(TAG, KEY, unicast, way, sealed=True)
        first, second = (bytearray(stream.one(form, body, 1.0, 5)) for _ in range(2))
        wire = bytes(first)
        assert body not in wire
        assert first[HEAD.size:-MAC_SIZE] != second[HEAD.size:-MAC_SIZE], "no nonce twice"
        streams = arriving(way, TAG, None if unicast else KEY, KEY if unicast else None, sealed=True)
        assert streams.take(first, len(first), 1, 1.0, 0)[0] == bytes([ACCEPTED])
        assert first[HEAD.size:-MAC_SIZE] == body
        again = bytearray(wire)
        assert streams.take(again, len(again), 1, 1.0, 0)[0] == bytes([REPLAYED])
        assert again == wire


@every_way
def test_nothing_passes_from_one_stream_or_session_to_another(path: str) -> None:
    body = b"what is only for members"
    with way_of(path) as way:
        wire = bytes(Stream(TAG, KEY, unicast=False, way=way, sealed=True).one(NUMBERED, body, 1.0, 5))
        other_way = bytearray(wire)
        other_way[0] += UNICAST
        for data, streams, verdict in [
                (wire, arriving(way, TAG, UNICAST_KEY, KEY, sealed=True), WRONG_MAC),
                (wire, arriving(way, TAG, None, KEY, sealed=True), WRONG_MAC),
                (wire, arriving(way, TAG, KEY, None, sealed=False), WRONG_MAC),
                (wire, arriving(way, b"session2", KEY, KEY, sealed=True), FOREIGN),
                (other_way, arriving(way, TAG, KEY, KEY, sealed=True), WRONG_MAC)]:
            given_data = bytearray(data)
            assert streams.take(given_data, len(data), 1, 1.0, 0)[0] == bytes([verdict])
            assert given_data == data
        clear = bytearray(Stream(TAG, KEY, unicast=False, way=way).one(NUMBERED, body, 1.0, 5))
        assert body in clear
        assert arriving(way, TAG, KEY, None, sealed=True).take(clear, len(clear), 1, 1.0, 0)[0] == bytes([WRONG_MAC])


def test_no_two_streams_have_a_key_in_common() -> None:
    made = [key for secret in (KEY, UNICAST_KEY) for tag in (TAG, b"session2") for way in (0, UNICAST)
            for key in (*sealing_keys(secret, tag, way), secret)]
    assert len(set(made)) == 16 + 2


@every_way
def test_what_can_not_be_opened_in_place_is_copied_by_a_receiver_and_refused_below(path: str) -> None:
    content = Content(MIB)
    with way_of(path) as way:
        made = bytes(Stream(TAG, KEY, unicast=False, way=way, sealed=True).one(HEARTBEAT, b"\0", 1.0, 5))
        with pytest.raises(BufferError):
            arriving(way, TAG, KEY, None, sealed=True).take(made, len(made), 1, 1.0, 0)
        receiver = receiver_of(content, way)
        receiver.data_received(made, 1.0)
        assert receiver._end == content.geometry.generations


@every_way
def test_keys_that_do_not_fit_are_refused(path: str) -> None:
    with way_of(path) as way:
        for ciphers in ((b"short", None), (None, KEY + b"x")):
            with pytest.raises(ValueError, match="cipher"):
                way.datagrams.Streams(TAG, KEY, KEY, *ciphers)
        with pytest.raises(ValueError, match="cipher"):
            sealed(way, b"body", KEY[1:])


# --- Sequences.


@every_way
def test_a_stream_ends_rather_than_to_use_a_sequence_twice(path: str) -> None:
    with way_of(path) as way:
        stream = Stream(TAG, KEY, unicast=False, way=way, sealed=True)
        stream.sequence = CLOCK - 3
        made = stream.one(HEARTBEAT, b"\0", 1.0, 5)
        assert HEAD.unpack_from(made)[2] == CLOCK - 2
        for too_many in (2, 300):
            datagrams = bytearray(35 * too_many)
            with pytest.raises(ValueError, match="sequence"):
                stream.finish(NUMBERED, datagrams, 35, 1.0, 5)
            assert datagrams == bytes(35 * too_many), "nothing was sealed"
        assert HEAD.unpack_from(stream.one(HEARTBEAT, b"\0", 1.0, 5))[2] == CLOCK - 1
        with pytest.raises(ValueError, match="sequence"):
            stream.one(HEARTBEAT, b"\0", 1.0, 5)


@pytest.mark.parametrize("of_group", [True, False])
def test_a_sender_that_has_used_up_its_sequences_says_nothing_more(of_group: bool) -> None:
    content = Content(MIB)
    sender = Sender(content.geometry, content.tree, TAG, KEY, RateControl(0.0), sealed=True)
    for name in (b"a", b"b"):
        sender.join(name, UNICAST_KEY, 0.0)
    sender.give(0, content.segments[0])
    assert sender.make(0.0, 20) is not None
    assert not sender.is_spent
    (sender.group if of_group else sender.members[b"b"].stream).sequence = LAST_SEQUENCE + 1
    assert sender.is_spent
    assert sender.make(1.0, 20) is None
    assert sender.next_timer() > 1.0, "nobody turns in circles for it"


# --- Whole sessions.


def receiver_of(content: Content, way: Way | None = None, key: bytes = KEY) -> Receiver:
    tree = HashTree(content.geometry.segments, content.tree.root)
    return Receiver(content.geometry, tree, tree.add, tag=TAG, keys=(key, UNICAST_KEY), random=Random(1), now=0.0,
                    sealed=True, **({} if way is None else {"way": way}))


def pieces_of(content: Content) -> set[bytes]:
    return {segment[at:at + PIECE] for segment in content.segments for at in range(0, len(segment) - PIECE, PIECE)}


def tapped(lan: SessionLan) -> list[bytes]:
    """Write down all that goes over the wire."""
    transmit, heard = lan.transmit, []

    def tap(member: bytes | None, datagrams: bytearray, size: int) -> None:
        heard.extend(bytes(datagrams[at:at + size]) for at in range(0, len(datagrams), size))
        transmit(member, datagrams, size)

    lan.transmit = tap  # type: ignore[method-assign]
    return heard


def readable(heard: list[bytes], pieces: set[bytes]) -> int:
    """How many datagrams have a piece of the content in them, wherever it begins."""
    return sum(any(data[at:at + PIECE] in pieces for at in range(len(data) - PIECE + 1)) for data in heard)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_nobody_on_the_wire_reads_anything_of_a_sealed_session(is_sealed: bool) -> None:
    lan = SessionLan(Content(2 * MIB), sealed=is_sealed)
    heard = tapped(lan)
    for _ in range(3):
        lan.node(loss=0.05).join()
    lan.run_until_done()
    found = readable(heard, pieces_of(lan.content))
    assert found == 0 if is_sealed else found > 1000
    leaves = {lan.content.tree.leaf(segment) for segment in range(lan.content.geometry.segments)}
    assert any(leaf in data for data in heard for leaf in leaves if leaf) is not is_sealed, "proofs tell what it is"


def test_who_comes_late_or_begins_anew_with_a_part_gets_the_rest_of_a_sealed_session() -> None:
    lan = SessionLan(Content(4 * MIB), sealed=True)
    heard = tapped(lan)
    first, late = lan.node(loss=0.02), lan.node(loss=0.02)
    first.join()
    lan.run(5, lambda: bool(first.segments))
    late.join()
    before = dict(first.segments)
    assert 0 < len(before) < 4
    first.key = b"another key of its own, 32 bytes"
    first.join()
    lan.run_until_done()
    assert first.segments.items() >= before.items()
    assert readable(heard, pieces_of(lan.content)) == 0


def test_who_has_the_wrong_key_gets_nothing() -> None:
    content = Content(MIB)
    sender = Sender(content.geometry, content.tree, TAG, KEY, RateControl(0.0), sealed=True)
    for name in (b"a", b"b"):
        sender.join(name, bytes(32), 0.0, lacking_segments((), content.geometry.segments, 1000))
    for segment in sender.wanted():
        sender.give(segment, content.segments[segment])
    right, wrong = receiver_of(content), receiver_of(content, key=b"x" * 32)
    while not right.missing or any(right.missing):
        batch = sender.make(0.0, 20)
        assert batch is not None
        for receiver in (right, wrong):
            receiver.batch_received(bytearray(batch.datagrams), batch.size, len(batch.datagrams) // batch.size, 1.0)
    assert [event.data for event in right.take_events() if isinstance(event, SegmentReady)] == content.segments
    assert wrong.rank == 0
    assert set(wrong.counters) == {"data: MAC"}


@every_way
@settings(deadline=None, max_examples=30)
@given(seed=seeds)
def test_a_sealed_receiver_is_the_same_in_every_way_whatever_comes(path: str, seed: int) -> None:
    chance, senders, content = Random(seed), streams_of_one_sender(), Content(2 * MIB)
    with way_of(path) as way:
        receivers = [receiver_of(content, way), receiver_of(content, way_of_fallback())]
        for now in range(1, 5):
            batch = hostile_batch(chance, 58, chance.randrange(1, 40), senders)
            for receiver in receivers:
                receiver.batch_received(batch, 58, len(batch) // 58, float(now))
        assert receivers[0].counters == receivers[1].counters
        assert receivers[0].missing == receivers[1].missing
        assert dict(partial(receivers[0])) == dict(partial(receivers[1]))


def partial(receiver: Receiver) -> list[tuple[tuple[int, int], bytes]]:
    return [((segment, at), data) for segment, at, data in receiver.partial()]


def test_join_and_accept_tell_what_is_sealed() -> None:
    for is_sealed in (True, False):
        accept = Accept(bytes(32), TAG, KEY, UNICAST_KEY, 64, 1344, is_sealed, b"manifest")
        assert Accept.read(accept.pack()) == accept
        join = Join.of(bytes(32), lacking_segments((), 4, 100), 32110, sealed=is_sealed, wants_manifest=True)
        assert Join.read(join.pack()) == join


def test_all_ways_are_tested_where_there_is_native_code() -> None:
    assert not NATIVE_PATHS or "portable" in NATIVE_PATHS
